/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/core/spool.h"
#include "common/snapshot.h"

#include <zlib.h>

#define NAME_PREFIX     "spool-"
#define NAME_DIGITS     16u
#define NAME_MAX_       (sizeof NAME_PREFIX + NAME_DIGITS)
#define RECORD_VERSION  1u
#define CHECKSUM_OFFSET 12u

static const unsigned char magic[4] = {'P', 'F', 'S', 'P'};

/* The header, little-endian; after it the payload. The checksum is over all of it with the checksum
 * itself as zeroes.
 *    0 magic, 4 version u16, 6 header bytes u16, 8 payload bytes u32, 12 CRC-32 u32, 16 number,
 *   24 taken_at, 32 boot_at, 40 sequence, 48 base, 56 dropped, 64 counted below, 72 zero */
struct header {
    struct spool_entry entry;
    uint64_t dropped;
    uint64_t counted_below; /* records of lower numbers are in `dropped`, should one turn up */
};

static void put(unsigned char *at, uint64_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        at[i] = (unsigned char)(value >> (8 * i));
}

static uint64_t get(const unsigned char *at, unsigned bytes)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < bytes; i++)
        value |= (uint64_t)at[i] << (8 * i);
    return value;
}

static uint32_t checksum(const unsigned char *record, size_t length)
{
    static const unsigned char zeroes[4] = {0};
    uLong crc = crc32(0, record, CHECKSUM_OFFSET);
    crc = crc32(crc, zeroes, sizeof zeroes);
    size_t rest = CHECKSUM_OFFSET + sizeof zeroes;
    return (uint32_t)crc32(crc, record + rest, (uInt)(length - rest));
}

static void header_write(const struct header *header, unsigned char record[SPOOL_HEADER_BYTES])
{
    memset(record, 0, SPOOL_HEADER_BYTES);
    memcpy(record, magic, sizeof magic);
    put(record + 4, RECORD_VERSION, 2);
    put(record + 6, SPOOL_HEADER_BYTES, 2);
    put(record + 8, header->entry.length, 4);
    put(record + 16, header->entry.number, 8);
    put(record + 24, (uint64_t)header->entry.taken_at_us, 8);
    put(record + 32, (uint64_t)header->entry.boot_at_us, 8);
    put(record + 40, (uint64_t)header->entry.sequence, 8);
    put(record + 48, (uint64_t)header->entry.base, 8);
    put(record + 56, header->dropped, 8);
    put(record + 64, header->counted_below, 8);
}

/* False: torn, of another kind, or not the record its name says. */
static bool header_read(const struct strbuf *file, uint64_t number, struct header *ret_header)
{
    const unsigned char *record = (const unsigned char *)file->data;
    if (file->length < SPOOL_HEADER_BYTES || file->length > SPOOL_RECORD_MAX ||
        memcmp(record, magic, sizeof magic) != 0 || get(record + 4, 2) != RECORD_VERSION ||
        get(record + 6, 2) != SPOOL_HEADER_BYTES ||
        get(record + 8, 4) != file->length - SPOOL_HEADER_BYTES ||
        get(record + 12, 4) != checksum(record, file->length) || get(record + 16, 8) != number)
        return false;
    *ret_header = (struct header){
        .entry = {.number = number,
                  .taken_at_us = (int64_t)get(record + 24, 8),
                  .boot_at_us = (int64_t)get(record + 32, 8),
                  .sequence = (int64_t)get(record + 40, 8),
                  .base = (int64_t)get(record + 48, 8),
                  .length = (size_t)get(record + 8, 4)},
        .dropped = get(record + 56, 8),
        .counted_below = get(record + 64, 8),
    };
    return true;
}

static void name_of(uint64_t number, char ret_name[NAME_MAX_])
{
    static const char digits[] = "0123456789abcdef";
    memcpy(ret_name, NAME_PREFIX, sizeof NAME_PREFIX - 1);
    char *at = ret_name + sizeof NAME_PREFIX - 1;
    for (unsigned i = 0; i < NAME_DIGITS; i++)
        at[i] = digits[number >> (60 - 4 * i) & 15];
    at[NAME_DIGITS] = '\0';
}

