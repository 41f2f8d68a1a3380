/* SPDX-License-Identifier: Apache-2.0 */
/* The reader of pooltag.txt and localtag.txt: row by row, by whole lists, and cut at every byte. */
#include "common/limits.h"
#include "common/tag.h"
#include "server/tagdict/tagdict.h"

#include <check.h>

Suite *taglist_suite(void);

#define COUNT(array) (sizeof(array) / sizeof *(array))

static const struct tagdict_entry *find(const struct tagdict *dict, const char *text)
{
    uint32_t tag = 0;
    ck_assert_msg(tag_parse(text, strlen(text), &tag), "%s", text);
    return tagdict_find(dict, tag);
}

/* What a complaint function saw. */
struct complaints {
    size_t count;
    size_t line[16];
    char text[16][64];
};

static void complain(void *arg, size_t line, const char *text, size_t length, const char *reason)
{
    struct complaints *seen = arg;
    ck_assert_ptr_nonnull(reason);
    ck_assert_uint_lt(seen->count, COUNT(seen->line));
    seen->line[seen->count] = line;
    snprintf(seen->text[seen->count], sizeof seen->text[0], "%.*s", (int)length, text);
    seen->count++;
}

static struct tagdict_import import_n(struct tagdict *dict, const char *text, size_t length,
                                      struct complaints *seen)
{
    struct err err;
    struct tagdict_import result;
    enum status status =
        tagdict_import(dict, text, length, seen == NULL ? NULL : complain, seen, &result, &err);
    ck_assert_msg(status == ST_OK, "%s", err.message);
    ck_assert_uint_eq(result.lines, result.comments + result.entries + result.refused);
    return result;
}

static struct tagdict_import import(struct tagdict *dict, const char *text)
{
    return import_n(dict, text, strlen(text), NULL);
}

static const struct {
    const char *line;
    const char *tag; /* NULL: refused */
    const char *driver;
    const char *description;
} rows[] = {
    {"Abcd - a.sys - alpha", "Abcd", "a.sys", "alpha"},
    {"Abcd - a.sys        -      alpha beta  ", "Abcd", "a.sys", "alpha beta"},
    {"Abcd - a.sys - alpha - beta", "Abcd", "a.sys", "alpha - beta"},
    {"Abcd - a-b.sys - x-y", "Abcd", "a-b.sys", "x-y"},
    {"Abcd - <unknown> - alpha", "Abcd", NULL, "alpha"},
    {"Abcd - <disp.sys> - alpha", "Abcd", "disp.sys", "alpha"},
    {"Abcd - nt!mm - alpha", "Abcd", "nt!mm", "alpha"},
    {"Abcd - a.sys/b.sys - alpha", "Abcd", "a.sys/b.sys", "alpha"},
    {"Abcd - a.sys -", "Abcd", "a.sys", NULL},
    {"Abcd - a.sys - ", "Abcd", "a.sys", NULL},
    {"Abcd - alpha beta", "Abcd", NULL, "alpha beta"},
    {"Abcd - a.sys", "Abcd", "a.sys", NULL},
    {"Abcd - a.sys, b.sys", "Abcd", "a.sys or b.sys", NULL},
    {"Ab  - a.sys - alpha", "Ab  ", "a.sys", "alpha"},
    {"AbC -  a.sys    - alpha", "AbC ", "a.sys", "alpha"},
    {"Ab - a.sys - alpha", "Ab  ", "a.sys", "alpha"},
    {"A - a.sys - alpha", "A   ", "a.sys", "alpha"},
    {"Abcd  - a.sys - alpha", "Abcd", "a.sys", "alpha"},
    {"Abcd\t-\ta.sys\t-\talpha", "Abcd", "a.sys", "alpha"},
    {" MPP - m.sys - alpha", " MPP", "m.sys", "alpha"},
    {"Dh 1 - d.sys - alpha", "Dh 1", "d.sys", "alpha"},
    {"Io   - nt!io - alpha", "Io  ", "nt!io", "alpha"},
    {"LS$S - s.sys - alpha", "LS$S", "s.sys", "alpha"},
    {"A-bc - a.sys - alpha", "A-bc", "a.sys", "alpha"},
    {"Cs@\\ - c.sys - alpha", "Cs@\\x5c", "c.sys", "alpha"},
    {"\\x01abc - u.sys - alpha", "\\x01abc", "u.sys", "alpha"},
    {" rem - r.sys - alpha", " rem", "r.sys", "alpha"},
    {"remX - r.sys - alpha", "remX", "r.sys", "alpha"},
    {"Abcd - a.sys - caf\xe9", "Abcd", "a.sys", "caf\xef\xbf\xbd"},
    {"Abcd", NULL, NULL, NULL},
    {"Abcd -", NULL, NULL, NULL},
    {"Abcd - ", NULL, NULL, NULL},
    {"Abcd - <unknown> - ", NULL, NULL, NULL},
    {"Abcde - a.sys - alpha", NULL, NULL, NULL},
    {"       <unknown>", NULL, NULL, NULL},
    {"Some prose about the tags from A to Z", NULL, NULL, NULL},
    {"A*cd - a.sys - alpha", NULL, NULL, NULL},
    {"*    - a.sys - alpha", NULL, NULL, NULL},
    {"- a.sys - alpha", NULL, NULL, NULL},
    {"Abcd-a.sys-alpha", NULL, NULL, NULL},
    {"\xff\xfd\x01\x02 - a.sys - alpha", NULL, NULL, NULL},
};

