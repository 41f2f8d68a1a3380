/* SPDX-License-Identifier: Apache-2.0 */
/* Headers, version resource and symbol record of PE files, whole, cut off and hostile. */
#include "agent/pe/pe.h"
#include "common/utf8.h"
#include "tests/support/pe_builder.h"

#include <check.h>

Suite *pe_suite(void);

#define COUNT(array) (sizeof(array) / sizeof *(array))

static struct pe_builder builder;
static struct pe pe;
static struct pe_facts facts;

static void open_image(void)
{
    struct err err = {0};
    ck_assert_msg(pe_open(builder.data, sizeof builder.data, &pe, &err) == ST_OK, "%s",
                  err.message);
}

/* ---- headers ---------------------------------------------------------------- */

START_TEST(open_reads_headers_of_each_machine)
{
    const enum pe_machine machine = (enum pe_machine)_i;
    builder_init(&builder, machine);
    open_image();
    ck_assert_int_eq(pe.machine, machine);
    ck_assert_int_eq(pe.is64, machine != PE_X86);
    ck_assert_uint_eq(pe.stamp, 0x5f000000);
    ck_assert_uint_eq(pe.checksum, 0x1234);
    ck_assert_uint_eq(pe.image_bytes, 0x4000);
    ck_assert_uint_eq(pe.entry, BUILDER_CODE);
    ck_assert_uint_eq(pe.image_base, BUILDER_BASE);
    ck_assert(!pe.reproducible);
    ck_assert_uint_eq(pe.section_count, 3);
    ck_assert_str_eq(pe.sections[0].name, ".text");
    ck_assert(pe.sections[0].executable && !pe.sections[0].writable);
    ck_assert(!pe.sections[2].executable && pe.sections[2].writable);
    ck_assert_uint_eq(pe.sections[1].offset, 0x1400);
    ck_assert_uint_eq(pe.sections[1].length, BUILDER_SECTION);
}
END_TEST

/* One broken header field, by file offset, and what the message says. */
static const struct {
    size_t offset, size;
    uint32_t value;
    const char *message;
} BROKEN[] = {
    {0, 2, 0x4d5a, "no DOS header"},
    {60, 4, 0xfffffff0, "no PE header"},
    {60, 4, BUILDER_BYTES - 23, "no PE header"},
    {BUILDER_PE, 4, 0x454e, "no PE header"},
    {BUILDER_PE + 20, 2, 40, "optional header is cut off"},
    {BUILDER_PE + 20, 2, 0xffff, "optional header is cut off"},
    {BUILDER_OPTIONAL, 2, 0x107, "unknown magic 0x107"},
    {BUILDER_OPTIONAL, 2, 0x10b, "machine and magic disagree"},
    {BUILDER_PE + 4, 2, 0x14c, "machine and magic disagree"},
    {BUILDER_PE + 6, 2, 97, "97 sections"},
    {BUILDER_PE + 6, 2, 65535, "65535 sections"},
};

START_TEST(open_broken_header_is_refused_with_its_reason)
{
    struct err err = {0};
    struct pe before;
    memset(&pe, 0x5a, sizeof pe);
    before = pe;
    builder_init(&builder, PE_X64);
    builder_patch(&builder, BROKEN[_i].offset, BROKEN[_i].size, BROKEN[_i].value);
    ck_assert_int_eq(pe_open(builder.data, sizeof builder.data, &pe, &err), ST_MALFORMED);
    ck_assert_msg(strstr(err.message, BROKEN[_i].message) != NULL, "%s", err.message);
    ck_assert_mem_eq(&pe, &before, sizeof pe);
}
END_TEST

START_TEST(open_unknown_machine_is_other)
{
    builder_init(&builder, PE_X64);
    builder_patch(&builder, BUILDER_PE + 4, 2, 0x200);
    open_image();
    ck_assert_int_eq(pe.machine, PE_OTHER);
}
END_TEST

