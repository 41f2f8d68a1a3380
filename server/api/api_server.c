/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api/api_server.h"

#include "server/api/api_common.h"
#include "server/api/json_out.h"
#include "server/http/daemon.h"
#include "server/http/exchange.h"
#include "server/jobs/jobs.h"
#include "server/notify/notify.h"
#include "server/store/damage.h"
#include "server/store/store_server.h"
#include "server/store/store_tokens.h"

#include <dirent.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

/* ---- this process ----------------------------------------------------------- */

/* A line "Name:   123 kB" of /proc/self/status; NUMBER_ABSENT without it. */
static int64_t proc_status(const char *name)
{
    AUTO_FILE FILE *file = fopen("/proc/self/status", "re");
    char line[256];
    size_t length = strlen(name);

    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, name, length) == 0 && line[length] == ':')
            return strtoll(line + length + 1, NULL, 10);
    return NUMBER_ABSENT;
}

static int64_t open_files(void)
{
    int64_t count = -3; /* "." and "..", and the folder itself */
    DIR *folder = opendir("/proc/self/fd");

    if (folder == NULL)
        return NUMBER_ABSENT;
    while (readdir(folder) != NULL)
        count++;
    closedir(folder);
    return count;
}

static void write_process(struct app *app, struct strbuf *out)
{
    int64_t resident = proc_status("VmRSS");

    json_key_open(out, "process", '{');
    json_i64(out, "pid", (int64_t)getpid());
    json_i64(out, "memory_bytes", resident == NUMBER_ABSENT ? resident : resident * 1024);
    json_i64(out, "threads", proc_status("Threads"));
    json_i64(out, "open_files", open_files());
    json_i64(out, "hosts", (int64_t)fleet_count(app->fleet));
    json_i64(out, "fleet_state_bytes", (int64_t)fleet_memory_bytes(app->fleet));
    json_close(out, '}');
}

/* ---- requests and documents ------------------------------------------------- */

/* Causes with none are left out. */
static void write_refused(const char *name, const uint64_t *counts, struct strbuf *out)
{
    json_key_open(out, name, '[');
    for (unsigned i = 1; i < ST_COUNT_; i++) {
        if (counts[i] == 0)
            continue;
        json_open(out, '{');
        json_text(out, "cause", status_name((enum status)i));
        json_text(out, "title", status_title((enum status)i));
        json_i64(out, "count", (int64_t)counts[i]);
        json_close(out, '}');
    }
    json_close(out, ']');
}

static void write_http(struct http *http, struct strbuf *out)
{
    static const char *const classes[] = {"2xx", "3xx", "4xx", "5xx"};
    struct http_health health;

    http_read_health(http, &health);
    json_key_open(out, "http", '{');
    json_text(out, "address", http_address(http));
    json_bool(out, "tls", health.tls);
    json_time(out, "certificate_expires_at", health.tls ? health.tls_expires_at_us : TIME_UNKNOWN);
    json_i64(out, "connections", (int64_t)health.connections);
    json_i64(out, "running", (int64_t)health.running);
    json_i64(out, "waiting", (int64_t)health.waiting);
    json_key_open(out, "answers", '{');
    for (size_t i = 0; i < 4; i++)
        json_i64(out, classes[i], (int64_t)health.by_class[i]);
    json_close(out, '}');
    json_number(out, "seconds", health.seconds);
    write_refused("refused", health.refused, out);
    json_close(out, '}');
}

static void write_ingest(struct app *app, struct strbuf *out)
{
    struct ingest_stats s = {0};
    uint64_t refused[ST_COUNT_];

    ingest_read_stats(app->ingest, &s);
    for (size_t i = 0; i < ST_COUNT_; i++)
        refused[i] = atomic_load_explicit(&app->refused[i], memory_order_relaxed);
    json_key_open(out, "ingest", '{');
    json_i64(out, "accepted", (int64_t)s.accepted);
    json_i64(out, "duplicates", (int64_t)s.duplicates);
    json_i64(out, "rows", (int64_t)s.rows);
    json_i64(out, "commits", (int64_t)s.commits);
    json_i64(out, "failed_commits", (int64_t)s.failed_commits);
    json_i64(out, "queued_requests", (int64_t)s.queued_batches);
    json_i64(out, "queued_bytes", (int64_t)s.queued_bytes);
    json_i64(out, "queue_limit_bytes", app->config->queue_bytes);
    write_refused("refused", refused, out);
    json_close(out, '}');
}

/* ---- jobs, notifications ---------------------------------------------------- */

static void write_jobs(struct app *app, bool *ret_leader, struct strbuf *out)
{
    struct job_state states[JOBS_MAX];
    size_t count = jobs_read(app->jobs, states, ret_leader);

    json_key_open(out, "jobs", '[');
    for (size_t i = 0; i < count; i++) {
        bool ran = states[i].ended_at_us != TIME_UNKNOWN;
        json_open(out, '{');
        json_text(out, "name", states[i].name);
        json_i64(out, "runs", (int64_t)states[i].runs);
        json_i64(out, "failures", (int64_t)states[i].failures);
        json_time(out, "ended_at", states[i].ended_at_us);
        json_number(out, "seconds", ran ? (double)states[i].duration_us / 1e6 : NAN);
        json_time(out, "failed_at", states[i].failed_at_us);
        json_text(out, "error", states[i].error[0] == '\0' ? NULL : states[i].error);
        json_close(out, '}');
    }
    json_close(out, ']');
}

