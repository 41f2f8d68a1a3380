/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens, sessions, and what http/auth.c remembers of them. */
#include "server/http/auth.h"
#include "tests/support/pg.h"

#include <check.h>

Suite *store_tokens_suite(void);

static struct pg pg;
static struct db *db;

static void setup(void)
{
    struct err err = {0};
    pg_setup(&pg);
    ck_assert_int_eq(db_lease(pg.pool, US_PER_SECOND, &db, &err), ST_OK);
}

static void teardown(void)
{
    clock_fake_set(TIME_UNKNOWN);
    db_release(db);
    db = NULL;
    pg_teardown(&pg);
}

static void make(const char *role, int64_t expires_at_us, char ret_secret[TOKEN_TEXT_MAX],
                 int64_t *ret_id)
{
    struct err err = {0};
    enum status status =
        store_token_create(db, role, role, NULL, expires_at_us, ret_secret, ret_id, &err);
    ck_assert_msg(status == ST_OK, "%s", err.message);
}

static enum status verify(const char *secret, struct store_token *ret_token)
{
    unsigned char hash[TOKEN_HASH_BYTES];
    struct err err;
    token_hash(secret, strlen(secret), hash);
    return store_token_verify(db, hash, ret_token, &err);
}

START_TEST(tokens_created_one_is_verified_and_noted)
{
    char secret[TOKEN_TEXT_MAX];
    struct store_token token;
    int64_t id;
    make("viewer", TIME_UNKNOWN, secret, &id);
    ck_assert(token_shape_ok(secret, strlen(secret)));
    ck_assert_int_eq(verify(secret, &token), ST_OK);
    ck_assert_int_eq(token.token_id, id);
    ck_assert_str_eq(token.name, "viewer");
    ck_assert_str_eq(token.role, "viewer");
    ck_assert_str_eq(token.host_id, "");
    ck_assert_int_eq(token.expires_at_us, TIME_UNKNOWN);
    ck_assert_int_eq(pg_number(&pg, "SELECT count(*) FROM token WHERE last_used_at IS NOT NULL"),
                     1);
    secret[20] = secret[20] == 'A' ? 'B' : 'A';
    ck_assert_int_eq(verify(secret, &token), ST_UNAUTHORIZED);
}
END_TEST

START_TEST(tokens_only_the_hash_is_stored)
{
    char secret[TOKEN_TEXT_MAX];
    AUTO_STRBUF struct strbuf sql = STRBUF_INIT;
    make("admin", TIME_UNKNOWN, secret, NULL);
    strbuf_printf(&sql,
                  "SELECT count(*) FROM token WHERE token::text LIKE '%%%.8s%%' "
                  "OR encode(sha256, 'escape') LIKE '%%%.8s%%'",
                  secret + 4, secret + 4);
    ck_assert_int_eq(pg_number(&pg, sql.data), 0);
}
END_TEST

static const struct {
    const char *name;
    const char *role;
    const char *host;
    enum status status;
    const char *field;
} refusals[] = {
    {"", "viewer", NULL, ST_INVALID, "name"},     {"a\nb", "viewer", NULL, ST_INVALID, "name"},
    {"\xff", "viewer", NULL, ST_INVALID, "name"}, {"a", "root", NULL, ST_INVALID, "role"},
    {"a", "none", NULL, ST_INVALID, "role"},      {"a", "host", NULL, ST_INVALID, "role"},
    {"a", "viewer", "h", ST_INVALID, "role"},     {"a", "host", "nobody", ST_NOT_FOUND, ""},
};

START_TEST(tokens_bad_one_is_refused)
{
    char secret[TOKEN_TEXT_MAX] = "untouched";
    struct err err = {0};
    ck_assert_int_eq(store_token_create(db, refusals[_i].name, refusals[_i].role, refusals[_i].host,
                                        TIME_UNKNOWN, secret, NULL, &err),
                     refusals[_i].status);
    ck_assert_str_eq(err.field, refusals[_i].field);
    ck_assert_str_eq(secret, "untouched");
    ck_assert_int_eq(pg_number(&pg, "SELECT count(*) FROM token"), 0);
}
END_TEST

START_TEST(tokens_host_role_knows_its_host)
{
    char secret[TOKEN_TEXT_MAX];
    struct store_token token;
    struct err err = {0};
    pg_sql(&pg, "INSERT INTO host (id, first_seen_at, last_seen_at, received_at) "
                "VALUES ('agent-1', now(), now(), now())");
    ck_assert_int_eq(
        store_token_create(db, "a", "host", "agent-1", TIME_UNKNOWN, secret, NULL, &err), ST_OK);
    ck_assert_int_eq(verify(secret, &token), ST_OK);
    ck_assert_str_eq(token.host_id, "agent-1");
}
END_TEST

