/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Small PE images for tests, byte by byte: three sections at fixed places, one import module, and
 * whatever a test then breaks. Where a real compiler or linker is wanted, scripts/check_drivers.sh
 * has them.
 */
#ifndef TESTS_SUPPORT_PE_BUILDER_H
#define TESTS_SUPPORT_PE_BUILDER_H

#include "agent/pe/pe.h"

enum {
    BUILDER_BYTES = 0x3400,
    BUILDER_CODE = 0x1000, /* virtual; executable; from file offset 0x400 */
    BUILDER_RDATA = 0x2000,
    BUILDER_DATA = 0x3000,
    BUILDER_SECTION = 0x1000, /* bytes of each */
    BUILDER_PE = 0x80,        /* file offsets: "PE\0\0", optional header, first section header */
    BUILDER_OPTIONAL = BUILDER_PE + 24,
    BUILDER_FREE = 0x2800, /* .rdata from here on is the test's */
};
#define BUILDER_BASE 0x10000u

struct pe_builder {
    unsigned char data[BUILDER_BYTES];
    bool is64;
    uint32_t code;    /* virtual address where the next instruction goes */
    size_t imports;   /* so far */
    size_t name_next; /* virtual */
};

/* machine: PE_X86, PE_X64 or PE_ARM64. */
void builder_init(struct pe_builder *builder, enum pe_machine machine);
/* The bytes of a virtual address. */
unsigned char *builder_at(struct pe_builder *builder, uint32_t address);
void builder_put16(struct pe_builder *builder, uint32_t address, uint16_t value);
void builder_put32(struct pe_builder *builder, uint32_t address, uint32_t value);
/* The same by file offset, for headers. */
void builder_patch(struct pe_builder *builder, size_t offset, size_t size, uint32_t value);
size_t builder_section_header(const struct pe_builder *builder, size_t index);
void builder_directory(struct pe_builder *builder, unsigned index, uint32_t address,
                       uint32_t length);
/* Imports a function of ntoskrnl.exe; gives the address of its slot. At most 60. */
uint32_t builder_import(struct pe_builder *builder, const char *name);

/* Code: hex digits and blanks; "%s" stands for the slot as the instruction set wants it (distance
 * on x64, address on x86), counted from the end of those four bytes. */
void builder_code(struct pe_builder *builder, const char *hex, uint32_t slot);
/* ARM64: one instruction. */
void builder_word(struct pe_builder *builder, uint32_t word);
/* ARM64: adrp xN, page; ldr xN, [xN, offset] of a slot. */
void builder_load_slot(struct pe_builder *builder, unsigned number, uint32_t slot);

#endif
