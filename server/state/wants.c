/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two hash tables with open addressing over arrays that only grow: builds by hash, hosts by id. A
 * table is thrown away whole, so nothing is ever taken out of one.
 */
#include "server/state/wants.h"

#include "common/arena.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct build {
    unsigned char hash[WANTS_HASH_BYTES];
    uint32_t claimed_by; /* place of the host + 1; 0: nobody */
    unsigned tries;
    bool scanned;
    int64_t claimed_until_us;
};

struct ask {
    const char *finding; /* in the table's arena */
    int64_t asked_us;    /* monotonic; TIME_UNKNOWN: not yet */
    size_t tag_count;
    uint32_t *tags;
};

struct host {
    const char *id;
    size_t build_count;
    uint32_t *builds; /* places; room for a power of two */
    size_t ask_count;
    struct ask *asks; /* room for WANTS_HOST_FINDINGS; NULL: none */
};

struct index {
    uint32_t *slots; /* place + 1; 0: free */
    size_t slot_count;
};

struct wants_table {
    struct arena arena; /* ids, and lists of a host */
    struct build *builds;
    size_t build_count, build_capacity;
    struct host *hosts;
    size_t host_count, host_capacity;
    struct index by_hash, by_id;
};

struct wants {
    pthread_mutex_t lock;
    struct wants_table *table;
};

/* ---- tables ---------------------------------------------------------------- */

static uint64_t hash_of(const void *data, size_t length)
{
    uint64_t hash = 14695981039346656037u; /* FNV-1a */
    for (const unsigned char *at = data, *end = at + length; at < end; at++)
        hash = (hash ^ *at) * 1099511628211u;
    return hash ^ hash >> 32;
}

static const void *key_of(const struct wants_table *table, bool host, size_t place,
                          size_t *ret_length)
{
    *ret_length = host ? strlen(table->hosts[place].id) : WANTS_HASH_BYTES;
    return host ? (const void *)table->hosts[place].id : table->builds[place].hash;
}

/* Slot of the key: its own, or the free one where it would stand. The index is never full. */
static size_t slot_of(const struct wants_table *table, bool host, const void *key, size_t length)
{
    const struct index *index = host ? &table->by_id : &table->by_hash;
    size_t slot = hash_of(key, length) & (index->slot_count - 1);
    for (; index->slots[slot] != 0; slot = (slot + 1) & (index->slot_count - 1)) {
        size_t have = 0;
        const void *other = key_of(table, host, index->slots[slot] - 1, &have);
        if (have == length && memcmp(other, key, length) == 0)
            break;
    }
    return slot;
}

/* Room for one more key, at most half full. */
static bool index_grow(struct wants_table *table, bool host)
{
    struct index *index = host ? &table->by_id : &table->by_hash;
    size_t count = host ? table->host_count : table->build_count;
    if ((count + 1) * 2 <= index->slot_count)
        return true;
    size_t slot_count = index->slot_count == 0 ? 64 : index->slot_count * 2;
    uint32_t *slots = calloc(slot_count, sizeof *slots);
    if (slots == NULL)
        return false;
    free(index->slots);
    *index = (struct index){slots, slot_count};
    for (size_t place = 0; place < count; place++) {
        size_t length = 0;
        const void *key = key_of(table, host, place, &length);
        index->slots[slot_of(table, host, key, length)] = (uint32_t)place + 1;
    }
    return true;
}

static bool array_grow(void **array, size_t *capacity, size_t count, size_t size)
{
    if (count < *capacity)
        return true;
    size_t more = *capacity == 0 ? 32 : *capacity * 2;
    void *grown = reallocarray(*array, more, size);
    if (grown == NULL)
        return false;
    *array = grown;
    *capacity = more;
    return true;
}

static struct build *build_find(const struct wants_table *table, const unsigned char *hash)
{
    if (table->by_hash.slot_count == 0)
        return NULL;
    uint32_t at = table->by_hash.slots[slot_of(table, false, hash, WANTS_HASH_BYTES)];
    return at == 0 ? NULL : &table->builds[at - 1];
}

static struct host *host_find(const struct wants_table *table, const char *id)
{
    if (table->by_id.slot_count == 0)
        return NULL;
    uint32_t at = table->by_id.slots[slot_of(table, true, id, strlen(id))];
    return at == 0 ? NULL : &table->hosts[at - 1];
}

