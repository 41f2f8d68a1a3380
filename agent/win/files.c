/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The data folder. Two promises: a file is there whole or not at all (written beside, flushed,
 * renamed over), and nothing is ever written elsewhere (plain names only; the folder is held open
 * so that nobody can swap it; links planted in it are refused, not followed).
 *
 *   agent.lock            held open by the agent that owns the folder; holds its pid
 *   agent.log, agent.N.log  eventlog.c        agent.ini  settings        NAME.tmp  being written
 *   everything else       the core's, and "enroll" (secret.c)
 */
#include "agent/win/system.h"
#include "agent/win/wide.h"
#include "agent/win/win.h"

#include <ctype.h>

#define LOCK_NAME  "agent.lock"
#define TEMP_END   ".tmp"
#define NAME_CHARS 64   /* the core's longest name has 22 */
#define PATH_CHARS 1100 /* a folder of at most 1023, a separator, a name, ".tmp" */
/* Virus scanners and readers of `status` hold a file for some milliseconds: worth a short wait,
 * 200 ms in all, before it counts as failed. */
#define BUSY_TRIES   10
#define BUSY_WAIT_MS 20

struct win_files {
    struct files files;
    HANDLE folder;
    HANDLE lock;
    size_t prefix; /* characters of `path` that are the folder and its separator */
    wchar_t path[PATH_CHARS];
};

/* Plain, and not a name that older programs take for a device. */
static bool name_valid(const char *name)
{
    size_t length = strlen(name);
    if (length == 0 || length >= NAME_CHARS || name[0] == '.' || name[length - 1] == '.')
        return false;
    for (size_t i = 0; i < length; i++) {
        if (!isalnum((unsigned char)name[i]) && strchr(".-_", name[i]) == NULL)
            return false;
    }
    return true;
}

/* Not the core's: it neither sees nor touches them. */
static bool name_own(const char *name)
{
    size_t length = strlen(name);
    return strncmp(name, "agent.", 6) == 0 ||
           (length > 4 && strcmp(name + length - 4, TEMP_END) == 0);
}

/* The full path of a name, in `files`, until the next call. */
static const wchar_t *path_of(struct win_files *files, const char *name, const char *end)
{
    wchar_t *at = files->path + files->prefix;
    for (const char *c = name; *c != '\0'; c++)
        *at++ = (wchar_t)*c;
    for (const char *c = end; *c != '\0'; c++)
        *at++ = (wchar_t)*c;
    *at = L'\0';
    return files->path;
}

/* The contract of struct files knows fewer kinds of faults than Windows. */
static enum status fault(struct err *err, DWORD error, const char *verb, const char *name)
{
    char what[NAME_CHARS + 32];
    snprintf(what, sizeof what, "%s file \"%.64s\"", verb, name);
    enum status st = wide_error(err, error, what);
    if (st == ST_NOT_FOUND || st == ST_TOO_LARGE || st == ST_NOMEM)
        return st;
    if (err != NULL)
        err->code = ST_IO;
    return ST_IO;
}

static enum status bad_name(struct err *err, const char *name)
{
    return err_set(err, ST_BUG, "file name \"%.64s\" is not a plain name", name);
}

static bool is_busy(DWORD error)
{
    return error == ERROR_SHARING_VIOLATION || error == ERROR_ACCESS_DENIED ||
           error == ERROR_LOCK_VIOLATION;
}

/* A plain file, not a link or folder that someone put in its place. */
static bool is_plain(HANDLE file)
{
    BY_HANDLE_FILE_INFORMATION information;
    return GetFileInformationByHandle(file, &information) &&
           (information.dwFileAttributes &
            (FILE_ATTRIBUTE_REPARSE_POINT | FILE_ATTRIBUTE_DIRECTORY)) == 0;
}

/* ---- the four operations */

static bool write_whole(HANDLE file, const char *data, size_t length)
{
    while (length > 0) {
        DWORD wrote = 0;
        DWORD chunk = length > (1u << 20) ? 1u << 20 : (DWORD)length;
        if (!WriteFile(file, data, chunk, &wrote, NULL))
            return false;
        if (wrote == 0) {
            SetLastError(ERROR_DISK_FULL);
            return false;
        }
        data += wrote;
        length -= wrote;
    }
    return true;
}

/* 0 or an error. The temporary file is made anew: whatever lies there, even a link, goes. */
static DWORD write_temp(const wchar_t *path, const void *data, size_t length)
{
    DeleteFileW(path);
    HANDLE file = CreateFileW(path, GENERIC_WRITE, 0, NULL, CREATE_NEW,
                              FILE_ATTRIBUTE_NORMAL | FILE_FLAG_OPEN_REPARSE_POINT, NULL);
    if (file == INVALID_HANDLE_VALUE)
        return GetLastError();
    DWORD error = 0;
    if (!write_whole(file, data, length) || !FlushFileBuffers(file))
        error = GetLastError();
    CloseHandle(file);
    return error;
}

