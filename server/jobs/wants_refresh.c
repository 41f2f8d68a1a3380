/* SPDX-License-Identifier: Apache-2.0 */
#include "server/jobs/wants_refresh.h"

#include "server/store/store_driver_files.h"
#include "server/store/store_findings.h"

/* A host that has not posted for so long is not asked: others run its drivers too. */
#define SEEN_WITHIN_US US_PER_DAY
#define HOSTS_MAX      10000 /* of one finding */

static enum status add_scan(void *arg, const char *host_id,
                            const unsigned char hash[DRIVER_FILE_HASH_BYTES])
{
    _Static_assert(DRIVER_FILE_HASH_BYTES == WANTS_HASH_BYTES, "one hash");
    return wants_table_add_scan(arg, host_id, hash);
}

/* Sizes of blocks tell a leak's shape; who holds handles tells the others' cause. */
static bool asks_for_blocks(enum finding_kind kind)
{
    return kind == FINDING_LEAK || kind == FINDING_LEVEL;
}

static enum status add_findings(struct db *db, struct wants_table *table, struct err *err)
{
    AUTO_FINDING_RECORDS struct finding_records records = {0};
    const struct finding_filter filter = {
        .statuses = 1u << FINDING_OPEN | 1u << FINDING_ACKNOWLEDGED, .hosts_max = HOSTS_MAX};
    enum status status = store_findings_list(db, &filter, &records, err);
    for (size_t i = 0; status == ST_OK && i < records.count; i++) {
        const struct finding *finding = &records.items[i].finding;
        size_t tags = asks_for_blocks(finding->kind) ? finding->tag_count : 0;
        for (size_t h = 0; status == ST_OK && h < finding->host_count; h++)
            status = wants_table_add_finding(table, finding->hosts[h].id, finding->id,
                                             finding->tags, tags);
        if (status != ST_OK)
            err_set(err, status, "could not note what findings ask for: out of memory");
    }
    return status;
}

enum status wants_refresh(struct db *db, struct wants *wants, struct err *err)
{
    struct wants_table *table = wants_table_new();
    if (table == NULL)
        return err_set(err, ST_NOMEM, "could not note what agents are asked for: out of memory");
    enum status status =
        store_driver_files_needs(db, clock_wall_us() - SEEN_WITHIN_US, add_scan, table, err);
    if (status == ST_OK)
        status = add_findings(db, table, err);
    if (status == ST_OK)
        wants_replace(wants, table);
    else
        wants_table_free(table);
    return status;
}
