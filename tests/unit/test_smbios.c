/* SPDX-License-Identifier: Apache-2.0 */
/* Firmware tables as machines have them, and as broken or careless firmware writes them. */
#include "agent/core/smbios.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

struct table {
    unsigned char data[1024];
    size_t length;
};

static void add(struct table *table, const void *data, size_t length)
{
    memcpy(table->data + table->length, data, length);
    table->length += length;
}

/* A structure: type, formatted bytes behind the header, texts joined by NUL and ended by another.
 */
static void structure(struct table *table, unsigned char type, const unsigned char *formatted,
                      size_t formatted_length, const char *texts, size_t texts_length)
{
    unsigned char header[4] = {type, (unsigned char)(4 + formatted_length), 1, 0};
    add(table, header, sizeof header);
    add(table, formatted, formatted_length);
    add(table, texts, texts_length);
    add(table, "\0", texts_length == 0 ? 2 : 1);
}
#define TEXTS(text) text, sizeof(text)

static const unsigned char uuid[16] = {0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde, 0xf0,
                                       0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88};

static void system_structure(struct table *table, const unsigned char *id, const char *texts,
                             size_t length)
{
    unsigned char formatted[23] = {1, 2, 3, 4};
    memcpy(formatted + 4, id, 16);
    structure(table, 1, formatted, sizeof formatted, texts, length);
}

static struct table whole(void)
{
    struct table table = {.length = 0};
    static const unsigned char bios[20] = {1, 2, 0, 0, 3};
    static const unsigned char board[11] = {1, 2, 3, 4};
    structure(&table, 0, bios, sizeof bios, TEXTS("Dell Inc.\0002.19.1\00001/02/2025"));
    system_structure(&table, uuid, TEXTS("Dell Inc.\0PowerEdge R650 \0v1\0SVC123"));
    structure(&table, 2, board, sizeof board, TEXTS("Dell Inc.\0000ABC\0A01\0.SVC123.CN7"));
    structure(&table, 127, (const unsigned char *)"", 0, "", 0);
    return table;
}

START_TEST(smbios_of_a_server_gives_maker_model_bios_and_both_numbers)
{
    struct smbios smbios;
    struct table table = whole();
    smbios_read(table.data, table.length, &smbios);
    ck_assert_str_eq(smbios.bios_vendor, "Dell Inc.");
    ck_assert_str_eq(smbios.bios_version, "2.19.1");
    ck_assert_str_eq(smbios.vendor, "Dell Inc.");
    ck_assert_str_eq(smbios.model, "PowerEdge R650"); /* trimmed */
    ck_assert_str_eq(smbios.board_serial, ".SVC123.CN7");
    ck_assert(smbios.has_uuid);
    ck_assert_mem_eq(smbios.uuid, uuid, sizeof uuid);
}
END_TEST

START_TEST(smbios_takes_the_first_of_two_systems)
{
    struct smbios smbios;
    struct table table = {.length = 0};
    static const unsigned char other[16] = {9, 8, 7, 6};
    system_structure(&table, uuid, TEXTS("First\0One\0v\0s"));
    system_structure(&table, other, TEXTS("Second\0Two\0v\0s"));
    smbios_read(table.data, table.length, &smbios);
    ck_assert_str_eq(smbios.model, "One");
    ck_assert_mem_eq(smbios.uuid, uuid, sizeof uuid);
}
END_TEST

static const char *const placeholders[] = {"To Be Filled By O.E.M.",
                                           "Default string",
                                           "None",
                                           "00000000",
                                           "N/A",
                                           "0123456789",
                                           "xxxxxxxx",
                                           "  "};

START_TEST(smbios_placeholder_text_is_unknown)
{
    struct smbios smbios;
    struct table table = {.length = 0};
    static const unsigned char board[11] = {0, 0, 0, 1};
    structure(&table, 2, board, sizeof board, placeholders[_i], strlen(placeholders[_i]) + 1);
    smbios_read(table.data, table.length, &smbios);
    ck_assert_str_eq(smbios.board_serial, "");
}
END_TEST

static const unsigned char bad_uuids[][16] = {
    {0},
    {255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255},
    {0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0, 8, 0, 9},
};

