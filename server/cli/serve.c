/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The running server: parts are started in the order they need each other and stopped in reverse,
 * so that each finds its ground still there. Signals are blocked in all threads and waited for
 * here.
 */
#include "common/log.h"
#include "server/app.h"
#include "server/cli/cli.h"
#include "server/http/daemon.h"
#include "server/http/reply_cache.h"
#include "server/jobs/jobs.h"
#include "server/notify/notify.h"
#include "server/state/view.h"
#include "server/store/migrate.h"
#include "server/store/store_hosts.h"
#include "server/store/store_users.h"

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

static enum status set_log_level(const char *name, struct err *err)
{
    static const char *const names[] = {"error", "warning", "info", "debug"};
    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(name, names[i]) == 0) {
            log_set_level((enum log_level)i);
            return ST_OK;
        }
    }
    return err_field(err, ST_USAGE, "log_level", "\"%s\": error, warning, info or debug is wanted",
                     name);
}

/* Everything that is read from the database once, before the first request. */
static enum status load(struct app *app, struct err *err)
{
    AUTO_DBLEASE struct db *db = NULL;
    enum status status = db_lease(app->db, 10 * US_PER_SECOND, &db, err);
    if (status == ST_OK)
        status = migrate_check(db, err);
    if (status == ST_OK)
        status = tag_lists_refresh(app->tag_lists, db, &app->tagdict, err);
    if (status == ST_OK)
        status = fleet_load(db, app->fleet, err);
    /* What loading took for a while lies in between the states that stay: back to the system. */
    malloc_trim(0);
    return status;
}

/* Written beside and renamed, so that who waits for the file never reads half of it. */
static enum status write_ready_file(const char *path, const char *address, struct err *err)
{
    AUTO_STRBUF struct strbuf beside = STRBUF_INIT;
    if (path[0] == '\0')
        return ST_OK;
    strbuf_printf(&beside, "%s.new", path);
    if (strbuf_failed(&beside))
        return err_set(err, ST_NOMEM, "could not write the ready file: out of memory");
    FILE *file = fopen(beside.data, "w");
    bool ok = file != NULL && fprintf(file, "%s\n", address) > 0;
    ok = file != NULL && fclose(file) == 0 && ok;
    if (!ok || rename(beside.data, path) != 0)
        return err_set(err, ST_IO, "could not write \"%s\": %s", path, strerror(errno));
    return ST_OK;
}

#define SETUP_LINK_US US_PER_HOUR

/* The name by which somebody else reaches what we listen on: a wildcard address is none. */
static void put_address(const char *address, struct strbuf *out)
{
    char name[256] = "";
    bool any = strncmp(address, "0.0.0.0:", 8) == 0 || strncmp(address, "[::]:", 5) == 0;
    if (!any || gethostname(name, sizeof name - 1) != 0 || name[0] == '\0') {
        strbuf_puts(out, address);
        return;
    }
    strbuf_puts(out, name);
    strbuf_puts(out, strrchr(address, ':'));
}

/* Nobody could sign in: whoever reads our standard output may choose the administrator. The secret
 * stands behind '#', so that no proxy's log has it. */
static enum status offer_setup(struct app *app, struct err *err)
{
    AUTO_DBLEASE struct db *db = NULL;
    AUTO_STRBUF struct strbuf line = STRBUF_INIT;
    char secret[SESSION_TEXT_MAX];
    bool needed = false;
    bool tls = app->config->tls_cert[0] != '\0';
    enum status status = db_lease(app->db, 10 * US_PER_SECOND, &db, err);
    if (status == ST_OK)
        status = store_setup_needed(db, &needed, err);
    if (status != ST_OK || !needed)
        return status;
    status = store_setup_link_create(db, clock_wall_us() + SETUP_LINK_US, secret, err);
    if (status != ST_OK)
        return status;
    strbuf_printf(&line, "choose the administrator within one hour: %s://", tls ? "https" : "http");
    put_address(http_address(app->http), &line);
    strbuf_printf(&line, "/setup#%s\n", secret);
    return cli_print(&line, err);
}

