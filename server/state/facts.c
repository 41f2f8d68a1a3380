/* SPDX-License-Identifier: Apache-2.0 */
#include "server/state/facts.h"

#include "common/arena.h"
#include "common/clock.h"
#include "common/strbuf.h"
#include "server/store/store_facts.h"

#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define CHECK_SHARE 20 /* of the time, at most, goes into looking for changes */
/* Texts and facts that nobody has any more stay until they outweigh the others. */
#define SPARE_FACTS 100000

/* A growing array of one type. */
struct list {
    void *items;
    size_t count, capacity, size;
};

/* Texts to numbers: open addressing over keys held in the arena. */
struct index {
    uint32_t *slots; /* place + 1; 0 is free */
    size_t mask;
    struct list keys; /* struct key */
};
struct key {
    const char *text;
    size_t length;
    uint64_t hash;
};

struct facts_cache {
    struct facts view; /* first: facts_release finds the cache by it */
    pthread_rwlock_t lock;
    pthread_mutex_t refresh; /* one looks for changes at a time */
    bool loaded;
    int64_t checked_us; /* monotonic */
    int64_t check_cost_us;
    size_t live_facts;       /* distinct ones at the last build from nothing */
    struct arena arena;      /* names, values, builds */
    struct arena file_arena; /* fact_file texts; replaced whole */
    struct store_files_stamp stamp;
    struct list names, pairs, facts;
    struct index name_index, pair_index, fact_index;
    struct facts_host *hosts;
    struct fact_file *files;
};

/* ---- growing ---------------------------------------------------------------- */

static void *list_add(struct list *list, size_t size)
{
    if (list->count == list->capacity) {
        size_t capacity = list->capacity == 0 ? 256 : list->capacity * 2;
        void *items = realloc(list->items, capacity * size);
        if (items == NULL)
            return NULL;
        list->items = items;
        list->capacity = capacity;
        list->size = size;
    }
    void *item = (char *)list->items + list->count++ * size;
    memset(item, 0, size);
    return item;
}

static uint64_t hash_bytes(const char *text, size_t length)
{
    uint64_t hash = 0xcbf29ce484222325ull;
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ (unsigned char)text[i]) * 0x100000001b3ull;
    return hash ^ hash >> 29;
}

static bool index_grow(struct index *index)
{
    size_t size = index->slots == NULL ? 1024 : (index->mask + 1) * 2;
    uint32_t *slots = calloc(size, sizeof *slots);
    const struct key *keys = index->keys.items;

    if (slots == NULL)
        return false;
    for (size_t i = 0; i < index->keys.count; i++) {
        size_t at = keys[i].hash & (size - 1);
        while (slots[at] != 0)
            at = (at + 1) & (size - 1);
        slots[at] = (uint32_t)i + 1;
    }
    free(index->slots);
    index->slots = slots;
    index->mask = size - 1;
    return true;
}

/* The place of a key, which is new when it equals the count before. FACT_NONE: out of memory. */
static uint32_t index_put(struct index *index, struct arena *arena, const char *text, size_t length)
{
    uint64_t hash = hash_bytes(text, length);

    if ((index->slots == NULL || index->keys.count * 2 > index->mask) && !index_grow(index))
        return FACT_NONE;
    const struct key *keys = index->keys.items;
    size_t at = hash & index->mask;
    for (; index->slots[at] != 0; at = (at + 1) & index->mask) {
        const struct key *key = &keys[index->slots[at] - 1];
        if (key->hash == hash && key->length == length && memcmp(key->text, text, length) == 0)
            return index->slots[at] - 1;
    }
    char *copy = arena_alloc(arena, length + 1, 1);
    struct key *key = copy == NULL ? NULL : list_add(&index->keys, sizeof *key);
    if (key == NULL)
        return FACT_NONE;
    memcpy(copy, text, length);
    *key = (struct key){copy, length, hash};
    index->slots[at] = (uint32_t)index->keys.count;
    return (uint32_t)index->keys.count - 1;
}

