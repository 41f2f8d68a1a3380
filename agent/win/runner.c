/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Puts all parts together and runs agent_step() on the calling thread until it is told to stop.
 * Waiting is one wait on two events with a bound of a minute: sleep, resume and changes of the
 * clock then need no notice of their own, and settings are read again at least that often.
 */
#include "agent/win/source.h"
#include "agent/win/system.h"
#include "agent/win/wide.h"
#include "agent/win/win.h"
#include "common/log.h"

#define WAIT_MAX_MS 60000
/* Chosen: a console user waits no longer for one delivery; the spool keeps what was taken. */
#define ONCE_MAX_US    (90 * US_PER_SECOND)
#define HOST_NAME_MAX_ 256

struct runner {
    enum runner_mode mode;
    HANDLE stop;           /* manual reset: once set, everything ends */
    HANDLE wake;           /* auto reset */
    CRITICAL_SECTION lock; /* http is there and may be aborted */

    struct settings flags; /* of the command line */
    struct settings settings;
    struct strbuf faults;    /* of settings, as read the last time */
    struct strbuf signature; /* settings and their faults: differs when something changed */

    char *folder;
    struct win_files *files;
    struct win_kernel kernel;
    struct win_source *source;
    struct win_http *http;
    struct agent *agent;
    struct strbuf secret;
    char secret_fault[256]; /* reported */
    char host_name[HOST_NAME_MAX_];
    char machine_id[SHA256_TEXT_MAX];
    char host_id[LIMIT_HOST_ID_BYTES + 1];

    /* What the agent said, for those who wait for an outcome. */
    bool seen[AGENT_EVENT_COUNT];
    char said[256];
};

/* ---- settings */

static void take_fault(void *arg, const struct err *err)
{
    struct runner *runner = arg;
    strbuf_printf(&runner->faults, "%s\n", err->message);
}

static enum status copy_flags(const struct settings *from, struct settings *to, struct err *err)
{
    for (int i = 0; i < SETTING_COUNT; i++) {
        enum setting which = (enum setting)i;
        if (from->values[which].text == NULL || from->values[which].layer != LAYER_FLAG)
            continue;
        enum status st =
            settings_set(to, LAYER_FLAG, setting_name(which), settings_text(from, which), err);
        if (st != ST_OK)
            return st;
    }
    return ST_OK;
}

/* True: something is not as it was. */
static bool read_settings(struct runner *runner)
{
    AUTO_STRBUF struct strbuf now = STRBUF_INIT;
    settings_done(&runner->settings);
    settings_init(&runner->settings);
    strbuf_clear(&runner->faults);
    struct err err;
    (void)!copy_flags(&runner->flags, &runner->settings, &err); /* valid when they were given */
    win_settings_load(&runner->settings, take_fault, runner);
    settings_print(&runner->settings, &now);
    strbuf_add(&now, runner->faults.data, runner->faults.length);
    bool same = now.length == runner->signature.length && !strbuf_failed(&now) &&
                (now.length == 0 || memcmp(now.data, runner->signature.data, now.length) == 0);
    if (same)
        return false;
    strbuf_clear(&runner->signature);
    strbuf_add(&runner->signature, now.data, now.length);
    return true;
}

static void tell_faults(struct runner *runner)
{
    char *at = runner->faults.data;
    while (at != NULL && *at != '\0') {
        char *end = strchr(at, '\n');
        if (end != NULL)
            *end = '\0';
        win_event(AGENT_EVENT_CONFIG, at);
        at = end == NULL ? NULL : end + 1;
    }
    strbuf_clear(&runner->faults);
}

/* ---- events */

static void on_event(void *arg, enum agent_event event, const char *text)
{
    struct runner *runner = arg;
    struct err err;
    win_event(event, text);
    runner->seen[event] = true;
    snprintf(runner->said, sizeof runner->said, "%s", text);
    if (event == AGENT_EVENT_ENROLLED &&
        win_secret_remove(&runner->settings, win_files_get(runner->files), &err) != ST_OK)
        log_warning("the enroll secret was used and should be removed by hand", "reason",
                    err.message);
}

/* ---- parts */

static void read_host_name(struct runner *runner)
{
    wchar_t name[HOST_NAME_MAX_];
    DWORD length = HOST_NAME_MAX_;
    if (!GetComputerNameExW(ComputerNameDnsHostname, name, &length))
        name[0] = L'\0';
    AUTO_FREE char *utf8 = wide_to_utf8(name);
    snprintf(runner->host_name, sizeof runner->host_name, "%s", utf8 == NULL ? "" : utf8);
}