START_TEST(open_file_cut_anywhere_is_refused_or_read_without_its_end)
{
    builder_init(&builder, PE_X64);
    for (size_t length = 0; length < sizeof builder.data; length += length < 0x600 ? 1 : 61) {
        unsigned char *copy =
            malloc(length + (length == 0)); /* so that a read past the end shows */
        ck_assert_ptr_nonnull(copy);
        memcpy(copy, builder.data, length);
        struct err err = {0};
        enum status status = pe_open(copy, length, &pe, &err);
        bool headers = length >= BUILDER_OPTIONAL + 240 + 3 * 40;
        ck_assert_int_eq(status, headers ? ST_OK : ST_MALFORMED);
        if (headers) {
            pe_facts(&pe, &facts);
            for (size_t i = 0; i < 3; i++)
                ck_assert_uint_le(pe.sections[i].offset + pe.sections[i].length, length);
        }
        free(copy);
    }
}
END_TEST

START_TEST(section_past_the_end_is_clamped)
{
    builder_init(&builder, PE_X64);
    size_t header = builder_section_header(&builder, 0);
    builder_patch(&builder, header + 8, 4, 0xffffffff);
    builder_patch(&builder, header + 16, 4, 0xffffffff);
    builder_patch(&builder, header + 40 + 20, 4, 0xfffffff0);
    builder_patch(&builder, header + 80 + 12, 4, 0xfffffff0);
    open_image();
    ck_assert_uint_eq(pe.sections[0].length, BUILDER_BYTES - 0x400);
    ck_assert_uint_eq(pe.sections[1].length, 0);
    ck_assert_uint_eq(pe.sections[2].length, 15); /* up to the last address there is */
    ck_assert_uint_eq(pe_offset(&pe, 0xfffffff0, 15), 0x2400);
    ck_assert_uint_eq(pe_offset(&pe, 0xfffffff0, 16), SIZE_MAX);
}
END_TEST

START_TEST(raw_bytes_past_the_virtual_size_are_not_mapped)
{
    builder_init(&builder, PE_X64);
    builder_patch(&builder, builder_section_header(&builder, 0) + 8, 4, 0x123);
    open_image();
    ck_assert_uint_eq(pe.sections[0].length, 0x123);
}
END_TEST

START_TEST(offset_only_inside_one_section_or_the_headers)
{
    builder_init(&builder, PE_X64);
    open_image();
    ck_assert_uint_eq(pe_offset(&pe, BUILDER_CODE, BUILDER_SECTION), 0x400);
    ck_assert_uint_eq(pe_offset(&pe, BUILDER_CODE, BUILDER_SECTION + 1), SIZE_MAX);
    ck_assert_uint_eq(pe_offset(&pe, BUILDER_CODE + 0xfff, 1), 0x13ff);
    ck_assert_uint_eq(pe_offset(&pe, BUILDER_DATA + BUILDER_SECTION, 0), SIZE_MAX);
    ck_assert_uint_eq(pe_offset(&pe, BUILDER_CODE, SIZE_MAX), SIZE_MAX);
    ck_assert_uint_eq(pe_offset(&pe, 0, 64), 0);
    ck_assert_uint_eq(pe_offset(&pe, 0x3ff, 2), SIZE_MAX);
}
END_TEST

START_TEST(directory_count_is_clamped_to_sixteen_and_to_the_header)
{
    builder_init(&builder, PE_X64);
    builder_directory(&builder, 15, 7, 8);
    builder_patch(&builder, BUILDER_OPTIONAL + 108, 4, 0xffffffff);
    open_image();
    ck_assert_uint_eq(pe.directory[15].address, 7);
    builder_patch(&builder, BUILDER_OPTIONAL + 108, 4, 3);
    open_image();
    ck_assert_uint_eq(pe.directory[15].address, 0);
}
END_TEST

/* ---- symbols ---------------------------------------------------------------- */

