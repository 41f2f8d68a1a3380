/* SPDX-License-Identifier: Apache-2.0 */
/* Enroll secrets, what enrolling writes, who gets an old identity back, and marks of clones. */
#include "server/http/auth.h"
#include "server/state/fleet.h"
#include "server/store/store_hosts.h"
#include "server/store/store_rollups.h"
#include "tests/support/pg.h"

#include <check.h>

Suite *enroll_suite(void);

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

static int64_t make(const char *name, int64_t expires_at_us, int64_t max_uses,
                    char ret_secret[ENROLL_TEXT_MAX])
{
    struct err err = {0};
    int64_t id = 0;
    char unused[ENROLL_TEXT_MAX];
    enum status status = store_enroll_secret_create(
        db, name, expires_at_us, max_uses, ret_secret == NULL ? unused : ret_secret, &id, &err);
    ck_assert_msg(status == ST_OK, "%s", err.message);
    return id;
}

static enum status verify(const char *secret, struct err *err)
{
    unsigned char hash[TOKEN_HASH_BYTES];
    struct store_enroll_secret found;
    token_hash(secret, strlen(secret), hash);
    return store_enroll_secret_verify(db, hash, &found, err);
}

/* A machine that enrolls with the only secret of the test. */
static struct enroll_request machine(int64_t secret_id, const char *machine_id)
{
    return (struct enroll_request){
        .secret_id = secret_id,
        .host_name = "FS01",
        .machine_id = machine_id,
        .address = "192.0.2.7",
        .agent_version = "0.1.0",
        .attributes = "{\"os.arch\":\"x64\"}",
        .boot_at_us = 1700000000 * US_PER_SECOND,
    };
}

static void enroll(const struct enroll_request *request, struct enroll_result *ret_result)
{
    struct err err = {0};
    unsigned wait = 0;
    enum status status = store_enroll_host(db, request, ret_result, &wait, &err);
    ck_assert_msg(status == ST_OK, "%s", err.message);
}

static enum status token_works(const char *token, struct store_token *ret_token)
{
    unsigned char hash[TOKEN_HASH_BYTES];
    struct err err;
    token_hash(token, strlen(token), hash);
    return store_token_verify(db, hash, ret_token, &err);
}

static int64_t uses_of(int64_t id)
{
    AUTO_ENROLL_SECRETS struct store_enroll_secrets list = {NULL, 0};
    struct err err = {0};
    ck_assert_int_eq(store_enroll_secret_list(db, &list, &err), ST_OK);
    for (size_t i = 0; i < list.count; i++) {
        if (list.items[i].secret_id == id)
            return list.items[i].uses;
    }
    ck_abort_msg("no such secret");
    return -1;
}

/* ---- secrets ---------------------------------------------------------------- */

START_TEST(secret_created_is_verified_and_only_its_hash_is_stored)
{
    char secret[ENROLL_TEXT_MAX];
    struct err err = {0};
    AUTO_STRBUF struct strbuf sql = STRBUF_INIT;
    make("spring rollout", TIME_UNKNOWN, -1, secret);
    ck_assert(enroll_shape_ok(secret, strlen(secret)));
    ck_assert(!token_shape_ok(secret, strlen(secret)));
    ck_assert_int_eq(strncmp(secret, "pfe_", 4), 0);
    ck_assert_int_eq(verify(secret, &err), ST_OK);
    strbuf_printf(&sql,
                  "SELECT count(*) FROM enroll_secret WHERE enroll_secret::text LIKE '%%%.8s%%' OR "
                  "encode(sha256, 'escape') LIKE '%%%.8s%%'",
                  secret + 4, secret + 4);
    ck_assert_int_eq(pg_number(&pg, sql.data), 0);
    secret[20] = secret[20] == 'A' ? 'B' : 'A';
    ck_assert_int_eq(verify(secret, &err), ST_UNAUTHORIZED);
}
END_TEST

