/* SPDX-License-Identifier: Apache-2.0 */
#include "server/jobs/history.h"

#include "server/store/partition.h"
#include "server/store/store_rollups.h"
#include "server/store/store_snapshots.h"

#include <stdlib.h>
#include <string.h>

/* ---- one day --------------------------------------------------------------- */

void history_day_done(struct history_day *day)
{
    free(day->rows);
    *day = (struct history_day){0};
}

static bool row_before(const struct history_row *row, int pool, uint32_t tag)
{
    return (int)row->pool < pool || ((int)row->pool == pool && row->tag < tag);
}

static bool rows_reserve(struct history_day *day, size_t count)
{
    if (count <= day->capacity)
        return true;
    size_t capacity = count < 4096 ? 4096 : count * 2;
    struct history_row *rows = reallocarray(day->rows, capacity, sizeof *rows);
    if (rows == NULL)
        return false;
    day->rows = rows;
    day->capacity = capacity;
    return true;
}

/* Rows stay sorted by pool and tag, as tables are: new ones are put in from the end. */
static bool rows_merge(struct history_day *day, const struct snapshot_table *table, int pool)
{
    size_t fresh = 0, at = 0;
    for (size_t i = 0; i < table->count; i++) {
        while (at < day->count && row_before(&day->rows[at], pool, table->tag[i]))
            at++;
        fresh += at == day->count || (int)day->rows[at].pool != pool ||
                 day->rows[at].tag != table->tag[i];
    }
    if (!rows_reserve(day, day->count + fresh))
        return false;
    size_t from = day->count, to = day->count + fresh, left = table->count;
    while (to > from) {
        const struct history_row *last = from > 0 ? &day->rows[from - 1] : NULL;
        uint32_t tag = table->tag[left - 1];
        bool same = last != NULL && (int)last->pool == pool && last->tag == tag;
        if (last != NULL && !row_before(last, pool, tag)) {
            day->rows[--to] = day->rows[--from];
            left -= same;
        } else {
            struct history_row *row = &day->rows[--to];
            *row = (struct history_row){.pool = (enum pool)pool, .tag = tag};
            memset(row->bytes, 0xff, sizeof row->bytes); /* -1 */
            left--;
        }
    }
    day->count += fresh;
    return true;
}

enum status history_day_add(struct history_day *day, size_t hour,
                            const struct snapshot_table table[POOL_COUNT])
{
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        const struct snapshot_table *t = &table[pool];
        if (!t->present || t->bytes == NULL)
            continue;
        if (!rows_merge(day, t, pool))
            return ST_NOMEM;
        for (size_t i = 0, at = 0; i < t->count; i++) {
            while (row_before(&day->rows[at], pool, t->tag[i]))
                at++;
            day->rows[at].bytes[hour] = t->bytes[i] > INT64_MAX ? INT64_MAX : (int64_t)t->bytes[i];
        }
    }
    return ST_OK;
}

static int64_t row_most(const struct history_row *row)
{
    int64_t most = -1;
    for (int hour = 0; hour < HISTORY_HOURS; hour++)
        most = row->bytes[hour] > most ? row->bytes[hour] : most;
    return most;
}

/* From the first to the last hour that is known. */
static int64_t row_grown(const struct history_row *row)
{
    int first = 0, last = HISTORY_HOURS - 1;
    while (first < last && row->bytes[first] < 0)
        first++;
    while (last > first && row->bytes[last] < 0)
        last--;
    return row->bytes[last] - row->bytes[first];
}

static int by_size(const void *left, const void *right)
{
    const struct history_row *a = left, *b = right;
    if (a->pool != b->pool)
        return a->pool < b->pool ? -1 : 1;
    int64_t x = row_most(a), y = row_most(b);
    if (x != y)
        return x > y ? -1 : 1;
    return a->tag < b->tag ? -1 : a->tag > b->tag;
}

static int by_growth(const void *left, const void *right)
{
    int64_t x = row_grown(left), y = row_grown(right);
    return x != y ? (x > y ? -1 : 1) : by_size(left, right);
}

void history_day_choose(struct history_day *day)
{
    size_t kept = 0;
    if (day->count > 0)
        qsort(day->rows, day->count, sizeof *day->rows, by_size);
    for (size_t from = 0; from < day->count;) {
        size_t end = from;
        while (end < day->count && day->rows[end].pool == day->rows[from].pool)
            end++;
        size_t largest = end - from < HISTORY_LARGEST ? end - from : HISTORY_LARGEST;
        size_t others = end - from - largest;
        size_t grown = others < HISTORY_GROWN ? others : HISTORY_GROWN;
        if (others > 0)
            qsort(day->rows + from + largest, others, sizeof *day->rows, by_growth);
        while (grown > 0 && row_grown(&day->rows[from + largest + grown - 1]) <= 0)
            grown--;
        memmove(day->rows + kept, day->rows + from, (largest + grown) * sizeof *day->rows);
        kept += largest + grown;
        from = end;
    }
    day->count = kept;
}

/* ---- one host -------------------------------------------------------------- */

