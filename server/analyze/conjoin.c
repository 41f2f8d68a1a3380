/* SPDX-License-Identifier: Apache-2.0 */
/* A bit for each host, affected ones first, so that a pair costs a few hundred words and all pairs
 * of ten thousand hosts stay within milliseconds. */
#include "server/analyze/conjoin.h"

#include <math.h>
#include <stdlib.h>

/* docs/detection.md, "Thresholds of grouping, causes and forecast": conjoin */
#define COVER_MIN 0.8  /* of the affected have both */
#define RISK_MIN  0.6  /* of those with both are affected */
#define NEEDED_P  1e-3 /* each half must separate the hosts that have the other, over all pairs */

struct bits {
    size_t words;
    size_t affected; /* the first so many bits */
    uint64_t *of;    /* by value, `words` each */
};

static void set(struct bits *bits, size_t value, size_t host)
{
    bits->of[value * bits->words + host / 64] |= UINT64_C(1) << (host % 64);
}

static void fill(const struct explain_input *input, const struct conjoin_value *values,
                 size_t count, struct bits *bits)
{
    for (size_t v = 0; v < count; v++) {
        for (size_t i = 0; i < input->affected_count; i++)
            if (fleet_fact(&input->fleet->hosts[input->affected[i]], values[v].name) ==
                values[v].value)
                set(bits, v, i);
        for (size_t i = 0; i < input->unaffected_count; i++)
            if (fleet_fact(&input->fleet->hosts[input->unaffected[i]], values[v].name) ==
                values[v].value)
                set(bits, v, input->affected_count + i);
    }
}

/* Hosts with both, on either side. */
static void count_both(const struct bits *bits, const uint64_t *a, const uint64_t *b,
                       size_t *ret_with, size_t *ret_others)
{
    *ret_with = *ret_others = 0;
    for (size_t w = 0; w < bits->words; w++) {
        uint64_t both = a[w] & b[w];
        size_t from = w * 64;
        uint64_t left = from + 64 <= bits->affected ? ~UINT64_C(0)
                        : from >= bits->affected    ? 0
                                                    : (UINT64_C(1) << (bits->affected - from)) - 1;
        *ret_with += (size_t)__builtin_popcountll(both & left);
        *ret_others += (size_t)__builtin_popcountll(both & ~left);
    }
}

/* Does `b` part the hosts that have `a`? */
static double needed(const struct bits *bits, const uint64_t *a, size_t with, size_t others)
{
    size_t a_with;
    size_t a_others;
    count_both(bits, a, a, &a_with, &a_others);
    return explain_fisher(with, a_with - with, others, a_others - others);
}

static void try_pair(const struct explain_input *input, const struct conjoin_value *values,
                     struct bits *bits, size_t i, size_t k, double most, struct conjunction *best)
{
    const uint64_t *a = bits->of + i * bits->words;
    const uint64_t *b = bits->of + k * bits->words;
    size_t n = input->affected_count;
    size_t m = input->unaffected_count;
    size_t with;
    size_t others;
    count_both(bits, a, b, &with, &others);
    if ((double)with < COVER_MIN * (double)n || (double)with < RISK_MIN * (double)(with + others))
        return;
    if (needed(bits, a, with, others) > most || needed(bits, b, with, others) > most)
        return;
    double p = explain_fisher(with, n - with, others, m - others);
    double rank = values[i].rank + values[k].rank;
    double best_rank = best->found ? values[best->first].rank + values[best->second].rank : 0;
    if (best->found && (p > best->p * 1.001 || (p > best->p * 0.999 && rank <= best_rank)))
        return;
    bool swap = values[k].rank > values[i].rank;
    *best = (struct conjunction){true, swap ? k : i, swap ? i : k, with, others, p};
}

enum status conjoin_find(const struct explain_input *input, const struct conjoin_value *values,
                         size_t count, struct conjunction *ret_conjunction)
{
    struct conjunction best = {.found = false};
    struct bits bits = {.affected = input->affected_count};
    count = count < CONJOIN_MOST ? count : CONJOIN_MOST;
    bits.words = (input->affected_count + input->unaffected_count + 63) / 64;
    AUTO_FREE uint64_t *words = calloc(bits.words * count + 1, sizeof *words);
    if (words == NULL)
        return ST_NOMEM;
    bits.of = words;
    fill(input, values, count, &bits);
    double pairs = fmax((double)count * ((double)count - 1) / 2, 1);
    for (size_t i = 0; i < count; i++)
        for (size_t k = i + 1; k < count; k++)
            if (values[i].name != values[k].name)
                try_pair(input, values, &bits, i, k, NEEDED_P / pairs, &best);
    *ret_conjunction = best;
    return ST_OK;
}