static enum status start(struct app *app, struct err *err)
{
    const struct config *config = app->config;
    const struct db_options database = {
        .url = config->database_url,
        .connections = (unsigned)config->database_connections,
        .statement_timeout_us = config->database_timeout_us,
        .application_name = "poolfleetd",
    };
    const struct ingest_options ingest = {
        .queue_bytes = (size_t)config->queue_bytes,
        .retention_us = config->retention_us,
        .keyframe_us = config->keyframe_us,
    };
    const struct http_options http = {
        .listen = config->listen,
        .insecure_http = config->insecure_http,
        .tls_cert = config->tls_cert,
        .tls_key = config->tls_key,
        .trusted_proxy = config->trusted_proxy,
        .proxy_user_header = config->proxy_user_header,
        .proxy_role_header = config->proxy_role_header,
        .web_root = config->web_root,
        .workers = (unsigned)config->http_threads,
        .connections = (unsigned)config->http_connections,
    };
    app->fleet = fleet_new();
    app->tag_lists = tag_lists_new();
    app->wants = wants_new();
    app->recent = recent_new();
    app->known = known_cache_new();
    app->facts = facts_cache_new();
    app->trends = trends_cache_new();
    if (app->fleet == NULL || app->tag_lists == NULL || app->wants == NULL || app->recent == NULL ||
        app->known == NULL || app->facts == NULL || app->trends == NULL)
        return err_set(err, ST_NOMEM, "could not start: out of memory");
    enum status status = db_pool_new(&database, &app->db, err);
    if (status == ST_OK)
        status = load(app, err);
    if (status == ST_OK)
        status = ingest_start(app->db, app->fleet, &ingest, &app->ingest, err);
    if (status == ST_OK)
        status = fleet_view_cache_new(app->fleet, &app->views, err);
    if (status == ST_OK && (app->replies = reply_cache_new()) == NULL)
        status = err_set(err, ST_NOMEM, "could not start: out of memory");
    if (status == ST_OK)
        status = notify_start(app, &app->notify, err);
    if (status == ST_OK)
        status = http_start(&http, app, &app->http, err);
    if (status == ST_OK)
        status = jobs_start(app, &app->jobs, err);
    if (status == ST_OK)
        status = offer_setup(app, err);
    if (status == ST_OK)
        status = write_ready_file(config->ready_file, http_address(app->http), err);
    return status;
}

static void stop(struct app *app)
{
    notify_stop(app->notify); /* answers tests that requests wait for */
    if (app->http != NULL)
        http_stop(app->http); /* answers what waits for a commit, so ingest goes after it */
    jobs_stop(app->jobs);
    notify_free(app->notify);
    ingest_stop(app->ingest);
    reply_cache_free(app->replies);
    fleet_view_cache_free(app->views);
    if (app->fleet != NULL)
        fleet_free(app->fleet);
    tag_lists_free(app->tag_lists, &app->tagdict);
    wants_free(app->wants);
    recent_free(app->recent);
    known_cache_free(app->known);
    facts_cache_free(app->facts);
    trends_cache_free(app->trends);
    db_pool_free(app->db);
}

static void log_started(const struct app *app)
{
    char hosts[24];
    char took[24];
    snprintf(hosts, sizeof hosts, "%zu", fleet_count(app->fleet));
    snprintf(took, sizeof took, "%lldms",
             (long long)((clock_wall_us() - app->started_at_us) / US_PER_MS));
    log_info("serving", "address", http_address(app->http), "hosts", hosts, "start", took);
}

static void reload(struct app *app)
{
    struct err err = {0};
    enum status status = http_reload_tls(app->http, &err);
    if (status == ST_NOT_FOUND)
        log_info("nothing to read again", "reason", err.message);
    else if (status != ST_OK)
        log_err("could not reload the certificate, the one before stays", &err);
}

enum status cli_serve(const struct config *config, struct config_args *args, struct err *err)
{
    struct app app = {.config = config, .started_at_us = clock_wall_us()};
    sigset_t signals;
    int received;
    atomic_init(&app.analyzed_at_us, TIME_UNKNOWN);
    atomic_init(&app.analyzed_as_of_us, TIME_UNKNOWN);
    enum status status = cli_end(args, 0, err);
    if (status == ST_OK)
        status = set_log_level(config->log_level, err);
    if (status != ST_OK)
        return status;
    /* glibc raises both bounds by itself after the first large free, and then keeps tens of
     * megabytes of scratch (start, fleet statistics) for good; set by hand they stay. */
    mallopt(M_MMAP_THRESHOLD, 1 << 20);
    mallopt(M_TRIM_THRESHOLD, 8 << 20);
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGUSR1); /* an analysis pass now, say after a back-fill */
    sigaddset(&signals, SIGHUP);  /* certificate and key again */
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    status = start(&app, err);
    if (status == ST_OK) {
        log_started(&app);
        while (sigwait(&signals, &received) == 0 && (received == SIGUSR1 || received == SIGHUP)) {
            if (received == SIGUSR1)
                jobs_hurry(app.jobs);
            else
                reload(&app);
        }
        log_info("stopping", "signal", received == SIGTERM ? "SIGTERM" : "SIGINT");
    }
    stop(&app);
    return status;
}
