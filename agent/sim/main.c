/* SPDX-License-Identifier: Apache-2.0 */
/* poolfleet-sim: a simulated fleet on one machine, for the demo, for load and for tests. */
#include "agent/sim/expect.h"
#include "agent/sim/http_curl.h"
#include "agent/sim/options.h"
#include "agent/sim/run.h"
#include "common/log.h"

#include <errno.h>
#include <signal.h>

#define CONNECTIONS_MAX 64
#define TOKEN_MAX       1024 /* ours have 43 bytes; others may be longer */

struct program {
    struct sim_options options;
    struct scenario_list scenarios;
    struct world world;
    struct run_options run;
    struct http_curl *http[CONNECTIONS_MAX];
    struct transport transports[CONNECTIONS_MAX];
    char token[TOKEN_MAX];
};

static void program_done(struct program *program)
{
    for (size_t i = 0; i < CONNECTIONS_MAX; i++)
        http_curl_free(program->http[i]);
    world_done(&program->world);
    scenario_list_done(&program->scenarios);
    explicit_bzero(program->token, sizeof program->token);
}
#define AUTO_PROGRAM CLEANUP(program_done)

static enum status write_text(const char *path, const struct strbuf *text, struct err *err)
{
    if (strbuf_failed(text))
        return err_set(err, ST_NOMEM, "out of memory");
    if (strcmp(path, "-") == 0) {
        if (fwrite(text->data, 1, text->length, stdout) != text->length || fflush(stdout) != 0)
            return err_set(err, ST_IO, "could not write: %s", strerror(errno));
        return ST_OK;
    }
    FILE *file = fopen(path, "wb");
    if (file == NULL)
        return err_set(err, ST_IO, "could not open \"%s\": %s", path, strerror(errno));
    bool ok = fwrite(text->data, 1, text->length, file) == text->length;
    ok = fclose(file) == 0 && ok;
    return ok ? ST_OK : err_set(err, ST_IO, "could not write \"%s\": %s", path, strerror(errno));
}

static enum status read_token(struct program *program, struct err *err)
{
    const char *path = program->options.token_file;
    const char *given = getenv("POOLFLEET_TOKEN");
    if (path != NULL) {
        AUTO_FILE FILE *file = fopen(path, "rb");
        if (file == NULL)
            return err_set(err, ST_USAGE, "could not open token file \"%s\": %s", path,
                           strerror(errno));
        size_t length = fread(program->token, 1, TOKEN_MAX - 1, file);
        program->token[length] = '\0';
    } else if (given != NULL) {
        snprintf(program->token, TOKEN_MAX, "%s", given);
    }
    program->token[strcspn(program->token, " \t\r\n")] = '\0';
    if (program->token[0] == '\0')
        return err_set(err, ST_USAGE,
                       "no token: give --token-file or set POOLFLEET_TOKEN (role ingest)");
    return ST_OK;
}

static enum status make_transports(struct program *program, struct err *err)
{
    struct sim_options *o = &program->options;
    if (o->server == NULL)
        o->server = getenv("POOLFLEET_SERVER");
    if (o->server == NULL || *o->server == '\0')
        return err_set(err, ST_USAGE,
                       "no server: give --server, set POOLFLEET_SERVER, or --output");
    enum status st = read_token(program, err);
    if (st != ST_OK)
        return st;
    if (!http_curl_global())
        return err_set(err, ST_IO, "could not start libcurl");
    bool gzip = o->gzip || (!o->no_gzip && !http_url_is_loopback(o->server));
    for (uint64_t i = 0; i < o->connections; i++) {
        st = http_curl_new(o->server, program->token, gzip, &program->http[i], err);
        if (st != ST_OK)
            return st;
        program->transports[i] = http_curl_transport(program->http[i]);
    }
    return ST_OK;
}

static enum status make_world(struct program *program, struct err *err)
{
    struct sim_options *o = &program->options;
    if (o->now_us == TIME_UNKNOWN) {
        o->now_us = clock_wall_us() / US_PER_SECOND * US_PER_SECOND;
        if (o->speed > 1 && o->duration_us != INT64_MAX) /* ends at the clock, never beyond it */
            o->now_us -= (int64_t)((double)o->duration_us * (1 - 1 / o->speed));
    }
    struct world_options options = {
        .scenarios = &program->scenarios,
        .healthy_hosts = o->hosts,
        .rows = o->tags,
        .seed = o->seed,
        .now_us = o->now_us,
        .start_us = o->now_us - o->backfill_us,
    };
    program->run = (struct run_options){
        .start_us = options.start_us,
        .now_us = o->now_us,
        .interval_us = o->interval_us,
        .backfill_interval_us =
            o->backfill_interval_us > o->interval_us ? o->backfill_interval_us : o->interval_us,
        .fine_us = o->fine_us,
        .end_us = o->duration_us == INT64_MAX ? INT64_MAX : o->now_us + o->duration_us,
        .speed = o->speed,
        .connections = (unsigned)o->connections,
        .backoff_us = 500 * US_PER_MS,
        .give_up_us = o->give_up_us,
        .progress = o->progress,
    };
    return world_make(&options, &program->world, err);
}

