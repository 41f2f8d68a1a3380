/* SPDX-License-Identifier: Apache-2.0 */
/* A folder of recorded answers in place of a kernel. */
#include "agent/nt/nt.h"
#include "tests/support/nt_blobs.h"

#include <check.h>
#include <dirent.h>
#include <unistd.h>

Suite *nt_replay_suite(void);

#define LEAK 0x6b61654cu

static char folder[64];
static struct nt_replay *replay;
static struct nt_reader reader;
static struct arena arena;
static struct err err;

static void setup(void)
{
    snprintf(folder, sizeof folder, "/tmp/replay-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    replay = NULL;
    arena = (struct arena){0};
    err = (struct err){0};
}

static void teardown(void)
{
    DIR *open = opendir(folder);
    struct dirent *entry;
    char path[400];
    while (open != NULL && (entry = readdir(open)) != NULL) {
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        unlink(path);
    }
    closedir(open);
    rmdir(folder);
    arena_done(&arena);
    nt_reader_done(&reader);
    nt_replay_close(replay);
}

static void save(const char *name, const void *data, size_t length)
{
    char path[200];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(data, 1, length, file), length);
    ck_assert_int_eq(fclose(file), 0);
}

static void save_blob(const char *name, struct strbuf *bytes)
{
    save(name, bytes->data, bytes->length);
    strbuf_clear(bytes);
}

static void open_version(const char *version)
{
    save("version.txt", version, strlen(version));
    ck_assert_msg(nt_replay_open(folder, &replay, &err) == ST_OK, "%s", err.message);
    nt_reader_init(&reader, nt_replay_calls(replay));
}

static const struct {
    const char *text;
    struct nt_version version;
} versions[] = {
    {"10.0.26100.4061 server x64", {10, 0, 26100, 4061, true, NT_X64, false}},
    {"6.1.7601.0 client x86\r\n", {6, 1, 7601, 0, false, NT_X86, false}},
    {"10.0.26200.1 client arm64\n", {10, 0, 26200, 1, false, NT_X64, true}},
};

START_TEST(version_text_is_read)
{
    open_version(versions[_i].text);
    const struct nt_version *version = &nt_replay_calls(replay)->version;
    const struct nt_version *want = &versions[_i].version;
    ck_assert_uint_eq(version->major, want->major);
    ck_assert_uint_eq(version->minor, want->minor);
    ck_assert_uint_eq(version->build, want->build);
    ck_assert_uint_eq(version->revision, want->revision);
    ck_assert_int_eq(version->server, want->server);
    ck_assert_int_eq(version->arm64, want->arm64);
    ck_assert_int_eq(version->arch, want->arch);
    ck_assert(nt_replay_calls(replay)->simulated);
}
END_TEST

static const char *const bad_versions[] = {
    "",
    "10.0",
    "10.0.26100.4061",
    "10.0.26100.4061 server",
    "10.0.26100.4061 server x64 more",
    "10.0.26100.4061 Server x64",
    "10.0.26100 server x64",
    "99999999999999999999.0.1.1 server x64",
    "-1.0.1.1 server x64",
    "10.0.26100.4061 server x64x",
};

START_TEST(version_text_that_is_none_is_malformed)
{
    save("version.txt", bad_versions[_i], strlen(bad_versions[_i]));
    ck_assert_int_eq(nt_replay_open(folder, &replay, &err), ST_MALFORMED);
    ck_assert_ptr_nonnull(strstr(err.hint, "10.0.26100.4061 server x64"));
    ck_assert_ptr_null(replay);
}
END_TEST

START_TEST(folder_without_version_is_not_found)
{
    ck_assert_int_eq(nt_replay_open(folder, &replay, &err), ST_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(err.message, folder));
    ck_assert_int_eq(nt_replay_open("/nowhere/at/all", &replay, &err), ST_NOT_FOUND);
}
END_TEST

static uint32_t read_allocs(void)
{
    struct snapshot_table table[POOL_COUNT];
    ck_assert_msg(nt_pool_tags(&reader, &arena, table, &err) == ST_OK, "%s", err.message);
    return table[POOL_NONPAGED].allocs[0];
}

/* 10,000 rows are more than the first buffer: the answer after the growth is still the first one.
 */
START_TEST(answers_one_after_the_other_and_the_last_repeats)
{
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    enum { ROWS = 10000 };
    struct blob_tag *tags = calloc(ROWS, sizeof *tags);
    open_version(_i == NT_X64 ? "10.0.26100.1 client x64" : "10.0.19045.1 client x86");
    for (uint64_t step = 0; step < 3; step++) {
        char name[16];
        for (size_t i = 0; i < ROWS; i++)
            tags[i] = (struct blob_tag){(uint32_t)i + 1, {100 + step, 0}, {0, 0}, {64, 0}};
        blob_tags(&out, (enum nt_arch)_i, tags, ROWS);
        snprintf(name, sizeof name, "22-%u.bin", (unsigned)step);
        save_blob(name, &out);
    }
    for (uint32_t i = 0; i < 6; i++)
        ck_assert_uint_eq(read_allocs(), 100 + (i < 2 ? i : 2));
    free(tags);
}
END_TEST

