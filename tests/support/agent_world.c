/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/agent_world.h"
#include "agent/core/gzip.h"
#include "common/cbor.h"
#include "common/snapshot_cbor.h"

#include <stdarg.h>

uint64_t world_random(struct world *world, uint64_t below)
{
    uint64_t z = (world->random += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (z ^ (z >> 31)) % below;
}

static void wrong(struct world *world, const char *format, ...) PRINTF_LIKE(2, 3);
static void wrong(struct world *world, const char *format, ...)
{
    va_list args;
    if (world->fault[0] != '\0')
        return;
    va_start(args, format);
    vsnprintf(world->fault, sizeof world->fault, format, args);
    va_end(args);
}

static bool chance(struct world *world, unsigned percent)
{
    return percent > 0 && world_random(world, 100) < percent;
}

/* ---- the source */

static uint64_t hash_tables(const struct snapshot_table table[POOL_COUNT])
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        for (size_t i = 0; i < table[pool].count; i++) {
            uint64_t values[4] = {table[pool].tag[i], table[pool].allocs[i], table[pool].frees[i],
                                  table[pool].bytes[i]};
            for (size_t k = 0; k < 4; k++)
                hash = (hash ^ values[k]) * 0x100000001b3u + (hash >> 31);
        }
    }
    return hash;
}

static enum status fill_tables(struct world *world, struct snapshot *snapshot)
{
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        struct snapshot_table *table = &snapshot->table[pool];
        if (snapshot_table_alloc(&snapshot->arena, table, WORLD_ROWS, COLUMN_ALL) != ST_OK)
            return ST_NOMEM;
        table->present = true;
        table->count = WORLD_ROWS;
        for (size_t i = 0; i < WORLD_ROWS; i++) {
            if (world_random(world, 4) == 0) {
                world->allocs[pool][i] += (uint32_t)world_random(world, 90000);
                world->frees[pool][i] += (uint32_t)world_random(world, 90000);
            }
            table->tag[i] = 0x41414141u + (uint32_t)i;
            table->allocs[i] = world->allocs[pool][i];
            table->frees[i] = world->frees[pool][i];
            table->bytes[i] = (uint64_t)(world->allocs[pool][i] - world->frees[pool][i]) * 64;
        }
    }
    return ST_OK;
}

static enum status fill_inventory(struct snapshot *snapshot)
{
    snapshot->has_attributes = true;
    snapshot->has_drivers = true;
    snapshot->attributes = arena_alloc(&snapshot->arena, 2, sizeof *snapshot->attributes);
    snapshot->drivers = arena_alloc(&snapshot->arena, 1, sizeof *snapshot->drivers);
    if (snapshot->attributes == NULL || snapshot->drivers == NULL)
        return ST_NOMEM;
    snapshot->attributes[0] = (struct snapshot_attribute){"os.build", "26100.1"};
    snapshot->attributes[1] = (struct snapshot_attribute){"role", "from-source"};
    snapshot->attribute_count = 2;
    snapshot->drivers[0] = (struct snapshot_driver){.name = "ntfs.sys", .version = "10.0"};
    snapshot->driver_count = 1;
    return ST_OK;
}

static enum status take(void *arg, const struct source_request *request,
                        struct snapshot *ret_snapshot, struct source_clocks *ret_clocks,
                        struct err *err)
{
    struct world *world = arg;
    world->asked = *request;
    if (world->source_status != ST_OK)
        return err_set(err, world->source_status, "could not read pool tags: test");
    int64_t serial = world->next_serial++;
    if (serial >= WORLD_SERIALS)
        return err_set(err, ST_BUG, "too many samples");
    *ret_clocks = (struct source_clocks){
        .wall_us = world->true_us + world->wall_error_us,
        .boot_at_us = world->kernel_boot_us,
        .uptime_us = world->mono_us,
    };
    ret_snapshot->taken_at_us = ret_clocks->wall_us;
    totals_set(&ret_snapshot->totals, TOTAL_HANDLES, (uint64_t)serial);
    enum status st = fill_tables(world, ret_snapshot);
    if (st == ST_OK && request->drivers)
        st = fill_inventory(ret_snapshot);
    if (request->drivers)
        world->inventory_changed = false;
    world->samples[serial].hash = hash_tables(ret_snapshot->table);
    return st;
}

