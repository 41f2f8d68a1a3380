/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/store_enroll.h"
#include "common/utf8.h"

#include <sodium.h>

enum {
    S_CREATE,
    S_LIST,
    S_REVOKE,
    S_REVOKE_NAME,
    S_FIND,
    S_TAKE_TURN,
    S_USE,
    S_WAIT_MACHINE,
    S_WAIT_ADDRESS,
    S_PREVIOUS,
    S_ADD_HOST,
    S_REVOKE_TOKENS,
    S_IDENTIFY,
    S_CLONE_MARK,
    S_CLONES,
    S_CLONE_ASK
};

#define SECRET_COLUMNS                                                                             \
    "enroll_secret_id, name, created_at, expires_at, revoked_at, last_used_at, "                   \
    "coalesce(max_uses, -1), uses, sha256"
/* How long this machine has to wait still, in microseconds; NULL: it did not enroll just now. */
#define WAIT_SINCE                                                                                 \
    "SELECT $1 - (extract(epoch FROM now() - max(enrolled_at)) * 1000000)::bigint "                \
    "FROM host_identity WHERE enrolled_at > now() - $1 * interval '1 microsecond' AND "

static const struct stmt statements[] = {
    [S_CREATE] = STMT("enroll_secrets_create",
                      "INSERT INTO enroll_secret (name, sha256, created_at, expires_at, max_uses) "
                      "VALUES ($1, $2, now(), $3, nullif($4, -1)) RETURNING enroll_secret_id",
                      "txzi", "i"),
    [S_LIST] = STMT("enroll_secrets_list",
                    "SELECT " SECRET_COLUMNS " FROM enroll_secret ORDER BY 1", "", "itzzzziix"),
    [S_REVOKE] = STMT("enroll_secrets_revoke",
                      "UPDATE enroll_secret SET revoked_at = now() WHERE enroll_secret_id = $1 "
                      "AND revoked_at IS NULL RETURNING enroll_secret_id",
                      "i", "i"),
    [S_REVOKE_NAME] = STMT("enroll_secrets_revoke_name",
                           "UPDATE enroll_secret SET revoked_at = now() WHERE name = $1 "
                           "AND revoked_at IS NULL RETURNING enroll_secret_id",
                           "t", "i"),
    [S_FIND] =
        STMT("enroll_secrets_find",
             "SELECT " SECRET_COLUMNS " FROM enroll_secret WHERE sha256 = $1", "x", "itzzzziix"),
    /* One machine at a time, whichever secrets and servers it asks with; held to the commit. */
    [S_TAKE_TURN] = STMT(
        "enroll_take_turn",
        "SELECT count(*) FROM pg_advisory_xact_lock(hashtextextended($1, 7046029254386353131))",
        "t", "i"),
    [S_USE] = STMT("enroll_use",
                   "UPDATE enroll_secret SET uses = uses + 1, last_used_at = now() "
                   "WHERE enroll_secret_id = $1 AND revoked_at IS NULL "
                   "AND (expires_at IS NULL OR expires_at > now()) "
                   "AND (max_uses IS NULL OR uses < max_uses) RETURNING enroll_secret_id",
                   "i", "i"),
    [S_WAIT_MACHINE] = STMT("enroll_wait_machine", WAIT_SINCE "machine_id = $2", "it", "i"),
    [S_WAIT_ADDRESS] =
        STMT("enroll_wait_address",
             WAIT_SINCE "machine_id IS NULL AND address = $2 AND name IS NOT DISTINCT FROM $3",
             "itt", "i"),
    /* A token that enrolling again has revoked still proves the identity as long as none that came
     * after it was ever used: then the answers that carried them were lost. Revoked and created
     * are times of one transaction; a token that a person revoked has no such follower. */
    [S_PREVIOUS] =
        STMT("enroll_previous",
             "SELECT h.host_id, t.sha256 FROM token t JOIN host h USING (host_id) "
             "LEFT JOIN host_identity i USING (host_id) "
             "WHERE t.sha256 = $1 AND t.role = 'host' AND h.id = $2 "
             "AND (t.revoked_at IS NULL OR (EXISTS (SELECT FROM token n "
             "WHERE n.host_id = t.host_id AND n.created_at = t.revoked_at) AND (SELECT "
             "bool_or(n.revoked_at IS NULL) AND bool_and(n.last_used_at IS NULL) FROM token n "
             "WHERE n.host_id = t.host_id AND n.token_id > t.token_id))) "
             "AND coalesce(i.machine_id = $3, true) "
             "AND NOT EXISTS (SELECT FROM host_clone c WHERE c.host_id = h.host_id "
             "AND coalesce(c.boot_at = $4, true))",
             "xttz", "ix"),
    /* No snapshot yet: keyframe_at stays NULL, which is how everybody else knows. */
    [S_ADD_HOST] = STMT("enroll_add_host",
                        "INSERT INTO host (id, name, first_seen_at, last_seen_at, received_at) "
                        "VALUES ($1, $2, now(), now(), now()) RETURNING host_id",
                        "tt", "i"),
    [S_REVOKE_TOKENS] = STMT("enroll_revoke_tokens",
                             "UPDATE token SET revoked_at = now() WHERE host_id = $1 "
                             "AND role = 'host' AND revoked_at IS NULL",
                             "i", ""),
    [S_IDENTIFY] =
        STMT("enroll_identify",
             "INSERT INTO host_identity (host_id, enroll_secret_id, enrolled_at, enrolments, "
             "machine_id, name, address, boot_at, agent_version, attributes) "
             "VALUES ($1, $2, now(), 1, $3, $4, $5, $6, $7, $8) "
             "ON CONFLICT (host_id) DO UPDATE SET enroll_secret_id = excluded.enroll_secret_id, "
             "enrolled_at = now(), enrolments = host_identity.enrolments + 1, "
             "machine_id = coalesce(excluded.machine_id, host_identity.machine_id), "
             "name = excluded.name, address = excluded.address, boot_at = excluded.boot_at, "
             "agent_version = excluded.agent_version, attributes = excluded.attributes",
             "iitttztj", ""),
    [S_CLONE_MARK] = STMT("clones_mark",
                          "INSERT INTO host_clone (host_id, boot_at, other_boot_at, marked_at) "
                          "VALUES ($1, $2, $3, now()) ON CONFLICT (host_id, boot_at) DO NOTHING",
                          "izz", ""),
    [S_CLONES] = STMT("clones_of_hosts",
                      "SELECT host_id, boot_at FROM host_clone WHERE host_id = ANY ($1) "
                      "ORDER BY host_id, boot_at",
                      "I", "iz"),
    [S_CLONE_ASK] = STMT("clones_ask",
                         "SELECT host_id FROM host_clone JOIN host USING (host_id) "
                         "WHERE id = $1 AND host_clone.boot_at = $2",
                         "tz", "i"),
};

