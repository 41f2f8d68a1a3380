/* SPDX-License-Identifier: Apache-2.0 */
/* The tag scanner on code written byte by byte. What real compilers make of real drivers is checked
 * by scripts/check_drivers.sh. */
#include "agent/pe/tag_scan.h"
#include "agent/pe/x86_decode.h"
#include "common/tag.h"
#include "tests/support/pe_builder.h"

#include <check.h>

Suite *tag_scan_suite(void);

#define LEAK         0x6b61654cu /* "Leak": 4C 65 61 6B */
#define COUNT(array) (sizeof(array) / sizeof *(array))
#define TEXT(a, b, c, d)                                                                           \
    ((uint32_t)(a) | (uint32_t)(b) << 8 | (uint32_t)(c) << 16 | (uint32_t)(d) << 24)

static struct pe_builder builder;
static struct pe pe;
static struct tag_scan scan;

static void open_image(void)
{
    struct err err = {0};
    ck_assert_msg(pe_open(builder.data, sizeof builder.data, &pe, &err) == ST_OK, "%s",
                  err.message);
}

static void extract(const char *service)
{
    open_image();
    tag_scan(&pe, NULL, 0, NULL, 0, service, &scan);
}

static void want(uint32_t tag)
{
    open_image();
    tag_scan(&pe, &tag, 1, NULL, 0, NULL, &scan);
}

/* ---- x86 and x64: one snippet a row ----------------------------------------- */

enum { NOTHING = -1 };

struct snippet {
    const char *name;
    const char *api;
    const char *hex;
    int evidence; /* of "Leak" when asked for; NOTHING: no hit */
};

static const struct snippet X64[] = {
    {"r8d and call", "ExAllocatePoolWithTag", "41B8 4C65616B FF15 %s C3", TAG_CALL},
    {"call with a REX prefix and its nop", "ExAllocatePool2",
     "41B8 4C65616B 48FF15 %s 0F1F440000 C3", TAG_CALL},
    {"tail jump", "ExAllocatePool3", "41B8 4C65616B 48FF25 %s", TAG_CALL},
    {"edx of a free", "ExFreePoolWithTag", "BA 4C65616B FF15 %s C3", TAG_CALL},
    {"r9d of the filter manager's", "FltAllocatePoolAlignedWithTag", "41B9 4C65616B FF15 %s C3",
     TAG_CALL},
    {"sixth argument", "ExInitializeNPagedLookasideList", "C7442428 4C65616B FF15 %s C3", TAG_CALL},
    {"seventh argument", "ExInitializeLookasideListEx", "C7442430 4C65616B FF15 %s C3", TAG_CALL},
    {"sixth slot of a seven-argument call", "ExInitializeLookasideListEx",
     "C7442428 4C65616B FF15 %s C3", TAG_CODE},
    {"another register", "ExAllocatePoolWithTag", "BF 4C65616B 448BC7 FF15 %s C3", TAG_CALL},
    {"register that survives a call", "ExAllocatePoolWithTag",
     "BF 4C65616B E8 00000000 448BC7 FF15 %s C3", TAG_CALL},
    {"register that does not survive a call", "ExAllocatePoolWithTag",
     "41B8 4C65616B E8 00000000 FF15 %s C3", TAG_CODE},
    {"register written again", "ExAllocatePoolWithTag", "41B8 4C65616B 4489C0 4533C0 FF15 %s C3",
     TAG_CODE},
    {"register loaded again from memory", "ExAllocatePoolWithTag",
     "41B8 4C65616B 448B01 FF15 %s C3", TAG_CODE},
    {"wrong register", "ExAllocatePoolWithTag", "BA 4C65616B FF15 %s C3", TAG_CODE},
    {"through the stack", "ExAllocatePoolWithTag", "55 4889E5 C745FC 4C65616B 448B45FC FF15 %s C3",
     TAG_CALL},
    {"protected bit", "ExAllocatePoolWithTag", "41B8 4C6561EB FF15 %s C3", TAG_CALL},
    {"branch joins", "ExAllocatePoolWithTag",
     "85C9 7408 41B8 4C65616B EB06 41B8 4F746872 FF15 %s C3", TAG_CALL},
    {"conditional move", "ExAllocatePoolWithTag",
     "41B8 4F746872 B8 4C65616B 85C9 440F44C0 FF15 %s C3", TAG_CALL},
    {"slot loaded into a register", "ExAllocatePoolWithTag", "488B05 %s 41B8 4C65616B FFD0 C3",
     TAG_CALL},
    {"comparisons of the register", "ExAllocatePoolWithTag",
     "41B8 4C65616B 443BC1 4439C1 4585C0 FF15 %s C3", TAG_CALL},
    {"jump over a return", "ExAllocatePoolWithTag", "41B8 4C65616B 85C9 7401 C3 FF15 %s C3",
     TAG_CALL},
    {"stack slot whose address a callee had", "ExAllocatePoolWithTag",
     "C7442430 4C65616B 488D4C2428 E8 00000000 448B442430 FF15 %s C3", TAG_CODE},
    {"comparison", "ExAllocatePoolWithTag", "4181F8 4C65616B 7406 FF15 %s C3", TAG_BYTES},
    {"comparison with memory", "ExAllocatePoolWithTag", "817C2428 4C65616B 7406 FF15 %s C3",
     TAG_BYTES},
    {"inside another instruction", "ExAllocatePoolWithTag", "0F1F80 4C65616B FF15 %s C3",
     TAG_BYTES},
    {"after the return", "ExAllocatePoolWithTag", "41B8 4C65616B C3 FF15 %s C3", TAG_CODE},
    {"call of another slot", "ExAllocatePoolWithTag", "41B8 4C65616B FF15 00000000 8B05 %s C3",
     TAG_CODE},
    {"no allocator at all", "ObDereferenceObjectDeferDeleteWithTag", "BA 4C65616B FF15 %s C3",
     TAG_BYTES},
};

