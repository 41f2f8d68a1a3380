/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The program as a Windows service. The control handler only signals; a worker thread runs the
 * agent; the service's main thread starts it, tells the service control manager how far stopping
 * is, and gives up on a worker that does not end: the data folder survives that, as it survives a
 * power cut.
 */
#include "agent/win/system.h"
#include "agent/win/wide.h"
#include "agent/win/win.h"
#include "common/log.h"

#define START_HINT_MS 30000 /* a cold disk, a spool of thousands of files */
#define STOP_HINT_MS  5000  /* runner_run promises 2 s */
#define STOP_SLICE_MS 250
#define STOP_SLICES   60 /* 15 s; below the 20 s Windows gives at shutdown */

static struct {
    SERVICE_STATUS_HANDLE handle;
    CRITICAL_SECTION lock; /* status and runner */
    SERVICE_STATUS status;
    DWORD accept;
    struct runner *runner;
    HANDLE stopping; /* event, manual reset */
    struct err why;  /* how the worker ended */
    enum status ended;
} service;

static bool set_status(void)
{
    return SetServiceStatus(service.handle, &service.status) != 0;
}

static void report_state(DWORD state, DWORD hint_ms)
{
    EnterCriticalSection(&service.lock);
    SERVICE_STATUS *status = &service.status;
    bool pending = state == SERVICE_START_PENDING || state == SERVICE_STOP_PENDING;
    status->dwCheckPoint = pending && status->dwCurrentState == state ? status->dwCheckPoint + 1
                           : pending                                  ? 1
                                                                      : 0;
    status->dwCurrentState = state;
    status->dwWaitHint = hint_ms;
    status->dwControlsAccepted = state == SERVICE_RUNNING ? service.accept : 0;
    if (!set_status() && state == SERVICE_RUNNING) {
        /* Server 2003 knows no PRESHUTDOWN. */
        service.accept = SERVICE_ACCEPT_STOP | SERVICE_ACCEPT_SHUTDOWN;
        status->dwControlsAccepted = service.accept;
        (void)set_status();
    }
    LeaveCriticalSection(&service.lock);
}

static void report_stopped(enum status st)
{
    EnterCriticalSection(&service.lock);
    /* A code of ours: with it the manager's failure actions start us again, later each time. */
    service.status.dwWin32ExitCode = st == ST_OK ? NO_ERROR : ERROR_SERVICE_SPECIFIC_ERROR;
    service.status.dwServiceSpecificExitCode = (DWORD)st;
    LeaveCriticalSection(&service.lock);
    report_state(SERVICE_STOPPED, 0);
}

static void ask_to_stop(void)
{
    report_state(SERVICE_STOP_PENDING, STOP_HINT_MS);
    SetEvent(service.stopping);
    EnterCriticalSection(&service.lock);
    if (service.runner != NULL)
        runner_stop(service.runner);
    LeaveCriticalSection(&service.lock);
}

static DWORD WINAPI control(DWORD code, DWORD event, void *data, void *context)
{
    (void)event, (void)data, (void)context;
    switch (code) {
    case SERVICE_CONTROL_STOP:
    case SERVICE_CONTROL_PRESHUTDOWN:
    case SERVICE_CONTROL_SHUTDOWN:
        ask_to_stop();
        return NO_ERROR;
    case SERVICE_CONTROL_WAKE:
        EnterCriticalSection(&service.lock);
        if (service.runner != NULL)
            runner_wake(service.runner);
        LeaveCriticalSection(&service.lock);
        return NO_ERROR;
    case SERVICE_CONTROL_INTERROGATE:
        return NO_ERROR;
    default:
        return ERROR_CALL_NOT_IMPLEMENTED;
    }
}

static DWORD WINAPI work(void *arg)
{
    service.ended = runner_run(arg, &service.why);
    return 0;
}

