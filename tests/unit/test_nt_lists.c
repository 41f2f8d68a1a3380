/* SPDX-License-Identifier: Apache-2.0 */
/* Processes, object types, handles, modules, big blocks and sessions for both architectures; and
 * that no kernel address comes out of any reader. */
#include "agent/nt/nt.h"
#include "common/limits.h"
#include "common/snapshot_cbor.h"
#include "common/utf8.h"
#include "tests/support/fake_kernel.h"
#include "tests/support/nt_blobs.h"

#include <check.h>

Suite *nt_lists_suite(void);

#define LEAK 0x6b61654cu
#define NTFC 0x4366744eu

static struct fake_kernel kernel;
static struct nt_reader reader;
static struct arena arena;
static struct err err;
static struct snapshot_totals totals;
static enum nt_arch arch;

static void start_version(int which, unsigned major, unsigned minor, unsigned build)
{
    arch = (enum nt_arch)which;
    fake_kernel_init(&kernel, arch, major, minor, build);
    nt_reader_init(&reader, &kernel.calls);
    arena = (struct arena){0};
    err = (struct err){0};
    totals = (struct snapshot_totals){0};
}

static void start(int which)
{
    start_version(which, 10, 0, 26100);
    fake_kernel_fill(&kernel, 50);
}

static void finish(void)
{
    arena_done(&arena);
    nt_reader_done(&reader);
    fake_kernel_done(&kernel);
}

/* Overwrites a number inside an answer. */
static void poke(uint32_t information_class, size_t offset, const void *bytes, size_t length)
{
    struct strbuf *answer = &kernel.answers[information_class].bytes;
    ck_assert_uint_le(offset + length, answer->length);
    memcpy(answer->data + offset, bytes, length);
}

static void poke32(uint32_t information_class, size_t offset, uint32_t value)
{
    poke(information_class, offset, &value, sizeof value);
}

/* ---- processes */

static struct snapshot_process *processes;
static size_t count;

static enum status read_processes(size_t most)
{
    return nt_processes(&reader, &arena, most, &totals, &processes, &count, &err);
}

START_TEST(processes_by_handles_with_totals_and_names_for_the_nameless)
{
    start(_i);
    ck_assert_msg(read_processes(SIZE_MAX) == ST_OK, "%s", err.message);
    ck_assert_uint_eq(count, 5);
    ck_assert_str_eq(processes[0].image, "TestApp.exe");
    ck_assert_int_eq(processes[0].pid, 4820);
    ck_assert_int_eq(processes[0].handles, 190788);
    ck_assert_str_eq(processes[1].image, "System");
    ck_assert_str_eq(processes[2].image, "svchost.exe");
    ck_assert_str_eq(processes[3].image, "[pid 77]");
    ck_assert_str_eq(processes[4].image, "System Idle Process");
    ck_assert_uint_eq(totals.value[TOTAL_HANDLES], 5120 + 910 + 190788 + 12);
    ck_assert_uint_eq(totals.value[TOTAL_PROCESSES], 5);
    ck_assert_uint_eq(totals.value[TOTAL_THREADS], 8 + 180 + 14 + 9 + 1);
    finish();
}
END_TEST

START_TEST(most_processes_kept_are_the_largest_in_order)
{
    struct blob_process many[400];
    start(_i);
    for (size_t i = 0; i < 400; i++)
        many[i] = (struct blob_process){i * 4, "a.exe", (uint32_t)(i * 7919 % 100), 1};
    blob_processes(fake_kernel_answer(&kernel, 5), arch, FAKE_BASE, many, 400);
    static const size_t mosts[] = {0, 1, 2, 17, 399, 400, 401};
    for (size_t i = 0; i < 7; i++) {
        ck_assert_int_eq(read_processes(mosts[i]), ST_OK);
        ck_assert_uint_eq(count, mosts[i] < 400 ? mosts[i] : 400);
        for (size_t p = 1; p < count; p++)
            ck_assert(processes[p - 1].handles > processes[p].handles ||
                      (processes[p - 1].handles == processes[p].handles &&
                       processes[p - 1].pid < processes[p].pid));
        if (count > 0) { /* every count stands four times */
            ck_assert_int_eq(processes[0].handles, 99);
            ck_assert_int_eq(processes[count - 1].handles, 99 - ((int64_t)count - 1) / 4);
        }
        ck_assert_uint_eq(totals.value[TOTAL_PROCESSES], 400);
    }
    finish();
}
END_TEST

