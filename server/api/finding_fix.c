/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api/finding_fix.h"

#include "server/store/store_snapshots.h"

#include <string.h>

static bool starts(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

const struct finding_cause *fix_cause_of(const struct finding *finding, const char *attribute)
{
    for (size_t i = 0; i < finding->cause_count; i++) {
        const char *name = finding->causes[i].attribute;
        if (attribute != NULL ? strcmp(name, attribute) == 0
                              : starts(name, "driver/") || finding_app_of(name) != NULL ||
                                    strcmp(name, "os.build") == 0)
            return &finding->causes[i];
    }
    return NULL;
}

static enum status read_series(struct db *db, const struct finding *finding, int64_t key,
                               int64_t from_us, int64_t to_us, struct fix_host *host,
                               struct err *err)
{
    AUTO_SERIES struct series series = {0};
    enum status status =
        store_series_read(db, key, finding->pool, finding->tag, from_us, to_us, &series, err);
    if (status != ST_OK)
        return status;
    AUTO_FREE double *bytes = calloc(series.count + 1, sizeof *bytes);
    struct fix_series points = {0, series.t_us, series.boot_at_us, bytes};
    if (bytes == NULL)
        return err_set(err, ST_NOMEM, "could not check a fix: out of memory");
    for (size_t i = 0; i < series.count; i++) { /* in place: unknown ones are left out */
        if ((series.known[i] & COLUMN_BYTES) == 0)
            continue;
        series.t_us[points.count] = series.t_us[i];
        series.boot_at_us[points.count] = series.boot_at_us[i];
        bytes[points.count++] = (double)series.bytes[i];
    }
    fix_judge_host(host, &points);
    return ST_OK;
}

static enum status read_host(struct db *db, const struct finding *finding,
                             const struct store_fix_host *stored, struct fix_host *host,
                             struct err *err)
{
    int64_t from =
        host->moved ? host->changed_us - FIX_BEFORE_US : finding->last_seen_us - FIX_BEFORE_US;
    int64_t to =
        host->moved ? host->changed_us + FIX_AFTER_US : finding->last_seen_us + FIX_AFTER_US;
    return read_series(db, finding, stored->key, from, to, host, err);
}

struct candidate {
    const struct store_fix_host *stored;
    struct fix_host host;
};

/* The newest moves first, then those that stay, as the finding numbered them. */
static int compare(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;

    if (x->host.moved != y->host.moved)
        return x->host.moved ? -1 : 1;
    if (x->host.changed_us != y->host.changed_us)
        return x->host.changed_us > y->host.changed_us ? -1 : 1;
    return x->stored->number < y->stored->number ? -1 : x->stored->number > y->stored->number;
}

/* Who moved, who stays; the others are counted. Returns how many candidates there are. */
static size_t classify(struct fix_check *check, const char *bad, struct candidate *candidates)
{
    size_t count = 0;

    for (size_t i = 0; i < check->stored.count; i++) {
        const struct store_fix_host *stored = &check->stored.items[i];
        struct fix_host host = {
            .id = stored->id, .name = stored->name, .from = bad, .changed_us = TIME_UNKNOWN};
        enum fix_move move = fix_move_of(stored->facts, stored->fact_count, bad,
                                         stored->affected_us, &host.to, &host.changed_us);
        host.moved = move == FIX_MOVED;
        check->moved_total += move == FIX_MOVED;
        check->stays_total += move == FIX_STAYS;
        check->other_total += move == FIX_OTHER;
        if (move != FIX_OTHER)
            candidates[count++] = (struct candidate){stored, host};
    }
    qsort(candidates, count, sizeof *candidates, compare);
    return count;
}

static enum status judge(struct db *db, const struct finding *finding,
                         const struct candidate *candidates, size_t count, struct fix_check *check,
                         struct err *err)
{
    size_t read[2] = {0, 0};
    static const size_t most[2] = {FIX_STAYS_MAX, FIX_MOVED_MAX};
    enum status status = ST_OK;

    for (size_t i = 0; status == ST_OK && i < count; i++) {
        if (read[candidates[i].host.moved]++ >= most[candidates[i].host.moved])
            continue;
        check->hosts[check->count] = candidates[i].host;
        check->numbers[check->count] = candidates[i].stored->number;
        check->simulated[check->count] = candidates[i].stored->simulated;
        status = read_host(db, finding, candidates[i].stored, &check->hosts[check->count], err);
        check->count++;
    }
    if (status == ST_OK && fix_judge(check->hosts, check->count, &check->result) != ST_OK)
        status = err_set(err, ST_NOMEM, "could not check a fix: out of memory");
    return status;
}

enum status fix_check_read(struct db *db, const struct finding *finding,
                           const struct finding_cause *cause, struct fix_check *ret_check,
                           struct err *err)
{
    struct fix_check check = {.cause = cause};

    if (cause == NULL) {
        *ret_check = check;
        return ST_OK;
    }
    check.what = starts(cause->attribute, "driver/") ? cause->attribute + strlen("driver/")
                                                     : cause->attribute;
    enum status status = store_fix_hosts(db, finding->id, cause->attribute, &check.stored, err);
    if (status != ST_OK)
        return status;
    size_t room = FIX_MOVED_MAX + FIX_STAYS_MAX;
    AUTO_FREE struct candidate *candidates = calloc(check.stored.count + 1, sizeof *candidates);
    check.hosts = arena_alloc(&check.stored.arena, room, sizeof *check.hosts);
    check.numbers = arena_alloc(&check.stored.arena, room, sizeof *check.numbers);
    check.simulated = arena_alloc(&check.stored.arena, room, sizeof *check.simulated);
    if (candidates == NULL || check.hosts == NULL || check.numbers == NULL ||
        check.simulated == NULL)
        status = err_set(err, ST_NOMEM, "could not check a fix: out of memory");
    if (status == ST_OK) {
        size_t count = classify(&check, cause->value, candidates);
        status = judge(db, finding, candidates, count, &check, err);
    }
    if (status != ST_OK) {
        fix_check_done(&check);
        return status;
    }
    *ret_check = check;
    return ST_OK;
}