/* Jitter must differ between machines cloned from one image and started together. */
static uint64_t make_seed(void)
{
    typedef BOOLEAN(WINAPI * random_fn)(void *, ULONG);
    LARGE_INTEGER count;
    uint64_t seed = 0;
    random_fn fill = (random_fn)(void *)win_function(L"advapi32.dll", "SystemFunction036");
    QueryPerformanceCounter(&count);
    if (fill == NULL || !fill(&seed, sizeof seed))
        seed = (uint64_t)count.QuadPart ^ (uint64_t)clock_wall_us() << 20;
    return seed ^ GetCurrentProcessId();
}

static void set_http(struct runner *runner, struct win_http *http)
{
    EnterCriticalSection(&runner->lock);
    struct win_http *old = runner->http;
    runner->http = http;
    if (http != NULL && WaitForSingleObject(runner->stop, 0) == WAIT_OBJECT_0)
        win_http_abort(http);
    LeaveCriticalSection(&runner->lock);
    win_http_close(old);
}

/* Likewise for what reads driver files: a stop must not wait for a whole inventory. */
static void set_source(struct runner *runner, struct win_source *source)
{
    EnterCriticalSection(&runner->lock);
    struct win_source *old = runner->source;
    runner->source = source;
    if (source != NULL && WaitForSingleObject(runner->stop, 0) == WAIT_OBJECT_0)
        win_source_stop(source);
    LeaveCriticalSection(&runner->lock);
    win_source_close(old);
}

/* Without a server the agent keeps snapshots on disk; what is wrong is told. */
static enum status open_http(struct runner *runner, struct err *err)
{
    struct win_http *http = NULL;
    if (*settings_text(&runner->settings, SETTING_SERVER_URL) == '\0') {
        enum status st = err_set(err, ST_USAGE, "setting ServerUrl is not set");
        if (runner->mode == RUNNER_ONCE || runner->mode == RUNNER_ENROLL)
            return st;
        win_event(AGENT_EVENT_CONFIG, "setting ServerUrl is not set; snapshots are kept on disk");
        return ST_OK;
    }
    enum status st = win_http_open(&runner->settings, &http, err);
    if (st == ST_OK)
        set_http(runner, http);
    else if (runner->mode == RUNNER_SERVICE || runner->mode == RUNNER_CONSOLE)
        win_event(AGENT_EVENT_CONFIG, err->message);
    else
        return st;
    return ST_OK;
}

/* True: there is a secret that was not there before. */
static bool read_secret(struct runner *runner)
{
    struct err err = {0};
    enum status st =
        win_secret_load(&runner->settings, win_files_get(runner->files), &runner->secret, &err);
    if (st == ST_OK) {
        runner->secret_fault[0] = '\0';
        return true;
    }
    strbuf_clear(&runner->secret);
    if (st == ST_NOT_FOUND)
        return false;
    if (strcmp(err.message, runner->secret_fault) != 0)
        win_event(AGENT_EVENT_CONFIG, err.message);
    snprintf(runner->secret_fault, sizeof runner->secret_fault, "%s", err.message);
    return false;
}

static enum status open_agent(struct runner *runner, struct err *err)
{
    const struct settings *settings = &runner->settings;
    const struct agent_parts parts = {
        .files = win_files_get(runner->files),
        .source = win_source_get(runner->source),
        .transport = runner->http == NULL ? NULL : win_http_transport(runner->http),
        .vault = win_vault(),
        .event_arg = runner,
        .event = on_event,
    };
    struct agent_options options = {
        .version = POOLFLEET_VERSION,
        .interval_us = settings_number(settings, SETTING_INTERVAL) * US_PER_SECOND,
        .first_sample_us = 3 * US_PER_MINUTE,
        .top_processes = (unsigned)settings_number(settings, SETTING_TOP_PROCESSES),
        .top_processes_fixed = settings->values[SETTING_TOP_PROCESSES].layer != LAYER_BUILTIN,
        .spool_bytes = (uint64_t)settings_number(settings, SETTING_SPOOL_MEGABYTES) << 20,
        .spool_age_us = settings_number(settings, SETTING_SPOOL_DAYS) * US_PER_DAY,
        .simulated = win_kernel_label(&runner->kernel) != NULL,
        .enroll_secret = runner->secret.length > 0 ? runner->secret.data : NULL,
        .host_name = runner->host_name,
        .tags = settings_text(settings, SETTING_TAGS),
        .machine_id = runner->machine_id,
        .seed = make_seed(),
    };
    if (runner->mode == RUNNER_ONCE || runner->mode == RUNNER_ENROLL)
        options.first_sample_us = 0;
    return agent_open(&parts, &options, &runner->agent, err);
}