START_TEST(import_row_is_cut_as_meant)
{
    AUTO_TAGDICT struct tagdict *dict = tagdict_new();
    struct complaints seen = {0};
    char text[256];
    /* The second row keeps the list from being taken for a localtag.txt. */
    int n = snprintf(text, sizeof text, "%s\r\nZZZZ - z.sys - last", rows[_i].line);
    struct tagdict_import result = import_n(dict, text, (size_t)n, &seen);
    ck_assert_uint_eq(result.lines, 2);
    ck_assert_uint_eq(result.comments, 0);
    ck_assert_msg(result.refused == (rows[_i].tag == NULL), "\"%s\"", rows[_i].line);
    ck_assert_uint_eq(seen.count, result.refused);
    if (rows[_i].tag == NULL) {
        ck_assert_uint_eq(seen.line[0], 1);
        ck_assert_str_eq(seen.text[0], rows[_i].line);
        return;
    }
    const struct tagdict_entry *entry = find(dict, rows[_i].tag);
    ck_assert_msg(entry != NULL, "\"%s\"", rows[_i].line);
    ck_assert_pstr_eq(entry->driver, rows[_i].driver);
    ck_assert_pstr_eq(entry->description, rows[_i].description);
    ck_assert_str_eq(entry->source, "imported");
}
END_TEST

START_TEST(import_counts_comments_of_all_kinds)
{
    AUTO_TAGDICT struct tagdict *dict = tagdict_new();
    struct tagdict_import result =
        import(dict, "// a\n  // b\nrem c\nREM\nRem\td\n\n   \n\x1a\nAbcd - a.sys - x\x1a");
    ck_assert_uint_eq(result.lines, 9);
    ck_assert_uint_eq(result.comments, 8);
    ck_assert_uint_eq(result.entries, 1);
    ck_assert_str_eq(find(dict, "Abcd")->description, "x");
}
END_TEST

START_TEST(import_takes_any_line_end_and_byte_order_mark)
{
    AUTO_TAGDICT struct tagdict *dict = tagdict_new();
    struct tagdict_import result = import(
        dict,
        "\xef\xbb\xbfOne1 - a.sys - x\nTwo2 - b.sys - y\r\nThr3 - c.sys - z\rFou4 - d.sys - w");
    ck_assert_uint_eq(result.lines, 4);
    ck_assert_uint_eq(result.entries, 4);
    ck_assert_str_eq(find(dict, "One1")->driver, "a.sys");
    ck_assert_str_eq(find(dict, "Two2")->description, "y");
    ck_assert_str_eq(find(dict, "Fou4")->driver, "d.sys");
}
END_TEST