static bool number_of(const char *name, uint64_t *ret_number)
{
    uint64_t number = 0;
    if (strncmp(name, NAME_PREFIX, sizeof NAME_PREFIX - 1) != 0)
        return false;
    name += sizeof NAME_PREFIX - 1;
    for (unsigned i = 0; i < NAME_DIGITS; i++) {
        char c = name[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
            return false;
        number = number << 4 | (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    *ret_number = number;
    return name[NAME_DIGITS] == '\0' && number != 0 && number != UINT64_MAX;
}

static uint64_t file_bytes(const struct spool_entry *entry)
{
    return (uint64_t)entry->length + SPOOL_HEADER_BYTES;
}

static bool grow(struct spool *spool, size_t wanted)
{
    if (wanted <= spool->capacity)
        return true;
    size_t capacity = spool->capacity < 32 ? 64 : spool->capacity * 2;
    struct spool_entry *entries = realloc(spool->entries, capacity * sizeof *entries);
    if (entries == NULL)
        return false;
    spool->entries = entries;
    spool->capacity = capacity;
    return true;
}

static void forget(struct spool *spool, size_t index)
{
    spool->bytes -= file_bytes(&spool->entries[index]);
    spool->count--;
    memmove(&spool->entries[index], &spool->entries[index + 1],
            (spool->count - index) * sizeof *spool->entries);
}

static enum status remove_file(struct spool *spool, uint64_t number, struct err *err)
{
    char name[NAME_MAX_];
    name_of(number, name);
    return spool->files->remove(spool->files->arg, name, err);
}

static void count_loss(struct spool *spool, enum spool_loss why)
{
    spool->losses[why]++;
    spool->dropped++;
}

/* ---- opening */

static bool collect(void *context, const char *name, uint64_t length)
{
    struct spool *spool = context;
    uint64_t number;
    (void)length;
    if (!number_of(name, &number))
        return true;
    if (!grow(spool, spool->count + 1)) {
        spool->count = SIZE_MAX;
        return false;
    }
    spool->entries[spool->count++] = (struct spool_entry){.number = number};
    return true;
}

static int compare_numbers(const void *a, const void *b)
{
    uint64_t x = ((const struct spool_entry *)a)->number;
    uint64_t y = ((const struct spool_entry *)b)->number;
    return x < y ? -1 : x > y;
}

/* Reads each file found, newest first so that what is already counted is known before it comes.
 * Entries stay in their places; those that are gone get number 0. */
static void read_found(struct spool *spool)
{
    AUTO_STRBUF struct strbuf file = STRBUF_INIT;
    uint64_t counted_below = 0;
    bool newest = true;
    for (size_t i = spool->count; i-- > 0;) {
        struct spool_entry *entry = &spool->entries[i];
        struct header header;
        char name[NAME_MAX_];
        name_of(entry->number, name);
        enum status st = spool->files->read(spool->files->arg, name, SPOOL_RECORD_MAX, &file, NULL);
        if (st == ST_OK && header_read(&file, entry->number, &header)) {
            if (newest && header.dropped > spool->dropped)
                spool->dropped = header.dropped;
            if (newest)
                counted_below = header.counted_below;
            newest = false;
            if (entry->number >= counted_below) {
                *entry = header.entry;
                continue;
            }
            (void)remove_file(spool, entry->number, NULL);
        } else if (st == ST_OK || st == ST_TOO_LARGE) {
            if (entry->number >= counted_below)
                count_loss(spool, SPOOL_LOSS_TORN);
            (void)remove_file(spool, entry->number, NULL);
        } else {
            spool->unreadable++; /* perhaps open in a virus scanner */
        }
        entry->number = 0;
    }
}

enum status spool_open(struct spool *ret_spool, const struct files *files,
                       const struct spool_limits *limits, uint64_t next_number, uint64_t dropped,
                       struct err *err)
{
    struct spool spool = {.files = files, .limits = *limits, .dropped = dropped};
    enum status st = files->list(files->arg, collect, &spool, err);
    if (st != ST_OK || spool.count == SIZE_MAX) {
        free(spool.entries);
        return st != ST_OK ? st : err_set(err, ST_NOMEM, "could not read the spool: out of memory");
    }
    if (spool.count > 0)
        qsort(spool.entries, spool.count, sizeof *spool.entries, compare_numbers);
    spool.next_number = next_number > 0 ? next_number : 1;
    if (spool.count > 0 && spool.entries[spool.count - 1].number >= spool.next_number)
        spool.next_number = spool.entries[spool.count - 1].number + 1;
    read_found(&spool);
    size_t kept = 0;
    for (size_t i = 0; i < spool.count; i++) {
        if (spool.entries[i].number == 0)
            continue;
        spool.bytes += file_bytes(&spool.entries[i]);
        spool.entries[kept++] = spool.entries[i];
    }
    spool.count = kept;
    *ret_spool = spool;
    return ST_OK;
}

void spool_done(struct spool *spool)
{
    free(spool->entries);
    *spool = (struct spool){0};
}

/* ---- appending */

/* How many of the oldest have to go for `more` bytes, and why each. */
static size_t plan_drops(const struct spool *spool, uint64_t more, int64_t now_us,
                         uint64_t losses[SPOOL_LOSS_COUNT])
{
    uint64_t bytes = spool->bytes;
    size_t drops = 0;
    for (; drops < spool->count; drops++) {
        const struct spool_entry *oldest = &spool->entries[drops];
        /* Unsigned: no two times can overflow it. */
        bool old =
            now_us > oldest->taken_at_us &&
            (uint64_t)now_us - (uint64_t)oldest->taken_at_us > (uint64_t)spool->limits.age_us;
        bool over = bytes + more > spool->limits.bytes;
        if (!old && !over)
            break;
        losses[old ? SPOOL_LOSS_AGE : SPOOL_LOSS_BYTES]++;
        bytes -= file_bytes(oldest);
    }
    return drops;
}

static void drop_oldest(struct spool *spool, size_t count)
{
    for (size_t i = 0; i < count; i++)
        (void)remove_file(spool, spool->entries[i].number, NULL);
    for (size_t i = 0; i < count; i++)
        spool->bytes -= file_bytes(&spool->entries[i]);
    spool->count -= count;
    memmove(spool->entries, spool->entries + count, spool->count * sizeof *spool->entries);
}

static enum status write_record(struct spool *spool, const struct header *header, const void *data,
                                struct err *err)
{
    AUTO_STRBUF struct strbuf record = STRBUF_INIT;
    unsigned char head[SPOOL_HEADER_BYTES];
    char name[NAME_MAX_];
    header_write(header, head);
    strbuf_reserve(&record, sizeof head + header->entry.length);
    strbuf_add(&record, head, sizeof head);
    strbuf_add(&record, data, header->entry.length);
    if (strbuf_failed(&record))
        return err_set(err, ST_NOMEM, "could not keep a snapshot: out of memory");
    unsigned char *bytes = (unsigned char *)record.data;
    put(bytes + CHECKSUM_OFFSET, checksum(bytes, record.length), 4);
    name_of(header->entry.number, name);
    return spool->files->write(spool->files->arg, name, record.data, record.length, err);
}

/* The disk is full: gives up the oldest until twice the record is free. False: nothing to give. */
static bool make_room(struct spool *spool, uint64_t wanted)
{
    uint64_t freed = 0;
    size_t drops = 0;
    while (drops < spool->count && freed < 2 * wanted)
        freed += file_bytes(&spool->entries[drops++]);
    for (size_t i = 0; i < drops; i++)
        count_loss(spool, SPOOL_LOSS_BYTES);
    drop_oldest(spool, drops);
    return drops > 0;
}

enum status spool_append(struct spool *spool, const struct spool_entry *entry, const void *data,
                         size_t length, int64_t now_us, struct err *err)
{
    struct header header = {.entry = *entry};
    if (length > LIMIT_BODY_BYTES || length + SPOOL_HEADER_BYTES > spool->limits.bytes)
        return err_set(err, ST_TOO_LARGE, "a snapshot of %u bytes is larger than the spool may be",
                       (unsigned)length);
    if (!grow(spool, spool->count + 1))
        return err_set(err, ST_NOMEM, "could not keep a snapshot: out of memory");
    header.entry.length = length;
    for (int round = 0;; round++) {
        uint64_t losses[SPOOL_LOSS_COUNT] = {0};
        size_t drops = plan_drops(spool, length + SPOOL_HEADER_BYTES, now_us, losses);
        header.entry.number = spool->next_number;
        header.dropped = spool->dropped + drops;
        header.counted_below =
            drops < spool->count ? spool->entries[drops].number : header.entry.number;
        enum status st = write_record(spool, &header, data, err);
        if (st == ST_TOO_LARGE && round == 0 && make_room(spool, length + SPOOL_HEADER_BYTES))
            continue;
        if (st != ST_OK)
            return st;
        /* Only now: the new record tells of those that go. */
        spool->dropped += drops;
        for (size_t i = 0; i < SPOOL_LOSS_COUNT; i++)
            spool->losses[i] += losses[i];
        drop_oldest(spool, drops);
        spool->entries[spool->count++] = header.entry;
        spool->bytes += file_bytes(&header.entry);
        spool->next_number++;
        return ST_OK;
    }
}

/* ---- taking out */

enum status spool_read(struct spool *spool, size_t index, struct strbuf *out, struct err *err)
{
    AUTO_STRBUF struct strbuf file = STRBUF_INIT;
    struct header header;
    char name[NAME_MAX_];
    uint64_t number = spool->entries[index].number;
    name_of(number, name);
    enum status st = spool->files->read(spool->files->arg, name, SPOOL_RECORD_MAX, &file, err);
    if (st == ST_OK && header_read(&file, number, &header)) {
        strbuf_add(out, file.data + SPOOL_HEADER_BYTES, file.length - SPOOL_HEADER_BYTES);
        return strbuf_failed(out) ? err_set(err, ST_NOMEM,
                                            "could not read a spooled snapshot: "
                                            "out of memory")
                                  : ST_OK;
    }
    if (st != ST_OK && st != ST_NOT_FOUND && st != ST_TOO_LARGE)
        return st;
    forget(spool, index);
    count_loss(spool, SPOOL_LOSS_TORN);
    (void)remove_file(spool, number, NULL);
    return err_set(err, ST_MALFORMED, "spooled snapshot %s is %s", name,
                   st == ST_NOT_FOUND ? "gone" : "torn");
}

enum status spool_remove(struct spool *spool, uint64_t number, struct err *err)
{
    size_t low = 0;
    size_t high = spool->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (spool->entries[middle].number < number)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == spool->count || spool->entries[low].number != number)
        return ST_OK;
    forget(spool, low);
    return remove_file(spool, number, err);
}

void spool_lost(struct spool *spool, uint64_t count)
{
    spool->dropped += count;
}