static void index_done(struct index *index)
{
    free(index->slots);
    free(index->keys.items);
    *index = (struct index){0};
}

/* ---- one fact --------------------------------------------------------------- */

/* What a row says, borrowed from the result. */
struct told {
    const char *name;
    bool driver;
    const char *value;
    const char *company;
    const struct db_result *row_of; /* of the tags; NULL: an attribute */
    size_t row;
    const void *sha256;
    size_t sha256_length;
};

static uint32_t put_name(struct facts_cache *cache, const struct told *told)
{
    AUTO_STRBUF struct strbuf key = STRBUF_INIT;

    strbuf_putc(&key, told->driver ? 'd' : 'a');
    strbuf_puts(&key, told->name);
    if (strbuf_failed(&key))
        return FACT_NONE;
    size_t before = cache->name_index.keys.count;
    uint32_t place = index_put(&cache->name_index, &cache->arena, key.data, key.length);
    if (place == before) {
        struct fact_name *name = list_add(&cache->names, sizeof *name);
        if (name == NULL)
            return FACT_NONE;
        name->text = ((struct key *)cache->name_index.keys.items)[place].text + 1;
        name->driver = told->driver;
    }
    return place;
}

static uint32_t put_pair(struct facts_cache *cache, const struct told *told)
{
    AUTO_STRBUF struct strbuf key = STRBUF_INIT;
    uint32_t name = put_name(cache, told);

    strbuf_add(&key, (const char *)&name, sizeof name);
    strbuf_putc(&key, told->value == NULL ? '-' : '+');
    strbuf_puts(&key, told->value == NULL ? "" : told->value);
    if (strbuf_failed(&key) || name == FACT_NONE)
        return FACT_NONE;
    size_t before = cache->pair_index.keys.count;
    uint32_t place = index_put(&cache->pair_index, &cache->arena, key.data, key.length);
    if (place == before) {
        struct fact_pair *pair = list_add(&cache->pairs, sizeof *pair);
        if (pair == NULL)
            return FACT_NONE;
        const char *text = ((struct key *)cache->pair_index.keys.items)[place].text;
        pair->name = name;
        pair->value = told->value == NULL ? NULL : text + sizeof name + 1;
    }
    return place;
}

static const char *const *copy_tags(struct arena *arena, const struct db_result *result, size_t row,
                                    size_t column, size_t *ret_count)
{
    size_t count = result == NULL ? 0 : db_array_count(result, row, column);
    const char **tags = arena_alloc(arena, count, sizeof *tags);

    for (size_t i = 0; tags != NULL && i < count; i++) {
        size_t length = 0;
        const char *text = db_array_text(result, row, column, i, &length);
        tags[i] = arena_strndup(arena, text == NULL ? "" : text, text == NULL ? 0 : length);
        if (tags[i] == NULL)
            return NULL;
    }
    *ret_count = count;
    return tags;
}

#define DRIVER_TAGS 4 /* column of store_facts_rows */

/* A build is what tells it apart from others: pair, company, file, and the tags told with it. */
static void build_key(const struct told *told, uint32_t pair, struct strbuf *key)
{
    strbuf_add(key, (const char *)&pair, sizeof pair);
    strbuf_puts(key, told->company == NULL ? "\xff" : told->company);
    strbuf_putc(key, '\0');
    if (told->sha256 != NULL)
        strbuf_add(key, told->sha256, told->sha256_length);
    size_t tags = told->row_of == NULL ? 0 : db_array_count(told->row_of, told->row, DRIVER_TAGS);
    for (size_t i = 0; i < tags; i++) {
        size_t length = 0;
        const char *tag = db_array_text(told->row_of, told->row, DRIVER_TAGS, i, &length);
        strbuf_putc(key, '\0');
        if (tag != NULL)
            strbuf_add(key, tag, length);
    }
}

