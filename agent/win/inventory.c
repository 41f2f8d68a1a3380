/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/win/inventory.h"
#include "agent/core/driver_path.h"
#include "agent/win/hash.h"

#include "common/clock.h"
#include "common/log.h"

#include <ctype.h>

/* Chosen: a first inventory reads some 200 files; an agent that stops waits for one at most. */
#define READ_BUDGET_US (10 * US_PER_SECOND)

void inventory_init(struct inventory *inventory, const struct files *files, bool scans,
                    bool recorded, volatile long *stop)
{
    *inventory =
        (struct inventory){.files = files, .scans = scans, .recorded = recorded, .stop = stop};
}

void inventory_done(struct inventory *inventory)
{
    driver_cache_done(&inventory->cache);
}

/* FNV-1a: what changed is compared with oneself only. */
static uint64_t digest_add(uint64_t digest, const void *data, size_t length)
{
    const unsigned char *at = data;
    for (size_t i = 0; i < length; i++)
        digest = (digest ^ at[i]) * 0x100000001b3u;
    return digest;
}

static uint64_t modules_digest(const struct nt_module *modules, size_t count)
{
    uint64_t digest = 0xcbf29ce484222325u;
    for (size_t i = 0; i < count; i++) {
        digest = digest_add(digest, modules[i].path, strlen(modules[i].path) + 1);
        digest = digest_add(digest, &modules[i].stamp, sizeof modules[i].stamp);
        digest = digest_add(digest, &modules[i].checksum, sizeof modules[i].checksum);
    }
    return digest;
}

bool inventory_changed(struct inventory *inventory, struct nt_reader *reader)
{
    struct arena arena AUTO_ARENA = {0};
    struct nt_module *modules;
    size_t count;
    if (inventory->incomplete || inventory->modules == 0)
        return true;
    /* A kernel that cannot tell now is no reason to send what is known again. */
    return nt_modules(reader, &arena, &modules, &count, NULL) == ST_OK &&
           modules_digest(modules, count) != inventory->modules;
}

/* ---- one file */

struct take {
    struct inventory *inventory;
    const struct source_request *request;
    const uint32_t *live;
    size_t live_count;
    int64_t deadline_us;
    bool in_background;
    unsigned files_read;
};

/* May another file be read? At least one is in each call, however slow. */
static bool take_may_read(struct take *take)
{
    if (*take->inventory->stop != 0 ||
        (take->files_read > 0 && clock_mono_us() > take->deadline_us)) {
        take->inventory->incomplete = true;
        return false;
    }
    if (!take->in_background)
        driver_background_begin();
    take->in_background = true;
    take->files_read++;
    return true;
}

static const char *entry_text(struct driver_entry *entry, const char *text)
{
    const char *copy = *text == '\0' ? "" : arena_strdup(&entry->arena, text);
    return copy == NULL ? "" : copy;
}

static void entry_fill(struct driver_entry *entry, const struct driver_bytes *bytes)
{
    struct pe pe;
    struct pe_facts facts;
    unsigned char digest[SHA256_BYTES];
    if (win_sha256(bytes->data, bytes->length, digest, NULL) == ST_OK)
        win_hex(digest, sizeof digest, entry->sha256);
    if (pe_open(bytes->data, bytes->length, &pe, NULL) != ST_OK)
        return;
    pe_facts(&pe, &facts);
    entry->stamp = pe.stamp;
    entry->version = entry_text(entry, facts.version);
    entry->company = entry_text(entry, facts.company);
    entry->product = entry_text(entry, facts.product);
    entry->symbols = entry_text(entry, facts.symbols);
}

static void entry_scan(struct driver_entry *entry, const struct driver_bytes *bytes,
                       const struct take *take)
{
    struct pe pe;
    char service[SERVICE_NAME_MAX];
    struct tag_scan *scan AUTO_FREE = calloc(1, sizeof *scan);
    if (scan == NULL)
        return;
    if (pe_open(bytes->data, bytes->length, &pe, NULL) == ST_OK) {
        driver_service_name(driver_file_name(entry->path), service);
        tag_scan(&pe, NULL, 0, take->live, take->live_count, service, scan);
    }
    entry->tags = arena_alloc(&entry->arena, scan->count, sizeof *entry->tags);
    if (entry->tags == NULL)
        return;
    for (size_t i = 0; i < scan->count; i++)
        entry->tags[i] = scan->hits[i].tag;
    entry->tag_count = scan->count;
    entry->scanned = true;
    take->inventory->cache.changed = true;
}

static bool scan_wanted(const struct take *take, const struct driver_entry *entry)
{
    if (!take->inventory->scans || entry->scanned || entry->sha256[0] == '\0')
        return false;
    for (size_t i = 0; i < take->request->scan_count; i++) {
        if (strcmp(take->request->scan[i], entry->sha256) == 0)
            return true;
    }
    return false;
}

/* What is known of the file at `path`, reading it when it must be; NULL: nothing. */
static struct driver_entry *entry_get(struct take *take, const char *path)
{
    struct driver_bytes bytes AUTO_DRIVER_BYTES = {NULL, 0};
    uint64_t size;
    int64_t changed;
    struct driver_cache *cache = &take->inventory->cache;
    if (driver_file_stat(path, &size, &changed, NULL) != ST_OK)
        return NULL;
    struct driver_entry *entry = driver_cache_find(cache, path, size, changed);
    if (entry != NULL && !scan_wanted(take, entry))
        return entry;
    if (!take_may_read(take))
        return entry;
    enum status st = driver_file_read(path, &bytes, NULL);
    if (st == ST_NOMEM)
        return entry;
    /* A file that cannot be read is remembered too: it is not tried again until it changes. */
    if (entry == NULL) {
        entry = driver_cache_put(cache, path, size, changed);
        if (entry != NULL && st == ST_OK)
            entry_fill(entry, &bytes);
    }
    if (entry != NULL && st == ST_OK && scan_wanted(take, entry))
        entry_scan(entry, &bytes, take);
    return entry;
}

