/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The version resource. The binary VS_FIXEDFILEINFO gives the number: its text twin "FileVersion"
 * is free text, often stale. The texts come from the English string table where there is one, else
 * from the first. Every block states its own length; a block may lie, so each is clamped to its
 * parent, and the walk always moves on.
 */
#include "agent/pe/bytes.h"
#include "agent/pe/pe.h"

enum {
    DIRECTORY_RESOURCE = 2,
    RESOURCE_VERSION = 16,
    RESOURCE_HEADER = 16,
    RESOURCE_ENTRY = 8,
    ENGLISH = 0x409,
    FIXED_BYTES = 52,
    BLOCKS_MAX = 256, /* children of one block; real files have about a dozen */
};
#define FIXED_SIGNATURE 0xfeef04bdu
#define IS_DIRECTORY    0x80000000u

/* ---- the resource tree: type, name, language -------------------------------- */

/* The offset field of the entry with `id`, or of the first entry when there is no such id and
 * `any`. 0 when there is none: offset 0 is the root, which no entry may name. */
static uint32_t find_entry(const struct pe *pe, uint32_t directory, uint32_t id, bool any)
{
    uint32_t root = pe->directory[DIRECTORY_RESOURCE].address;
    uint64_t address = (uint64_t)root + directory;
    size_t at = address > UINT32_MAX ? SIZE_MAX : pe_offset(pe, (uint32_t)address, RESOURCE_HEADER);
    if (at == SIZE_MAX)
        return 0;
    size_t count = (size_t)read_u16(pe->data + at + 12) + read_u16(pe->data + at + 14);
    uint32_t first = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t entry = address + RESOURCE_HEADER + i * RESOURCE_ENTRY;
        at = entry > UINT32_MAX ? SIZE_MAX : pe_offset(pe, (uint32_t)entry, RESOURCE_ENTRY);
        if (at == SIZE_MAX)
            break;
        uint32_t target = read_u32(pe->data + at + 4);
        if (read_u32(pe->data + at) == id)
            return target;
        if (i == 0)
            first = target;
    }
    return any ? first : 0;
}

static bool find_version(const struct pe *pe, const unsigned char **ret_data, size_t *ret_length)
{
    uint32_t root = pe->directory[DIRECTORY_RESOURCE].address;
    if (root == 0)
        return false;
    uint32_t names = find_entry(pe, 0, RESOURCE_VERSION, false);
    if ((names & IS_DIRECTORY) == 0)
        return false;
    uint32_t languages = find_entry(pe, names & ~IS_DIRECTORY, 1, true);
    if ((languages & IS_DIRECTORY) == 0)
        return false;
    uint32_t leaf = find_entry(pe, languages & ~IS_DIRECTORY, ENGLISH, true);
    uint64_t address = (uint64_t)root + leaf;
    if (leaf == 0 || (leaf & IS_DIRECTORY) != 0 || address > UINT32_MAX)
        return false;
    size_t at = pe_offset(pe, (uint32_t)address, 16);
    if (at == SIZE_MAX)
        return false;
    uint32_t length = read_u32(pe->data + at + 4);
    size_t data = pe_offset(pe, read_u32(pe->data + at), length);
    if (data == SIZE_MAX)
        return false;
    *ret_data = pe->data + data;
    *ret_length = length;
    return true;
}

/* ---- blocks: length, value length, kind, key, value, children --------------- */

struct block {
    const unsigned char *key; /* UTF-16, key_units of it, without the NUL */
    size_t key_units;
    const unsigned char *value;
    size_t value_bytes;        /* as stated, clamped */
    const unsigned char *rest; /* what follows the key: value or children */
    size_t rest_bytes;
};

static size_t align4(size_t offset)
{
    return (offset + 3) & ~(size_t)3;
}

/* The block at *offset; moves *offset to its neighbour. Offsets count from the resource's start,
 * which is what the padding is relative to. */
static bool read_block(const unsigned char *data, size_t end, size_t *offset, struct block *ret)
{
    size_t start = *offset;
    if (start > end || end - start < 8)
        return false;
    size_t length = read_u16(data + start), value_length = read_u16(data + start + 2);
    if (length < 8)
        return false;
    size_t stop = length > end - start ? end : start + length;
    size_t key = start + 6, at = key;
    while (at + 2 <= stop && read_u16(data + at) != 0)
        at += 2;
    if (at + 2 > stop)
        return false;
    ret->key = data + key;
    ret->key_units = (at - key) / 2;
    size_t value = align4(at + 2);
    if (value > stop)
        value = stop;
    if (read_u16(data + start + 4) == 1) /* text: the length is in UTF-16 units */
        value_length *= 2;
    if (value_length > stop - value)
        value_length = stop - value;
    ret->value = data + value;
    ret->value_bytes = value_length;
    size_t rest = align4(value + value_length);
    if (rest > stop)
        rest = stop;
    ret->rest = data + rest;
    ret->rest_bytes = stop - rest;
    *offset = align4(stop);
    return true;
}