static uint32_t put_fact(struct facts_cache *cache, const struct told *told)
{
    AUTO_STRBUF struct strbuf key = STRBUF_INIT;
    uint32_t pair = put_pair(cache, told);

    build_key(told, pair, &key);
    if (strbuf_failed(&key) || pair == FACT_NONE)
        return FACT_NONE;
    size_t before = cache->fact_index.keys.count;
    uint32_t place = index_put(&cache->fact_index, &cache->arena, key.data, key.length);
    if (place != before)
        return place;
    struct fact *fact = list_add(&cache->facts, sizeof *fact);
    if (fact == NULL)
        return FACT_NONE;
    fact->pair = pair;
    fact->company = told->company == NULL ? NULL : arena_strdup(&cache->arena, told->company);
    fact->tags = copy_tags(&cache->arena, told->row_of, told->row, DRIVER_TAGS, &fact->tag_count);
    bool ok = fact->tags != NULL && (told->company == NULL || fact->company != NULL);
    if (ok && told->sha256 != NULL && told->sha256_length == 32) {
        unsigned char *copy = arena_alloc(&cache->arena, 32, 1);
        ok = copy != NULL;
        if (ok)
            memcpy(copy, told->sha256, 32);
        fact->sha256 = copy;
    }
    return ok ? place : FACT_NONE;
}

/* ---- hosts ------------------------------------------------------------------ */

static void host_clear(struct facts_host *host)
{
    free(host->facts);
    free(host->since);
    host->facts = NULL;
    host->since = NULL;
    host->count = host->attributes = 0;
}

static uint32_t seconds_of(int64_t us)
{
    return us <= 0 ? 0 : (uint32_t)(us / US_PER_SECOND);
}

/* Rows of one place in a result ordered by place. */
static size_t rows_of(const struct db_result *result, size_t from, int64_t place)
{
    size_t count = 0;
    while (from + count < db_rows(result) && db_i64(result, from + count, 0) == place)
        count++;
    return count;
}

static enum status host_fill(struct facts_cache *cache, struct facts_host *host,
                             const struct db_result *attributes, size_t attribute, size_t known,
                             const struct db_result *drivers, size_t driver, size_t loaded)
{
    host_clear(host);
    host->facts = malloc((known + loaded + 1) * sizeof *host->facts);
    host->since = malloc((known + loaded + 1) * sizeof *host->since);
    if (host->facts == NULL || host->since == NULL)
        return ST_NOMEM;
    for (size_t i = 0; i < known + loaded; i++) {
        bool is_driver = i >= known;
        const struct db_result *from = is_driver ? drivers : attributes;
        size_t row = is_driver ? driver + i - known : attribute + i;
        struct told told = {.name = db_text(from, row, 1),
                            .driver = is_driver,
                            .value = db_text(from, row, 2),
                            .row = row};
        if (is_driver) {
            told.company = db_text(from, row, 3);
            told.row_of = from;
            told.sha256 = db_bytes(from, row, 5, &told.sha256_length);
        }
        uint32_t fact = put_fact(cache, &told);
        if (fact == FACT_NONE)
            return ST_NOMEM;
        host->facts[i] = fact;
        host->since[i] = seconds_of(db_time(from, row, is_driver ? 6 : 3));
    }
    host->count = (uint32_t)(known + loaded);
    host->attributes = (uint32_t)known;
    return ST_OK;
}

static void publish(struct facts_cache *cache, size_t host_count)
{
    cache->view.names = cache->names.items;
    cache->view.name_count = cache->names.count;
    cache->view.pairs = cache->pairs.items;
    cache->view.pair_count = cache->pairs.count;
    cache->view.facts = cache->facts.items;
    cache->view.fact_count = cache->facts.count;
    cache->view.hosts = cache->hosts;
    cache->view.host_count = host_count;
}

static int compare_host(const void *key, const void *item)
{
    int64_t a = *(const int64_t *)key, b = ((const struct facts_host *)item)->key;
    return a < b ? -1 : a > b;
}

