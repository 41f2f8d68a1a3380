/* SPDX-License-Identifier: Apache-2.0 */
#include "server/chunk/sealed.h"
#include "server/store/partition.h"
#include "server/store/store_seal.h"
#include "server/store/store_snapshots.h"
#include "tests/bench/store.h"

#include <stdio.h>
#include <string.h>

/* So many histories are invented; the hosts share them, since a chunk does not name its host. */
#define VARIANTS       3
#define BOOT_US(bench) ((bench)->day0_us - US_PER_DAY)

/* The sealed form of a host's every twelve hours. */
struct chunks {
    struct strbuf *items;
    size_t count;
    uint32_t tags[64]; /* some of its nonpaged ones */
};

static void make_chunks(const struct bench *bench, size_t variant, struct chunks *chunks)
{
    struct churn_host *host = churn_host_new(bench->mix, variant, bench->rows);
    struct err err = {0};
    int64_t sequence = 0;
    chunks->count = bench->days * (size_t)(US_PER_DAY / SPAN_US);
    chunks->items = calloc(chunks->count, sizeof *chunks->items);
    if (chunks->items == NULL)
        bench_must(ST_NOMEM, NULL);
    for (size_t c = 0; c < chunks->count; c++) {
        struct sealed_builder *builder = sealed_builder_new(BOOT_US(bench));
        for (int64_t at = 0; at < SPAN_US; at += bench->interval_us) {
            struct sealed_snapshot snapshot = {
                .taken_at_us = bench->day0_us + (int64_t)c * SPAN_US + at,
                .sequence = sequence,
                .base = sequence % 24 == 0 ? SEQUENCE_UNKNOWN : sequence - 1};
            churn_host_step(host, (double)bench->interval_us / US_PER_SECOND);
            bench_must(sealed_add(builder, &snapshot, churn_host_tables(host), &err), &err);
            sequence++;
        }
        chunks->items[c] = (struct strbuf)STRBUF_INIT;
        bench_must(sealed_finish(builder, &chunks->items[c], &err), &err);
        sealed_builder_free(builder);
    }
    const struct snapshot_table *table = &churn_host_tables(host)[POOL_NONPAGED];
    for (size_t i = 0; i < 64; i++)
        chunks->tags[i] = table->tag[i * table->count / 64];
    churn_host_free(host);
}

static void chunks_done(struct chunks *chunks)
{
    for (size_t c = 0; c < chunks->count; c++)
        strbuf_done(&chunks->items[c]);
    free(chunks->items);
}

static void fill_rows(const struct bench *bench)
{
    AUTO_STRBUF struct strbuf sql = STRBUF_INIT;
    long long step = (long long)(bench->interval_us / US_PER_SECOND);
    long long from = (long long)(bench->day0_us / US_PER_SECOND);
    long long count = (long long)bench->days * 86400 / step;
    strbuf_printf(
        &sql,
        "INSERT INTO host (id, name, first_seen_at, last_seen_at, received_at, boot_at,"
        " sequence, sequence_max, keyframe_at, chain)"
        " SELECT 'bench-' || h, 'BENCH-' || h, to_timestamp(%lld), n.at, n.at,"
        " to_timestamp(%lld), %lld, %lld, n.at - (%lld %% 24) * interval '%lld s', %lld %% 24"
        " FROM generate_series(0, %zu - 1) AS h, to_timestamp(%lld) AS n (at)"
        " ORDER BY h;",
        from, (long long)(BOOT_US(bench) / US_PER_SECOND), count - 1, count - 1, count - 1, step,
        count - 1, bench->hosts, from + (count - 1) * step);
    strbuf_printf(
        &sql,
        "SELECT partition_ensure('snapshot', array_agg(d)), partition_ensure('snapshot_chunk',"
        " array_agg(d)) FROM generate_series(to_timestamp(%lld), to_timestamp(%lld),"
        " interval '1 day') AS d;",
        from, from + (long long)bench->days * 86400 - 1);
    strbuf_printf(&sql,
                  "INSERT INTO snapshot (host_id, taken_at, boot_at, sequence, base, keyframe,"
                  " keyframe_at, chain, received_at, row_count, nonpaged_bytes, paged_bytes,"
                  " nonpaged_limit_bytes, commit_bytes, handles, processes, threads)"
                  " SELECT h.host_id, t.at, h.boot_at, n, CASE WHEN n %% 24 > 0 THEN n - 1 END,"
                  " n %% 24 = 0, t.at - (n %% 24) * interval '%lld s', n %% 24, t.at, %zu,"
                  " 900000000 + n * 1000, 700000000 + n * 300, 12000000000, 9000000000 + n * 7,"
                  " 70000 + n %% 500, 190, 2600 + n %% 90 FROM generate_series(0, %lld - 1) AS n"
                  " CROSS JOIN LATERAL (SELECT to_timestamp(%lld + n * %lld)) AS t (at), host h"
                  " ORDER BY t.at, h.host_id;",
                  step, bench->rows, count, from, step);
    bench_sql(bench, sql.data);
}

