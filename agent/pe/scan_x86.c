/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What x86 and x64 instructions do to the few facts of a struct state. Where an instruction is not
 * known here, the registers it names count as overwritten: a tag may be missed, not made up.
 */
#include "agent/pe/scan.h"
#include "agent/pe/x86_decode.h"

enum { AX, CX, DX, BX, SP, BP, SI, DI };
/* After a call whose callee may have popped its arguments: offsets that mean nothing any more. */
#define FRESH_STACK 0x100000u

struct step {
    struct scanner *scanner;
    struct state *state;
    const struct x86_insn *insn;
    const unsigned char *code; /* of the section */
    size_t code_length;
    uint32_t section; /* its address */
    uint32_t at, next;
    bool is64;
};

static void forget(struct step *step, unsigned number)
{
    step->state->registers[number] = (struct value){0};
}

static void forget_operands(struct step *step)
{
    const struct x86_insn *insn = step->insn;
    if (!insn->has_modrm)
        return;
    if (insn->mod == 3 && insn->rm != SP)
        forget(step, insn->rm);
    if (insn->reg != SP)
        forget(step, insn->reg);
}

/* The address that a memory operand names, when it is one in the image. */
static bool image_operand(const struct step *step, uint32_t *ret_address)
{
    const struct x86_insn *insn = step->insn;
    if (insn->mod == 3 || insn->base != X86_NONE || insn->index != X86_NONE ||
        insn->displacement_at == 0)
        return false;
    if (step->is64 && !insn->relative)
        return false;
    *ret_address = step->is64
                       ? step->next + (uint32_t)insn->displacement
                       : (uint32_t)insn->displacement - (uint32_t)step->scanner->pe->image_base;
    return true;
}

static bool stack_operand(const struct step *step, int32_t *ret_offset)
{
    const struct x86_insn *insn = step->insn;
    if (insn->mod == 3 || insn->base == X86_NONE || insn->index != X86_NONE)
        return false;
    struct value base = step->state->registers[insn->base];
    if (base.kind != VALUE_STACK)
        return false;
    *ret_offset = (int32_t)(base.bits[0] + (uint32_t)insn->displacement);
    return true;
}

static struct value import_value(const struct step *step, uint32_t address)
{
    const struct scan_api *api = scan_import_at(step->scanner->imports, address);
    if (api == NULL)
        return (struct value){0};
    return (struct value){.kind = VALUE_IMPORT, .api = api};
}

/* The value of the r/m operand. */
static struct value read_operand(const struct step *step)
{
    uint32_t address;
    int32_t offset;
    if (step->insn->mod == 3)
        return step->state->registers[step->insn->rm];
    if (image_operand(step, &address))
        return import_value(step, address);
    if (stack_operand(step, &offset))
        return scan_load(step->scanner, offset);
    return (struct value){0};
}

static void write_operand(struct step *step, struct value value)
{
    int32_t offset;
    if (step->insn->mod == 3)
        step->state->registers[step->insn->rm] = value;
    else if (stack_operand(step, &offset))
        scan_state_store(step->state, offset, value);
}

static void move_stack(struct step *step, uint32_t bytes)
{
    struct value *sp = &step->state->registers[SP];
    if (sp->kind != VALUE_STACK)
        *sp = (struct value){.kind = VALUE_STACK, .bits = {(uint32_t)-FRESH_STACK}};
    sp->bits[0] += bytes;
}

static void push(struct step *step, struct value value)
{
    move_stack(step, -(uint32_t)step->scanner->word);
    scan_state_store(step->state, (int32_t)step->state->registers[SP].bits[0], value);
}

static struct value pop(struct step *step)
{
    move_stack(step, 0);
    struct value value = scan_load(step->scanner, (int32_t)step->state->registers[SP].bits[0]);
    move_stack(step, step->scanner->word);
    return value;
}

static void note_immediate(struct step *step)
{
    const struct x86_insn *insn = step->insn;
    if (insn->immediate_size >= 4)
        scan_immediate(step->scanner, (uint32_t)insn->immediate, step->at,
                       step->at + (uint32_t)insn->immediate_at);
}

/* An immediate as a value; an address in the image is none. */
static struct value immediate_value(struct step *step)
{
    const struct x86_insn *insn = step->insn;
    int64_t bits = insn->immediate;
    if (bits > UINT32_MAX || bits < INT32_MIN)
        return (struct value){0};
    if (!step->is64 && insn->immediate_size == 4 &&
        scan_is_relocated(step->scanner->pe, &step->scanner->relocations,
                          step->at + (uint32_t)insn->immediate_at))
        return (struct value){0};
    return value_const((uint32_t)bits);
}