static const struct snippet X86[] = {
    {"pushes", "ExAllocatePoolWithTag", "68 4C65616B 6A10 6A00 FF15 %s C3", TAG_CALL},
    {"stores, as gcc does", "ExAllocatePoolWithTag",
     "83EC1C C7442408 4C65616B C7442404 10000000 C7042400000000 FF15 %s C3", TAG_CALL},
    {"64-bit flags take two words", "ExAllocatePool2", "68 4C65616B 6A10 6A00 6A40 FF15 %s C3",
     TAG_CALL},
    {"tag pushed as the size", "ExAllocatePoolWithTag", "6A01 68 4C65616B 6A00 FF15 %s C3",
     TAG_CODE},
    {"slot in esi, called twice", "ExAllocatePoolWithTag",
     "8B35 %s 6A31 6A10 6A00 FFD6 68 4C65616B 6A10 6A00 FFD6 C3", TAG_CALL},
    {"slot in eax by its short form", "ExAllocatePoolWithTag",
     "A1 %s 68 4C65616B 6A10 6A00 FFD0 C3", TAG_CALL},
    {"pushed register", "ExAllocatePoolWithTag", "BB 4C65616B 53 6A10 6A00 FF15 %s C3", TAG_CALL},
    {"free", "ExFreePoolWithTag", "68 4C65616B 50 FF15 %s C3", TAG_CALL},
    {"comparison", "ExAllocatePoolWithTag", "3D 4C65616B FF15 %s C3", TAG_BYTES},
};

static void check_snippet(enum pe_machine machine, const struct snippet *snippet)
{
    builder_init(&builder, machine);
    uint32_t slot = builder_import(&builder, snippet->api);
    builder_code(&builder, snippet->hex, slot);
    want(LEAK);
    int evidence = scan.count == 0 ? NOTHING : (int)scan.hits[0].evidence;
    ck_assert_msg(evidence == snippet->evidence, "%s: evidence %d", snippet->name, evidence);
    ck_assert_str_eq(scan.hits[0].api, evidence == TAG_CALL ? snippet->api : "");
    extract(NULL); /* without asking, only strong evidence counts */
    bool listed = false;
    for (size_t i = 0; i < scan.count; i++)
        listed |= scan.hits[i].tag == LEAK;
    ck_assert_msg(listed == (snippet->evidence == TAG_CALL), "%s: extraction", snippet->name);
}

START_TEST(x64_snippet_gives_its_evidence)
{
    check_snippet(PE_X64, &X64[_i]);
}
END_TEST

