/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/auth.h"
#include "common/clock.h"

#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>

#define WAYS 4
/* 2,048 tokens, 0.8 MB; a larger fleet in which each host has its own token only asks the database
 * a little more often. */
#define SETS 512
/* A token that was good this recently may be asked again though its address has failed too often:
 * behind a proxy all hosts share one address, and one broken host must not shut the others out. */
#define KNOWN_US      (15 * US_PER_MINUTE)
#define LEASE_WAIT_US (500 * US_PER_MS)
/* After the database failed, others are told at once for so long. */
#define DOWN_US US_PER_SECOND

struct entry {
    int64_t verified_us; /* 0: empty */
    unsigned char hash[TOKEN_HASH_BYTES];
    enum credential_kind kind;
    struct identity identity;
};

struct auth {
    struct db_pool *pool;
    struct limiter *limiter;
    _Atomic int64_t down_until_us;
    pthread_mutex_t lock;
    struct entry entries[SETS][WAYS];
};

struct auth *auth_new(struct db_pool *pool)
{
    struct auth *auth = calloc(1, sizeof *auth);
    if (auth == NULL)
        return NULL;
    auth->limiter = limiter_new();
    if (auth->limiter == NULL) {
        free(auth);
        return NULL;
    }
    auth->pool = pool;
    pthread_mutex_init(&auth->lock, NULL);
    return auth;
}

void auth_free(struct auth *auth)
{
    if (auth == NULL)
        return;
    limiter_free(auth->limiter);
    pthread_mutex_destroy(&auth->lock);
    free(auth);
}

bool credential_make(const char *secret, size_t length, bool is_session, struct limiter_key address,
                     struct credential *ret_credential)
{
    enum credential_kind kind = is_session                        ? CREDENTIAL_SESSION
                                : enroll_shape_ok(secret, length) ? CREDENTIAL_ENROLL
                                                                  : CREDENTIAL_TOKEN;
    if (kind == CREDENTIAL_SESSION && !session_shape_ok(secret, length))
        return false;
    if (kind == CREDENTIAL_TOKEN && !token_shape_ok(secret, length))
        return false;
    token_hash(secret, length, ret_credential->hash);
    ret_credential->address = address;
    ret_credential->kind = kind;
    return true;
}

/* SHA-256 of a random secret is spread evenly already. */
static struct entry *set_of(struct auth *auth, const unsigned char *hash)
{
    return auth->entries[(hash[0] | (unsigned)hash[1] << 8) % SETS];
}

static struct entry *find(struct auth *auth, const unsigned char *hash, enum credential_kind kind)
{
    struct entry *set = set_of(auth, hash);
    for (size_t i = 0; i < WAYS; i++) {
        if (set[i].verified_us != 0 && set[i].kind == kind &&
            sodium_memcmp(set[i].hash, hash, TOKEN_HASH_BYTES) == 0)
            return &set[i];
    }
    return NULL;
}

static void remember(struct auth *auth, const struct credential *credential,
                     const struct identity *identity)
{
    pthread_mutex_lock(&auth->lock);
    struct entry *slot = find(auth, credential->hash, credential->kind);
    struct entry *set = set_of(auth, credential->hash);
    for (size_t i = 0; slot == NULL && i < WAYS; i++) {
        if (set[i].verified_us == 0)
            slot = &set[i];
    }
    if (slot == NULL) {
        slot = &set[0];
        for (size_t i = 1; i < WAYS; i++) {
            if (set[i].verified_us < slot->verified_us)
                slot = &set[i];
        }
    }
    slot->verified_us = clock_mono_us();
    slot->kind = credential->kind;
    memcpy(slot->hash, credential->hash, TOKEN_HASH_BYTES);
    slot->identity = *identity;
    pthread_mutex_unlock(&auth->lock);
}

void auth_forget(struct auth *auth, const unsigned char hash[TOKEN_HASH_BYTES])
{
    pthread_mutex_lock(&auth->lock);
    struct entry *set = set_of(auth, hash);
    for (size_t i = 0; i < WAYS; i++) {
        if (sodium_memcmp(set[i].hash, hash, TOKEN_HASH_BYTES) == 0)
            set[i].verified_us = 0;
    }
    pthread_mutex_unlock(&auth->lock);
}