static void write_notify(struct app *app, struct strbuf *out)
{
    struct notify_stats s = {0};

    notify_read_stats(app->notify, &s);
    json_key_open(out, "notify", '{');
    json_i64(out, "sent", (int64_t)s.sent);
    json_i64(out, "failed_attempts", (int64_t)s.failed);
    json_i64(out, "given_up", (int64_t)s.given_up);
    json_i64(out, "waiting", s.waiting);
    json_close(out, '}');
}

/* ---- the database ----------------------------------------------------------- */

/* One trivial statement there and back; the lease is not in it. */
static enum status ping(struct db *db, double *ret_ms, struct err *err)
{
    int64_t start = clock_mono_us();
    enum status status = store_ping(db, err);

    *ret_ms = (double)(clock_mono_us() - start) / 1e3;
    return status;
}

static void write_database(const struct req *rq, const struct store_database *database,
                           double latency_ms, const char *error, struct strbuf *out)
{
    unsigned most = 0, leased = 0;

    db_pool_read(rq->app->db, &most, &leased);
    json_key_open(out, "database", '{');
    json_text(out, "error", error);
    json_text(out, "version", database == NULL ? NULL : database->version);
    json_number(out, "latency_ms", latency_ms);
    json_i64(out, "size_bytes", database == NULL ? NUMBER_ABSENT : database->size_bytes);
    json_i64(out, "connections", database == NULL ? NUMBER_ABSENT : database->connections);
    json_i64(out, "connections_limit",
             database == NULL ? NUMBER_ABSENT : database->connections_max);
    json_i64(out, "pool_leased", leased);
    json_i64(out, "pool_limit", most);
    json_close(out, '}');
}

static void write_analyzer(const struct store_database *database, bool leader, struct strbuf *out)
{
    json_key_open(out, "analyzer", '{');
    json_bool(out, "this_server", leader);
    if (database == NULL || !database->analyzer_held) {
        json_text(out, "holder", NULL);
    } else {
        json_key_open(out, "holder", '{');
        json_i64(out, "database_pid", database->analyzer_pid);
        json_text(out, "name", database->analyzer_name);
        json_text(out, "address",
                  database->analyzer_address[0] == '\0' ? NULL : database->analyzer_address);
        json_time(out, "since", database->analyzer_since_us);
        json_close(out, '}');
    }
    json_close(out, '}');
}

/* ---- sealed chunks that cannot be read -------------------------------------- */

/* db NULL: whose they are cannot be asked. */
static void write_damage(struct db *db, struct strbuf *out)
{
    struct damage items[DAMAGE_MAX];
    size_t count = damage_read(items);

    json_key_open(out, "damaged_chunks", '[');
    for (size_t i = 0; i < count; i++) {
        char id[LIMIT_HOST_ID_BYTES + 1] = "";
        if (db != NULL && store_host_id_of(db, items[i].host_key, id, NULL) != ST_OK)
            db = NULL;
        json_open(out, '{');
        json_text(out, "host_id", id[0] == '\0' ? NULL : id);
        json_time(out, "from", items[i].span_us);
        json_time(out, "boot_at", items[i].boot_at_us);
        json_i64(out, "part", items[i].part);
        json_time(out, "found_at", items[i].found_at_us);
        json_text(out, "reason", items[i].reason);
        json_close(out, '}');
    }
    json_close(out, ']');
}

/* The screen for when something is wrong: without the database it still tells the rest. */
enum status api_server_get(struct req *rq, struct resp *rs, struct err *err)
{
    AUTO_DBLEASE struct db *db = NULL;
    struct store_database database;
    struct strbuf *out = &rs->body;
    struct err failed = {0};
    double latency_ms = NAN;
    bool leader = false;
    enum status status = req_query_only(rq, NULL, 0, err);

    if (status != ST_OK)
        return status;
    status = api_lease(rq, &db, &failed);
    if (status == ST_OK)
        status = ping(db, &latency_ms, &failed);
    if (status == ST_OK)
        status = store_database_read(db, &database, &failed);
    const struct store_database *known = status == ST_OK ? &database : NULL;
    json_open(out, '{');
    json_time(out, "server_time", clock_wall_us());
    json_text(out, "version", POOLFLEET_VERSION);
    json_time(out, "started_at", rq->app->started_at_us);
    write_process(rq->app, out);
    write_http(req_http(rq), out);
    write_ingest(rq->app, out);
    write_database(rq, known, latency_ms, status == ST_OK ? NULL : failed.message, out);
    write_jobs(rq->app, &leader, out);
    write_analyzer(known, leader, out);
    write_notify(rq->app, out);
    write_damage(known == NULL ? NULL : db, out);
    json_close(out, '}');
    rs->media = MEDIA_JSON;
    return ST_OK;
}