const struct stmt_table store_enroll_statements = {statements,
                                                   sizeof statements / sizeof statements[0]};

/* ---- secrets ---------------------------------------------------------------- */

void store_enroll_secrets_done(struct store_enroll_secrets *secrets)
{
    free(secrets->items);
    *secrets = (struct store_enroll_secrets){NULL, 0};
}

const char *store_enroll_secret_state(const struct store_enroll_secret *secret, int64_t now_us)
{
    if (secret->revoked_at_us != TIME_UNKNOWN)
        return "revoked";
    if (secret->expires_at_us != TIME_UNKNOWN && secret->expires_at_us <= now_us)
        return "expired";
    return secret->max_uses >= 0 && secret->uses >= secret->max_uses ? "used up" : "active";
}

bool enroll_shape_ok(const char *secret, size_t length)
{
    return secret_shape_ok(ENROLL_PREFIX, secret, length);
}

static enum status check_new(const char *name, int64_t expires_at_us, int64_t max_uses,
                             struct err *err)
{
    size_t length = strlen(name);
    bool plain = length > 0 && length <= LIMIT_TEXT_BYTES && utf8_valid(name, length);
    for (size_t i = 0; plain && i < length; i++)
        plain = (unsigned char)name[i] >= 0x20 && name[i] != 0x7f;
    if (!plain)
        return err_field(err, ST_INVALID, "name",
                         "could not create enroll secret: the name must be 1 to 256 bytes of UTF-8 "
                         "without control characters");
    /* Else "revoke 7" could mean two of them. */
    if (strspn(name, "0123456789") == length)
        return err_field(err, ST_INVALID, "name",
                         "could not create enroll secret: a name of digits only is taken for an "
                         "id");
    if (expires_at_us != TIME_UNKNOWN && expires_at_us <= clock_wall_us())
        return err_field(err, ST_INVALID, "expires",
                         "could not create enroll secret: it would have expired already");
    if (max_uses == 0 || max_uses < -1)
        return err_field(err, ST_INVALID, "max_uses",
                         "could not create enroll secret: it must be good for one use at least");
    return ST_OK;
}

