/* SPDX-License-Identifier: Apache-2.0 */
#include "common/limits.h"
#include "server/embedded.h"
#include "server/tagdict/pattern.h"
#include "server/tagdict/tagdict.h"

#include <check.h>

Suite *tagdict_suite(void);

#define COUNT(array) (sizeof(array) / sizeof *(array))

static uint32_t tag_of(const char *text)
{
    uint32_t tag = 0;
    ck_assert_msg(tag_parse(text, strlen(text), &tag), "%s", text);
    return tag;
}

static const struct tagdict_entry *find(const struct tagdict *dict, const char *tag)
{
    return tagdict_find(dict, tag_of(tag));
}

/* Adds one entry of which only pattern, driver and source matter. */
static void add(struct tagdict *dict, const char *pattern, const char *driver, const char *source)
{
    struct err err;
    struct tagdict_entry entry = {.pattern = pattern, .driver = driver, .source = source};
    ck_assert_msg(tagdict_add(dict, &entry, &err) == ST_OK, "%s", err.message);
}

static void import(struct tagdict *dict, const char *text)
{
    struct tagdict_import result;
    ck_assert_int_eq(tagdict_import(dict, text, strlen(text), NULL, NULL, &result, NULL), ST_OK);
}

/* ---- patterns --------------------------------------------------------------- */

static const struct {
    const char *text;
    const char *formatted; /* NULL: refused */
    unsigned any;
} patterns[] = {
    {"NtFC", "NtFC", 0},
    {"CM??", "CM??", 12},
    {"Npf*", "Npf?", 8},
    {"Bu* ", "Bu??", 12},
    {"Bu*", "Bu??", 12},
    {"*", NULL, 0},
    {"????", NULL, 0},
    {"?*", NULL, 0},
    {"", NULL, 0},
    {"A*B ", NULL, 0},
    {"ABCDE", NULL, 0},
    {"AB", "AB  ", 0},
    {" MPP", " MPP", 0},
    {"?MEM", "?MEM", 1},
    {"Gh?5", "Gh?5", 4},
    {"\\x01abc", "\\x01abc", 0},
    {"abc\\x3f", "abc\\x3f", 0},
    {"Cs@\\", "Cs@\\x5c", 0},
    {"abc\\xc4", "abcD", 0},
    {"ab\tc", NULL, 0},
    {"ab\xc3\xa9", NULL, 0},
    {"a?*", "a???", 14},
    {"\\xZZa", NULL, 0},
};

START_TEST(pattern_text_gives_tag_and_mask)
{
    const char *text = patterns[_i].text;
    uint32_t tag = 77;
    unsigned char any = 77;
    char formatted[TAG_TEXT_MAX];
    bool read = pattern_parse(text, strlen(text), &tag, &any);
    ck_assert_msg(read == (patterns[_i].formatted != NULL), "\"%s\"", text);
    if (!read) {
        ck_assert_uint_eq(tag, 77); /* outputs only on success */
        ck_assert_uint_eq(any, 77);
        return;
    }
    ck_assert_uint_eq(any, patterns[_i].any);
    pattern_format(tag, any, formatted);
    ck_assert_str_eq(formatted, patterns[_i].formatted);
    ck_assert_uint_eq(tag & ~pattern_mask(any), 0);
}
END_TEST

/* ---- lookup ----------------------------------------------------------------- */

START_TEST(find_in_empty_gives_nothing)
{
    AUTO_TAGDICT struct tagdict *dict = tagdict_new();
    ck_assert_ptr_null(find(dict, "NtFC"));
    ck_assert_uint_eq(tagdict_count(dict), 0);
    ck_assert_ptr_null(tagdict_at(dict, 0));
}
END_TEST

START_TEST(find_prefers_most_literal_bytes)
{
    AUTO_TAGDICT struct tagdict *dict = tagdict_new();
    static const char *const all[] = {"N*", "?tFC", "Nt*", "NtF?", "N?FC", "NtFC", "???C"};
    static const struct {
        const char *tag;
        const char *pattern;
    } wanted[] = {{"NtFC", "NtFC"}, {"NtFD", "NtF?"}, {"Ntfs", "Nt??"}, {"Nope", "N???"},
                  {"NxFC", "N?FC"}, {"xtFC", "?tFC"}, {"abcC", "???C"}};
    for (size_t i = 0; i < COUNT(all); i++)
        add(dict, all[i], "x.sys", "builtin");
    for (size_t i = 0; i < COUNT(wanted); i++)
        ck_assert_str_eq(find(dict, wanted[i].tag)->pattern, wanted[i].pattern);
    ck_assert_ptr_null(find(dict, "ntfc"));
}
END_TEST

