/* SPDX-License-Identifier: Apache-2.0 */
/* Where driver files lie, and what is remembered of them. */
#include "agent/core/driver_cache.h"
#include "agent/core/driver_path.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

/* ---- paths */

static const struct {
    const char *raw, *path; /* path NULL: refused */
} paths[] = {
    {"\\SystemRoot\\System32\\drivers\\a.sys", "C:\\Windows\\System32\\drivers\\a.sys"},
    {"\\systemroot\\system32\\ntoskrnl.exe", "C:\\Windows\\system32\\ntoskrnl.exe"},
    {"\\??\\C:\\Program Files\\X\\b.sys", "C:\\Program Files\\X\\b.sys"},
    {"\\Windows\\System32\\c.sys", "C:\\Windows\\System32\\c.sys"},
    {"system32\\drivers\\d.sys", "C:\\Windows\\system32\\drivers\\d.sys"},
    {"e.sys", "C:\\Windows\\System32\\drivers\\e.sys"},
    {"D:\\drivers\\f.sys", "D:\\drivers\\f.sys"},
    {"\\Device\\HarddiskVolume3\\g.sys", "\\\\?\\GLOBALROOT\\Device\\HarddiskVolume3\\g.sys"},
    {"", NULL},
    {"\\", NULL},
    {"C:\\folder\\", NULL},
    {"\\\\server\\share\\h.sys", NULL},
    {"\\??\\UNC\\server\\share\\h.sys", NULL},
    {"\\\\?\\UNC\\server\\share\\h.sys", NULL},
    {"\\Device\\Mup\\server\\share\\h.sys", NULL},
    {"\\Device\\NamedPipe\\x", NULL},
    {"C:i.sys", NULL},
    {"j.sys:stream", NULL},
};

START_TEST(driver_path_of_every_known_form_is_a_local_path_or_refused)
{
    struct strbuf out AUTO_STRBUF = STRBUF_INIT;
    bool found = driver_path(paths[_i].raw, "C:\\Windows", &out);
    ck_assert_msg(found == (paths[_i].path != NULL), "%s", paths[_i].raw);
    if (found)
        ck_assert_str_eq(out.data, paths[_i].path);
}
END_TEST

START_TEST(driver_path_without_a_windows_folder_is_refused)
{
    struct strbuf out AUTO_STRBUF = STRBUF_INIT;
    ck_assert(!driver_path("a.sys", "", &out));
    ck_assert(!driver_path("a.sys", "Windows", &out));
}
END_TEST

/* ---- files in memory */

struct memory {
    struct strbuf content; /* of the one file there is */
    bool present;
    unsigned writes;
};

static enum status memory_write(void *arg, const char *name, const void *data, size_t length,
                                struct err *err)
{
    struct memory *memory = arg;
    (void)err;
    ck_assert_str_eq(name, DRIVER_CACHE_FILE);
    strbuf_clear(&memory->content);
    strbuf_add(&memory->content, data, length);
    memory->present = true;
    memory->writes++;
    return ST_OK;
}

static enum status memory_read(void *arg, const char *name, size_t max, struct strbuf *out,
                               struct err *err)
{
    struct memory *memory = arg;
    (void)name;
    strbuf_clear(out);
    if (!memory->present)
        return err_set(err, ST_NOT_FOUND, "no such file");
    if (memory->content.length > max)
        return err_set(err, ST_TOO_LARGE, "too large");
    strbuf_add(out, memory->content.data, memory->content.length);
    return ST_OK;
}

static struct memory memory;
static const struct files files = {.arg = &memory, .write = memory_write, .read = memory_read};

static void setup(void)
{
    memory = (struct memory){.present = false};
}

static void teardown(void)
{
    strbuf_done(&memory.content);
}

static const char hash[] = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

static void fill(struct driver_cache *cache)
{
    struct driver_entry *b = driver_cache_put(cache, "C:\\b.sys", 20, -5);
    struct driver_entry *a = driver_cache_put(cache, "C:\\a.sys", 10, 1234567890123);
    ck_assert_ptr_nonnull(a);
    ck_assert_ptr_nonnull(b);
    a->stamp = 0xFFFFFFFF;
    a->version = "1.2.3.4";
    a->company = "M\xc3\xbcller";
    snprintf(a->sha256, sizeof a->sha256, "%s", hash);
    a->scanned = true;
    a->tags = arena_alloc(&a->arena, 2, sizeof *a->tags);
    a->tags[0] = 0x6B61654C;
    a->tags[1] = 0x7FFFFFFF;
    a->tag_count = 2;
}

static void save_filled(void)
{
    struct driver_cache cache = {0};
    fill(&cache);
    ck_assert_int_eq(driver_cache_save(&cache, &files, NULL), ST_OK);
    driver_cache_done(&cache);
}

START_TEST(driver_cache_gives_back_what_was_kept)
{
    struct driver_cache cache;
    bool broken;
    save_filled();
    ck_assert_int_eq(driver_cache_load(&cache, &files, &broken, NULL), ST_OK);
    ck_assert(!broken);
    ck_assert_uint_eq(cache.count, 2);
    struct driver_entry *a = driver_cache_find(&cache, "c:\\A.SYS", 10, 1234567890123);
    ck_assert_ptr_nonnull(a);
    ck_assert_uint_eq(a->stamp, 0xFFFFFFFF);
    ck_assert_str_eq(a->version, "1.2.3.4");
    ck_assert_str_eq(a->company, "M\xc3\xbcller");
    ck_assert_str_eq(a->product, "");
    ck_assert_str_eq(a->sha256, hash);
    ck_assert(a->scanned);
    ck_assert_uint_eq(a->tag_count, 2);
    ck_assert_uint_eq(a->tags[1], 0x7FFFFFFF);
    struct driver_entry *b = driver_cache_find(&cache, "C:\\b.sys", 20, -5);
    ck_assert_ptr_nonnull(b);
    ck_assert(!b->scanned);
    driver_cache_done(&cache);
}
END_TEST

