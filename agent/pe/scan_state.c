/* SPDX-License-Identifier: Apache-2.0 */
/* What is known at one instruction, carried over calls and forward jumps. */
#include "agent/pe/scan.h"

#include "common/tag.h"

struct value value_const(uint32_t bits)
{
    return (struct value){.kind = VALUE_CONST, .count = 1, .bits = {bits}};
}

/* May-information: what one path does not know, the other still may bring. */
struct value value_join(struct value a, struct value b)
{
    if (a.kind == VALUE_UNKNOWN)
        return b;
    if (b.kind == VALUE_CONST && a.kind == VALUE_CONST) {
        for (unsigned i = 0; i < b.count; i++) {
            bool known = a.bits[0] == b.bits[i] || (a.count == 2 && a.bits[1] == b.bits[i]);
            if (!known && a.count < 2)
                a.bits[a.count++] = b.bits[i];
        }
        return a;
    }
    return b.kind == VALUE_CONST ? b : a;
}

struct value scan_state_load(const struct state *state, int32_t offset)
{
    for (size_t i = 0; i < STATE_SLOTS; i++) {
        if (state->slots[i].offset == offset && state->slots[i].value.kind != VALUE_UNKNOWN)
            return state->slots[i].value;
    }
    return (struct value){0};
}

void scan_state_store(struct state *state, int32_t offset, struct value value)
{
    for (size_t i = 0; i < STATE_SLOTS; i++) {
        if (state->slots[i].offset == offset && state->slots[i].value.kind != VALUE_UNKNOWN) {
            state->slots[i].value = value;
            return;
        }
    }
    if (value.kind == VALUE_UNKNOWN)
        return;
    state->slots[state->slot_next].offset = offset;
    state->slots[state->slot_next].value = value;
    state->slot_next = (uint8_t)((state->slot_next + 1) % STATE_SLOTS);
}

void scan_state_escape(struct state *state, int32_t offset)
{
    if (offset < state->escaped)
        state->escaped = offset;
}

void state_after_call(struct state *state)
{
    for (size_t i = 0; i < STATE_SLOTS; i++) {
        if (state->slots[i].offset >= state->escaped)
            state->slots[i].value = (struct value){0};
    }
}

static void join_states(struct state *into, const struct state *from)
{
    scan_state_escape(into, from->escaped);
    for (size_t i = 0; i < STATE_REGISTERS; i++)
        into->registers[i] = value_join(into->registers[i], from->registers[i]);
    for (size_t i = 0; i < STATE_SLOTS; i++) {
        int32_t offset = from->slots[i].offset;
        if (from->slots[i].value.kind != VALUE_UNKNOWN)
            scan_state_store(into, offset,
                             value_join(scan_state_load(into, offset), from->slots[i].value));
    }
}

void scan_enter(struct scanner *scanner, uint32_t function)
{
    static const uint8_t X64_PARAMETERS[] = {1, 2, 8, 9}; /* rcx, rdx, r8, r9 */
    struct state *state = &scanner->state;
    memset(state, 0, sizeof *state);
    state->reachable = state->fresh = true;
    state->function = function;
    state->escaped = INT32_MAX;
    state->registers[scanner->sp].kind = VALUE_STACK;
    unsigned count = scanner->pe->machine == PE_ARM64 ? 8 : scanner->pe->machine == PE_X64 ? 4 : 3;
    for (unsigned i = 0; i < count; i++) {
        /* On x86 fastcall and thiscall use ecx and edx, a compiler's own conventions for local
         * functions eax too; numbered past the stack's. */
        unsigned number = count == 4 ? X64_PARAMETERS[i] : i;
        state->registers[number] =
            (struct value){.kind = VALUE_PARAM, .bits = {count == 3 ? SCAN_X86_EAX + i : i}};
    }
}

static void take_pending(struct scanner *scanner, uint32_t address)
{
    for (size_t i = 0; i < scanner->pending_count;) {
        if (scanner->pending[i].target > address) {
            i++;
            continue;
        }
        if (scanner->pending[i].target == address) {
            if (scanner->state.reachable)
                join_states(&scanner->state, &scanner->pending[i].state);
            else
                scanner->state = scanner->pending[i].state;
        }
        scanner->pending[i] = scanner->pending[--scanner->pending_count];
    }
}

void scan_next_function(struct scanner *scanner)
{
    size_t at = SIZE_MAX;
    if (scanner->functions_at < scanner->functions_end)
        at = pe_offset(scanner->pe, scanner->functions_at, scanner->functions_stride);
    scanner->function_next = UINT32_MAX;
    if (at == SIZE_MAX)
        return;
    scanner->functions_at += scanner->functions_stride;
    scanner->function_entry = scanner->pe->data + at;
    scanner->function_next = read_u32(scanner->function_entry);
}

/* A chained entry describes a piece of a function that began earlier (x64 unwind flag 4). */
static bool is_chained(const struct pe *pe, const unsigned char *entry)
{
    if (pe->machine != PE_X64)
        return false;
    size_t unwind = pe_offset(pe, read_u32(entry + 8) & ~3u, 4);
    return unwind != SIZE_MAX && (pe->data[unwind] >> 3 & 4) != 0;
}

