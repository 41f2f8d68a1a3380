/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api/api_meta.h"
#include "common/clock.h"
#include "server/app.h"
#include "server/http/exchange.h"
#include "server/notify/notify.h"
#include "server/store/damage.h"
#include "server/store/store_tokens.h"

#include <stdatomic.h>
#include <unistd.h>

enum status api_meta_healthz(struct req *rq, struct resp *rs, struct err *err)
{
    (void)rq;
    (void)err;
    strbuf_puts(&rs->body, "ok\n");
    return ST_OK;
}

/* Who asks whether we are ready does not wait long either. */
#define READY_PATIENCE_US (3 * US_PER_SECOND)

/* Ready: the database answers. A probe every second is one trivial query a second. */
enum status api_meta_readyz(struct req *rq, struct resp *rs, struct err *err)
{
    AUTO_DBLEASE struct db *db = NULL;
    enum status status = db_lease(rq->app->db, US_PER_SECOND, &db, err);
    if (status == ST_OK) {
        db_patience(db, READY_PATIENCE_US);
        status = store_ping(db, err);
    }
    if (status == ST_OK)
        strbuf_puts(&rs->body, "ready\n");
    return status;
}

struct figure {
    const char *name;
    const char *type;
    const char *help;
    double value;
};

static void write_figures(struct strbuf *out, const struct figure *figures, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct figure *f = &figures[i];
        strbuf_printf(out, "# HELP %s %s\n# TYPE %s %s\n%s %.17g\n", f->name, f->help, f->name,
                      f->type, f->name, f->value);
    }
}

/* Resident memory; 0 pages are reported as absent. */
static void write_memory(struct strbuf *out)
{
    AUTO_FILE FILE *file = fopen("/proc/self/statm", "re");
    unsigned long total = 0;
    unsigned long resident = 0;
    if (file == NULL || fscanf(file, "%lu %lu", &total, &resident) != 2)
        return;
    const struct figure figure = {"process_resident_memory_bytes", "gauge", "Resident memory.",
                                  (double)resident * (double)sysconf(_SC_PAGESIZE)};
    write_figures(out, &figure, 1);
}

static void write_ingest(struct strbuf *out, struct ingest *ingest)
{
    struct ingest_stats s = {0};
    if (ingest == NULL)
        return;
    ingest_read_stats(ingest, &s);
    const struct figure figures[] = {
        {"poolfleet_ingest_accepted_total", "counter", "Snapshots stored.", (double)s.accepted},
        {"poolfleet_ingest_duplicates_total", "counter", "Snapshots that were held already.",
         (double)s.duplicates},
        {"poolfleet_ingest_rejected_total", "counter", "Snapshots refused after decoding.",
         (double)s.rejected},
        {"poolfleet_ingest_rows_total", "counter", "Table rows stored.", (double)s.rows},
        {"poolfleet_ingest_commits_total", "counter", "Group commits.", (double)s.commits},
        {"poolfleet_ingest_failed_commits_total", "counter", "Group commits that failed.",
         (double)s.failed_commits},
        {"poolfleet_ingest_queued_bytes", "gauge", "Bytes that wait for the next commit.",
         (double)s.queued_bytes},
        {"poolfleet_ingest_queued_batches", "gauge", "Requests that wait for the next commit.",
         (double)s.queued_batches},
    };
    write_figures(out, figures, sizeof figures / sizeof figures[0]);
}

static void write_fleet(struct strbuf *out, struct fleet *fleet)
{
    if (fleet == NULL)
        return;
    const struct figure figures[] = {
        {"poolfleet_hosts", "gauge", "Hosts known.", (double)fleet_count(fleet)},
        {"poolfleet_fleet_state_bytes", "gauge", "Memory of the newest state of all hosts.",
         (double)fleet_memory_bytes(fleet)},
    };
    write_figures(out, figures, sizeof figures / sizeof figures[0]);
}

static void write_storage(struct strbuf *out)
{
    const struct figure figures[] = {
        {"poolfleet_damaged_chunks", "gauge",
         "Sealed chunks that could not be read since the start.", (double)damage_read(NULL)},
        {"poolfleet_damaged_chunk_reads_total", "counter", "Reads that met one of them.",
         (double)damage_meetings()},
    };
    write_figures(out, figures, sizeof figures / sizeof figures[0]);
}

static void write_analysis(struct strbuf *out, struct app *app)
{
    int64_t at = atomic_load(&app->analyzed_at_us);
    uint64_t passes = atomic_load(&app->analysis_passes);
    const struct figure figures[] = {
        {"poolfleet_analysis_passes_total", "counter", "Analysis passes.", (double)passes},
        {"poolfleet_analysis_cold_reads_total", "counter",
         "Hosts the analysis read from their history.",
         (double)atomic_load(&app->analysis_cold_reads)},
        {"poolfleet_analysis_restored_hosts_total", "counter",
         "Hosts the analysis read from their checkpoint.",
         (double)atomic_load(&app->analysis_restored)},
        {"poolfleet_analysis_duration_seconds", "gauge", "Duration of the last pass.",
         (double)atomic_load(&app->analysis_duration_us) / 1e6},
        {"poolfleet_analysis_timestamp_seconds", "gauge", "End of the last pass.",
         (double)at / 1e6},
    };
    size_t known = at == TIME_UNKNOWN || passes == 0 ? 3 : 5;
    write_figures(out, figures, known);
}

/* Never one series a target: how one target does is in GET /notify-targets. */
static void write_notify(struct strbuf *out, struct notify *notify)
{
    struct notify_stats s = {0};
    if (notify == NULL)
        return;
    notify_read_stats(notify, &s);
    const struct figure figures[] = {
        {"poolfleet_notify_sent_total", "counter", "Notifications that a receiver took.",
         (double)s.sent},
        {"poolfleet_notify_failed_attempts_total", "counter", "Attempts to notify that failed.",
         (double)s.failed},
        {"poolfleet_notify_given_up_total", "counter", "Notifications given up.",
         (double)s.given_up},
        {"poolfleet_notify_digests_total", "counter", "Digests made.", (double)s.digests},
        {"poolfleet_notify_waiting", "gauge", "Notifications that wait, when last looked.",
         (double)s.waiting},
    };
    write_figures(out, figures, sizeof figures / sizeof figures[0]);
}

enum status api_meta_metrics(struct req *rq, struct resp *rs, struct err *err)
{
    struct app *app = rq->app;
    if (!rq->peer_local && rq->role == ROLE_NONE)
        return err_set(err, ST_UNAUTHORIZED, "metrics need a token, except on loopback");
    if (!rq->peer_local && !role_allows(rq->role, ROLE_VIEWER))
        return err_set(err, ST_FORBIDDEN, "this needs role viewer");
    const struct figure start = {"poolfleet_start_time_seconds", "gauge", "When it was started.",
                                 (double)app->started_at_us / 1e6};
    strbuf_puts(&rs->body, "# HELP poolfleet_build_info Version.\n"
                           "# TYPE poolfleet_build_info gauge\n"
                           "poolfleet_build_info{version=\"" POOLFLEET_VERSION "\"} 1\n");
    write_figures(&rs->body, &start, 1);
    write_memory(&rs->body);
    write_fleet(&rs->body, app->fleet);
    write_ingest(&rs->body, app->ingest);
    write_storage(&rs->body);
    write_analysis(&rs->body, app);
    write_notify(&rs->body, app->notify);
    http_write_metrics(req_http(rq), &rs->body);
    return ST_OK;
}