static const struct {
    const char *name;
    int64_t expires_in_us; /* 0: never */
    int64_t max_uses;
    const char *field;
} refusals[] = {
    {"", 0, -1, "name"},      {"a\nb", 0, -1, "name"},           {"\xff", 0, -1, "name"},
    {"42", 0, -1, "name"},    {"a", -US_PER_DAY, -1, "expires"}, {"a", 0, 0, "max_uses"},
    {"a", 0, -2, "max_uses"},
};

START_TEST(secret_bad_one_is_refused_and_nothing_is_written)
{
    char secret[ENROLL_TEXT_MAX] = "untouched";
    struct err err = {0};
    int64_t in = refusals[_i].expires_in_us;
    ck_assert_int_eq(store_enroll_secret_create(db, refusals[_i].name,
                                                in == 0 ? TIME_UNKNOWN : clock_wall_us() + in,
                                                refusals[_i].max_uses, secret, NULL, &err),
                     ST_INVALID);
    ck_assert_str_eq(err.field, refusals[_i].field);
    ck_assert_str_eq(secret, "untouched");
    ck_assert_int_eq(pg_number(&pg, "SELECT count(*) FROM enroll_secret"), 0);
}
END_TEST

START_TEST(secret_name_is_free_again_once_revoked)
{
    char secret[ENROLL_TEXT_MAX];
    struct err err = {0};
    int64_t first = make("rollout", TIME_UNKNOWN, -1, NULL);
    ck_assert_int_eq(
        store_enroll_secret_create(db, "rollout", TIME_UNKNOWN, -1, secret, NULL, &err),
        ST_CONFLICT);
    ck_assert_str_eq(err.field, "name");
    ck_assert_int_eq(store_enroll_secret_revoke_name(db, "rollout", &err), ST_OK);
    ck_assert_int_eq(store_enroll_secret_revoke_name(db, "rollout", &err), ST_NOT_FOUND);
    int64_t second = make("rollout", TIME_UNKNOWN, -1, NULL);
    ck_assert_int_ne(first, second);
    ck_assert_int_eq(store_enroll_secret_revoke(db, second, &err), ST_OK);
    ck_assert_int_eq(store_enroll_secret_revoke(db, second, &err), ST_NOT_FOUND);
    ck_assert_int_eq(pg_number(&pg, "SELECT count(*) FROM enroll_secret"), 2);
}
END_TEST

START_TEST(secret_states_are_told_apart_for_the_log)
{
    char expired[ENROLL_TEXT_MAX];
    char revoked[ENROLL_TEXT_MAX];
    char used[ENROLL_TEXT_MAX];
    struct enroll_result result;
    struct err err = {0};
    make("old", clock_wall_us() + US_PER_HOUR, -1, expired);
    int64_t id = make("gone", TIME_UNKNOWN, -1, revoked);
    int64_t once = make("once", TIME_UNKNOWN, 1, used);
    pg_sql(&pg, "UPDATE enroll_secret SET expires_at = now() - interval '1 s' WHERE name = 'old'");
    ck_assert_int_eq(store_enroll_secret_revoke(db, id, &err), ST_OK);
    struct enroll_request request = machine(once, "m1");
    enroll(&request, &result);
    ck_assert_int_eq(verify(expired, &err), ST_UNAUTHORIZED);
    ck_assert_ptr_nonnull(strstr(err.message, "\"old\" is expired"));
    ck_assert_int_eq(verify(revoked, &err), ST_UNAUTHORIZED);
    ck_assert_ptr_nonnull(strstr(err.message, "\"gone\" is revoked"));
    ck_assert_int_eq(verify(used, &err), ST_UNAUTHORIZED);
    ck_assert_ptr_nonnull(strstr(err.message, "\"once\" is used up"));
    used[20] = used[20] == 'A' ? 'B' : 'A';
    ck_assert_int_eq(verify(used, &err), ST_UNAUTHORIZED);
    ck_assert_ptr_nonnull(strstr(err.message, "unknown"));
}
END_TEST