/* One batch of hosts: read without the lock, put in with it. */
static enum status read_batch(struct facts_cache *cache, struct db *db,
                              const struct store_facts_mark *const *marks, size_t count,
                              struct err *err)
{
    AUTO_DBRESULT struct db_result *attributes = NULL;
    AUTO_DBRESULT struct db_result *drivers = NULL;
    int64_t keys[STORE_FACTS_BATCH] = {0};

    for (size_t i = 0; i < count; i++)
        keys[i] = marks[i]->key;
    enum status status = store_facts_rows(db, keys, count, &attributes, &drivers, err);
    if (status != ST_OK)
        return status;
    pthread_rwlock_wrlock(&cache->lock);
    size_t attribute = 0, driver = 0;
    for (size_t i = 0; status == ST_OK && i < count; i++) {
        struct facts_host *host = bsearch(&keys[i], cache->hosts, cache->view.host_count,
                                          sizeof *cache->hosts, compare_host);
        size_t known = rows_of(attributes, attribute, (int64_t)i + 1);
        size_t loaded = rows_of(drivers, driver, (int64_t)i + 1);
        status = host_fill(cache, host, attributes, attribute, known, drivers, driver, loaded);
        attribute += known;
        driver += loaded;
        if (status == ST_OK) {
            memcpy(host->digests[0], marks[i]->attributes, FACTS_DIGEST_BYTES);
            memcpy(host->digests[1], marks[i]->drivers, FACTS_DIGEST_BYTES);
        }
    }
    publish(cache, cache->view.host_count);
    pthread_rwlock_unlock(&cache->lock);
    return status == ST_NOMEM ? err_set(err, ST_NOMEM, "could not read facts: out of memory")
                              : status;
}

/* ---- what moved ------------------------------------------------------------- */

static bool has_moved(const struct facts_host *host, const struct store_facts_mark *mark)
{
    return host->facts == NULL ||
           memcmp(host->digests[0], mark->attributes, FACTS_DIGEST_BYTES) != 0 ||
           memcmp(host->digests[1], mark->drivers, FACTS_DIGEST_BYTES) != 0;
}

/* The hosts of the database, in its order; those held already keep what they have. */
static enum status align_hosts(struct facts_cache *cache, const struct store_facts_mark *marks,
                               size_t count)
{
    bool same = cache->view.host_count == count;
    for (size_t i = 0; same && i < count; i++)
        same = cache->hosts[i].key == marks[i].key;
    if (same)
        return ST_OK;
    struct facts_host *hosts = calloc(count + 1, sizeof *hosts);
    if (hosts == NULL)
        return ST_NOMEM;
    pthread_rwlock_wrlock(&cache->lock);
    size_t old = 0;
    for (size_t i = 0; i < count; i++) {
        while (old < cache->view.host_count && cache->hosts[old].key < marks[i].key)
            host_clear(&cache->hosts[old++]);
        if (old < cache->view.host_count && cache->hosts[old].key == marks[i].key)
            hosts[i] = cache->hosts[old++];
        hosts[i].key = marks[i].key;
        hosts[i].first_seen_us = marks[i].first_seen_us;
    }
    while (old < cache->view.host_count)
        host_clear(&cache->hosts[old++]);
    free(cache->hosts);
    cache->hosts = hosts;
    publish(cache, count);
    pthread_rwlock_unlock(&cache->lock);
    return ST_OK;
}

static enum status read_moved(struct facts_cache *cache, struct db *db,
                              const struct store_facts_mark *marks, size_t count, struct err *err)
{
    const struct store_facts_mark *batch[STORE_FACTS_BATCH];
    size_t filled = 0;
    enum status status = ST_OK;

    for (size_t i = 0; status == ST_OK && i < count; i++) {
        if (!has_moved(&cache->hosts[i], &marks[i]))
            continue;
        batch[filled++] = &marks[i];
        if (filled == STORE_FACTS_BATCH) {
            status = read_batch(cache, db, batch, filled, err);
            filled = 0;
        }
    }
    return status == ST_OK && filled > 0 ? read_batch(cache, db, batch, filled, err) : status;
}