struct stopper {
    struct run *run;
    sigset_t signals;
};

/* One thread takes the signals, so that no handler has to touch shared data. */
static void *wait_for_signal(void *arg)
{
    struct stopper *stopper = arg;
    int signal_number;
    if (sigwait(&stopper->signals, &signal_number) == 0)
        run_stop(stopper->run);
    return NULL;
}

static enum status run_fleet(struct program *program, FILE *output, struct err *err)
{
    AUTO_RUN struct run *run = NULL;
    enum status st =
        run_new(&program->run, &program->world, program->transports, output, &run, err);
    if (st != ST_OK)
        return st;
    struct stopper stopper = {.run = run};
    pthread_t thread;
    sigemptyset(&stopper.signals);
    sigaddset(&stopper.signals, SIGINT);
    sigaddset(&stopper.signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &stopper.signals, NULL);
    if (pthread_create(&thread, NULL, wait_for_signal, &stopper) != 0)
        return err_set(err, ST_IO, "could not start a thread: %s", strerror(errno));
    st = run_all(run, err);
    pthread_kill(thread, SIGTERM); /* ends its wait */
    pthread_join(thread, NULL);
    struct run_totals totals = run_totals(run);
    if (program->options.progress)
        fprintf(stderr,
                "%llu snapshots held (%llu complete, %llu again as complete, %llu duplicates), "
                "%llu refused, %llu waits\n",
                (unsigned long long)totals.snapshots, (unsigned long long)totals.full,
                (unsigned long long)totals.resent, (unsigned long long)totals.duplicates,
                (unsigned long long)totals.rejected, (unsigned long long)totals.waits);
    return st;
}

static enum status simulate(struct program *program, struct err *err)
{
    const struct sim_options *o = &program->options;
    enum status st = make_world(program, err);
    if (st != ST_OK)
        return st;
    if (o->expect != NULL) {
        AUTO_STRBUF struct strbuf text = STRBUF_INIT;
        expect_json(&program->world, &program->scenarios, o->now_us, o->seed, &text);
        st = write_text(o->expect, &text, err);
        bool only = o->output == NULL && o->server == NULL && getenv("POOLFLEET_SERVER") == NULL;
        if (st != ST_OK || only)
            return st;
    }
    if (program->world.count == 0)
        return err_set(err, ST_USAGE, "no hosts: give --scenario or --hosts");
    if (o->output == NULL) {
        st = make_transports(program, err);
        return st == ST_OK ? run_fleet(program, NULL, err) : st;
    }
    if (strcmp(o->output, "-") == 0)
        return run_fleet(program, stdout, err);
    FILE *file = fopen(o->output, "wb");
    if (file == NULL)
        return err_set(err, ST_IO, "could not open \"%s\": %s", o->output, strerror(errno));
    st = run_fleet(program, file, err);
    if (fclose(file) != 0 && st == ST_OK)
        st = err_set(err, ST_IO, "could not write \"%s\": %s", o->output, strerror(errno));
    return st;
}

static enum status run_program(int argc, char **argv, struct err *err)
{
    AUTO_PROGRAM struct program program = {0};
    AUTO_STRBUF struct strbuf text = STRBUF_INIT;
    enum status st = options_parse(argc, argv, &program.options, err);
    if (st != ST_OK)
        return st;
    if (program.options.help) {
        options_help(&text);
        return write_text("-", &text, err);
    }
    if (program.options.version) {
        strbuf_puts(&text, "poolfleet-sim " POOLFLEET_VERSION "\n");
        return write_text("-", &text, err);
    }
    for (size_t i = 0; i < program.options.scenario_count; i++) {
        st = scenario_list_add(&program.scenarios, program.options.scenarios[i], err);
        if (st != ST_OK)
            return st;
    }
    if (program.options.list) {
        if (program.scenarios.count == 0)
            return err_set(err, ST_USAGE, "no scenarios to list: give --scenario");
        expect_text(&program.scenarios, &text);
        return write_text("-", &text, err);
    }
    return simulate(&program, err);
}

int main(int argc, char **argv)
{
    struct err err = {0};
    enum status st = run_program(argc, argv, &err);
    if (st == ST_OK)
        return EXIT_SUCCESS;
    fprintf(stderr, "poolfleet-sim: %s\n", err.message);
    if (err.hint[0] != '\0')
        fprintf(stderr, "hint: %s\n", err.hint);
    return st == ST_BUSY || st == ST_TIMEOUT ? 3 : st == ST_USAGE ? 2 : 1;
}
