/* SPDX-License-Identifier: Apache-2.0 */
#include "server/chunk/sealed_keys.h"

#include "server/chunk/bits.h"
#include "server/chunk/sealed_form.h"

unsigned sealed_key_flags(const struct sealed_snapshot *snapshot)
{
    return (snapshot->raw != NULL ? KEY_RAW : 0) | (snapshot->detail != NULL ? KEY_DETAIL : 0) |
           (snapshot->sequence != SEQUENCE_UNKNOWN ? KEY_SEQUENCE : 0) |
           (snapshot->base != SEQUENCE_UNKNOWN ? KEY_BASE : 0) |
           (snapshot->totals.known != 0 ? KEY_TOTALS : 0);
}

/* A difference to what was expected. */
CODER uint64_t code_off(const struct coder *c, uint64_t value, uint64_t expected,
                        struct lengths *lengths)
{
    return expected + unzigzag64(code_wide(c, zigzag64(value - expected), lengths));
}

CODER void code_times(const struct coder *c, struct sealed_snapshot *s, size_t count)
{
    struct lengths first = {.mean = 50 * 16, .off = sizes_of(1)};
    struct lengths steps = {.mean = 0, .off = sizes_of(0)};
    uint64_t before = 0, step = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t now = (uint64_t)s[i].taken_at_us;
        now = code_off(c, now, before + step, i < 2 ? &first : &steps);
        step = i == 0 ? 0 : now - before;
        before = now;
        s[i].taken_at_us = (int64_t)now;
    }
}

CODER void code_sequences(const struct coder *c, const unsigned char *flags,
                          struct sealed_snapshot *s, size_t count)
{
    struct lengths sequences = {.mean = 0, .off = sizes_of(0)};
    struct lengths bases = {.mean = 0, .off = sizes_of(0)};
    uint64_t next = 0;
    for (size_t i = 0; i < count; i++) {
        if ((flags[i] & KEY_SEQUENCE) == 0) {
            s[i].sequence = SEQUENCE_UNKNOWN;
        } else {
            s[i].sequence = (int64_t)code_off(c, (uint64_t)s[i].sequence, next, &sequences);
            next = (uint64_t)s[i].sequence + 1;
        }
        uint64_t before = (uint64_t)s[i].sequence - 1;
        if ((flags[i] & KEY_BASE) == 0)
            s[i].base = SEQUENCE_UNKNOWN;
        else
            s[i].base = (int64_t)code_off(c, (uint64_t)s[i].base, before, &bases);
    }
}

CODER bool code_totals(const struct coder *c, const unsigned char *flags, struct sealed_snapshot *s,
                       size_t count)
{
    struct lengths masks = {.mean = 0, .off = sizes_of(0)};
    uint32_t known = 0;
    for (size_t i = 0; i < count; i++) {
        if ((flags[i] & KEY_TOTALS) == 0)
            continue;
        known ^= (uint32_t)code_wide(c, s[i].totals.known ^ known, &masks);
        if (known >= 1u << TOTAL_COUNT)
            return false;
        s[i].totals.known = known;
    }
    for (int total = 0; total < TOTAL_COUNT; total++) {
        struct lengths lengths = {.mean = 20 * 16, .off = sizes_of(1)};
        uint64_t before = 0;
        for (size_t i = 0; i < count; i++) {
            if (!totals_has(&s[i].totals, (enum total)total))
                continue;
            uint64_t *value = &s[i].totals.value[total];
            *value = before = code_off(c, *value, before, &lengths);
        }
    }
    return true;
}

CODER bool code_keys(const struct coder *c, unsigned char *flags, struct sealed_snapshot *s,
                     size_t count)
{
    struct sizes changes = sizes_of(0);
    uint64_t before = 0;
    for (size_t i = 0; i < count; i++) {
        before ^= code_sized(c, flags[i] ^ before, &changes);
        if (before > KEY_ALL)
            return false;
        flags[i] = (unsigned char)before;
    }
    code_times(c, s, count);
    code_sequences(c, flags, s, count);
    return code_totals(c, flags, s, count);
}

void sealed_keys_write(struct sealed_snapshot *snapshots, size_t count, struct strbuf *out)
{
    struct bit_writer bits = {.out = out};
    struct coder c = {.to = &bits};
    unsigned char flags[SEALED_SNAPSHOTS_MAX];
    for (size_t i = 0; i < count; i++)
        flags[i] = (unsigned char)sealed_key_flags(&snapshots[i]);
    code_keys(&c, flags, snapshots, count);
    put_end(&bits);
}

bool sealed_keys_read(const unsigned char *at, const unsigned char *end,
                      struct sealed_snapshot *snapshots, unsigned char *flags, size_t count)
{
    struct bit_reader bits = {.at = at, .end = end};
    struct coder c = {.from = &bits};
    return code_keys(&c, flags, snapshots, count) && bits_done(&bits);
}
