/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A kernel for tests: one list of answers per information class, given with the manners of a chosen
 * kind of kernel towards buffers that are too small. Counts what it is asked.
 */
#ifndef TESTS_SUPPORT_FAKE_KERNEL_H
#define TESTS_SUPPORT_FAKE_KERNEL_H

#include "agent/nt/calls.h"
#include "common/strbuf.h"

#define FAKE_CLASSES 257 /* the last one: object types */
#define FAKE_TYPES   256

/* What a buffer that is too small hears. */
enum fake_tiny {
    FAKE_ELEMENT, /* LENGTH_MISMATCH: `element` when it cannot hold one, else the need (Windows) */
    FAKE_ZERO,    /* LENGTH_MISMATCH and 0 (Wine, ReactOS) */
    FAKE_REAL,    /* LENGTH_MISMATCH and the need */
    FAKE_TOO_SMALL, /* BUFFER_TOO_SMALL and the need */
    FAKE_OVERFLOW,  /* BUFFER_OVERFLOW and the need */
    FAKE_ABSURD,    /* LENGTH_MISMATCH and 0xffffffff */
    FAKE_TINY_COUNT
};

struct fake_answer {
    struct strbuf bytes; /* what is given; pointers count from FAKE_BASE */
    int32_t status;      /* instead of success: any other status, at any size */
    enum fake_tiny tiny;
    uint32_t element;     /* FAKE_ELEMENT: size of one element */
    uint32_t exact;       /* length must be this (0: any) */
    uint32_t at_most;     /* a longer buffer is refused (0: not) */
    uint32_t shortest;    /* a shorter buffer gets its part, down to this (0: whole or nothing) */
    uint32_t grows;       /* need is this much more after each refusal */
    uint32_t told;        /* length told on success instead of the true one (0: true) */
    bool guarded;         /* under ASan, the rest of the buffer may not be read */
    unsigned calls;       /* times asked */
    uint32_t last_length; /* of the buffer */
    uint32_t largest;     /* buffer it was asked with */
};

#define FAKE_BASE 0x30000000u

struct fake_kernel {
    struct nt_calls calls;
    struct fake_answer answers[FAKE_CLASSES];
    bool known[FAKE_CLASSES]; /* else INVALID_INFO_CLASS */
};

void fake_kernel_init(struct fake_kernel *kernel, enum nt_arch arch, unsigned major, unsigned minor,
                      unsigned build);
void fake_kernel_done(struct fake_kernel *kernel);
#define AUTO_FAKE_KERNEL CLEANUP(fake_kernel_done)
/* The empty answer of a class, to be filled with a blob. Known from then on; clears what was. */
struct strbuf *fake_kernel_answer(struct fake_kernel *kernel, uint32_t information_class);

/* A whole plausible host in all classes: `rows` tags, some processes, types, modules. */
void fake_kernel_fill(struct fake_kernel *kernel, size_t rows);

#endif
