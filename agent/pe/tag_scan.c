/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The scan as a whole: which sections are decoded, what counts as a tag, how hits are kept and
 * ranked. The work done is bounded by the file's length, whatever its headers say.
 */
#include "agent/pe/tag_scan.h"
#include "agent/pe/scan.h"

#include "common/tag.h"

enum {
    DIRECTORY_EXCEPTION = 3,
    DIRECTORY_RELOCATION = 5,
    ENTROPY_MIN_BYTES = 4096, /* less says nothing */
    /* Tenths of a bit a byte. Measured on compiled code of all three architectures: 5.5 to 6.7;
     * compressed or encrypted: 7.9 and more. */
    ENTROPY_PACKED = 74,
};

const char *tag_evidence_name(enum tag_evidence evidence)
{
    static const char *const NAMES[] = {"bytes", "code", "call", "service"};
    return NAMES[evidence];
}

bool scan_has(const uint32_t *sorted, size_t count, uint32_t tag)
{
    size_t low = 0;
    while (count > 0) {
        size_t half = count / 2;
        if (sorted[low + half] == tag)
            return true;
        if (sorted[low + half] < tag) {
            low += half + 1;
            count -= half + 1;
        } else {
            count = half;
        }
    }
    return false;
}

/* Written by a person: printable, two letters or digits at least; a literal of three characters
 * leaves the last byte 0. Small numbers and flags that reach a tag argument are not. */