START_TEST(process_names_outside_the_answer_are_shown_by_number)
{
    const size_t buffer = 0x38 + (_i == NT_X64 ? 8 : 4);
    static const uint32_t pointers[] = {0, FAKE_BASE - 2, 0x7fffffff, 0xffffffff};
    static const struct blob_process one = {900, "abcd.exe", 5, 0};
    start(_i);
    for (size_t i = 0; i < 4; i++) {
        blob_processes(fake_kernel_answer(&kernel, 5), arch, FAKE_BASE, &one, 1);
        poke32(5, buffer, pointers[i]);
        ck_assert_int_eq(read_processes(5), ST_OK);
        ck_assert_str_eq(processes[0].image, "[pid 900]");
    }
    /* The last byte inside, and one beyond. */
    blob_processes(fake_kernel_answer(&kernel, 5), arch, FAKE_BASE, &one, 1);
    uint32_t end = (uint32_t)kernel.answers[5].bytes.length;
    poke32(5, buffer, FAKE_BASE + end - 16);
    poke(5, end - 16, "z\0y\0z\0y\0z\0y\0z\0y\0", 16);
    ck_assert_int_eq(read_processes(5), ST_OK);
    ck_assert_str_eq(processes[0].image, "zyzyzyzy");
    poke32(5, buffer, FAKE_BASE + end - 15);
    ck_assert_int_eq(read_processes(5), ST_OK);
    ck_assert_str_eq(processes[0].image, "[pid 900]");
    finish();
}
END_TEST

START_TEST(process_names_in_utf16_become_utf8_and_bad_surrogates_are_replaced)
{
    static const struct {
        uint16_t units[6];
        const char *text;
    } names[] = {
        {{'a', 0xe9, 0x4e2d, 'b', 'c', 'd'},
         "a\xc3\xa9\xe4\xb8\xad"
         "bcd"},
        {{0xd83d, 0xde00, 'x', 'x', 'x', 'x'}, "\xf0\x9f\x98\x80xxxx"},
        {{0xd83d, 'a', 0xde00, 'b', 0xd83d, 0xd83d},
         "\xef\xbf\xbd"
         "a\xef\xbf\xbd"
         "b\xef\xbf\xbd\xef\xbf\xbd"},
        {{'a', 'b', 0, 'c', 'd', 'e'}, "ab"},
        {{0, 'b', 'c', 'd', 'e', 'f'}, "[pid 8]"},
    };
    static const struct blob_process one = {8, "sixsix", 5, 0};
    start(NT_X64);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        blob_processes(fake_kernel_answer(&kernel, 5), arch, FAKE_BASE, &one, 1);
        poke(5, 0x100, names[i].units, sizeof names[i].units);
        ck_assert_int_eq(read_processes(5), ST_OK);
        ck_assert_str_eq(processes[0].image, names[i].text);
    }
    finish();
}
END_TEST

START_TEST(long_process_name_is_cut_between_characters)
{
    enum { UNITS = 200 };
    struct blob_process one = {8, "x", 5, 6}; /* room: the name goes over the threads */
    uint16_t units[UNITS];
    uint16_t length = sizeof units;
    start(NT_X64);
    for (size_t i = 0; i < UNITS; i++)
        units[i] = 0x4e2d; /* three bytes each */
    blob_processes(fake_kernel_answer(&kernel, 5), arch, FAKE_BASE, &one, 1);
    poke(5, 0x38, &length, 2);
    poke32(5, 0x40, FAKE_BASE + 0x100);
    poke(5, 0x100, units, sizeof units);
    ck_assert_int_eq(read_processes(5), ST_OK);
    ck_assert_uint_eq(strlen(processes[0].image), 255);
    ck_assert(utf8_valid(processes[0].image, 255));
    finish();
}
END_TEST