START_TEST(tokens_expired_or_revoked_one_is_refused)
{
    char past[TOKEN_TEXT_MAX];
    char future[TOKEN_TEXT_MAX];
    struct store_token token;
    struct err err;
    int64_t id;
    make("viewer", clock_wall_us() - US_PER_SECOND, past, NULL);
    make("viewer", clock_wall_us() + US_PER_HOUR, future, &id);
    ck_assert_int_eq(verify(past, &token), ST_UNAUTHORIZED);
    ck_assert_int_eq(verify(future, &token), ST_OK);
    ck_assert_int_eq(store_token_revoke(db, id, &err), ST_OK);
    ck_assert_int_eq(verify(future, &token), ST_UNAUTHORIZED);
    ck_assert_int_eq(store_token_revoke(db, id, &err), ST_NOT_FOUND);
    ck_assert_int_eq(store_token_revoke_name(db, "nobody", &err), ST_NOT_FOUND);
    ck_assert_int_eq(store_token_revoke_name(db, "viewer", &err), ST_OK);
    AUTO_TOKEN_LIST struct store_token_list list = {NULL, 0};
    ck_assert_int_eq(store_token_list(db, &list, &err), ST_OK);
    ck_assert_uint_eq(list.count, 2);
    ck_assert_int_ne(list.items[1].revoked_at_us, TIME_UNKNOWN);
}
END_TEST

static enum status verify_session(const char *secret, struct store_token *ret_token)
{
    unsigned char hash[TOKEN_HASH_BYTES];
    struct err err;
    token_hash(secret, strlen(secret), hash);
    return store_session_verify(db, hash, ret_token, &err);
}

START_TEST(sessions_end_by_time_logout_and_with_their_token)
{
    char secret[TOKEN_TEXT_MAX];
    char session[SESSION_TEXT_MAX];
    char over[SESSION_TEXT_MAX];
    unsigned char hash[TOKEN_HASH_BYTES];
    struct store_token token;
    struct err err = {0};
    int64_t id;
    int64_t ends = clock_wall_us() + US_PER_HOUR;
    make("operator", ends + US_PER_HOUR, secret, &id);
    ck_assert_int_eq(store_session_create(db, id, clock_wall_us() - 1, over, &err), ST_OK);
    ck_assert_int_eq(verify_session(over, &token), ST_UNAUTHORIZED);
    ck_assert_int_eq(store_session_create(db, id, ends, session, &err), ST_OK);
    ck_assert_int_eq(pg_number(&pg, "SELECT count(*) FROM session"), 1); /* the ended one is gone */
    ck_assert_int_eq(verify_session(session, &token), ST_OK);
    ck_assert_str_eq(token.role, "operator");
    ck_assert_int_eq(token.expires_at_us, ends);
    token_hash(session, strlen(session), hash);
    ck_assert_int_eq(store_session_delete(db, hash, &err), ST_OK);
    ck_assert_int_eq(verify_session(session, &token), ST_UNAUTHORIZED);
    ck_assert_int_eq(store_session_create(db, id, ends, session, &err), ST_OK);
    ck_assert_int_eq(store_token_revoke(db, id, &err), ST_OK);
    ck_assert_int_eq(verify_session(session, &token), ST_UNAUTHORIZED);
}
END_TEST

static struct credential credential_of(const char *secret, unsigned char network)
{
    struct credential credential;
    struct limiter_key key = {{4, 192, 0, 2, network}};
    ck_assert(credential_make(secret, strlen(secret), false, key, &credential));
    return credential;
}

START_TEST(auth_remembers_for_seconds_only)
{
    char secret[TOKEN_TEXT_MAX];
    struct identity identity;
    struct err err;
    unsigned wait;
    int64_t id;
    int64_t now = clock_wall_us();
    struct auth *auth = auth_new(pg.pool);
    make("viewer", TIME_UNKNOWN, secret, &id);
    clock_fake_set(now);
    struct credential credential = credential_of(secret, 1);
    ck_assert_int_eq(auth_look(auth, &credential, &identity, &wait), ST_NOT_FOUND);
    ck_assert_int_eq(auth_verify(auth, &credential, &identity, &err), ST_OK);
    ck_assert_int_eq(identity.role, ROLE_VIEWER);
    ck_assert_int_eq(store_token_revoke(db, id, &err), ST_OK);
    clock_fake_set(now + AUTH_FRESH_US - 1);
    ck_assert_int_eq(auth_look(auth, &credential, &identity, &wait), ST_OK);
    clock_fake_set(now + AUTH_FRESH_US);
    ck_assert_int_eq(auth_look(auth, &credential, &identity, &wait), ST_NOT_FOUND);
    ck_assert_int_eq(auth_verify(auth, &credential, &identity, &err), ST_UNAUTHORIZED);
    auth_free(auth);
}
END_TEST

