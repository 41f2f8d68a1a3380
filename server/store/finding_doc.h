/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The column finding.doc: owner, causes, cause note and evidence as JSON. Our own form, not the
 * API's: numbers that are not finite are left out.
 */
#ifndef SERVER_STORE_FINDING_DOC_H
#define SERVER_STORE_FINDING_DOC_H

#include "common/status.h"
#include "common/strbuf.h"
#include "server/analyze/finding.h"

void finding_doc_write(const struct finding *finding, struct strbuf *out);
/* Fills these members of ret_finding, texts in arena. ST_BUG when the text is not a document. */
enum status finding_doc_read(const char *text, struct arena *arena, struct finding *ret_finding,
                             struct err *err) MUST_CHECK;

#endif
