/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The name a symbol server knows the driver by: pdb name, GUID and age from the RSDS record. The
 * path of the build machine in front of the name is cut off, since it can hold a person's name.
 */
#include "agent/pe/bytes.h"
#include "agent/pe/pe.h"

enum {
    DIRECTORY_DEBUG = 6,
    DEBUG_ENTRY = 28,
    DEBUG_ENTRIES_MAX = 64,
    DEBUG_CODEVIEW = 2,
    RSDS_NAME = 24, /* "RSDS", GUID, age, then the path */
    PDB_NAME_MAX = 128,
};

static bool is_safe(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           strchr("._-+ ", c) != NULL;
}

/* The last part of a path of either kind; false when it is empty, too long or odd. */
static bool pdb_name(const unsigned char *path, size_t length, char ret_name[PDB_NAME_MAX + 1])
{
    size_t start = 0, end = 0;
    for (; end < length && path[end] != '\0'; end++) {
        if (path[end] == '\\' || path[end] == '/' || path[end] == ':')
            start = end + 1;
    }
    if (end == length || end - start == 0 || end - start > PDB_NAME_MAX)
        return false;
    for (size_t i = start; i < end; i++)
        ret_name[i - start] = is_safe(path[i]) ? (char)path[i] : '_';
    ret_name[end - start] = '\0';
    return true;
}

static bool read_record(const unsigned char *record, size_t length, struct pe_facts *facts)
{
    char name[PDB_NAME_MAX + 1];
    if (length <= RSDS_NAME || memcmp(record, "RSDS", 4) != 0 ||
        !pdb_name(record + RSDS_NAME, length - RSDS_NAME, name))
        return false;
    const unsigned char *guid = record + 4;
    snprintf(facts->symbols, sizeof facts->symbols,
             "%s/%08X%04X%04X%02X%02X%02X%02X%02X%02X%02X%02X%x", name, read_u32(guid),
             read_u16(guid + 4), read_u16(guid + 6), guid[8], guid[9], guid[10], guid[11], guid[12],
             guid[13], guid[14], guid[15], read_u32(record + 20));
    return true;
}

void pe_read_symbols(const struct pe *pe, struct pe_facts *facts)
{
    size_t count = pe->directory[DIRECTORY_DEBUG].length / DEBUG_ENTRY;
    if (count > DEBUG_ENTRIES_MAX)
        count = DEBUG_ENTRIES_MAX;
    for (size_t i = 0; i < count; i++) {
        uint64_t address = (uint64_t)pe->directory[DIRECTORY_DEBUG].address + i * DEBUG_ENTRY;
        size_t at = address > UINT32_MAX ? SIZE_MAX : pe_offset(pe, (uint32_t)address, DEBUG_ENTRY);
        if (at == SIZE_MAX)
            return;
        const unsigned char *entry = pe->data + at;
        size_t length = read_u32(entry + 16), offset = read_u32(entry + 24);
        if (read_u32(entry + 12) != DEBUG_CODEVIEW || offset >= pe->length)
            continue;
        if (length > pe->length - offset)
            length = pe->length - offset;
        if (read_record(pe->data + offset, length, facts))
            return;
    }
}