START_TEST(auth_expiry_is_not_stretched_by_memory)
{
    char secret[TOKEN_TEXT_MAX];
    struct identity identity;
    struct err err;
    unsigned wait;
    int64_t now = clock_wall_us();
    struct auth *auth = auth_new(pg.pool);
    make("viewer", now + 2 * US_PER_SECOND, secret, NULL);
    struct credential credential = credential_of(secret, 1);
    ck_assert_int_eq(auth_verify(auth, &credential, &identity, &err), ST_OK);
    clock_fake_set(now + 3 * US_PER_SECOND);
    ck_assert_int_ne(auth_look(auth, &credential, &identity, &wait), ST_OK);
    auth_free(auth);
}
END_TEST

START_TEST(auth_failing_address_waits_but_known_tokens_pass)
{
    char secret[TOKEN_TEXT_MAX];
    char wrong[TOKEN_TEXT_MAX];
    struct identity identity;
    struct err err;
    unsigned wait = 0;
    int64_t now = clock_wall_us();
    struct auth *auth = auth_new(pg.pool);
    make("viewer", TIME_UNKNOWN, secret, NULL);
    memcpy(wrong, secret, sizeof wrong);
    wrong[20] = wrong[20] == 'A' ? 'B' : 'A';
    clock_fake_set(now);
    struct credential good = credential_of(secret, 1);
    struct credential bad = credential_of(wrong, 1);
    struct credential elsewhere = credential_of(wrong, 2);
    ck_assert_int_eq(auth_verify(auth, &good, &identity, &err), ST_OK);
    for (unsigned i = 0; i < LIMITER_BURST; i++) {
        ck_assert_int_eq(auth_look(auth, &bad, &identity, &wait), ST_NOT_FOUND);
        ck_assert_int_eq(auth_verify(auth, &bad, &identity, &err), ST_UNAUTHORIZED);
    }
    ck_assert_int_eq(auth_look(auth, &bad, &identity, &wait), ST_BUSY);
    ck_assert_uint_gt(wait, 0);
    ck_assert_int_eq(auth_look(auth, &elsewhere, &identity, &wait), ST_NOT_FOUND);
    ck_assert_int_eq(auth_look(auth, &good, &identity, &wait), ST_OK);
    clock_fake_set(now + AUTH_FRESH_US);
    ck_assert_int_eq(auth_look(auth, &good, &identity, &wait), ST_NOT_FOUND);
    auth_free(auth);
}
END_TEST

START_TEST(auth_tables_stay_bounded)
{
    char secret[TOKEN_TEXT_MAX];
    struct identity identity;
    struct err err;
    unsigned wait;
    struct auth *auth = auth_new(pg.pool);
    make("ingest", TIME_UNKNOWN, secret, NULL);
    struct credential credential = credential_of(secret, 1);
    ck_assert_int_eq(auth_verify(auth, &credential, &identity, &err), ST_OK);
    for (unsigned i = 0; i < 20000; i++)
        (void)auth_fail(auth, (struct limiter_key){{4, (unsigned char)(i >> 8), (unsigned char)i}});
    ck_assert_int_eq(auth_look(auth, &credential, &identity, &wait), ST_OK);
    auth_forget(auth, credential.hash);
    ck_assert_int_eq(auth_look(auth, &credential, &identity, &wait), ST_NOT_FOUND);
    auth_free(auth);
}
END_TEST

Suite *store_tokens_suite(void)
{
    Suite *suite = suite_create("store_tokens");
    TCase *tc = tcase_create("tokens");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 30);
    tcase_add_test(tc, tokens_created_one_is_verified_and_noted);
    tcase_add_test(tc, tokens_only_the_hash_is_stored);
    tcase_add_loop_test(tc, tokens_bad_one_is_refused, 0, sizeof refusals / sizeof refusals[0]);
    tcase_add_test(tc, tokens_host_role_knows_its_host);
    tcase_add_test(tc, tokens_expired_or_revoked_one_is_refused);
    tcase_add_test(tc, sessions_end_by_time_logout_and_with_their_token);
    tcase_add_test(tc, auth_remembers_for_seconds_only);
    tcase_add_test(tc, auth_expiry_is_not_stretched_by_memory);
    tcase_add_test(tc, auth_failing_address_waits_but_known_tokens_pass);
    tcase_add_test(tc, auth_tables_stay_bounded);
    suite_add_tcase(suite, tc);
    return suite;
}