static struct build *build_get(struct wants_table *table, const unsigned char *hash)
{
    struct build *build = build_find(table, hash);
    if (build != NULL)
        return build;
    void *builds = table->builds;
    if (!index_grow(table, false) ||
        !array_grow(&builds, &table->build_capacity, table->build_count, sizeof *table->builds))
        return NULL;
    table->builds = builds;
    size_t slot = slot_of(table, false, hash, WANTS_HASH_BYTES);
    build = &table->builds[table->build_count++];
    *build = (struct build){0};
    memcpy(build->hash, hash, WANTS_HASH_BYTES);
    table->by_hash.slots[slot] = (uint32_t)table->build_count;
    return build;
}

static struct host *host_get(struct wants_table *table, const char *id)
{
    struct host *host = host_find(table, id);
    if (host != NULL)
        return host;
    void *hosts = table->hosts;
    const char *copy = arena_strdup(&table->arena, id);
    if (copy == NULL || !index_grow(table, true) ||
        !array_grow(&hosts, &table->host_capacity, table->host_count, sizeof *table->hosts))
        return NULL;
    table->hosts = hosts;
    size_t slot = slot_of(table, true, id, strlen(id));
    host = &table->hosts[table->host_count++];
    *host = (struct host){.id = copy};
    table->by_id.slots[slot] = (uint32_t)table->host_count;
    return host;
}

struct wants_table *wants_table_new(void)
{
    return calloc(1, sizeof(struct wants_table));
}

void wants_table_free(struct wants_table *table)
{
    if (table == NULL)
        return;
    arena_done(&table->arena);
    free(table->builds);
    free(table->hosts);
    free(table->by_hash.slots);
    free(table->by_id.slots);
    free(table);
}

enum status wants_table_add_scan(struct wants_table *table, const char *host_id,
                                 const unsigned char hash[WANTS_HASH_BYTES])
{
    struct build *build = build_get(table, hash);
    struct host *host = build == NULL ? NULL : host_get(table, host_id);
    if (host == NULL)
        return ST_NOMEM;
    uint32_t place = (uint32_t)(build - table->builds);
    for (size_t i = 0; i < host->build_count; i++)
        if (host->builds[i] == place)
            return ST_OK;
    if (host->build_count >= WANTS_HOST_BUILDS)
        return ST_OK;
    /* Full at 0, 4, 8, 16, ...: the old list stays in the arena, at most as large again. */
    size_t count = host->build_count;
    if (count == 0 || (count >= 4 && (count & (count - 1)) == 0)) {
        uint32_t *builds = arena_alloc(&table->arena, count == 0 ? 4 : 2 * count, sizeof *builds);
        if (builds == NULL)
            return ST_NOMEM;
        if (count > 0)
            memcpy(builds, host->builds, count * sizeof *builds);
        host->builds = builds;
    }
    host->builds[host->build_count++] = place;
    return ST_OK;
}

enum status wants_table_add_finding(struct wants_table *table, const char *host_id,
                                    const char *finding_id, const uint32_t *tags, size_t tag_count)
{
    struct host *host = host_get(table, host_id);
    if (host == NULL)
        return ST_NOMEM;
    if (host->asks == NULL)
        host->asks = arena_alloc(&table->arena, WANTS_HOST_FINDINGS, sizeof *host->asks);
    if (host->asks == NULL)
        return ST_NOMEM;
    if (host->ask_count >= WANTS_HOST_FINDINGS)
        return ST_OK;
    size_t count = tag_count < WANTS_BLOCK_TAGS ? tag_count : WANTS_BLOCK_TAGS;
    struct ask ask = {arena_strdup(&table->arena, finding_id), TIME_UNKNOWN, count,
                      arena_alloc(&table->arena, count, sizeof *ask.tags)};
    if (ask.finding == NULL || ask.tags == NULL)
        return ST_NOMEM;
    if (count > 0)
        memcpy(ask.tags, tags, count * sizeof *tags);
    host->asks[host->ask_count++] = ask;
    return ST_OK;
}

/* ---- what is shared -------------------------------------------------------- */

struct wants *wants_new(void)
{
    struct wants *wants = calloc(1, sizeof *wants);
    if (wants == NULL)
        return NULL;
    wants->table = wants_table_new();
    if (wants->table == NULL) {
        free(wants);
        return NULL;
    }
    pthread_mutex_init(&wants->lock, NULL);
    return wants;
}

void wants_free(struct wants *wants)
{
    if (wants == NULL)
        return;
    wants_table_free(wants->table);
    pthread_mutex_destroy(&wants->lock);
    free(wants);
}

