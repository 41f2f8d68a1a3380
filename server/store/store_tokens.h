/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tokens and the page's sessions. A secret is 32 random bytes as text; only its SHA-256 is stored,
 * so the database cannot give one away. Roles are texts here: what they mean is decided in http.
 */
#ifndef SERVER_STORE_STORE_TOKENS_H
#define SERVER_STORE_STORE_TOKENS_H

#include "common/limits.h"
#include "server/store/db.h"

#define TOKEN_PREFIX     "pft_"
#define TOKEN_HASH_BYTES 32
#define TOKEN_TEXT_MAX   48 /* prefix, 43 characters of base64url, NUL */
#define SESSION_TEXT_MAX 44 /* 43 characters, NUL */

struct store_token {
    int64_t token_id; /* 0: a person's session (store_session_verify alone gives such) */
    int64_t user_id;  /* of a person's session; else 0 */
    char name[LIMIT_TEXT_BYTES + 1];
    char role[16];                         /* "viewer" */
    char host_id[LIMIT_HOST_ID_BYTES + 1]; /* the agent's own identity; "": none */
    int64_t created_at_us;
    int64_t last_used_at_us; /* TIME_UNKNOWN: never; so with the next two */
    int64_t revoked_at_us;
    int64_t expires_at_us;
};

struct store_token_list {
    struct store_token *items; /* owned */
    size_t count;
};
void store_token_list_done(struct store_token_list *list);
#define AUTO_TOKEN_LIST CLEANUP(store_token_list_done)

/* Of a secret's text. */
void token_hash(const char *secret, size_t length, unsigned char ret_hash[TOKEN_HASH_BYTES]);
/* Has the shape of a token or of a session's secret; others need no database to be refused. */
bool token_shape_ok(const char *secret, size_t length);
bool session_shape_ok(const char *secret, size_t length);
/* prefix, 43 random characters, NUL; for other kinds of secrets too. size: of ret_secret. */
enum status secret_new(const char *prefix, size_t size, char *ret_secret,
                       struct err *err) MUST_CHECK;
/* prefix and then the shape of secret_new. */
bool secret_shape_ok(const char *prefix, const char *secret, size_t length);

/* role: "ingest", "viewer", "operator", "admin", or "host" with host_id (the agent's identity).
 * expires_at_us may be TIME_UNKNOWN. ST_INVALID with field "name" or "role"; ST_NOT_FOUND: no such
 * host. ret_secret is the only time the secret is seen. ret_token_id may be NULL. */
enum status store_token_create(struct db *db, const char *name, const char *role,
                               const char *host_id, int64_t expires_at_us,
                               char ret_secret[TOKEN_TEXT_MAX], int64_t *ret_token_id,
                               struct err *err) MUST_CHECK;
/* All tokens, oldest first, revoked ones too. */
enum status store_token_list(struct db *db, struct store_token_list *ret_list,
                             struct err *err) MUST_CHECK;
/* By number, or by name (every unrevoked token of that name). Their sessions end with them.
 * ST_NOT_FOUND when nothing was revoked. */
enum status store_token_revoke(struct db *db, int64_t token_id, struct err *err) MUST_CHECK;
enum status store_token_revoke_name(struct db *db, const char *name, struct err *err) MUST_CHECK;
/* ST_UNAUTHORIZED: unknown, revoked or expired. Notes the use, to about a minute. */
enum status store_token_verify(struct db *db, const unsigned char hash[TOKEN_HASH_BYTES],
                               struct store_token *ret_token, struct err *err) MUST_CHECK;

/* Opens a session of a token that ends at expires_at_us or with the token; removes ended ones. */
enum status store_session_create(struct db *db, int64_t token_id, int64_t expires_at_us,
                                 char ret_secret[SESSION_TEXT_MAX], struct err *err) MUST_CHECK;
/* As store_token_verify; ret_token->expires_at_us is the earlier end of session and token. */
enum status store_session_verify(struct db *db, const unsigned char hash[TOKEN_HASH_BYTES],
                                 struct store_token *ret_token, struct err *err) MUST_CHECK;
/* ST_OK also when there was none. */
enum status store_session_delete(struct db *db, const unsigned char hash[TOKEN_HASH_BYTES],
                                 struct err *err) MUST_CHECK;

/* One trivial query: is the database there. */
enum status store_ping(struct db *db, struct err *err) MUST_CHECK;

extern const struct stmt_table store_tokens_statements;

#endif
