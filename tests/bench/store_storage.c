/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/core/changes.h"
#include "agent/core/gzip.h"
#include "common/snapshot_cbor.h"
#include "server/ingest/ingest.h"
#include "server/jobs/history.h"
#include "server/jobs/rollup.h"
#include "server/jobs/seal.h"
#include "tests/bench/store.h"

#include <stdio.h>
#include <string.h>

/* What one host's agent is at. */
struct teller {
    struct churn_host *host;
    struct changes_base base;
    char id[32];
};

#define GROUP 50 /* documents of one submit: what a busy second brings */

static struct snapshot *tell(const struct bench *bench, struct teller *teller, int64_t step,
                             struct bench_sent *sent)
{
    AUTO_STRBUF struct strbuf cbor = STRBUF_INIT, gzip = STRBUF_INIT;
    struct snapshot_table whole[POOL_COUNT];
    struct snapshot *s = gen_snapshot(teller->id, bench->day0_us - 3 * US_PER_DAY,
                                      bench->day0_us + step * bench->interval_us, step, -1);
    churn_host_step(teller->host, (double)bench->interval_us / US_PER_SECOND);
    churn_host_totals(teller->host, &s->totals);
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        gen_copy(&s->arena, &churn_host_tables(teller->host)[pool], &s->table[pool]);
        whole[pool] = s->table[pool];
        sent->values += (int64_t)whole[pool].count * 3;
    }
    bench_must(changes_reduce(&teller->base, s), NULL);
    bench_must(changes_acknowledge(&teller->base, s->boot_at_us, s->sequence, whole), NULL);
    snapshot_cbor_encode(s, &cbor);
    bench_must(gzip_pack(cbor.data, cbor.length, &gzip, NULL), NULL);
    sent->documents++;
    sent->rows += (int64_t)(s->table[0].count + s->table[1].count);
    sent->cbor_bytes += (int64_t)cbor.length;
    sent->gzip_bytes += (int64_t)gzip.length;
    return s;
}

static void send(struct ingest *ingest, struct snapshot **group, size_t count)
{
    struct outcome outcomes[GROUP] = {0};
    bench_must(gen_send(ingest, group, count, NULL, outcomes), NULL);
    for (size_t i = 0; i < count; i++) {
        if (outcomes[i].outcome != INGEST_ACCEPTED)
            bench_must(ST_BUG, &outcomes[i].err);
    }
}

struct bench_fleet {
    const struct bench *bench;
    struct teller *tellers;
    struct fleet *fleet;
    struct ingest *ingest;
    int64_t step;
};

struct bench_fleet *bench_fleet_open(const struct bench *bench)
{
    struct ingest_options options = {.queue_bytes = 64u << 20, .keyframe_us = 6 * US_PER_HOUR};
    struct bench_fleet *fleet = calloc(1, sizeof *fleet);
    struct err err = {0};
    if (fleet == NULL || (fleet->tellers = calloc(bench->hosts, sizeof *fleet->tellers)) == NULL)
        bench_must(ST_NOMEM, NULL);
    fleet->bench = bench;
    fleet->fleet = fleet_new();
    bench_must(ingest_start(bench->pool, fleet->fleet, &options, &fleet->ingest, &err), &err);
    for (size_t h = 0; h < bench->hosts; h++) {
        fleet->tellers[h].host = churn_host_new(bench->mix, h, bench->rows);
        snprintf(fleet->tellers[h].id, sizeof fleet->tellers[h].id, "bench-%zu", h);
    }
    return fleet;
}

void bench_fleet_send(struct bench_fleet *fleet, size_t steps, struct bench_sent *sent)
{
    const struct bench *bench = fleet->bench;
    for (size_t i = 0; i < steps; i++, fleet->step++) {
        struct snapshot *group[GROUP];
        size_t count = 0;
        for (size_t h = 0; h < bench->hosts; h++) {
            group[count++] = tell(bench, &fleet->tellers[h], fleet->step, sent);
            if (count == GROUP || h + 1 == bench->hosts) {
                send(fleet->ingest, group, count);
                count = 0;
            }
        }
    }
}