/* ---- calls and jumps -------------------------------------------------------- */

/* The allocator that a stub at `target` jumps to: jmp [slot], as import libraries have it. */
static const struct scan_api *stub_api(const struct step *step, uint32_t target)
{
    const unsigned char *stub;
    uint32_t inside = target - step->section;
    if (target >= step->section && inside < step->code_length) {
        if (step->code_length - inside < 7)
            return NULL;
        stub = step->code + inside;
    } else {
        size_t at = pe_offset(step->scanner->pe, target, 7);
        if (at == SIZE_MAX)
            return NULL;
        stub = step->scanner->pe->data + at;
    }
    uint32_t length = stub[0] == 0x48 ? 7 : 6;
    stub += length - 6;
    if (stub[0] != 0xff || stub[1] != 0x25)
        return NULL;
    uint32_t slot = read_u32(stub + 2);
    slot = step->is64 ? target + length + slot : slot - (uint32_t)step->scanner->pe->image_base;
    return scan_import_at(step->scanner->imports, slot);
}

static void after_call(struct step *step, const struct scan_api *api)
{
    static const uint8_t VOLATILE[] = {AX, CX, DX, 8, 9, 10, 11};
    for (size_t i = 0; i < (step->is64 ? sizeof VOLATILE : 3); i++)
        forget(step, VOLATILE[i]);
    state_after_call(step->state);
    if (step->is64)
        return;
    move_stack(step, api != NULL ? api->x86_words * 4u : (uint32_t)-FRESH_STACK);
}

static void after_jump(struct step *step)
{
    static const uint8_t VOLATILE[] = {AX, CX, DX, 8, 9, 10, 11};
    /* What follows a jump is often a loop's body, entered again from below: what survives calls
     * still holds there. Padding or a function's start says otherwise, unless the exception
     * directory tells where functions start: then padding only aligns a loop. */
    uint32_t inside = step->next - step->section;
    bool padding =
        inside < step->code_length && (step->code[inside] == 0xcc || step->code[inside] == 0x90);
    if (step->scanner->functions_end == 0 && (padding || step->next % 16 == 0))
        step->state->reachable = false;
    for (size_t i = 0; i < (step->is64 ? sizeof VOLATILE : 3); i++)
        forget(step, VOLATILE[i]);
}

static void transfer(struct step *step, const struct scan_api *api, uint32_t target, bool tail)
{
    if (api == NULL && target != 0)
        api = stub_api(step, target);
    if (api != NULL)
        scan_call_api(step->scanner, api, step->at, tail);
    else if (target != 0)
        scan_call_function(step->scanner, target, step->at, tail);
    if (!tail)
        after_call(step, api);
}

static void step_relative(struct step *step)
{
    const struct x86_insn *insn = step->insn;
    uint32_t target = step->next + (uint32_t)insn->immediate;
    if (insn->map == 1 && insn->op == 0xe8) {
        transfer(step, NULL, target, false);
        return;
    }
    scan_jump(step->scanner, step->at, target);
    if (insn->map == 1 && (insn->op == 0xe9 || insn->op == 0xeb)) {
        transfer(step, NULL, target, true);
        after_jump(step);
    }
}

/* FF: inc, dec, call, call far, jmp, jmp far, push. */
static void step_group_ff(struct step *step)
{
    struct value operand = read_operand(step);
    switch (step->insn->reg & 7) {
    case 2:
        transfer(step, operand.kind == VALUE_IMPORT ? operand.api : NULL, 0, false);
        break;
    case 4:
        transfer(step, operand.kind == VALUE_IMPORT ? operand.api : NULL, 0, true);
        step->state->reachable = false;
        break;
    case 6:
        push(step, operand);
        break;
    default:
        write_operand(step, (struct value){0});
        break;
    }
}

/* ---- moves and arithmetic --------------------------------------------------- */

static void step_lea(struct step *step)
{
    const struct x86_insn *insn = step->insn;
    struct value value = {0};
    if (insn->base != X86_NONE && insn->index == X86_NONE) {
        value = step->state->registers[insn->base];
        if (value.kind != VALUE_STACK && value.kind != VALUE_CONST)
            value = (struct value){0};
        for (unsigned i = 0; i < 2; i++)
            value.bits[i] += (uint32_t)insn->displacement;
    }
    if (value.kind == VALUE_STACK && insn->reg != SP && insn->reg != BP)
        scan_state_escape(step->state, (int32_t)value.bits[0]);
    step->state->registers[insn->reg] = value;
}

