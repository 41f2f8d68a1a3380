/* SPDX-License-Identifier: Apache-2.0 */
/* Imported known leaks: kept, replaced, removed, and seen by a server that holds a copy. */
#include "server/state/known_view.h"
#include "tests/support/pg.h"

#include "common/strbuf.h"

#include <check.h>
#include <string.h>

Suite *store_known_suite(void);

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
    db_release(db);
    db = NULL;
    pg_teardown(&pg);
}

static void add(struct known_list *list, const char *id, const char *title)
{
    AUTO_STRBUF struct strbuf text = STRBUF_INIT;
    struct err err = {0};
    strbuf_printf(&text,
                  "{\"id\":\"%s\",\"title\":\"%s\",\"driver\":null,\"tags\":[\"Leak\"],"
                  "\"advice\":\"Do.\",\"source\":\"s\",\"confidence\":\"reported\"}",
                  id, title);
    enum status status = known_add_entry(list, text.data, text.length, NULL, true, &err);
    ck_assert_msg(status == ST_OK, "%s: %s", err.field, err.message);
}

static const struct audit_entry by_admin = {
    .actor = {"token", "admin", NULL}, .action = "known_leak.put", .object = "many"};

static void put(const char *id, const char *title, const char *actor)
{
    AUTO_KNOWN struct known_list list = {0};
    struct err err = {0};
    add(&list, id, title);
    enum status status = store_known_put(db, &list,
                                         &(struct audit_entry){.actor = {"token", actor, NULL},
                                                               .action = "known_leak.put",
                                                               .object = id},
                                         &err);
    ck_assert_msg(status == ST_OK, "%s", err.message);
}

static size_t builtin_count(void)
{
    AUTO_KNOWN struct known_list list = {0};
    struct err err = {0};
    ck_assert_int_eq(known_add_builtin(&list, &err), ST_OK);
    return list.count;
}

static void load(struct known_list *list)
{
    struct err err = {0};
    enum status status = store_known_load(db, list, &err);
    ck_assert_msg(status == ST_OK, "%s", err.message);
}

START_TEST(known_put_is_loaded_beside_the_builtin_and_replaces_by_id)
{
    AUTO_KNOWN struct known_list first = {0};
    AUTO_KNOWN struct known_list second = {0};
    put("ours-1", "first", "admin");
    put("npcap-1.76", "replaced", "admin");
    load(&first);
    ck_assert_uint_eq(first.count, builtin_count() + 1);
    ck_assert_str_eq(known_find(&first, "ours-1")->title, "first");
    ck_assert_str_eq(known_find(&first, "npcap-1.76")->title, "replaced");
    put("ours-1", "second", "other");
    load(&second);
    ck_assert_uint_eq(second.count, first.count);
    ck_assert_str_eq(known_find(&second, "ours-1")->title, "second");
    ck_assert_int_eq(pg_number(&pg, "SELECT count(*) FROM known_leak WHERE changed_by = 'other' "
                                    "AND changed_at IS NOT NULL"),
                     1);
}
END_TEST

START_TEST(known_remove_brings_the_builtin_back_and_unknown_is_not_found)
{
    AUTO_KNOWN struct known_list list = {0};
    struct err err = {0};
    put("npcap-1.76", "replaced", "admin");
    ck_assert_int_eq(store_known_remove(db, "npcap-1.76", &by_admin, &err), ST_OK);
    load(&list);
    ck_assert(!known_find(&list, "npcap-1.76")->imported);
    ck_assert_int_eq(store_known_remove(db, "npcap-1.76", &by_admin, &err), ST_NOT_FOUND);
}
END_TEST

START_TEST(known_too_many_are_refused_and_none_is_kept)
{
    AUTO_KNOWN struct known_list list = {0};
    struct err err = {0};
    for (unsigned i = 0; i <= STORE_KNOWN_MAX; i++) {
        char id[16];
        snprintf(id, sizeof id, "a%u", i);
        add(&list, id, "t");
    }
    ck_assert_int_eq(store_known_put(db, &list, &by_admin, &err), ST_TOO_LARGE);
    ck_assert_int_eq(pg_number(&pg, "SELECT count(*) FROM known_leak"), 0);
    list.count--;
    ck_assert_int_eq(store_known_put(db, &list, &by_admin, &err), ST_OK);
    AUTO_KNOWN struct known_list all = {0};
    load(&all); /* the bound leaves room for the built-in ones */
    ck_assert_uint_eq(all.count, STORE_KNOWN_MAX + builtin_count());
}
END_TEST

START_TEST(known_row_spoilt_by_hand_is_left_out)
{
    AUTO_KNOWN struct known_list list = {0};
    put("ours-1", "kept", "admin");
    put("ours-2", "spoilt", "admin");
    pg_number(&pg, "WITH u AS (UPDATE known_leak SET doc = '{\"id\":7}' "
                   "WHERE known_id = 'ours-2' RETURNING 1) SELECT count(*) FROM u");
    load(&list);
    ck_assert_ptr_nonnull(known_find(&list, "ours-1"));
    ck_assert_ptr_null(known_find(&list, "ours-2"));
}
END_TEST

static struct known_view *view_of(struct known_cache *cache)
{
    struct known_view *view = NULL;
    struct err err = {0};
    enum status status = known_view_get(cache, db, &view, &err);
    ck_assert_msg(status == ST_OK, "%s", err.message);
    return view;
}

START_TEST(known_view_is_shared_until_the_table_changes)
{
    struct known_cache *cache = known_cache_new();
    struct known_view *a = view_of(cache);
    struct known_view *b = view_of(cache);
    struct err err = {0};
    ck_assert_ptr_eq(a, b);
    put("ours-1", "first", "admin");
    struct known_view *c = view_of(cache);
    ck_assert_ptr_ne(a, c);
    ck_assert_ptr_nonnull(known_find(known_view_list(c), "ours-1"));
    ck_assert_ptr_null(known_find(known_view_list(a), "ours-1")); /* who holds it reads on */
    put("ours-1", "second", "admin");
    struct known_view *d = view_of(cache);
    ck_assert_str_eq(known_find(known_view_list(d), "ours-1")->title, "second");
    ck_assert_int_ne(known_view_revision(c), known_view_revision(d));
    ck_assert_int_eq(store_known_remove(db, "ours-1", &by_admin, &err), ST_OK);
    struct known_view *e = view_of(cache);
    ck_assert_ptr_null(known_find(known_view_list(e), "ours-1"));
    known_cache_free(cache); /* views outlive it */
    struct known_view *all[] = {a, b, c, d, e};
    for (size_t i = 0; i < 5; i++)
        known_view_release(all[i]);
}
END_TEST

Suite *store_known_suite(void)
{
    Suite *suite = suite_create("store_known");
    TCase *tc = tcase_create("store_known");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, known_put_is_loaded_beside_the_builtin_and_replaces_by_id);
    tcase_add_test(tc, known_remove_brings_the_builtin_back_and_unknown_is_not_found);
    tcase_add_test(tc, known_too_many_are_refused_and_none_is_kept);
    tcase_add_test(tc, known_row_spoilt_by_hand_is_left_out);
    tcase_add_test(tc, known_view_is_shared_until_the_table_changes);
    suite_add_tcase(suite, tc);
    return suite;
}