START_TEST(secret_rotation_old_and_new_work_side_by_side)
{
    struct enroll_result first;
    struct enroll_result second;
    struct store_token token;
    struct err err = {0};
    unsigned wait;
    int64_t old = make("2026-10", TIME_UNKNOWN, -1, NULL);
    int64_t new = make("2026-11", TIME_UNKNOWN, -1, NULL);
    struct enroll_request one = machine(old, "m1");
    struct enroll_request two = machine(new, "m2");
    enroll(&one, &first);
    enroll(&two, &second);
    ck_assert_int_eq(store_enroll_secret_revoke(db, old, &err), ST_OK);
    struct enroll_request three = machine(old, "m3");
    struct enroll_result third;
    ck_assert_int_eq(store_enroll_host(db, &three, &third, &wait, &err), ST_UNAUTHORIZED);
    three.secret_id = new;
    enroll(&three, &third);
    ck_assert_int_eq(token_works(first.token, &token), ST_OK); /* no enrolled host notices */
    ck_assert_int_eq(uses_of(old), 1);
    ck_assert_int_eq(uses_of(new), 2);
}
END_TEST

/* ---- enrolling -------------------------------------------------------------- */

START_TEST(enroll_gives_a_uuid_and_a_token_of_that_host_only)
{
    struct enroll_result result;
    struct store_token token;
    int64_t secret = make("a", TIME_UNKNOWN, -1, NULL);
    struct enroll_request request = machine(secret, "m1");
    enroll(&request, &result);
    ck_assert_uint_eq(strlen(result.host_id), 36);
    ck_assert_int_eq(result.host_id[14], '4');
    ck_assert_ptr_nonnull(strchr("89ab", result.host_id[19]));
    ck_assert(!result.same_host);
    ck_assert_int_eq(token_works(result.token, &token), ST_OK);
    ck_assert_str_eq(token.role, "host");
    ck_assert_str_eq(token.host_id, result.host_id);
    ck_assert_int_eq(pg_number(&pg,
                               "SELECT count(*) FROM host JOIN host_identity i USING (host_id) "
                               "WHERE i.machine_id = 'm1' AND i.enrolments = 1 AND "
                               "host.name = 'FS01' AND i.address = '192.0.2.7' AND "
                               "i.attributes->>'os.arch' = 'x64'"),
                     1);
    ck_assert_int_eq(uses_of(secret), 1);
}
END_TEST

START_TEST(enroll_host_without_snapshot_is_no_host_of_the_fleet_yet)
{
    struct enroll_result result;
    struct err err = {0};
    AUTO_STORE_HOST_REFS struct store_host_refs refs = {0};
    struct host_state *state = NULL;
    int64_t newest = 0;
    struct enroll_request request = machine(make("a", TIME_UNKNOWN, -1, NULL), "m1");
    enroll(&request, &result);
    struct fleet *fleet = fleet_new();
    ck_assert_int_eq(fleet_load(db, fleet, &err), ST_OK);
    ck_assert_uint_eq(fleet_count(fleet), 0);
    fleet_free(fleet);
    ck_assert_int_eq(store_hosts_keys(db, clock_wall_us() + US_PER_HOUR, &refs, &err), ST_OK);
    ck_assert_uint_eq(refs.count, 0);
    ck_assert_int_eq(store_host_state(db, result.host_key, &state, &err), ST_NOT_FOUND);
    /* The analysis goes by the newest snapshot; an enrolment must not move its time. */
    ck_assert_int_eq(store_newest_taken_at(db, &newest, &err), ST_OK);
    ck_assert_int_eq(newest, TIME_UNKNOWN);
}
END_TEST