START_TEST(process_chains_that_cannot_be_are_malformed)
{
    static const uint32_t steps[] = {1, 0x10, 0xb7, 0x7fffffff, 0xffffffff, 0xfffffff8};
    start(_i);
    for (size_t i = 0; i < 6; i++) {
        fake_kernel_fill(&kernel, 5);
        poke32(5, 0, steps[i]);
        ck_assert_msg(read_processes(5) == ST_MALFORMED, "%x", steps[i]);
    }
    ck_assert(!totals_has(&totals, TOTAL_HANDLES));
    for (size_t length = 0; length < 600; length++) { /* in the first two entries */
        fake_kernel_fill(&kernel, 5);
        kernel.answers[5].bytes.length = length;
        ck_assert_int_eq(read_processes(5), ST_MALFORMED);
    }
    finish();
}
END_TEST

/* ---- object types and handles */

START_TEST(object_types_with_counts)
{
    struct snapshot_object *objects;
    start(_i);
    ck_assert_int_eq(nt_object_types(&reader, &arena, &objects, &count, &err), ST_OK);
    ck_assert_uint_eq(count, 3);
    ck_assert_str_eq(objects[1].type, "Directory");
    ck_assert_str_eq(objects[2].type, "Thread");
    ck_assert_int_eq(objects[2].objects, 1907864);
    ck_assert_int_eq(objects[2].handles, 1907884);
    finish();
}
END_TEST

START_TEST(type_names_by_index_told_or_by_place_before_8_1)
{
    const char **names;
    start(_i);
    ck_assert_int_eq(nt_type_names(&reader, &arena, &names, &count, &err), ST_OK);
    ck_assert_uint_eq(count, 9);
    ck_assert_str_eq(names[8], "Thread");
    ck_assert_ptr_null(names[5]);
    finish();
    start_version(_i, 6, 1, 7601);
    fake_kernel_fill(&kernel, 5);
    ck_assert_int_eq(nt_type_names(&reader, &arena, &names, &count, &err), ST_OK);
    ck_assert_uint_eq(count, 5);
    ck_assert_str_eq(names[4], "Thread");
    finish();
}
END_TEST

START_TEST(object_types_that_cannot_be_are_malformed)
{
    struct snapshot_object *objects;
    static const uint32_t counts[] = {4, 512, 513, 0x80000000u, 0xffffffffu};
    start(_i);
    for (size_t i = 0; i < 5; i++) {
        poke32(FAKE_TYPES, 0, counts[i]);
        ck_assert_int_eq(nt_object_types(&reader, &arena, &objects, &count, &err), ST_MALFORMED);
    }
    poke32(FAKE_TYPES, 0, 3);
    poke32(FAKE_TYPES, _i == NT_X64 ? 0x10 : 8, 0x7ffffff0); /* name outside */
    ck_assert_int_eq(nt_object_types(&reader, &arena, &objects, &count, &err), ST_MALFORMED);
    finish();
}
END_TEST

START_TEST(object_types_whose_told_length_lacks_padding_are_read)
{
    struct snapshot_object *objects;
    start(_i);
    kernel.answers[FAKE_TYPES].told = (uint32_t)kernel.answers[FAKE_TYPES].bytes.length - 12;
    ck_assert_int_eq(nt_object_types(&reader, &arena, &objects, &count, &err), ST_OK);
    ck_assert_uint_eq(count, 3);
    finish();
}
END_TEST

START_TEST(handles_by_type_of_one_process_or_all)
{
    struct nt_handle_count *counts;
    start(_i);
    ck_assert_int_eq(nt_handles(&reader, &arena, 4820, &counts, &count, &err), ST_OK);
    ck_assert_uint_eq(count, 1);
    ck_assert_uint_eq(counts[0].type_index, 8);
    ck_assert_uint_eq(counts[0].handles, 2);
    ck_assert_int_eq(nt_handles(&reader, &arena, 0, &counts, &count, &err), ST_OK);
    ck_assert_uint_eq(count, 2);
    ck_assert_uint_eq(counts[0].type_index, 3);
    ck_assert_uint_eq(counts[1].handles, 3);
    ck_assert_ptr_null(reader.buffer.data); /* not kept */
    poke32(64, 0, 5);
    ck_assert_int_eq(nt_handles(&reader, &arena, 0, &counts, &count, &err), ST_MALFORMED);
    finish();
}
END_TEST

