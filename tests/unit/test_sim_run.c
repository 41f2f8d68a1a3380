/* SPDX-License-Identifier: Apache-2.0 */
/* The run: batches, acknowledgement, faults of the server, determinism. */
#include "agent/sim/ack.h"
#include "agent/sim/run.h"
#include "common/snapshot_json.h"

#include <check.h>

Suite *sim_run_suite(void);

#define NOW       1795240800000000ll /* 2026-11-21T06:00:00Z */
#define HOSTS_MAX 64

/* ---- a server that keeps what it accepts, and fails as told ----------------- */

enum fault { FAULT_NONE, FAULT_BUSY, FAULT_LOST_REPLY, FAULT_DOWN, FAULT_FORGETS, FAULT_REFUSES };

struct held {
    char id[40];
    int64_t boot_us, sequence;
    struct arena arena;
    struct snapshot_table table[POOL_COUNT];
    unsigned snapshots;
};

struct server {
    pthread_mutex_t lock;
    struct held hosts[HOSTS_MAX];
    size_t count;
    enum fault fault;
    unsigned every; /* the fault strikes each so many requests */
    unsigned requests;
    unsigned conflicts, duplicates, refused, bodies;
};

static struct held *held_host(struct server *server, const char *id)
{
    for (size_t i = 0; i < server->count; i++) {
        if (strcmp(server->hosts[i].id, id) == 0)
            return &server->hosts[i];
    }
    ck_assert_uint_lt(server->count, HOSTS_MAX);
    struct held *held = &server->hosts[server->count++];
    snprintf(held->id, sizeof held->id, "%s", id);
    held->boot_us = TIME_UNKNOWN;
    return held;
}

static void hold(struct held *held, struct snapshot *s)
{
    struct arena arena = {0};
    struct err err = {0};
    struct snapshot_table merged[POOL_COUNT];
    static const struct snapshot_table none[POOL_COUNT];
    for (int pool = 0; pool < POOL_COUNT; pool++)
        ck_assert_int_eq(snapshot_table_merge(
                             &arena, s->base == SEQUENCE_UNKNOWN ? &none[pool] : &held->table[pool],
                             &s->table[pool], &merged[pool], &err),
                         ST_OK);
    /* merge may share memory with its inputs: copy by merging onto nothing is not promised, so the
     * old arenas are kept until the end by chaining them. */
    struct arena old = held->arena;
    held->arena = arena;
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        struct snapshot_table copy;
        ck_assert_int_eq(snapshot_table_alloc(&held->arena, &copy, merged[pool].count, COLUMN_ALL),
                         ST_OK);
        for (size_t i = 0; i < copy.count; i++) {
            copy.tag[i] = merged[pool].tag[i];
            copy.allocs[i] = merged[pool].allocs[i];
            copy.frees[i] = merged[pool].frees[i];
            copy.bytes[i] = merged[pool].bytes[i];
        }
        held->table[pool] = copy;
    }
    arena_done(&old);
    held->boot_us = s->boot_at_us;
    held->sequence = s->sequence;
    held->snapshots++;
}

static void take_document(struct server *server, const char *line, size_t length, size_t index,
                          bool forgets, struct strbuf *rejected)
{
    struct snapshot s;
    struct err err = {0};
    ck_assert_msg(snapshot_json_decode(line, length, &s, &err) == ST_OK, "%s: %s", err.field,
                  err.message);
    struct held *held = held_host(server, s.host_id);
    bool known = held->boot_us == s.boot_at_us;
    if (known && s.sequence <= held->sequence) {
        server->duplicates++;
    } else if (server->fault == FAULT_REFUSES && index == 0) {
        server->refused++;
        strbuf_printf(rejected,
                      "%s{\"index\":%zu,\"type\":\"urn:poolfleet:problem:invalid\","
                      "\"detail\":\"no\",\"field\":\"x\"}",
                      rejected->length > 0 ? "," : "", index);
    } else if (s.base != SEQUENCE_UNKNOWN && (!known || s.base != held->sequence || forgets)) {
        server->conflicts++;
        strbuf_printf(rejected,
                      "%s{\"index\":%zu,\"type\":\"urn:poolfleet:problem:conflict\","
                      "\"detail\":\"base\",\"field\":\"base\"}",
                      rejected->length > 0 ? "," : "", index);
    } else {
        /* The next in line, or nothing was lost but by a reboot. */
        ck_assert(!known || s.sequence == held->sequence + 1);
        ck_assert(known || s.sequence == 0);
        hold(held, &s);
    }
    snapshot_done(&s);
}