static bool inventory_changed(void *arg)
{
    return ((struct world *)arg)->inventory_changed;
}

/* ---- the vault: secrets are turned around, and told apart by a first byte */

static enum status protect(void *arg, const void *data, size_t length, struct strbuf *out,
                           struct err *err)
{
    (void)arg;
    (void)err;
    strbuf_clear(out);
    strbuf_putc(out, 'V');
    for (size_t i = length; i-- > 0;)
        strbuf_putc(out, (char)(((const char *)data)[i] ^ 0x55));
    return strbuf_failed(out) ? ST_NOMEM : ST_OK;
}

static enum status unprotect(void *arg, const void *data, size_t length, struct strbuf *out,
                             struct err *err)
{
    const char *bytes = data;
    (void)arg;
    strbuf_clear(out);
    if (length == 0 || bytes[0] != 'V')
        return err_set(err, ST_INVALID, "could not unprotect: not made here");
    for (size_t i = length; i-- > 1;)
        strbuf_putc(out, (char)(bytes[i] ^ 0x55));
    return strbuf_failed(out) ? ST_NOMEM : ST_OK;
}

const struct vault *world_vault(void)
{
    static const struct vault vault = {NULL, protect, unprotect};
    return &vault;
}

/* ---- the server */

static struct world_document *held(struct world *world, int64_t boot_at_us, int64_t sequence)
{
    for (size_t i = world->document_count; i-- > 0;) {
        struct world_document *document = &world->documents[i];
        if (document->boot_at_us == boot_at_us && document->sequence == sequence)
            return document;
    }
    return NULL;
}

static void add_document(struct world *world, const struct world_document *document)
{
    if (world->document_count == world->document_capacity) {
        world->document_capacity = world->document_capacity * 2 + 64;
        world->documents =
            realloc(world->documents, world->document_capacity * sizeof *world->documents);
    }
    world->documents[world->document_count++] = *document;
}

/* Changed rows over their base; false: the base is not held. */
static bool complete(struct world *world, struct snapshot *snapshot)
{
    if (snapshot->base == SEQUENCE_UNKNOWN)
        return true;
    const struct world_document *base = held(world, snapshot->boot_at_us, snapshot->base);
    if (base == NULL)
        return false;
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        struct snapshot_table merged;
        if (snapshot_table_merge(&snapshot->arena, &base->complete.table[pool],
                                 &snapshot->table[pool], &merged, NULL) != ST_OK)
            wrong(world, "changed rows do not fit their base");
        else
            snapshot->table[pool] = merged;
    }
    return true;
}

static void note_document(struct world *world, const struct snapshot *snapshot)
{
    world->last_waiting = snapshot->agent.waiting;
    world->last_dropped = snapshot->agent.dropped;
    world->last_had_drivers = snapshot->has_drivers;
    world->last_had_attributes = snapshot->has_attributes;
    for (size_t i = 0; i < snapshot->attribute_count; i++) {
        if (strcmp(snapshot->attributes[i].name, "role") == 0)
            snprintf(world->last_role, sizeof world->last_role, "%s",
                     snapshot->attributes[i].value);
    }
    if (snapshot->base == SEQUENCE_UNKNOWN)
        world->fulls++;
    else
        world->changed++;
}

/* NULL: held now (or before). Else the type of the refusal. Takes the snapshot. */
static const char *commit(struct world *world, struct snapshot *snapshot, bool *ret_duplicate)
{
    int64_t serial = (int64_t)snapshot->totals.value[TOTAL_HANDLES];
    *ret_duplicate = false;
    if (serial < 0 || serial >= world->next_serial) {
        wrong(world, "a snapshot the source never gave");
        return "invalid";
    }
    if (snapshot->taken_at_us > world->true_us + LIMIT_FUTURE_SECONDS * US_PER_SECOND) {
        world->future++;
        return "invalid";
    }
    if (serial == world->refuse_serial)
        return "invalid";
    const struct world_document *before = held(world, snapshot->boot_at_us, snapshot->sequence);
    if (before != NULL) {
        *ret_duplicate = true;
        world->duplicates++;
        if (before->serial != serial)
            wrong(world, "two snapshots under one key: serials %d and %d", (int)before->serial,
                  (int)serial);
        return NULL;
    }
    note_document(world, snapshot);
    if (!complete(world, snapshot)) {
        world->conflicts++;
        return "conflict";
    }
    if (hash_tables(snapshot->table) != world->samples[serial].hash)
        wrong(world, "snapshot %d is not what the source gave", (int)serial);
    world->samples[serial].stored++;
    struct world_document document = {snapshot->boot_at_us, snapshot->sequence, serial, *snapshot};
    snapshot_init(snapshot);
    add_document(world, &document);
    return NULL;
}

