/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api/text_dict.h"

#include <check.h>
#include <stdio.h>

Suite *text_dict_suite(void);

START_TEST(add_repeatedTexts_numbersByFirstAppearance)
{
    AUTO_TEXT_DICT struct text_dict dict = {0};
    ck_assert_int_eq(text_dict_add(&dict, "web"), 0);
    ck_assert_int_eq(text_dict_add(&dict, ""), 1);
    ck_assert_int_eq(text_dict_add(&dict, "web"), 0);
    ck_assert_int_eq(text_dict_add(&dict, "Web"), 2);
    ck_assert_uint_eq(dict.count, 3);
    ck_assert_str_eq(dict.texts[2], "Web");
}
END_TEST

START_TEST(add_tenThousandTexts_keepsEveryNumberOverGrowth)
{
    static char texts[10000][16];
    AUTO_TEXT_DICT struct text_dict dict = {0};
    for (int i = 0; i < 10000; i++) {
        snprintf(texts[i], sizeof texts[i], "t%d", i);
        ck_assert_int_eq(text_dict_add(&dict, texts[i]), i);
    }
    for (int i = 0; i < 10000; i++)
        ck_assert_int_eq(text_dict_add(&dict, texts[i]), i);
    ck_assert_uint_eq(dict.count, 10000);
}
END_TEST

Suite *text_dict_suite(void)
{
    Suite *suite = suite_create("text_dict");
    TCase *all = tcase_create("text_dict");
    tcase_add_test(all, add_repeatedTexts_numbersByFirstAppearance);
    tcase_add_test(all, add_tenThousandTexts_keepsEveryNumberOverGrowth);
    suite_add_tcase(suite, all);
    return suite;
}