static DWORD move_over(const wchar_t *from, const wchar_t *to)
{
    for (unsigned i = 0;; i++) {
        if (MoveFileExW(from, to, MOVEFILE_REPLACE_EXISTING | MOVEFILE_WRITE_THROUGH))
            return 0;
        DWORD error = GetLastError();
        if (!is_busy(error) || i == BUSY_TRIES)
            return error;
        Sleep(BUSY_WAIT_MS);
    }
}

static enum status files_write(void *arg, const char *name, const void *data, size_t length,
                               struct err *err)
{
    struct win_files *files = arg;
    wchar_t temp[PATH_CHARS];
    if (!name_valid(name) || name_own(name))
        return bad_name(err, name);
    const wchar_t *path = path_of(files, name, TEMP_END);
    memcpy(temp, path, (wcslen(path) + 1) * sizeof *path);
    DWORD error = write_temp(temp, data, length);
    if (error == 0)
        error = move_over(temp, path_of(files, name, ""));
    if (error == 0)
        return ST_OK;
    DeleteFileW(temp);
    enum status st = fault(err, error, "write", name);
    return st == ST_NOT_FOUND ? ST_IO : st; /* the folder itself is gone */
}

static HANDLE open_to_read(const wchar_t *path)
{
    for (unsigned i = 0;; i++) {
        HANDLE file =
            CreateFileW(path, GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
                        NULL, OPEN_EXISTING, FILE_FLAG_OPEN_REPARSE_POINT, NULL);
        if (file != INVALID_HANDLE_VALUE || GetLastError() != ERROR_SHARING_VIOLATION ||
            i == BUSY_TRIES)
            return file;
        Sleep(BUSY_WAIT_MS);
    }
}

static enum status read_whole(HANDLE file, const char *name, size_t max, struct strbuf *out,
                              struct err *err)
{
    LARGE_INTEGER size;
    if (!GetFileSizeEx(file, &size))
        return fault(err, GetLastError(), "read", name);
    if (size.QuadPart < 0 || (uint64_t)size.QuadPart > max)
        return err_set(err, ST_TOO_LARGE,
                       "could not read file \"%s\": it is larger than %llu bytes", name,
                       (unsigned long long)max);
    if (!strbuf_reserve(out, (size_t)size.QuadPart))
        return err_set(err, ST_NOMEM, "could not read file \"%s\": out of memory", name);
    while (out->length < (size_t)size.QuadPart) {
        DWORD got = 0;
        if (!ReadFile(file, out->data + out->length, (DWORD)((size_t)size.QuadPart - out->length),
                      &got, NULL))
            return fault(err, GetLastError(), "read", name);
        if (got == 0)
            break;
        out->length += got;
    }
    if (out->data != NULL)
        out->data[out->length] = '\0';
    return ST_OK;
}

static enum status files_read(void *arg, const char *name, size_t max, struct strbuf *out,
                              struct err *err)
{
    struct win_files *files = arg;
    if (!name_valid(name))
        return bad_name(err, name);
    strbuf_clear(out);
    AUTO_HANDLE HANDLE file = open_to_read(path_of(files, name, ""));
    if (file == INVALID_HANDLE_VALUE)
        return fault(err, GetLastError(), "read", name);
    if (!is_plain(file))
        return err_set(err, ST_IO, "could not read file \"%s\": it is a link or a folder", name);
    return read_whole(file, name, max, out, err);
}

static enum status files_remove(void *arg, const char *name, struct err *err)
{
    struct win_files *files = arg;
    if (!name_valid(name) || name_own(name))
        return bad_name(err, name);
    for (unsigned i = 0;; i++) {
        if (DeleteFileW(path_of(files, name, "")))
            return ST_OK;
        DWORD error = GetLastError();
        if (error == ERROR_FILE_NOT_FOUND || error == ERROR_PATH_NOT_FOUND)
            return ST_OK;
        if (!is_busy(error) || i == BUSY_TRIES)
            return fault(err, error, "remove", name);
        Sleep(BUSY_WAIT_MS);
    }
}