enum status auth_look(struct auth *auth, const struct credential *credential,
                      struct identity *ret_identity, unsigned *ret_wait_seconds)
{
    int64_t now = clock_mono_us();
    bool known = false;
    bool fresh = false;
    pthread_mutex_lock(&auth->lock);
    const struct entry *entry = find(auth, credential->hash, credential->kind);
    if (entry != NULL) {
        int64_t age = now - entry->verified_us;
        int64_t ends = entry->identity.expires_at_us;
        known = age < KNOWN_US;
        fresh = age < AUTH_FRESH_US && (ends == TIME_UNKNOWN || ends > clock_wall_us());
        if (fresh)
            *ret_identity = entry->identity;
    }
    pthread_mutex_unlock(&auth->lock);
    if (fresh)
        return ST_OK;
    unsigned wait = known ? 0 : limiter_wait(auth->limiter, credential->address, now);
    if (wait == 0)
        return ST_NOT_FOUND;
    *ret_wait_seconds = wait;
    return ST_BUSY;
}

unsigned auth_fail(struct auth *auth, struct limiter_key address)
{
    int64_t now = clock_mono_us();
    unsigned wait = limiter_wait(auth->limiter, address, now);
    if (wait == 0)
        limiter_fail(auth->limiter, address, now);
    return wait;
}

static enum status ask_token(struct db *db, const struct credential *credential,
                             struct identity *ret_identity, struct err *err)
{
    struct store_token token;
    enum status status = credential->kind == CREDENTIAL_SESSION
                             ? store_session_verify(db, credential->hash, &token, err)
                             : store_token_verify(db, credential->hash, &token, err);
    if (status == ST_OK && !role_parse(token.role, &ret_identity->role))
        status = err_set(err, ST_UNAUTHORIZED, "the token has an unknown role");
    if (status != ST_OK)
        return status;
    ret_identity->token_id = token.token_id;
    ret_identity->expires_at_us = token.expires_at_us;
    memcpy(ret_identity->name, token.name, sizeof ret_identity->name);
    memcpy(ret_identity->host_id, token.host_id, sizeof ret_identity->host_id);
    return ST_OK;
}

static enum status ask_enroll(struct db *db, const struct credential *credential,
                              struct identity *ret_identity, struct err *err)
{
    struct store_enroll_secret secret;
    enum status status = store_enroll_secret_verify(db, credential->hash, &secret, err);
    if (status != ST_OK)
        return status;
    ret_identity->role = ROLE_ENROLL;
    ret_identity->token_id = secret.secret_id;
    ret_identity->expires_at_us = secret.expires_at_us;
    memcpy(ret_identity->name, secret.name, sizeof ret_identity->name);
    ret_identity->host_id[0] = '\0';
    return ST_OK;
}

static enum status ask(struct auth *auth, const struct credential *credential,
                       struct identity *ret_identity, struct err *err)
{
    AUTO_DBLEASE struct db *db = NULL;
    if (clock_mono_us() < atomic_load(&auth->down_until_us))
        return err_set(err, ST_DB, "could not verify the token: database unavailable");
    enum status status = db_lease(auth->pool, LEASE_WAIT_US, &db, err);
    if (status == ST_OK)
        status = credential->kind == CREDENTIAL_ENROLL
                     ? ask_enroll(db, credential, ret_identity, err)
                     : ask_token(db, credential, ret_identity, err);
    if (status == ST_DB)
        atomic_store(&auth->down_until_us, clock_mono_us() + DOWN_US);
    return status;
}

enum status auth_verify(struct auth *auth, const struct credential *credential,
                        struct identity *ret_identity, struct err *err)
{
    struct identity identity;
    enum status status = ask(auth, credential, &identity, err);
    if (status == ST_UNAUTHORIZED) {
        auth_forget(auth, credential->hash);
        limiter_fail(auth->limiter, credential->address, clock_mono_us());
    }
    if (status != ST_OK)
        return status;
    remember(auth, credential, &identity);
    *ret_identity = identity;
    return ST_OK;
}