/* ---- modules */

static struct nt_module *modules;

static enum status read_modules(void)
{
    return nt_modules(&reader, &arena, &modules, &count, &err);
}

START_TEST(modules_with_stamps_where_the_kernel_has_class_77)
{
    start(_i);
    ck_assert_int_eq(read_modules(), ST_OK);
    ck_assert_uint_eq(count, 3);
    ck_assert_str_eq(modules[2].name, "leaky.sys");
    ck_assert_str_eq(modules[2].path, "\\??\\C:\\Program Files\\Vendor\\leaky.sys");
    ck_assert(modules[2].has_stamp);
    ck_assert_uint_eq(modules[2].stamp, 0x67a1b2c3);
    ck_assert_uint_eq(modules[2].checksum, 0x12345);
    ck_assert_uint_eq(modules[2].image_bytes, 0x9000);
    ck_assert_uint_eq(kernel.answers[11].calls, 0);
    finish();
}
END_TEST

START_TEST(modules_without_stamps_by_class_11)
{
    start(_i);
    kernel.known[77] = false;
    ck_assert_int_eq(read_modules(), ST_OK);
    ck_assert_uint_eq(count, 3);
    ck_assert_str_eq(modules[1].name, "ntfs.sys");
    ck_assert_uint_eq(modules[1].image_bytes, 0x2f8000);
    ck_assert(!modules[1].has_stamp);
    finish();
    start_version(_i, 5, 2, 3790);
    fake_kernel_fill(&kernel, 5);
    ck_assert_int_eq(read_modules(), ST_OK);
    ck_assert_uint_eq(count, 3);
    ck_assert_uint_eq(kernel.answers[77].calls, 0); /* Vista has it first */
    finish();
}
END_TEST

START_TEST(module_chain_that_contradicts_itself_falls_back_to_class_11)
{
    static const uint16_t steps[] = {1, 0x100, 0xffff, 0x7000};
    start(_i);
    for (size_t i = 0; i < 4; i++) {
        poke(77, 0, &steps[i], 2);
        ck_assert_int_eq(read_modules(), ST_OK);
        ck_assert_uint_eq(count, 3);
        ck_assert(!modules[0].has_stamp);
    }
    poke32(11, 0, 4);
    ck_assert_int_eq(read_modules(), ST_MALFORMED);
    finish();
}
END_TEST

START_TEST(module_chain_that_ends_in_the_last_module_is_whole)
{
    static const uint16_t end = 0;
    start(_i);
    size_t entry = _i == NT_X64 ? 0x140 : 0x12c;
    poke(77, 2 * entry, &end, 2);
    kernel.answers[77].bytes.length -= 2;
    ck_assert_int_eq(read_modules(), ST_OK);
    ck_assert_uint_eq(count, 3);
    ck_assert(modules[2].has_stamp);
    finish();
}
END_TEST

START_TEST(module_names_without_folder_doubled_empty_in_ansi_and_without_end)
{
    char endless[257];
    memset(endless, 'x', 256);
    endless[256] = '\0';
    endless[3] = '\\';
    const struct blob_module list[] = {
        {"\\SystemRoot\\A.sys", 1, 1, 1},
        {"plain.sys", 2, 2, 2},
        {"\\Other\\a.SYS", 3, 3, 3},
        {"", 4, 4, 4},
        {"\\Folder\\", 5, 5, 5},
        {"\\Treiber\\gr\xfc\xdf.sys", 6, 6, 6},
        {"\\Treiber\\gr\xc3\xbc\xc3\x9f.sys", 7, 7, 7},
        {endless, 8, 8, 8},
    };
    start(_i);
    blob_modules(fake_kernel_answer(&kernel, 11), arch, list, 8);
    blob_modules_ex(fake_kernel_answer(&kernel, 77), arch, list, 8);
    for (unsigned plain = 0; plain < 2; plain++) {
        kernel.known[77] = !plain;
        reader.missing[2] = 0;
        ck_assert_int_eq(read_modules(), ST_OK);
        ck_assert_uint_eq(count, 4);
        ck_assert_str_eq(modules[0].name, "A.sys");
        ck_assert_str_eq(modules[1].name, "plain.sys");
        ck_assert_str_eq(modules[2].name, "gr\xc3\xbc\xc3\x9f.sys");
        ck_assert_uint_eq(modules[2].image_bytes, 6);
        ck_assert_uint_eq(strlen(modules[3].path), 256);
        ck_assert_uint_eq(strlen(modules[3].name), 252);
    }
    finish();
}
END_TEST