/* Until the worker ends; while stopping, tells how far it is. false: it does not end. */
static bool wait_for(HANDLE worker)
{
    const HANDLE both[] = {worker, service.stopping};
    if (WaitForMultipleObjects(2, both, FALSE, INFINITE) == WAIT_OBJECT_0)
        return true;
    for (unsigned i = 0; i < STOP_SLICES; i++) {
        if (WaitForSingleObject(worker, STOP_SLICE_MS) == WAIT_OBJECT_0)
            return true;
        report_state(SERVICE_STOP_PENDING, STOP_HINT_MS);
    }
    return false;
}

static enum status run_worker(struct runner *runner, struct err *err)
{
    AUTO_HANDLE HANDLE worker = CreateThread(NULL, 0, work, runner, 0, NULL);
    if (worker == NULL)
        return wide_last_error(err, "start a thread");
    report_state(SERVICE_RUNNING, 0);
    /* STOP may have come before RUNNING took its place in the manager's eyes. */
    if (WaitForSingleObject(service.stopping, 0) == WAIT_OBJECT_0)
        ask_to_stop();
    if (!wait_for(worker)) {
        win_event(AGENT_EVENT_SOURCE_FAILED, "the agent did not stop in time and was ended");
        report_stopped(ST_TIMEOUT);
        ExitProcess((UINT)status_exit(ST_TIMEOUT));
    }
    *err = service.why;
    return service.ended;
}

static void set_runner(struct runner *runner)
{
    EnterCriticalSection(&service.lock);
    service.runner = runner;
    LeaveCriticalSection(&service.lock);
}

static enum status run_service(struct err *err)
{
    struct runner *runner = NULL;
    struct settings none;
    settings_init(&none);
    enum status st = runner_open(&none, RUNNER_SERVICE, &runner, err);
    if (st != ST_OK)
        return st;
    set_runner(runner);
    st = run_worker(runner, err);
    set_runner(NULL);
    report_state(SERVICE_STOP_PENDING, STOP_HINT_MS);
    if (st != ST_OK)
        win_event(AGENT_EVENT_CONFIG, err->message);
    runner_close(runner);
    return st;
}

static void WINAPI service_main(DWORD count, wchar_t **arguments)
{
    struct err err = {0};
    (void)count, (void)arguments;
    InitializeCriticalSection(&service.lock);
    service.accept = SERVICE_ACCEPT_STOP | SERVICE_ACCEPT_PRESHUTDOWN;
    service.status.dwServiceType = SERVICE_WIN32_OWN_PROCESS;
    service.stopping = CreateEventW(NULL, TRUE, FALSE, NULL);
    service.handle = RegisterServiceCtrlHandlerExW(WIN_SERVICE_NAME, control, NULL);
    if (service.handle == NULL || service.stopping == NULL)
        return; /* there is no one to tell */
    report_state(SERVICE_START_PENDING, START_HINT_MS);
    win_log_open(NULL, "info", WIN_LOG_EVENTS); /* for what goes wrong before there is a folder */
    enum status st = run_service(&err);
    if (st != ST_OK) {
        win_log_open(NULL, "info", WIN_LOG_EVENTS);
        win_event(AGENT_EVENT_STOPPED, err.message);
        win_log_close();
    }
    report_stopped(st);
}

int service_main_entry(void)
{
    wchar_t name[] = WIN_SERVICE_NAME;
    const SERVICE_TABLE_ENTRYW table[] = {{name, service_main}, {NULL, NULL}};
    if (StartServiceCtrlDispatcherW(table))
        return 0;
    struct err err = {0};
    if (GetLastError() == ERROR_FAILED_SERVICE_CONTROLLER_CONNECT) {
        err_set(&err, ST_USAGE, "verb \"service\" is for the service control manager");
        snprintf(err.hint, sizeof err.hint,
                 "start the service with \"net start PoolfleetAgent\", or use verb \"run\"");
    } else {
        (void)wide_last_error(&err, "run as a service");
    }
    win_complain(&err);
    return status_exit(err.code);
}
