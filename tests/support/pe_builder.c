/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/pe_builder.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum {
    SLOTS = BUILDER_RDATA,
    LOOKUP = BUILDER_RDATA + 0x200,
    DESCRIPTORS = BUILDER_RDATA + 0x400,
    MODULE = BUILDER_RDATA + 0x480,
    NAMES = BUILDER_RDATA + 0x4a0,
};

void builder_patch(struct pe_builder *builder, size_t offset, size_t size, uint32_t value)
{
    for (size_t i = 0; i < size; i++)
        builder->data[offset + i] = (unsigned char)(value >> (8 * i));
}

unsigned char *builder_at(struct pe_builder *builder, uint32_t address)
{
    if (address < BUILDER_CODE || address >= BUILDER_DATA + BUILDER_SECTION)
        abort();
    return builder->data + 0x400 + (address - BUILDER_CODE);
}

void builder_put16(struct pe_builder *builder, uint32_t address, uint16_t value)
{
    builder_patch(builder, (size_t)(builder_at(builder, address) - builder->data), 2, value);
}

void builder_put32(struct pe_builder *builder, uint32_t address, uint32_t value)
{
    builder_patch(builder, (size_t)(builder_at(builder, address) - builder->data), 4, value);
}

size_t builder_section_header(const struct pe_builder *builder, size_t index)
{
    return BUILDER_OPTIONAL + (builder->is64 ? 240u : 224u) + index * 40;
}

void builder_directory(struct pe_builder *builder, unsigned index, uint32_t address,
                       uint32_t length)
{
    size_t at = BUILDER_OPTIONAL + (builder->is64 ? 112u : 96u) + index * 8;
    builder_patch(builder, at, 4, address);
    builder_patch(builder, at + 4, 4, length);
}

void builder_init(struct pe_builder *builder, enum pe_machine machine)
{
    static const struct {
        char name[8];
        uint32_t address, flags;
    } SECTIONS[] = {{".text", BUILDER_CODE, 0x60000020},
                    {".rdata", BUILDER_RDATA, 0x40000040},
                    {".data", BUILDER_DATA, 0xc0000040}};
    memset(builder, 0, sizeof *builder);
    builder->is64 = machine != PE_X86;
    builder->code = BUILDER_CODE;
    builder->name_next = NAMES;
    memcpy(builder->data, "MZ", 2);
    builder_patch(builder, 60, 4, BUILDER_PE);
    memcpy(builder->data + BUILDER_PE, "PE\0\0", 4);
    builder_patch(builder, BUILDER_PE + 4, 2,
                  machine == PE_X86   ? 0x14c
                  : machine == PE_X64 ? 0x8664
                                      : 0xaa64);
    builder_patch(builder, BUILDER_PE + 6, 2, 3);
    builder_patch(builder, BUILDER_PE + 8, 4, 0x5f000000);
    builder_patch(builder, BUILDER_PE + 20, 2, builder->is64 ? 240 : 224);
    builder_patch(builder, BUILDER_OPTIONAL, 2, builder->is64 ? 0x20b : 0x10b);
    builder_patch(builder, BUILDER_OPTIONAL + 16, 4, BUILDER_CODE);
    builder_patch(builder, BUILDER_OPTIONAL + (builder->is64 ? 24 : 28), 4, BUILDER_BASE);
    builder_patch(builder, BUILDER_OPTIONAL + 56, 4, BUILDER_DATA + BUILDER_SECTION);
    builder_patch(builder, BUILDER_OPTIONAL + 60, 4, 0x400);
    builder_patch(builder, BUILDER_OPTIONAL + 64, 4, 0x1234);
    builder_patch(builder, BUILDER_OPTIONAL + (builder->is64 ? 108 : 92), 4, 16);
    for (size_t i = 0; i < 3; i++) {
        size_t at = builder_section_header(builder, i);
        memcpy(builder->data + at, SECTIONS[i].name, 8);
        builder_patch(builder, at + 8, 4, BUILDER_SECTION);
        builder_patch(builder, at + 12, 4, SECTIONS[i].address);
        builder_patch(builder, at + 16, 4, BUILDER_SECTION);
        builder_patch(builder, at + 20, 4, SECTIONS[i].address - BUILDER_CODE + 0x400);
        builder_patch(builder, at + 36, 4, SECTIONS[i].flags);
    }
    memset(builder_at(builder, BUILDER_CODE), 0xcc, BUILDER_SECTION);
}

uint32_t builder_import(struct pe_builder *builder, const char *name)
{
    uint32_t size = builder->is64 ? 8 : 4, offset = (uint32_t)builder->imports++ * size;
    if (builder->imports > 60)
        abort();
    memcpy(builder_at(builder, MODULE), "ntoskrnl.exe", 13);
    builder_directory(builder, 1, DESCRIPTORS, 40);
    builder_put32(builder, DESCRIPTORS, LOOKUP);
    builder_put32(builder, DESCRIPTORS + 12, MODULE);
    builder_put32(builder, DESCRIPTORS + 16, SLOTS);
    builder_put32(builder, LOOKUP + offset, (uint32_t)builder->name_next);
    builder_put32(builder, SLOTS + offset, (uint32_t)builder->name_next);
    memcpy(builder_at(builder, (uint32_t)builder->name_next + 2), name, strlen(name) + 1);
    builder->name_next += 2 + strlen(name) + 1;
    if (builder->name_next > BUILDER_FREE)
        abort();
    return SLOTS + offset;
}

void builder_code(struct pe_builder *builder, const char *hex, uint32_t slot)
{
    while (*hex != '\0') {
        if (isspace((unsigned char)*hex)) {
            hex++;
        } else if (hex[0] == '%' && hex[1] == 's') {
            uint32_t end = builder->code + 4;
            builder_put32(builder, builder->code, builder->is64 ? slot - end : slot + BUILDER_BASE);
            builder->code = end;
            hex += 2;
        } else {
            char digits[3] = {hex[0], hex[1], '\0'};
            *builder_at(builder, builder->code++) = (unsigned char)strtoul(digits, NULL, 16);
            hex += 2;
        }
    }
}

void builder_word(struct pe_builder *builder, uint32_t word)
{
    builder_put32(builder, builder->code, word);
    builder->code += 4;
}

void builder_load_slot(struct pe_builder *builder, unsigned number, uint32_t slot)
{
    uint32_t pages = (slot >> 12) - (builder->code >> 12);
    builder_word(builder, 0x90000000 | (pages & 3) << 29 | (pages >> 2 & 0x7ffff) << 5 | number);
    builder_word(builder, 0xf9400000 | (slot & 0xfff) >> 3 << 10 | number << 5 | number);
}
