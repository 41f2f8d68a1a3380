/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/fake_disk.h"

#define REMOVED_MAX 8u
#define PIECES      4u
#define FILE_NAME   64

struct fake_file {
    char name[FILE_NAME];
    struct strbuf data;
    bool unsure; /* written since the last cut on a lying disk */
};

uint64_t fake_disk_random(struct fake_disk *disk, uint64_t below)
{
    uint64_t z = (disk->random += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (z ^ (z >> 31)) % below;
}

static struct fake_file *find(const struct fake_disk *disk, const char *name)
{
    for (size_t i = 0; i < disk->count; i++) {
        if (strcmp(disk->files_there[i].name, name) == 0)
            return &disk->files_there[i];
    }
    return NULL;
}

const struct strbuf *fake_disk_find(const struct fake_disk *disk, const char *name)
{
    const struct fake_file *file = find(disk, name);
    return file != NULL ? &file->data : NULL;
}

static void put(struct fake_disk *disk, const char *name, const void *data, size_t length)
{
    struct fake_file *file = find(disk, name);
    if (file == NULL) {
        if (disk->count == disk->capacity) {
            disk->capacity = disk->capacity * 2 + 16;
            disk->files_there =
                realloc(disk->files_there, disk->capacity * sizeof *disk->files_there);
        }
        file = &disk->files_there[disk->count++];
        *file = (struct fake_file){0};
        snprintf(file->name, sizeof file->name, "%s", name);
    }
    strbuf_clear(&file->data);
    strbuf_add(&file->data, data, length);
    file->unsure = disk->lying;
}

void fake_disk_put(struct fake_disk *disk, const char *name, const void *data, size_t length)
{
    put(disk, name, data, length);
}

size_t fake_disk_count(const struct fake_disk *disk, const char *prefix)
{
    size_t count = 0;
    for (size_t i = 0; i < disk->count; i++)
        count += strncmp(disk->files_there[i].name, prefix, strlen(prefix)) == 0;
    return count;
}

static void take_out(struct fake_disk *disk, struct fake_file *file)
{
    struct fake_file *last = &disk->files_there[--disk->count];
    if (file != last)
        *file = *last;
}

static void forget_removed(struct fake_disk *disk)
{
    for (size_t i = 0; i < disk->removed_count; i++)
        strbuf_done(&disk->removed[i].data);
    disk->removed_count = 0;
}

/* What the platters hold once the power is gone. */
static void cut(struct fake_disk *disk)
{
    disk->dead = true;
    for (size_t i = 0; i < disk->removed_count; i++) {
        struct fake_file *gone = &disk->removed[i];
        if (fake_disk_random(disk, 3) != 0 || find(disk, gone->name) != NULL)
            continue;
        put(disk, gone->name, gone->data.data, gone->data.length);
        disk->returned++;
    }
    forget_removed(disk);
    for (size_t i = 0; i < disk->count; i++) {
        struct fake_file *file = &disk->files_there[i];
        bool torn = file->unsure && file->data.length > 0 && fake_disk_random(disk, 2) == 0;
        file->unsure = false;
        if (!torn)
            continue;
        disk->torn++;
        if (fake_disk_random(disk, 2) == 0) /* the length is there, the content is not */
            memset(file->data.data + file->data.length / 2, 0,
                   file->data.length - file->data.length / 2);
        else
            file->data.length = fake_disk_random(disk, file->data.length);
    }
}

/* True: the power was cut in this step. */
static bool step(struct fake_disk *disk)
{
    disk->step++;
    if (disk->cut_at == 0 || disk->step != disk->cut_at)
        return false;
    cut(disk);
    return true;
}

static enum status gone(struct err *err)
{
    return err_set(err, ST_IO, "could not use the disk: no power");
}

static enum status write_file(void *arg, const char *name, const void *data, size_t length,
                              struct err *err)
{
    struct fake_disk *disk = arg;
    uint64_t used = 0;
    char temporary[FILE_NAME];
    if (disk->dead)
        return gone(err);
    for (size_t i = 0; i < disk->count; i++)
        used += disk->files_there[i].data.length;
    if (disk->max_bytes != 0 && used + length > disk->max_bytes)
        return err_set(err, ST_TOO_LARGE, "could not write file \"%s\": no space left", name);
    if (disk->no_writes)
        return err_set(err, ST_IO, "could not write file \"%s\": access denied", name);
    snprintf(temporary, sizeof temporary, "%.50s.tmp", name);
    for (unsigned i = 0; i <= PIECES + 1; i++) { /* made, pieces, flush */
        size_t written = i <= PIECES ? length * i / PIECES : length;
        if (!step(disk))
            continue;
        if (fake_disk_random(disk, 2) == 0)
            put(disk, temporary, data, written);
        return gone(err);
    }
    for (unsigned i = 0; i < 2; i++) { /* rename, flush of the folder */
        if (!step(disk))
            continue;
        if (fake_disk_random(disk, 2) == 0)
            put(disk, name, data, disk->lying ? fake_disk_random(disk, length + 1) : length);
        return gone(err);
    }
    put(disk, name, data, length);
    disk->writes += strncmp(name, "spool-", 6) == 0;
    if (!disk->lying)
        forget_removed(disk); /* flushed with the folder */
    return ST_OK;
}

static enum status read_file(void *arg, const char *name, size_t max, struct strbuf *out,
                             struct err *err)
{
    struct fake_disk *disk = arg;
    if (disk->dead)
        return gone(err);
    if (disk->no_read != NULL && strcmp(disk->no_read, name) == 0)
        return err_set(err, ST_IO, "could not read file \"%s\": sharing violation", name);
    const struct fake_file *file = find(disk, name);
    if (file == NULL)
        return err_set(err, ST_NOT_FOUND, "file \"%s\" is not there", name);
    if (file->data.length > max)
        return err_set(err, ST_TOO_LARGE, "file \"%s\" is too large", name);
    strbuf_clear(out);
    strbuf_add(out, file->data.data, file->data.length);
    return ST_OK;
}

static enum status remove_file(void *arg, const char *name, struct err *err)
{
    struct fake_disk *disk = arg;
    if (disk->dead)
        return gone(err);
    if (disk->no_removes)
        return err_set(err, ST_IO, "could not remove file \"%s\": access denied", name);
    struct fake_file *file = find(disk, name);
    if (file == NULL)
        return ST_OK;
    bool is_cut = step(disk);
    if (is_cut && fake_disk_random(disk, 2) == 0) {
        disk->returned++;
        return gone(err);
    }
    file = find(disk, name); /* a cut may have moved it */
    if (file == NULL)
        return is_cut ? gone(err) : ST_OK;
    if (!is_cut && disk->removed_count < REMOVED_MAX) {
        disk->removed[disk->removed_count++] = *file;
        file->data = (struct strbuf)STRBUF_INIT;
    }
    strbuf_done(&file->data);
    take_out(disk, file);
    return is_cut ? gone(err) : ST_OK;
}

static enum status list_files(void *arg,
                              bool (*each)(void *context, const char *name, uint64_t length),
                              void *context, struct err *err)
{
    struct fake_disk *disk = arg;
    if (disk->dead)
        return gone(err);
    for (size_t i = 0; i < disk->count; i++) {
        if (!each(context, disk->files_there[i].name, disk->files_there[i].data.length))
            return ST_OK;
    }
    return ST_OK;
}

void fake_disk_init(struct fake_disk *disk, uint64_t seed)
{
    *disk = (struct fake_disk){.random = seed};
    disk->files = (struct files){disk, write_file, read_file, remove_file, list_files};
    disk->removed = calloc(REMOVED_MAX, sizeof *disk->removed);
}

void fake_disk_done(struct fake_disk *disk)
{
    for (size_t i = 0; i < disk->count; i++)
        strbuf_done(&disk->files_there[i].data);
    forget_removed(disk);
    free(disk->files_there);
    free(disk->removed);
    *disk = (struct fake_disk){0};
}

void fake_disk_power_on(struct fake_disk *disk)
{
    disk->dead = false;
    disk->cut_at = 0;
    /* As the real file layers do when they open their folder. */
    for (size_t i = disk->count; i-- > 0;) {
        struct fake_file *file = &disk->files_there[i];
        size_t length = strlen(file->name);
        if (length < 4 || strcmp(file->name + length - 4, ".tmp") != 0)
            continue;
        strbuf_done(&file->data);
        take_out(disk, file);
    }
}
