/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/win/events.h"
#include "agent/core/event_xml.h"
#include "agent/win/wide.h"
#include "agent/win/win.h"

#include "common/log.h"

#include "agent/win/system.h"

#include <winevt.h>

#define BOOKMARK_FILE    "bookmark"
#define BOOKMARK_MAX     128u
#define RENDER_BYTES_MAX (256u << 10) /* 2004 with its lists has some 6 KB */
#define BATCH            16u
#define WAIT_MS          2000u

/* Provider names are compared with case, and Server 2003 wrote "Srv". %s: what is new, twice. By
 * number and time rather than by an EvtCreateBookmark handle: when a log is cleared its numbers may
 * start again, and a filter leaves nothing to the semantics of a seek past the end. */
static const char query_form[] =
    "<QueryList><Query Id=\"0\" Path=\"System\">"
    "<Select Path=\"System\">*[System[Provider[@Name='srv' or @Name='Srv'] and "
    "(EventID=2017 or EventID=2018 or EventID=2019 or EventID=2020) and %s]]</Select>"
    "<Select Path=\"System\">*[System["
    "Provider[@Name='Microsoft-Windows-Resource-Exhaustion-Detector'] and EventID=2004 and %s]]"
    "</Select></Query></QueryList>";
/* A first look goes a day back. */
#define LAST_DAY "TimeCreated[timediff(@SystemTime) &lt;= 86400000]"

typedef EVT_HANDLE(WINAPI *query_fn)(EVT_HANDLE, LPCWSTR, LPCWSTR, DWORD);
typedef BOOL(WINAPI *next_fn)(EVT_HANDLE, DWORD, EVT_HANDLE *, DWORD, DWORD, PDWORD);
typedef BOOL(WINAPI *render_fn)(EVT_HANDLE, EVT_HANDLE, DWORD, DWORD, PVOID, PDWORD, PDWORD);
typedef BOOL(WINAPI *close_fn)(EVT_HANDLE);

static struct {
    bool asked;
    query_fn query;
    next_fn next;
    render_fn render;
    close_fn close;
} api; /* of the process: set once by its one thread that reads events */

static bool api_open(void)
{
    static const wchar_t dll[] = L"wevtapi.dll";
    if (!api.asked) {
        api.asked = true;
        api.query = (query_fn)win_function(dll, "EvtQuery");
        api.next = (next_fn)win_function(dll, "EvtNext");
        api.render = (render_fn)win_function(dll, "EvtRender");
        api.close = (close_fn)win_function(dll, "EvtClose");
    }
    return api.query != NULL && api.next != NULL && api.render != NULL && api.close != NULL;
}

static void cleanup_event(EVT_HANDLE *handle)
{
    if (*handle != NULL)
        api.close(*handle);
}
#define AUTO_EVENT CLEANUP(cleanup_event)

void events_init(struct events *events, const struct files *files)
{
    *events = (struct events){.files = files};
}

/* A handle's XML as UTF-8, owned by caller; NULL: it cannot be had. */
static char *handle_xml(EVT_HANDLE handle, DWORD flags)
{
    DWORD bytes = 0, properties = 0;
    api.render(NULL, handle, flags, 0, NULL, &bytes, &properties);
    if (bytes == 0 || bytes > RENDER_BYTES_MAX)
        return NULL;
    wchar_t *wide AUTO_FREE = calloc(1, bytes + sizeof *wide);
    if (wide == NULL || !api.render(NULL, handle, flags, bytes, wide, &bytes, &properties))
        return NULL;
    return wide_to_utf8(wide);
}

/* ---- bookmark: "<record> <time>" */

static void bookmark_load(struct events *events)
{
    struct strbuf text AUTO_STRBUF = STRBUF_INIT;
    if (events->loaded)
        return;
    events->loaded = true;
    if (events->files->read(events->files->arg, BOOKMARK_FILE, BOOKMARK_MAX, &text, NULL) !=
            ST_OK ||
        text.data == NULL)
        return;
    char *end = NULL;
    uint64_t record = strtoull(text.data, &end, 10);
    int64_t at_us;
    if (*end == ' ' && time_parse(end + 1, strlen(end + 1), &at_us)) {
        events->record = record;
        events->at_us = at_us;
    }
}