static enum status files_fill(const struct db_result *rows, struct arena *arena,
                              struct fact_file *files)
{
    for (size_t i = 0; i < db_rows(rows); i++) {
        size_t length = 0;
        const void *sha256 = db_bytes(rows, i, 0, &length);
        const char *product = db_text(rows, i, 2);
        if (length == sizeof files[i].sha256)
            memcpy(files[i].sha256, sha256, length);
        files[i].scanned = !db_null(rows, i, 1);
        files[i].tags = copy_tags(arena, files[i].scanned ? rows : NULL, i, 1, &files[i].tag_count);
        files[i].product = product == NULL ? NULL : arena_strdup(arena, product);
        if (files[i].tags == NULL || (product != NULL && files[i].product == NULL))
            return ST_NOMEM;
    }
    return ST_OK;
}

static enum status read_files(struct facts_cache *cache, struct db *db, struct err *err)
{
    AUTO_DBRESULT struct db_result *rows = NULL;
    AUTO_ARENA struct arena arena = {0};
    struct store_files_stamp stamp;
    enum status status = store_files_stamp(db, &stamp, err);

    if (status != ST_OK ||
        (cache->files != NULL && stamp.files == cache->stamp.files &&
         stamp.scanned == cache->stamp.scanned && stamp.newest_us == cache->stamp.newest_us))
        return status;
    status = store_files_rows(db, &rows, err);
    if (status != ST_OK)
        return status;
    struct fact_file *files = calloc(db_rows(rows) + 1, sizeof *files);
    if (files == NULL || files_fill(rows, &arena, files) != ST_OK) {
        free(files);
        return err_set(err, ST_NOMEM, "could not read driver files: out of memory");
    }
    pthread_rwlock_wrlock(&cache->lock);
    struct arena old = cache->file_arena;
    free(cache->files);
    cache->files = files;
    cache->file_arena = arena;
    cache->stamp = stamp;
    cache->view.files = files;
    cache->view.file_count = db_rows(rows);
    pthread_rwlock_unlock(&cache->lock);
    arena = old; /* freed with this scope */
    return ST_OK;
}

static void forget(struct facts_cache *cache)
{
    pthread_rwlock_wrlock(&cache->lock);
    for (size_t i = 0; i < cache->view.host_count; i++)
        host_clear(&cache->hosts[i]);
    index_done(&cache->name_index);
    index_done(&cache->pair_index);
    index_done(&cache->fact_index);
    cache->names.count = cache->pairs.count = cache->facts.count = 0;
    arena_done(&cache->arena);
    cache->arena = (struct arena){0};
    cache->live_facts = 0;
    publish(cache, cache->view.host_count);
    pthread_rwlock_unlock(&cache->lock);
}

static enum status refresh(struct facts_cache *cache, struct db *db, struct err *err)
{
    AUTO_FREE struct store_facts_mark *marks = NULL;
    size_t count = 0;
    int64_t begun = clock_mono_us();
    enum status status = store_facts_marks(db, &marks, &count, err);

    if (status == ST_OK && cache->facts.count > 2 * cache->live_facts + SPARE_FACTS)
        forget(cache);
    if (status == ST_OK && align_hosts(cache, marks, count) != ST_OK)
        status = err_set(err, ST_NOMEM, "could not read facts: out of memory");
    int64_t cost = clock_mono_us() - begun;
    if (status == ST_OK)
        status = read_moved(cache, db, marks, count, err);
    if (status == ST_OK)
        status = read_files(cache, db, err);
    if (status != ST_OK)
        return status;
    if (cache->live_facts == 0)
        cache->live_facts = cache->facts.count;
    cache->check_cost_us = cost;
    cache->checked_us = clock_mono_us();
    cache->loaded = true;
    return ST_OK;
}

/* ---- in and out ------------------------------------------------------------- */

