/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/assets.h"
#include "server/http/head.h"
#include "server/http/route.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sodium.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FILE_MAX       (8u << 20) /* of a file in a web root; the whole page is under 1 MB */
#define PATH_MAX_BYTES 256

struct asset {
    const struct embedded_file *file;
    char etag[REPLY_ETAG_MAX];
    struct strbuf packed; /* gzip; empty when it would not help */
};

struct assets {
    int root; /* folder, or -1 */
    size_t count;
    struct asset *items;
};

static const struct {
    const char *extension;
    const char *type;
} types[] = {
    {"html", "text/html; charset=utf-8"},
    {"js", "text/javascript; charset=utf-8"},
    {"mjs", "text/javascript; charset=utf-8"},
    {"css", "text/css; charset=utf-8"},
    {"svg", "image/svg+xml"},
    {"png", "image/png"},
    {"ico", "image/x-icon"},
    {"json", "application/json"},
    {"webmanifest", "application/manifest+json"},
    {"txt", "text/plain; charset=utf-8"},
    {"woff2", "font/woff2"},
};

static const char *extension_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *dot = strrchr(slash == NULL ? path : slash, '.');
    return dot == NULL ? "" : dot + 1;
}

/* NULL: no kind of file that a page has. */
static const char *type_of(const char *path)
{
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (strcasecmp(types[i].extension, extension_of(path)) == 0)
            return types[i].type;
    }
    return NULL;
}

static void etag_of(const void *data, size_t length, char ret_etag[REPLY_ETAG_MAX])
{
    unsigned char hash[16];
    char text[33];
    crypto_generichash(hash, sizeof hash, data, length, NULL, 0);
    sodium_bin2hex(text, sizeof text, hash, sizeof hash);
    snprintf(ret_etag, REPLY_ETAG_MAX, "\"%s\"", text);
}

static enum status load_embedded(struct assets *assets, const struct embedded_file *files,
                                 struct err *err)
{
    size_t count = 0;
    while (files[count].path != NULL)
        count++;
    assets->items = calloc(count == 0 ? 1 : count, sizeof *assets->items);
    if (assets->items == NULL)
        return err_set(err, ST_NOMEM, "could not load the page: out of memory");
    assets->count = count;
    for (size_t i = 0; i < count; i++) {
        struct asset *asset = &assets->items[i];
        size_t length = embedded_size(&files[i]);
        asset->file = &files[i];
        etag_of(files[i].data, length, asset->etag);
        if (!gzip_write(&asset->packed, files[i].data, length, 9))
            return err_set(err, ST_NOMEM, "could not load the page: out of memory");
        if (asset->packed.length >= length)
            strbuf_done(&asset->packed);
    }
    return ST_OK;
}