static bool looks_like_tag(uint32_t tag)
{
    unsigned char bytes[4];
    unsigned words = 0;
    tag_to_bytes(tag, bytes);
    for (unsigned i = 0; i < 4; i++) {
        unsigned char c = bytes[i];
        if (c == 0 && i == 3)
            continue;
        if (c < 0x20 || c > 0x7e)
            return false;
        words += (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
    }
    return words >= 2;
}

/* ---- hits ------------------------------------------------------------------- */

static struct tag_hit *find_hit(struct tag_scan *scan, uint32_t tag, enum tag_evidence evidence)
{
    struct tag_hit *weakest = NULL;
    for (size_t i = 0; i < scan->count; i++) {
        struct tag_hit *hit = &scan->hits[i];
        if (hit->tag == tag)
            return hit;
        if (weakest == NULL || hit->evidence < weakest->evidence)
            weakest = hit;
    }
    if (scan->count < TAG_SCAN_HITS_MAX) {
        weakest = &scan->hits[scan->count++];
    } else {
        scan->more = true;
        if (weakest->evidence >= evidence)
            return NULL;
    }
    memset(weakest, 0, sizeof *weakest);
    weakest->tag = tag;
    return weakest;
}

void scan_note(struct scanner *scanner, uint32_t tag, enum tag_evidence evidence, uint32_t at,
               const struct scan_api *api)
{
    bool asked = scanner->wanted != NULL && scan_has(scanner->wanted, scanner->wanted_count, tag);
    bool seen = scan_has(scanner->live, scanner->live_count, tag);
    if (scanner->wanted != NULL ? !asked : !seen && !(evidence >= TAG_CALL && looks_like_tag(tag)))
        return;
    struct tag_hit *hit = find_hit(scanner->result, tag, evidence);
    if (hit == NULL || hit->evidence > evidence)
        return;
    if (hit->evidence < evidence || hit->count == 0) {
        hit->evidence = evidence;
        hit->count = 0;
        hit->address = at;
    }
    hit->count++;
    /* Who allocates with a tag says more than who frees with it. */
    if (api != NULL && (hit->api[0] == '\0' || (hit->frees && !api->frees))) {
        snprintf(hit->api, sizeof hit->api, "%s", api->name);
        hit->frees = api->frees;
    }
}

void scan_immediate(struct scanner *scanner, uint32_t bits, uint32_t at, uint32_t immediate_at)
{
    uint32_t tag = bits & ~TAG_PROTECTED;
    const uint32_t *list = scanner->wanted != NULL ? scanner->wanted : scanner->live;
    size_t count = scanner->wanted != NULL ? scanner->wanted_count : scanner->live_count;
    if (!scanner->result->allocates || !scan_has(list, count, tag))
        return;
    if (immediate_at == 0 || !scan_is_relocated(scanner->pe, &scanner->relocations, immediate_at))
        scan_note(scanner, tag, TAG_CODE, at, NULL);
}

static int compare_hits(const void *a, const void *b)
{
    const struct tag_hit *x = a, *y = b;
    if (x->evidence != y->evidence)
        return x->evidence > y->evidence ? -1 : 1;
    if (x->count != y->count)
        return x->count > y->count ? -1 : 1;
    return tag_compare(x->tag, y->tag);
}

/* ---- relocations: four bytes that the loader changes are an address --------- */

static bool next_block(const struct pe *pe, struct scan_relocations *cursor)
{
    uint32_t first = pe->directory[DIRECTORY_RELOCATION].address;
    uint32_t length = pe->directory[DIRECTORY_RELOCATION].length;
    uint32_t at = cursor->end == 0 ? first : cursor->end;
    if (at == 0 || at < first || at - first >= length)
        return false;
    size_t offset = pe_offset(pe, at, 8);
    if (offset == SIZE_MAX)
        return false;
    uint32_t size = read_u32(pe->data + offset + 4);
    if (size < 8 || size > UINT32_MAX - at || pe_offset(pe, at, size) == SIZE_MAX)
        return false;
    cursor->block = at;
    cursor->end = at + size;
    cursor->entry = at + 8;
    return true;
}

bool scan_is_relocated(const struct pe *pe, struct scan_relocations *cursor, uint32_t address)
{
    for (;;) {
        if (cursor->block == 0 && !next_block(pe, cursor))
            return false;
        const unsigned char *block = pe->data + pe_offset(pe, cursor->block, 8);
        uint32_t page = read_u32(block);
        if (address < page)
            return false;
        for (; address - page < 0x1000 && cursor->entry + 2 <= cursor->end; cursor->entry += 2) {
            uint16_t entry = read_u16(block + (cursor->entry - cursor->block));
            if ((entry >> 12) == 0) /* padding */
                continue;
            if ((entry & 0xfff) >= address - page)
                return (entry & 0xfff) == address - page;
        }
        if (address - page < 0x1000)
            return false;
        cursor->block = 0;
    }
}

/* ---- sections --------------------------------------------------------------- */

static void prepare_pass(struct scanner *scanner)
{
    const struct pe *pe = scanner->pe;
    struct tag_scan *result = scanner->result;
    result->count = 0;
    result->more = false;
    scanner->pending_count = 0;
    scanner->relocations = (struct scan_relocations){0};
    scanner->functions_at = scanner->functions_end = 0;
    scanner->functions_stride = pe->machine == PE_X64 ? 12 : 8;
    uint32_t at = pe->directory[DIRECTORY_EXCEPTION].address;
    uint32_t length = pe->directory[DIRECTORY_EXCEPTION].length;
    if (pe->machine != PE_X86 && at != 0 && length < UINT32_MAX - at) {
        scanner->functions_at = at;
        scanner->functions_end =
            at + length / scanner->functions_stride * scanner->functions_stride;
    }
    scan_next_function(scanner);
}

static void scan_code(struct scanner *scanner)
{
    const struct pe *pe = scanner->pe;
    size_t budget = pe->length; /* overlapping sections are not read again and again */
    for (size_t i = 0; i < pe->section_count; i++) {
        const struct pe_section *section = &pe->sections[i];
        size_t length = section->length < budget ? section->length : budget;
        if (!section->executable)
            continue;
        budget -= length;
        if (pe->machine == PE_ARM64)
            scan_section_arm64(scanner, section->virtual_address, pe->data + section->offset,
                               length);
        else
            scan_section_x86(scanner, section->virtual_address, pe->data + section->offset, length);
    }
}

/* The bare bytes of wanted tags, anywhere in what is mapped. */
static void scan_bytes(struct scanner *scanner)
{
    const struct pe *pe = scanner->pe;
    uint8_t filter[8192] = {0}; /* one bit for each low half of a wanted tag */
    for (size_t i = 0; i < scanner->wanted_count; i++)
        filter[(scanner->wanted[i] & 0xffff) >> 3] |= (uint8_t)(1u << (scanner->wanted[i] & 7));
    size_t budget = pe->length;
    scanner->relocations = (struct scan_relocations){0};
    for (size_t i = 0; i < pe->section_count; i++) {
        const struct pe_section *section = &pe->sections[i];
        size_t length = section->length < budget ? section->length : budget;
        const unsigned char *data = pe->data + section->offset;
        budget -= length;
        for (size_t at = 0; at + 4 <= length; at++) {
            uint32_t low = read_u16(data + at);
            if ((filter[low >> 3] & 1u << (low & 7)) == 0)
                continue;
            uint32_t address = section->virtual_address + (uint32_t)at;
            uint32_t tag = read_u32(data + at) & ~TAG_PROTECTED;
            if (scan_has(scanner->wanted, scanner->wanted_count, tag) &&
                !scan_is_relocated(pe, &scanner->relocations, address))
                scan_note(scanner, tag, TAG_BYTES, address, NULL);
        }
    }
}

/* ---- the driver as a whole -------------------------------------------------- */

/* log2(x) * 1024 for x >= 1, from the position of the top bit and a line between powers: within
 * 0.09 of the logarithm, which is enough to tell 6 bits from 8. */
static uint64_t log2_1024(uint64_t x)
{
    unsigned top = 63 - (unsigned)__builtin_clzll(x);
    uint64_t rest = x - (1ull << top);
    return top * 1024u + (top >= 10 ? rest >> (top - 10) : rest << (10 - top));
}

static bool is_packed(const struct pe *pe)
{
    uint64_t counts[256] = {0}, total = 0, bits = 0, mapped = 0;
    size_t budget = pe->length;
    for (size_t i = 0; i < pe->section_count; i++) {
        const struct pe_section *section = &pe->sections[i];
        size_t length = section->length < budget ? section->length : budget;
        if (!section->executable)
            continue;
        mapped += section->virtual_size;
        budget -= length;
        for (size_t at = 0; at < length; at++)
            counts[pe->data[section->offset + at]]++;
        total += length;
    }
    if (total < ENTROPY_MIN_BYTES) /* room for code that is not in the file */
        return mapped - total >= 4 * ENTROPY_MIN_BYTES;
    for (size_t i = 0; i < 256; i++) {
        if (counts[i] > 0)
            bits += counts[i] * (log2_1024(total) - log2_1024(counts[i]));
    }
    return bits * 10 / 1024 >= total * ENTROPY_PACKED;
}

/* KMDF gives a driver's own allocations the first four characters of its service's name, or the
 * next four when that begins with "WDF" in any case; with fewer left it takes "FxDr". Names that
 * are not ASCII cannot be told from here. */
static bool service_tag(const char *service, uint32_t *ret_tag)
{
    size_t length = strlen(service);
    if (length >= 3 && (service[0] & ~0x20) == 'W' && (service[1] & ~0x20) == 'D' &&
        (service[2] & ~0x20) == 'F') {
        service += 3;
        length -= 3;
    }
    const char *name = length >= 4 ? service : "FxDr";
    unsigned char bytes[4];
    for (size_t i = 0; i < 4; i++) {
        bytes[i] = (unsigned char)name[i];
        if (bytes[i] < 0x20 || bytes[i] > 0x7e)
            return false;
    }
    *ret_tag = tag_from_bytes(bytes);
    return true;
}

void tag_scan(const struct pe *pe, const uint32_t *wanted, size_t wanted_count,
              const uint32_t *live, size_t live_count, const char *service,
              struct tag_scan *ret_scan)
{
    struct scan_imports imports;
    struct scanner scanner = {.pe = pe,
                              .imports = &imports,
                              .wanted = wanted,
                              .wanted_count = wanted_count,
                              .live = live,
                              .live_count = live == NULL ? 0 : live_count,
                              .result = ret_scan,
                              .sp = pe->machine == PE_ARM64 ? 31 : 4,
                              .word = pe->machine == PE_X86 ? 4 : 8};
    memset(ret_scan, 0, sizeof *ret_scan);
    scan_read_imports(pe, &imports);
    ret_scan->allocates = imports.count > 0 || imports.kmdf;
    ret_scan->packed = is_packed(pe);
    size_t helpers = SIZE_MAX;
    for (int pass = 0; pass < SCAN_PASSES && helpers != scanner.helper_count; pass++) {
        helpers = pass == 0 ? 0 : scanner.helper_count;
        prepare_pass(&scanner);
        if (pe->machine != PE_OTHER && ret_scan->allocates)
            scan_code(&scanner);
    }
    if (wanted != NULL)
        scan_bytes(&scanner);
    uint32_t tag;
    if (imports.kmdf && service != NULL && service_tag(service, &tag))
        scan_note(&scanner, tag, TAG_SERVICE, 0, NULL);
    qsort(ret_scan->hits, ret_scan->count, sizeof *ret_scan->hits, compare_hits);
}
