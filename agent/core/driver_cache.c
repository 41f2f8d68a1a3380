/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file: "PFD1", the CRC-32 of the rest (4 bytes, little-endian), and a CBOR array of entries,
 * each an array: path, size, changed (two's complement as uint), stamp, version, company, product,
 * symbols, sha256, scanned, tags.
 */
#include "agent/core/driver_cache.h"
#include "common/cbor.h"
#include "common/limits.h"
#include "common/utf8.h"

#include <strings.h>
#include <zlib.h>

#define CACHE_MAGIC      "PFD1"
#define CACHE_HEAD_BYTES 8u
#define CACHE_FILE_MAX   (8u << 20) /* 4,096 drivers of 500 bytes and their tags */
#define ENTRY_ITEMS      11u
#define CACHE_PATH_MAX   1024u

static void entry_free(struct driver_entry *entry)
{
    arena_done(&entry->arena);
    free(entry);
}

void driver_cache_done(struct driver_cache *cache)
{
    for (size_t i = 0; i < cache->count; i++)
        entry_free(cache->entries[i]);
    free(cache->entries);
    *cache = (struct driver_cache){0};
}

/* The first place whose path is not before this one. */
static size_t cache_place(const struct driver_cache *cache, const char *path)
{
    size_t low = 0, high = cache->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcasecmp(cache->entries[middle]->path, path) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool cache_holds(const struct driver_cache *cache, size_t place, const char *path)
{
    return place < cache->count && strcasecmp(cache->entries[place]->path, path) == 0;
}

void driver_cache_begin(struct driver_cache *cache)
{
    for (size_t i = 0; i < cache->count; i++)
        cache->entries[i]->used = false;
}

void driver_cache_end(struct driver_cache *cache)
{
    size_t kept = 0;
    for (size_t i = 0; i < cache->count; i++) {
        if (cache->entries[i]->used)
            cache->entries[kept++] = cache->entries[i];
        else
            entry_free(cache->entries[i]);
    }
    if (kept != cache->count)
        cache->changed = true;
    cache->count = kept;
}

struct driver_entry *driver_cache_find(struct driver_cache *cache, const char *path, uint64_t size,
                                       int64_t changed)
{
    size_t place = cache_place(cache, path);
    if (!cache_holds(cache, place, path))
        return NULL;
    struct driver_entry *entry = cache->entries[place];
    if (entry->size != size || entry->changed != changed)
        return NULL;
    entry->used = true;
    return entry;
}

static bool cache_grow(struct driver_cache *cache)
{
    if (cache->count < cache->capacity)
        return true;
    size_t capacity = cache->capacity == 0 ? 256 : cache->capacity * 2;
    struct driver_entry **entries = realloc(cache->entries, capacity * sizeof *entries);
    if (entries == NULL)
        return false;
    cache->entries = entries;
    cache->capacity = capacity;
    return true;
}

struct driver_entry *driver_cache_put(struct driver_cache *cache, const char *path, uint64_t size,
                                      int64_t changed)
{
    size_t place = cache_place(cache, path);
    struct driver_entry *entry = calloc(1, sizeof *entry);
    if (entry == NULL || !cache_grow(cache)) {
        free(entry);
        return NULL;
    }
    entry->path = arena_strdup(&entry->arena, path);
    if (entry->path == NULL) {
        entry_free(entry);
        return NULL;
    }
    entry->size = size;
    entry->changed = changed;
    entry->version = entry->company = entry->product = entry->symbols = "";
    entry->used = true;
    cache->changed = true;
    if (cache_holds(cache, place, path)) {
        entry_free(cache->entries[place]);
    } else {
        memmove(cache->entries + place + 1, cache->entries + place,
                (cache->count - place) * sizeof *cache->entries);
        cache->count++;
    }
    cache->entries[place] = entry;
    return entry;
}

/* ---- the file */

static void entry_write(const struct driver_entry *entry, struct strbuf *out)
{
    cbor_put_array(out, ENTRY_ITEMS);
    cbor_put_text(out, entry->path);
    cbor_put_uint(out, entry->size);
    cbor_put_uint(out, (uint64_t)entry->changed);
    cbor_put_uint(out, entry->stamp);
    cbor_put_text(out, entry->version);
    cbor_put_text(out, entry->company);
    cbor_put_text(out, entry->product);
    cbor_put_text(out, entry->symbols);
    cbor_put_text(out, entry->sha256);
    cbor_put_bool(out, entry->scanned);
    cbor_put_array(out, entry->tag_count);
    for (size_t i = 0; i < entry->tag_count; i++)
        cbor_put_uint(out, entry->tags[i]);
}

static uint32_t checksum(const void *data, size_t length)
{
    return (uint32_t)crc32(0, data, (uInt)length);
}

enum status driver_cache_save(struct driver_cache *cache, const struct files *files,
                              struct err *err)
{
    struct strbuf out AUTO_STRBUF = STRBUF_INIT;
    if (!cache->changed)
        return ST_OK;
    strbuf_add(&out, CACHE_MAGIC "\0\0\0\0", CACHE_HEAD_BYTES);
    cbor_put_array(&out, cache->count);
    for (size_t i = 0; i < cache->count; i++)
        entry_write(cache->entries[i], &out);
    if (strbuf_failed(&out))
        return err_set(err, ST_NOMEM, "out of memory");
    uint32_t crc = checksum(out.data + CACHE_HEAD_BYTES, out.length - CACHE_HEAD_BYTES);
    for (unsigned i = 0; i < 4; i++)
        out.data[4 + i] = (char)(crc >> (8 * i) & 0xff);
    enum status st = files->write(files->arg, DRIVER_CACHE_FILE, out.data, out.length, err);
    if (st == ST_OK)
        cache->changed = false;
    return st;
}

/* A text of at most `max` bytes without NUL, copied into the entry's arena. */
static char *read_text(struct cbor_reader *reader, struct arena *arena, size_t max)
{
    const char *text;
    size_t length;
    if (!cbor_read_text(reader, &text, &length))
        return NULL;
    if (length > max || memchr(text, '\0', length) != NULL || !utf8_valid(text, length)) {
        cbor_fail(reader, "bad text");
        return NULL;
    }
    char *copy = arena_strndup(arena, text, length);
    if (copy == NULL)
        cbor_fail(reader, "out of memory");
    return copy;
}

static void read_tags(struct cbor_reader *reader, struct driver_entry *entry)
{
    size_t count;
    if (!cbor_read_array(reader, &count))
        return;
    if (count > LIMIT_TAGS_PER_DRIVER) {
        cbor_fail(reader, "too many tags");
        return;
    }
    entry->tags = arena_alloc(&entry->arena, count, sizeof *entry->tags);
    if (entry->tags == NULL)
        cbor_fail(reader, "out of memory");
    uint64_t tag = 0;
    while (cbor_more(reader) && cbor_read_uint(reader, &tag)) {
        if (tag > UINT32_MAX)
            cbor_fail(reader, "bad tag");
        else
            entry->tags[entry->tag_count++] = (uint32_t)tag;
    }
}

static bool entry_read(struct cbor_reader *reader, struct driver_cache *cache)
{
    struct arena scratch AUTO_ARENA = {0};
    size_t items;
    uint64_t size, changed, stamp;
    if (!cbor_read_array(reader, &items) || items != ENTRY_ITEMS)
        return false;
    char *path = read_text(reader, &scratch, CACHE_PATH_MAX);
    if (path == NULL || !cbor_read_uint(reader, &size) || !cbor_read_uint(reader, &changed) ||
        !cbor_read_uint(reader, &stamp))
        return false;
    struct driver_entry *entry = driver_cache_put(cache, path, size, (int64_t)changed);
    if (entry == NULL)
        return cbor_fail(reader, "out of memory");
    entry->stamp = (uint32_t)stamp;
    const char **texts[] = {&entry->version, &entry->company, &entry->product, &entry->symbols};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        char *text = read_text(reader, &entry->arena, LIMIT_TEXT_BYTES);
        if (text == NULL)
            return false;
        *texts[i] = text;
    }
    char *sha256 = read_text(reader, &scratch, SHA256_TEXT_MAX - 1);
    if (sha256 == NULL ||
        (*sha256 != '\0' && (strlen(sha256) != SHA256_TEXT_MAX - 1 ||
                             strspn(sha256, "0123456789abcdef") != SHA256_TEXT_MAX - 1)))
        return false;
    snprintf(entry->sha256, sizeof entry->sha256, "%s", sha256);
    if (!cbor_read_bool(reader, &entry->scanned))
        return false;
    read_tags(reader, entry);
    return !reader->failed && !cbor_more(reader) && !reader->failed;
}

static bool cache_read(struct driver_cache *cache, const char *data, size_t length)
{
    struct cbor_reader reader;
    size_t count;
    uint32_t crc = 0;
    if (length < CACHE_HEAD_BYTES || memcmp(data, CACHE_MAGIC, 4) != 0)
        return false;
    for (unsigned i = 0; i < 4; i++)
        crc |= (uint32_t)(unsigned char)data[4 + i] << (8 * i);
    if (crc != checksum(data + CACHE_HEAD_BYTES, length - CACHE_HEAD_BYTES))
        return false;
    cbor_read_init(&reader, data + CACHE_HEAD_BYTES, length - CACHE_HEAD_BYTES);
    if (!cbor_read_array(&reader, &count) || count > LIMIT_DRIVERS)
        return false;
    while (cbor_more(&reader)) {
        if (!entry_read(&reader, cache))
            return false;
    }
    return !reader.failed;
}

enum status driver_cache_load(struct driver_cache *cache, const struct files *files,
                              bool *ret_broken, struct err *err)
{
    struct strbuf text AUTO_STRBUF = STRBUF_INIT;
    *ret_broken = false;
    *cache = (struct driver_cache){0};
    enum status st = files->read(files->arg, DRIVER_CACHE_FILE, CACHE_FILE_MAX, &text, err);
    if (st == ST_NOT_FOUND)
        return ST_OK;
    if (st != ST_OK && st != ST_TOO_LARGE)
        return st;
    if (st == ST_TOO_LARGE || !cache_read(cache, text.data == NULL ? "" : text.data, text.length)) {
        driver_cache_done(cache);
        *ret_broken = true;
        cache->changed = true;
        return ST_OK;
    }
    cache->changed = false;
    return ST_OK;
}