static void put_reply(struct world *world, uint64_t accepted, uint64_t duplicates,
                      const struct strbuf *rejected, size_t rejected_count, struct strbuf *out)
{
    bool want = world->want_full || world->want_drivers || world->want_scan;
    cbor_put_map(out, 3u + (world->config_interval_s > 0 ? 1u : 0u) + (want ? 1u : 0u));
    cbor_put_text(out, "accepted");
    cbor_put_uint(out, accepted);
    cbor_put_text(out, "duplicates");
    cbor_put_uint(out, duplicates);
    cbor_put_text(out, "rejected");
    cbor_put_array(out, rejected_count);
    if (rejected_count > 0)
        strbuf_add(out, rejected->data, rejected->length);
    if (world->config_interval_s > 0) {
        cbor_put_text(out, "config");
        cbor_put_map(out, 1);
        cbor_put_text(out, "interval_seconds");
        cbor_put_uint(out, (uint64_t)world->config_interval_s);
    }
    if (!want)
        return;
    cbor_put_text(out, "want");
    cbor_put_map(out, 3);
    cbor_put_text(out, "full");
    cbor_put_bool(out, world->want_full);
    cbor_put_text(out, "drivers");
    cbor_put_bool(out, world->want_drivers);
    cbor_put_text(out, "scan");
    cbor_put_array(out, world->want_scan);
    if (world->want_scan)
        cbor_put_text(out, "00000000000000000000000000000000000000000000000000000000000000ab");
    world->want_full = world->want_drivers = world->want_scan = false;
}

static void put_problem(struct strbuf *out, const char *type)
{
    char urn[96];
    snprintf(urn, sizeof urn, "urn:poolfleet:problem:%s", type);
    cbor_put_map(out, 3);
    cbor_put_text(out, "type");
    cbor_put_text(out, urn);
    cbor_put_text(out, "title");
    cbor_put_text(out, "Refused");
    cbor_put_text(out, "detail");
    cbor_put_text(out, "because the test says so");
}

/* All documents of a body. Code of the answer. */
static int take_body(struct world *world, const struct strbuf *body, struct strbuf *out)
{
    AUTO_STRBUF struct strbuf rejected = STRBUF_INIT;
    uint64_t accepted = 0, duplicates = 0;
    size_t rejected_count = 0, index = 0;
    for (size_t at = 0; at < body->length; index++) {
        AUTO_SNAPSHOT struct snapshot snapshot;
        struct err err = {0};
        size_t span = 0;
        bool duplicate;
        snapshot_init(&snapshot);
        if (snapshot_cbor_span(body->data + at, body->length - at, &span, &err) != ST_OK ||
            snapshot_cbor_decode(body->data + at, span, &snapshot, &err) != ST_OK) {
            wrong(world, "document %u: %.60s %.60s", (unsigned)index, err.field, err.message);
            return 400;
        }
        at += span;
        if (!world->refuse_alone && world->refuse_serial >= 0 &&
            (int64_t)snapshot.totals.value[TOTAL_HANDLES] == world->refuse_serial) {
            put_problem(out, "invalid");
            return 422;
        }
        const char *type = commit(world, &snapshot, &duplicate);
        accepted += type == NULL && !duplicate;
        duplicates += duplicate;
        if (type == NULL)
            continue;
        char urn[96];
        snprintf(urn, sizeof urn, "urn:poolfleet:problem:%s", type);
        rejected_count++;
        cbor_put_map(&rejected, 4);
        cbor_put_text(&rejected, "index");
        cbor_put_uint(&rejected, index);
        cbor_put_text(&rejected, "type");
        cbor_put_text(&rejected, urn);
        cbor_put_text(&rejected, "detail");
        cbor_put_text(&rejected, "because the test says so");
        cbor_put_text(&rejected, "field");
        cbor_put_null(&rejected);
    }
    world->last_count = index;
    put_reply(world, accepted, duplicates, &rejected, rejected_count, out);
    return 200;
}

