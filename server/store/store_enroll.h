/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How an agent gets its identity. An enroll secret lets a machine become a host: it gets an id and
 * a token of its own, and from then on the secret is not needed. Several secrets are valid at once,
 * so rotation is: create a new one, roll it out, revoke the old; no enrolled host notices.
 *
 * A disk that is copied with its identity gives two machines one host. Ingest sees that (two boots
 * of one host alive at the same time) and marks the boot that must go; a marked boot is told
 * "identity_cloned" and enrolls anew, which gives it an id of its own: see store_host_clone_*.
 */
#ifndef SERVER_STORE_STORE_ENROLL_H
#define SERVER_STORE_STORE_ENROLL_H

#include "server/store/store_tokens.h"

#define ENROLL_PREFIX   "pfe_"
#define ENROLL_TEXT_MAX 48 /* prefix, 43 characters of base64url, NUL */

struct store_enroll_secret {
    int64_t secret_id;
    char name[LIMIT_TEXT_BYTES + 1];
    int64_t created_at_us;
    int64_t expires_at_us; /* TIME_UNKNOWN: never; so with the next two */
    int64_t revoked_at_us;
    int64_t last_used_at_us;
    int64_t max_uses; /* -1: any number */
    int64_t uses;
};

struct store_enroll_secrets {
    struct store_enroll_secret *items; /* owned; oldest first */
    size_t count;
};
void store_enroll_secrets_done(struct store_enroll_secrets *secrets);
#define AUTO_ENROLL_SECRETS CLEANUP(store_enroll_secrets_done)

/* "active", "revoked", "expired" or "used up", at now_us. */
const char *store_enroll_secret_state(const struct store_enroll_secret *secret, int64_t now_us);

/* Has the shape of an enroll secret; others need no database to be refused. */
bool enroll_shape_ok(const char *secret, size_t length);

/* expires_at_us may be TIME_UNKNOWN, max_uses -1. ST_INVALID with field "name", "expires" or
 * "max_uses"; ST_CONFLICT: one of that name is not revoked. ret_secret is the only time the secret
 * is seen. ret_secret_id may be NULL. */
enum status store_enroll_secret_create(struct db *db, const char *name, int64_t expires_at_us,
                                       int64_t max_uses, char ret_secret[ENROLL_TEXT_MAX],
                                       int64_t *ret_secret_id, struct err *err) MUST_CHECK;
/* All of them, revoked ones too. */
enum status store_enroll_secret_list(struct db *db, struct store_enroll_secrets *ret_secrets,
                                     struct err *err) MUST_CHECK;
/* By number, or by name. ST_NOT_FOUND when nothing was revoked. */
enum status store_enroll_secret_revoke(struct db *db, int64_t secret_id,
                                       struct err *err) MUST_CHECK;
enum status store_enroll_secret_revoke_name(struct db *db, const char *name,
                                            struct err *err) MUST_CHECK;
/* ST_UNAUTHORIZED: unknown, revoked, expired or used up; err says which, for the log and not for
 * the one who asks. Counts no use. */
enum status store_enroll_secret_verify(struct db *db, const unsigned char hash[TOKEN_HASH_BYTES],
                                       struct store_enroll_secret *ret_secret,
                                       struct err *err) MUST_CHECK;

/* What a machine says when it enrolls. Texts are borrowed, valid UTF-8; NULL: not said. */
struct enroll_request {
    int64_t secret_id;
    const char *host_name;
    const char *machine_id;
    const char *address; /* numeric; never NULL */
    const char *agent_version;
    const char *attributes; /* a JSON object */
    int64_t boot_at_us;     /* TIME_UNKNOWN allowed */
    /* An identity it had before. It gets the same id again when the token proves that it is its
     * own: the token was that host's and is not revoked, the machine is the same as far as it says,
     * and the boot is not marked as a clone. Both or neither. */
    const char *previous_host_id;
    const char *previous_token;
    int64_t cooldown_us; /* 0: none */
};

struct enroll_result {
    char host_id[LIMIT_HOST_ID_BYTES + 1];
    char token[TOKEN_TEXT_MAX]; /* the only time it is seen */
    int64_t host_key;
    bool same_host; /* previous_host_id was given again; its other tokens are revoked */
};

/* One transaction. ST_UNAUTHORIZED: the secret is not good any more; err is for the log. ST_BUSY:
 * this machine enrolled less than cooldown_us ago: wait *ret_wait_seconds; no use is counted. */
enum status store_enroll_host(struct db *db, const struct enroll_request *request,
                              struct enroll_result *ret_result, unsigned *ret_wait_seconds,
                              struct err *err) MUST_CHECK;

/* ---- clones: for ingest ----------------------------------------------------- */

enum identity_state {
    IDENTITY_OK,
    IDENTITY_CLONED /* problem "identity_cloned": the agent must give its identity up and enroll */
};

/* One marked boot. */
struct store_clone {
    int64_t host_key;
    int64_t boot_at_us;
};
struct store_clones {
    struct store_clone *items; /* owned; by host_key, then boot_at_us */
    size_t count;
};
void store_clones_done(struct store_clones *clones);
#define AUTO_STORE_CLONES CLEANUP(store_clones_done)

/* Marks a boot of a host as one that must enroll anew; other_boot_at_us: the boot that keeps the
 * identity, TIME_UNKNOWN when that is not known. A boot that is marked already stays as it is.
 * Within a transaction or alone. */
enum status store_host_clone_mark(struct db *db, int64_t host_key, int64_t boot_at_us,
                                  int64_t other_boot_at_us, struct err *err) MUST_CHECK;
/* The marks of several hosts in one query: for a group of documents. */
enum status store_host_clones(struct db *db, const int64_t *host_keys, size_t count,
                              struct store_clones *ret_clones, struct err *err) MUST_CHECK;
/* One boot of a list that store_host_clones gave. boot_at_us TIME_UNKNOWN is never marked. */
enum identity_state store_clones_state(const struct store_clones *clones, int64_t host_key,
                                       int64_t boot_at_us);
/* One boot, asked alone, by the host's own id. An unknown host is IDENTITY_OK. */
enum status store_host_clone_ask(struct db *db, const char *host_id, int64_t boot_at_us,
                                 enum identity_state *ret_state, struct err *err) MUST_CHECK;

extern const struct stmt_table store_enroll_statements;

#endif