/* C7 /0 and B8+: the immediate moves that arguments are made of. */
static void step_move_immediate(struct step *step)
{
    const struct x86_insn *insn = step->insn;
    struct value value = immediate_value(step);
    if (insn->op != 0xc7) {
        step->state->registers[insn->opcode_reg] = insn->small ? (struct value){0} : value;
        note_immediate(step);
        return;
    }
    int32_t offset;
    if (insn->mod == 3 || stack_operand(step, &offset) || insn->base == SP || insn->base == BP)
        note_immediate(step);
    write_operand(step, insn->small ? (struct value){0} : value);
}

/* A choice of two constants is often computed: setcc, shift, add. */
static struct value compute(unsigned kind, struct value value, uint32_t amount)
{
    bool sum = kind == 0 || kind == 5;
    if (value.kind != VALUE_CONST && !(value.kind == VALUE_STACK && sum))
        return (struct value){0};
    for (unsigned i = 0; i < 2; i++) {
        uint32_t bits = value.bits[i];
        switch (kind) {
        case 0:
            value.bits[i] = bits + amount;
            break;
        case 1:
            value.bits[i] = bits | amount;
            break;
        case 4:
            value.bits[i] = bits & amount;
            break;
        case 5:
            value.bits[i] = bits - amount;
            break;
        case 6:
            value.bits[i] = bits ^ amount;
            break;
        default: /* adc and sbb depend on a flag */
            return (struct value){0};
        }
    }
    return value;
}

static struct value two_values(uint32_t first, uint32_t second)
{
    return (struct value){.kind = VALUE_CONST, .count = 2, .bits = {first, second}};
}

/* C1 /4, D1 /4: shl by a constant. */
static void step_shift(struct step *step)
{
    const struct x86_insn *insn = step->insn;
    struct value value = read_operand(step);
    unsigned amount = insn->op == 0xd1 ? 1 : (unsigned)insn->immediate & 31;
    bool left = (insn->reg & 7) == 4 && (insn->op == 0xc1 || insn->op == 0xd1);
    if (!left || insn->small || value.kind != VALUE_CONST)
        value = (struct value){0};
    value.bits[0] <<= amount;
    value.bits[1] <<= amount;
    write_operand(step, value);
}

/* add, or, adc, sbb, and, sub, xor, cmp of a known value and a constant. */
static void step_arithmetic_immediate(struct step *step)
{
    const struct x86_insn *insn = step->insn;
    unsigned kind = insn->reg & 7;
    if (kind == 7)
        return;
    struct value value = read_operand(step);
    if (insn->op == 0x80 || insn->op == 0x82 || insn->small)
        value = (struct value){0};
    else if (!(kind == 4 && value.kind == VALUE_STACK)) /* aligning it changes nothing for us */
        value = compute(kind, value, (uint32_t)insn->immediate);
    if (insn->mod == 3 && insn->rm == SP && value.kind != VALUE_STACK)
        move_stack(step, (uint32_t)-FRESH_STACK);
    else
        write_operand(step, value);
}

/* The rows 00 to 3F: eight operations with six shapes each. */
static void step_arithmetic(struct step *step)
{
    const struct x86_insn *insn = step->insn;
    unsigned kind = insn->op >> 3 & 7, shape = insn->op & 7;
    if (kind == 7 || shape > 5)
        return;
    if (shape >= 4) {
        struct value *ax = &step->state->registers[AX];
        bool whole = shape == 5 && !insn->small;
        *ax = whole ? compute(kind, *ax, (uint32_t)insn->immediate) : (struct value){0};
        return;
    }
    unsigned target = (shape & 2) != 0 ? insn->reg : insn->rm;
    bool same = insn->mod == 3 && insn->reg == insn->rm && (shape & 1) != 0;
    struct value value = {0};
    if (same && (kind == 5 || kind == 6)) /* sub, xor */
        value = value_const(0);
    else if (same && kind == 3) /* sbb: the carry as a mask */
        value = two_values(0, UINT32_MAX);
    if ((shape & 2) == 0 && insn->mod != 3)
        write_operand(step, value);
    else if (target == SP)
        move_stack(step, (uint32_t)-FRESH_STACK); /* stack probes */
    else
        step->state->registers[target] = value;
}