START_TEST(find_never_folds_case)
{
    AUTO_TAGDICT struct tagdict *dict = tagdict_new();
    add(dict, "Ntfc", "one.sys", "builtin");
    add(dict, "NtfC", "two.sys", "builtin");
    add(dict, "NtFC", "three.sys", "builtin");
    ck_assert_str_eq(find(dict, "Ntfc")->driver, "one.sys");
    ck_assert_str_eq(find(dict, "NtfC")->driver, "two.sys");
    ck_assert_str_eq(find(dict, "NtFC")->driver, "three.sys");
    ck_assert_ptr_null(find(dict, "ntfc"));
}
END_TEST

START_TEST(find_imported_wins_at_equal_rank_only)
{
    AUTO_TAGDICT struct tagdict *dict = tagdict_new();
    add(dict, "Abcd", "builtin.sys", "builtin");
    add(dict, "Abc?", "pattern.sys", "imported");
    ck_assert_str_eq(find(dict, "Abcd")->driver, "builtin.sys");
    add(dict, "Abcd", "imported.sys", "imported");
    ck_assert_str_eq(find(dict, "Abcd")->driver, "imported.sys");
    /* Two patterns of three literals each: the imported one, whichever mask is tried first. */
    add(dict, "Xyz?", "builtin.sys", "builtin");
    add(dict, "?yzw", "imported.sys", "imported");
    ck_assert_str_eq(find(dict, "Xyzw")->driver, "imported.sys");
    add(dict, "?qrs", "builtin.sys", "builtin");
    add(dict, "Pqr?", "imported.sys", "imported");
    ck_assert_str_eq(find(dict, "Pqrs")->driver, "imported.sys");
    ck_assert_uint_eq(tagdict_count(dict), 7);
}
END_TEST

START_TEST(find_ignores_protected_bit)
{
    AUTO_TAGDICT struct tagdict *dict = tagdict_new();
    add(dict, "Leak", "myfault.sys", "builtin");
    ck_assert_ptr_nonnull(tagdict_find(dict, tag_of("Leak") | TAG_PROTECTED));
}
END_TEST

START_TEST(find_survives_growth)
{
    AUTO_TAGDICT struct tagdict *dict = tagdict_new();
    const struct tagdict_entry *first = NULL;
    for (uint32_t i = 0; i < 5000; i++) {
        struct tagdict_entry entry = {.tag = 0x41414141u + i * 7919u,
                                      .driver = "a.sys",
                                      .source = i % 2 == 0 ? "builtin" : "imported"};
        ck_assert_int_eq(tagdict_add(dict, &entry, NULL), ST_OK);
        if (i == 0)
            first = tagdict_at(dict, 0);
    }
    ck_assert_uint_eq(tagdict_count(dict), 5000);
    ck_assert_ptr_eq(tagdict_at(dict, 0), first); /* borrowed entries stay where they are */
    for (uint32_t i = 0; i < 5000; i++) {
        uint32_t tag = (0x41414141u + i * 7919u) & ~TAG_PROTECTED;
        const struct tagdict_entry *entry = tagdict_find(dict, tag);
        ck_assert_ptr_nonnull(entry);
        ck_assert_uint_eq(entry->tag, tag);
    }
}
END_TEST

/* ---- adding ----------------------------------------------------------------- */

START_TEST(add_same_pattern_keeps_both_owners)
{
    AUTO_TAGDICT struct tagdict *dict = tagdict_new();
    add(dict, "Abcd", "a.sys", "imported");
    add(dict, "Abcd", "b.sys", "imported");
    add(dict, "Abcd", "a.sys", "imported");
    ck_assert_uint_eq(tagdict_count(dict), 1);
    ck_assert_str_eq(find(dict, "Abcd")->driver, "a.sys or b.sys");
    add(dict, "Abcd", "long-a.sys", "imported"); /* ends like an item, but is another */
    ck_assert_str_eq(find(dict, "Abcd")->driver, "a.sys or b.sys or long-a.sys");
    add(dict, "Abcd", "b.sy", "imported"); /* begins like one */
    ck_assert_str_eq(find(dict, "Abcd")->driver, "a.sys or b.sys or long-a.sys or b.sy");
}
END_TEST