START_TEST(x86_snippet_gives_its_evidence)
{
    check_snippet(PE_X86, &X86[_i]);
}
END_TEST

/* ---- ARM64 ------------------------------------------------------------------ */

#define MOVZ(rd, half)      (0x52800000u | (uint32_t)(half) << 5 | (rd))
#define MOVK_HIGH(rd, half) (0x72a00000u | (uint32_t)(half) << 5 | (rd))
#define MOVZ_HIGH(rd, half) (0x52a00000u | (uint32_t)(half) << 5 | (rd))
#define MOVK_LOW(rd, half)  (0x72800000u | (uint32_t)(half) << 5 | (rd))
#define MOV(rd, rm)         (0x2a0003e0u | (uint32_t)(rm) << 16 | (rd))
#define BLR(rn)             (0xd63f0000u | (uint32_t)(rn) << 5)
#define RET                 0xd65f03c0u
#define NOP                 0xd503201fu

struct arm64_snippet {
    const char *name, *api;
    uint32_t words[6];
    int evidence;
};

/* The words, then the slot's load into x9 and its call. */
static const struct arm64_snippet ARM64[] = {
    {"pair", "ExAllocatePoolWithTag", {MOVZ(2, 0x654c), MOVK_HIGH(2, 0x6b61)}, TAG_CALL},
    {"high half first", "ExAllocatePool2", {MOVZ_HIGH(2, 0x6b61), MOVK_LOW(2, 0x654c)}, TAG_CALL},
    {"others in between",
     "ExAllocatePoolWithTag",
     {MOVZ(2, 0x654c), MOVZ(1, 64), NOP, MOVZ(0, 1), MOVK_HIGH(2, 0x6b61)},
     TAG_CALL},
    {"halves in different registers",
     "ExAllocatePoolWithTag",
     {MOVZ(2, 0x654c), MOVK_HIGH(3, 0x6b61)},
     NOTHING},
    {"register written in between",
     "ExAllocatePoolWithTag",
     {MOVZ(2, 0x654c), MOVZ(2, 7), MOVK_HIGH(2, 0x6b61)},
     NOTHING},
    {"register written after",
     "ExAllocatePoolWithTag",
     {MOVZ(2, 0x654c), MOVK_HIGH(2, 0x6b61), MOVZ(2, 7)},
     TAG_CODE},
    {"loaded from memory after",
     "ExAllocatePoolWithTag",
     {MOVZ(2, 0x654c), MOVK_HIGH(2, 0x6b61), 0xb9400002u},
     TAG_CODE},
    {"moved from another register",
     "ExAllocatePoolWithTag",
     {MOVZ(19, 0x654c), MOVK_HIGH(19, 0x6b61), MOV(2, 19)},
     TAG_CALL},
    {"w1 of a free", "ExFreePoolWithTag", {MOVZ(1, 0x654c), MOVK_HIGH(1, 0x6b61)}, TAG_CALL},
    {"w3 of the filter manager's",
     "FltAllocatePoolAlignedWithTag",
     {MOVZ(3, 0x654c), MOVK_HIGH(3, 0x6b61)},
     TAG_CALL},
    {"w5 of a lookaside list",
     "ExInitializePagedLookasideList",
     {MOVZ(5, 0x654c), MOVK_HIGH(5, 0x6b61)},
     TAG_CALL},
    {"wrong register", "ExAllocatePoolWithTag", {MOVZ(1, 0x654c), MOVK_HIGH(1, 0x6b61)}, TAG_CODE},
    {"stored and loaded",
     "ExAllocatePoolWithTag",
     {MOVZ(8, 0x654c), MOVK_HIGH(8, 0x6b61), 0xb9000fe8u /* str w8, [sp, #12] */,
      0xb9400fe2u /* ldr w2, [sp, #12] */},
     TAG_CALL},
};

START_TEST(arm64_snippet_gives_its_evidence)
{
    const struct arm64_snippet *snippet = &ARM64[_i];
    builder_init(&builder, PE_ARM64);
    uint32_t slot = builder_import(&builder, snippet->api);
    for (size_t i = 0; i < COUNT(snippet->words) && snippet->words[i] != 0; i++)
        builder_word(&builder, snippet->words[i]);
    builder_load_slot(&builder, 9, slot);
    builder_word(&builder, BLR(9));
    builder_word(&builder, RET);
    want(LEAK);
    int evidence = scan.count == 0 ? NOTHING : (int)scan.hits[0].evidence;
    ck_assert_msg(evidence == snippet->evidence, "%s: evidence %d", snippet->name, evidence);
}
END_TEST