START_TEST(enroll_used_up_secret_is_refused_and_counts_nothing)
{
    struct enroll_result result;
    struct err err = {0};
    unsigned wait = 0;
    int64_t secret = make("two", TIME_UNKNOWN, 2, NULL);
    struct enroll_request a = machine(secret, "m1");
    struct enroll_request b = machine(secret, "m2");
    struct enroll_request c = machine(secret, "m3");
    enroll(&a, &result);
    enroll(&b, &result);
    ck_assert_int_eq(store_enroll_host(db, &c, &result, &wait, &err), ST_UNAUTHORIZED);
    ck_assert_int_eq(uses_of(secret), 2);
    ck_assert_int_eq(pg_number(&pg, "SELECT count(*) FROM host"), 2);
}
END_TEST

START_TEST(cooldown_same_machine_waits_and_no_use_is_counted)
{
    struct enroll_result result;
    struct err err = {0};
    unsigned wait = 0;
    int64_t secret = make("a", TIME_UNKNOWN, -1, NULL);
    struct enroll_request request = machine(secret, "m1");
    request.cooldown_us = 60 * US_PER_SECOND;
    enroll(&request, &result);
    request.secret_id = make("b", TIME_UNKNOWN, -1, NULL); /* another secret does not help */
    request.address = "192.0.2.8";
    ck_assert_int_eq(store_enroll_host(db, &request, &result, &wait, &err), ST_BUSY);
    ck_assert_uint_ge(wait, 30);
    ck_assert_uint_le(wait, 60);
    ck_assert_int_eq(uses_of(secret), 1);
    ck_assert_int_eq(uses_of(request.secret_id), 0);
    struct enroll_request other = machine(secret, "m2");
    other.cooldown_us = request.cooldown_us;
    enroll(&other, &result); /* same name and address, but another machine */
    pg_sql(&pg, "UPDATE host_identity SET enrolled_at = enrolled_at - interval '61 s'");
    enroll(&request, &result);
    ck_assert_int_eq(pg_number(&pg, "SELECT count(*) FROM host"), 3);
}
END_TEST

START_TEST(cooldown_without_machine_id_goes_by_name_and_address)
{
    struct enroll_result result;
    struct err err = {0};
    unsigned wait = 0;
    struct enroll_request request = machine(make("a", TIME_UNKNOWN, -1, NULL), NULL);
    request.cooldown_us = 60 * US_PER_SECOND;
    enroll(&request, &result);
    ck_assert_int_eq(store_enroll_host(db, &request, &result, &wait, &err), ST_BUSY);
    request.host_name = "FS02";
    enroll(&request, &result);
    request.address = "192.0.2.8";
    enroll(&request, &result);
    request.host_name = NULL;
    enroll(&request, &result);
    ck_assert_int_eq(store_enroll_host(db, &request, &result, &wait, &err), ST_BUSY);
    request.machine_id = "m1";
    enroll(&request, &result);
}
END_TEST

/* ---- an identity it had before ---------------------------------------------- */

static struct enroll_request again(const struct enroll_request *request,
                                   const struct enroll_result *before)
{
    struct enroll_request out = *request;
    out.previous_host_id = before->host_id;
    out.previous_token = before->token;
    return out;
}

START_TEST(previous_token_proves_the_identity_and_is_replaced)
{
    struct enroll_result first;
    struct enroll_result second;
    struct store_token token;
    struct enroll_request request = machine(make("a", TIME_UNKNOWN, -1, NULL), "m1");
    enroll(&request, &first);
    ck_assert_int_eq(token_works(first.token, &token), ST_OK);
    struct enroll_request more = again(&request, &first);
    enroll(&more, &second);
    ck_assert(second.same_host);
    ck_assert_str_eq(second.host_id, first.host_id);
    ck_assert_int_eq(second.host_key, first.host_key);
    ck_assert_int_eq(token_works(first.token, &token), ST_UNAUTHORIZED);
    ck_assert_int_eq(token_works(second.token, &token), ST_OK);
    ck_assert_int_eq(pg_number(&pg, "SELECT enrolments::bigint FROM host_identity"), 2);
    ck_assert_int_eq(pg_number(&pg, "SELECT count(*) FROM host"), 1);
}
END_TEST