static enum status server_post(void *arg, const struct transport_request *request,
                               struct transport_reply *reply, struct err *err)
{
    struct server *server = arg;
    ck_assert_str_eq(request->path, "/api/v1/snapshots");
    pthread_mutex_lock(&server->lock);
    bool strikes = server->every > 0 && server->requests++ % server->every == 1;
    enum status st = ST_OK;
    if (strikes && (server->fault == FAULT_BUSY || server->fault == FAULT_DOWN)) {
        reply->code = 503;
        reply->retry_after_us = 100;
        if (server->fault == FAULT_DOWN)
            st = err_set(err, ST_IO, "connection refused");
        pthread_mutex_unlock(&server->lock);
        return st;
    }
    AUTO_STRBUF struct strbuf rejected = STRBUF_INIT;
    size_t index = 0;
    const char *at = request->data;
    const char *end = request->data + request->length;
    while (at < end) {
        const char *line_end = memchr(at, '\n', (size_t)(end - at));
        ck_assert_ptr_nonnull(line_end);
        take_document(server, at, (size_t)(line_end - at), index++,
                      strikes && server->fault == FAULT_FORGETS, &rejected);
        at = line_end + 1;
    }
    ck_assert_uint_le(request->length, 8u << 20);
    server->bodies++;
    reply->code = 200;
    strbuf_printf(&reply->body, "{\"accepted\":%zu,\"duplicates\":0,\"rejected\":[%s]}", index,
                  rejected.data != NULL ? rejected.data : "");
    if (strikes && server->fault == FAULT_LOST_REPLY)
        st = err_set(err, ST_IO, "connection reset");
    pthread_mutex_unlock(&server->lock);
    return st;
}

static struct run_options options_of(int64_t backfill_us)
{
    return (struct run_options){
        .start_us = NOW - backfill_us,
        .now_us = NOW,
        .interval_us = 5 * US_PER_MINUTE,
        .backfill_interval_us = 30 * US_PER_MINUTE,
        .fine_us = US_PER_HOUR,
        .end_us = NOW,
        .speed = 1,
        .connections = 2,
        .backoff_us = 1000,
        .give_up_us = 20 * US_PER_SECOND,
    };
}

static void make_world(struct world *world, struct scenario_list *list, size_t healthy,
                       const char *path, size_t rows, int64_t backfill_us)
{
    struct err err = {0};
    if (path != NULL)
        ck_assert_int_eq(scenario_list_add(list, path, &err), ST_OK);
    struct world_options options = {.scenarios = list,
                                    .healthy_hosts = healthy,
                                    .rows = rows,
                                    .seed = 4,
                                    .now_us = NOW,
                                    .start_us = NOW - backfill_us};
    ck_assert_int_eq(world_make(&options, world, &err), ST_OK);
}

static const struct {
    enum fault fault;
    unsigned every;
} faults[] = {
    {FAULT_NONE, 0}, {FAULT_BUSY, 3}, {FAULT_LOST_REPLY, 4}, {FAULT_DOWN, 2}, {FAULT_FORGETS, 5}};

