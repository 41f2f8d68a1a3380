/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ARM64: a 32-bit constant takes two instructions (MOVZ and MOVK), which the compiler moves apart,
 * and an import is called through ADRP, LDR and BLR, or by BL through a stub of the three. Classes
 * of instructions follow the top-level table of the architecture's encoding; one that is not known
 * here overwrites its destination.
 */
#include "agent/pe/scan.h"

enum { FRAME = 29, STACK = 31 }; /* also the zero register; which one depends on the instruction */

struct step {
    struct scanner *scanner;
    struct value *registers;
    uint32_t at, word;
    unsigned rd, rn, rm;
};

static int32_t sign_extend(uint32_t bits, unsigned width)
{
    uint32_t sign = 1u << (width - 1);
    return (int32_t)((bits ^ sign) - sign);
}

/* Register 31 as an operand is zero; as a destination it is dropped. */
static struct value get(const struct step *step, unsigned number)
{
    return number == STACK ? value_const(0) : step->registers[number];
}

static void set(struct step *step, unsigned number, struct value value)
{
    if (number != STACK)
        step->registers[number] = value;
}

static void move_stack(struct step *step, uint32_t bytes)
{
    if (step->registers[STACK].kind == VALUE_STACK)
        step->registers[STACK].bits[0] += bytes;
}

/* ---- constants and addresses ------------------------------------------------ */

static void step_move_wide(struct step *step)
{
    uint32_t word = step->word;
    unsigned kind = word >> 29 & 3, shift = (word >> 21 & 3) * 16;
    uint32_t half = word >> 5 & 0xffff;
    struct value value = get(step, step->rd);
    if (kind == 0) { /* MOVN */
        value = shift < 32 ? value_const(~(half << shift)) : (struct value){0};
    } else if (kind == 2) { /* MOVZ */
        value = shift < 32 ? value_const(half << shift) : (struct value){0};
    } else if (kind == 3 && value.kind == VALUE_CONST && shift < 32) { /* MOVK */
        for (unsigned i = 0; i < value.count; i++)
            value.bits[i] = (value.bits[i] & ~(0xffffu << shift)) | half << shift;
    } else {
        value = (struct value){0};
    }
    set(step, step->rd, value);
    for (unsigned i = 0; kind != 0 && value.kind == VALUE_CONST && i < value.count; i++)
        scan_immediate(step->scanner, value.bits[i], step->at, 0);
}

/* ADD and SUB of an immediate; 31 is the stack pointer on both sides unless flags are set. */
static void step_add(struct step *step)
{
    uint32_t word = step->word, amount = (word >> 10 & 0xfff) << ((word >> 22 & 1) * 12);
    if ((word >> 30 & 1) != 0)
        amount = 0 - amount;
    struct value value = step->registers[step->rn];
    if (value.kind != VALUE_STACK && value.kind != VALUE_ADDRESS && value.kind != VALUE_CONST)
        value = (struct value){0};
    for (unsigned i = 0; i < 2; i++)
        value.bits[i] += amount;
    if (value.kind == VALUE_STACK && step->rd != STACK && step->rd != FRAME)
        scan_state_escape(&step->scanner->state, (int32_t)value.bits[0]);
    if ((word >> 29 & 1) != 0)
        set(step, step->rd, (struct value){0}); /* with flags: CMP when rd is 31 */
    else
        step->registers[step->rd] = value;
}

static void step_immediate(struct step *step)
{
    uint32_t word = step->word;
    if ((word & 0x1f000000) == 0x10000000) { /* ADR, ADRP */
        uint32_t distance = (word >> 5 & 0x7ffff) << 2 | (word >> 29 & 3);
        struct value value = {.kind = VALUE_ADDRESS};
        value.bits[0] = (word >> 31) != 0
                            ? (step->at & ~0xfffu) + ((uint32_t)sign_extend(distance, 21) << 12)
                            : step->at + (uint32_t)sign_extend(distance, 21);
        set(step, step->rd, value);
    } else if ((word & 0x1f800000) == 0x11000000) {
        step_add(step);
    } else if ((word & 0x1f800000) == 0x12800000) {
        step_move_wide(step);
    } else {
        set(step, step->rd, (struct value){0});
    }
}

