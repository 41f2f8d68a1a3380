/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The members of a JSON reply, written straight into a strbuf: long lists never become a tree. A
 * comma is put before a member when something stands before it, so writers need no "first" flag.
 * Absent values are null: NULL text, TIME_UNKNOWN, INT64_MIN, NAN. Check strbuf_failed once.
 */
#ifndef SERVER_API_JSON_OUT_H
#define SERVER_API_JSON_OUT_H

#include "common/clock.h"
#include "common/strbuf.h"
#include "common/tag.h"

#define NUMBER_ABSENT INT64_MIN

void json_open(struct strbuf *out, char bracket);  /* '{' or '[', as an element */
void json_close(struct strbuf *out, char bracket); /* '}' or ']' */
void json_comma(struct strbuf *out);               /* where an element is about to begin */
void json_key(struct strbuf *out, const char *name);
void json_key_open(struct strbuf *out, const char *name, char bracket);

/* Values, to follow json_key or to be elements after json_comma. */
void json_value_text(struct strbuf *out, const char *text);
void json_value_i64(struct strbuf *out, int64_t value);
void json_value_real(struct strbuf *out, double value);
void json_value_tenths(struct strbuf *out, double value); /* a score: one digit, up to +-9999 */
void json_value_time(struct strbuf *out, int64_t us);     /* RFC 3339 */
void json_value_bool(struct strbuf *out, bool value);
void json_value_tag(struct strbuf *out, uint32_t tag);
void json_value_seconds(struct strbuf *out, int64_t us); /* whole epoch seconds, for series */

/* Key and value together. */
void json_text(struct strbuf *out, const char *name, const char *text);
void json_i64(struct strbuf *out, const char *name, int64_t value);
void json_number(struct strbuf *out, const char *name, double value);
void json_time(struct strbuf *out, const char *name, int64_t us);
void json_bool(struct strbuf *out, const char *name, bool value);
void json_tag(struct strbuf *out, const char *name, uint32_t tag);
/* `json` is JSON text already; NULL is null. */
void json_raw(struct strbuf *out, const char *name, const char *json);

#endif