START_TEST(driver_cache_of_another_size_or_time_knows_nothing)
{
    struct driver_cache cache = {0};
    fill(&cache);
    ck_assert_ptr_null(driver_cache_find(&cache, "C:\\a.sys", 11, 1234567890123));
    ck_assert_ptr_null(driver_cache_find(&cache, "C:\\a.sys", 10, 1234567890124));
    ck_assert_ptr_null(driver_cache_find(&cache, "C:\\c.sys", 10, 1234567890123));
    driver_cache_done(&cache);
}
END_TEST

START_TEST(driver_cache_put_again_replaces_the_entry)
{
    struct driver_cache cache = {0};
    fill(&cache);
    ck_assert_ptr_nonnull(driver_cache_put(&cache, "C:\\A.sys", 11, 7));
    ck_assert_uint_eq(cache.count, 2);
    struct driver_entry *a = driver_cache_find(&cache, "C:\\a.sys", 11, 7);
    ck_assert_ptr_nonnull(a);
    ck_assert(!a->scanned);
    driver_cache_done(&cache);
}
END_TEST

START_TEST(driver_cache_forgets_files_that_were_not_asked_for)
{
    struct driver_cache cache = {0};
    fill(&cache);
    driver_cache_begin(&cache);
    ck_assert_ptr_nonnull(driver_cache_find(&cache, "C:\\b.sys", 20, -5));
    driver_cache_end(&cache);
    ck_assert_uint_eq(cache.count, 1);
    ck_assert_str_eq(cache.entries[0]->path, "C:\\b.sys");
    driver_cache_done(&cache);
}
END_TEST

START_TEST(driver_cache_that_did_not_change_is_not_written)
{
    struct driver_cache cache;
    bool broken;
    save_filled();
    ck_assert_uint_eq(memory.writes, 1);
    ck_assert_int_eq(driver_cache_load(&cache, &files, &broken, NULL), ST_OK);
    driver_cache_begin(&cache);
    ck_assert_ptr_nonnull(driver_cache_find(&cache, "C:\\a.sys", 10, 1234567890123));
    ck_assert_ptr_nonnull(driver_cache_find(&cache, "C:\\b.sys", 20, -5));
    driver_cache_end(&cache);
    ck_assert_int_eq(driver_cache_save(&cache, &files, NULL), ST_OK);
    ck_assert_uint_eq(memory.writes, 1);
    driver_cache_done(&cache);
}
END_TEST

START_TEST(driver_cache_without_a_file_is_empty)
{
    struct driver_cache cache;
    bool broken;
    ck_assert_int_eq(driver_cache_load(&cache, &files, &broken, NULL), ST_OK);
    ck_assert(!broken);
    ck_assert_uint_eq(cache.count, 0);
    driver_cache_done(&cache);
}
END_TEST

START_TEST(driver_cache_cut_or_with_any_bit_flipped_is_thrown_away)
{
    save_filled();
    size_t length = memory.content.length;
    char *good = malloc(length);
    memcpy(good, memory.content.data, length);
    for (size_t i = 0; i < 9 * length; i++) {
        struct driver_cache cache;
        bool broken = false;
        strbuf_clear(&memory.content);
        strbuf_add(&memory.content, good, i < length ? i : length); /* first cut, then flipped */
        if (i >= length)
            memory.content.data[(i - length) / 8] ^= (char)(1 << (i - length) % 8);
        ck_assert_int_eq(driver_cache_load(&cache, &files, &broken, NULL), ST_OK);
        ck_assert_msg(broken, "%zu of %zu", i, length);
        ck_assert_uint_eq(cache.count, 0);
        ck_assert(cache.changed);
        driver_cache_done(&cache);
    }
    free(good);
}
END_TEST

Suite *driver_cache_suite(void);

Suite *driver_cache_suite(void)
{
    Suite *suite = suite_create("driver_cache");
    TCase *tc = tcase_create("driver_path");
    tcase_add_loop_test(tc, driver_path_of_every_known_form_is_a_local_path_or_refused, 0,
                        sizeof paths / sizeof paths[0]);
    tcase_add_test(tc, driver_path_without_a_windows_folder_is_refused);
    suite_add_tcase(suite, tc);
    tc = tcase_create("driver_cache");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, driver_cache_gives_back_what_was_kept);
    tcase_add_test(tc, driver_cache_of_another_size_or_time_knows_nothing);
    tcase_add_test(tc, driver_cache_put_again_replaces_the_entry);
    tcase_add_test(tc, driver_cache_forgets_files_that_were_not_asked_for);
    tcase_add_test(tc, driver_cache_that_did_not_change_is_not_written);
    tcase_add_test(tc, driver_cache_without_a_file_is_empty);
    tcase_add_test(tc, driver_cache_cut_or_with_any_bit_flipped_is_thrown_away);
    suite_add_tcase(suite, tc);
    return suite;
}
