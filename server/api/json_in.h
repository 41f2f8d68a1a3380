/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Small JSON objects in, by a table of members: strict, so that a typo is not silence. A member
 * that is absent or null leaves the target as the caller set it.
 */
#ifndef SERVER_API_JSON_IN_H
#define SERVER_API_JSON_IN_H

#include "common/cleanup.h"
#include "server/http/http.h"

#include <jansson.h>

static inline void cleanup_json(json_t **json)
{
    json_decref(*json);
}
#define AUTO_JSON CLEANUP(cleanup_json)

enum json_in_kind {
    JSON_IN_TEXT, /* const char *, borrowed from the document */
    JSON_IN_FLAG, /* int: 0 or 1 */
    JSON_IN_I64,  /* int64_t, from 1 on */
    JSON_IN_TIME  /* int64_t us */
};

struct json_in {
    const char *name;
    enum json_in_kind kind;
    size_t offset;
    bool required;
};

/* The request's body into target. ST_MALFORMED: no JSON object; ST_INVALID with the member's name
 * as field. ret_json owns the texts. */
enum status json_in_read(const struct req *rq, const struct json_in *members, size_t count,
                         void *target, json_t **ret_json, struct err *err) MUST_CHECK;

#endif