/* ---- big blocks */

static struct snapshot_blocks *blocks;

START_TEST(big_blocks_by_size_largest_total_first)
{
    static const uint32_t tags[] = {LEAK | 0x80000000u, NTFC, LEAK, 0x20202020};
    start(_i);
    ck_assert_int_eq(nt_big_blocks(&reader, &arena, tags, 4, &blocks, &count, &err), ST_OK);
    ck_assert_uint_eq(count, 3);
    ck_assert_uint_eq(blocks[0].tag, 0x20202020);
    ck_assert_uint_eq(blocks[0].count, 0);
    ck_assert_uint_eq(blocks[1].tag, NTFC);
    ck_assert_uint_eq(blocks[1].bytes[0], 8192);
    ck_assert_uint_eq(blocks[2].count, 2);
    ck_assert_uint_eq(blocks[2].bytes[0], 65536);
    ck_assert_uint_eq(blocks[2].blocks[0], 1);
    ck_assert_uint_eq(blocks[2].bytes[1], 4096);
    ck_assert_uint_eq(blocks[2].blocks[1], 2);
    ck_assert_ptr_null(reader.buffer.data);
    poke32(66, 0, 5);
    ck_assert_int_eq(nt_big_blocks(&reader, &arena, tags, 1, &blocks, &count, &err), ST_MALFORMED);
    finish();
}
END_TEST

START_TEST(hundred_thousand_big_blocks_keep_the_heaviest_sizes)
{
    enum { MANY = 100000 };
    static const uint32_t tags[] = {LEAK};
    struct blob_big *many = calloc(MANY, sizeof *many);
    ck_assert_ptr_nonnull(many);
    start(_i);
    for (size_t i = 0; i < MANY; i++)
        many[i] = (struct blob_big){LEAK | (i % 2 ? 0x80000000u : 0), 4096 * (1 + i % 1000)};
    blob_big(fake_kernel_answer(&kernel, 66), arch, many, MANY);
    ck_assert_int_eq(nt_big_blocks(&reader, &arena, tags, 1, &blocks, &count, &err), ST_OK);
    ck_assert_uint_eq(blocks[0].count, LIMIT_BLOCK_SIZES);
    for (size_t i = 0; i < LIMIT_BLOCK_SIZES; i++) {
        ck_assert_uint_eq(blocks[0].bytes[i], 4096 * (1000 - i));
        ck_assert_uint_eq(blocks[0].blocks[i], 100);
    }
    free(many);
    finish();
}
END_TEST

START_TEST(big_blocks_are_never_asked_for_before_5_2)
{
    static const uint32_t tags[LIMIT_BLOCK_TAGS + 1] = {LEAK};
    start_version(_i, 5, 1, 2600);
    fake_kernel_fill(&kernel, 5);
    ck_assert_int_eq(nt_big_blocks(&reader, &arena, tags, 1, &blocks, &count, &err),
                     ST_UNSUPPORTED);
    ck_assert_uint_eq(kernel.answers[66].calls, 0);
    finish();
    start(_i);
    ck_assert_int_eq(
        nt_big_blocks(&reader, &arena, tags, LIMIT_BLOCK_TAGS + 1, &blocks, &count, &err),
        ST_TOO_LARGE);
    finish();
}
END_TEST

/* ---- sessions */

static const struct blob_tag session_tags[] = {{LEAK, {0, 9}, {0, 1}, {0, 4096}},
                                               {NTFC, {0, 9}, {0, 1}, {0, 30000}}};