static int enroll(struct world *world, const struct transport_request *request, struct strbuf *out)
{
    struct cbor_reader reader;
    if (strcmp(request->bearer, "the secret") != 0) {
        put_problem(out, "unauthorized");
        return 401;
    }
    cbor_read_init(&reader, request->data, request->length);
    if (!cbor_skip(&reader) || cbor_peek(&reader) != CBOR_END)
        wrong(world, "the enrolment is not one CBOR item");
    world->enrolled_with_previous =
        memmem(request->data, request->length, "previous_token", 14) != NULL;
    snprintf(world->token, sizeof world->token, "token-%u", ++world->enrolments);
    char id[32];
    snprintf(id, sizeof id, "host-%u", world->enrolments);
    cbor_put_map(out, 2);
    cbor_put_text(out, "host_id");
    cbor_put_text(out, id);
    cbor_put_text(out, "token");
    cbor_put_text(out, world->token);
    return 200;
}

static int serve(struct world *world, const struct transport_request *request, struct strbuf *out)
{
    AUTO_STRBUF struct strbuf body = STRBUF_INIT;
    struct err err = {0};
    snprintf(world->last_bearer, sizeof world->last_bearer, "%s", request->bearer);
    if (strcmp(request->path, "/api/v1/agent/enroll") == 0)
        return enroll(world, request, out);
    if (strcmp(request->bearer, world->token) != 0) {
        put_problem(out, "unauthorized");
        return 401;
    }
    if (gzip_unpack(request->data, request->length, LIMIT_BODY_BYTES, &body, &err) != ST_OK) {
        wrong(world, "%.100s", err.message);
        return 400;
    }
    world->last_bytes = body.length;
    int code = take_body(world, &body, out);
    if (chance(world, world->late_repeat)) {
        strbuf_clear(&world->late);
        strbuf_add(&world->late, body.data, body.length);
    } else if (world->late.length > 0) { /* what a proxy held back comes once more */
        AUTO_STRBUF struct strbuf nobody = STRBUF_INIT;
        (void)take_body(world, &world->late, &nobody);
        strbuf_clear(&world->late);
    }
    return code;
}

static enum status post(void *arg, const struct transport_request *request,
                        struct transport_reply *reply, struct err *err)
{
    struct world *world = arg;
    if (world->disk.dead)
        return err_set(err, ST_IO, "no power");
    world->posts++;
    world->last_post_us = clock_mono_us();
    strbuf_clear(&reply->body);
    reply->retry_after_us = BACKOFF_NO_RETRY_AFTER;
    if (world->transport_status != ST_OK)
        return err_set(err, world->transport_status, "could not connect: test");
    if (world->server_down || chance(world, world->lose_request))
        return err_set(err, ST_IO, "could not connect: no route");
    reply->code = world->code;
    if (world->code != 0) {
        reply->retry_after_us = world->retry_after_us;
        if (world->problem != NULL)
            put_problem(&reply->body, world->problem);
        return ST_OK;
    }
    if (world->raw_reply != NULL) {
        reply->code = 200;
        strbuf_add(&reply->body, world->raw_reply, world->raw_length);
        return ST_OK;
    }
    if (chance(world, world->busy)) {
        reply->code = 503;
        reply->retry_after_us = (int64_t)world_random(world, 30) * US_PER_SECOND;
        return ST_OK;
    }
    reply->code = serve(world, request, &reply->body);
    if (chance(world, world->lose_answer))
        return err_set(err, ST_IO, "connection reset");
    if (chance(world, world->garbage))
        reply->body.length = world_random(world, reply->body.length + 1);
    return ST_OK;
}

/* ---- events */

static void event(void *arg, enum agent_event which, const char *text)
{
    struct world *world = arg;
    world->events[which]++;
    snprintf(world->event_text[which], sizeof world->event_text[which], "%s", text);
}

/* ---- life */

static void set_clock(const struct world *world)
{
    clock_fake_set(world->mono_us);
}

void agent_world_init(struct world *world, uint64_t seed)
{
    *world = (struct world){
        .random = seed,
        .true_us = WORLD_EPOCH,
        .mono_us = 10 * US_PER_MINUTE,
        .kernel_boot_us = WORLD_EPOCH - 10 * US_PER_MINUTE + 123456,
        .refuse_serial = -1,
        .retry_after_us = BACKOFF_NO_RETRY_AFTER,
        .options =
            {
                .version = "0.1.0",
                .first_sample_us = 3 * US_PER_MINUTE,
                .top_processes = 20,
                .enroll_secret = "the secret",
                .host_name = "FS01",
                .tags = "role=file-server",
                .machine_id = "00ab",
                .seed = seed,
            },
    };
    fake_disk_init(&world->disk, seed);
    set_clock(world);
}

