/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one fleet of the ingest benchmarks, for us and for what people use instead: which rows a host
 * has, which of them move from one moment to the next, and their counters. A mix is told by how
 * many rows move: 125 of 2,500 (5 %) on a calm machine, 1,000 (40 %) on a stormy one.
 */
#ifndef TESTS_BENCH_GENERATE_H
#define TESTS_BENCH_GENERATE_H

#include <stdbool.h>
#include <stdint.h>

/* Tags are distinct, printable, and rise with i as the agent sends them: by their value, whose
 * highest byte is the last letter. */
static inline void put_tag(char *out, unsigned i)
{
    static const char letters[] =
        "+-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    out[0] = 'T';
    out[1] = letters[i % 64];
    out[2] = letters[i / 64 % 64];
    out[3] = letters[i / 4096 % 64];
    out[4] = '\0';
}

/* Counters are spread over the powers of two up to 2^28, as on machines some days up: a few tags
 * have hundreds of millions of allocations, most have thousands. */
static inline uint64_t outstanding_of(unsigned i)
{
    return 40 + i % 500;
}
static inline uint64_t frees_of(unsigned i, unsigned moment)
{
    return (1ull << (i * 7 % 29)) + i * 13ull + (uint64_t)moment * (i % 97 + 1);
}
static inline uint64_t allocs_of(unsigned i, unsigned moment)
{
    return frees_of(i, moment) + outstanding_of(i);
}
static inline uint64_t bytes_of(unsigned i, unsigned moment)
{
    return outstanding_of(i) * (64ull + i % 32 * 16) + (i + moment) % 7 * 16;
}

/* Which rows of a table of `all` move: two thirds are always the same busy ones, the others another
 * set every time, as on a machine that does something. */
struct movement {
    unsigned busy, stride;
};
static inline struct movement movement_of(unsigned all, unsigned count)
{
    struct movement m = {.busy = count * 2 / 3, .stride = 1};
    if (count < all)
        m.stride = (all - m.busy) / (count - m.busy) + 1;
    return m;
}
static inline bool moves(const struct movement *m, unsigned i, unsigned moment)
{
    return (i % 2 == 0 && i / 2 < m->busy) || (i + moment) % m->stride == 0;
}
/* The moment of the row's present counters: when it last moved. */
static inline unsigned moved_at(const struct movement *m, unsigned i, unsigned moment)
{
    unsigned ago = moves(m, i, moment) ? 0 : (i + moment) % m->stride;
    return ago < moment ? moment - ago : 0;
}

/* The rows that move, rising, at most `count`. */
static inline unsigned pick_rows(unsigned *out, unsigned all, unsigned count, unsigned moment)
{
    struct movement m = movement_of(all, count);
    unsigned found = 0;
    for (unsigned i = 0; i < all && found < count; i++) {
        if (count >= all || moves(&m, i, moment))
            out[found++] = i;
    }
    return found;
}

#endif
