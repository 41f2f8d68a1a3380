/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A disk in memory behind struct files, whose power can be cut at any single step of any operation:
 * making the temporary file, each piece written, flush, rename, flush of the folder, remove. After
 * a cut every operation fails until fake_disk_power_on, as for a program that is gone. What is
 * there then is what a real disk may show: a rename not yet flushed is there or not, a removal not
 * yet flushed may be undone, and on a lying disk the newest files may be empty or torn.
 */
#ifndef TESTS_SUPPORT_FAKE_DISK_H
#define TESTS_SUPPORT_FAKE_DISK_H

#include "agent/core/files.h"

#include <stdbool.h>
#include <stdint.h>

struct fake_disk {
    struct files files;
    struct fake_file *files_there;
    size_t count;
    size_t capacity;
    struct fake_file *removed; /* not yet flushed: may come back */
    size_t removed_count;
    uint64_t random;
    uint64_t step;   /* done so far */
    uint64_t cut_at; /* the power is cut in the step of this number; 0: never */
    bool dead;
    bool lying;         /* acknowledges what it has not written yet */
    uint64_t max_bytes; /* 0: endless; else writes fail with ST_TOO_LARGE */
    bool no_writes;     /* every write fails with ST_IO */
    bool no_removes;
    const char *no_read; /* reading this file fails with ST_IO */
    uint64_t writes;     /* that returned ST_OK, of names that begin with "spool-" */
    uint64_t returned;   /* removals undone by cuts */
    uint64_t torn;       /* files torn or emptied by cuts */
};

void fake_disk_init(struct fake_disk *disk, uint64_t seed);
void fake_disk_done(struct fake_disk *disk);
void fake_disk_power_on(struct fake_disk *disk);
uint64_t fake_disk_random(struct fake_disk *disk, uint64_t below);
/* NULL: no such file. Borrowed until the next operation. */
const struct strbuf *fake_disk_find(const struct fake_disk *disk, const char *name);
void fake_disk_put(struct fake_disk *disk, const char *name, const void *data, size_t length);
size_t fake_disk_count(const struct fake_disk *disk, const char *prefix);

#endif