START_TEST(previous_expired_token_still_proves_it)
{
    struct enroll_result first;
    struct enroll_result second;
    struct enroll_request request = machine(make("a", TIME_UNKNOWN, -1, NULL), "m1");
    enroll(&request, &first);
    pg_sql(&pg, "UPDATE token SET expires_at = now() - interval '1 day'");
    struct enroll_request more = again(&request, &first);
    enroll(&more, &second);
    ck_assert_str_eq(second.host_id, first.host_id);
}
END_TEST

START_TEST(previous_lost_answer_does_not_lose_the_identity)
{
    struct enroll_result first;
    struct enroll_result lost;
    struct enroll_result third;
    struct enroll_result fourth;
    struct store_token token;
    struct enroll_request request = machine(make("a", TIME_UNKNOWN, -1, NULL), "m1");
    enroll(&request, &first);
    struct enroll_request more = again(&request, &first);
    enroll(&more, &lost);
    for (int i = 0; i < 2; i++) { /* it still has only the first token */
        enroll(&more, &third);
        ck_assert_str_eq(third.host_id, first.host_id);
    }
    ck_assert_int_eq(token_works(lost.token, &token), ST_UNAUTHORIZED);
    ck_assert_int_eq(token_works(third.token, &token),
                     ST_OK); /* used: now the old one is nothing */
    enroll(&more, &fourth);
    ck_assert_str_ne(fourth.host_id, first.host_id);
    ck_assert_int_eq(token_works(third.token, &token), ST_OK);
}
END_TEST

START_TEST(previous_token_proves_nothing_once_its_follower_was_used_or_revoked)
{
    struct enroll_result first;
    struct enroll_result second;
    struct enroll_result third;
    struct store_token token;
    struct enroll_request request = machine(make("a", TIME_UNKNOWN, -1, NULL), "m1");
    enroll(&request, &first);
    struct enroll_request more = again(&request, &first);
    enroll(&more, &second);
    if (_i == 0)
        ck_assert_int_eq(token_works(second.token, &token), ST_OK);
    else
        pg_sql(&pg, "UPDATE token SET revoked_at = now() WHERE revoked_at IS NULL");
    enroll(&more, &third);
    ck_assert_str_ne(third.host_id, first.host_id);
}
END_TEST

enum doubt {
    OTHER_TOKEN,
    OTHER_HOST,
    REVOKED,
    OTHER_MACHINE,
    MARKED,
    MARKED_BOOT_UNKNOWN,
    NO_TOKEN
};

/* Whoever cannot prove it gets an identity of its own, and the old one is left alone. */
START_TEST(previous_without_proof_is_a_new_host)
{
    struct enroll_result first;
    struct enroll_result stranger;
    struct enroll_result second;
    struct store_token token;
    struct err err = {0};
    int64_t secret = make("a", TIME_UNKNOWN, -1, NULL);
    struct enroll_request request = machine(secret, "m1");
    struct enroll_request other = machine(secret, "m2");
    enroll(&request, &first);
    enroll(&other, &stranger);
    struct enroll_request more = again(&request, &first);
    if (_i == OTHER_TOKEN)
        more.previous_token = stranger.token;
    if (_i == OTHER_HOST)
        more.previous_host_id = stranger.host_id;
    if (_i == REVOKED)
        pg_sql(&pg, "UPDATE token SET revoked_at = now() WHERE token_id = (SELECT min(token_id) "
                    "FROM token)");
    if (_i == OTHER_MACHINE)
        more.machine_id = "m3";
    if (_i == MARKED || _i == MARKED_BOOT_UNKNOWN)
        ck_assert_int_eq(
            store_host_clone_mark(db, first.host_key, request.boot_at_us, TIME_UNKNOWN, &err),
            ST_OK);
    if (_i == MARKED_BOOT_UNKNOWN)
        more.boot_at_us = TIME_UNKNOWN;
    if (_i == NO_TOKEN)
        more.previous_token = NULL;
    enroll(&more, &second);
    ck_assert(!second.same_host);
    ck_assert_str_ne(second.host_id, first.host_id);
    ck_assert_str_ne(second.host_id, stranger.host_id);
    ck_assert_int_eq(token_works(first.token, &token), _i == REVOKED ? ST_UNAUTHORIZED : ST_OK);
    ck_assert_int_eq(token_works(stranger.token, &token), ST_OK);
}
END_TEST