static void step_register(struct step *step)
{
    uint32_t word = step->word;
    struct value value = {0};
    if ((word & 0x7fe0ffe0) == 0x2a0003e0) /* MOV: ORR with the zero register */
        value = get(step, step->rm);
    else if ((word & 0x7fe00c00) == 0x1a800000) /* CSEL: either of the two */
        value = value_join(get(step, step->rn), get(step, step->rm));
    set(step, step->rd, value);
}

/* ---- memory ----------------------------------------------------------------- */

static struct value load(const struct step *step, struct value base, uint32_t displacement)
{
    uint32_t place = base.bits[0] + displacement;
    if (base.kind == VALUE_STACK)
        return scan_load(step->scanner, (int32_t)place);
    const struct scan_api *api =
        base.kind == VALUE_ADDRESS ? scan_import_at(step->scanner->imports, place) : NULL;
    if (api == NULL)
        return (struct value){0};
    return (struct value){.kind = VALUE_IMPORT, .api = api};
}

static void store(struct step *step, struct value base, uint32_t displacement, struct value value)
{
    if (base.kind == VALUE_STACK)
        scan_state_store(&step->scanner->state, (int32_t)(base.bits[0] + displacement), value);
}

static void write_back(struct step *step, uint32_t displacement)
{
    struct value base = step->registers[step->rn];
    if (step->rn == STACK) {
        move_stack(step, displacement);
        return;
    }
    if (base.kind != VALUE_STACK)
        base = (struct value){0};
    base.bits[0] += displacement;
    step->registers[step->rn] = base;
}

/* LDP, STP: two registers, with the base moved before, after or not. */
static void step_pair(struct step *step)
{
    uint32_t word = step->word, mode = word >> 23 & 3;
    bool vector = (word >> 26 & 1) != 0, loads = (word >> 22 & 1) != 0;
    uint32_t size = vector ? 4u << (word >> 30) : (word >> 31) != 0 ? 8 : 4;
    uint32_t displacement = (uint32_t)sign_extend(word >> 15 & 0x7f, 7) * size;
    unsigned second = word >> 10 & 31;
    struct value base = step->registers[step->rn];
    uint32_t first_at = mode == 1 ? 0 : displacement; /* 1: post-index */
    if (!vector && loads) {
        struct value a = load(step, base, first_at), b = load(step, base, first_at + size);
        set(step, step->rd, a);
        set(step, second, b);
    } else if (!vector) {
        store(step, base, first_at, get(step, step->rd));
        store(step, base, first_at + size, get(step, second));
    }
    if (mode == 1 || mode == 3)
        write_back(step, displacement);
}

static void step_memory(struct step *step)
{
    uint32_t word = step->word, size = word >> 30;
    bool vector = (word >> 26 & 1) != 0, loads = (word >> 22 & 3) != 0;
    if ((word & 0x3a000000) == 0x28000000) {
        step_pair(step);
        return;
    }
    bool scaled = (word & 0x3b000000) == 0x39000000; /* unsigned offset */
    bool unscaled = (word & 0x3b200000) == 0x38000000;
    if (!scaled && !unscaled) { /* literals, exclusives, register offsets, atomics */
        if ((word & 0x3b000000) == 0x08000000)
            set(step, step->rm, (struct value){0}); /* the status of a store-exclusive */
        if (!vector)
            set(step, step->rd, (struct value){0});
        return;
    }
    uint32_t displacement =
        scaled ? (word >> 10 & 0xfff) << size : (uint32_t)sign_extend(word >> 12 & 0x1ff, 9);
    unsigned mode = scaled ? 0 : word >> 10 & 3; /* 1: post-index, 3: pre-index */
    struct value base = step->registers[step->rn];
    uint32_t place = mode == 1 ? 0 : displacement;
    if (!vector && loads)
        set(step, step->rd, size >= 2 ? load(step, base, place) : (struct value){0});
    else if (!vector)
        store(step, base, place, size >= 2 ? get(step, step->rd) : (struct value){0});
    if (mode == 1 || mode == 3)
        write_back(step, displacement);
}

/* ---- branches --------------------------------------------------------------- */

/* The allocator that a stub at `target` jumps to: ADRP, LDR (or ADD and LDR), BR on one register.
 */
