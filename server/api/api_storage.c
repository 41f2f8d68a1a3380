/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is kept, how long, and how it grows. Settings are shown, not changed: they live in the file,
 * the environment or the flags of the server, where a person finds them with check-config.
 */
#include "server/api/api_server.h"

#include "server/api/api_common.h"
#include "server/api/json_out.h"
#include "server/store/store_server.h"

#include <math.h>
#include <string.h>
#include <sys/statvfs.h>

struct disk {
    bool known;
    int64_t free_bytes;
    int64_t total_bytes;
};

/* Only where the data lie on this machine; a container's folder may have the same name elsewhere,
 * so what cannot be looked at is unknown. */
static struct disk disk_of(const char *path)
{
    struct statvfs fs;

    if (path[0] == '\0' || statvfs(path, &fs) != 0)
        return (struct disk){false, NUMBER_ABSENT, NUMBER_ABSENT};
    return (struct disk){true, (int64_t)(fs.f_bavail * fs.f_frsize),
                         (int64_t)(fs.f_blocks * fs.f_frsize)};
}

static void write_part(const struct store_part *part, struct strbuf *out)
{
    json_open(out, '{');
    json_text(out, "name", part->name);
    json_time(out, "from", part->from_us);
    json_time(out, "to", part->to_us);
    json_i64(out, "bytes", part->bytes);
    json_i64(out, "rows", part->rows < 0 ? NUMBER_ABSENT : part->rows);
    json_close(out, '}');
}

/* How long a partitioned table is kept: the long history's is the rollups'. */
static int64_t kept_us(const struct config *config, const char *table)
{
    static const char *const rollups[] = {"tag_hour", "host_hour", "host_tag_day", "host_pool_day"};

    for (size_t i = 0; i < sizeof rollups / sizeof rollups[0]; i++) {
        if (strcmp(table, rollups[i]) == 0)
            return config->rollup_retention_us;
    }
    return config->retention_us;
}

struct sums {
    double growth;   /* bytes a day, of all that is known */
    double settled;  /* bytes once retention drops as much as comes */
    int64_t present; /* bytes of the tables that grow */
};

/* The rows from `at` on that belong to one table; returns where the next begins. */
static size_t write_table(const struct store_parts *parts, size_t at, const struct config *config,
                          int64_t now_us, struct sums *sums, struct strbuf *out)
{
    const char *table = parts->items[at].table;
    bool parted = parts->items[at].from_us != TIME_UNKNOWN;
    double growth = parted ? store_parts_growth(parts, table, now_us) : NAN;
    int64_t bytes = 0, kept = kept_us(config, table);
    size_t end = at;

    for (; end < parts->count && strcmp(parts->items[end].table, table) == 0; end++)
        bytes += parts->items[end].bytes;
    json_open(out, '{');
    json_text(out, "name", table);
    json_i64(out, "bytes", bytes);
    json_number(out, "growth_bytes_per_day", growth);
    json_i64(out, "kept_seconds", parted && kept > 0 ? kept / US_PER_SECOND : NUMBER_ABSENT);
    json_i64(out, "rows",
             parted || parts->items[at].rows < 0 ? NUMBER_ABSENT : parts->items[at].rows);
    json_key_open(out, "partitions", '[');
    for (size_t i = at; parted && i < end; i++)
        write_part(&parts->items[i], out);
    json_close(out, ']');
    json_close(out, '}');
    if (!isnan(growth)) {
        sums->growth += growth;
        sums->present += bytes;
        sums->settled += kept > 0 ? growth * (double)kept / (double)US_PER_DAY : INFINITY;
    }
    return end;
}

static void write_settings(const struct config *config, struct strbuf *out)
{
    const struct {
        const char *name;
        int64_t us;
    } settings[] = {
        {"retention", config->retention_us},
        {"rollup_retention", config->rollup_retention_us},
        {"keyframe", config->keyframe_us},
        {"analyze_interval", config->analyze_interval_us},
        {"agent_interval", config->agent_interval_us},
    };

    json_key_open(out, "settings", '[');
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        json_open(out, '{');
        json_text(out, "name", settings[i].name);
        json_i64(out, "seconds", settings[i].us / US_PER_SECOND);
        json_close(out, '}');
    }
    json_close(out, ']');
}

/* Full only if what is still to come before retention evens it out does not fit. */
static int64_t full_at(const struct disk *disk, const struct sums *sums, int64_t now_us)
{
    double more = sums->settled - (double)sums->present;

    if (!disk->known || sums->growth <= 0 || more <= (double)disk->free_bytes)
        return TIME_UNKNOWN;
    double days = (double)disk->free_bytes / sums->growth;
    return days > 36500 ? TIME_UNKNOWN : now_us + (int64_t)(days * (double)US_PER_DAY);
}

enum status api_storage_get(struct req *rq, struct resp *rs, struct err *err)
{
    AUTO_DBLEASE struct db *db = NULL;
    AUTO_STORE_PARTS struct store_parts parts = {0};
    const struct config *config = rq->app->config;
    struct store_database database;
    struct sums sums = {0};
    struct strbuf *out = &rs->body;
    int64_t now_us = clock_wall_us();
    char folder[1024] = ""; /* longer paths are not looked at */
    enum status status = req_query_only(rq, NULL, 0, err);

    if (status == ST_OK)
        status = api_lease(rq, &db, err);
    if (status == ST_OK)
        status = store_database_read(db, &database, err);
    if (status == ST_OK)
        status = store_parts_read(db, &parts, err);
    if (status == ST_OK)
        status = store_data_folder(db, folder, sizeof folder, err);
    if (status != ST_OK)
        return status;
    struct disk disk = disk_of(folder);
    json_open(out, '{');
    write_settings(config, out);
    json_i64(out, "database_bytes", database.size_bytes);
    json_key_open(out, "tables", '[');
    for (size_t at = 0; at < parts.count;)
        at = write_table(&parts, at, config, now_us, &sums, out);
    json_close(out, ']');
    json_number(out, "growth_bytes_per_day", sums.growth > 0 ? sums.growth : NAN);
    json_number(out, "settled_bytes",
                sums.growth > 0 && isfinite(sums.settled)
                    ? sums.settled + (double)(database.size_bytes - sums.present)
                    : NAN);
    json_i64(out, "disk_free_bytes", disk.free_bytes);
    json_i64(out, "disk_total_bytes", disk.total_bytes);
    json_time(out, "full_at", full_at(&disk, &sums, now_us));
    json_close(out, '}');
    return api_reply_json(rs, err);
}
