/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `scan-drivers TAG...`: which loaded drivers have these tags in their code, best evidence first
 * within a file. Reads every loaded driver's file, at low priority.
 */
#include "agent/core/driver_path.h"
#include "agent/win/drivers.h"
#include "agent/win/win.h"

struct scan_run {
    const uint32_t *tags;
    size_t tag_count;
    bool json;
    size_t files, unread, hits;
};

/* "call" says more than "bytes": for people who do not know the words. */
static void print_hit(const struct scan_run *run, const char *path, const char *version,
                      const struct tag_hit *hit)
{
    char tag[TAG_TEXT_MAX];
    struct strbuf line AUTO_STRBUF = STRBUF_INIT;
    tag_format(hit->tag, tag);
    if (run->json) {
        strbuf_puts(&line, "{\"tag\":");
        strbuf_json(&line, tag);
        strbuf_puts(&line, ",\"driver\":");
        strbuf_json(&line, driver_file_name(path));
        strbuf_puts(&line, ",\"path\":");
        strbuf_json(&line, path);
        strbuf_puts(&line, ",\"version\":");
        if (*version == '\0')
            strbuf_puts(&line, "null");
        else
            strbuf_json(&line, version);
        strbuf_printf(&line, ",\"evidence\":\"%s\",\"places\":%u,\"address\":%u,\"api\":",
                      tag_evidence_name(hit->evidence), hit->count, hit->address);
        if (hit->api[0] == '\0')
            strbuf_puts(&line, "null");
        else
            strbuf_json(&line, hit->api);
        strbuf_puts(&line, "}\n");
    } else {
        strbuf_printf(&line, "%-4s  %-8s %5u  %-24s %s%s%s\n", tag,
                      tag_evidence_name(hit->evidence), hit->count, driver_file_name(path),
                      *version == '\0' ? "-" : version, hit->api[0] == '\0' ? "" : "  ", hit->api);
    }
    if (!strbuf_failed(&line))
        win_write(WIN_OUT, line.data, line.length);
}

static void scan_file(struct scan_run *run, const char *path, struct tag_scan *scan)
{
    struct driver_bytes bytes AUTO_DRIVER_BYTES = {NULL, 0};
    struct pe pe;
    struct pe_facts facts;
    char service[SERVICE_NAME_MAX];
    if (driver_file_read(path, &bytes, NULL) != ST_OK ||
        pe_open(bytes.data, bytes.length, &pe, NULL) != ST_OK) {
        run->unread++;
        return;
    }
    pe_facts(&pe, &facts);
    driver_service_name(driver_file_name(path), service);
    tag_scan(&pe, run->tags, run->tag_count, NULL, 0, service, scan);
    for (size_t i = 0; i < scan->count; i++)
        print_hit(run, path, facts.version, &scan->hits[i]);
    run->hits += scan->count;
}

static int path_order(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int tag_order(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
    return left < right ? -1 : left > right;
}

/* Paths of the loaded drivers' files, each once. */
static enum status list_paths(const struct nt_calls *calls, struct arena *arena,
                              const char ***ret_paths, size_t *ret_count, struct err *err)
{
    char root[SYSTEM_FOLDER_MAX] = "";
    struct strbuf path AUTO_STRBUF = STRBUF_INIT;
    struct nt_reader reader CLEANUP(nt_reader_done);
    struct nt_module *modules;
    size_t count, kept = 0;
    nt_reader_init(&reader, calls);
    enum status st = nt_modules(&reader, arena, &modules, &count, err);
    if (st != ST_OK)
        return st;
    const char **paths = arena_alloc(arena, count, sizeof *paths);
    if (paths == NULL || !driver_system_root(root))
        return err_set(err, ST_NOMEM, "out of memory");
    for (size_t i = 0; i < count; i++) {
        if (driver_path(modules[i].path, root, &path))
            paths[kept] = arena_strdup(arena, path.data);
        if (path.length > 0 && paths[kept] != NULL)
            kept++;
        strbuf_clear(&path);
    }
    qsort(paths, kept, sizeof *paths, path_order);
    *ret_count = 0;
    for (size_t i = 0; i < kept; i++) {
        if (i == 0 || strcmp(paths[i - 1], paths[i]) != 0)
            paths[(*ret_count)++] = paths[i];
    }
    *ret_paths = paths;
    return ST_OK;
}

static void print_summary(const struct scan_run *run)
{
    win_printf(WIN_ERR, "%lu driver files, %lu hits", (unsigned long)run->files,
               (unsigned long)run->hits);
    if (run->unread > 0)
        win_printf(WIN_ERR, "; %lu could not be read", (unsigned long)run->unread);
    win_printf(WIN_ERR, "\n");
}

enum status win_scan_drivers(const struct nt_calls *calls, const uint32_t *tags, size_t count,
                             bool json, struct err *err)
{
    struct arena arena AUTO_ARENA = {0};
    struct tag_scan *scan AUTO_FREE = calloc(1, sizeof *scan);
    uint32_t *sorted = arena_alloc(&arena, count, sizeof *sorted);
    struct scan_run run = {.tags = sorted, .tag_count = count, .json = json};
    const char **paths = NULL;
    if (scan == NULL || sorted == NULL)
        return err_set(err, ST_NOMEM, "out of memory");
    if (calls != win_calls())
        return err_set(err, ST_UNSUPPORTED,
                       "the drivers of a recording are not files of this host: run without Replay");
    for (size_t i = 0; i < count; i++)
        sorted[i] = tags[i];
    qsort(sorted, count, sizeof *sorted, tag_order);
    enum status st = list_paths(calls, &arena, &paths, &run.files, err);
    if (st != ST_OK)
        return st;
    bool progress = win_is_console(WIN_ERR);
    if (!json)
        win_printf(WIN_OUT, "Tag   Evidence Count  Driver                   Version, called\n");
    driver_background_begin();
    for (size_t i = 0; i < run.files; i++) {
        if (progress)
            win_printf(WIN_ERR, "\r%lu of %lu\r", (unsigned long)(i + 1), (unsigned long)run.files);
        scan_file(&run, paths[i], scan);
    }
    driver_background_end();
    print_summary(&run);
    return ST_OK;
}