enum status store_enroll_secret_create(struct db *db, const char *name, int64_t expires_at_us,
                                       int64_t max_uses, char ret_secret[ENROLL_TEXT_MAX],
                                       int64_t *ret_secret_id, struct err *err)
{
    char secret[ENROLL_TEXT_MAX];
    unsigned char hash[TOKEN_HASH_BYTES];
    struct db_params params = {.count = 0};
    AUTO_DBRESULT struct db_result *result = NULL;
    enum status status = check_new(name, expires_at_us, max_uses, err);
    if (status == ST_OK)
        status = secret_new(ENROLL_PREFIX, sizeof secret, secret, err);
    if (status != ST_OK)
        return status;
    token_hash(secret, strlen(secret), hash);
    db_p_text(&params, name);
    db_p_bytes(&params, hash, sizeof hash);
    db_p_time(&params, expires_at_us);
    db_p_i64(&params, max_uses);
    status = db_exec(db, &statements[S_CREATE], &params, &result, err);
    if (status == ST_CONFLICT) {
        err_field(err, ST_CONFLICT, "name",
                  "could not create enroll secret: \"%.100s\" is there and not revoked", name);
        if (err != NULL)
            snprintf(err->hint, sizeof err->hint,
                     "take another name, roll it out, then revoke \"%.60s\"", name);
    }
    if (status == ST_OK) {
        if (ret_secret_id != NULL)
            *ret_secret_id = db_i64(result, 0, 0);
        memcpy(ret_secret, secret, sizeof secret);
    }
    sodium_memzero(secret, sizeof secret);
    return status;
}

static void read_secret(const struct db_result *result, size_t row,
                        struct store_enroll_secret *ret_secret)
{
    ret_secret->secret_id = db_i64(result, row, 0);
    snprintf(ret_secret->name, sizeof ret_secret->name, "%s", db_text(result, row, 1));
    ret_secret->created_at_us = db_time(result, row, 2);
    ret_secret->expires_at_us = db_time(result, row, 3);
    ret_secret->revoked_at_us = db_time(result, row, 4);
    ret_secret->last_used_at_us = db_time(result, row, 5);
    ret_secret->max_uses = db_i64(result, row, 6);
    ret_secret->uses = db_i64(result, row, 7);
}

enum status store_enroll_secret_list(struct db *db, struct store_enroll_secrets *ret_secrets,
                                     struct err *err)
{
    AUTO_DBRESULT struct db_result *result = NULL;
    enum status status = db_exec(db, &statements[S_LIST], NULL, &result, err);
    if (status != ST_OK)
        return status;
    size_t count = db_rows(result);
    struct store_enroll_secret *items = calloc(count + 1, sizeof *items);
    if (items == NULL)
        return err_set(err, ST_NOMEM, "could not list enroll secrets: out of memory");
    for (size_t i = 0; i < count; i++)
        read_secret(result, i, &items[i]);
    *ret_secrets = (struct store_enroll_secrets){items, count};
    return ST_OK;
}

