/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way to the server, as the core sees it: one POST, one reply. Implemented by libcurl (sim),
 * WinHTTP (win) and by fakes in tests. deliver() adds the retry policy: what a person would call
 * "the server is busy or away" is tried again with backoff until it works, everything else is
 * final.
 */
#ifndef AGENT_CORE_TRANSPORT_H
#define AGENT_CORE_TRANSPORT_H

#include "agent/core/backoff.h"
#include "common/status.h"
#include "common/strbuf.h"

struct transport_request {
    const char *path;             /* "/api/v1/snapshots" */
    const char *content_type;     /* "application/x-ndjson" */
    const char *content_encoding; /* "gzip"; NULL: as it is */
    const char *accept;           /* "application/cbor"; NULL: anything */
    const char *bearer;           /* token or enroll secret; NULL: the transport's own */
    const char *data;
    size_t length;
};

struct transport_reply {
    int code;               /* HTTP status */
    int64_t retry_after_us; /* BACKOFF_NO_RETRY_AFTER: none given */
    struct strbuf body;     /* owned by the reply's owner; cleared for each try */
};

struct transport {
    void *arg;
    /* ST_OK: a reply came, whatever its code. ST_IO: no reply (could not connect, cut off, timed
     * out). Other: a fault that a retry does not mend. */
    enum status (*post)(void *arg, const struct transport_request *request,
                        struct transport_reply *reply, struct err *err);
};

/* How deliver() waits. false: stop trying (shutdown, or waited enough). `reason` says why it waits.
 */
struct deliver_wait {
    void *arg;
    bool (*wait)(void *arg, int64_t wait_us, const struct err *reason);
};

/* 408, 429 and every 5xx but 501 and 505: the same request may work later. */
bool transport_code_retryable(int code);

/* Posts until a final reply is there. ST_OK: reply->code is final (2xx or a refusal). ST_TIMEOUT:
 * gave up because wait() said so, err tells the last reason. Other: a fault a retry does not mend.
 */
enum status deliver(const struct transport *transport, const struct transport_request *request,
                    struct backoff *backoff, const struct deliver_wait *wait,
                    struct transport_reply *reply, struct err *err) MUST_CHECK;

/* The value of a Retry-After header: seconds, or an HTTP date against now_us (wall). false when it
 * is neither; a time that has passed gives 0. */
bool retry_after_parse(const char *text, int64_t now_us, int64_t *ret_us);

#endif