/* ---- the list */

static const char *lower_name(struct arena *arena, const char *name)
{
    char *copy = arena_strndup(arena, name, strnlen(name, LIMIT_TEXT_BYTES));
    for (char *c = copy; c != NULL && *c != '\0'; c++)
        *c = (char)tolower((unsigned char)*c);
    return copy;
}

static const char *known(struct arena *arena, const char *text)
{
    return *text == '\0' ? NULL : arena_strdup(arena, text);
}

/* The file on disk may already be the next version, with a restart pending: then its facts are not
 * those of what is loaded, and nothing is said. A stamp of 0 says nothing itself. */
static bool entry_is_loaded(const struct driver_entry *entry, const struct nt_module *module)
{
    return !module->has_stamp || module->stamp == 0 || entry->stamp == 0 ||
           entry->stamp == module->stamp;
}

static enum status driver_make(struct take *take, const struct nt_module *module,
                               struct arena *arena, struct snapshot_driver *driver)
{
    struct strbuf path AUTO_STRBUF = STRBUF_INIT;
    struct driver_entry *entry = NULL;
    *driver = (struct snapshot_driver){.name = lower_name(arena, module->name)};
    if (driver->name == NULL)
        return ST_NOMEM;
    if (!take->inventory->recorded &&
        driver_path(module->path, take->inventory->system_root, &path))
        entry = entry_get(take, path.data);
    if (entry == NULL || !entry_is_loaded(entry, module))
        return ST_OK;
    driver->version = known(arena, entry->version);
    driver->company = known(arena, entry->company);
    driver->product = known(arena, entry->product);
    driver->symbols = known(arena, entry->symbols);
    driver->sha256 = known(arena, entry->sha256);
    if (entry->scanned) {
        driver->tags = arena_alloc(arena, entry->tag_count, sizeof *driver->tags);
        if (driver->tags == NULL)
            return ST_NOMEM;
        for (size_t i = 0; i < entry->tag_count; i++)
            driver->tags[i] = entry->tags[i];
        driver->tag_count = entry->tag_count;
        driver->has_tags = true;
    }
    return ST_OK;
}

static int driver_compare(const void *a, const void *b)
{
    const struct snapshot_driver *left = a, *right = b;
    return strcmp(left->name, right->name);
}

/* Sorted; of one name the one of which most is known (a crash dump's copy has no file). */
static size_t drivers_sort(struct snapshot_driver *drivers, size_t count)
{
    size_t kept = 0;
    qsort(drivers, count, sizeof *drivers, driver_compare);
    for (size_t i = 0; i < count; i++) {
        if (drivers[i].name[0] == '\0')
            continue;
        if (kept == 0 || strcmp(drivers[kept - 1].name, drivers[i].name) != 0)
            drivers[kept++] = drivers[i];
        else if (drivers[kept - 1].sha256 == NULL)
            drivers[kept - 1] = drivers[i];
    }
    return kept;
}

static void cache_open(struct inventory *inventory)
{
    struct err err = {0};
    bool broken = false;
    if (inventory->loaded)
        return;
    inventory->loaded = true; /* whatever comes: the cache is only a help */
    if (!driver_system_root(inventory->system_root))
        inventory->system_root[0] = '\0';
    if (driver_cache_load(&inventory->cache, inventory->files, &broken, &err) != ST_OK)
        log_warning("could not read what is known of driver files", "reason", err.message);
    if (broken)
        log_warning("what is known of driver files is broken; it is made again");
}

enum status inventory_take(struct inventory *inventory, struct nt_reader *reader,
                           const struct source_request *request, const uint32_t *live,
                           size_t live_count, struct arena *arena,
                           struct snapshot_driver **ret_drivers, size_t *ret_count, struct err *err)
{
    struct arena scratch AUTO_ARENA = {0};
    struct nt_module *modules;
    size_t count;
    enum status st = nt_modules(reader, &scratch, &modules, &count, err);
    if (st != ST_OK)
        return st;
    if (count > LIMIT_DRIVERS)
        count = LIMIT_DRIVERS;
    struct snapshot_driver *drivers = arena_alloc(arena, count, sizeof *drivers);
    if (drivers == NULL)
        return err_set(err, ST_NOMEM, "out of memory");
    struct take take = {.inventory = inventory,
                        .request = request,
                        .live = live,
                        .live_count = live_count,
                        .deadline_us = clock_mono_us() + READ_BUDGET_US};
    cache_open(inventory);
    driver_cache_begin(&inventory->cache);
    inventory->incomplete = false;
    for (size_t i = 0; i < count && st == ST_OK; i++)
        st = driver_make(&take, &modules[i], arena, &drivers[i]);
    if (take.in_background)
        driver_background_end();
    if (st != ST_OK) {
        inventory->incomplete = true;
        return err_set(err, st, "out of memory");
    }
    if (!inventory->incomplete)
        driver_cache_end(&inventory->cache);
    struct err fault = {0};
    if (driver_cache_save(&inventory->cache, inventory->files, &fault) != ST_OK)
        log_debug("could not keep what is known of driver files", "reason", fault.message);
    if (inventory->incomplete)
        return err_set(err, ST_BUSY, "driver files are still being read");
    inventory->modules = modules_digest(modules, count);
    *ret_count = drivers_sort(drivers, count);
    *ret_drivers = drivers;
    return ST_OK;
}