START_TEST(add_many_owners_stays_bounded)
{
    AUTO_TAGDICT struct tagdict *dict = tagdict_new();
    for (unsigned i = 0; i < 500; i++) {
        char driver[32];
        snprintf(driver, sizeof driver, "driver%u.sys", i);
        add(dict, "Abcd", driver, "imported");
    }
    ck_assert_uint_le(strlen(find(dict, "Abcd")->driver), LIMIT_TEXT_BYTES);
}
END_TEST

START_TEST(add_tag_and_mask_without_pattern)
{
    AUTO_TAGDICT struct tagdict *dict = tagdict_new();
    struct err err;
    struct tagdict_entry entry = {.tag = tag_of("AbcX"), .any = 8, .driver = "a.sys"};
    ck_assert_int_eq(tagdict_add(dict, &entry, &err), ST_OK);
    ck_assert_str_eq(find(dict, "Abcd")->pattern, "Abc?");
    ck_assert_str_eq(find(dict, "Abcd")->source, "imported");
}
END_TEST

static const struct {
    struct tagdict_entry entry;
    const char *field;
} bad_entries[] = {
    {{.pattern = "toolong"}, "pattern"},
    {{.pattern = "****"}, "pattern"},
    {{.any = 15}, "pattern"},
    {{.pattern = "Abcd", .source = "rumour"}, "source"},
    {{.pattern = "Abcd", .look_at = "everywhere"}, "look_at"},
    {{.pattern = "Abcd", .pool = "swimming"}, "pool"},
};

START_TEST(add_bad_entry_is_refused_with_field)
{
    AUTO_TAGDICT struct tagdict *dict = tagdict_new();
    struct err err;
    ck_assert_int_eq(tagdict_add(dict, &bad_entries[_i].entry, &err), ST_INVALID);
    ck_assert_str_eq(err.field, bad_entries[_i].field);
    ck_assert_uint_eq(tagdict_count(dict), 0);
    ck_assert_int_eq(tagdict_add(dict, &bad_entries[_i].entry, NULL), ST_INVALID);
}
END_TEST

START_TEST(add_cleans_texts)
{
    AUTO_TAGDICT struct tagdict *dict = tagdict_new();
    char longer[600];
    struct err err;
    memset(longer, 'x', sizeof longer);
    /* A character of two bytes that would straddle the limit. */
    memcpy(longer + LIMIT_TEXT_BYTES - 1, "\xc3\xa9", 2);
    longer[sizeof longer - 1] = '\0';
    struct tagdict_entry entry = {
        .pattern = "Abcd", .driver = "  a\xff\n\tb.sys \x7f ", .description = longer};
    ck_assert_int_eq(tagdict_add(dict, &entry, &err), ST_OK);
    ck_assert_str_eq(find(dict, "Abcd")->driver, "a\xef\xbf\xbd  b.sys");
    ck_assert_uint_eq(strlen(find(dict, "Abcd")->description), LIMIT_TEXT_BYTES - 1);
    struct tagdict_entry blank = {.pattern = "Blnk", .driver = " \t ", .description = ""};
    ck_assert_int_eq(tagdict_add(dict, &blank, &err), ST_OK);
    ck_assert_ptr_null(find(dict, "Blnk")->driver);
    ck_assert_ptr_null(find(dict, "Blnk")->description);
}
END_TEST

/* ---- the built-in list ------------------------------------------------------ */

START_TEST(builtin_list_is_complete_and_sound)
{
    AUTO_TAGDICT struct tagdict *dict = tagdict_new();
    struct err err;
    ck_assert_msg(tagdict_add_builtin(dict, &err) == ST_OK, "%s", err.message);
    ck_assert_uint_ge(tagdict_count(dict), 350);
    for (size_t i = 0; i < tagdict_count(dict); i++) {
        const struct tagdict_entry *entry = tagdict_at(dict, i);
        ck_assert_msg(entry->description != NULL && entry->look_at != NULL, "%s", entry->pattern);
        ck_assert_str_eq(entry->source, "builtin");
        ck_assert_msg(tagdict_find(dict, entry->tag) != NULL || entry->any != 0, "%s",
                      entry->pattern);
    }
    /* One entry for each line but the header: no pattern stands twice. */
    size_t lines = 0;
    const struct embedded_file *file = embedded_find(embedded_schema, "pooltags.tsv");
    for (const char *at = (const char *)file->data; *at != '\0'; at = strchr(at, '\n') + 1)
        lines += *at != '#' && *at != '\n';
    ck_assert_uint_eq(tagdict_count(dict), lines - 1);
}
END_TEST