START_TEST(previous_unmarked_boot_keeps_the_identity_of_a_cloned_host)
{
    struct enroll_result first;
    struct enroll_result second;
    struct err err = {0};
    struct enroll_request request = machine(make("a", TIME_UNKNOWN, -1, NULL), "m1");
    enroll(&request, &first);
    ck_assert_int_eq(store_host_clone_mark(db, first.host_key, request.boot_at_us + US_PER_HOUR,
                                           request.boot_at_us, &err),
                     ST_OK);
    struct enroll_request more = again(&request, &first);
    enroll(&more, &second);
    ck_assert_str_eq(second.host_id, first.host_id);
}
END_TEST

/* ---- clones ----------------------------------------------------------------- */

START_TEST(clones_marked_boots_are_known_and_others_are_not)
{
    struct enroll_result a;
    struct enroll_result b;
    struct err err = {0};
    enum identity_state state = IDENTITY_CLONED;
    AUTO_STORE_CLONES struct store_clones clones = {NULL, 0};
    int64_t secret = make("a", TIME_UNKNOWN, -1, NULL);
    struct enroll_request one = machine(secret, "m1");
    struct enroll_request two = machine(secret, "m2");
    enroll(&one, &a);
    enroll(&two, &b);
    int64_t boot = one.boot_at_us;
    ck_assert_int_eq(store_host_clone_ask(db, a.host_id, boot, &state, &err), ST_OK);
    ck_assert_int_eq(state, IDENTITY_OK);
    for (int i = 0; i < 2; i++) /* again changes nothing */
        ck_assert_int_eq(store_host_clone_mark(db, a.host_key, boot, boot - i - 1, &err), ST_OK);
    ck_assert_int_eq(store_host_clone_mark(db, a.host_key, boot + 5, TIME_UNKNOWN, &err), ST_OK);
    ck_assert_int_eq(pg_number(&pg, "SELECT count(*) FROM host_clone"), 2);
    ck_assert_int_eq(store_host_clone_ask(db, a.host_id, boot, &state, &err), ST_OK);
    ck_assert_int_eq(state, IDENTITY_CLONED);
    ck_assert_int_eq(store_host_clone_mark(db, b.host_key, boot + 9, TIME_UNKNOWN, &err), ST_OK);
    ck_assert_int_eq(store_host_clone_ask(db, b.host_id, boot, &state, &err), ST_OK);
    ck_assert_int_eq(state, IDENTITY_OK);
    ck_assert_int_eq(store_host_clone_ask(db, "nobody", boot, &state, &err), ST_OK);
    ck_assert_int_eq(state, IDENTITY_OK);
    const int64_t keys[] = {b.host_key, a.host_key};
    ck_assert_int_eq(store_host_clones(db, keys, 2, &clones, &err), ST_OK);
    ck_assert_uint_eq(clones.count, 3);
    ck_assert_int_eq(store_clones_state(&clones, b.host_key, boot + 9), IDENTITY_CLONED);
    ck_assert_int_eq(store_clones_state(&clones, a.host_key, boot), IDENTITY_CLONED);
    ck_assert_int_eq(store_clones_state(&clones, a.host_key, boot + 5), IDENTITY_CLONED);
    ck_assert_int_eq(store_clones_state(&clones, a.host_key, boot + 1), IDENTITY_OK);
    ck_assert_int_eq(store_clones_state(&clones, b.host_key, boot), IDENTITY_OK);
    ck_assert_int_eq(store_clones_state(&clones, a.host_key, TIME_UNKNOWN), IDENTITY_OK);
}
END_TEST