START_TEST(arm64_call_through_a_stub_is_a_call)
{
    builder_init(&builder, PE_ARM64);
    uint32_t slot = builder_import(&builder, "ExAllocatePoolWithTag");
    builder_word(&builder, MOVZ(2, 0x654c));
    builder_word(&builder, MOVK_HIGH(2, 0x6b61));
    builder_word(&builder, 0x94000002); /* bl two instructions on */
    builder_word(&builder, RET);
    builder_load_slot(&builder, 16, slot);
    builder_word(&builder, 0xd61f0200); /* br x16 */
    extract(NULL);
    ck_assert_uint_eq(scan.count, 1);
    ck_assert_uint_eq(scan.hits[0].tag, LEAK);
}
END_TEST

/* ---- the driver as a whole -------------------------------------------------- */

START_TEST(helper_that_passes_its_tag_on_gives_the_callers_tags)
{
    builder_init(&builder, PE_X64);
    uint32_t slot = builder_import(&builder, "ExAllocatePoolWithTag");
    builder_code(&builder, "BA 4C65616B E8 02000000 C3 CC", slot); /* to the next line */
    builder_code(&builder, "4489D2 448BC2 FF25 %s", slot);
    extract(NULL);
    /* mov edx, r10d destroys the parameter: not a helper */
    ck_assert_uint_eq(scan.count, 0);
    builder_init(&builder, PE_X64);
    slot = builder_import(&builder, "ExAllocatePoolWithTag");
    builder_code(&builder, "BA 4C65616B E8 02000000 C3 CC", slot);
    builder_code(&builder, "89CB 448BC2 FF25 %s", slot);
    extract(NULL);
    ck_assert_uint_eq(scan.count, 1);
    ck_assert_uint_eq(scan.hits[0].tag, LEAK);
    ck_assert_uint_eq(scan.hits[0].evidence, TAG_CALL);
    ck_assert_uint_eq(scan.hits[0].address, BUILDER_CODE + 5);
}
END_TEST

START_TEST(stub_of_an_import_library_is_followed)
{
    builder_init(&builder, PE_X64);
    uint32_t slot = builder_import(&builder, "ExAllocatePoolWithTag");
    builder_code(&builder, "41B8 4C65616B E8 02000000 C3 CC FF25 %s", slot);
    extract(NULL);
    ck_assert_uint_eq(scan.count, 1);
    ck_assert_str_eq(scan.hits[0].api, "ExAllocatePoolWithTag");
}
END_TEST

START_TEST(allocator_is_named_rather_than_the_function_that_frees)
{
    builder_init(&builder, PE_X64);
    uint32_t release = builder_import(&builder, "ExFreePoolWithTag");
    uint32_t allocate = builder_import(&builder, "ExAllocatePool2");
    builder_code(&builder, "BA 4C65616B FF15 %s C3 CC CC", release);
    extract(NULL);
    ck_assert(scan.hits[0].frees);
    builder_code(&builder, "41B8 4C65616B FF15 %s C3", allocate);
    extract(NULL);
    ck_assert_uint_eq(scan.count, 1);
    ck_assert_uint_eq(scan.hits[0].count, 2);
    ck_assert_str_eq(scan.hits[0].api, "ExAllocatePool2");
    ck_assert(!scan.hits[0].frees);
}
END_TEST

START_TEST(extended_function_counts_only_with_code_zero)
{
    for (unsigned code = 0; code < 2; code++) {
        builder_init(&builder, PE_X64);
        uint32_t slot = builder_import(&builder, "StorPortExtendedFunction");
        builder_code(&builder, code == 0 ? "33C9" : "B9 01000000", slot);
        builder_code(&builder, "41B9 4C65616B FF15 %s C3", slot);
        extract(NULL);
        ck_assert_uint_eq(scan.count, code == 0);
    }
}
END_TEST