START_TEST(tiny_buffers_hear_one_element_then_the_need)
{
    static const struct blob_tag tags[3] = {{LEAK, {1, 0}, {0, 0}, {64, 0}}};
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    const struct nt_calls *calls;
    unsigned char buffer[256];
    uint32_t told = 0;
    open_version("10.0.26100.1 client x64");
    calls = nt_replay_calls(replay);
    blob_tags(&out, NT_X64, tags, 3);
    save_blob("22-0.bin", &out);
    ck_assert_int_eq(calls->query_system(calls->arg, 22, buffer, 0, &told),
                     NT_INFO_LENGTH_MISMATCH);
    ck_assert_uint_eq(told, 0x30);
    ck_assert_int_eq(calls->query_system(calls->arg, 22, buffer, 0x2f, &told),
                     NT_INFO_LENGTH_MISMATCH);
    ck_assert_uint_eq(told, 0x30);
    ck_assert_int_eq(calls->query_system(calls->arg, 22, buffer, 0x30, &told),
                     NT_INFO_LENGTH_MISMATCH);
    ck_assert_uint_eq(told, 8 + 3 * 0x28);
    ck_assert_int_eq(calls->query_system(calls->arg, 22, buffer, sizeof buffer, &told), 0);
    ck_assert_uint_eq(told, 8 + 3 * 0x28);
}
END_TEST

START_TEST(fixed_classes_refuse_lengths_as_the_kernel_does)
{
    static const struct blob_performance figures = {1, 2, 3, 4, 5};
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    struct snapshot_totals totals = {0};
    struct nt_clocks clocks;
    unsigned char buffer[0x400];
    uint32_t told = 0;
    open_version("10.0.26100.1 client x64");
    const struct nt_calls *calls = nt_replay_calls(replay);
    ck_assert_int_eq(nt_clocks(&reader, &clocks, &err),
                     ST_UNSUPPORTED); /* the caller has its own */
    reader.missing[0] = 0;
    blob_basic(&out, NT_X64, 4096, 1000);
    save_blob("0-0.bin", &out);
    blob_performance(&out, &figures, 0x178);
    save_blob("2-0.bin", &out);
    blob_time(&out, 134000000000000000ll, 134000864000000000ll, 0);
    save_blob("3-0.bin", &out);
    ck_assert_int_eq(calls->query_system(calls->arg, 0, buffer, 0x41, &told),
                     NT_INFO_LENGTH_MISMATCH);
    ck_assert_int_eq(calls->query_system(calls->arg, 2, buffer, 0x137, &told),
                     NT_INFO_LENGTH_MISMATCH);
    ck_assert_int_eq(calls->query_system(calls->arg, 3, buffer, 0x31, &told),
                     NT_INFO_LENGTH_MISMATCH);
    ck_assert_int_eq(nt_totals(&reader, &totals, &err), ST_OK);
    ck_assert_uint_eq(totals.value[TOTAL_NONPAGED_BYTES], 5 * 4096);
    ck_assert_uint_eq(totals.value[TOTAL_PHYSICAL_BYTES], 1000 * 4096);
    ck_assert_int_eq(nt_clocks(&reader, &clocks, &err), ST_OK);
    ck_assert_int_eq(clocks.uptime_us, 86400 * US_PER_SECOND);
}
END_TEST

START_TEST(names_inside_recorded_answers_are_found)
{
    static const struct blob_process one = {900, "abcd.exe", 5, 3};
    static const struct blob_type type = {"Thread", 5, 6, 8};
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    struct snapshot_process *processes;
    struct snapshot_object *objects;
    struct snapshot_totals totals = {0};
    size_t count;
    enum nt_arch arch = (enum nt_arch)_i;
    open_version(arch == NT_X64 ? "10.0.26100.1 client x64" : "10.0.19045.1 client x86");
    blob_processes(&out, arch, NT_REPLAY_BASE, &one, 1);
    save_blob("5-0.bin", &out);
    blob_types(&out, arch, NT_REPLAY_BASE, &type, 1);
    save_blob("types-0.bin", &out);
    ck_assert_int_eq(nt_processes(&reader, &arena, 5, &totals, &processes, &count, &err), ST_OK);
    ck_assert_str_eq(processes[0].image, "abcd.exe");
    ck_assert_int_eq(nt_object_types(&reader, &arena, &objects, &count, &err), ST_OK);
    ck_assert_str_eq(objects[0].type, "Thread");
}
END_TEST

Suite *nt_replay_suite(void)
{
    Suite *suite = suite_create("nt_replay");
    TCase *tcase = tcase_create("replay");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, version_text_is_read, 0, 3);
    tcase_add_loop_test(tcase, version_text_that_is_none_is_malformed, 0,
                        (int)(sizeof bad_versions / sizeof *bad_versions));
    tcase_add_test(tcase, folder_without_version_is_not_found);
    tcase_add_loop_test(tcase, answers_one_after_the_other_and_the_last_repeats, 0, 2);
    tcase_add_test(tcase, tiny_buffers_hear_one_element_then_the_need);
    tcase_add_test(tcase, fixed_classes_refuse_lengths_as_the_kernel_does);
    tcase_add_loop_test(tcase, names_inside_recorded_answers_are_found, 0, 2);
    suite_add_tcase(suite, tcase);
    return suite;
}