static void fill(const struct bench *bench, struct chunks chunks[VARIANTS])
{
    int64_t now = clock_wall_us();
    struct err err = {0};
    fill_rows(bench);
    for (size_t v = 0; v < VARIANTS && v < bench->hosts; v++)
        make_chunks(bench, v, &chunks[v]);
    struct db *db = bench_lease(bench);
    bench_must(db_script(db, "BEGIN", &err), &err);
    for (size_t c = 0; c < chunks[0].count; c++) {
        for (size_t h = 0; h < bench->hosts; h++) {
            const struct strbuf *chunk = &chunks[h % VARIANTS].items[c];
            bench_must(store_seal_write(db, (int64_t)h + 1, bench->day0_us + (int64_t)c * SPAN_US,
                                        BOOT_US(bench), 0, SPAN_US / bench->interval_us,
                                        chunk->data, chunk->length, now, &err),
                       &err);
        }
    }
    bench_must(db_script(db, "COMMIT", &err), &err);
    db_release(db);
    /* A server that is started on it finds its jobs done. */
    bench_sql(bench, "INSERT INTO job_mark (name, mark_at) VALUES ('rollup', now()),"
                     " ('history day', date_trunc('day', now(), 'UTC')),"
                     " ('history received', now()) ON CONFLICT (name) DO UPDATE SET mark_at ="
                     " excluded.mark_at; ANALYZE");
}

/* ---- reading --------------------------------------------------------------- */

struct reading {
    const struct bench *bench;
    const struct chunks *chunks;
    struct db *db;
    struct rng rng;
    size_t points; /* of the last series */
};

static int64_t end_us(const struct bench *bench)
{
    return bench->day0_us + (int64_t)bench->days * US_PER_DAY - 1;
}

static void read_series(struct reading *r, int64_t days)
{
    struct series series;
    struct err err = {0};
    size_t host = (size_t)rng_below(&r->rng, r->bench->hosts);
    uint32_t tag = r->chunks[host % VARIANTS].tags[rng_below(&r->rng, 64)];
    int64_t to = end_us(r->bench);
    bench_must(store_series_read(r->db, (int64_t)host + 1, POOL_NONPAGED, tag,
                                 to - days * US_PER_DAY + 1, to, &series, &err),
               &err);
    r->points = series.count;
    series_done(&series);
}

static void read_month(struct reading *r)
{
    read_series(r, 30);
}

static void read_quarter(struct reading *r)
{
    read_series(r, 90);
}

static void read_table(struct reading *r)
{
    struct snapshot snapshot;
    struct err err = {0};
    int64_t span = (int64_t)r->bench->days * US_PER_DAY;
    bench_must(store_snapshot_at(r->db, (int64_t)rng_below(&r->rng, r->bench->hosts) + 1,
                                 r->bench->day0_us + (int64_t)rng_below(&r->rng, (uint64_t)span),
                                 &snapshot, &err),
               &err);
    r->points = snapshot.table[0].count + snapshot.table[1].count;
    snapshot_done(&snapshot);
}

static void read_totals(struct reading *r)
{
    struct totals_series series;
    struct err err = {0};
    int64_t to = end_us(r->bench);
    bench_must(store_totals_series(r->db, (int64_t)rng_below(&r->rng, r->bench->hosts) + 1,
                                   to - 30 * US_PER_DAY, to, 1000, &series, &err),
               &err);
    r->points = series.count;
    totals_series_done(&series);
}

static int by_time(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
    return a < b ? -1 : a > b;
}

void bench_query(const struct bench *bench)
{
    static const struct {
        const char *name;
        void (*read)(struct reading *r);
        size_t days;
    } reads[] = {
        {"series_30d", read_month, 30},
        {"series_90d", read_quarter, 90},
        {"table_at", read_table, 1},
        {"totals_30d", read_totals, 30},
    };
    struct chunks chunks[VARIANTS] = {0};
    char tag[TAG_TEXT_MAX];
    int64_t start = clock_mono_us();
    fill(bench, chunks);
    tag_format(chunks[0].tags[10], tag);
    struct reading r = {.bench = bench, .chunks = chunks, .db = bench_lease(bench), .rng = {7}};
    int64_t *us = calloc(bench->queries, sizeof *us);
    if (us == NULL)
        bench_must(ST_NOMEM, NULL);
    printf("{\"hosts\":%zu,\"days\":%zu,\"rows\":%zu,\"mix\":\"%s\",\"fill_seconds\":%.1f,"
           "\"tag\":\"%s\",\"reads\":{",
           bench->hosts, bench->days, bench->rows, churn_mix_name(bench->mix),
           (double)(clock_mono_us() - start) / 1e6, tag);
    for (size_t k = 0, written = 0; k < sizeof reads / sizeof reads[0]; k++) {
        if (reads[k].days > bench->days)
            continue;
        for (size_t i = 0; i < bench->queries; i++) {
            int64_t before = clock_mono_us();
            reads[k].read(&r);
            us[i] = clock_mono_us() - before;
        }
        qsort(us, bench->queries, sizeof *us, by_time);
        printf("%s\"%s\":{\"p50_ms\":%.2f,\"p99_ms\":%.2f,\"points\":%zu}", written++ ? "," : "",
               reads[k].name, (double)us[bench->queries / 2] / 1e3,
               (double)us[bench->queries * 99 / 100] / 1e3, r.points);
    }
    printf("}}\n");
    free(us);
    db_release(r.db);
    for (size_t v = 0; v < VARIANTS; v++)
        chunks_done(&chunks[v]);
}