/* A debug directory with a REPRO entry and an RSDS record, path and age given. */
static void add_debug(const char *path, size_t path_bytes, uint32_t age)
{
    static const unsigned char GUID[16] = {0x78, 0x56, 0x34, 0x12, 0xbc, 0x9a, 0xf0, 0xde,
                                           0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0xff};
    uint32_t record = BUILDER_FREE + 0x100;
    builder_directory(&builder, 6, BUILDER_FREE, 56);
    builder_put32(&builder, BUILDER_FREE + 12, 16);
    builder_put32(&builder, BUILDER_FREE + 28 + 12, 2);
    builder_put32(&builder, BUILDER_FREE + 28 + 16, (uint32_t)(24 + path_bytes));
    builder_put32(&builder, BUILDER_FREE + 28 + 24,
                  (uint32_t)(builder_at(&builder, record) - builder.data));
    memcpy(builder_at(&builder, record), "RSDS", 4);
    memcpy(builder_at(&builder, record + 4), GUID, sizeof GUID);
    builder_put32(&builder, record + 20, age);
    memcpy(builder_at(&builder, record + 24), path, path_bytes);
}

static const struct {
    const char *path, *name;
} PATHS[] = {
    {"amda.pdb", "amda.pdb"},
    {"C:\\Users\\jane.doe\\src\\amda.pdb", "amda.pdb"},
    {"/home/jane/amda.pdb", "amda.pdb"},
    {"C:amda.pdb", "amda.pdb"},
    {"D:\\x\\my driver+1.pdb", "my driver+1.pdb"},
    {"D:\\x\\<b>\"\x01\xc3\xa9.pdb", "_b_____.pdb"},
};

START_TEST(symbols_are_name_guid_and_age_without_the_folder)
{
    char expected[80];
    builder_init(&builder, PE_X64);
    add_debug(PATHS[_i].path, strlen(PATHS[_i].path) + 1, 0x1a);
    open_image();
    pe_facts(&pe, &facts);
    snprintf(expected, sizeof expected,
             "%s/123456789ABCDEF0010203040506"
             "07FF1a",
             PATHS[_i].name);
    ck_assert_str_eq(facts.symbols, expected);
    ck_assert(pe.reproducible);
}
END_TEST

START_TEST(symbols_without_a_usable_name_are_empty)
{
    char longer[200];
    memset(longer, 'a', sizeof longer);
    longer[sizeof longer - 1] = '\0';
    const struct {
        const char *path;
        size_t bytes;
    } odd[] = {{"", 1}, {"C:\\x\\", 6}, {"no end", 6}, {longer, sizeof longer}, {"", 0}};
    for (size_t i = 0; i < COUNT(odd); i++) {
        builder_init(&builder, PE_X64);
        add_debug(odd[i].path, odd[i].bytes, 1);
        open_image();
        pe_facts(&pe, &facts);
        ck_assert_str_eq(facts.symbols, "");
    }
}
END_TEST

START_TEST(symbols_record_outside_the_file_is_ignored)
{
    builder_init(&builder, PE_X64);
    add_debug("amda.pdb", 9, 1);
    builder_put32(&builder, BUILDER_FREE + 28 + 24, BUILDER_BYTES - 3);
    builder_put32(&builder, BUILDER_FREE + 28 + 16, 0xffffffff);
    builder_directory(&builder, 6, BUILDER_FREE, 0xffffffff);
    open_image();
    pe_facts(&pe, &facts);
    ck_assert_str_eq(facts.symbols, "");
}
END_TEST

/* ---- version ---------------------------------------------------------------- */

static uint32_t cursor; /* where the next block goes */

static uint32_t begin_block(const char *key, uint16_t value_length, uint16_t text)
{
    cursor = (cursor + 3) & ~3u;
    uint32_t start = cursor;
    builder_put16(&builder, start + 2, value_length);
    builder_put16(&builder, start + 4, text);
    cursor += 6;
    for (size_t i = 0; i <= strlen(key); i++, cursor += 2)
        builder_put16(&builder, cursor, (uint16_t)(unsigned char)key[i]);
    cursor = (cursor + 3) & ~3u;
    return start;
}

static void end_block(uint32_t start)
{
    builder_put16(&builder, start, (uint16_t)(cursor - start));
}

static void add_text(const char *key, const uint16_t *text, size_t units)
{
    uint32_t start = begin_block(key, (uint16_t)units, 1);
    for (size_t i = 0; i < units; i++, cursor += 2)
        builder_put16(&builder, cursor, text[i]);
    end_block(start);
}