START_TEST(relocated_immediate_is_an_address)
{
    builder_init(&builder, PE_X86);
    uint32_t slot = builder_import(&builder, "ExAllocatePoolWithTag");
    builder_code(&builder, "68 4C65616B 6A10 6A00 FF15 %s C3", slot);
    want(LEAK);
    ck_assert_uint_eq(scan.hits[0].evidence, TAG_CALL);
    builder_put32(&builder, BUILDER_FREE, BUILDER_CODE);
    builder_put32(&builder, BUILDER_FREE + 4, 12);
    builder_put16(&builder, BUILDER_FREE + 8, 0x3001);
    builder_directory(&builder, 5, BUILDER_FREE, 12);
    want(LEAK);
    ck_assert_uint_eq(scan.count, 0);
}
END_TEST

START_TEST(bytes_in_data_are_weak_and_only_when_asked_for)
{
    builder_init(&builder, PE_X64);
    builder_import(&builder, "ExAllocatePoolWithTag");
    memcpy(builder_at(&builder, BUILDER_DATA + 33), "xLeakLeak", 9);
    want(LEAK);
    ck_assert_uint_eq(scan.count, 1);
    ck_assert_uint_eq(scan.hits[0].evidence, TAG_BYTES);
    ck_assert_uint_eq(scan.hits[0].count, 2);
    ck_assert_uint_eq(scan.hits[0].address, BUILDER_DATA + 34);
    extract(NULL);
    ck_assert_uint_eq(scan.count, 0);
}
END_TEST

START_TEST(medium_evidence_is_listed_when_the_tag_is_seen_live)
{
    const uint32_t live[] = {1, LEAK, LEAK + 1};
    builder_init(&builder, PE_X64);
    builder_import(&builder, "WdfVersionBind");
    builder_code(&builder, "41B9 4C65616B FFD0 C3", 0);
    open_image();
    tag_scan(&pe, NULL, 0, live, 3, NULL, &scan);
    ck_assert_uint_eq(scan.count, 1);
    ck_assert_uint_eq(scan.hits[0].evidence, TAG_CODE);
    tag_scan(&pe, NULL, 0, live, 1, NULL, &scan);
    ck_assert_uint_eq(scan.count, 0);
}
END_TEST

START_TEST(small_numbers_and_odd_bytes_are_no_tags_unless_asked_for)
{
    static const char *const HEX[] = {"00000000", "10000000", "4C650000",
                                      "01020304", "20202020", "2D2D412D"};
    for (size_t i = 0; i < COUNT(HEX); i++) {
        char code[64];
        builder_init(&builder, PE_X64);
        uint32_t slot = builder_import(&builder, "ExAllocatePoolWithTag");
        snprintf(code, sizeof code, "41B8 %s FF15 %%s C3", HEX[i]);
        builder_code(&builder, code, slot);
        extract(NULL);
        ck_assert_msg(scan.count == 0, "%s", HEX[i]);
    }
    want(TEXT('-', '-', 'A', '-'));
    ck_assert_uint_eq(scan.hits[0].evidence, TAG_CALL);
}
END_TEST

static const struct {
    const char *service, *tag;
} SERVICES[] = {{"usbxhci", "usbx"}, {"Usbx", "Usbx"},  {"WDFdevice", "devi"}, {"wdfAbcd", "Abcd"},
                {"abc", "FxDr"},     {"Wdf12", "FxDr"}, {"WDF", "FxDr"},       {"", "FxDr"}};

START_TEST(kmdf_default_tag_comes_from_the_service_name)
{
    builder_init(&builder, PE_X64);
    builder_import(&builder, "WdfVersionBind");
    extract(SERVICES[_i].service);
    unsigned char tag[4];
    tag_to_bytes(scan.hits[0].tag, tag);
    ck_assert_uint_eq(scan.count, 1);
    ck_assert_mem_eq(tag, SERVICES[_i].tag, 4);
    ck_assert_uint_eq(scan.hits[0].evidence, TAG_SERVICE);
    ck_assert_uint_eq(scan.hits[0].address, 0);
}
END_TEST