/* True when a function starts at or before *address, which then is its start. */
static bool at_function(struct scanner *scanner, uint32_t *address)
{
    while (*address >= scanner->function_next) {
        const unsigned char *entry = scanner->function_entry;
        uint32_t begin = scanner->function_next;
        scan_next_function(scanner);
        /* Far behind is another section's; a little is an instruction that was not one. */
        if (*address - begin > 15)
            continue;
        *address = begin;
        if (!is_chained(scanner->pe, entry))
            return true;
        if (!scanner->state.reachable)
            return false;
    }
    return false;
}

uint32_t scan_arrive(struct scanner *scanner, uint32_t address)
{
    if (scanner->pending_count > 0)
        take_pending(scanner, address);
    if (at_function(scanner, &address))
        scan_enter(scanner, address);
    else if (!scanner->state.reachable)
        scan_enter(scanner, address);
    return address;
}

void scan_jump(struct scanner *scanner, uint32_t from, uint32_t target)
{
    if (target <= from)
        return;
    for (size_t i = 0; i < scanner->pending_count; i++) {
        if (scanner->pending[i].target == target) {
            join_states(&scanner->pending[i].state, &scanner->state);
            return;
        }
    }
    size_t at = scanner->pending_count;
    if (at == SCAN_PENDING) { /* the farthest gives way */
        at = 0;
        for (size_t i = 1; i < SCAN_PENDING; i++) {
            if (scanner->pending[i].target > scanner->pending[at].target)
                at = i;
        }
        if (scanner->pending[at].target <= target)
            return;
    } else {
        scanner->pending_count++;
    }
    scanner->pending[at].target = target;
    scanner->pending[at].state = scanner->state;
    scanner->pending[at].state.reachable = true;
}

struct value scan_argument(const struct scanner *scanner, unsigned index, bool tail)
{
    static const uint8_t X64_REGISTERS[] = {1, 2, 8, 9};
    const struct state *state = &scanner->state;
    enum pe_machine machine = scanner->pe->machine;
    if (machine == PE_ARM64 && index < 8)
        return state->registers[index];
    if (machine == PE_X64 && index < 4)
        return state->registers[X64_REGISTERS[index]];
    if (machine == PE_X86 && index >= SCAN_X86_EAX)
        return state->registers[index - SCAN_X86_EAX];
    struct value sp = state->registers[scanner->sp];
    if (sp.kind != VALUE_STACK)
        return (struct value){0};
    unsigned place = machine == PE_ARM64 ? index - 8 : index + (tail ? 1 : 0);
    return scan_load(scanner, (int32_t)(sp.bits[0] + place * scanner->word));
}

struct value scan_load(const struct scanner *scanner, int32_t offset)
{
    struct value value = scan_state_load(&scanner->state, offset);
    int32_t word = (int32_t)scanner->word;
    if (value.kind != VALUE_UNKNOWN || offset < 0 || offset % word != 0 || offset > 16 * word)
        return value;
    /* Above the stack pointer at entry: the return address, where it is pushed, and parameters. */
    int32_t index = scanner->pe->machine == PE_ARM64 ? offset / word + 8 : offset / word - 1;
    if (index >= 0)
        value = (struct value){.kind = VALUE_PARAM, .bits = {(uint32_t)index}};
    return value;
}

static void add_helper(struct scanner *scanner, uint32_t parameter, const struct scan_api *api)
{
    for (size_t i = 0; i < scanner->helper_count; i++) {
        if (scanner->helpers[i].function == scanner->state.function)
            return;
    }
    if (scanner->helper_count == SCAN_HELPERS_MAX)
        return;
    scanner->helpers[scanner->helper_count].function = scanner->state.function;
    scanner->helpers[scanner->helper_count].parameter = (uint8_t)parameter;
    scanner->helpers[scanner->helper_count++].api = api;
}

static void call_with_tag(struct scanner *scanner, struct value tag, const struct scan_api *api,
                          uint32_t at)
{
    if (tag.kind == VALUE_PARAM)
        add_helper(scanner, tag.bits[0], api);
    for (unsigned i = 0; tag.kind == VALUE_CONST && i < tag.count; i++)
        scan_note(scanner, tag.bits[i] & ~TAG_PROTECTED, TAG_CALL, at, api);
}

void scan_call_api(struct scanner *scanner, const struct scan_api *api, uint32_t at, bool tail)
{
    bool x86 = scanner->pe->machine == PE_X86;
    if (api->argument == SCAN_NO_TAG)
        return;
    if (api->first_is_zero) {
        struct value first = scan_argument(scanner, 0, tail);
        if (first.kind == VALUE_CONST && first.bits[0] != 0)
            return;
    }
    struct value tag = scan_argument(scanner, x86 ? api->x86_argument : api->argument, tail);
    call_with_tag(scanner, tag, api, at);
}

void scan_call_function(struct scanner *scanner, uint32_t target, uint32_t at, bool tail)
{
    for (size_t i = 0; i < scanner->helper_count; i++) {
        if (scanner->helpers[i].function == target)
            call_with_tag(scanner, scan_argument(scanner, scanner->helpers[i].parameter, tail),
                          scanner->helpers[i].api, at);
    }
}