static void add_ascii(const char *key, const char *text)
{
    uint16_t wide[300];
    size_t units = strlen(text) + 1;
    ck_assert_uint_le(units, COUNT(wide));
    for (size_t i = 0; i < units; i++)
        wide[i] = (unsigned char)text[i];
    add_text(key, wide, units);
}

/* The tree type / name / language down to one version block, which is left open. */
static uint32_t begin_version(void)
{
    uint32_t root = BUILDER_FREE, data = BUILDER_FREE + 0x80;
    builder_directory(&builder, 2, root, 0x700);
    for (uint32_t level = 0; level < 3; level++) {
        uint32_t at = root + level * 24;
        builder_put16(&builder, at + 14, 1);
        builder_put32(&builder, at + 16, level == 0 ? 16 : level == 1 ? 1 : 0x407);
        builder_put32(&builder, at + 20, level == 2 ? 72 : 0x80000000 | (level + 1) * 24);
    }
    builder_put32(&builder, root + 72, data);
    builder_put32(&builder, root + 76, 0x700);
    cursor = data;
    uint32_t start = begin_block("VS_VERSION_INFO", 52, 0);
    builder_put32(&builder, cursor, 0xfeef04bd);
    builder_put32(&builder, cursor + 8, 32u << 16);
    builder_put32(&builder, cursor + 12, 11002u << 16 | 41);
    cursor += 52;
    return start;
}

START_TEST(version_takes_numbers_from_the_fixed_part_and_english_texts)
{
    builder_init(&builder, PE_X64);
    uint32_t version = begin_version(), file = begin_block("StringFileInfo", 0, 1);
    uint32_t german = begin_block("040704B0", 0, 1);
    add_ascii("CompanyName", "Beispiel");
    add_ascii("ProductName", "only german");
    end_block(german);
    uint32_t english = begin_block("040904b0", 0, 1);
    add_ascii("CompanyName", "Example");
    add_ascii("FileVersion", "1.0 (stale)");
    add_ascii("OriginalFilename", "amda.sys  ");
    end_block(english);
    end_block(file);
    end_block(version);
    open_image();
    pe_facts(&pe, &facts);
    ck_assert_str_eq(facts.version, "32.0.11002.41");
    ck_assert_str_eq(facts.company, "Example");
    ck_assert_str_eq(facts.original_name, "amda.sys");
    ck_assert_str_eq(facts.product, "only german");
    ck_assert_str_eq(facts.description, "");
}
END_TEST

static void read_description(const uint16_t *text, size_t units)
{
    builder_init(&builder, PE_X64);
    uint32_t version = begin_version(), file = begin_block("StringFileInfo", 0, 1);
    uint32_t table = begin_block("000004B0", 0, 1);
    add_text("FileDescription", text, units);
    end_block(table);
    end_block(file);
    end_block(version);
    open_image();
    pe_facts(&pe, &facts);
    ck_assert(utf8_valid(facts.description, strlen(facts.description)));
}

START_TEST(text_pairs_lone_surrogates_and_controls_become_valid_utf8)
{
    static const uint16_t TEXT[] = {'a', 0xd83d, 0xde00, 0xd800, 'b', 0xdc00, 7, 0x20ac, 0xd801, 0};
    read_description(TEXT, COUNT(TEXT));
    ck_assert_str_eq(facts.description, "a\xf0\x9f\x98\x80\xef\xbf\xbd"
                                        "b\xef\xbf\xbd \xe2\x82\xac\xef\xbf\xbd");
}
END_TEST

START_TEST(text_too_long_is_cut_at_a_characters_edge)
{
    uint16_t text[200];
    for (size_t i = 0; i < COUNT(text); i++)
        text[i] = 0x20ac; /* three bytes each; 256 is not a multiple of three */
    read_description(text, COUNT(text));
    ck_assert_uint_eq(strlen(facts.description), 255);
    text[0] = 'x';
    read_description(text, COUNT(text));
    ck_assert_uint_eq(strlen(facts.description), 256);
    for (size_t i = 0; i < COUNT(text); i++)
        text[i] = 0xe9; /* two bytes each, then one that just does not fit */
    text[127] = 'x';
    read_description(text, COUNT(text));
    ck_assert_uint_eq(strlen(facts.description), 255);
    for (size_t i = 0; i < COUNT(text); i++)
        text[i] = i < 128 ? 0xe9 : 'y';
    read_description(text, COUNT(text));
    ck_assert_uint_eq(strlen(facts.description), 256);
}
END_TEST