static bool key_is(const struct block *block, const char *key)
{
    size_t length = strlen(key);
    if (block->key_units != length)
        return false;
    for (size_t i = 0; i < length; i++) {
        if (read_u16(block->key + 2 * i) != (unsigned char)key[i])
            return false;
    }
    return true;
}

/* Language of a string table: its key's first four hex digits. */
static bool key_is_english(const struct block *block)
{
    struct block head = *block;
    head.key_units = 4;
    return block->key_units == 8 && key_is(&head, "0409");
}

/* ---- texts ------------------------------------------------------------------ */

static size_t put_utf8(uint32_t point, char out[4])
{
    if (point < 0x80) {
        out[0] = (char)point;
        return 1;
    }
    size_t size = point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = size - 1; i > 0; i--) {
        out[i] = (char)(0x80 | (point & 0x3f));
        point >>= 6;
    }
    out[0] = (char)(lead[size] | point);
    return size;
}

/* Up to the NUL or the end; a lone surrogate becomes U+FFFD, a control character a blank. */
static void read_text(const unsigned char *text, size_t bytes, char *ret_text, size_t size)
{
    size_t used = 0;
    for (size_t at = 0; at + 2 <= bytes; at += 2) {
        uint32_t point = read_u16(text + at);
        if (point == 0)
            break;
        if (point >= 0xd800 && point < 0xe000) {
            uint32_t low = at + 4 <= bytes ? read_u16(text + at + 2) : 0;
            bool pair = point < 0xdc00 && low >= 0xdc00 && low < 0xe000;
            point = pair ? 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00) : 0xfffd;
            at += pair ? 2 : 0;
        } else if (point < 0x20 || (point >= 0x7f && point < 0xa0)) {
            point = ' ';
        }
        char utf8[4];
        size_t length = put_utf8(point, utf8);
        if (length > size - 1 - used)
            break;
        memcpy(ret_text + used, utf8, length);
        used += length;
    }
    while (used > 0 && ret_text[used - 1] == ' ')
        used--;
    ret_text[used] = '\0';
}

static void read_strings(const unsigned char *data, size_t offset, size_t end,
                         struct pe_facts *facts)
{
    const struct {
        const char *key;
        char *text;
    } wanted[] = {
        {"CompanyName", facts->company},
        {"ProductName", facts->product},
        {"FileDescription", facts->description},
        {"OriginalFilename", facts->original_name},
    };
    struct block string;
    for (int i = 0; i < BLOCKS_MAX && read_block(data, end, &offset, &string); i++) {
        /* Some resource compilers state the value's length wrongly; the NUL ends the text. */
        size_t bytes = (size_t)(string.rest + string.rest_bytes - string.value);
        for (size_t w = 0; w < sizeof wanted / sizeof *wanted; w++) {
            if (key_is(&string, wanted[w].key))
                read_text(string.value, bytes, wanted[w].text, LIMIT_TEXT_BYTES + 1);
        }
    }
}

static void read_string_tables(const unsigned char *data, size_t offset, size_t end,
                               struct pe_facts *facts)
{
    struct block table;
    for (int i = 0; i < BLOCKS_MAX && read_block(data, end, &offset, &table); i++) {
        if (i > 0 && !key_is_english(&table))
            continue;
        size_t start = (size_t)(table.rest - data);
        read_strings(data, start, start + table.rest_bytes, facts);
        if (key_is_english(&table))
            return;
    }
}

void pe_read_version(const struct pe *pe, struct pe_facts *facts)
{
    const unsigned char *data;
    size_t length, offset = 0;
    struct block root, child;
    if (!find_version(pe, &data, &length) || !read_block(data, length, &offset, &root))
        return;
    if (!key_is(&root, "VS_VERSION_INFO"))
        return;
    if (root.value_bytes >= FIXED_BYTES && read_u32(root.value) == FIXED_SIGNATURE)
        snprintf(facts->version, sizeof facts->version, "%u.%u.%u.%u", read_u16(root.value + 10),
                 read_u16(root.value + 8), read_u16(root.value + 14), read_u16(root.value + 12));
    offset = (size_t)(root.rest - data);
    size_t end = offset + root.rest_bytes;
    for (int i = 0; i < BLOCKS_MAX && read_block(data, end, &offset, &child); i++) {
        size_t start = (size_t)(child.rest - data);
        if (key_is(&child, "StringFileInfo"))
            read_string_tables(data, start, start + child.rest_bytes, facts);
    }
}
