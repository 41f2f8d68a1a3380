/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the agent says, and where. agent.log gets every line; the Event Log only what a person
 * should act on, each with a number of its own from messages.mc. Neither may ever stop the agent: a
 * full disk loses lines of the log, nothing else.
 */
#include "agent/win/system.h"
#include "agent/win/wide.h"
#include "agent/win/win.h"
#include "common/log.h"
#include "messages.h"

#define LOG_BYTES  (1u << 20) /* chosen: months of a quiet agent */
#define LOG_OLD    3
#define PATH_CHARS 1100
#define EVENT_KEY  L"SYSTEM\\CurrentControlSet\\Services\\EventLog\\Application\\" WIN_EVENT_SOURCE

static const struct {
    const char *name;
    DWORD message;
    WORD category;
    WORD type;
    enum log_level level;
} events[AGENT_EVENT_COUNT] = {
#define EVENT(id, name, category, type, level)                                                     \
    [AGENT_EVENT_##id] = {name, MSG_##id, category, EVENTLOG_##type##_TYPE, LOG_LEVEL_##level}
    EVENT(STARTED, "started", 1, INFORMATION, INFO),
    EVENT(STOPPED, "stopped", 1, INFORMATION, INFO),
    EVENT(ENROLLED, "enrolled", 2, INFORMATION, INFO),
    EVENT(ENROLL_REFUSED, "enrolment refused", 2, ERROR, ERROR),
    EVENT(SERVER_AWAY, "server away", 2, WARNING, WARNING),
    EVENT(SERVER_BACK, "server back", 2, INFORMATION, INFO),
    EVENT(REFUSED, "snapshot refused", 2, ERROR, ERROR),
    EVENT(LOST, "snapshots lost", 4, WARNING, WARNING),
    EVENT(NO_POOL_TAGS, "no pool tags", 3, ERROR, ERROR),
    EVENT(SOURCE_FAILED, "reading failed", 3, WARNING, WARNING),
    EVENT(CLONED, "cloned", 2, ERROR, ERROR),
    EVENT(CONFIG, "wrong setting", 1, WARNING, WARNING),
    EVENT(DISK, "data folder", 4, ERROR, ERROR),
#undef EVENT
};

static struct {
    bool ready; /* the critical section */
    CRITICAL_SECTION lock;
    unsigned where;
    HANDLE file; /* NULL: none */
    HANDLE source;
    uint64_t length;
    size_t folder; /* characters of path that are the folder and its separator; 0: no file */
    wchar_t path[PATH_CHARS];
} out;

/* ---- the file */

static const wchar_t *path_of(wchar_t *room, unsigned number)
{
    static const wchar_t newest[] = L"agent.log";
    wchar_t old[] = L"agent.0.log";
    old[6] = (wchar_t)(L'0' + number);
    memcpy(room, out.path, out.folder * sizeof *room);
    memcpy(room + out.folder, number == 0 ? newest : old, number == 0 ? sizeof newest : sizeof old);
    return room;
}

static void open_file(void)
{
    wchar_t path[PATH_CHARS];
    BY_HANDLE_FILE_INFORMATION information;
    HANDLE file = CreateFileW(path_of(path, 0), FILE_APPEND_DATA, FILE_SHARE_READ, NULL,
                              OPEN_ALWAYS, FILE_FLAG_OPEN_REPARSE_POINT, NULL);
    if (file == INVALID_HANDLE_VALUE)
        return;
    /* A link planted there would make us write elsewhere. */
    if (!GetFileInformationByHandle(file, &information) || information.nNumberOfLinks != 1 ||
        (information.dwFileAttributes & FILE_ATTRIBUTE_REPARSE_POINT) != 0) {
        CloseHandle(file);
        return;
    }
    out.file = file;
    out.length = (uint64_t)information.nFileSizeHigh << 32 | information.nFileSizeLow;
}

static void rotate(void)
{
    wchar_t from[PATH_CHARS], to[PATH_CHARS];
    CloseHandle(out.file);
    out.file = NULL;
    for (unsigned i = LOG_OLD; i > 0; i--)
        MoveFileExW(path_of(from, i - 1), path_of(to, i), MOVEFILE_REPLACE_EXISTING);
    open_file();
}

static void write_file(const char *text, size_t length)
{
    DWORD wrote = 0;
    if (out.file == NULL)
        open_file(); /* it may work again */
    if (out.file == NULL || !WriteFile(out.file, text, (DWORD)length, &wrote, NULL))
        return;
    out.length += wrote;
    if (out.length >= LOG_BYTES)
        rotate();
}

/* The sink of common/log.h. */
static void take_line(void *arg, enum log_level level, const char *line, size_t length)
{
    DWORD error = GetLastError();
    AUTO_STRBUF struct strbuf text = STRBUF_INIT;
    char now[TIME_TEXT_MAX];
    (void)arg, (void)level;
    time_format(clock_wall_us() / US_PER_MS * US_PER_MS, now);
    strbuf_printf(&text, "%s ", now);
    strbuf_add(&text, line, length);
    strbuf_putc(&text, '\n');
    if (!strbuf_failed(&text)) {
        EnterCriticalSection(&out.lock);
        if (out.folder > 0)
            write_file(text.data, text.length);
        if ((out.where & WIN_LOG_STDERR) != 0)
            win_write(WIN_ERR, text.data, text.length);
        LeaveCriticalSection(&out.lock);
    }
    SetLastError(error);
}

static void close_all(void)
{
    cleanup_handle(&out.file);
    out.file = NULL;
    if (out.source != NULL)
        DeregisterEventSource(out.source);
    out.source = NULL;
    out.folder = 0;
}

static void set_folder(const char *folder)
{
    AUTO_FREE wchar_t *wide = wide_from_utf8(folder);
    size_t length = wide == NULL ? 0 : wcslen(wide);
    if (length == 0 || length + 32 > PATH_CHARS)
        return;
    memcpy(out.path, wide, length * sizeof *wide);
    out.path[length] = L'\\';
    out.folder = length + 1;
}

void win_log_open(const char *folder, const char *level, unsigned where)
{
    if (!out.ready)
        InitializeCriticalSection(&out.lock);
    out.ready = true;
    EnterCriticalSection(&out.lock);
    close_all();
    out.where = where;
    if (folder != NULL)
        set_folder(folder);
    if ((where & WIN_LOG_EVENTS) != 0)
        out.source = RegisterEventSourceW(NULL, WIN_EVENT_SOURCE);
    LeaveCriticalSection(&out.lock);
    for (int i = LOG_LEVEL_ERROR; i <= LOG_LEVEL_DEBUG; i++) {
        if (strcmp(level, log_level_name((enum log_level)i)) == 0)
            log_set_level((enum log_level)i);
    }
    log_set_sink(take_line, NULL);
}

void win_log_close(void)
{
    if (!out.ready)
        return;
    EnterCriticalSection(&out.lock);
    close_all();
    out.where = WIN_LOG_STDERR; /* what still comes is worth seeing */
    LeaveCriticalSection(&out.lock);
}

void win_event(enum agent_event event, const char *text)
{
    if (event < 0 || event >= AGENT_EVENT_COUNT)
        return;
    log_line(events[event].level, events[event].name, "text", text, NULL);
    AUTO_FREE wchar_t *wide = wide_from_utf8(text);
    const wchar_t *strings[1] = {wide};
    if (wide != NULL && out.ready) {
        EnterCriticalSection(&out.lock);
        if (out.source != NULL)
            (void)ReportEventW(out.source, events[event].type, events[event].category,
                               events[event].message, NULL, 1, 0, strings, NULL);
        LeaveCriticalSection(&out.lock);
    }
}

/* ---- the event source */

enum status win_event_source_install(struct err *err)
{
    AUTO_KEY HKEY key = NULL;
    AUTO_FREE char *program = win_program_path();
    AUTO_FREE wchar_t *path = program == NULL ? NULL : wide_from_utf8(program);
    DWORD types = EVENTLOG_ERROR_TYPE | EVENTLOG_WARNING_TYPE | EVENTLOG_INFORMATION_TYPE;
    DWORD categories = 4;
    if (path == NULL)
        return err_set(err, ST_NOMEM, "could not install the event source: out of memory");
    DWORD bytes = (DWORD)((wcslen(path) + 1) * sizeof *path);
    LONG error =
        RegCreateKeyExW(HKEY_LOCAL_MACHINE, EVENT_KEY, 0, NULL, 0, KEY_WRITE, NULL, &key, NULL);
    const struct {
        const wchar_t *name;
        DWORD type;
        const void *data;
        DWORD bytes;
    } values[] = {
        {L"EventMessageFile", REG_EXPAND_SZ, path, bytes},
        {L"CategoryMessageFile", REG_EXPAND_SZ, path, bytes},
        {L"CategoryCount", REG_DWORD, &categories, sizeof categories},
        {L"TypesSupported", REG_DWORD, &types, sizeof types},
    };
    for (size_t i = 0; i < sizeof values / sizeof values[0] && error == ERROR_SUCCESS; i++)
        error =
            RegSetValueExW(key, values[i].name, 0, values[i].type, values[i].data, values[i].bytes);
    return error == ERROR_SUCCESS
               ? ST_OK
               : wide_error(err, (unsigned long)error, "install the event source");
}

enum status win_event_source_remove(struct err *err)
{
    return win_registry_remove(EVENT_KEY, err);
}
