/* SPDX-License-Identifier: Apache-2.0 */
/*
 * "Is the fix working": the hosts of a finding that have left the version it is blamed on, against
 * those that stay on it. Every host is its own witness: how fast the tag grew before the change and
 * how fast after it, within boots, since counters and memory begin anew at each. Pure; thread-safe.
 */
#ifndef SERVER_FIX_FIX_H
#define SERVER_FIX_FIX_H

#include "common/clock.h"
#include "common/strbuf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FIX_BEFORE_US (7 * US_PER_DAY)  /* how far before the change growth is read */
#define FIX_AFTER_US  (14 * US_PER_DAY) /* and how far after */

/* A value of the attribute (a driver's version) that held from valid_from on. */
struct fix_fact {
    const char *value; /* "" is unknown */
    int64_t valid_from_us;
    int64_t valid_to_us; /* TIME_UNKNOWN: still */
};

enum fix_move { FIX_STAYS, FIX_MOVED, FIX_OTHER };
/* Facts of one host by valid_from. FIX_OTHER: it did not have `bad` when it was affected. Moved:
 * ret_to is what it has now (NULL: nothing any more) and ret_changed_us when it left `bad`. */
enum fix_move fix_move_of(const struct fix_fact *facts, size_t count, const char *bad,
                          int64_t affected_us, const char **ret_to, int64_t *ret_changed_us);

/* One tag of one host over time. */
struct fix_series {
    size_t count;
    const int64_t *t_us;       /* rising */
    const int64_t *boot_at_us; /* TIME_UNKNOWN: unknown */
    const double *bytes;
};

struct fix_rate {
    double rate; /* bytes per hour; NAN: not to be told */
    double low;  /* 80 % interval */
    double high;
    double hours; /* of readings that count */
};
/* Growth within [from, to): Theil-Sen in each boot, without its first hour, when caches fill;
 * several boots by their length. */
struct fix_rate fix_measure(const struct fix_series *series, int64_t from_us, int64_t to_us);

enum fix_growth {
    FIX_STOPPED,   /* less than a quarter of what it was */
    FIX_GROWING,   /* at least a quarter of what it was; a host that stays: it grows */
    FIX_EARLY,     /* too few readings after, or too uneven to tell */
    FIX_UNMEASURED /* no growth before, or no data */
};
extern const char *const fix_growth_names[]; /* "stopped", "growing", "too_early", "unmeasured" */

struct fix_host {
    const char *id;
    const char *name; /* NULL: unknown */
    bool moved;
    const char *from;
    const char *to; /* NULL: stays, or it is gone */
    int64_t changed_us;
    struct fix_rate before;
    struct fix_rate after; /* NANs for who stays */
    enum fix_growth growth;
};
/* Fills before, after and growth of a host that moved or stays. */
void fix_judge_host(struct fix_host *host, const struct fix_series *series);

struct fix_group {
    size_t hosts;
    size_t measured;
    size_t growing; /* of measured */
    double low;     /* share that grows, exact 95 % interval; NAN when none is measured */
    double high;
    size_t early;
    size_t unmeasured;
    double median_before;
    double median_after;
};

enum fix_verdict { FIX_NOBODY, FIX_TOO_EARLY, FIX_TOO_FEW, FIX_WORKS, FIX_FAILS, FIX_UNCLEAR };
extern const char *const fix_verdict_names[];

struct fix_result {
    struct fix_group moved;
    struct fix_group stays;
    double p_value; /* one-sided Fisher: moved hosts grow as often as the others; NAN */
    enum fix_verdict verdict;
};
/* ST_NOMEM. */
enum status fix_judge(const struct fix_host *hosts, size_t count, struct fix_result *ret_result);
/* The one sentence a person reads. `what` names the attribute ("x.sys"). */
void fix_sentence(const struct fix_result *result, const char *what, const char *bad,
                  struct strbuf *out);

/* Exact (Clopper-Pearson) 95 % interval of a share. */
void fix_interval(size_t k, size_t n, double *ret_low, double *ret_high);

#endif