struct facts_cache *facts_cache_new(void)
{
    struct facts_cache *cache = calloc(1, sizeof *cache);

    if (cache == NULL)
        return NULL;
    pthread_rwlock_init(&cache->lock, NULL);
    pthread_mutex_init(&cache->refresh, NULL);
    return cache;
}

void facts_cache_free(struct facts_cache *cache)
{
    if (cache == NULL)
        return;
    forget(cache);
    free(cache->hosts);
    free(cache->files);
    free(cache->names.items);
    free(cache->pairs.items);
    free(cache->facts.items);
    arena_done(&cache->file_arena);
    pthread_mutex_destroy(&cache->refresh);
    pthread_rwlock_destroy(&cache->lock);
    free(cache);
}

size_t facts_memory_bytes(struct facts_cache *cache)
{
    size_t bytes = sizeof *cache;

    pthread_rwlock_rdlock(&cache->lock);
    for (size_t i = 0; i < cache->view.host_count; i++)
        bytes += sizeof *cache->hosts + cache->hosts[i].count * 2 * sizeof(uint32_t);
    bytes += cache->facts.capacity * (sizeof(struct fact) + 2 * sizeof(struct key));
    pthread_rwlock_unlock(&cache->lock);
    return bytes;
}

enum status facts_get(struct facts_cache *cache, struct db *db, const struct facts **ret_facts,
                      struct err *err)
{
    enum status status = ST_OK;

    pthread_mutex_lock(&cache->refresh);
    if (!cache->loaded || clock_mono_us() - cache->checked_us >= cache->check_cost_us * CHECK_SHARE)
        status = refresh(cache, db, err);
    pthread_mutex_unlock(&cache->refresh);
    if (status != ST_OK)
        return status;
    pthread_rwlock_rdlock(&cache->lock);
    *ret_facts = &cache->view;
    return ST_OK;
}

void facts_release(const struct facts *facts)
{
    if (facts == NULL)
        return;
    /* The view is the cache's first member. */
    struct facts_cache *cache = (struct facts_cache *)(uintptr_t)facts;
    pthread_rwlock_unlock(&cache->lock);
}

/* ---- reading ---------------------------------------------------------------- */

const struct facts_host *facts_host(const struct facts *facts, int64_t key)
{
    return facts->host_count == 0
               ? NULL
               : bsearch(&key, facts->hosts, facts->host_count, sizeof *facts->hosts, compare_host);
}

uint32_t facts_name(const struct facts *facts, const char *text, bool driver)
{
    for (size_t i = 0; i < facts->name_count; i++)
        if (facts->names[i].driver == driver && strcmp(facts->names[i].text, text) == 0)
            return (uint32_t)i;
    return FACT_NONE;
}

uint32_t facts_of(const struct facts *facts, const struct facts_host *host, uint32_t name,
                  size_t *ret_place)
{
    bool driver = facts->names[name].driver;
    size_t from = driver ? host->attributes : 0, to = driver ? host->count : host->attributes;

    for (size_t i = from; i < to; i++) {
        if (facts->pairs[facts->facts[host->facts[i]].pair].name != name)
            continue;
        if (ret_place != NULL)
            *ret_place = i;
        return host->facts[i];
    }
    return FACT_NONE;
}

static int compare_file(const void *key, const void *item)
{
    return memcmp(key, ((const struct fact_file *)item)->sha256, 32);
}

const struct fact_file *facts_file(const struct facts *facts, const struct fact *fact)
{
    return fact->sha256 == NULL || facts->file_count == 0
               ? NULL
               : bsearch(fact->sha256, facts->files, facts->file_count, sizeof *facts->files,
                         compare_file);
}

const char *const *facts_tags(const struct facts *facts, const struct fact *fact, size_t *ret_count)
{
    const struct fact_file *file = fact->tag_count > 0 ? NULL : facts_file(facts, fact);

    *ret_count = file != NULL ? file->tag_count : fact->tag_count;
    return file != NULL ? file->tags : fact->tags;
}