static void step_exchange(struct step *step)
{
    const struct x86_insn *insn = step->insn;
    if (insn->op >= 0x90 && insn->op <= 0x97) {
        if (insn->opcode_reg != AX) {
            forget(step, AX);
            forget(step, insn->opcode_reg);
        }
        return;
    }
    forget_operands(step);
    write_operand(step, (struct value){0});
}

static void step_move(struct step *step)
{
    const struct x86_insn *insn = step->insn;
    bool whole = !insn->small;
    switch (insn->op) {
    case 0x88:
        write_operand(step, (struct value){0});
        break;
    case 0x89:
        write_operand(step, whole ? step->state->registers[insn->reg] : (struct value){0});
        break;
    case 0x8a:
        forget(step, insn->reg);
        forget(step, insn->reg & 3);
        break;
    case 0x8b:
        step->state->registers[insn->reg] = whole ? read_operand(step) : (struct value){0};
        break;
    case 0x8d:
        step_lea(step);
        break;
    case 0x8f:
        write_operand(step, pop(step));
        break;
    default:
        break;
    }
}

/* ---- dispatch --------------------------------------------------------------- */

static void step_stack(struct step *step)
{
    const struct x86_insn *insn = step->insn;
    unsigned op = insn->op;
    if (op >= 0x50 && op <= 0x57) {
        push(step, step->state->registers[insn->opcode_reg]);
    } else if (op >= 0x58 && op <= 0x5f) {
        struct value value = pop(step);
        step->state->registers[insn->opcode_reg] = value;
    } else if (op == 0x68 || op == 0x6a) {
        note_immediate(step);
        push(step, immediate_value(step));
    } else if (op == 0xc9) { /* leave */
        step->state->registers[SP] = step->state->registers[BP];
        struct value value = pop(step);
        step->state->registers[BP] = value;
    } else { /* pusha, popa, pushf and the like */
        move_stack(step, (uint32_t)-FRESH_STACK);
    }
}

static bool is_return(const struct x86_insn *insn)
{
    switch (insn->op) {
    case 0xc2:
    case 0xc3:
    case 0xca:
    case 0xcb:
    case 0xcc:
    case 0xcf:
    case 0xf4:
        return true;
    case 0xcd: /* int 29h: fast fail */
        return insn->immediate == 0x29;
    default:
        return false;
    }
}

static void step_one_byte(struct step *step)
{
    const struct x86_insn *insn = step->insn;
    unsigned op = insn->op;
    if (is_return(insn))
        step->state->reachable = false;
    else if (op < 0x40)
        step_arithmetic(step);
    else if (op < 0x50) /* inc, dec on x86 */
        forget(step, insn->opcode_reg);
    else if (op < 0x62 || op == 0x68 || op == 0x6a || op == 0x9c || op == 0x9d || op == 0xc9)
        step_stack(step);
    else if (op == 0x63 && step->is64)
        step->state->registers[insn->reg] = read_operand(step);
    else if (op == 0x69 || op == 0x6b)
        forget(step, insn->reg);
    else if ((op >= 0x70 && op < 0x80) || (op >= 0xe0 && op <= 0xe3) || op == 0xe8 || op == 0xe9 ||
             op == 0xeb)
        step_relative(step);
    else if (op >= 0x80 && op <= 0x83)
        step_arithmetic_immediate(step);
    else if (op == 0x84 || op == 0x85 || op == 0xa8 || op == 0xa9)
        ; /* test */
    else if (op == 0x86 || op == 0x87 || (op >= 0x90 && op <= 0x97))
        step_exchange(step);
    else if (op >= 0x88 && op <= 0x8f)
        step_move(step);
    else if (op == 0xa2 || op == 0xa3)
        ; /* mov [address], eax */
    else if (op == 0xa1 && !step->is64)
        step->state->registers[AX] =
            import_value(step, (uint32_t)insn->immediate - (uint32_t)step->scanner->pe->image_base);
    else if ((op >= 0xb8 && op <= 0xbf) || op == 0xc7)
        step_move_immediate(step);
    else if (op >= 0xb0 && op <= 0xb7)
        forget(step, insn->opcode_reg & (step->is64 ? 15 : 3));
    else if (op == 0xff)
        step_group_ff(step);
    else if (op == 0xf6 || op == 0xf7) {
        if ((insn->reg & 7) >= 4) {
            forget(step, AX);
            forget(step, DX);
        } else if ((insn->reg & 7) >= 2)
            write_operand(step, (struct value){0});
    } else if (op == 0xc0 || op == 0xc1 || (op >= 0xd0 && op <= 0xd3))
        step_shift(step);
    else if (op == 0xc6 || op == 0xfe)
        write_operand(step, (struct value){0});
    else if (op >= 0xa4 && op <= 0xaf) { /* string instructions */
        forget(step, CX);
        forget(step, SI);
        forget(step, DI);
        if (op == 0xac || op == 0xad)
            forget(step, AX);
    } else if (op < 0xd8 || op > 0xdf) { /* those are x87's */
        forget(step, AX);
        forget(step, DX);
        forget_operands(step);
    }
}

