/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Length and operands of an instruction, from two tables of operand shapes. What an instruction
 * does is for scan_x86.c; here it only has to come out at the right length, so that the next one is
 * read from its start.
 */
#include "agent/pe/x86_decode.h"
#include "agent/pe/bytes.h"

/* One character an opcode: '.' nothing follows, 'm' ModRM, 'b' byte, 'z' 16 or 32 bits by operand
 * size, 'M' ModRM and byte, 'Z' ModRM and z, 'w' 16 bits, 'v' up to 64 bits, 'o' address, 'e' 16
 * bits and a byte, 'f' far pointer, 'g' ModRM and an immediate for TEST only, 'j' 32-bit distance,
 * 'p' prefix, '0' two-byte escape. */
static const char ONE_BYTE[] = "mmmmbz..mmmmbz.0" /* 00 */
                               "mmmmbz..mmmmbz.." /* 10 */
                               "mmmmbzp.mmmmbzp." /* 20 */
                               "mmmmbzp.mmmmbzp." /* 30 */
                               "................" /* 40: inc, dec; REX on x64 */
                               "................" /* 50 */
                               "..mmppppzZbM...." /* 60 */
                               "bbbbbbbbbbbbbbbb" /* 70 */
                               "MZMMmmmmmmmmmmmm" /* 80 */
                               "..........f....." /* 90 */
                               "oooo....bz......" /* A0 */
                               "bbbbbbbbvvvvvvvv" /* B0 */
                               "MMw.mmMZe.w..b.." /* C0 */
                               "mmmmbb..mmmmmmmm" /* D0 */
                               "bbbbbbbbjjfb...." /* E0 */
                               "p.pp..gg......mm" /* F0 */;

static const char TWO_BYTE[] = "mmmmm.....m.mm.M" /* 00 */
                               "mmmmmmmmmmmmmmmm" /* 10 */
                               "mmmmmmmmmmmmmmmm" /* 20 */
                               "................" /* 30; 38 and 3A are escapes */
                               "mmmmmmmmmmmmmmmm" /* 40 */
                               "mmmmmmmmmmmmmmmm" /* 50 */
                               "mmmmmmmmmmmmmmmm" /* 60 */
                               "MMMMmmm.mmmmmmmm" /* 70 */
                               "jjjjjjjjjjjjjjjj" /* 80 */
                               "mmmmmmmmmmmmmmmm" /* 90 */
                               "...mMm.....mMmmm" /* A0 */
                               "mmmmmmmmmmMmmmmm" /* B0 */
                               "mmMmMMMm........" /* C0 */
                               "mmmmmmmmmmmmmmmm" /* D0 */
                               "mmmmmmmmmmmmmmmm" /* E0 */
                               "mmmmmmmmmmmmmmmm" /* F0 */;

struct cursor {
    const unsigned char *code;
    size_t at, length;
    bool is64, ok;
    uint8_t rex;
    bool small_address;
};

static uint8_t next(struct cursor *cursor)
{
    if (cursor->at >= cursor->length) {
        cursor->ok = false;
        return 0;
    }
    return cursor->code[cursor->at++];
}

static int64_t next_signed(struct cursor *cursor, uint8_t size)
{
    if (cursor->length - cursor->at < size) {
        cursor->ok = false;
        return 0;
    }
    const unsigned char *at = cursor->code + cursor->at;
    cursor->at += size;
    switch (size) {
    case 1:
        return (int8_t)at[0];
    case 2:
        return (int16_t)read_u16(at);
    case 4:
        return (int32_t)read_u32(at);
    case 8:
        return (int64_t)read_u64(at);
    default:
        return 0;
    }
}

static void read_displacement(struct cursor *cursor, struct x86_insn *insn, uint8_t size)
{
    if (size == 4)
        insn->displacement_at = cursor->at;
    insn->displacement = (int32_t)next_signed(cursor, size);
}

static void read_modrm(struct cursor *cursor, struct x86_insn *insn)
{
    uint8_t modrm = next(cursor);
    insn->has_modrm = true;
    insn->mod = modrm >> 6;
    insn->reg = (uint8_t)((modrm >> 3 & 7) | ((cursor->rex & 4) << 1));
    uint8_t low = modrm & 7;
    insn->rm = (uint8_t)(low | ((cursor->rex & 1) << 3));
    insn->base = insn->index = X86_NONE;
    if (insn->mod == 3)
        return;
    if (cursor->small_address && !cursor->is64) { /* 16-bit addressing: only its length matters */
        if (insn->mod == 2 || (insn->mod == 0 && low == 6))
            next_signed(cursor, 2);
        else if (insn->mod == 1)
            next(cursor);
        return;
    }
    bool no_base = insn->mod == 0 && low == 5;
    insn->base = insn->rm;
    if (low == 4) {
        uint8_t sib = next(cursor);
        uint8_t index = (uint8_t)((sib >> 3 & 7) | ((cursor->rex & 2) << 2));
        insn->index = index == 4 ? X86_NONE : index;
        insn->base = (uint8_t)((sib & 7) | ((cursor->rex & 1) << 3));
        no_base = insn->mod == 0 && (sib & 7) == 5;
    } else if (no_base) {
        insn->relative = cursor->is64;
    }
    if (no_base)
        insn->base = X86_NONE;
    if (insn->mod == 2 || no_base)
        read_displacement(cursor, insn, 4);
    else if (insn->mod == 1)
        read_displacement(cursor, insn, 1);
}