static const struct scan_api *stub_api(const struct step *step, uint32_t target)
{
    const struct pe *pe = step->scanner->pe;
    size_t at = pe_offset(pe, target, 12);
    if (at == SIZE_MAX)
        return NULL;
    uint32_t adrp = read_u32(pe->data + at), ldr = read_u32(pe->data + at + 4);
    uint32_t br = read_u32(pe->data + at + 8), number = adrp & 31;
    if ((adrp & 0x9f000000) != 0x90000000 || (ldr & 0xffc00000) != 0xf9400000 ||
        (ldr >> 5 & 31) != number || (br & 0xfffffc1f) != 0xd61f0000 ||
        (br >> 5 & 31) != (ldr & 31))
        return NULL;
    uint32_t distance = (adrp >> 5 & 0x7ffff) << 2 | (adrp >> 29 & 3);
    uint32_t page = (target & ~0xfffu) + ((uint32_t)sign_extend(distance, 21) << 12);
    return scan_import_at(step->scanner->imports, page + ((ldr >> 10 & 0xfff) << 3));
}

static void forget_volatile(struct step *step)
{
    for (unsigned i = 0; i <= 17; i++)
        step->registers[i] = (struct value){0};
    step->registers[30] = (struct value){0};
}

static void transfer(struct step *step, uint32_t target, bool tail)
{
    const struct scan_api *api = stub_api(step, target);
    if (api != NULL)
        scan_call_api(step->scanner, api, step->at, tail);
    else
        scan_call_function(step->scanner, target, step->at, tail);
}

static void step_branch_register(struct step *step)
{
    struct value target = get(step, step->rn);
    unsigned kind = step->word >> 21 & 15; /* 0: BR, 1: BLR, 2: RET; with 8: authenticated */
    bool call = (kind & 7) == 1;
    if ((kind & 7) <= 1 && target.kind == VALUE_IMPORT)
        scan_call_api(step->scanner, target.api, step->at, !call);
    if (call) {
        state_after_call(&step->scanner->state);
        forget_volatile(step);
    } else {
        step->scanner->state.reachable = false;
    }
}

static void step_branch(struct step *step)
{
    uint32_t word = step->word;
    if ((word & 0x7c000000) == 0x14000000) { /* B, BL */
        uint32_t target = step->at + ((uint32_t)sign_extend(word & 0x3ffffff, 26) << 2);
        bool call = (word >> 31) != 0;
        if (!call)
            scan_jump(step->scanner, step->at, target);
        transfer(step, target, !call);
        if (call)
            state_after_call(&step->scanner->state);
        forget_volatile(step); /* behind a jump: a loop's body, entered again from below */
        if (!call && step->scanner->functions_end == 0)
            step->scanner->state.reachable = false;
    } else if ((word & 0xfe000000) == 0x54000000 || (word & 0x7e000000) == 0x34000000) {
        scan_jump(step->scanner, step->at,
                  step->at + ((uint32_t)sign_extend(word >> 5 & 0x7ffff, 19) << 2));
    } else if ((word & 0x7e000000) == 0x36000000) { /* TBZ, TBNZ */
        scan_jump(step->scanner, step->at,
                  step->at + ((uint32_t)sign_extend(word >> 5 & 0x3fff, 14) << 2));
    } else if ((word & 0xfe000000) == 0xd6000000) {
        step_branch_register(step);
    } else if ((word & 0xffe0001f) == 0xd4200000) { /* BRK */
        step->scanner->state.reachable = false;
    } else if ((word & 0xfff00000) == 0xd5300000) { /* MRS */
        set(step, step->rd, (struct value){0});
    }
}

void scan_section_arm64(struct scanner *scanner, uint32_t address, const unsigned char *code,
                        size_t length)
{
    struct step step = {.scanner = scanner, .registers = scanner->state.registers};
    scanner->state.reachable = false;
    scanner->pending_count = 0;
    for (size_t at = 0; length - at >= 4; at += 4) {
        step.at = address + (uint32_t)at;
        scan_arrive(scanner, step.at);
        uint32_t word = step.word = read_u32(code + at);
        step.rd = word & 31;
        step.rn = word >> 5 & 31;
        step.rm = word >> 16 & 31;
        switch (word >> 25 & 15) {
        case 8:
        case 9:
            step_immediate(&step);
            break;
        case 10:
        case 11:
            step_branch(&step);
            break;
        case 4:
        case 6:
        case 12:
        case 14:
            step_memory(&step);
            break;
        case 5:
        case 13:
            step_register(&step);
            break;
        case 7:
        case 15: /* vector: some write a general register */
            set(&step, step.rd, (struct value){0});
            break;
        default: /* reserved: data between functions */
            scanner->state.reachable = false;
            break;
        }
    }
}
