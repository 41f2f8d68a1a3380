/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the history of one (host, tag, pool) says by itself: how it moved in this boot, whether that
 * looks like a leak, a cache, a daily cycle, a step or work, and what earlier boots did. Values at
 * irregular times, never indices. Pure; no allocation but the caller's series buffers.
 */
#ifndef SERVER_ANALYZE_FEATURE_H
#define SERVER_ANALYZE_FEATURE_H

#include "common/tag.h"
#include "server/analyze/curve.h"
#include "server/analyze/robust.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Points of the shape signature: how the growth was spread over the boot. */
#define FEATURE_SIGNATURE 12

/* One tag's values; only points where the table was known. Parallel arrays, times rising. */
struct series {
    size_t count;
    size_t boot_first;   /* index where the current boot begins */
    const double *hours; /* relative to the newest point, <= 0 */
    const double *bytes;
    const double *outstanding; /* NAN unknown */
    const double *alloc_total; /* unwrapped since the boot's first point; NAN unknown */
    const double *free_total;
    const double *processes; /* process count of the host; NAN unknown */
    const uint16_t *boot;    /* number of the boot a point belongs to */
    double uptime_hours;     /* at the newest point */
};

enum feature_shape {
    SHAPE_FLAT,       /* nothing to speak of */
    SHAPE_GROWING,    /* to a new high, and still going */
    SHAPE_BURSTY,     /* the same in bursts */
    SHAPE_SATURATING, /* rose and is levelling off */
    SHAPE_STEP,       /* one jump, flat before and after */
    SHAPE_CYCLE,      /* has been here before and came back */
    SHAPE_WORKLOAD    /* goes with the number of processes */
};

enum {
    FEATURE_ZERO_FREES = 1,    /* practically nothing was freed since the growth began */
    FEATURE_PRIOR_LEAK = 2,    /* an earlier boot grew the same way to its end */
    FEATURE_PRIOR_SEEN = 4,    /* an earlier boot reached this level and stayed there */
    FEATURE_FROM_BOOT = 8,     /* the growth began with the boot or with the history */
    FEATURE_RISING_NOW = 16,   /* the newest window still rises */
    FEATURE_COUNT_AGREES = 32, /* blocks grew with the bytes */
    FEATURE_ROSE = 64,         /* a boot that was seen from its beginning went up from little */
    FEATURE_SLOWED = 128       /* and slowed down on the way, as a cache that fills does */
};

struct feature {
    uint32_t tag;
    uint8_t pool;
    uint8_t shape;
    uint8_t flags;
    uint8_t windows; /* how many windows (3 h, 24 h, 3 d, boot) have a slope near the rate */
    uint8_t windows_seen;
    uint8_t signature[FEATURE_SIGNATURE];
    uint16_t points; /* from onset on */
    float bytes;     /* now */
    float growth;    /* since onset, bytes */
    float newness;   /* share of the growth that lies above every earlier value of the boot */
    float drawdown;  /* deepest fall on the way, as a share of the growth */
    float linear;    /* late rate over early rate */
    float snr;       /* growth over the noise around the line */
    float span_hours;
    float rate;     /* bytes per hour since onset */
    float rate_low; /* 80 % interval */
    float rate_high;
    float rate_3h; /* plain slopes over fixed windows, comparable between hosts */
    float rate_24h;
    float flat_hours;          /* how long it has stayed within 5 % of now */
    float lowest;              /* of this boot, bytes */
    float outstanding;         /* now; NAN unknown */
    float count_growth;        /* outstanding since onset; NAN unknown */
    float free_share;          /* frees per alloc since onset; NAN unknown */
    float prior_peak;          /* of earlier boots; 0 none */
    float prior_rate;          /* of the newest earlier boot, bytes per hour; 0 none */
    float onset_hours;         /* relative to the host's newest point, <= 0 */
    float peak;                /* highest of the whole history */
    float swing;               /* widest range within one boot, its first hour left out */
    float work;                /* processes now over those at the onset; 1 unknown */
    float boot_frees;          /* frees per alloc since the boot; NAN unknown */
    const struct curve *curve; /* of rows that grow; NULL: not kept */
};

/* Scratch for a series of up to `count` points. */
struct feature_scratch {
    struct robust_scratch trend;
};

/* `ram` in bytes, > 0. */
void feature_extract(const struct series *series, double ram, struct feature_scratch *scratch,
                     struct feature *ret_feature);

#endif