struct collect {
    struct history_day day;
    int64_t day_us;
};

static void collect_done(struct collect *collect)
{
    history_day_done(&collect->day);
}

static enum status collect(const struct snapshot *snapshot, void *arg)
{
    struct collect *to = arg;
    int64_t hour = (snapshot->taken_at_us - to->day_us) / US_PER_HOUR;
    if (hour < 0 || hour >= HISTORY_HOURS)
        return ST_OK;
    return history_day_add(&to->day, (size_t)hour, snapshot->table);
}

static enum status write_host(struct db *db, int64_t host_key, int64_t day_us, struct err *err)
{
    CLEANUP(collect_done) struct collect to = {.day_us = day_us};
    int64_t grid[HISTORY_HOURS];
    for (int hour = 0; hour < HISTORY_HOURS; hour++)
        grid[hour] = day_us + (hour + 1) * US_PER_HOUR - 1;
    enum status status = store_snapshots_sample(db, host_key, day_us, grid[HISTORY_HOURS - 1], grid,
                                                HISTORY_HOURS, collect, &to, err);
    if (status == ST_NOMEM)
        return err_set(err, status, "could not write history: out of memory");
    if (status != ST_OK)
        return status;
    history_day_choose(&to.day);
    return store_history_write(db, host_key, day_us, to.day.rows, to.day.count, err);
}

/* ---- the pass -------------------------------------------------------------- */

#define MARK_DAY      "history day"      /* days before it have been written */
#define MARK_RECEIVED "history received" /* and so has what was received by then */
/* A transaction may commit rows after others with a newer received_at were seen: look back. */
#define MARK_OVERLAP_US (2 * US_PER_MINUTE)

static int64_t day_start(int64_t us)
{
    int64_t rest = us % US_PER_DAY;
    return us - rest - (rest < 0 ? US_PER_DAY : 0);
}

/* Where to begin: the mark, or an earlier day that documents came late for. */
static enum status begin(struct db *db, const struct history_options *options, int64_t *ret_day_us,
                         struct err *err)
{
    int64_t day = TIME_UNKNOWN, received = TIME_UNKNOWN, late = TIME_UNKNOWN, newest = TIME_UNKNOWN;
    enum status status = store_mark_get(db, MARK_DAY, &day, err);
    if (status == ST_OK)
        status = store_mark_get(db, MARK_RECEIVED, &received, err);
    if (status == ST_OK)
        status = store_history_forget(
            db, received == TIME_UNKNOWN ? received : received - MARK_OVERLAP_US, options->whole_us,
            day, &late, &newest, err);
    if (status != ST_OK)
        return status;
    if (day == TIME_UNKNOWN || day < options->oldest_us)
        day = day_start(options->oldest_us);
    if (late != TIME_UNKNOWN && late < day && late >= options->oldest_us)
        day = late;
    status = store_mark_set(db, MARK_DAY, day, err);
    if (status == ST_OK && newest != TIME_UNKNOWN && newest != received)
        status = store_mark_set(db, MARK_RECEIVED, newest, err);
    *ret_day_us = day;
    return status;
}

struct pass {
    struct db *db;
    const struct history_options *options;
    const atomic_bool *stop;
    int64_t until_us;
};

static bool pass_over(const struct pass *pass)
{
    return atomic_load(pass->stop) ||
           (pass->options->budget_us > 0 && clock_mono_us() >= pass->until_us);
}

/* All hosts of a day, or as many as there is time for. */
static enum status write_day(struct pass *pass, int64_t day_us, struct err *err)
{
    enum status status = partition_ensure(pass->db, PARTITION_HOST_HOUR, &day_us, 1, err);
    if (status == ST_OK)
        status = partition_ensure(pass->db, PARTITION_HOST_POOL_DAY, &day_us, 1, err);
    for (size_t count = 1; status == ST_OK && count > 0 && !pass_over(pass);) {
        AUTO_FREE int64_t *keys = NULL;
        status = store_history_hosts(pass->db, day_us, &keys, &count, err);
        for (size_t i = 0; status == ST_OK && i < count && !pass_over(pass); i++)
            status = write_host(pass->db, keys[i], day_us, err);
    }
    return status;
}

enum status history_pass(struct db *db, const struct history_options *options,
                         const atomic_bool *stop, struct err *err)
{
    struct pass pass = {db, options, stop, clock_mono_us() + options->budget_us};
    int64_t until = day_start(options->now_us - HISTORY_SETTLE_US), day = TIME_UNKNOWN;
    enum status status = begin(db, options, &day, err);
    while (status == ST_OK && !pass_over(&pass)) {
        int64_t next = TIME_UNKNOWN;
        if (day < until)
            status = store_history_next_day(db, day, until, &next, err);
        if (status == ST_OK && next == TIME_UNKNOWN) /* all is written */
            return day < until ? store_mark_set(db, MARK_DAY, until, err) : ST_OK;
        if (status == ST_OK && next != day)
            status = store_mark_set(db, MARK_DAY, next, err);
        day = next;
        if (status == ST_OK)
            status = write_day(&pass, day, err);
    }
    return status;
}
