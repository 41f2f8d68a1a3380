/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Headers, sections and directories of a PE image. The kernel's loader is strict about drivers, but
 * what lies on a disk need not be loadable: sections may overlap, point past the end, claim four
 * gigabytes. So ranges are clamped once here and every later read goes through pe_offset().
 */
#include "agent/pe/pe.h"
#include "agent/pe/bytes.h"

enum {
    DOS_HEADER = 64,
    COFF_HEADER = 24, /* with the signature in front */
    SECTION_HEADER = 40,
    MAGIC_32 = 0x10b,
    MAGIC_64 = 0x20b,
    SCN_CODE = 0x20,
    DEBUG_ENTRY = 28,
    DEBUG_ENTRIES_MAX = 64, /* real files have up to about 8 */
    DEBUG_REPRO = 16,
    DIRECTORY_DEBUG = 6,
};
#define SCN_EXECUTE 0x20000000u
#define SCN_WRITE   0x80000000u

static enum pe_machine machine_of(uint16_t number)
{
    switch (number) {
    case 0x014c:
        return PE_X86;
    case 0x8664:
        return PE_X64;
    case 0xaa64: /* also what a hybrid (ARM64X) says of its native half */
        return PE_ARM64;
    default:
        return PE_OTHER;
    }
}

static void read_section(const unsigned char *header, size_t file_length,
                         struct pe_section *section)
{
    memcpy(section->name, header, 8);
    section->name[8] = '\0';
    section->virtual_size = read_u32(header + 8);
    section->virtual_address = read_u32(header + 12);
    size_t raw_length = read_u32(header + 16);
    size_t raw_offset = read_u32(header + 20);
    uint32_t flags = read_u32(header + 36);
    if (raw_offset >= file_length)
        raw_offset = raw_length = 0;
    if (raw_length > file_length - raw_offset)
        raw_length = file_length - raw_offset;
    /* What is past the virtual size is padding that is never mapped; a size of 0 means "as raw". */
    if (section->virtual_size == 0)
        section->virtual_size = (uint32_t)raw_length;
    if (raw_length > section->virtual_size)
        raw_length = section->virtual_size;
    if (raw_length > UINT32_MAX - section->virtual_address)
        raw_length = UINT32_MAX - section->virtual_address;
    section->offset = raw_offset;
    section->length = raw_length;
    section->executable = (flags & (SCN_EXECUTE | SCN_CODE)) != 0;
    section->writable = (flags & SCN_WRITE) != 0;
}

static void read_directories(const unsigned char *optional, size_t optional_length, struct pe *pe)
{
    size_t count_at = pe->is64 ? 108 : 92;
    if (optional_length < count_at + 4)
        return;
    size_t count = read_u32(optional + count_at);
    for (size_t i = 0; i < count && i < 16 && count_at + 4 + 8 * (i + 1) <= optional_length; i++) {
        pe->directory[i].address = read_u32(optional + count_at + 4 + 8 * i);
        pe->directory[i].length = read_u32(optional + count_at + 8 + 8 * i);
    }
}

static bool has_repro_entry(const struct pe *pe)
{
    size_t count = pe->directory[DIRECTORY_DEBUG].length / DEBUG_ENTRY;
    if (count > DEBUG_ENTRIES_MAX)
        count = DEBUG_ENTRIES_MAX;
    for (size_t i = 0; i < count; i++) {
        uint64_t address = (uint64_t)pe->directory[DIRECTORY_DEBUG].address + i * DEBUG_ENTRY;
        size_t at = address > UINT32_MAX ? SIZE_MAX : pe_offset(pe, (uint32_t)address, DEBUG_ENTRY);
        if (at == SIZE_MAX)
            return false;
        if (read_u32(pe->data + at + 12) == DEBUG_REPRO)
            return true;
    }
    return false;
}