/* As PowerShell 5 writes what is sent to a file, and its twin with the bytes swapped. */
START_TEST(import_takes_utf16)
{
    static const uint16_t units[] = {0xfeff, 'A',  'b',  'c', 'd',  ' ', '-', ' ',  'a',
                                     '.',    's',  'y',  's', ' ',  '-', ' ', 0xe9, 0x20ac,
                                     0xd83d, '\r', '\n', 'E', 'f',  'g', 'h', ' ',  '-',
                                     ' ',    'x',  '!',  'y', '\r', '\n'};
    for (unsigned big = 0; big < 2; big++) {
        AUTO_TAGDICT struct tagdict *dict = tagdict_new();
        char text[2 * COUNT(units) + 1];
        for (size_t i = 0; i < COUNT(units); i++) {
            text[2 * i + big] = (char)(units[i] & 0xff);
            text[2 * i + 1 - big] = (char)(units[i] >> 8);
        }
        text[2 * COUNT(units)] = 'x'; /* half a unit at the end is no unit */
        struct tagdict_import result = import_n(dict, text, sizeof text, NULL);
        ck_assert_uint_eq(result.lines, 2);
        ck_assert_uint_eq(result.entries, 2);
        ck_assert_str_eq(find(dict, "Abcd")->driver, "a.sys");
        ck_assert_str_eq(find(dict, "Abcd")->description, "\xc3\xa9\xe2\x82\xac\xef\xbf\xbd");
        ck_assert_str_eq(find(dict, "Efgh")->driver, "x!y");
    }
}
END_TEST

START_TEST(import_nul_bytes_do_not_cut_the_list)
{
    static const char text[] = "Abcd - a.sys - x\0y\nEf\0h - b.sys - z\nIjkl - c.sys - w\n";
    AUTO_TAGDICT struct tagdict *dict = tagdict_new();
    struct complaints seen = {0};
    struct tagdict_import result = import_n(dict, text, sizeof text - 1, &seen);
    ck_assert_uint_eq(result.entries, 2);
    ck_assert_uint_eq(result.refused, 1);
    ck_assert_str_eq(find(dict, "Abcd")->description, "x y");
}
END_TEST

START_TEST(import_local_list_names_drivers)
{
    AUTO_TAGDICT struct tagdict *dict = tagdict_new();
    struct tagdict_import result = import(
        dict, "// local\nAbcd - alpha\nEfgh - beta gamma\nIjkl - delta.sys\nMnop - epsilon\n");
    ck_assert_uint_eq(result.entries, 4);
    ck_assert_str_eq(find(dict, "Abcd")->driver, "alpha.sys");
    ck_assert_str_eq(find(dict, "Efgh")->driver, "beta.sys or gamma.sys");
    ck_assert_str_eq(find(dict, "Ijkl")->driver, "delta.sys");
    ck_assert_ptr_null(find(dict, "Abcd")->description);
}
END_TEST

START_TEST(import_two_part_prose_is_not_taken_for_drivers)
{
    AUTO_TAGDICT struct tagdict *dict = tagdict_new();
    import(dict, "Abcd - some mount point\nEfgh - another buffer\nIjkl - names\n");
    ck_assert_ptr_null(find(dict, "Abcd")->driver);
    ck_assert_str_eq(find(dict, "Abcd")->description, "some mount point");
    ck_assert_str_eq(find(dict, "Ijkl")->description, "names");
}
END_TEST

START_TEST(import_duplicates_keep_all_owners)
{
    AUTO_TAGDICT struct tagdict *dict = tagdict_new();
    struct tagdict_import result = import(
        dict, "Abcd - a.sys - x\nABCD - c.sys - z\nAbcd - b.sys - y\nAbcd - <unknown> - x\n");
    ck_assert_uint_eq(result.entries, 4);
    ck_assert_uint_eq(tagdict_count(dict), 2);
    ck_assert_str_eq(find(dict, "Abcd")->driver, "a.sys or b.sys");
    ck_assert_str_eq(find(dict, "Abcd")->description, "x; y");
}
END_TEST