void bench_fleet_close(struct bench_fleet *fleet)
{
    ingest_stop(fleet->ingest);
    fleet_free(fleet->fleet);
    for (size_t h = 0; h < fleet->bench->hosts; h++) {
        churn_host_free(fleet->tellers[h].host);
        changes_forget(&fleet->tellers[h].base);
    }
    free(fleet->tellers);
    free(fleet);
}

/* As the server's jobs do, a day later. */
void bench_settle(const struct bench *bench)
{
    atomic_bool never = false;
    int64_t now = clock_wall_us() + US_PER_DAY;
    struct seal_options seal = {
        .now_us = now, .settle_us = SEAL_SETTLE_US, .drop_us = SEAL_DROP_US};
    struct history_options history = {.now_us = now,
                                      .oldest_us = bench->day0_us - US_PER_DAY,
                                      .whole_us = bench->day0_us - US_PER_DAY};
    struct seal_counts counts = {0};
    struct db *db = bench_lease(bench);
    struct err err = {0};
    bench_must(rollup_pass(db, bench->day0_us, &never, &err), &err);
    bench_must(seal_pass(db, &seal, &never, &counts, &err), &err);
    bench_must(history_pass(db, &history, &never, &err), &err);
    db_release(db);
    if (counts.partitions == 0)
        bench_must(err_set(&err, ST_BUG, "no partition was sealed"), &err);
}

static int64_t table_bytes(const struct bench *bench, const char *table)
{
    AUTO_STRBUF struct strbuf sql = STRBUF_INIT;
    strbuf_printf(&sql,
                  "SELECT coalesce(sum(pg_total_relation_size(inhrelid)), 0)::bigint"
                  " FROM pg_inherits WHERE inhparent = '%s'::regclass",
                  table);
    return bench_number(bench, sql.data);
}

static int64_t wal(const struct bench *bench)
{
    return bench_number(bench, "SELECT (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::bigint");
}

static int64_t database(const struct bench *bench)
{
    return bench_number(bench, "SELECT pg_database_size(current_database())");
}

void bench_storage(const struct bench *bench)
{
    static const char *const tables[] = {"snapshot",  "snapshot_block", "snapshot_chunk",
                                         "host_hour", "host_pool_day",  "tag_hour"};
    struct bench_sent sent = {0};
    int64_t empty = database(bench), wal_before = wal(bench);
    int64_t start = clock_mono_us();
    struct bench_fleet *fleet = bench_fleet_open(bench);
    bench_fleet_send(fleet, (size_t)((int64_t)bench->days * US_PER_DAY / bench->interval_us),
                     &sent);
    bench_fleet_close(fleet);
    int64_t wal_received = wal(bench), received = clock_mono_us();
    int64_t appended = table_bytes(bench, "snapshot") + table_bytes(bench, "snapshot_block");
    bench_settle(bench);
    int64_t wal_settled = wal(bench), settled = clock_mono_us();
    printf("{\"mix\":\"%s\",\"hosts\":%zu,\"rows\":%zu,\"documents\":%lld,\"values\":%lld,"
           "\"changed_rows\":%lld,\"cbor_bytes\":%lld,\"gzip_bytes\":%lld,"
           "\"appended_bytes\":%lld,\"wal_received_bytes\":%lld,\"wal_settled_bytes\":%lld,"
           "\"receive_seconds\":%.1f,\"settle_seconds\":%.1f,\"grown_bytes\":%lld,\"tables\":{",
           churn_mix_name(bench->mix), bench->hosts, bench->rows, (long long)sent.documents,
           (long long)sent.values, (long long)sent.rows, (long long)sent.cbor_bytes,
           (long long)sent.gzip_bytes, (long long)appended, (long long)(wal_received - wal_before),
           (long long)(wal_settled - wal_received), (double)(received - start) / 1e6,
           (double)(settled - received) / 1e6, (long long)(database(bench) - empty));
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++)
        printf("%s\"%s\":%lld", i == 0 ? "" : ",", tables[i],
               (long long)table_bytes(bench, tables[i]));
    printf("}}\n");
}