static void bookmark_save(const struct events *events)
{
    struct err err = {0};
    char at[TIME_TEXT_MAX];
    struct strbuf text AUTO_STRBUF = STRBUF_INIT;
    time_format(events->at_us, at);
    strbuf_u64(&text, events->record);
    strbuf_putc(&text, ' ');
    strbuf_puts(&text, at);
    if (!strbuf_failed(&text) && events->files->write(events->files->arg, BOOKMARK_FILE, text.data,
                                                      text.length, &err) != ST_OK)
        log_debug("could not keep the place in the event log", "reason", err.message);
}

/* ---- reading */

static wchar_t *query_text(const struct events *events)
{
    char at[TIME_TEXT_MAX];
    struct strbuf since AUTO_STRBUF = STRBUF_INIT;
    struct strbuf text AUTO_STRBUF = STRBUF_INIT;
    if (events->record == 0) {
        strbuf_puts(&since, LAST_DAY);
    } else {
        time_format(events->at_us, at);
        strbuf_puts(&since, "(EventRecordID &gt; ");
        strbuf_u64(&since, events->record);
        strbuf_printf(&since, " or TimeCreated[@SystemTime &gt; '%s'])", at);
    }
    if (strbuf_failed(&since))
        return NULL;
    strbuf_printf(&text, query_form, since.data, since.data);
    return strbuf_failed(&text) ? NULL : wide_from_utf8(text.data);
}

/* One event into the list; one that cannot be read is passed over. */
static void event_add(struct events *events, EVT_HANDLE handle, struct arena *arena,
                      struct snapshot_event *list, size_t *count)
{
    struct event_xml event;
    char *xml AUTO_FREE = handle_xml(handle, EvtRenderEventXml);
    if (xml == NULL || !event_xml_read(xml, strlen(xml), &event))
        return;
    const char *provider = arena_strdup(arena, event.provider);
    if (provider == NULL)
        return;
    list[(*count)++] = (struct snapshot_event){event.at_us, provider, event.id};
    events->record = event.record;
    events->at_us = event.at_us;
}

static enum status events_read(struct events *events, EVT_HANDLE results, struct arena *arena,
                               struct snapshot_event *list, size_t *count, struct err *err)
{
    size_t seen = 0;
    while (seen < EVENTS_MAX) {
        EVT_HANDLE batch[BATCH];
        DWORD got = 0;
        DWORD room = EVENTS_MAX - seen < BATCH ? (DWORD)(EVENTS_MAX - seen) : BATCH;
        if (!api.next(results, room, batch, WAIT_MS, 0, &got)) {
            if (GetLastError() == ERROR_NO_MORE_ITEMS || seen > 0)
                return ST_OK;
            return wide_last_error(err, "read the System event log");
        }
        if (got == 0)
            return ST_OK;
        for (DWORD i = 0; i < got; i++) {
            event_add(events, batch[i], arena, list, count);
            api.close(batch[i]);
        }
        seen += got;
    }
    return ST_OK;
}

enum status events_take(struct events *events, struct arena *arena,
                        struct snapshot_event **ret_events, size_t *ret_count, struct err *err)
{
    size_t count = 0;
    if (!api_open())
        return err_set(err, ST_UNSUPPORTED, "this Windows has no event log that can be asked");
    bookmark_load(events);
    struct snapshot_event *list = arena_alloc(arena, EVENTS_MAX, sizeof *list);
    wchar_t *query AUTO_FREE = query_text(events);
    if (list == NULL || query == NULL)
        return err_set(err, ST_NOMEM, "out of memory");
    SetLastError(ERROR_CALL_NOT_IMPLEMENTED); /* Wine's stub leaves what was there */
    EVT_HANDLE results AUTO_EVENT =
        api.query(NULL, NULL, query, EvtQueryChannelPath | EvtQueryForwardDirection);
    if (results == NULL && GetLastError() == ERROR_CALL_NOT_IMPLEMENTED)
        return err_set(err, ST_UNSUPPORTED, "this system's event log cannot be asked");
    if (results == NULL)
        return wide_last_error(err, "ask the System event log");
    enum status st = events_read(events, results, arena, list, &count, err);
    if (count > 0)
        bookmark_save(events);
    if (st != ST_OK)
        return st;
    *ret_events = list;
    *ret_count = count;
    return ST_OK;
}
