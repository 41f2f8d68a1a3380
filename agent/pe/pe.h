/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Facts of a PE file, read from its bytes: a driver may be hostile or cut off, so every offset is
 * checked. Pure; the file is in memory (mapped or read), borrowed. Texts are UTF-8 without NUL,
 * cut to their arrays at a character's edge.
 */
#ifndef AGENT_PE_PE_H
#define AGENT_PE_PE_H

#include "common/limits.h"
#include "common/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum pe_machine { PE_X86, PE_X64, PE_ARM64, PE_OTHER };

#define PE_SECTIONS_MAX 96 /* the loader's own limit */

struct pe_section {
    char name[9];
    uint32_t virtual_address, virtual_size;
    size_t offset, length; /* raw bytes inside the file, clamped to it */
    bool executable;
    bool writable;
};

struct pe {
    const unsigned char *data;
    size_t length;
    enum pe_machine machine;
    bool is64;
    uint32_t stamp;
    bool reproducible; /* debug type 16: the stamp is a hash, not a date */
    uint32_t checksum, image_bytes, headers_bytes, entry;
    uint64_t image_base;
    size_t section_count;
    struct pe_section sections[PE_SECTIONS_MAX];
    struct {
        uint32_t address, length; /* virtual */
    } directory[16];
};

/* ST_MALFORMED: not a PE image, with the reason. */
enum status pe_open(const void *data, size_t length, struct pe *ret_pe, struct err *err) MUST_CHECK;
/* File offset of a virtual address range, or SIZE_MAX when it is not wholly in the file. */
size_t pe_offset(const struct pe *pe, uint32_t virtual_address, size_t length);
/* A NUL-terminated text of at most max bytes: its length and where it stands (borrowed from the
 * file), or SIZE_MAX when there is none. */
size_t pe_text(const struct pe *pe, uint32_t virtual_address, size_t max, const char **ret_text);

struct pe_facts {
    char version[24]; /* "32.0.11002.41" from VS_FIXEDFILEINFO, which does not lie; "" unknown */
    char company[LIMIT_TEXT_BYTES + 1];
    char product[LIMIT_TEXT_BYTES + 1];
    char description[LIMIT_TEXT_BYTES + 1];
    char original_name[LIMIT_TEXT_BYTES + 1];
    char symbols[LIMIT_TEXT_BYTES + 1]; /* "amda.pdb/<GUID><age>"; the pdb's folder is cut off */
};
/* Whatever can be read; the rest is "". */
void pe_facts(const struct pe *pe, struct pe_facts *ret_facts);
/* Its two halves (version.c, symbols.c); facts that cannot be read are left alone. */
void pe_read_version(const struct pe *pe, struct pe_facts *facts);
void pe_read_symbols(const struct pe *pe, struct pe_facts *facts);

#endif
