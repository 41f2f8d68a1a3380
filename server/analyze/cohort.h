/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cohorts: the peers a host is compared with. A cohort is OS build family, role, RAM class and
 * uptime band; a host with too few such peers is compared with a coarser group, and is told so.
 * Pure, thread-safe.
 */
#ifndef SERVER_ANALYZE_COHORT_H
#define SERVER_ANALYZE_COHORT_H

#include "common/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bounds: os family 32, role 96, the rest under 40 bytes. */
#define COHORT_KEY_MAX   192
#define COHORT_LABEL_MAX 256

/* Fewer peers than this make no median worth trusting. */
#define COHORT_PEERS_MIN 5

/* 0-1 h, 1-8 h, 8-72 h, 3-14 d, over 14 d: a young host is never judged against an old one. */
#define COHORT_BANDS        5
#define COHORT_BAND_UNKNOWN COHORT_BANDS

/* What a host is, for comparing. */
struct cohort_facts {
    char os[32];   /* build family, "26100"; "" unknown */
    char role[96]; /* "" unknown */
    int ram_class; /* log2 of GiB, rounded; COHORT_RAM_UNKNOWN */
    unsigned band; /* 0..4 or COHORT_BAND_UNKNOWN */
};
#define COHORT_RAM_UNKNOWN (-100)

struct cohort {
    char key[COHORT_KEY_MAX];     /* "26100/file-server/64g/3-14d" */
    char label[COHORT_LABEL_MAX]; /* "build 26100, role file-server, 64 GB, up 3 to 14 days" */
};

/* How much of the key two hosts must share, finest first. */
enum cohort_level {
    COHORT_FULL,     /* os, role, RAM class, band */
    COHORT_ANY_RAM,  /* os, role, band */
    COHORT_ANY_OS,   /* role, band */
    COHORT_ANY_BAND, /* role, band at most one apart */
    COHORT_ANY_ROLE, /* band alone: weak evidence, says so */
    COHORT_LEVEL_COUNT
};

/* os_build, role: NULL unknown. ram_bytes 0: unknown. uptime_us < 0 or TIME_UNKNOWN: unknown. */
void cohort_facts_set(const char *os_build, const char *role, uint64_t ram_bytes, int64_t uptime_us,
                      struct cohort_facts *ret_facts);
unsigned cohort_band(int64_t uptime_us);
void cohort_name(const struct cohort_facts *facts, enum cohort_level level,
                 struct cohort *ret_cohort);
/* cohort_facts_set and cohort_name at COHORT_FULL. */
void cohort_key(const char *os_build, const char *role, uint64_t ram_bytes, int64_t uptime_us,
                struct cohort *ret_cohort);
bool cohort_same(const struct cohort_facts *a, const struct cohort_facts *b,
                 enum cohort_level level);

/* For host i: the finest level with at least COHORT_PEERS_MIN peers (itself not counted), or
 * COHORT_LEVEL_COUNT when even the coarsest has fewer. */
struct cohort_choice {
    enum cohort_level level;
    size_t group; /* hosts with equal level and group share their peers */
};
/* ret_choices: `count` of them, caller's. ST_NOMEM. */
enum status cohort_choose(const struct cohort_facts *facts, size_t count,
                          struct cohort_choice *ret_choices) MUST_CHECK;

#endif
