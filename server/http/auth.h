/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who asks. Credentials are verified in the database and remembered for at most AUTH_FRESH_US in a
 * table of fixed size, so that ingest needs no query per request and a revoked token dies within
 * that time. A wrong credential is never remembered, but its address pays (limiter.h). Thread-safe.
 *
 * An enroll secret is such a credential too, told apart by its prefix: it has a role of its own,
 * which opens one route.
 *
 * auth_look answers from memory alone and never waits; what it cannot answer, auth_verify asks the
 * database on a thread that may wait.
 */
#ifndef SERVER_HTTP_AUTH_H
#define SERVER_HTTP_AUTH_H

#include "common/limits.h"
#include "server/http/http.h"
#include "server/http/limiter.h"
#include "server/store/store_enroll.h"

#define AUTH_FRESH_US (5 * US_PER_SECOND)

struct auth;

struct identity {
    enum role role;
    int64_t token_id;      /* for ROLE_ENROLL: the enroll secret's; 0: a person's session */
    int64_t user_id;       /* 0: no account */
    int64_t expires_at_us; /* TIME_UNKNOWN: never */
    char name[LIMIT_TEXT_BYTES + 1];
    char host_id[LIMIT_HOST_ID_BYTES + 1]; /* "": none */
};

enum credential_kind {
    CREDENTIAL_TOKEN,
    CREDENTIAL_SESSION,
    CREDENTIAL_ENROLL,
    CREDENTIAL_PROXY /* a name in a trusted proxy's header */
};

struct credential {
    unsigned char hash[TOKEN_HASH_BYTES];
    struct limiter_key address;
    enum credential_kind kind;
    const char *proxy_name; /* of CREDENTIAL_PROXY: borrowed from the request's head */
    enum role proxy_role;   /* ROLE_NONE: the account's */
};

struct auth *auth_new(struct db_pool *pool); /* pool is borrowed; NULL when memory is out */
void auth_free(struct auth *auth);

/* False when the text cannot be a token or enroll secret (or session): it is then a failure to
 * charge. */
bool credential_make(const char *secret, size_t length, bool is_session, struct limiter_key address,
                     struct credential *ret_credential);

/* role NULL: that of the account. ST_UNAUTHORIZED: no name, or no role of people. */
enum status credential_make_proxy(const char *name, const char *role, struct limiter_key address,
                                  struct credential *ret_credential, struct err *err) MUST_CHECK;

/* ST_OK; ST_NOT_FOUND: ask auth_verify; ST_BUSY: this address failed too often, wait
 * *ret_wait_seconds. */
enum status auth_look(struct auth *auth, const struct credential *credential,
                      struct identity *ret_identity, unsigned *ret_wait_seconds) MUST_CHECK;
/* ST_OK, ST_UNAUTHORIZED (charged to the address), ST_DB, ST_BUSY. May wait for the database. Of an
 * enroll secret err says what is wrong with it: for the log, not for the one who asks. */
enum status auth_verify(struct auth *auth, const struct credential *credential,
                        struct identity *ret_identity, struct err *err) MUST_CHECK;
/* A failure found elsewhere: no token at all, or of the wrong shape. Seconds to wait, or 0. */
unsigned auth_fail(struct auth *auth, struct limiter_key address);
/* After a logout on this server: forgotten at once. */
void auth_forget(struct auth *auth, const unsigned char hash[TOKEN_HASH_BYTES]);
/* All that is remembered of a person or a token; the other is 0. */
void auth_forget_all(struct auth *auth, int64_t user_id, int64_t token_id);

/* An attempt to sign in by password: charged to address and name before the work is done, so that
 * attempts side by side cannot pass the bound together. Seconds to wait (nothing is charged), or
 * 0. A name has fewer attempts than an address: guessing one person's password from many places is
 * the attack. */
#define AUTH_NAME_BURST     10u
#define AUTH_NAME_REFILL_US (30 * US_PER_SECOND)
unsigned auth_attempt(struct auth *auth, struct limiter_key address, const char *name);
/* What is left for the address, or with `name` for that name; see limiter_left. */
struct quota auth_quota(struct auth *auth, struct limiter_key address, const char *name);
/* It was right: the charge goes back. */
void auth_attempt_ok(struct auth *auth, struct limiter_key address, const char *name);

#endif
