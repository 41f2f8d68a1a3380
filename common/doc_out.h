/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One document written as JSON or as CBOR by the same code: what says the same in both encodings is
 * written once. Lists tell their length beforehand, maps need not. Straight into a strbuf; check
 * strbuf_failed once at the end.
 *
 *   doc_init(&doc, DOC_CBOR, &out);
 *   doc_map(&doc);
 *   doc_key(&doc, "rejected");
 *   doc_list(&doc, 1);
 *   doc_uint(&doc, 7);
 *   doc_list_end(&doc);
 *   doc_map_end(&doc);
 *   doc_finish(&doc);
 */
#ifndef COMMON_DOC_OUT_H
#define COMMON_DOC_OUT_H

#include "common/strbuf.h"

enum doc_form { DOC_JSON, DOC_CBOR };

struct doc {
    struct strbuf *out; /* borrowed */
    enum doc_form form;
    bool comma; /* JSON: something stands before the next element */
};

void doc_init(struct doc *doc, enum doc_form form, struct strbuf *out);

void doc_map(struct doc *doc);
void doc_key(struct doc *doc, const char *name); /* then its value */
void doc_map_end(struct doc *doc);
void doc_list(struct doc *doc, size_t count); /* just `count` values follow */
void doc_list_end(struct doc *doc);

void doc_uint(struct doc *doc, uint64_t value);
void doc_bool(struct doc *doc, bool value);
void doc_null(struct doc *doc);
/* UTF-8; NULL is null. Bytes that are not UTF-8 become U+FFFD. */
void doc_text(struct doc *doc, const char *text);
void doc_time(struct doc *doc, int64_t us); /* RFC 3339 */
void doc_tag(struct doc *doc, uint32_t tag);
void doc_finish(struct doc *doc); /* after the whole document: JSON ends its line */

/* Key and value together. */
void doc_put_uint(struct doc *doc, const char *name, uint64_t value);
void doc_put_bool(struct doc *doc, const char *name, bool value);
void doc_put_text(struct doc *doc, const char *name, const char *text);

#endif
