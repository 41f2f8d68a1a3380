/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two groups of hosts against each other: for every attribute value and driver version how many of
 * each group have it, how likely such a difference is by chance, and how large it is. Also for
 * every driver as such ("loaded in any version"). Nothing is left out: what does not separate is
 * the counter-evidence. Hosts that told no drivers at all do not count for drivers, and likewise
 * for attributes: absent is unknown.
 *
 * Over 10,000 hosts of 500 facts the counting is one addition a fact; the statistics are computed
 * once for all values that share their counts. Pure, thread-safe.
 */
#ifndef SERVER_STATE_CONTRAST_H
#define SERVER_STATE_CONTRAST_H

#include "server/state/exact.h"
#include "server/state/facts.h"

/* The best separating values that are returned; the rest are counted in `tested`. Chosen: more
 * than anybody scrolls through, and the most whose intervals fit into the time of a reply. */
#define CONTRAST_ITEMS_MAX 2000

enum contrast_side { CONTRAST_NEITHER, CONTRAST_SELECTED, CONTRAST_BASELINE };

enum contrast_verdict {
    CONTRAST_SEPARATES, /* q at most 0.05, and the share at least doubled or halved */
    CONTRAST_HINT,      /* p at most 0.05, but not after so many values were looked at, or small */
    CONTRAST_ALIKE,     /* the difference may well be chance */
    CONTRAST_TOO_FEW,   /* no outcome could have told, with so few hosts */
    CONTRAST_VERDICT_COUNT
};
extern const char *const contrast_verdict_names[CONTRAST_VERDICT_COUNT];

/* What the states say beyond attributes, one value per host: places below `count`. */
struct contrast_extra {
    const char *name;          /* "uptime" */
    const char *const *values; /* texts by place */
    size_t count;
    const uint8_t *of; /* by host; `count` or more: unknown */
};

struct contrast_input {
    const struct facts *facts;
    const struct facts_host *const *hosts; /* by host; NULL: nothing told */
    const uint8_t *sides;                  /* enum contrast_side, by host */
    size_t count;
    const struct contrast_extra *extras;
    size_t extra_count;
};

struct contrast_item {
    int64_t id;       /* unique within a result */
    const char *name; /* without "driver/"; borrowed from facts or the extra */
    bool driver;
    bool extra;
    bool any;          /* the driver in any version; value is NULL */
    const char *value; /* NULL: unknown version, or any */
    struct exact_table table;
    double separation; /* share of the selected less the share of the others, -1..1 */
    double p;
    double q; /* over all values tested */
    double ratio;
    struct exact_range ratio_range;
    struct exact_range share, other_share;
    enum contrast_verdict verdict;
};

struct contrast {
    struct contrast_item *items; /* owned: contrast_done; widest separation first */
    size_t count;
    size_t tested; /* values that any host of either side has */
    size_t selected, baseline;
    size_t told[2][2]; /* hosts of [selected, baseline] that told [attributes, drivers] */
};
void contrast_done(struct contrast *contrast);
#define AUTO_CONTRAST CLEANUP(contrast_done)

enum status contrast_make(const struct contrast_input *input, struct contrast *ret_contrast,
                          struct err *err) MUST_CHECK;

#endif