START_TEST(run_loses_nothing_whatever_the_server_does)
{
    struct scenario_list list = {0};
    struct world world;
    struct server *server = calloc(1, sizeof *server);
    server->fault = faults[_i].fault;
    server->every = faults[_i].every;
    pthread_mutex_init(&server->lock, NULL);
    make_world(&world, &list, 7, NULL, 150, 8 * US_PER_HOUR);
    struct run_options options = options_of(8 * US_PER_HOUR);
    struct transport transports[2] = {{server, server_post}, {server, server_post}};
    struct run *run = NULL;
    struct err err = {0};
    ck_assert_int_eq(run_new(&options, &world, transports, NULL, &run, &err), ST_OK);
    ck_assert_msg(run_all(run, &err) == ST_OK, "%s", err.message);
    struct run_totals totals = run_totals(run);
    uint64_t held = 0;
    for (size_t h = 0; h < world.count; h++) {
        struct sim_host *host = &world.hosts[h];
        struct held *there = held_host(server, host->id);
        held += there->snapshots;
        ck_assert_int_eq(there->sequence, host->sequence);
        ck_assert_int_gt(there->snapshots, 20);
        size_t row = 0;
        for (int pool = 0; pool < POOL_COUNT; pool++) {
            ck_assert_uint_eq(there->table[pool].count, host->pool_rows[pool]);
            for (size_t i = 0; i < there->table[pool].count; i++, row++) {
                ck_assert_uint_eq(there->table[pool].allocs[i], host->rows[row].allocs);
                ck_assert_uint_eq(there->table[pool].frees[i], host->rows[row].frees);
            }
        }
    }
    ck_assert_uint_eq(held, totals.snapshots);
    ck_assert_uint_eq(totals.rejected, 0);
    ck_assert((faults[_i].fault == FAULT_FORGETS) == (totals.resent > 0));
    ck_assert((faults[_i].fault == FAULT_LOST_REPLY) == (server->duplicates > 0));
    if (faults[_i].fault == FAULT_NONE)
        ck_assert_uint_eq(totals.full, world.count); /* no reboots in these hours */
    run_free(run);
    for (size_t i = 0; i < server->count; i++)
        arena_done(&server->hosts[i].arena);
    free(server);
    world_done(&world);
    scenario_list_done(&list);
}
END_TEST

START_TEST(run_tells_what_the_server_refused_and_retries_the_rest)
{
    for (int away = 0; away < 2; away++) { /* away: each second request meets no server */
        struct scenario_list list = {0};
        struct world world;
        struct server *server = calloc(1, sizeof *server);
        server->fault = away ? FAULT_DOWN : FAULT_REFUSES;
        pthread_mutex_init(&server->lock, NULL);
        make_world(&world, &list, 3, NULL, 80, US_PER_HOUR);
        struct run_options options = options_of(US_PER_HOUR);
        options.connections = 1;
        struct transport transport = {server, server_post};
        struct run *run = NULL;
        struct err err = {0};
        server->every = away ? 2 : 0;
        ck_assert_int_eq(run_new(&options, &world, &transport, NULL, &run, &err), ST_OK);
        enum status st = run_all(run, &err);
        if (!away) {
            ck_assert_int_eq(st, ST_INVALID);
            ck_assert_ptr_nonnull(strstr(err.message, "refused"));
            ck_assert_uint_gt(server->refused, 0);
        } else {
            ck_assert_int_eq(st, ST_OK); /* each second try works */
        }
        run_free(run);
        for (size_t i = 0; i < server->count; i++)
            arena_done(&server->hosts[i].arena);
        free(server);
        world_done(&world);
        scenario_list_done(&list);
    }
}
END_TEST

static enum status no_server(void *arg, const struct transport_request *request,
                             struct transport_reply *reply, struct err *err)
{
    (void)arg;
    (void)request;
    (void)reply;
    return err_set(err, ST_IO, "connection refused");
}

START_TEST(run_gives_up_when_the_server_stays_away)
{
    struct scenario_list list = {0};
    struct world world;
    make_world(&world, &list, 2, NULL, 80, US_PER_HOUR);
    struct run_options options = options_of(US_PER_HOUR);
    options.give_up_us = 5000;
    struct transport transports[2] = {{NULL, no_server}, {NULL, no_server}};
    struct run *run = NULL;
    struct err err = {0};
    ck_assert_int_eq(run_new(&options, &world, transports, NULL, &run, &err), ST_OK);
    ck_assert_int_eq(run_all(run, &err), ST_TIMEOUT);
    ck_assert_ptr_nonnull(strstr(err.message, "connection refused"));
    ck_assert_uint_eq(run_totals(run).snapshots, 0);
    run_free(run);
    world_done(&world);
}
END_TEST