static void read_immediate(struct cursor *cursor, struct x86_insn *insn, uint8_t size)
{
    insn->immediate_at = cursor->at;
    insn->immediate_size = size;
    insn->immediate = next_signed(cursor, size);
}

static void read_operands(struct cursor *cursor, struct x86_insn *insn, char shape)
{
    uint8_t z = insn->small ? 2 : 4;
    if (strchr("mMZg", shape) != NULL)
        read_modrm(cursor, insn);
    switch (shape) {
    case 'b':
    case 'M':
        read_immediate(cursor, insn, 1);
        break;
    case 'z':
    case 'Z':
        read_immediate(cursor, insn, z);
        break;
    case 'j': /* the operand-size prefix is ignored on x64 and not used by compilers on x86 */
        read_immediate(cursor, insn, 4);
        break;
    case 'w':
        read_immediate(cursor, insn, 2);
        break;
    case 'v':
        read_immediate(cursor, insn, insn->wide ? 8 : z);
        break;
    case 'o':
        read_immediate(cursor, insn, cursor->is64 ? 8 : 4);
        break;
    case 'e':
        next_signed(cursor, 2);
        next(cursor);
        break;
    case 'f':
        next_signed(cursor, z);
        next_signed(cursor, 2);
        break;
    case 'g':
        if ((insn->reg & 7) <= 1)
            read_immediate(cursor, insn, insn->op == 0xf6 ? 1 : z);
        break;
    default:
        break;
    }
}

/* VEX (C4, C5) and EVEX (62): `first` has been read. */
static void read_vector(struct cursor *cursor, struct x86_insn *insn, uint8_t first)
{
    unsigned map = 1, payload = first == 0xc5 ? 1 : first == 0xc4 ? 2 : 3;
    for (unsigned i = 0; i < payload; i++) {
        uint8_t byte = next(cursor);
        if (i == 0 && first != 0xc5)
            map = byte & (first == 0xc4 ? 31 : 7);
    }
    insn->map = 4;
    insn->op = next(cursor);
    if (map == 1 && insn->op == 0x77) /* vzeroupper alone has no operands */
        return;
    read_modrm(cursor, insn);
    if (map == 3 || (map == 1 && TWO_BYTE[insn->op] == 'M'))
        next(cursor);
}

static bool is_vector(const struct cursor *cursor, uint8_t byte)
{
    if (byte != 0xc4 && byte != 0xc5 && byte != 0x62)
        return false;
    if (cursor->is64)
        return true;
    /* On x86 these are LES, LDS and BOUND unless what follows could not be their operand. */
    return cursor->at < cursor->length && cursor->code[cursor->at] >= 0xc0;
}

static void read_opcode(struct cursor *cursor, struct x86_insn *insn, uint8_t byte)
{
    if (is_vector(cursor, byte)) {
        read_vector(cursor, insn, byte);
        return;
    }
    insn->map = 1;
    insn->op = byte;
    if (byte != 0x0f) {
        insn->opcode_reg = (uint8_t)((byte & 7) | ((cursor->rex & 1) << 3));
        read_operands(cursor, insn, ONE_BYTE[byte]);
        return;
    }
    insn->map = 2;
    insn->op = next(cursor);
    if (insn->op == 0x38 || insn->op == 0x3a) {
        char shape = insn->op == 0x38 ? 'm' : 'M';
        insn->map = 3;
        insn->op = next(cursor);
        read_operands(cursor, insn, shape);
        return;
    }
    read_operands(cursor, insn, TWO_BYTE[insn->op]);
}

bool x86_decode(const unsigned char *code, size_t length, bool is64, struct x86_insn *ret_insn)
{
    struct cursor cursor = {
        .code = code, .length = length < 15 ? length : 15, .is64 = is64, .ok = true};
    struct x86_insn insn = {0};
    insn.base = insn.index = X86_NONE;
    uint8_t byte = next(&cursor);
    while (cursor.ok && ONE_BYTE[byte] == 'p') {
        insn.small |= byte == 0x66;
        cursor.small_address |= byte == 0x67;
        byte = next(&cursor);
    }
    if (is64 && (byte & 0xf0) == 0x40) {
        cursor.rex = byte & 15;
        insn.wide = (byte & 8) != 0;
        byte = next(&cursor);
    }
    if (!cursor.ok)
        return false;
    read_opcode(&cursor, &insn, byte);
    insn.length = cursor.at;
    if (cursor.ok)
        *ret_insn = insn;
    return cursor.ok;
}