enum status assets_new(const struct embedded_file *files, const char *web_root,
                       struct assets **ret_assets, struct err *err)
{
    enum status status = ST_OK;
    struct assets *assets = calloc(1, sizeof *assets);
    if (assets == NULL)
        return err_set(err, ST_NOMEM, "could not load the page: out of memory");
    assets->root = -1;
    if (web_root == NULL || web_root[0] == '\0')
        status = load_embedded(assets, files, err);
    else {
        assets->root = open(web_root, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (assets->root < 0)
            status = err_set(err, ST_IO, "could not open web root \"%s\": %s", web_root,
                             strerror(errno));
    }
    if (status != ST_OK)
        assets_free(assets);
    else
        *ret_assets = assets;
    return status;
}

void assets_free(struct assets *assets)
{
    if (assets == NULL)
        return;
    for (size_t i = 0; i < assets->count; i++)
        strbuf_done(&assets->items[i].packed);
    if (assets->root >= 0)
        close(assets->root);
    free(assets->items);
    free(assets);
}

/* Plain names only: no empty part, none that begins with a dot, no backslash, no control. */
static bool path_ok(const char *path)
{
    for (const char *part = path;; part++) {
        size_t length = strcspn(part, "/");
        if (length == 0 || part[0] == '.')
            return false;
        for (size_t i = 0; i < length; i++) {
            if ((unsigned char)part[i] < 0x20 || part[i] == '\\' || part[i] == 0x7f)
                return false;
        }
        part += length;
        if (*part == '\0')
            return true;
    }
}

/* The kernel refuses "..", links and anything that would leave the folder. */
static enum status read_file(const struct assets *assets, const char *path, struct strbuf *out,
                             struct err *err)
{
    struct open_how how = {.flags = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK,
                           .resolve =
                               RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};
    struct stat info;
    int file = (int)syscall(SYS_openat2, assets->root, path, &how, sizeof how);
    if (file < 0)
        return err_set(err, ST_NOT_FOUND, "no such file");
    enum status status = ST_OK;
    if (fstat(file, &info) != 0 || !S_ISREG(info.st_mode))
        status = err_set(err, ST_NOT_FOUND, "no such file");
    else if (info.st_size > FILE_MAX)
        status = err_set(err, ST_TOO_LARGE, "could not serve file: larger than 8 MiB");
    while (status == ST_OK) {
        if (!strbuf_reserve(out, 65536)) {
            status = err_set(err, ST_NOMEM, "could not serve file: out of memory");
            break;
        }
        ssize_t n = read(file, out->data + out->length, 65536);
        if (n == 0)
            break;
        if (n < 0 && errno != EINTR)
            status = err_set(err, ST_IO, "could not read file: %s", strerror(errno));
        else if (n > 0 && out->length + (size_t)n > FILE_MAX)
            status = err_set(err, ST_TOO_LARGE, "could not serve file: larger than 8 MiB");
        else if (n > 0)
            out->length += (size_t)n;
    }
    close(file);
    return status;
}

static const struct asset *find(const struct assets *assets, const char *path)
{
    size_t low = 0;
    size_t high = assets->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(path, assets->items[middle].file->path);
        if (order == 0)
            return &assets->items[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

static void serve_embedded(const struct asset *asset, const struct reply_wishes *wishes,
                           struct reply *reply)
{
    bool packed = asset->packed.length > 0 && head_accepts_gzip(wishes->accept_encoding);
    memcpy(reply->etag, asset->etag, sizeof reply->etag);
    reply->gzipped = packed;
    reply->data = packed ? (const void *)asset->packed.data : asset->file->data;
    reply->data_length = packed ? asset->packed.length : embedded_size(asset->file);
}

static enum status serve(struct assets *assets, const char *path, const struct reply_wishes *wishes,
                         struct reply *reply, struct err *err)
{
    if (assets->root >= 0) {
        enum status status = read_file(assets, path, &reply->body, err);
        if (status != ST_OK) {
            strbuf_clear(&reply->body);
            return status;
        }
        etag_of(reply->body.data, reply->body.length, reply->etag);
    } else {
        const struct asset *asset = find(assets, path);
        if (asset == NULL)
            return err_set(err, ST_NOT_FOUND, "no such file");
        serve_embedded(asset, wishes, reply);
    }
    reply->content_type = type_of(path) == NULL ? "application/octet-stream" : type_of(path);
    reply->cache = "no-cache, must-revalidate";
    reply->vary = "Accept-Encoding";
    return ST_OK;
}

enum status assets_get(struct assets *assets, const char *path, size_t length, const char *accept,
                       const struct reply_wishes *wishes, struct reply *reply, struct err *err)
{
    char name[PATH_MAX_BYTES + 1];
    size_t used;
    enum status status = ST_NOT_FOUND;
    if (length < 1 || length > PATH_MAX_BYTES || path[0] != '/' ||
        !percent_decode(path + 1, length - 1, false, name, &used))
        return err_set(err, ST_NOT_FOUND, "no such path");
    if (used > 0 && path_ok(name))
        status = serve(assets, name, wishes, reply, err);
    if (status != ST_NOT_FOUND)
        return status;
    /* A view's path may end in a tag, and a tag may look like "a.b": only endings of real files
     * count. Paths that grope for something else get no page. */
    bool is_view = used == 0 || (name[0] != '.' && name[0] != '/' && type_of(name) == NULL &&
                                 accept != NULL && strcasestr(accept, "text/html") != NULL);
    if (!is_view)
        return err_set(err, ST_NOT_FOUND, "no such path");
    return serve(assets, "index.html", wishes, reply, err);
}