START_TEST(smbios_placeholder_uuid_is_unknown)
{
    struct smbios smbios;
    struct table table = {.length = 0};
    system_structure(&table, bad_uuids[_i], TEXTS("Maker\0Model\0v\0s"));
    smbios_read(table.data, table.length, &smbios);
    ck_assert(!smbios.has_uuid);
    ck_assert_str_eq(smbios.model, "Model");
}
END_TEST

START_TEST(smbios_text_number_beyond_the_texts_is_unknown)
{
    struct smbios smbios;
    struct table table = {.length = 0};
    static const unsigned char system[23] = {9, 255, 0, 0};
    structure(&table, 1, system, sizeof system, TEXTS("only one"));
    smbios_read(table.data, table.length, &smbios);
    ck_assert_str_eq(smbios.vendor, "");
    ck_assert_str_eq(smbios.model, "");
}
END_TEST

START_TEST(smbios_formatted_area_too_short_for_a_field_leaves_it_unknown)
{
    struct smbios smbios;
    struct table table = {.length = 0};
    static const unsigned char system[1] = {1};
    structure(&table, 1, system, sizeof system, TEXTS("Maker\0Model"));
    smbios_read(table.data, table.length, &smbios);
    ck_assert_str_eq(smbios.vendor, "Maker");
    ck_assert_str_eq(smbios.model, "");
    ck_assert(!smbios.has_uuid);
}
END_TEST

START_TEST(smbios_structure_shorter_than_its_header_ends_the_reading)
{
    struct smbios smbios;
    static const unsigned char table[] = {1, 0, 0, 0, 1, 0, 0, 0};
    smbios_read(table, sizeof table, &smbios);
    ck_assert_str_eq(smbios.vendor, "");
}
END_TEST

START_TEST(smbios_control_characters_become_blanks)
{
    struct smbios smbios;
    struct table table = {.length = 0};
    system_structure(&table, uuid, TEXTS("A\x1b[31mB\xff\0Model\0v\0s"));
    smbios_read(table.data, table.length, &smbios);
    ck_assert_str_eq(smbios.vendor, "A [31mB");
}
END_TEST

/* In memory of exactly its length, so that a read past the end is seen. */
START_TEST(smbios_cut_or_with_any_byte_changed_is_never_read_past_its_end)
{
    struct table table = whole();
    struct smbios smbios;
    for (size_t length = 0; length <= table.length; length++) {
        unsigned char *copy = malloc(length + 1);
        memcpy(copy, table.data, length);
        smbios_read(copy, length, &smbios);
        free(copy);
    }
    unsigned char *copy = malloc(table.length);
    for (size_t i = 0; i < table.length * 256; i++) {
        memcpy(copy, table.data, table.length);
        copy[i / 256] = (unsigned char)i;
        smbios_read(copy, table.length, &smbios);
        ck_assert_uint_lt(strlen(smbios.vendor), SMBIOS_TEXT_MAX);
    }
    free(copy);
}
END_TEST

Suite *smbios_suite(void);

Suite *smbios_suite(void)
{
    Suite *suite = suite_create("smbios");
    TCase *tc = tcase_create("smbios");
    tcase_add_test(tc, smbios_of_a_server_gives_maker_model_bios_and_both_numbers);
    tcase_add_test(tc, smbios_takes_the_first_of_two_systems);
    tcase_add_loop_test(tc, smbios_placeholder_text_is_unknown, 0,
                        sizeof placeholders / sizeof placeholders[0]);
    tcase_add_loop_test(tc, smbios_placeholder_uuid_is_unknown, 0,
                        sizeof bad_uuids / sizeof bad_uuids[0]);
    tcase_add_test(tc, smbios_text_number_beyond_the_texts_is_unknown);
    tcase_add_test(tc, smbios_formatted_area_too_short_for_a_field_leaves_it_unknown);
    tcase_add_test(tc, smbios_structure_shorter_than_its_header_ends_the_reading);
    tcase_add_test(tc, smbios_control_characters_become_blanks);
    tcase_add_test(tc, smbios_cut_or_with_any_byte_changed_is_never_read_past_its_end);
    suite_add_tcase(suite, tc);
    return suite;
}