START_TEST(version_blocks_that_lie_about_their_length_end_the_walk)
{
    static const uint16_t LENGTHS[] = {0, 7, 8, 0x20, 0xffff};
    for (size_t i = 0; i < COUNT(LENGTHS); i++) {
        builder_init(&builder, PE_X64);
        uint32_t version = begin_version(), file = begin_block("StringFileInfo", 0, 1);
        uint32_t table = begin_block("040904B0", 0xffff, 1);
        add_ascii("CompanyName", "Example");
        end_block(table);
        end_block(file);
        end_block(version);
        const uint32_t blocks[] = {version, file, table};
        for (size_t b = 0; b < COUNT(blocks); b++) {
            struct pe_builder whole = builder;
            builder_put16(&builder, blocks[b], LENGTHS[i]);
            open_image();
            pe_facts(&pe, &facts);
            ck_assert(facts.company[0] == '\0' || strcmp(facts.company, "Example") == 0);
            builder = whole;
        }
    }
}
END_TEST

START_TEST(resource_tree_that_points_to_itself_or_away_gives_nothing)
{
    builder_init(&builder, PE_X64);
    end_block(begin_version());
    struct pe_builder whole = builder;
    static const uint32_t TARGETS[] = {0, 0x80000000, 0x7fffffff, 0xffffffff, 0xfff};
    for (size_t i = 0; i < COUNT(TARGETS); i++) {
        for (uint32_t level = 0; level < 3; level++) {
            builder = whole;
            builder_put32(&builder, BUILDER_FREE + level * 24 + 20, TARGETS[i]);
            builder_put16(&builder, BUILDER_FREE + level * 24 + 12, 0xffff);
            open_image();
            pe_facts(&pe, &facts);
            ck_assert_str_eq(facts.company, "");
        }
    }
    builder = whole;
    builder_put32(&builder, BUILDER_FREE + 76, 0xffffffff); /* the data's length */
    open_image();
    pe_facts(&pe, &facts);
    ck_assert_str_eq(facts.version, "");
}
END_TEST

Suite *pe_suite(void)
{
    Suite *suite = suite_create("pe");
    TCase *tc = tcase_create("headers");
    tcase_add_loop_test(tc, open_reads_headers_of_each_machine, PE_X86, PE_OTHER);
    tcase_add_loop_test(tc, open_broken_header_is_refused_with_its_reason, 0, COUNT(BROKEN));
    tcase_add_test(tc, open_unknown_machine_is_other);
    tcase_add_test(tc, open_file_cut_anywhere_is_refused_or_read_without_its_end);
    tcase_add_test(tc, section_past_the_end_is_clamped);
    tcase_add_test(tc, raw_bytes_past_the_virtual_size_are_not_mapped);
    tcase_add_test(tc, offset_only_inside_one_section_or_the_headers);
    tcase_add_test(tc, directory_count_is_clamped_to_sixteen_and_to_the_header);
    suite_add_tcase(suite, tc);
    tc = tcase_create("facts");
    tcase_add_loop_test(tc, symbols_are_name_guid_and_age_without_the_folder, 0, COUNT(PATHS));
    tcase_add_test(tc, symbols_without_a_usable_name_are_empty);
    tcase_add_test(tc, symbols_record_outside_the_file_is_ignored);
    tcase_add_test(tc, version_takes_numbers_from_the_fixed_part_and_english_texts);
    tcase_add_test(tc, text_pairs_lone_surrogates_and_controls_become_valid_utf8);
    tcase_add_test(tc, text_too_long_is_cut_at_a_characters_edge);
    tcase_add_test(tc, version_blocks_that_lie_about_their_length_end_the_walk);
    tcase_add_test(tc, resource_tree_that_points_to_itself_or_away_gives_nothing);
    suite_add_tcase(suite, tc);
    return suite;
}
