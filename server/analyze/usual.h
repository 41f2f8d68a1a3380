/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is usual for one row (a tag of a pool) over the whole fleet: how high it gets and how far it
 * moves by itself on the hosts that do not stand out. A verdict has to beat this, so that a row
 * that moves on every host by chance, a cache that fills after each boot and a row that goes with
 * the machine's size need no rules of their own. Internal to server/analyze. Not shared between
 * threads.
 */
#ifndef SERVER_ANALYZE_USUAL_H
#define SERVER_ANALYZE_USUAL_H

#include "server/analyze/fleet.h"

/* Fewer hosts than this say nothing about what is usual. */
#define USUAL_HOSTS_MIN 3

/* For one host, from the others. */
struct usual {
    size_t hosts;      /* that have the row and do not stand out; 0: nothing is known */
    size_t without;    /* that do not have it at all */
    size_t elders;     /* of `hosts`, up as long as this host or longer */
    double middle;     /* bytes a host like this one holds: median */
    double level;      /* the same: what nearly all stay below */
    double swing;      /* how far such a row moves within a boot on nearly all */
    double level_most; /* like level, whether rows go with RAM or not: the higher of both */
    double log_middle; /* log2 of bytes; and how far the hosts are apart, as a standard deviation */
    double log_spread;
    bool foreign; /* this host's role is known and too few of its role are among them, or it is far
                     larger than all of them */
};

struct usual_row;                                       /* one row over all hosts */
struct usual_row *usual_new(const struct fleet *fleet); /* NULL: out of memory */
void usual_free(struct usual_row *row);
static inline void cleanup_usual(struct usual_row **row)
{
    usual_free(*row);
}
#define AUTO_USUAL CLEANUP(cleanup_usual)

/* Turns to another row; features: of this row, by host, `hosts` beside them. */
void usual_load(struct usual_row *row, enum pool pool, uint32_t tag,
                const struct feature *const *features, const uint32_t *hosts, size_t count);
/* Of the host's role; 0: of one beyond those that are told apart. */
#define USUAL_GROUPS_MAX 64
size_t usual_group(const struct usual_row *row, size_t host);
const struct feature *usual_feature(const struct usual_row *row, size_t host);
double usual_bytes(const struct usual_row *row, size_t host);
/* The bytes at a wide gap between the hosts that hold little and those that hold much, or INFINITY.
 * Hosts above are taken out of what is usual. */
double usual_part(struct usual_row *row);
struct usual usual_of(struct usual_row *row, size_t host);
/* Do the hosts above the gap differ from those below in other rows as well? Then they are another
 * kind of machine, whose role is not told, and hold more of this row for that. */
bool usual_other_kind(struct usual_row *row, double gap);

#endif