static enum status read_sessions(struct snapshot_session **sessions)
{
    return nt_sessions(&reader, &arena, sessions, &count, &err);
}

START_TEST(sessions_with_their_paged_bytes)
{
    static const struct blob_session list[] = {{0, NULL, 0}, {9, session_tags, 2}};
    struct snapshot_session *sessions;
    start(_i);
    blob_sessions(fake_kernel_answer(&kernel, 67), arch, list, 2);
    ck_assert_msg(read_sessions(&sessions) == ST_OK, "%s", err.message);
    ck_assert_uint_eq(count, 2);
    ck_assert_int_eq(sessions[0].paged_bytes, 0);
    ck_assert_int_eq(sessions[1].id, 9);
    ck_assert_int_eq(sessions[1].paged_bytes, 34096);
    ck_assert_int_eq(sessions[1].failures, -1);
    finish();
}
END_TEST

START_TEST(sessions_in_another_layout_or_cut_are_malformed)
{
    static const struct blob_session list[] = {{7, session_tags, 2}, {70000, session_tags, 1}};
    static const struct blob_session twice[] = {{7, session_tags, 2}, {7, session_tags, 1}};
    struct snapshot_session *sessions;
    start(_i);
    blob_sessions(fake_kernel_answer(&kernel, 67), arch, list, 1);
    size_t id = _i == NT_X64 ? 8 : 4;
    poke32(67, id, 2); /* count and id the other way round */
    poke32(67, id + 4, 7);
    ck_assert_int_eq(read_sessions(&sessions), ST_MALFORMED);
    blob_sessions(fake_kernel_answer(&kernel, 67), arch, list, 2);
    ck_assert_int_eq(read_sessions(&sessions), ST_MALFORMED);
    blob_sessions(fake_kernel_answer(&kernel, 67), arch, twice, 2);
    ck_assert_int_eq(read_sessions(&sessions), ST_MALFORMED);
    blob_sessions(fake_kernel_answer(&kernel, 67), arch, list, 1);
    for (size_t length = kernel.answers[67].bytes.length - 1; length > 0; length--) {
        kernel.answers[67].bytes.length = length;
        ck_assert_int_eq(read_sessions(&sessions), ST_MALFORMED);
    }
    finish();
}
END_TEST

/* ---- no address */

/* Everything there is into one snapshot, and whether its bytes hold a piece of the marker: four of
 * its bytes in either order, or their hexadecimal text. */
START_TEST(no_kernel_address_comes_out)
{
    static const uint32_t tags[] = {LEAK, NTFC};
    static const struct blob_session list[] = {{9, session_tags, 2}};
    struct snapshot snapshot;
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    start(_i);
    snapshot_init(&snapshot);
    blob_sessions(fake_kernel_answer(&kernel, 67), arch, list, 1);
    ck_assert_int_eq(nt_pool_tags(&reader, &snapshot.arena, snapshot.table, &err), ST_OK);
    ck_assert_int_eq(nt_totals(&reader, &snapshot.totals, &err), ST_OK);
    ck_assert_int_eq(nt_processes(&reader, &snapshot.arena, SIZE_MAX, &snapshot.totals,
                                  &snapshot.processes, &snapshot.process_count, &err),
                     ST_OK);
    ck_assert_int_eq(
        nt_object_types(&reader, &snapshot.arena, &snapshot.objects, &snapshot.object_count, &err),
        ST_OK);
    ck_assert_int_eq(nt_big_blocks(&reader, &snapshot.arena, tags, 2, &snapshot.blocks,
                                   &snapshot.block_count, &err),
                     ST_OK);
    ck_assert_int_eq(
        nt_sessions(&reader, &snapshot.arena, &snapshot.sessions, &snapshot.session_count, &err),
        ST_OK);
    ck_assert_int_eq(nt_modules(&reader, &snapshot.arena, &modules, &count, &err), ST_OK);
    snapshot.has_drivers = true;
    snapshot.driver_count = count;
    snapshot.drivers = arena_alloc(&snapshot.arena, count, sizeof *snapshot.drivers);
    for (size_t i = 0; i < count; i++)
        snapshot.drivers[i].name = modules[i].name;
    snapshot.taken_at_us = 1700000000 * US_PER_SECOND;
    snapshot_cbor_encode(&snapshot, &out);
    ck_assert(!strbuf_failed(&out) && out.length > 1000);
    strbuf_add(&out, modules, count * sizeof *modules);
    uint64_t marker = _i == NT_X64 ? BLOB_ADDRESS_64 : BLOB_ADDRESS_32;
    uint32_t low = (uint32_t)marker;
    uint32_t turned = __builtin_bswap32(low);
    ck_assert_ptr_null(memmem(out.data, out.length, &low, 4));
    ck_assert_ptr_null(memmem(out.data, out.length, &turned, 4));
    ck_assert_ptr_null(memmem(out.data, out.length, "c3d2e1b7", 8));
    /* The blobs do hold it: the test looks for the right thing. */
    ck_assert_ptr_nonnull(memmem(kernel.answers[77].bytes.data, kernel.answers[77].bytes.length,
                                 &marker, _i == NT_X64 ? 8 : 4));
    ck_assert_ptr_nonnull(
        memmem(kernel.answers[66].bytes.data, kernel.answers[66].bytes.length, &low, 4));
    snapshot_done(&snapshot);
    finish();
}
END_TEST