static enum status revoke(struct db *db, const struct stmt *stmt, const struct db_params *params,
                          struct err *err)
{
    AUTO_DBRESULT struct db_result *result = NULL;
    enum status status = db_exec(db, stmt, params, &result, err);
    if (status == ST_OK && db_rows(result) == 0)
        return err_set(err, ST_NOT_FOUND,
                       "could not revoke enroll secret: no such secret that is not yet revoked");
    return status;
}

enum status store_enroll_secret_revoke(struct db *db, int64_t secret_id, struct err *err)
{
    struct db_params params = {.count = 0};
    db_p_i64(&params, secret_id);
    return revoke(db, &statements[S_REVOKE], &params, err);
}

enum status store_enroll_secret_revoke_name(struct db *db, const char *name, struct err *err)
{
    struct db_params params = {.count = 0};
    db_p_text(&params, name);
    return revoke(db, &statements[S_REVOKE_NAME], &params, err);
}

/* The index has found it by value; what is trusted is this comparison. */
static bool hash_is(const struct db_result *result, size_t column,
                    const unsigned char hash[TOKEN_HASH_BYTES])
{
    size_t length = 0;
    const void *stored = db_rows(result) == 1 ? db_bytes(result, 0, column, &length) : NULL;
    return stored != NULL && length == TOKEN_HASH_BYTES &&
           sodium_memcmp(stored, hash, TOKEN_HASH_BYTES) == 0;
}

enum status store_enroll_secret_verify(struct db *db, const unsigned char hash[TOKEN_HASH_BYTES],
                                       struct store_enroll_secret *ret_secret, struct err *err)
{
    struct db_params params = {.count = 0};
    AUTO_DBRESULT struct db_result *result = NULL;
    struct store_enroll_secret secret;
    db_p_bytes(&params, hash, TOKEN_HASH_BYTES);
    enum status status = db_exec(db, &statements[S_FIND], &params, &result, err);
    if (status != ST_OK)
        return status;
    if (!hash_is(result, 8, hash))
        return err_set(err, ST_UNAUTHORIZED, "the enroll secret is unknown");
    read_secret(result, 0, &secret);
    const char *state = store_enroll_secret_state(&secret, clock_wall_us());
    if (strcmp(state, "active") != 0)
        return err_set(err, ST_UNAUTHORIZED, "the enroll secret \"%.200s\" is %s", secret.name,
                       state);
    *ret_secret = secret;
    return ST_OK;
}

/* ---- enrolling -------------------------------------------------------------- */

struct enrolment {
    const struct enroll_request *request;
    struct enroll_result result;
    int64_t wait_us;
};

static enum status take_turn(struct db *db, const struct enroll_request *request, struct err *err)
{
    struct db_params params = {.count = 0};
    AUTO_DBRESULT struct db_result *result = NULL;
    db_p_text(&params, request->machine_id != NULL ? request->machine_id : request->address);
    return db_exec(db, &statements[S_TAKE_TURN], &params, &result, err);
}

static enum status check_cooldown(struct db *db, struct enrolment *enrolment, struct err *err)
{
    const struct enroll_request *request = enrolment->request;
    bool by_machine = request->machine_id != NULL;
    struct db_params params = {.count = 0};
    AUTO_DBRESULT struct db_result *result = NULL;
    if (request->cooldown_us <= 0)
        return ST_OK;
    db_p_i64(&params, request->cooldown_us);
    db_p_text(&params, by_machine ? request->machine_id : request->address);
    if (!by_machine)
        db_p_text(&params, request->host_name);
    enum status status = db_exec(db, &statements[by_machine ? S_WAIT_MACHINE : S_WAIT_ADDRESS],
                                 &params, &result, err);
    if (status != ST_OK || db_null(result, 0, 0))
        return status;
    enrolment->wait_us = db_i64(result, 0, 0);
    return err_set(err, ST_BUSY, "this machine enrolled just now");
}

static enum status use_secret(struct db *db, const struct enroll_request *request, struct err *err)
{
    struct db_params params = {.count = 0};
    AUTO_DBRESULT struct db_result *result = NULL;
    db_p_i64(&params, request->secret_id);
    enum status status = db_exec(db, &statements[S_USE], &params, &result, err);
    if (status == ST_OK && db_rows(result) == 0)
        return err_set(err, ST_UNAUTHORIZED, "the enroll secret is revoked, expired or used up");
    return status;
}