/* Calls each() for every plain file with a plain name; own: also for lock, logs and leftovers. */
static enum status each_file(struct win_files *files, bool own,
                             bool (*each)(void *context, const char *name, uint64_t length),
                             void *context, struct err *err)
{
    WIN32_FIND_DATAW found;
    HANDLE search = FindFirstFileW(path_of(files, "*", ""), &found);
    if (search == INVALID_HANDLE_VALUE)
        return fault(err, GetLastError(), "list", "*");
    bool more = true;
    do {
        AUTO_FREE char *name = wide_to_utf8(found.cFileName);
        if ((found.dwFileAttributes & (FILE_ATTRIBUTE_DIRECTORY | FILE_ATTRIBUTE_REPARSE_POINT)) !=
                0 ||
            name == NULL || !name_valid(name) || (!own && name_own(name)))
            continue;
        more = each(context, name, (uint64_t)found.nFileSizeHigh << 32 | found.nFileSizeLow);
    } while (more && FindNextFileW(search, &found));
    DWORD error = more ? GetLastError() : ERROR_NO_MORE_FILES;
    FindClose(search);
    return error == ERROR_NO_MORE_FILES ? ST_OK : fault(err, error, "list", "*");
}

static enum status files_list(void *arg,
                              bool (*each)(void *context, const char *name, uint64_t length),
                              void *context, struct err *err)
{
    return each_file(arg, false, each, context, err);
}

/* ---- opening */

static bool remove_leftover(void *context, const char *name, uint64_t length)
{
    struct win_files *files = context;
    size_t end = strlen(name);
    (void)length;
    if (end > 4 && strcmp(name + end - 4, TEMP_END) == 0)
        DeleteFileW(path_of(files, name, ""));
    return true;
}

/* Who has the lock, for the message: its pid, or 0. */
static unsigned long lock_owner(const wchar_t *path)
{
    char text[16] = "";
    DWORD got = 0;
    AUTO_HANDLE HANDLE file = open_to_read(path);
    if (file == INVALID_HANDLE_VALUE || !ReadFile(file, text, sizeof text - 1, &got, NULL))
        return 0;
    return strtoul(text, NULL, 10);
}

static enum status take_lock(struct win_files *files, struct err *err)
{
    const wchar_t *path = path_of(files, LOCK_NAME, "");
    /* Others may read (the pid), none may write: a second agent cannot open it like this. */
    files->lock = CreateFileW(path, GENERIC_READ | GENERIC_WRITE, FILE_SHARE_READ, NULL,
                              OPEN_ALWAYS, FILE_FLAG_OPEN_REPARSE_POINT, NULL);
    if (files->lock == INVALID_HANDLE_VALUE && GetLastError() == ERROR_SHARING_VIOLATION) {
        unsigned long pid = lock_owner(path);
        if (pid == 0)
            return err_set(err, ST_CONFLICT,
                           "could not lock the data folder: another agent runs with it");
        return err_set(err, ST_CONFLICT,
                       "could not lock the data folder: another agent runs with it (process %lu)",
                       pid);
    }
    if (files->lock == INVALID_HANDLE_VALUE)
        return wide_last_error(err, "lock the data folder");
    if (!is_plain(files->lock))
        return err_set(err, ST_FORBIDDEN,
                       "could not lock the data folder: file \"" LOCK_NAME "\" is a link");
    char text[16];
    DWORD wrote;
    int length = snprintf(text, sizeof text, "%lu\n", GetCurrentProcessId());
    /* Best effort: the pid is for people. The lock is the open handle. */
    if (SetEndOfFile(files->lock))
        (void)WriteFile(files->lock, text, (DWORD)length, &wrote, NULL);
    return ST_OK;
}

/* Held without FILE_SHARE_DELETE: the folder cannot be renamed away while we use it. */
static enum status open_folder(struct win_files *files, const wchar_t *folder, const char *shown,
                               struct err *err)
{
    char what[256];
    snprintf(what, sizeof what, "open data folder \"%.200s\"", shown);
    files->folder =
        CreateFileW(folder, FILE_LIST_DIRECTORY, FILE_SHARE_READ | FILE_SHARE_WRITE, NULL,
                    OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OPEN_REPARSE_POINT, NULL);
    if (files->folder == INVALID_HANDLE_VALUE) {
        enum status st = wide_last_error(err, what);
        if (st == ST_FORBIDDEN && err != NULL)
            snprintf(err->hint, sizeof err->hint, "run this as an administrator");
        return st;
    }
    BY_HANDLE_FILE_INFORMATION information;
    if (!GetFileInformationByHandle(files->folder, &information))
        return wide_last_error(err, what);
    if ((information.dwFileAttributes & FILE_ATTRIBUTE_REPARSE_POINT) != 0)
        return err_set(err, ST_FORBIDDEN, "could not %s: it is a link elsewhere", what);
    if ((information.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY) == 0)
        return err_set(err, ST_CONFLICT, "could not %s: it is a file", what);
    return ST_OK;
}

