/* SPDX-License-Identifier: Apache-2.0 */
/* What handlers may ask about their request. */
#include "common/clock.h"
#include "server/http/exchange.h"

#include <errno.h>
#include <inttypes.h>

static const struct exchange *exchange_of(const struct req *rq)
{
    return rq->impl;
}

const char *req_query(const struct req *rq, const char *name)
{
    return query_get(&exchange_of(rq)->query, name);
}

const char *req_header(const struct req *rq, const char *name)
{
    return exchange_header(exchange_of(rq), name);
}

enum status req_query_i64(const struct req *rq, const char *name, int64_t min, int64_t max,
                          int64_t fallback, int64_t *ret_value, struct err *err)
{
    const char *text = req_query(rq, name);
    if (text == NULL) {
        *ret_value = fallback;
        return ST_OK;
    }
    const char *digits = text + (*text == '-');
    size_t length = strspn(digits, "0123456789");
    errno = 0;
    long long value = strtoll(text, NULL, 10);
    if (length == 0 || digits[length] != '\0' || errno != 0 || value < min || value > max)
        return err_field(err, ST_INVALID, name,
                         "query parameter \"%s\" must be a whole number from %" PRId64
                         " to %" PRId64,
                         name, min, max);
    *ret_value = value;
    return ST_OK;
}

enum status req_query_time(const struct req *rq, const char *name, int64_t fallback_us,
                           int64_t *ret_us, struct err *err)
{
    const char *text = req_query(rq, name);
    if (text == NULL) {
        *ret_us = fallback_us;
        return ST_OK;
    }
    char copy[64]; /* RFC 3339 with microseconds and offset has 32 */
    size_t length = strlen(text);
    if (length < sizeof copy) {
        memcpy(copy, text, length + 1);
        /* "...+01:00" written without escape has become a blank. */
        if (length > 6 && copy[length - 6] == ' ')
            copy[length - 6] = '+';
        if (time_parse(copy, length, ret_us))
            return ST_OK;
    }
    return err_field(err, ST_INVALID, name,
                     "query parameter \"%s\" must be a time such as 2026-11-21T02:00:00Z", name);
}

enum status req_query_only(const struct req *rq, const char *const *names, size_t count,
                           struct err *err)
{
    const struct query *query = &exchange_of(rq)->query;
    for (size_t i = 0; i < query->count; i++) {
        const char *name = query->params[i].name;
        bool known = false;
        for (size_t j = 0; j < count; j++)
            known = known || strcmp(names[j], name) == 0;
        if (!known)
            return err_field(err, ST_INVALID, name, "unknown query parameter \"%.64s\"", name);
        if (query_get(query, name) != query->params[i].value)
            return err_field(err, ST_INVALID, name, "query parameter \"%.64s\" stands twice", name);
    }
    return ST_OK;
}

struct auth *req_auth(const struct req *rq)
{
    return exchange_of(rq)->http->auth;
}

struct http *req_http(const struct req *rq)
{
    return exchange_of(rq)->http;
}

struct limiter_key req_peer_key(const struct req *rq)
{
    return limiter_key((const struct sockaddr *)&exchange_of(rq)->peer);
}

const struct identity *req_identity(const struct req *rq)
{
    return &exchange_of(rq)->identity;
}

enum status req_auth_status(const struct req *rq)
{
    return exchange_of(rq)->ask_status;
}

const struct credential *req_credential(const struct req *rq)
{
    return rq->role == ROLE_NONE ? NULL : &exchange_of(rq)->credential;
}
