/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/registry.h"
#include "tests/support/pg.h"

#include <check.h>
#include <string.h>

Suite *statements_suite(void);

START_TEST(statements_all_prepare_and_give_what_they_declare)
{
    struct pg pg;
    struct db *db = NULL;
    size_t count = 0;
    pg_setup(&pg);
    for (size_t t = 0; store_registry[t] != NULL; t++) {
        /* A connection a table: a failed PREPARE leaves nothing behind. */
        ck_assert_int_eq(db_lease(pg.pool, US_PER_SECOND, &db, NULL), ST_OK);
        for (size_t i = 0; i < store_registry[t]->count; i++, count++) {
            struct err err = {0};
            enum status status = db_describe(db, &store_registry[t]->rows[i], &err);
            ck_assert_msg(status == ST_OK, "%s: %s", store_registry[t]->rows[i].name, err.message);
        }
        db_release(db);
    }
    ck_assert_uint_gt(count, 30);
    pg_teardown(&pg);
}
END_TEST

START_TEST(statements_names_are_unique)
{
    for (size_t t = 0; store_registry[t] != NULL; t++) {
        for (size_t i = 0; i < store_registry[t]->count; i++) {
            const char *name = store_registry[t]->rows[i].name;
            size_t found = 0;
            for (size_t u = 0; store_registry[u] != NULL; u++) {
                for (size_t k = 0; k < store_registry[u]->count; k++)
                    found += strcmp(store_registry[u]->rows[k].name, name) == 0;
            }
            ck_assert_msg(found == 1, "%s stands %zu times", name, found);
        }
    }
}
END_TEST

Suite *statements_suite(void)
{
    Suite *suite = suite_create("statements");
    TCase *tc = tcase_create("statements");
    tcase_set_timeout(tc, 30);
    tcase_add_test(tc, statements_all_prepare_and_give_what_they_declare);
    tcase_add_test(tc, statements_names_are_unique);
    suite_add_tcase(suite, tc);
    return suite;
}