/* ST_NOT_FOUND: there is no such identity, or this machine cannot prove that it is its own. */
static enum status find_previous(struct db *db, const struct enroll_request *request,
                                 struct enroll_result *result, struct err *err)
{
    struct db_params params = {.count = 0};
    AUTO_DBRESULT struct db_result *found = NULL;
    unsigned char hash[TOKEN_HASH_BYTES];
    const char *token = request->previous_token;
    if (token == NULL || request->previous_host_id == NULL || !token_shape_ok(token, strlen(token)))
        return ST_NOT_FOUND;
    token_hash(token, strlen(token), hash);
    db_p_bytes(&params, hash, sizeof hash);
    db_p_text(&params, request->previous_host_id);
    db_p_text(&params, request->machine_id);
    db_p_time(&params, request->boot_at_us);
    enum status status = db_exec(db, &statements[S_PREVIOUS], &params, &found, err);
    if (status != ST_OK)
        return status;
    if (!hash_is(found, 1, hash))
        return ST_NOT_FOUND;
    result->host_key = db_i64(found, 0, 0);
    result->same_host = true;
    snprintf(result->host_id, sizeof result->host_id, "%s", request->previous_host_id);
    return ST_OK;
}

/* RFC 9562, version 4. */
static void make_uuid(char ret_text[LIMIT_HOST_ID_BYTES + 1])
{
    unsigned char b[16];
    char hex[33];
    randombytes_buf(b, sizeof b);
    b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);
    b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
    sodium_bin2hex(hex, sizeof hex, b, sizeof b);
    snprintf(ret_text, LIMIT_HOST_ID_BYTES + 1, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12,
             hex + 16, hex + 20);
}

static enum status add_host(struct db *db, const struct enroll_request *request,
                            struct enroll_result *result, struct err *err)
{
    struct db_params params = {.count = 0};
    AUTO_DBRESULT struct db_result *added = NULL;
    make_uuid(result->host_id);
    db_p_text(&params, result->host_id);
    db_p_text(&params, request->host_name);
    enum status status = db_exec(db, &statements[S_ADD_HOST], &params, &added, err);
    if (status == ST_OK)
        result->host_key = db_i64(added, 0, 0);
    return status;
}

static enum status revoke_tokens(struct db *db, int64_t host_key, struct err *err)
{
    struct db_params params = {.count = 0};
    db_p_i64(&params, host_key);
    return db_exec(db, &statements[S_REVOKE_TOKENS], &params, NULL, err);
}

static enum status identify(struct db *db, const struct enroll_request *request, int64_t host_key,
                            struct err *err)
{
    struct db_params params = {.count = 0};
    db_p_i64(&params, host_key);
    db_p_i64(&params, request->secret_id);
    db_p_text(&params, request->machine_id);
    db_p_text(&params, request->host_name);
    db_p_text(&params, request->address);
    db_p_time(&params, request->boot_at_us);
    db_p_text(&params, request->agent_version);
    db_p_json(&params, request->attributes);
    return db_exec(db, &statements[S_IDENTIFY], &params, NULL, err);
}

/* The host's name is the agent's to choose; one that people see in `token list` and revoke by is
 * not made of it. */
static enum status add_token(struct db *db, struct enroll_result *result, struct err *err)
{
    char name[sizeof "agent " + LIMIT_HOST_ID_BYTES];
    snprintf(name, sizeof name, "agent %s", result->host_id);
    return store_token_create(db, name, "host", result->host_id, TIME_UNKNOWN, result->token, NULL,
                              err);
}