void world_start(struct world *world)
{
    static struct source source;
    static struct transport transport;
    struct err err = {0};
    source = (struct source){world, take, inventory_changed};
    transport = (struct transport){world, post};
    struct agent_parts parts = {&world->disk.files, &source, &transport,
                                world_vault(),      world,   event};
    set_clock(world);
    if (agent_open(&parts, &world->options, &world->agent, &err) != ST_OK) {
        world->agent = NULL;
        if (!world->disk.dead) /* else the power was cut while it opened */
            wrong(world, "could not open: %.100s", err.message);
    }
}

void world_stop(struct world *world)
{
    agent_close(world->agent);
    world->agent = NULL;
}

void world_kill(struct world *world)
{
    bool dead = world->disk.dead;
    world->disk.dead = true;
    world_stop(world);
    world->disk.dead = dead;
}

void agent_world_done(struct world *world)
{
    world_stop(world);
    for (size_t i = 0; i < world->document_count; i++)
        snapshot_done(&world->documents[i].complete);
    free(world->documents);
    strbuf_done(&world->late);
    fake_disk_done(&world->disk);
    clock_fake_set(TIME_UNKNOWN);
}

static void advance(struct world *world, int64_t us)
{
    world->true_us += us;
    world->mono_us += us;
    set_clock(world);
}

void world_sleep(struct world *world, int64_t us)
{
    advance(world, us);
}

/* One step; what the source gave meanwhile is durable if its record was written. Returns when to
 * come back. */
static int64_t step(struct world *world)
{
    int64_t serial = world->next_serial;
    uint64_t writes = world->disk.writes;
    int64_t next_us = agent_step(world->agent);
    world->steps++;
    if (world->next_serial > serial && world->disk.writes > writes)
        world->samples[serial].durable = true;
    if (next_us <= world->mono_us)
        wrong(world, "a step asks to be called again at once");
    return next_us;
}

void world_run(struct world *world, int64_t us)
{
    int64_t end_us = world->mono_us + us;
    unsigned at_once = 0;
    while (world->agent != NULL && !world->disk.dead && world->fault[0] == '\0') {
        int64_t next_us = step(world);
        at_once = next_us - world->mono_us < US_PER_MS ? at_once + 1 : 0;
        if (at_once > 3000)
            wrong(world, "busy loop");
        if (next_us > end_us)
            break;
        advance(world, next_us - world->mono_us);
    }
    if (end_us > world->mono_us)
        advance(world, end_us - world->mono_us);
}

void world_drain(struct world *world, int64_t us)
{
    int64_t end_us = world->mono_us + us;
    while (!agent_idle(world->agent) && world->mono_us < end_us && world->fault[0] == '\0')
        advance(world, step(world) - world->mono_us);
}

void world_reboot(struct world *world, int64_t off_us)
{
    world_kill(world);
    fake_disk_power_on(&world->disk);
    world->true_us += off_us;
    world->mono_us = 30 * US_PER_SECOND;
    world->kernel_boot_us = world->true_us + world->wall_error_us - world->mono_us;
    memset(world->allocs, 0, sizeof world->allocs);
    memset(world->frees, 0, sizeof world->frees);
    set_clock(world);
}

void world_restore(struct world *world, size_t keep)
{
    while (world->document_count > keep) {
        struct world_document *document = &world->documents[--world->document_count];
        world->samples[document->serial].restored = true;
        snapshot_done(&document->complete);
    }
}

uint64_t world_missing(const struct world *world)
{
    uint64_t missing = 0;
    for (int64_t i = 0; i < world->next_serial; i++) {
        const struct world_sample *sample = &world->samples[i];
        missing += sample->durable && sample->stored == 0 && !sample->restored;
    }
    return missing;
}

uint64_t world_absent(const struct world *world)
{
    uint64_t absent = 0;
    for (int64_t i = 0; i < world->next_serial; i++)
        absent += world->samples[i].stored == 0;
    return absent;
}
