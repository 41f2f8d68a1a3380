/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is known of driver files, so that an agent in a steady state reads none: facts and tags by
 * path, valid while size and time of the file are the same. Kept in the data folder ("drivers");
 * a cache that is torn or from elsewhere is thrown away and made again. One thread.
 */
#ifndef AGENT_CORE_DRIVER_CACHE_H
#define AGENT_CORE_DRIVER_CACHE_H

#include "agent/core/files.h"
#include "agent/core/source.h"
#include "common/arena.h"

#include <stdbool.h>
#include <stdint.h>

#define DRIVER_CACHE_FILE "drivers"

struct driver_entry { /* texts and tags belong to the entry; "" unknown */
    struct arena arena;
    char *path; /* as driver_path makes it; compared without case */
    uint64_t size;
    int64_t changed; /* the file's time of last change, in the system's own unit */
    uint32_t stamp;  /* the image's TimeDateStamp */
    const char *version, *company, *product, *symbols;
    char sha256[SHA256_TEXT_MAX];
    bool scanned;
    size_t tag_count;
    uint32_t *tags;
    bool used; /* since driver_cache_begin */
};

struct driver_cache {              /* zeroes: empty */
    struct driver_entry **entries; /* sorted by path */
    size_t count;
    size_t capacity;
    bool changed; /* differs from the file */
};

/* What the file says. ST_OK also when there is none or it is broken (*ret_broken): it is then
 * empty. ST_IO, ST_NOMEM. */
enum status driver_cache_load(struct driver_cache *cache, const struct files *files,
                              bool *ret_broken, struct err *err) MUST_CHECK;
/* Writes it if it changed. */
enum status driver_cache_save(struct driver_cache *cache, const struct files *files,
                              struct err *err) MUST_CHECK;
void driver_cache_done(struct driver_cache *cache);

/* begin, then look every file up, then end: entries of files that were not asked for go. */
void driver_cache_begin(struct driver_cache *cache);
void driver_cache_end(struct driver_cache *cache);
/* NULL: nothing is known, or of another size or time. Borrowed until put or end. */
struct driver_entry *driver_cache_find(struct driver_cache *cache, const char *path, uint64_t size,
                                       int64_t changed);
/* A new entry with nothing but these, in place of what was there. NULL: out of memory. */
struct driver_entry *driver_cache_put(struct driver_cache *cache, const char *path, uint64_t size,
                                      int64_t changed);

#endif