START_TEST(service_name_says_nothing_without_kmdf_or_outside_ascii)
{
    builder_init(&builder, PE_X64);
    builder_import(&builder, "ExAllocatePoolWithTag");
    extract("usbxhci");
    ck_assert_uint_eq(scan.count, 0);
    builder_init(&builder, PE_X64);
    builder_import(&builder, "WdfVersionBind");
    extract("\xc3\x9c"
            "bung");
    ck_assert_uint_eq(scan.count, 0);
    extract(NULL);
    ck_assert_uint_eq(scan.count, 0);
}
END_TEST

START_TEST(more_tags_than_fit_says_so_and_keeps_the_strong)
{
    builder_init(&builder, PE_X64);
    uint32_t slot = builder_import(&builder, "ExAllocatePoolWithTag");
    for (unsigned i = 0; i < 300; i++) {
        char code[64];
        snprintf(code, sizeof code, "41B8 41%02X%02X41 FF15 %%s", 0x41 + i % 20, 0x41 + i / 20);
        builder_code(&builder, code, slot);
    }
    extract(NULL);
    ck_assert_uint_eq(scan.count, TAG_SCAN_HITS_MAX);
    ck_assert(scan.more);
}
END_TEST

START_TEST(hits_are_sorted_by_evidence_then_places)
{
    const uint32_t wanted[] = {TEXT('A', 'A', 'A', 'A'), TEXT('B', 'B', 'B', 'B'),
                               TEXT('C', 'C', 'C', 'C'), TEXT('D', 'D', 'D', 'D')};
    builder_init(&builder, PE_X64);
    uint32_t slot = builder_import(&builder, "ExAllocatePoolWithTag");
    memcpy(builder_at(&builder, BUILDER_DATA), "AAAA.AAAA.AAAA", 14);
    builder_code(&builder, "BA 43434343 C3 CC CC 41B8 42424242 FF15 %s", slot);
    builder_code(&builder, "41B8 44444444 FF15 %s 41B8 44444444 FF15 %s C3", slot);
    open_image();
    tag_scan(&pe, wanted, 4, NULL, 0, NULL, &scan);
    ck_assert_uint_eq(scan.count, 4);
    ck_assert_uint_eq(scan.hits[0].tag, wanted[3]);
    ck_assert_uint_eq(scan.hits[1].tag, wanted[1]);
    ck_assert_uint_eq(scan.hits[2].tag, wanted[2]);
    ck_assert_uint_eq(scan.hits[3].tag, wanted[0]);
}
END_TEST

START_TEST(code_of_random_bytes_is_packed_and_compiled_code_is_not)
{
    builder_init(&builder, PE_X64);
    builder_import(&builder, "ExAllocatePoolWithTag");
    extract(NULL);
    ck_assert(scan.allocates && !scan.packed);
    uint32_t random = 1;
    for (uint32_t at = 0; at < BUILDER_SECTION; at++) {
        random = random * 1664525 + 1013904223;
        *builder_at(&builder, BUILDER_CODE + at) = (unsigned char)(random >> 24);
    }
    extract(NULL);
    ck_assert(scan.packed);
    /* code that is not in the file at all */
    builder_init(&builder, PE_X64);
    builder_patch(&builder, builder_section_header(&builder, 0) + 16, 4, 0);
    builder_patch(&builder, builder_section_header(&builder, 0) + 8, 4, 0x40000);
    extract(NULL);
    ck_assert(scan.packed && !scan.allocates);
}
END_TEST

START_TEST(section_that_is_not_executable_gives_no_code)
{
    builder_init(&builder, PE_X64);
    uint32_t slot = builder_import(&builder, "ExAllocatePoolWithTag");
    builder_code(&builder, "41B8 4C65616B FF15 %s C3", slot);
    builder_patch(&builder, builder_section_header(&builder, 0) + 36, 4, 0x40000040);
    want(LEAK);
    ck_assert_uint_eq(scan.hits[0].evidence, TAG_BYTES);
}
END_TEST

