/* SPDX-License-Identifier: Apache-2.0 */
#include "server/ingest/identity.h"

#include "server/store/store_enroll.h"

/* How far one machine's clock may have been put forward between two of its boots. Chosen: less
 * than the shortest interval (10 s), so that two machines cannot hide between two snapshots. */
#define CLOCK_NOISE_US (5 * US_PER_SECOND)

static bool same_boot(int64_t a_us, int64_t b_us)
{
    int64_t apart = a_us > b_us ? a_us - b_us : b_us - a_us;
    return apart <= STORE_BOOT_SLACK_US;
}

bool identity_is_other(const struct ingest_host *host, const struct snapshot *snapshot)
{
    return snapshot->boot_at_us != TIME_UNKNOWN && host->live_boot_at_us != TIME_UNKNOWN &&
           !same_boot(snapshot->boot_at_us, host->live_boot_at_us);
}

enum status identity_is_marked(struct db *db, const struct ingest_host *host,
                               const struct snapshot *snapshot, bool *ret_marked, struct err *err)
{
    AUTO_STORE_CLONES struct store_clones clones = {0};
    enum status status = store_host_clones(db, &host->key, 1, &clones, err);
    if (status == ST_OK)
        *ret_marked = store_clones_state(&clones, host->key, snapshot->boot_at_us) != IDENTITY_OK;
    return status;
}

enum status identity_judge(struct db *db, const struct ingest_host *host,
                           const struct snapshot *snapshot, enum identity_verdict *ret_verdict,
                           struct err *err)
{
    int64_t seen_us = TIME_UNKNOWN, live_seen_us = TIME_UNKNOWN;
    *ret_verdict = IDENTITY_LATE;
    if (snapshot->boot_at_us < host->live_boot_at_us &&
        snapshot->taken_at_us <= host->live_boot_at_us)
        return ST_OK;
    enum status status = store_ingest_boot_seen(db, host->key, snapshot->boot_at_us, &seen_us, err);
    if (status == ST_OK && seen_us != TIME_UNKNOWN)
        status = store_ingest_boot_seen(db, host->key, host->live_boot_at_us, &live_seen_us, err);
    if (status != ST_OK)
        return status;
    /* Only what was there before the present boot can have been given up for it. A boot that was
     * seen after it and is not the present one had its clock set back. */
    if (seen_us == TIME_UNKNOWN || (live_seen_us != TIME_UNKNOWN && seen_us > live_seen_us)) {
        *ret_verdict = IDENTITY_NEW;
        return ST_OK;
    }
    if (snapshot->taken_at_us <= host->live_taken_at_us + CLOCK_NOISE_US)
        return ST_OK;
    *ret_verdict = IDENTITY_BACK;
    return store_host_clone_mark(db, host->key, host->live_boot_at_us, snapshot->boot_at_us, err);
}

void identity_note(struct ingest_host *host, const struct snapshot *snapshot,
                   enum identity_verdict verdict)
{
    if (snapshot->boot_at_us == TIME_UNKNOWN)
        return;
    bool first = host->live_boot_at_us == TIME_UNKNOWN;
    if (first || verdict == IDENTITY_NEW || verdict == IDENTITY_BACK) {
        host->live_boot_at_us = snapshot->boot_at_us;
        host->live_taken_at_us = snapshot->taken_at_us;
    } else if (verdict == IDENTITY_SAME && snapshot->taken_at_us > host->live_taken_at_us) {
        host->live_taken_at_us = snapshot->taken_at_us;
    }
}