static void close_parts(struct runner *runner)
{
    if (runner->agent != NULL)
        agent_close(runner->agent);
    runner->agent = NULL;
    set_http(runner, NULL);
    set_source(runner, NULL);
    win_kernel_close(&runner->kernel);
    win_secret_wipe(&runner->secret);
    win_log_close(); /* before the lock goes: two agents must not write one log */
    win_files_close(runner->files);
    runner->files = NULL;
    free(runner->folder);
    runner->folder = NULL;
}

static unsigned log_where(const struct runner *runner)
{
    return runner->mode == RUNNER_SERVICE  ? WIN_LOG_EVENTS
           : runner->mode == RUNNER_ENROLL ? 0
                                           : WIN_LOG_STDERR;
}

static void tell_started(const struct runner *runner)
{
    const char *label = win_kernel_label(&runner->kernel);
    const char *url = settings_text(&runner->settings, SETTING_SERVER_URL);
    char text[512];
    snprintf(text, sizeof text, "version %s, server %s, data folder %s%s%s", POOLFLEET_VERSION,
             *url == '\0' ? "not set" : url, runner->folder, label == NULL ? "" : "; ",
             label == NULL ? "" : label);
    win_event(AGENT_EVENT_STARTED, text);
}

static enum status open_parts(struct runner *runner, struct err *err)
{
    const char *level = settings_text(&runner->settings, SETTING_LOG_LEVEL);
    enum status st = win_data_folder(&runner->settings, &runner->folder, err);
    if (st == ST_OK)
        st = win_files_open(runner->folder, true, &runner->files, err);
    if (st != ST_OK)
        return st;
    win_log_open(runner->folder, level, log_where(runner));
    tell_faults(runner);
    struct win_source *source = NULL;
    st = win_kernel_open(&runner->settings, &runner->kernel, err);
    if (st == ST_OK)
        st = win_source_open(runner->kernel.calls, &runner->settings, win_files_get(runner->files),
                             &source, err);
    set_source(runner, source);
    if (st == ST_OK)
        st = open_http(runner, err);
    if (st != ST_OK)
        return st;
    tell_started(runner);
    (void)read_secret(runner);
    return open_agent(runner, err);
}

static enum status reopen(struct runner *runner, struct err *err)
{
    log_info("settings changed");
    close_parts(runner);
    return open_parts(runner, err);
}

/* ---- life */

enum status runner_open(const struct settings *settings, enum runner_mode mode,
                        struct runner **ret_runner, struct err *err)
{
    struct runner *runner = calloc(1, sizeof *runner);
    if (runner == NULL)
        return err_set(err, ST_NOMEM, "could not start: out of memory");
    runner->mode = mode;
    InitializeCriticalSection(&runner->lock);
    runner->stop = CreateEventW(NULL, TRUE, FALSE, NULL);
    runner->wake = CreateEventW(NULL, FALSE, FALSE, NULL);
    enum status st = win_check_native(err);
    if (st == ST_OK && (runner->stop == NULL || runner->wake == NULL))
        st = wide_last_error(err, "make an event");
    if (st == ST_OK)
        st = copy_flags(settings, &runner->flags, err);
    if (st == ST_OK) {
        read_host_name(runner);
        win_machine_id(runner->machine_id);
        (void)read_settings(runner);
        st = open_parts(runner, err);
    }
    if (st != ST_OK) {
        runner_close(runner);
        return st;
    }
    *ret_runner = runner;
    return ST_OK;
}

void runner_close(struct runner *runner)
{
    if (runner == NULL)
        return;
    if (runner->agent != NULL)
        win_event(AGENT_EVENT_STOPPED, "asked to stop");
    close_parts(runner);
    cleanup_handle(&runner->stop);
    cleanup_handle(&runner->wake);
    DeleteCriticalSection(&runner->lock);
    settings_done(&runner->flags);
    settings_done(&runner->settings);
    strbuf_done(&runner->faults);
    strbuf_done(&runner->signature);
    free(runner);
}

void runner_stop(struct runner *runner)
{
    SetEvent(runner->stop);
    EnterCriticalSection(&runner->lock);
    if (runner->http != NULL)
        win_http_abort(runner->http);
    if (runner->source != NULL)
        win_source_stop(runner->source);
    LeaveCriticalSection(&runner->lock);
}

