/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A finding as JSON: the contract's object, the same in the lists, the detail, the overview and
 * the verb `analyze --json`. Pure.
 */
#ifndef SERVER_API_FINDING_JSON_H
#define SERVER_API_FINDING_JSON_H

#include "common/strbuf.h"
#include "server/analyze/finding.h"
#include "server/known/known.h"
#include "server/store/store_findings.h"

#define FINDING_JSON_HOSTS_LIST 20 /* hosts shown of each finding in a list */

/* One object. `record`: what people did (then finding is the record's); NULL: not stored yet.
 * At most hosts_max hosts; host_count tells all. */
void finding_json_write(const struct finding *finding, const struct finding_record *record,
                        size_t hosts_max, struct strbuf *out);
/* The same without the closing brace, so that members can follow. */
void finding_json_begin(const struct finding *finding, const struct finding_record *record,
                        size_t hosts_max, struct strbuf *out);
/* The member "known_leaks": the entries of the list that fit the finding, best first. To follow
 * finding_json_begin. */
void finding_json_known(const struct finding *finding, const struct known_list *known,
                        struct strbuf *out);
/* The same member from matches that were found otherwise. */
void finding_json_matches(const struct known_match *matches, size_t count, struct strbuf *out);
/* {"as_of":...,"findings":[...]} with all hosts. */
void findings_json_document(const struct finding_list *list, const struct known_list *known,
                            int64_t as_of_us, struct strbuf *out);

#endif