START_TEST(function_start_of_the_exception_directory_realigns_decoding)
{
    builder_init(&builder, PE_X64);
    uint32_t slot = builder_import(&builder, "ExAllocatePoolWithTag");
    builder_code(&builder, "48B8", slot); /* data that would swallow the next ten bytes */
    builder_code(&builder, "41B8 4C65616B FF15 %s C3", slot);
    want(LEAK);
    ck_assert_uint_eq(scan.hits[0].evidence, TAG_BYTES);
    builder_put32(&builder, BUILDER_FREE, BUILDER_CODE + 2);
    builder_put32(&builder, BUILDER_FREE + 4, BUILDER_CODE + 15);
    builder_directory(&builder, 3, BUILDER_FREE, 12);
    want(LEAK);
    ck_assert_uint_eq(scan.hits[0].evidence, TAG_CALL);
}
END_TEST

static const struct {
    const char *hex;
    bool is64;
} LENGTHS[] = {
    {"90", true},
    {"4C8D9C24D0000000", true},
    {"488B05 11223344", true},
    {"66C7442408 1234", true},
    {"48B8 1122334455667788", true},
    {"F60501000000 01", true},
    {"F7D8", true},
    {"0FBA E0 05", true},
    {"660F3A0FC1 08", true},
    {"C5F877", true},
    {"C4E37D39C1 01", true},
    {"62F17C48280424", true},
    {"A1 11223344", false},
    {"48A1 1122334455667788", true},
    {"C8 100000", false},
    {"EA 11223344 5566", false},
    {"62 0424", false},
    {"678B4710", false},
    {"8B0485 11223344", false},
    {"42FF14C5 11223344", true},
};

START_TEST(instruction_has_its_length)
{
    unsigned char code[32];
    size_t length = 0;
    for (const char *hex = LENGTHS[_i].hex; *hex != '\0'; hex++) {
        if (*hex == ' ')
            continue;
        char digits[3] = {hex[0], hex[1], '\0'};
        code[length++] = (unsigned char)strtoul(digits, NULL, 16);
        hex++;
    }
    struct x86_insn insn;
    ck_assert(x86_decode(code, length, LENGTHS[_i].is64, &insn));
    ck_assert_uint_eq(insn.length, length);
    for (size_t cut = 0; cut < length; cut++)
        ck_assert_msg(!x86_decode(code, cut, LENGTHS[_i].is64, &insn), "%s cut to %zu",
                      LENGTHS[_i].hex, cut);
}
END_TEST

Suite *tag_scan_suite(void)
{
    Suite *suite = suite_create("tag_scan");
    TCase *tc = tcase_create("code");
    tcase_add_loop_test(tc, x64_snippet_gives_its_evidence, 0, COUNT(X64));
    tcase_add_loop_test(tc, x86_snippet_gives_its_evidence, 0, COUNT(X86));
    tcase_add_loop_test(tc, arm64_snippet_gives_its_evidence, 0, COUNT(ARM64));
    tcase_add_loop_test(tc, instruction_has_its_length, 0, COUNT(LENGTHS));
    tcase_add_test(tc, arm64_call_through_a_stub_is_a_call);
    tcase_add_test(tc, helper_that_passes_its_tag_on_gives_the_callers_tags);
    tcase_add_test(tc, stub_of_an_import_library_is_followed);
    tcase_add_test(tc, allocator_is_named_rather_than_the_function_that_frees);
    tcase_add_test(tc, extended_function_counts_only_with_code_zero);
    tcase_add_test(tc, function_start_of_the_exception_directory_realigns_decoding);
    suite_add_tcase(suite, tc);
    tc = tcase_create("driver");
    tcase_add_loop_test(tc, kmdf_default_tag_comes_from_the_service_name, 0, COUNT(SERVICES));
    tcase_add_test(tc, service_name_says_nothing_without_kmdf_or_outside_ascii);
    tcase_add_test(tc, relocated_immediate_is_an_address);
    tcase_add_test(tc, bytes_in_data_are_weak_and_only_when_asked_for);
    tcase_add_test(tc, medium_evidence_is_listed_when_the_tag_is_seen_live);
    tcase_add_test(tc, small_numbers_and_odd_bytes_are_no_tags_unless_asked_for);
    tcase_add_test(tc, more_tags_than_fit_says_so_and_keeps_the_strong);
    tcase_add_test(tc, hits_are_sorted_by_evidence_then_places);
    tcase_add_test(tc, code_of_random_bytes_is_packed_and_compiled_code_is_not);
    tcase_add_test(tc, section_that_is_not_executable_gives_no_code);
    suite_add_tcase(suite, tc);
    return suite;
}