/* ---- credentials ------------------------------------------------------------ */

START_TEST(auth_enroll_secret_has_a_role_of_its_own)
{
    char secret[ENROLL_TEXT_MAX];
    struct credential credential;
    struct limiter_key key = {{4, 192, 0, 2, 9}};
    struct identity identity;
    struct err err = {0};
    unsigned wait = 0;
    struct auth *auth = auth_new(pg.pool);
    int64_t id = make("rollout", TIME_UNKNOWN, -1, secret);
    ck_assert(!credential_make(secret, strlen(secret), true, key, &credential));
    ck_assert(credential_make(secret, strlen(secret), false, key, &credential));
    ck_assert_int_eq(credential.kind, CREDENTIAL_ENROLL);
    ck_assert_int_eq(auth_verify(auth, &credential, &identity, &err), ST_OK);
    ck_assert_int_eq(identity.role, ROLE_ENROLL);
    ck_assert_int_eq(identity.token_id, id);
    ck_assert_str_eq(identity.name, "rollout");
    ck_assert_str_eq(identity.host_id, "");
    ck_assert_int_eq(auth_look(auth, &credential, &identity, &wait), ST_OK);
    ck_assert_int_eq(store_enroll_secret_revoke(db, id, &err), ST_OK);
    auth_forget(auth, credential.hash);
    for (unsigned i = 0; i < LIMITER_BURST; i++)
        ck_assert_int_eq(auth_verify(auth, &credential, &identity, &err), ST_UNAUTHORIZED);
    ck_assert_int_eq(auth_look(auth, &credential, &identity, &wait), ST_BUSY);
    ck_assert_uint_gt(wait, 0);
    auth_free(auth);
}
END_TEST

Suite *enroll_suite(void)
{
    Suite *suite = suite_create("enroll");
    TCase *tc = tcase_create("enroll");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 30);
    tcase_add_test(tc, secret_created_is_verified_and_only_its_hash_is_stored);
    tcase_add_loop_test(tc, secret_bad_one_is_refused_and_nothing_is_written, 0,
                        sizeof refusals / sizeof refusals[0]);
    tcase_add_test(tc, secret_name_is_free_again_once_revoked);
    tcase_add_test(tc, secret_states_are_told_apart_for_the_log);
    tcase_add_test(tc, secret_rotation_old_and_new_work_side_by_side);
    tcase_add_test(tc, enroll_gives_a_uuid_and_a_token_of_that_host_only);
    tcase_add_test(tc, enroll_host_without_snapshot_is_no_host_of_the_fleet_yet);
    tcase_add_test(tc, enroll_used_up_secret_is_refused_and_counts_nothing);
    tcase_add_test(tc, cooldown_same_machine_waits_and_no_use_is_counted);
    tcase_add_test(tc, cooldown_without_machine_id_goes_by_name_and_address);
    tcase_add_test(tc, previous_token_proves_the_identity_and_is_replaced);
    tcase_add_test(tc, previous_expired_token_still_proves_it);
    tcase_add_test(tc, previous_lost_answer_does_not_lose_the_identity);
    tcase_add_loop_test(tc, previous_token_proves_nothing_once_its_follower_was_used_or_revoked, 0,
                        2);
    tcase_add_loop_test(tc, previous_without_proof_is_a_new_host, OTHER_TOKEN, NO_TOKEN + 1);
    tcase_add_test(tc, previous_unmarked_boot_keeps_the_identity_of_a_cloned_host);
    tcase_add_test(tc, clones_marked_boots_are_known_and_others_are_not);
    tcase_add_test(tc, auth_enroll_secret_has_a_role_of_its_own);
    suite_add_tcase(suite, tc);
    return suite;
}