/* Opcodes behind 0F that name only vector registers in the reg field. */
static bool is_vector_only(unsigned op)
{
    return (op >= 0x10 && op <= 0x17) || (op >= 0x28 && op <= 0x2b) || op == 0x2e || op == 0x2f ||
           (op >= 0x51 && op <= 0x76) || op == 0x7f || op == 0xc2 || op == 0xc6 ||
           (op >= 0xd0 && op <= 0xd6) || op >= 0xd8;
}

static struct value read_bit(const struct step *step)
{
    struct value value = read_operand(step);
    bool bit = value.kind == VALUE_CONST && (value.bits[0] | value.bits[1]) <= 1;
    return bit ? value : (struct value){0};
}

static void step_two_byte(struct step *step)
{
    const struct x86_insn *insn = step->insn;
    unsigned op = insn->op;
    if (op == 0x0b || op == 0xff) /* ud2 */
        step->state->reachable = false;
    else if (op >= 0x80 && op < 0x90)
        step_relative(step);
    else if (op >= 0x40 && op < 0x50) /* cmov: either of the two */
        step->state->registers[insn->reg] =
            value_join(step->state->registers[insn->reg], read_operand(step));
    else if (op == 0xb6 && insn->mod == 3) /* movzx, after a setcc */
        step->state->registers[insn->reg] = read_bit(step);
    else if (op == 0xaf || op == 0xb6 || op == 0xb7 || op == 0xbe || op == 0xbf)
        forget(step, insn->reg);
    else if (op == 0x18 || op == 0x1f || op == 0x0d || op == 0xa3 || is_vector_only(op))
        ;                             /* prefetch, nop, bt */
    else if (op >= 0x90 && op < 0xa0) /* setcc: of a register that was cleared, or is widened */
        write_operand(step, insn->mod == 3 ? two_values(0, 1) : (struct value){0});
    else if (op == 0xa2 || op == 0x31 || op == 0x32 || op == 0x05) {
        for (unsigned i = AX; i <= BX; i++)
            forget(step, i);
    } else
        forget_operands(step);
}

/* int3, the nops, and gcc's lea that changes nothing. Not mov edi, edi: functions start with it. */
static bool is_padding(const struct x86_insn *insn)
{
    if (insn->map == 2)
        return insn->op == 0x1f;
    if (insn->map == 1 && insn->op == 0x8d)
        return insn->base == insn->reg && insn->index == X86_NONE && insn->displacement == 0;
    return insn->map == 1 && (insn->op == 0xcc || (insn->op == 0x90 && insn->opcode_reg == AX));
}

void scan_section_x86(struct scanner *scanner, uint32_t address, const unsigned char *code,
                      size_t length)
{
    struct x86_insn insn;
    struct step step = {.scanner = scanner,
                        .state = &scanner->state,
                        .insn = &insn,
                        .code = code,
                        .code_length = length,
                        .section = address,
                        .is64 = scanner->pe->machine == PE_X64};
    scanner->state.reachable = false;
    scanner->pending_count = 0;
    for (size_t at = 0; at < length;) {
        uint32_t arrived = scan_arrive(scanner, address + (uint32_t)at);
        if (arrived >= address)
            at = arrived - address;
        if (!x86_decode(code + at, length - at, step.is64, &insn)) {
            scanner->state.reachable = false;
            at++;
            continue;
        }
        step.at = address + (uint32_t)at;
        step.next = step.at + (uint32_t)insn.length;
        at += insn.length;
        if (is_padding(&insn)) {
            if (scanner->state.fresh || (insn.map == 1 && insn.op == 0xcc))
                scanner->state.reachable = false;
            continue;
        }
        scanner->state.fresh = false;
        if (insn.map == 1)
            step_one_byte(&step);
        else if (insn.map == 2)
            step_two_byte(&step);
        else if (insn.map == 3)
            forget_operands(&step);
    }
}
