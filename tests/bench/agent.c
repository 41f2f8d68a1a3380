/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one snapshot costs the host: CPU time from the kernel's answer (class 22, made up here) over
 * the sorted tables, the difference to the acknowledged base, CBOR and gzip; and how many bytes go
 * over the wire. Prints min, median and max of the runs, then one line of JSON per figure:
 *   {"name": ..., "value": median, "unit": ..., "goal": ..., "holds": ..., "min": ..., "max": ...}
 */
#include "agent/core/changes.h"
#include "agent/core/gzip.h"
#include "agent/nt/nt.h"
#include "common/snapshot_cbor.h"
#include "tests/support/fake_kernel.h"
#include "tests/support/nt_blobs.h"

#include <math.h>

#define RUNS 51
#define T0   (1764000000ll * US_PER_SECOND)

static uint64_t random_state = 1;

static double unit(void)
{
    uint64_t z = (random_state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (double)((z ^ (z >> 31)) >> 11) / 9007199254740992.0;
}

/* Counters of real tables spread over many powers of ten. */
static uint64_t spread(double most)
{
    return (uint64_t)exp(unit() * log(most));
}

static void fail(const char *what, const struct err *err)
{
    fprintf(stderr, "could not %s: %s\n", what, err->message);
    exit(EXIT_FAILURE);
}

/* ---- a table that lives, made from a real one: agent/sim/tags.inc */

struct row {
    uint32_t tag;
    int pool;
    uint64_t held, block_bytes, allocs;
};

static const struct {
    const char *tag;
    int pool;
    uint64_t held, block_bytes, allocs;
} measured[] = {
#define N                                   POOL_NONPAGED
#define P                                   POOL_PAGED
#define TAG(tag, pool, held, bytes, allocs) {tag, pool, held, bytes, allocs},
#include "agent/sim/tags.inc"
#undef TAG
#undef P
#undef N
};
#define MEASURED     (sizeof measured / sizeof measured[0])
#define TAGS_MAX     8000
#define SLOTS_UPTIME 1440 /* of 5 minutes, in the five days that were measured */

static struct row rows_now[TAGS_MAX];
static struct blob_tag tags[TAGS_MAX];

static int busier(const void *a, const void *b)
{
    const struct row *x = a;
    const struct row *y = b;
    return x->allocs < y->allocs ? 1 : x->allocs > y->allocs ? -1 : x->tag < y->tag ? -1 : 1;
}

/* More rows than were measured: the same again under tags with another third letter. Busiest first
 * afterwards. */
static void make_table(size_t rows)
{
    for (size_t i = 0; i < rows; i++) {
        unsigned char letters[4];
        size_t from = i % MEASURED;
        memcpy(letters, measured[from].tag, sizeof letters);
        if (i >= MEASURED)
            letters[2] = (unsigned char)(128 + letters[2] % 96 + i / MEASURED * 8);
        rows_now[i] =
            (struct row){tag_from_bytes(letters), measured[from].pool, measured[from].held,
                         measured[from].block_bytes, measured[from].allocs};
    }
    qsort(rows_now, rows, sizeof *rows_now, busier);
}

/* Five minutes later: the busiest rows have moved by their own measured rate. */
static void move_table(size_t rows)
{
    for (size_t i = 0; i < rows; i++) {
        struct row *row = &rows_now[i];
        row->allocs += 1 + (uint64_t)((0.5 + unit()) * (double)row->allocs / SLOTS_UPTIME);
        if (unit() < 0.5)
            row->held += spread(1 + (double)row->held / 50);
    }
}

/* As the kernel lists them: one entry per tag with both pools. */
static size_t list_tags(size_t rows)
{
    size_t count = 0;
    for (size_t i = 0; i < rows; i++) {
        const struct row *row = &rows_now[i];
        size_t at = 0;
        while (at < count && tags[at].tag != row->tag)
            at++;
        if (at == count)
            tags[count++] = (struct blob_tag){.tag = row->tag};
        tags[at].allocs[row->pool] = row->allocs;
        tags[at].frees[row->pool] = row->allocs - row->held;
        tags[at].used[row->pool] = row->held * row->block_bytes;
    }
    return count;
}

/* ---- one snapshot */

static void add_the_rest(struct snapshot *s)
{
    static const char *const types[] = {"Thread",    "Process",        "File",    "Event",
                                        "Key",       "Mutant",         "Section", "Token",
                                        "Semaphore", "EtwRegistration"};
    static const char *const images[] = {"svchost.exe", "lsass.exe", "System", "MsMpEng.exe"};
    s->boot_at_us = T0;
    s->taken_at_us = T0 + 90061 * US_PER_SECOND + 123456;
    s->host_name = "FS01";
    for (int i = 0; i < TOTAL_COUNT; i++)
        totals_set(&s->totals, (enum total)i, spread(4e10));
    s->object_count = 40;
    s->objects = arena_alloc(&s->arena, s->object_count, sizeof *s->objects);
    s->process_count = 20;
    s->processes = arena_alloc(&s->arena, s->process_count, sizeof *s->processes);
    for (size_t i = 0; i < s->object_count; i++) {
        char name[32];
        snprintf(name, sizeof name, "%s%zu", types[i % 10], i / 10);
        s->objects[i] = (struct snapshot_object){arena_strdup(&s->arena, name),
                                                 (int64_t)spread(50000), (int64_t)spread(90000)};
    }
    for (size_t i = 0; i < s->process_count; i++)
        s->processes[i] = (struct snapshot_process){(int64_t)spread(3000) * 4, images[i % 4],
                                                    (int64_t)spread(9000)};
    s->agent = (struct snapshot_agent){true, false, "0.1.0", 0, 0};
}

struct cost {
    double parse_ms, all_ms;
    size_t raw, packed, rows;
};

static double cpu_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* The way of agent/core/sample.c, without clocks and disk. */
static struct cost take(struct nt_reader *reader, const struct changes_base *base,
                        struct changes_base *newest, int64_t sequence)
{
    AUTO_SNAPSHOT struct snapshot snapshot;
    AUTO_STRBUF struct strbuf text = STRBUF_INIT;
    AUTO_STRBUF struct strbuf packed = STRBUF_INIT;
    struct snapshot_table complete[POOL_COUNT];
    struct err err = {0};
    struct cost cost;
    snapshot_init(&snapshot);
    add_the_rest(&snapshot);
    snapshot.sequence = sequence;
    double start = cpu_ms();
    if (nt_pool_tags(reader, &snapshot.arena, snapshot.table, &err) != ST_OK)
        fail("read the table", &err);
    cost.parse_ms = cpu_ms() - start;
    memcpy(complete, snapshot.table, sizeof complete);
    if (changes_reduce(base, &snapshot) != ST_OK ||
        changes_acknowledge(newest, snapshot.boot_at_us, sequence, complete) != ST_OK)
        fail("make changed rows", &err);
    snapshot_cbor_encode(&snapshot, &text);
    if (gzip_pack(text.data, text.length, &packed, &err) != ST_OK)
        fail("pack", &err);
    cost.all_ms = cpu_ms() - start;
    cost.raw = text.length;
    cost.packed = packed.length;
    cost.rows = snapshot.table[0].count + snapshot.table[1].count;
    return cost;
}

/* ---- figures */

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static void figure(const char *name, double *values, const char *unit_name, double goal)
{
    qsort(values, RUNS, sizeof *values, compare);
    double median = values[RUNS / 2];
    printf("  %-44s %10.3f %10.3f %10.3f %s\n", name, values[0], median, values[RUNS - 1],
           unit_name);
    if (goal > 0)
        printf("{\"name\": \"%s\", \"value\": %.3f, \"unit\": \"%s\", \"goal\": %g, \"holds\": %s, "
               "\"min\": %.3f, \"max\": %.3f}\n",
               name, median, unit_name, goal, median <= goal ? "true" : "false", values[0],
               values[RUNS - 1]);
}

/* A table of `rows` rows, `moved` of which change from one snapshot to the next. */
static void measure(size_t rows, size_t moved, double goal_ms, double goal_bytes)
{
    static double parse[RUNS], all[RUNS], complete[RUNS], packed[RUNS], raw[RUNS], full[RUNS];
    struct fake_kernel kernel;
    struct nt_reader reader;
    struct changes_base none = {0};
    struct changes_base base = {0};
    struct changes_base newest = {0};
    char name[80];
    make_table(rows);
    for (int run = -1; run < RUNS; run++) { /* the first one fills the base and the caches */
        fake_kernel_init(&kernel, NT_X64, 10, 0, 19045);
        blob_tags(fake_kernel_answer(&kernel, 22), NT_X64, tags, list_tags(rows));
        nt_reader_init(&reader, &kernel.calls);
        struct cost whole = take(&reader, &none, &newest, run + 10);
        if (run >= 0) {
            struct cost cost = take(&reader, &base, &newest, run + 1000);
            parse[run] = cost.parse_ms;
            all[run] = cost.all_ms;
            raw[run] = (double)cost.raw;
            packed[run] = (double)cost.packed;
            complete[run] = whole.all_ms;
            full[run] = (double)whole.packed;
        }
        changes_forget(&base);
        base = newest;
        base.sequence = 1;
        newest = (struct changes_base){0};
        nt_reader_done(&reader);
        fake_kernel_done(&kernel);
        move_table(moved);
    }
    changes_forget(&base);
    printf("%zu rows, %zu changed %38s %10s %10s\n", rows, moved, "min", "median", "max");
    snprintf(name, sizeof name, "agent_parse_%zu_rows", rows);
    figure(name, parse, "ms", 0);
    snprintf(name, sizeof name, "agent_snapshot_cpu_%zu_rows", rows);
    figure(name, all, "ms", goal_ms);
    snprintf(name, sizeof name, "agent_complete_cpu_%zu_rows", rows);
    figure(name, complete, "ms", 0);
    snprintf(name, sizeof name, "agent_payload_%zu_changed_of_%zu", moved, rows);
    figure(name, packed, "bytes", goal_bytes);
    snprintf(name, sizeof name, "agent_payload_before_gzip");
    figure(name, raw, "bytes", 0);
    snprintf(name, sizeof name, "agent_payload_complete_%zu", rows);
    figure(name, full, "bytes", 0);
}

int main(void)
{
    measure(4000, 640, 3.0, 0);
    measure(2500, 300, 0, 4096);
    return EXIT_SUCCESS;
}