static enum status transaction(struct db *db, void *arg, struct err *err)
{
    struct enrolment *enrolment = arg;
    const struct enroll_request *request = enrolment->request;
    struct enroll_result *result = &enrolment->result;
    *result = (struct enroll_result){.host_key = 0};
    enum status status = take_turn(db, request, err);
    if (status == ST_OK)
        status = check_cooldown(db, enrolment, err);
    if (status == ST_OK)
        status = use_secret(db, request, err);
    if (status != ST_OK)
        return status;
    status = find_previous(db, request, result, err);
    if (status == ST_OK)
        status = revoke_tokens(db, result->host_key, err);
    else if (status == ST_NOT_FOUND)
        status = add_host(db, request, result, err);
    if (status == ST_OK)
        status = identify(db, request, result->host_key, err);
    return status == ST_OK ? add_token(db, result, err) : status;
}

enum status store_enroll_host(struct db *db, const struct enroll_request *request,
                              struct enroll_result *ret_result, unsigned *ret_wait_seconds,
                              struct err *err)
{
    struct enrolment enrolment = {.request = request};
    enum status status = db_tx(db, "enroll", transaction, &enrolment, err);
    if (status == ST_OK)
        *ret_result = enrolment.result;
    if (status == ST_BUSY) {
        int64_t seconds = (enrolment.wait_us + US_PER_SECOND - 1) / US_PER_SECOND;
        *ret_wait_seconds = seconds < 1 ? 1 : (unsigned)seconds;
    }
    sodium_memzero(enrolment.result.token, sizeof enrolment.result.token);
    return status;
}

/* ---- clones ----------------------------------------------------------------- */

void store_clones_done(struct store_clones *clones)
{
    free(clones->items);
    *clones = (struct store_clones){NULL, 0};
}

enum status store_host_clone_mark(struct db *db, int64_t host_key, int64_t boot_at_us,
                                  int64_t other_boot_at_us, struct err *err)
{
    struct db_params params = {.count = 0};
    db_p_i64(&params, host_key);
    db_p_time(&params, boot_at_us);
    db_p_time(&params, other_boot_at_us);
    return db_exec(db, &statements[S_CLONE_MARK], &params, NULL, err);
}

enum status store_host_clones(struct db *db, const int64_t *host_keys, size_t count,
                              struct store_clones *ret_clones, struct err *err)
{
    struct db_params params = {.count = 0};
    AUTO_DBRESULT struct db_result *result = NULL;
    db_p_i64_array(&params, host_keys, count);
    enum status status = db_exec(db, &statements[S_CLONES], &params, &result, err);
    if (status != ST_OK)
        return status;
    size_t found = db_rows(result);
    struct store_clone *items = calloc(found + 1, sizeof *items);
    if (items == NULL)
        return err_set(err, ST_NOMEM, "could not read clones: out of memory");
    for (size_t i = 0; i < found; i++)
        items[i] = (struct store_clone){db_i64(result, i, 0), db_time(result, i, 1)};
    *ret_clones = (struct store_clones){items, found};
    return ST_OK;
}

static int by_boot(const void *a, const void *b)
{
    const struct store_clone *x = a;
    const struct store_clone *y = b;
    if (x->host_key != y->host_key)
        return x->host_key < y->host_key ? -1 : 1;
    return x->boot_at_us < y->boot_at_us ? -1 : x->boot_at_us > y->boot_at_us;
}

enum identity_state store_clones_state(const struct store_clones *clones, int64_t host_key,
                                       int64_t boot_at_us)
{
    const struct store_clone wanted = {host_key, boot_at_us};
    if (clones->count == 0 || boot_at_us == TIME_UNKNOWN ||
        bsearch(&wanted, clones->items, clones->count, sizeof wanted, by_boot) == NULL)
        return IDENTITY_OK;
    return IDENTITY_CLONED;
}

enum status store_host_clone_ask(struct db *db, const char *host_id, int64_t boot_at_us,
                                 enum identity_state *ret_state, struct err *err)
{
    struct db_params params = {.count = 0};
    AUTO_DBRESULT struct db_result *result = NULL;
    db_p_text(&params, host_id);
    db_p_time(&params, boot_at_us);
    enum status status = db_exec(db, &statements[S_CLONE_ASK], &params, &result, err);
    if (status == ST_OK)
        *ret_state = db_rows(result) > 0 ? IDENTITY_CLONED : IDENTITY_OK;
    return status;
}