/* `at` is the offset of "PE\0\0"; the COFF header is in the file. */
static enum status read_headers(struct pe *pe, size_t at, struct err *err)
{
    const unsigned char *coff = pe->data + at + 4;
    size_t optional_at = at + COFF_HEADER;
    size_t optional_length = read_u16(coff + 16);
    pe->machine = machine_of(read_u16(coff));
    pe->stamp = read_u32(coff + 4);
    if (optional_length < 68 || optional_length > pe->length - optional_at)
        return err_set(err, ST_MALFORMED, "could not read PE image: optional header is cut off");
    const unsigned char *optional = pe->data + optional_at;
    uint16_t magic = read_u16(optional);
    if (magic != MAGIC_32 && magic != MAGIC_64)
        return err_set(err, ST_MALFORMED, "could not read PE image: unknown magic 0x%x", magic);
    pe->is64 = magic == MAGIC_64;
    if (pe->is64 ? pe->machine == PE_X86 : pe->machine == PE_X64 || pe->machine == PE_ARM64)
        return err_set(err, ST_MALFORMED, "could not read PE image: machine and magic disagree");
    pe->entry = read_u32(optional + 16);
    pe->image_base = pe->is64 ? read_u64(optional + 24) : read_u32(optional + 28);
    pe->image_bytes = read_u32(optional + 56);
    pe->headers_bytes = read_u32(optional + 60);
    pe->checksum = read_u32(optional + 64);
    read_directories(optional, optional_length, pe);

    size_t count = read_u16(coff + 2);
    size_t table = optional_at + optional_length;
    if (count > PE_SECTIONS_MAX)
        return err_set(err, ST_MALFORMED, "could not read PE image: %u sections", (unsigned)count);
    if (count * SECTION_HEADER > pe->length - table)
        return err_set(err, ST_MALFORMED, "could not read PE image: section table is cut off");
    for (size_t i = 0; i < count; i++)
        read_section(pe->data + table + i * SECTION_HEADER, pe->length, &pe->sections[i]);
    pe->section_count = count;
    return ST_OK;
}

enum status pe_open(const void *data, size_t length, struct pe *ret_pe, struct err *err)
{
    struct pe pe = {.data = data, .length = length};
    if (length < DOS_HEADER || pe.data[0] != 'M' || pe.data[1] != 'Z')
        return err_set(err, ST_MALFORMED, "could not read PE image: no DOS header");
    size_t at = read_u32(pe.data + 60);
    if (at > length || length - at < COFF_HEADER || memcmp(pe.data + at, "PE\0\0", 4) != 0)
        return err_set(err, ST_MALFORMED, "could not read PE image: no PE header");
    enum status status = read_headers(&pe, at, err);
    if (status != ST_OK)
        return status;
    pe.reproducible = has_repro_entry(&pe);
    *ret_pe = pe;
    return ST_OK;
}

size_t pe_offset(const struct pe *pe, uint32_t virtual_address, size_t length)
{
    for (size_t i = 0; i < pe->section_count; i++) {
        const struct pe_section *section = &pe->sections[i];
        if (virtual_address < section->virtual_address)
            continue;
        size_t inside = virtual_address - section->virtual_address;
        if (inside < section->length && length <= section->length - inside)
            return section->offset + inside;
    }
    size_t headers = pe->headers_bytes < pe->length ? pe->headers_bytes : pe->length;
    if (virtual_address < headers && length <= headers - virtual_address)
        return virtual_address;
    return SIZE_MAX;
}

size_t pe_text(const struct pe *pe, uint32_t virtual_address, size_t max, const char **ret_text)
{
    size_t at = pe_offset(pe, virtual_address, 1);
    if (at == SIZE_MAX)
        return SIZE_MAX;
    const char *text = (const char *)pe->data + at;
    size_t length = 0;
    while (length <= max && at + length < pe->length && text[length] != '\0')
        length++;
    if (length > max || at + length == pe->length)
        return SIZE_MAX;
    *ret_text = text;
    return length;
}

void pe_facts(const struct pe *pe, struct pe_facts *ret_facts)
{
    memset(ret_facts, 0, sizeof *ret_facts);
    pe_read_version(pe, ret_facts);
    pe_read_symbols(pe, ret_facts);
}