static void carry_builds(const struct wants_table *old, struct wants_table *new)
{
    for (size_t i = 0; i < new->build_count; i++) {
        struct build *build = &new->builds[i];
        const struct build *before = build_find(old, build->hash);
        if (before == NULL)
            continue;
        build->tries = before->tries;
        build->scanned = before->scanned;
        build->claimed_until_us = before->claimed_until_us;
        const struct host *holder =
            before->claimed_by == 0 ? NULL : host_find(new, old->hosts[before->claimed_by - 1].id);
        build->claimed_by = holder == NULL ? 0 : (uint32_t)(holder - new->hosts) + 1;
    }
}

static void carry_asks(const struct host *before, struct host *host)
{
    for (size_t i = 0; i < host->ask_count; i++)
        for (size_t j = 0; j < before->ask_count; j++)
            if (strcmp(host->asks[i].finding, before->asks[j].finding) == 0)
                host->asks[i].asked_us = before->asks[j].asked_us;
}

void wants_replace(struct wants *wants, struct wants_table *table_take)
{
    pthread_mutex_lock(&wants->lock);
    struct wants_table *old = wants->table;
    carry_builds(old, table_take);
    for (size_t i = 0; i < table_take->host_count; i++) {
        const struct host *before = host_find(old, table_take->hosts[i].id);
        if (before != NULL)
            carry_asks(before, &table_take->hosts[i]);
    }
    wants->table = table_take;
    pthread_mutex_unlock(&wants->lock);
    wants_table_free(old);
}

enum status wants_offer(struct wants *wants, const char *host_id,
                        const unsigned char hash[WANTS_HASH_BYTES])
{
    pthread_mutex_lock(&wants->lock);
    enum status status = wants_table_add_scan(wants->table, host_id, hash);
    pthread_mutex_unlock(&wants->lock);
    return status;
}

void wants_scanned(struct wants *wants, const unsigned char hash[WANTS_HASH_BYTES])
{
    pthread_mutex_lock(&wants->lock);
    struct build *build = build_find(wants->table, hash);
    if (build != NULL)
        build->scanned = true;
    pthread_mutex_unlock(&wants->lock);
}

static bool is_claimed(const struct build *build, int64_t now_us)
{
    return build->claimed_until_us > now_us; /* also when who claimed it is not in the table */
}

static void take_scans(struct wants_table *table, struct host *host, int64_t now_us,
                       struct want *want)
{
    uint32_t self = (uint32_t)(host - table->hosts) + 1;
    size_t under_way = 0;
    for (size_t i = 0; i < host->build_count; i++) {
        const struct build *build = &table->builds[host->builds[i]];
        under_way += !build->scanned && build->claimed_by == self && is_claimed(build, now_us);
    }
    for (size_t i = 0; i < host->build_count && under_way < WANTS_SCAN_MAX; i++) {
        struct build *build = &table->builds[host->builds[i]];
        if (build->scanned || build->tries >= WANTS_TRIES_MAX || is_claimed(build, now_us))
            continue;
        build->claimed_by = self;
        build->claimed_until_us = now_us + WANTS_CLAIM_US;
        build->tries++;
        memcpy(want->scan[want->scan_count++], build->hash, WANTS_HASH_BYTES);
        under_way++;
    }
}

static void add_block(struct want *want, uint32_t tag)
{
    for (size_t i = 0; i < want->block_count; i++)
        if (want->blocks[i] == tag)
            return;
    if (want->block_count < WANTS_BLOCK_TAGS)
        want->blocks[want->block_count++] = tag;
}

static void take_asks(struct host *host, int64_t now_us, struct want *want)
{
    for (size_t i = 0; i < host->ask_count; i++) {
        struct ask *ask = &host->asks[i];
        if (ask->asked_us != TIME_UNKNOWN && now_us - ask->asked_us < WANTS_ASK_AGAIN_US)
            continue;
        ask->asked_us = now_us;
        want->processes = true;
        for (size_t t = 0; t < ask->tag_count; t++)
            add_block(want, ask->tags[t]);
    }
}

void wants_take(struct wants *wants, const char *host_id, int64_t now_us, struct want *ret_want)
{
    *ret_want = (struct want){0};
    pthread_mutex_lock(&wants->lock);
    struct host *host = host_find(wants->table, host_id);
    if (host != NULL) {
        take_scans(wants->table, host, now_us, ret_want);
        take_asks(host, now_us, ret_want);
    }
    pthread_mutex_unlock(&wants->lock);
}
