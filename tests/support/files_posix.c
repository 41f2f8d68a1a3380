/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/files_posix.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEMPORARY ".tmp"

static enum status failed(struct err *err, const char *what, const char *name)
{
    enum status st = errno == ENOENT                      ? ST_NOT_FOUND
                     : errno == ENOSPC || errno == EDQUOT ? ST_TOO_LARGE
                                                          : ST_IO;
    return err_set(err, st, "could not %s file \"%s\": %s", what, name, strerror(errno));
}

static bool is_temporary(const char *name)
{
    size_t length = strlen(name);
    return length > sizeof TEMPORARY - 1 &&
           strcmp(name + length - (sizeof TEMPORARY - 1), TEMPORARY) == 0;
}

static bool write_all(int fd, const char *data, size_t length)
{
    while (length > 0) {
        ssize_t written = write(fd, data, length);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return false;
        data += written;
        length -= (size_t)written;
    }
    return true;
}

static enum status write_file(void *arg, const char *name, const void *data, size_t length,
                              struct err *err)
{
    struct files_posix *files = arg;
    char temporary[128];
    snprintf(temporary, sizeof temporary, "%.100s" TEMPORARY, name);
    int fd = openat(files->folder, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return failed(err, "write", name);
    bool written = write_all(fd, data, length) && (!files->sync || fdatasync(fd) == 0);
    if (close(fd) != 0 || !written ||
        renameat(files->folder, temporary, files->folder, name) != 0) {
        enum status st = failed(err, "write", name);
        unlinkat(files->folder, temporary, 0);
        return st;
    }
    if (files->sync && fsync(files->folder) != 0)
        return failed(err, "write", name);
    return ST_OK;
}

static enum status read_file(void *arg, const char *name, size_t max, struct strbuf *out,
                             struct err *err)
{
    struct files_posix *files = arg;
    char piece[16384];
    ssize_t got;
    int fd = openat(files->folder, name, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return failed(err, "read", name);
    strbuf_clear(out);
    while ((got = read(fd, piece, sizeof piece)) > 0 && out->length <= max)
        strbuf_add(out, piece, (size_t)got);
    enum status st = got < 0 ? failed(err, "read", name) : ST_OK;
    close(fd);
    if (st == ST_OK && out->length > max)
        st = err_set(err, ST_TOO_LARGE, "file \"%s\" is too large", name);
    if (st == ST_OK && strbuf_failed(out))
        st = err_set(err, ST_NOMEM, "could not read file \"%s\": out of memory", name);
    return st;
}

static enum status remove_file(void *arg, const char *name, struct err *err)
{
    struct files_posix *files = arg;
    if (unlinkat(files->folder, name, 0) != 0 && errno != ENOENT)
        return failed(err, "remove", name);
    return ST_OK;
}

static enum status list_all(struct files_posix *files, bool temporary,
                            bool (*each)(void *context, const char *name, uint64_t length),
                            void *context, struct err *err)
{
    int fd = openat(files->folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (dir == NULL)
        return failed(err, "list", ".");
    const struct dirent *entry;
    while ((entry = readdir(dir)) != NULL) {
        struct stat facts;
        if (is_temporary(entry->d_name) != temporary ||
            fstatat(files->folder, entry->d_name, &facts, 0) != 0 || !S_ISREG(facts.st_mode))
            continue;
        if (!each(context, entry->d_name, (uint64_t)facts.st_size))
            break;
    }
    closedir(dir);
    return ST_OK;
}

static enum status list_files(void *arg,
                              bool (*each)(void *context, const char *name, uint64_t length),
                              void *context, struct err *err)
{
    return list_all(arg, false, each, context, err);
}

static bool remove_each(void *context, const char *name, uint64_t length)
{
    (void)length;
    (void)!remove_file(context, name, NULL);
    return true;
}

enum status files_posix_open(struct files_posix *ret_files, const char *folder, bool sync,
                             struct err *err)
{
    struct files_posix files = {.folder = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC),
                                .sync = sync};
    if (files.folder < 0)
        return failed(err, "open", folder);
    files.files = (struct files){ret_files, write_file, read_file, remove_file, list_files};
    *ret_files = files;
    return list_all(ret_files, true, remove_each, ret_files, err);
}

void files_posix_close(struct files_posix *files)
{
    if (files->folder >= 0)
        close(files->folder);
    files->folder = -1;
}