START_TEST(import_empty_is_fine_and_too_large_is_refused)
{
    AUTO_TAGDICT struct tagdict *dict = tagdict_new();
    struct err err;
    struct tagdict_import result;
    ck_assert_uint_eq(import_n(dict, "", 0, NULL).lines, 0);
    ck_assert_uint_eq(import(dict, "\n").lines, 1);
    ck_assert_int_eq(tagdict_import(dict, "", LIMIT_BODY_BYTES + 1u, NULL, NULL, &result, &err),
                     ST_TOO_LARGE);
}
END_TEST

/* Reads a file of tests/data; owned by caller. */
static char *read_data(const char *path, size_t *ret_length)
{
    AUTO_FILE FILE *file = fopen(path, "rb");
    ck_assert_msg(file != NULL, "could not open %s", path);
    ck_assert_int_eq(fseek(file, 0, SEEK_END), 0);
    long size = ftell(file);
    rewind(file);
    char *text = malloc((size_t)size + 1);
    ck_assert_uint_eq(fread(text, 1, (size_t)size, file), (size_t)size);
    *ret_length = (size_t)size;
    return text;
}

static const struct {
    const char *path;
    struct tagdict_import want;
    size_t count; /* of entries left after duplicates */
} files[] = {
    {"tests/data/pooltag/odd.txt", {30, 9, 18, 3}, 17},
    {"tests/data/pooltag/crlf.txt", {8, 3, 5, 0}, 5},
    {"tests/data/pooltag/localtag.txt", {6, 1, 5, 0}, 5},
};

START_TEST(import_file_gives_expected_counts)
{
    AUTO_TAGDICT struct tagdict *dict = tagdict_new();
    struct complaints seen = {0};
    size_t length;
    AUTO_FREE char *text = read_data(files[_i].path, &length);
    struct tagdict_import got = import_n(dict, text, length, &seen);
    ck_assert_uint_eq(got.lines, files[_i].want.lines);
    ck_assert_uint_eq(got.comments, files[_i].want.comments);
    ck_assert_uint_eq(got.entries, files[_i].want.entries);
    ck_assert_uint_eq(got.refused, files[_i].want.refused);
    ck_assert_uint_eq(seen.count, got.refused);
    ck_assert_uint_eq(tagdict_count(dict), files[_i].count);
}
END_TEST

START_TEST(import_cut_file_never_fails)
{
    size_t length;
    AUTO_FREE char *text = read_data("tests/data/pooltag/odd.txt", &length);
    for (size_t cut = 0; cut <= length; cut++) {
        AUTO_TAGDICT struct tagdict *dict = tagdict_new();
        AUTO_FREE char *copy = malloc(cut + 1); /* so that a read past the end is seen */
        char *exact = realloc(TAKE(copy), cut == 0 ? 1 : cut);
        ck_assert_ptr_nonnull(exact);
        memcpy(exact, text, cut);
        import_n(dict, exact, cut, NULL);
        free(exact);
    }
}
END_TEST

Suite *taglist_suite(void)
{
    Suite *suite = suite_create("taglist");
    TCase *reader = tcase_create("import");
    tcase_add_loop_test(reader, import_row_is_cut_as_meant, 0, (int)COUNT(rows));
    tcase_add_test(reader, import_counts_comments_of_all_kinds);
    tcase_add_test(reader, import_takes_any_line_end_and_byte_order_mark);
    tcase_add_test(reader, import_takes_utf16);
    tcase_add_test(reader, import_nul_bytes_do_not_cut_the_list);
    tcase_add_test(reader, import_local_list_names_drivers);
    tcase_add_test(reader, import_two_part_prose_is_not_taken_for_drivers);
    tcase_add_test(reader, import_duplicates_keep_all_owners);
    tcase_add_test(reader, import_empty_is_fine_and_too_large_is_refused);
    tcase_add_loop_test(reader, import_file_gives_expected_counts, 0, (int)COUNT(files));
    tcase_add_test(reader, import_cut_file_never_fails);
    suite_add_tcase(suite, reader);
    return suite;
}