void runner_wake(struct runner *runner)
{
    SetEvent(runner->wake);
}

const char *runner_host_id(const struct runner *runner)
{
    return runner->host_id;
}

/* Waits until then, a wake-up, or a minute. false: stop. */
static bool wait_until(struct runner *runner, int64_t due_us)
{
    const HANDLE both[] = {runner->stop, runner->wake};
    int64_t wait_ms = (due_us - clock_mono_us() + US_PER_MS - 1) / US_PER_MS;
    if (wait_ms > WAIT_MAX_MS)
        wait_ms = WAIT_MAX_MS;
    DWORD result = WaitForMultipleObjects(2, both, FALSE, wait_ms < 0 ? 0 : (DWORD)wait_ms);
    return result != WAIT_OBJECT_0;
}

/* Until something changes, in the running agent. */
static enum status run_on(struct runner *runner, struct err *err)
{
    int64_t read_us = clock_mono_us();
    for (;;) {
        int64_t due_us = agent_step(runner->agent);
        int64_t reread_us = read_us + WAIT_MAX_MS * US_PER_MS;
        if (!wait_until(runner, due_us < reread_us ? due_us : reread_us))
            return ST_OK;
        /* A wake-up comes before its time: then settings are read as well. */
        int64_t now_us = clock_mono_us();
        if (now_us < reread_us && now_us >= due_us)
            continue;
        read_us = now_us;
        bool changed = read_settings(runner);
        bool secret = runner->secret.length == 0 && read_secret(runner);
        if (changed || secret) {
            enum status st = reopen(runner, err);
            if (st != ST_OK)
                return st;
        }
    }
}

static const struct {
    enum agent_event event;
    enum status code;
} endings[] = {
    {AGENT_EVENT_ENROLL_REFUSED, ST_UNAUTHORIZED},
    {AGENT_EVENT_SERVER_AWAY, ST_TIMEOUT},
    {AGENT_EVENT_REFUSED, ST_CONFLICT},
    {AGENT_EVENT_NO_POOL_TAGS, ST_UNSUPPORTED},
    {AGENT_EVENT_SOURCE_FAILED, ST_IO},
    {AGENT_EVENT_DISK, ST_IO},
};

static bool ended(const struct runner *runner, enum status *ret_status, struct err *err)
{
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        bool sample = endings[i].event == AGENT_EVENT_NO_POOL_TAGS ||
                      endings[i].event == AGENT_EVENT_SOURCE_FAILED;
        /* A host may enrol whatever its kernel tells. */
        if (runner->seen[endings[i].event] && !(sample && runner->mode == RUNNER_ENROLL)) {
            *ret_status = err_set(err, endings[i].code, "%s", runner->said);
            return true;
        }
    }
    return false;
}

/* Until there is an outcome: `run --once`, `enroll`. */
static enum status run_short(struct runner *runner, struct err *err)
{
    int64_t give_up_us = clock_mono_us() + ONCE_MAX_US;
    enum status st;
    memset(runner->seen, 0, sizeof runner->seen); /* what was told while opening is no outcome */
    agent_sample_now(runner->agent);              /* enrolling, too, needs to know the boot */
    for (;;) {
        int64_t due_us = agent_step(runner->agent);
        if (ended(runner, &st, err))
            return st;
        if (runner->mode == RUNNER_ENROLL ? agent_enrolled(runner->agent)
                                          : agent_idle(runner->agent))
            return ST_OK;
        if (due_us > give_up_us)
            return err_set(err, ST_TIMEOUT, "the server gave no answer in time");
        if (!wait_until(runner, due_us))
            return err_set(err, ST_TIMEOUT, "stopped before the server had answered");
    }
}

static void read_host_id(struct runner *runner)
{
    struct agent_summary summary;
    if (agent_summarize(win_files_get(runner->files), win_vault(), &summary, NULL) == ST_OK)
        snprintf(runner->host_id, sizeof runner->host_id, "%s", summary.host_id);
}

enum status runner_run(struct runner *runner, struct err *err)
{
    /* The machines we watch have better things to do. */
    (void)SetPriorityClass(GetCurrentProcess(), BELOW_NORMAL_PRIORITY_CLASS);
    if (runner->mode == RUNNER_SERVICE || runner->mode == RUNNER_CONSOLE)
        return run_on(runner, err);
    enum status st = run_short(runner, err);
    read_host_id(runner);
    return st;
}