static TCase *add_tcase(Suite *suite, const char *name)
{
    TCase *tcase = tcase_create(name);
    suite_add_tcase(suite, tcase);
    return tcase;
}

Suite *nt_lists_suite(void)
{
    Suite *suite = suite_create("nt_lists");
    TCase *tcase = add_tcase(suite, "processes");
    tcase_add_loop_test(tcase, processes_by_handles_with_totals_and_names_for_the_nameless, 0, 2);
    tcase_add_loop_test(tcase, most_processes_kept_are_the_largest_in_order, 0, 2);
    tcase_add_loop_test(tcase, process_names_outside_the_answer_are_shown_by_number, 0, 2);
    tcase_add_test(tcase, process_names_in_utf16_become_utf8_and_bad_surrogates_are_replaced);
    tcase_add_test(tcase, long_process_name_is_cut_between_characters);
    tcase_add_loop_test(tcase, process_chains_that_cannot_be_are_malformed, 0, 2);
    tcase = add_tcase(suite, "types and handles");
    tcase_add_loop_test(tcase, object_types_with_counts, 0, 2);
    tcase_add_loop_test(tcase, type_names_by_index_told_or_by_place_before_8_1, 0, 2);
    tcase_add_loop_test(tcase, object_types_that_cannot_be_are_malformed, 0, 2);
    tcase_add_loop_test(tcase, object_types_whose_told_length_lacks_padding_are_read, 0, 2);
    tcase_add_loop_test(tcase, handles_by_type_of_one_process_or_all, 0, 2);
    tcase = add_tcase(suite, "modules");
    tcase_add_loop_test(tcase, modules_with_stamps_where_the_kernel_has_class_77, 0, 2);
    tcase_add_loop_test(tcase, modules_without_stamps_by_class_11, 0, 2);
    tcase_add_loop_test(tcase, module_chain_that_contradicts_itself_falls_back_to_class_11, 0, 2);
    tcase_add_loop_test(tcase, module_chain_that_ends_in_the_last_module_is_whole, 0, 2);
    tcase_add_loop_test(tcase, module_names_without_folder_doubled_empty_in_ansi_and_without_end, 0,
                        2);
    tcase = add_tcase(suite, "big blocks and sessions");
    tcase_add_loop_test(tcase, big_blocks_by_size_largest_total_first, 0, 2);
    tcase_add_loop_test(tcase, hundred_thousand_big_blocks_keep_the_heaviest_sizes, 0, 2);
    tcase_add_loop_test(tcase, big_blocks_are_never_asked_for_before_5_2, 0, 2);
    tcase_add_loop_test(tcase, sessions_with_their_paged_bytes, 0, 2);
    tcase_add_loop_test(tcase, sessions_in_another_layout_or_cut_are_malformed, 0, 2);
    tcase = add_tcase(suite, "addresses");
    tcase_add_loop_test(tcase, no_kernel_address_comes_out, 0, 2);
    return suite;
}
