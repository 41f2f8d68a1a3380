/* SPDX-License-Identifier: Apache-2.0 */
/* Takes one x86 or x64 instruction apart as far as the tag scanner needs. Private to agent/pe. */
#ifndef AGENT_PE_X86_DECODE_H
#define AGENT_PE_X86_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { X86_NONE = 255 };

struct x86_insn {
    size_t length;
    uint8_t map; /* 1: one byte, 2: 0F, 3: 0F 38 and 0F 3A, 4: VEX and EVEX */
    uint8_t op;
    bool wide;  /* REX.W */
    bool small; /* 16-bit operands */
    bool has_modrm;
    uint8_t mod, reg, rm; /* reg and rm with their REX bits; rm is a register when mod is 3 */
    uint8_t opcode_reg;   /* low bits of the opcode with REX.B, for push, pop, mov */
    /* memory operand */
    uint8_t base, index; /* X86_NONE when absent */
    bool relative;       /* to the next instruction's address (x64) */
    int32_t displacement;
    size_t displacement_at; /* inside the instruction; 0: no 32-bit displacement */
    /* immediate, sign-extended; a relative jump's distance */
    int64_t immediate;
    uint8_t immediate_size;
    size_t immediate_at;
};

/* False when the bytes are no instruction or cut off. */
bool x86_decode(const unsigned char *code, size_t length, bool is64, struct x86_insn *ret_insn);

#endif
