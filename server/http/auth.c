/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/auth.h"
#include "common/clock.h"
#include "common/utf8.h"
#include "server/store/store_users.h"

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
    struct limiter *names;
    _Atomic int64_t down_until_us;
    pthread_mutex_t lock;
    struct entry entries[SETS][WAYS];
};

struct auth *auth_new(struct db_pool *pool)
{
    struct auth *auth = calloc(1, sizeof *auth);
    if (auth == NULL)
        return NULL;
    pthread_mutex_init(&auth->lock, NULL);
    auth->limiter = limiter_new(LIMITER_BURST, LIMITER_REFILL_US);
    auth->names = limiter_new(AUTH_NAME_BURST, AUTH_NAME_REFILL_US);
    if (auth->limiter == NULL || auth->names == NULL) {
        auth_free(auth);
        return NULL;
    }
    auth->pool = pool;
    return auth;
}

void auth_free(struct auth *auth)
{
    if (auth == NULL)
        return;
    limiter_free(auth->limiter);
    limiter_free(auth->names);
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
    *ret_credential = (struct credential){.address = address, .kind = kind};
    token_hash(secret, length, ret_credential->hash);
    return true;
}

enum status credential_make_proxy(const char *name, const char *role, struct limiter_key address,
                                  struct credential *ret_credential, struct err *err)
{
    static const char domain[] = "proxy sign-on";
    crypto_hash_sha256_state hash;
    enum role known = ROLE_NONE;
    size_t length = strlen(name);
    bool ok = length > 0 && length <= LIMIT_TEXT_BYTES && utf8_valid(name, length);
    for (size_t i = 0; ok && i < length; i++)
        ok = (unsigned char)name[i] >= 0x20 && name[i] != 0x7f;
    if (!ok)
        return err_set(err, ST_UNAUTHORIZED, "the proxy's user header holds no name");
    if (role != NULL && (!role_parse(role, &known) || !role_allows(known, ROLE_VIEWER)))
        return err_set(err, ST_UNAUTHORIZED,
                       "the proxy's role header is not viewer, operator or admin");
    *ret_credential = (struct credential){
        .address = address, .kind = CREDENTIAL_PROXY, .proxy_name = name, .proxy_role = known};
    crypto_hash_sha256_init(&hash);
    crypto_hash_sha256_update(&hash, (const unsigned char *)domain, sizeof domain);
    crypto_hash_sha256_update(&hash, (const unsigned char *)name, length + 1);
    crypto_hash_sha256_update(&hash, (const unsigned char *)role_name(known),
                              strlen(role_name(known)));
    crypto_hash_sha256_final(&hash, ret_credential->hash);
    return ST_OK;
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

void auth_forget_all(struct auth *auth, int64_t user_id, int64_t token_id)
{
    pthread_mutex_lock(&auth->lock);
    for (size_t i = 0; i < SETS * WAYS; i++) {
        struct entry *entry = &auth->entries[i / WAYS][i % WAYS];
        if ((user_id != 0 && entry->identity.user_id == user_id) ||
            (token_id != 0 && entry->identity.token_id == token_id &&
             entry->identity.role != ROLE_ENROLL))
            entry->verified_us = 0;
    }
    pthread_mutex_unlock(&auth->lock);
}

unsigned auth_attempt(struct auth *auth, struct limiter_key address, const char *name)
{
    int64_t now = clock_mono_us();
    struct limiter_key key = limiter_key_name(name);
    unsigned wait = limiter_wait(auth->limiter, address, now);
    unsigned wait_name = limiter_wait(auth->names, key, now);
    if (wait == 0 && wait_name == 0) {
        limiter_fail(auth->limiter, address, now);
        limiter_fail(auth->names, key, now);
    }
    return wait > wait_name ? wait : wait_name;
}

struct quota auth_quota(struct auth *auth, struct limiter_key address, const char *name)
{
    bool by_name = name != NULL;
    unsigned burst = by_name ? AUTH_NAME_BURST : LIMITER_BURST;
    int64_t refill_us = by_name ? AUTH_NAME_REFILL_US : LIMITER_REFILL_US;
    struct quota quota = {.name = by_name ? "sign-in-name" : "sign-in-address",
                          .most = burst,
                          .window_seconds = (unsigned)(burst * refill_us / US_PER_SECOND)};
    quota.left =
        limiter_left(by_name ? auth->names : auth->limiter,
                     by_name ? limiter_key_name(name) : address, clock_mono_us(), &quota.seconds);
    return quota;
}

void auth_attempt_ok(struct auth *auth, struct limiter_key address, const char *name)
{
    int64_t now = clock_mono_us();
    limiter_forgive(auth->limiter, address, now);
    limiter_forgive(auth->names, limiter_key_name(name), now);
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
    known = known || credential->kind == CREDENTIAL_PROXY;
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
    ret_identity->user_id = token.user_id;
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
    ret_identity->user_id = 0;
    ret_identity->token_id = secret.secret_id;
    ret_identity->expires_at_us = secret.expires_at_us;
    memcpy(ret_identity->name, secret.name, sizeof ret_identity->name);
    ret_identity->host_id[0] = '\0';
    return ST_OK;
}

/* The proxy says who; an account of that name says the rest. Without one, the proxy must say the
 * role too. */
static enum status ask_proxy(struct db *db, const struct credential *credential,
                             struct identity *ret_identity, struct err *err)
{
    struct store_user user = {.user_id = 0, .disabled_at_us = TIME_UNKNOWN};
    char hash[PASSWORD_HASH_MAX];
    enum role role = credential->proxy_role;
    enum status status = store_user_find(db, credential->proxy_name, &user, hash, err);
    if (status == ST_NOT_FOUND && role != ROLE_NONE) {
        status = ST_OK;
        snprintf(user.name, sizeof user.name, "%s", credential->proxy_name);
    } else if (status == ST_NOT_FOUND)
        return err_set(err, ST_UNAUTHORIZED, "the proxy's user has no account here");
    if (status != ST_OK)
        return status;
    if (user.disabled_at_us != TIME_UNKNOWN)
        return err_set(err, ST_UNAUTHORIZED, "the account of the proxy's user is disabled");
    if (role == ROLE_NONE && !role_parse(user.role, &role))
        return err_set(err, ST_UNAUTHORIZED, "the account has an unknown role");
    *ret_identity =
        (struct identity){.role = role, .user_id = user.user_id, .expires_at_us = TIME_UNKNOWN};
    memcpy(ret_identity->name, user.name, sizeof ret_identity->name);
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
        status =
            credential->kind == CREDENTIAL_ENROLL  ? ask_enroll(db, credential, ret_identity, err)
            : credential->kind == CREDENTIAL_PROXY ? ask_proxy(db, credential, ret_identity, err)
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
        /* Nobody guesses by way of the proxy, and its address is everybody's. */
        if (credential->kind != CREDENTIAL_PROXY)
            limiter_fail(auth->limiter, credential->address, clock_mono_us());
    }
    if (status != ST_OK)
        return status;
    remember(auth, credential, &identity);
    *ret_identity = identity;
    return ST_OK;
}
