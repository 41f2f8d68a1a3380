/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which hosts are to be explained, and against which: the parameters that GET /explain and its
 * lists share. A selection is one of: a region of a tag's distribution (tag, low, high), a finding,
 * hosts by id, or those that have a fact. The baseline is the rest of the fleet, of those that have
 * the tag, or of the selected hosts' own cohorts.
 */
#ifndef SERVER_API_EXPLAIN_SELECT_H
#define SERVER_API_EXPLAIN_SELECT_H

#include "server/api/measure.h"
#include "server/state/contrast.h"
#include "server/store/store_findings.h"

#define EXPLAIN_PARAMETERS                                                                         \
    "tag", "pool", "measure", "low", "high", "finding", "hosts", "having", "within", "baseline"
#define EXPLAIN_HOSTS_MAX 200 /* ids in one address: 200 UUIDs are 7.4 KB */

enum explain_kind { EXPLAIN_REGION, EXPLAIN_FINDING, EXPLAIN_HOSTS, EXPLAIN_HAVING };
enum explain_baseline { BASELINE_FLEET, BASELINE_REST, BASELINE_PEERS, BASELINE_COUNT };

struct explain_selection {
    enum explain_kind kind;
    enum explain_baseline baseline;
    bool has_tag;
    uint32_t tag;
    enum pool pool;
    enum measure measure;
    double low, high;               /* both ends belong to it; infinite: open */
    const char *having, *within;    /* "NAME=VALUE"; NULL: not asked; borrowed from the request */
    struct finding_records records; /* of EXPLAIN_FINDING: exactly one */
    struct fleet_view *view;
    const struct facts *facts;
    uint8_t *sides;                  /* enum contrast_side, by place in the view; so are: */
    double *values;                  /* of the measure; NAN: unknown, or no tag */
    const struct facts_host **known; /* NULL: nothing told */
    size_t selected, compared;
};
void explain_selection_done(struct explain_selection *selection);
#define AUTO_EXPLAIN_SELECTION CLEANUP(explain_selection_done)

/* Reads the parameters and sorts all hosts to their sides. ST_INVALID with the parameter at fault:
 * none or two selections, an empty one, or one that leaves nothing to compare with. */
enum status explain_select(const struct req *rq, struct explain_selection *ret_selection,
                           struct err *err) MUST_CHECK;
/* Members "tag" ... "baseline" of an open object. */
void explain_write_selection(const struct explain_selection *selection, struct strbuf *out);

/* "NAME=VALUE"; "driver/x.sys=1.2" is a driver's version, "driver/x.sys" alone any of them. */
struct explain_fact {
    uint32_t name; /* FACT_NONE: no host has it */
    bool any;
    const char *value;
};
void explain_fact_parse(const struct facts *facts, const char *text, struct arena *arena,
                        struct explain_fact *ret_fact);
bool explain_fact_held(const struct facts *facts, const struct facts_host *host,
                       const struct explain_fact *fact);

#endif