static const struct {
    const char *tag;
    const char *pattern;
    const char *driver;
    const char *look_at;
} known[] = {
    {"NtFC", "NtFC", "ntfs.sys", "driver"},   {"NtfC", "NtfC", "ntfs.sys", "both"},
    {"NtFZ", "NtF?", "ntfs.sys", "driver"},   {"CM42", "CM??", "nt!cm", "both"},
    {"Obtb", "Obtb", "nt!ob", "process"},     {"Io  ", "Io  ", "nt!io", "driver"},
    {" MPP", " MPP", "ds4dsm.sys", "driver"}, {"Leak", "Leak", "myfault.sys", "driver"},
    {"WCsc", "WCsc", "wcifs.sys", "driver"},  {"smNp", "smNp", "nt!store or rdyboost.sys", "cache"},
    {"Ovfl", "Ovfl", "nt!ex", "limits"},      {"Ddk ", "Ddk ", NULL, "limits"},
};

START_TEST(builtin_names_known_tags)
{
    AUTO_TAGDICT struct tagdict *dict = tagdict_new();
    ck_assert_int_eq(tagdict_add_builtin(dict, NULL), ST_OK);
    const struct tagdict_entry *entry = find(dict, known[_i].tag);
    ck_assert_msg(entry != NULL, "%s", known[_i].tag);
    ck_assert_str_eq(entry->pattern, known[_i].pattern);
    ck_assert_pstr_eq(entry->driver, known[_i].driver);
    ck_assert_str_eq(entry->look_at, known[_i].look_at);
}
END_TEST

START_TEST(builtin_fills_gaps_of_imported_in_either_order)
{
    static const char list[] = "Thre - <unknown> - our threads\nCM42 - a.sys -\nNewT - b.sys - b\n";
    for (unsigned order = 0; order < 2; order++) {
        AUTO_TAGDICT struct tagdict *dict = tagdict_new();
        if (order == 0)
            ck_assert_int_eq(tagdict_add_builtin(dict, NULL), ST_OK);
        import(dict, list);
        if (order == 1)
            ck_assert_int_eq(tagdict_add_builtin(dict, NULL), ST_OK);
        const struct tagdict_entry *thread = find(dict, "Thre");
        ck_assert_str_eq(thread->source, "imported");
        ck_assert_str_eq(thread->driver, "nt!ps");
        ck_assert_str_eq(thread->description, "our threads");
        ck_assert_str_eq(thread->look_at, "both");
        /* Only the kind is taken from a pattern; the owner is the imported list's. */
        ck_assert_str_eq(find(dict, "CM42")->driver, "a.sys");
        ck_assert_str_eq(find(dict, "CM42")->pool, "paged");
        ck_assert_ptr_null(find(dict, "CM42")->description);
        ck_assert_ptr_null(find(dict, "NewT")->look_at);
    }
}
END_TEST

Suite *tagdict_suite(void)
{
    Suite *suite = suite_create("tagdict");
    TCase *look = tcase_create("lookup");
    TCase *adding = tcase_create("add");
    TCase *builtin = tcase_create("builtin");
    tcase_add_loop_test(look, pattern_text_gives_tag_and_mask, 0, (int)COUNT(patterns));
    tcase_add_test(look, find_in_empty_gives_nothing);
    tcase_add_test(look, find_prefers_most_literal_bytes);
    tcase_add_test(look, find_never_folds_case);
    tcase_add_test(look, find_imported_wins_at_equal_rank_only);
    tcase_add_test(look, find_ignores_protected_bit);
    tcase_add_test(look, find_survives_growth);
    tcase_add_test(adding, add_same_pattern_keeps_both_owners);
    tcase_add_test(adding, add_many_owners_stays_bounded);
    tcase_add_test(adding, add_tag_and_mask_without_pattern);
    tcase_add_loop_test(adding, add_bad_entry_is_refused_with_field, 0, (int)COUNT(bad_entries));
    tcase_add_test(adding, add_cleans_texts);
    tcase_add_test(builtin, builtin_list_is_complete_and_sound);
    tcase_add_loop_test(builtin, builtin_names_known_tags, 0, (int)COUNT(known));
    tcase_add_test(builtin, builtin_fills_gaps_of_imported_in_either_order);
    suite_add_tcase(suite, look);
    suite_add_tcase(suite, adding);
    suite_add_tcase(suite, builtin);
    return suite;
}