static char *run_to_text(size_t *ret_length, int64_t backfill_us)
{
    struct scenario_list list = {0};
    struct world world;
    make_world(&world, &list, 3, "agent/sim/scenarios/npcap-packets.json", 200, backfill_us);
    struct run_options options = options_of(backfill_us);
    options.end_us = NOW;
    char *text = NULL;
    FILE *file = open_memstream(&text, ret_length);
    struct run *run = NULL;
    struct err err = {0};
    ck_assert_int_eq(run_new(&options, &world, NULL, file, &run, &err), ST_OK);
    ck_assert_int_eq(run_all(run, &err), ST_OK);
    run_free(run);
    fclose(file);
    world_done(&world);
    scenario_list_done(&list);
    return text;
}

START_TEST(run_same_seed_gives_the_same_bytes)
{
    size_t a_length, b_length;
    char *a = run_to_text(&a_length, 30 * US_PER_HOUR);
    char *b = run_to_text(&b_length, 30 * US_PER_HOUR);
    ck_assert_uint_gt(a_length, 1000000);
    ck_assert_uint_eq(a_length, b_length);
    ck_assert(memcmp(a, b, a_length) == 0);
    free(a);
    free(b);
}
END_TEST

START_TEST(ack_sorts_documents_by_what_became_of_them)
{
    enum ack_state states[3];
    const struct {
        int code;
        const char *body;
        enum status status;
        enum ack_state second;
    } cases[] = {
        {200, "{\"accepted\":3,\"duplicates\":0,\"rejected\":[]}", ST_OK, ACK_HELD},
        {200, "{\"accepted\":2,\"rejected\":[{\"index\":1,\"type\":\"conflict\"}]}", ST_OK,
         ACK_CONFLICT},
        {200, "{\"accepted\":2,\"rejected\":[{\"index\":1,\"type\":\"urn:x:problem:conflict\"}]}",
         ST_OK, ACK_CONFLICT},
        {200,
         "{\"accepted\":2,\"rejected\":[{\"index\":1,\"type\":\"invalid\","
         "\"detail\":\"d\",\"field\":\"f\"}]}",
         ST_OK, ACK_REFUSED},
        {409, "", ST_OK, ACK_CONFLICT},
        {200, "{\"rejected\":[{\"index\":3,\"type\":\"conflict\"}]}", ST_INVALID, ACK_HELD},
        {200, "{\"rejected\":[{\"type\":\"conflict\"}]}", ST_INVALID, ACK_HELD},
        {200, "fine", ST_INVALID, ACK_HELD},
        {401, "{\"title\":\"Unauthorized\"}", ST_UNAUTHORIZED, ACK_HELD},
        {403, "", ST_FORBIDDEN, ACK_HELD},
        {413, "", ST_TOO_LARGE, ACK_HELD},
        {422, "{\"detail\":\"what\",\"field\":\"tag[1]\"}", ST_INVALID, ACK_HELD},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct ack ack = {.states = states};
        struct err err = {0};
        enum status st =
            ack_parse(cases[i].code, cases[i].body, strlen(cases[i].body), 3, &ack, &err);
        ck_assert_msg(st == cases[i].status, "case %zu: %s", i, err.message);
        if (st == ST_OK)
            ck_assert_msg(states[1] == cases[i].second, "case %zu", i);
        else
            ck_assert(err.message[0] != '\0');
    }
}
END_TEST

Suite *sim_run_suite(void)
{
    Suite *suite = suite_create("sim_run");
    TCase *run = tcase_create("run");
    tcase_set_timeout(run, 180);
    tcase_add_loop_test(run, run_loses_nothing_whatever_the_server_does, 0,
                        (int)(sizeof faults / sizeof faults[0]));
    tcase_add_test(run, run_tells_what_the_server_refused_and_retries_the_rest);
    tcase_add_test(run, run_gives_up_when_the_server_stays_away);
    tcase_add_test(run, run_same_seed_gives_the_same_bytes);
    tcase_add_test(run, ack_sorts_documents_by_what_became_of_them);
    suite_add_tcase(suite, run);
    return suite;
}
