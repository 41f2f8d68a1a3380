/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api/host_moment.h"

#include "server/api/json_out.h"

#define SAME_BOOT_US (2 * US_PER_MINUTE)

void host_moment_done(struct host_moment *moment)
{
    if (moment->stored)
        snapshot_done(&moment->snapshot);
    arena_done(&moment->arena);
}

bool host_moment_is_newest(const struct host_state *host, int64_t at_us)
{
    return at_us == TIME_UNKNOWN || at_us >= host->taken_at_us;
}

static enum status moment_newest(const struct host_state *host, struct host_moment *moment,
                                 struct err *err)
{
    enum status status = host_state_tables(host, &moment->arena, moment->table);

    moment->taken_at_us = host->taken_at_us;
    moment->boot_at_us = host->boot_at_us;
    moment->totals = &host->totals;
    return status == ST_OK ? ST_OK : err_set(err, status, "could not read a host: out of memory");
}

enum status host_moment_stored(struct db *db, const struct host_state *host, int64_t at_us,
                               const char *field, struct host_moment *moment, struct err *err)
{
    enum status status = store_snapshot_at(db, host->key, at_us, &moment->snapshot, err);

    if (status == ST_NOT_FOUND)
        return err_field(err, ST_NOT_FOUND, field, "host \"%s\" has no snapshot at or before that",
                         host->id);
    /* Not the request's fault and not to be mended by asking again: there is no such snapshot any
     * more, and this says why. */
    if (status == ST_MALFORMED) {
        struct err why = *err;
        return err_field(err, ST_NOT_FOUND, field, "the snapshot at that moment is damaged: %s",
                         why.message);
    }
    if (status != ST_OK)
        return status;
    moment->stored = true;
    moment->taken_at_us = moment->snapshot.taken_at_us;
    moment->boot_at_us = moment->snapshot.boot_at_us;
    moment->totals = &moment->snapshot.totals;
    for (unsigned p = 0; p < POOL_COUNT; p++)
        moment->table[p] = moment->snapshot.table[p];
    return ST_OK;
}

enum status host_moment_read(struct db *db, const struct host_state *host, int64_t at_us,
                             const char *field, struct host_moment *moment, struct err *err)
{
    return host_moment_is_newest(host, at_us)
               ? moment_newest(host, moment, err)
               : host_moment_stored(db, host, at_us, field, moment, err);
}

bool host_same_boot(int64_t a, int64_t b)
{
    return (a > b ? a - b : b - a) < SAME_BOOT_US;
}

/* Entries come newest first, so a boot that wandered stands behind itself. */
enum status host_boots(struct db *db, const struct host_state *host, struct store_boots *ret_boots,
                       struct err *err)
{
    enum status status = store_boots(db, host->key, ret_boots, err);
    size_t kept = 0;

    for (size_t i = 0; status == ST_OK && i < ret_boots->count; i++) {
        const struct store_boot *boot = &ret_boots->items[i];
        struct store_boot *last = kept == 0 ? NULL : &ret_boots->items[kept - 1];
        if (last == NULL || boot->boot_at_us == TIME_UNKNOWN || last->boot_at_us == TIME_UNKNOWN ||
            !host_same_boot(boot->boot_at_us, last->boot_at_us)) {
            ret_boots->items[kept++] = *boot;
            continue;
        }
        last->snapshots += boot->snapshots;
        if (boot->first_seen_us < last->first_seen_us)
            last->first_seen_us = boot->first_seen_us;
    }
    if (status == ST_OK)
        ret_boots->count = kept;
    return status;
}

int64_t host_moment_uptime(const struct host_moment *moment)
{
    if (moment->boot_at_us == TIME_UNKNOWN || moment->boot_at_us > moment->taken_at_us)
        return NUMBER_ABSENT;
    return (moment->taken_at_us - moment->boot_at_us) / US_PER_SECOND;
}

void host_moment_write_totals(const struct snapshot_totals *totals, struct strbuf *out)
{
    json_key_open(out, "totals", '{');
    for (unsigned i = 0; i < TOTAL_COUNT; i++)
        json_i64(out, total_name((enum total)i),
                 totals_has(totals, (enum total)i) ? api_number(totals->value[i]) : NUMBER_ABSENT);
    json_close(out, '}');
}