static enum status open_all(struct win_files *files, const char *folder, bool lock, struct err *err)
{
    static const wchar_t long_prefix[] = L"\\\\?\\"; /* no limit of 260, no device names */
    AUTO_FREE wchar_t *wide = wide_from_utf8(folder);
    if (wide == NULL)
        return err_set(err, ST_NOMEM, "could not open the data folder: out of memory");
    size_t prefix = sizeof long_prefix / sizeof *long_prefix - 1, length = wcslen(wide);
    if (prefix + length + 1 + NAME_CHARS + sizeof TEMP_END > PATH_CHARS)
        return err_set(err, ST_INVALID, "data folder \"%.64s...\" has too long a name", folder);
    memcpy(files->path, long_prefix, sizeof long_prefix);
    memcpy(files->path + prefix, wide, length * sizeof *wide);
    files->path[prefix + length] = L'\\';
    files->prefix = prefix + length + 1;
    enum status st = ST_OK;
    if (lock && GetFileAttributesW(wide) == INVALID_FILE_ATTRIBUTES)
        st = win_acl_folder(wide, false, err);
    if (st == ST_OK)
        st = open_folder(files, wide, folder, err);
    if (st == ST_OK && lock)
        st = take_lock(files, err);
    if (st == ST_OK && lock)
        st = each_file(files, true, remove_leftover, files, err);
    return st;
}

enum status win_files_open(const char *folder, bool lock, struct win_files **ret_files,
                           struct err *err)
{
    struct win_files *files = calloc(1, sizeof *files);
    if (files == NULL)
        return err_set(err, ST_NOMEM, "could not open the data folder: out of memory");
    files->files = (struct files){files, files_write, files_read, files_remove, files_list};
    enum status st = open_all(files, folder, lock, err);
    if (st != ST_OK)
        win_files_close(files);
    else
        *ret_files = files;
    return st;
}

void win_files_close(struct win_files *files)
{
    if (files == NULL)
        return;
    cleanup_handle(&files->lock);
    cleanup_handle(&files->folder);
    free(files);
}

const struct files *win_files_get(struct win_files *files)
{
    return &files->files;
}

/* ---- removing everything */

static bool remove_any(void *context, const char *name, uint64_t length)
{
    struct win_files *files = context;
    (void)length;
    DeleteFileW(path_of(files, name, "")); /* what stays is told by the folder that stays */
    return true;
}

enum status win_files_remove_all(const char *folder, struct err *err)
{
    struct win_files *files;
    AUTO_FREE wchar_t *wide = wide_from_utf8(folder);
    if (wide == NULL)
        return err_set(err, ST_NOMEM, "could not remove the data folder: out of memory");
    if (GetFileAttributesW(wide) == INVALID_FILE_ATTRIBUTES)
        return ST_OK;
    /* The lock also says that no agent uses it; its file says that the folder is an agent's. */
    enum status st = win_files_open(folder, false, &files, err);
    if (st != ST_OK)
        return st;
    if (GetFileAttributesW(path_of(files, LOCK_NAME, "")) == INVALID_FILE_ATTRIBUTES) {
        win_files_close(files);
        return err_set(err, ST_CONFLICT,
                       "could not remove data folder \"%.128s\": no agent has used it", folder);
    }
    st = take_lock(files, err);
    if (st == ST_OK)
        st = each_file(files, true, remove_any, files, err);
    cleanup_handle(&files->lock);
    files->lock = NULL;
    if (st == ST_OK)
        DeleteFileW(path_of(files, LOCK_NAME, ""));
    win_files_close(files);
    if (st == ST_OK && !RemoveDirectoryW(wide))
        st = wide_last_error(err, "remove the data folder");
    /* The folder above, when it is the usual one and empty now. */
    wchar_t *last = wcsrchr(wide, L'\\');
    AUTO_FREE char *usual = win_default_data_folder();
    if (st == ST_OK && last != NULL && usual != NULL && _stricmp(usual, folder) == 0) {
        *last = L'\0';
        RemoveDirectoryW(wide);
    }
    return st;
}

/* ---- no files */

static enum status none_write(void *arg, const char *name, const void *data, size_t length,
                              struct err *err)
{
    (void)arg, (void)name, (void)data, (void)length, (void)err;
    return ST_OK;
}

static enum status none_read(void *arg, const char *name, size_t max, struct strbuf *out,
                             struct err *err)
{
    (void)arg, (void)max, (void)out;
    return err_set(err, ST_NOT_FOUND, "could not read file \"%s\": not there", name);
}

static enum status none_remove(void *arg, const char *name, struct err *err)
{
    (void)arg, (void)name, (void)err;
    return ST_OK;
}

static enum status none_list(void *arg,
                             bool (*each)(void *context, const char *name, uint64_t length),
                             void *context, struct err *err)
{
    (void)arg, (void)each, (void)context, (void)err;
    return ST_OK;
}

const struct files *win_no_files(void)
{
    static const struct files none = {NULL, none_write, none_read, none_remove, none_list};
    return &none;
}
