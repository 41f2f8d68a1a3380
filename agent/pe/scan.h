/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside of the tag scanner, shared by its parts. Private to agent/pe.
 *
 * Searching for bytes cannot tell an allocation from a comparison, and finds nothing where a
 * compiler loads the tag or the import slot into a register ahead of time, joins two branches or
 * puts the call into a helper. So the code is decoded once, front to back, and a few facts are
 * carried along in a struct state: which registers and stack slots hold a constant, an import slot,
 * a parameter of the function at hand. Forward jumps carry the state to their target; backward
 * jumps are not followed, which keeps it linear. A value that two paths disagree on is kept as two
 * possible constants: the question is which tags may reach an allocator.
 *
 * A function that hands its own parameter to an allocator as the tag is a helper; the code is
 * decoded again (SCAN_PASSES at most) with calls of helpers counting as calls of their allocator.
 */
#ifndef AGENT_PE_SCAN_H
#define AGENT_PE_SCAN_H

#include "agent/pe/bytes.h"
#include "agent/pe/tag_scan.h"

/* ---- allocators ------------------------------------------------------------- */

struct scan_api {
    const char *name;
    uint8_t argument;     /* of the tag, from 0; SCAN_NO_TAG: allocates, but takes none */
    uint8_t x86_argument; /* in 32-bit words: 64-bit flags take two */
    uint8_t x86_words;    /* popped by the callee; 0: the caller does */
    bool frees;
    bool first_is_zero; /* only when argument 0 is 0: one export that does many things */
};
#define SCAN_NO_TAG 255u

enum {
    SCAN_SLOTS_MAX = 96,
    SCAN_X86_EAX = 100, /* parameter numbers of eax, ecx and edx, past those of the stack */
};

struct scan_imports {
    size_t count;
    struct {
        uint32_t address; /* of the slot in the import address table */
        const struct scan_api *api;
    } slots[SCAN_SLOTS_MAX];
    size_t total; /* imported functions of any kind */
    bool kmdf;
};
void scan_read_imports(const struct pe *pe, struct scan_imports *ret_imports);
/* NULL when no allocator's slot is there. */
const struct scan_api *scan_import_at(const struct scan_imports *imports, uint32_t address);

/* ---- what is known at one instruction --------------------------------------- */

enum value_kind {
    VALUE_UNKNOWN,
    VALUE_CONST,   /* one or two possible constants */
    VALUE_IMPORT,  /* the address of an allocator, loaded from its slot */
    VALUE_PARAM,   /* parameter bits[0] of the function */
    VALUE_STACK,   /* stack pointer at the function's entry + (int32_t)bits[0] */
    VALUE_ADDRESS, /* virtual address bits[0] in the image (ARM64 ADRP) */
};

struct value {
    uint8_t kind, count;
    uint32_t bits[2];
    const struct scan_api *api;
};

enum { STATE_REGISTERS = 32, STATE_SLOTS = 24 };

struct state {
    bool reachable; /* from the instruction before */
    bool fresh;     /* nothing but padding since the function's start */
    uint32_t function;
    uint8_t slot_next; /* the oldest slot is reused first */
    int32_t escaped;   /* from here up a callee may write: an address was taken */
    struct value registers[STATE_REGISTERS];
    struct {
        int32_t offset;
        struct value value;
    } slots[STATE_SLOTS];
};

struct value value_const(uint32_t bits);
struct value value_join(struct value a, struct value b);

struct value scan_state_load(const struct state *state, int32_t offset);
void scan_state_store(struct state *state, int32_t offset, struct value value);
/* The address of a stack slot is taken: what stands there is lost at the next call. */
void scan_state_escape(struct state *state, int32_t offset);
void state_after_call(struct state *state);

/* ---- the scanner ------------------------------------------------------------ */

enum { SCAN_PENDING = 32, SCAN_HELPERS_MAX = 64, SCAN_PASSES = 3 };

struct scan_relocations { /* moves forward only, as the code does */
    uint32_t block, end;  /* virtual */
    uint32_t entry;
};

struct scanner {
    const struct pe *pe;
    const struct scan_imports *imports;
    const uint32_t *wanted, *live;
    size_t wanted_count, live_count;
    struct tag_scan *result;
    unsigned sp, word; /* number of the stack register; bytes of a stack slot */

    struct state state;
    size_t pending_count;
    struct {
        uint32_t target;
        struct state state;
    } pending[SCAN_PENDING];

    size_t helper_count;
    struct {
        uint32_t function;
        uint8_t parameter;
        const struct scan_api *api;
    } helpers[SCAN_HELPERS_MAX];

    struct scan_relocations relocations;
    uint32_t functions_at, functions_end, functions_stride; /* exception directory, virtual */
    const unsigned char *function_entry;                    /* the next one's, when there is one */
    uint32_t function_next;                                 /* UINT32_MAX: no more */
};

/* A function starts: everything unknown but the stack pointer and the parameters. */
void scan_enter(struct scanner *scanner, uint32_t function);
/* Moves on to the next entry of the exception directory. */
void scan_next_function(struct scanner *scanner);
/* To be called before each instruction; takes over what forward jumps brought here, and starts a
 * function where the exception directory says so. Gives the address to go on at: lower than
 * `address` when that ran past a function's start. */
uint32_t scan_arrive(struct scanner *scanner, uint32_t address);
void scan_jump(struct scanner *scanner, uint32_t from, uint32_t target);

/* What stands at a stack offset, counted as VALUE_STACK is; above it are parameters. */
struct value scan_load(const struct scanner *scanner, int32_t offset);
/* Argument `index` as the callee will see it. tail: of a jump, with the return address in place. */
struct value scan_argument(const struct scanner *scanner, unsigned index, bool tail);
/* A call (tail: a jump) of an allocator, or of a function that may be a helper. */
void scan_call_api(struct scanner *scanner, const struct scan_api *api, uint32_t at, bool tail);
void scan_call_function(struct scanner *scanner, uint32_t target, uint32_t at, bool tail);
/* An immediate where compilers put arguments; immediate_at is 0 or the address of its bytes. */
void scan_immediate(struct scanner *scanner, uint32_t bits, uint32_t at, uint32_t immediate_at);
bool scan_is_relocated(const struct pe *pe, struct scan_relocations *cursor, uint32_t address);
void scan_note(struct scanner *scanner, uint32_t tag, enum tag_evidence evidence, uint32_t at,
               const struct scan_api *api);
bool scan_has(const uint32_t *sorted, size_t count, uint32_t tag);

/* One executable section, decoded. */
void scan_section_x86(struct scanner *scanner, uint32_t address, const unsigned char *code,
                      size_t length);
void scan_section_arm64(struct scanner *scanner, uint32_t address, const unsigned char *code,
                        size_t length);

#endif
