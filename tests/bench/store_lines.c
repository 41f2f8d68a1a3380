/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fleet of bench-storage in InfluxDB's line protocol on standard output, every row of every
 * snapshot, for stores that are measured beside ours on the same data.
 */
#include "tests/bench/store.h"

#include <stdio.h>

static void put_table(const struct snapshot_table *table, const char *head, const char *at,
                      struct strbuf *out)
{
    for (size_t i = 0; i < table->count; i++) {
        char tag[TAG_TEXT_MAX];
        tag_format(table->tag[i], tag);
        strbuf_puts(out, head);
        for (const char *c = tag; *c != '\0'; c++) { /* a tag may hold what parts the fields */
            if (*c == ' ' || *c == ',' || *c == '=' || *c == '\\')
                strbuf_puts(out, "\\");
            strbuf_add(out, c, 1);
        }
        strbuf_puts(out, " allocs=");
        strbuf_u64(out, table->allocs[i]);
        strbuf_puts(out, "i,frees=");
        strbuf_u64(out, table->frees[i]);
        strbuf_puts(out, "i,bytes=");
        strbuf_u64(out, table->bytes[i]);
        strbuf_puts(out, at);
    }
}

void bench_lines(const struct bench *bench)
{
    struct churn_host **hosts = calloc(bench->hosts, sizeof(struct churn_host *));
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    if (hosts == NULL)
        bench_must(ST_NOMEM, NULL);
    for (size_t h = 0; h < bench->hosts; h++)
        hosts[h] = churn_host_new(bench->mix, h, bench->rows);
    for (int64_t step = 0; step < (int64_t)bench->days * US_PER_DAY / bench->interval_us; step++) {
        char at[32], head[64];
        snprintf(at, sizeof at, "i %lld000\n",
                 (long long)(bench->day0_us + step * bench->interval_us));
        for (size_t h = 0; h < bench->hosts; h++) {
            churn_host_step(hosts[h], (double)bench->interval_us / US_PER_SECOND);
            strbuf_clear(&out);
            for (int pool = 0; pool < POOL_COUNT; pool++) {
                snprintf(head, sizeof head, "pool,host=bench-%zu,pool=%s,tag=", h,
                         pool_name((enum pool)pool));
                put_table(&churn_host_tables(hosts[h])[pool], head, at, &out);
            }
            if (fwrite(out.data, 1, out.length, stdout) != out.length)
                bench_must(ST_IO, NULL);
        }
    }
    for (size_t h = 0; h < bench->hosts; h++)
        churn_host_free(hosts[h]);
    free(hosts);
}
