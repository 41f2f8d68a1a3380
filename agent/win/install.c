/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The service in the service control manager: made, brought up to date, removed. What only newer
 * Windows knows (delayed start, service SID, privileges) is asked for, and a refusal is a warning:
 * the agent works without. An MSI makes and removes the service itself and calls us for the rest.
 */
#include "agent/win/system.h"
#include "agent/win/wide.h"
#include "agent/win/win.h"

#define STOP_MAX_MS 30000 /* without progress; then removing goes on without it */
#define ACCOUNT     L"NT AUTHORITY\\LocalService"

static wchar_t description[] =
    L"Watches the kernel pools of this computer and reports to the Poolfleet server.";

static const struct {
    DWORD state;
    const char *name;
} states[] = {
    {SERVICE_STOPPED, "stopped"},
    {SERVICE_START_PENDING, "starting"},
    {SERVICE_STOP_PENDING, "stopping"},
    {SERVICE_RUNNING, "running"},
    {SERVICE_CONTINUE_PENDING, "continuing"},
    {SERVICE_PAUSE_PENDING, "pausing"},
    {SERVICE_PAUSED, "paused"},
};

static void warn(const struct err *err)
{
    win_printf(WIN_ERR, "warning: %s\n", err->message);
}

static enum status open_manager(DWORD access, SC_HANDLE *ret_manager, struct err *err)
{
    *ret_manager = OpenSCManagerW(NULL, NULL, access);
    if (*ret_manager != NULL)
        return ST_OK;
    enum status st = wide_last_error(err, "open the service control manager");
    if (st == ST_FORBIDDEN && err != NULL)
        snprintf(err->hint, sizeof err->hint, "run this as an administrator");
    return st;
}

const char *service_state(void)
{
    AUTO_SERVICE SC_HANDLE manager = NULL;
    AUTO_SERVICE SC_HANDLE service = NULL;
    SERVICE_STATUS status;
    if (open_manager(SC_MANAGER_CONNECT, &manager, NULL) != ST_OK)
        return "unknown";
    service = OpenServiceW(manager, WIN_SERVICE_NAME, SERVICE_QUERY_STATUS);
    if (service == NULL)
        return GetLastError() == ERROR_SERVICE_DOES_NOT_EXIST ? "not installed" : "unknown";
    if (QueryServiceStatus(service, &status)) {
        for (size_t i = 0; i < sizeof states / sizeof states[0]; i++) {
            if (states[i].state == status.dwCurrentState)
                return states[i].name;
        }
    }
    return "unknown";
}

bool service_wake(void)
{
    AUTO_SERVICE SC_HANDLE manager = NULL;
    AUTO_SERVICE SC_HANDLE service = NULL;
    SERVICE_STATUS status;
    if (open_manager(SC_MANAGER_CONNECT, &manager, NULL) != ST_OK)
        return false;
    service = OpenServiceW(manager, WIN_SERVICE_NAME, SERVICE_USER_DEFINED_CONTROL);
    return service != NULL && ControlService(service, SERVICE_CONTROL_WAKE, &status);
}

/* ---- installing */

/* The program's path in quotes (a blank in it would otherwise let another program start in its
 * place) and the hidden verb. Owned by caller (free). */
static wchar_t *command_line(void)
{
    AUTO_FREE char *program = win_program_path();
    AUTO_STRBUF struct strbuf text = STRBUF_INIT;
    if (program == NULL)
        return NULL;
    strbuf_printf(&text, "\"%s\" service", program);
    return strbuf_failed(&text) ? NULL : wide_from_utf8(text.data);
}

static enum status create_or_update(SC_HANDLE manager, SC_HANDLE *ret_service, bool *ret_created,
                                    struct err *err)
{
    AUTO_FREE wchar_t *command = command_line();
    if (command == NULL)
        return err_set(err, ST_NOMEM, "could not install the service: out of memory");
    *ret_created = true;
    *ret_service = CreateServiceW(manager, WIN_SERVICE_NAME, WIN_PRODUCT, SERVICE_ALL_ACCESS,
                                  SERVICE_WIN32_OWN_PROCESS, SERVICE_AUTO_START,
                                  SERVICE_ERROR_NORMAL, command, NULL, NULL, NULL, ACCOUNT, NULL);
    if (*ret_service != NULL)
        return ST_OK;
    if (GetLastError() != ERROR_SERVICE_EXISTS)
        return wide_last_error(err, "create the service");
    *ret_created = false;
    *ret_service = OpenServiceW(manager, WIN_SERVICE_NAME, SERVICE_ALL_ACCESS);
    if (*ret_service == NULL)
        return wide_last_error(err, "open the service");
    if (!ChangeServiceConfigW(*ret_service, SERVICE_WIN32_OWN_PROCESS, SERVICE_AUTO_START,
                              SERVICE_ERROR_NORMAL, command, NULL, NULL, NULL, ACCOUNT, L"",
                              WIN_PRODUCT))
        return wide_last_error(err, "change the service");
    return ST_OK;
}

/* false: refused; a warning has been written. */
static bool configure(SC_HANDLE service, DWORD level, void *data, const char *what)
{
    struct err err;
    if (ChangeServiceConfig2W(service, level, data))
        return true;
    (void)wide_last_error(&err, what);
    warn(&err);
    return false;
}

/* Returns whether the service has a SID of its own. */
static bool configure_all(SC_HANDLE service)
{
    SERVICE_DESCRIPTIONW text = {description};
    SC_ACTION actions[] = {{SC_ACTION_RESTART, 60 * 1000},
                           {SC_ACTION_RESTART, 5 * 60 * 1000},
                           {SC_ACTION_RESTART, 15 * 60 * 1000}};
    SERVICE_FAILURE_ACTIONSW failure = {
        .dwResetPeriod = 24 * 60 * 60,
        .cActions = sizeof actions / sizeof actions[0],
        .lpsaActions = actions,
    };
    SERVICE_FAILURE_ACTIONS_FLAG also_errors = {TRUE};
    SERVICE_DELAYED_AUTO_START_INFO delayed = {TRUE};
    SERVICE_SID_INFO sid = {SERVICE_SID_TYPE_UNRESTRICTED};
    wchar_t privilege[] = L"SeChangeNotifyPrivilege\0"; /* a list, ended by an empty text */
    SERVICE_REQUIRED_PRIVILEGES_INFOW privileges = {privilege};
    configure(service, SERVICE_CONFIG_DESCRIPTION, &text, "set the service's description");
    configure(service, SERVICE_CONFIG_FAILURE_ACTIONS, &failure, "set what follows a failure");
    configure(service, SERVICE_CONFIG_FAILURE_ACTIONS_FLAG, &also_errors,
              "make errors count as failures");
    configure(service, SERVICE_CONFIG_DELAYED_AUTO_START_INFO, &delayed, "delay the start at boot");
    configure(service, SERVICE_CONFIG_REQUIRED_PRIVILEGES_INFO, &privileges,
              "take away privileges");
    return configure(service, SERVICE_CONFIG_SERVICE_SID_INFO, &sid, "give the service a SID");
}

/* A copy of the EnrollFile's secret, readable by the service whatever the file's own rights are. */
static void keep_secret(const struct settings *settings, const struct files *files)
{
    struct err err;
    AUTO_STRBUF struct strbuf secret = STRBUF_INIT;
    if (*settings_text(settings, SETTING_ENROLL_FILE) == '\0')
        return;
    enum status st = win_secret_load(settings, files, &secret, &err);
    if (st == ST_OK)
        st = win_secret_store(files, secret.data, &err);
    if (st != ST_OK)
        warn(&err); /* the service looks for it again */
    win_secret_wipe(&secret);
}

static enum status prepare_folder(const struct settings *settings, bool service_account,
                                  struct err *err)
{
    AUTO_FREE char *folder = NULL;
    struct win_files *files = NULL;
    enum status st = win_data_folder(settings, &folder, err);
    if (st != ST_OK)
        return st;
    AUTO_FREE wchar_t *wide = wide_from_utf8(folder);
    if (wide == NULL)
        return err_set(err, ST_NOMEM, "could not make the data folder: out of memory");
    st = win_acl_folder(wide, service_account, err);
    if (st != ST_OK)
        return st;
    st = win_files_open(folder, true, &files, err);
    if (st == ST_CONFLICT) /* the service runs: it is being brought up to date */
        st = win_files_open(folder, false, &files, err);
    if (st != ST_OK)
        return st;
    keep_secret(settings, win_files_get(files));
    win_files_close(files);
    return ST_OK;
}

enum status service_install(const struct settings *settings, bool from_installer, struct err *err)
{
    AUTO_SERVICE SC_HANDLE manager = NULL;
    AUTO_SERVICE SC_HANDLE service = NULL;
    bool created = false;
    enum status st = open_manager(SC_MANAGER_CONNECT | SC_MANAGER_CREATE_SERVICE, &manager, err);
    if (st == ST_OK)
        st = create_or_update(manager, &service, &created, err);
    if (st != ST_OK)
        return st;
    bool has_sid = configure_all(service);
    st = win_settings_save(settings, err);
    if (st == ST_OK)
        st = win_event_source_install(err);
    if (st == ST_OK)
        st = prepare_folder(settings, !has_sid, err);
    if (st != ST_OK) {
        /* What was not there before must not stay half made. */
        if (created)
            DeleteService(service);
        return st;
    }
    if (!from_installer)
        win_printf(WIN_OUT, created
                                ? "service PoolfleetAgent is installed; start it with: net start"
                                  " PoolfleetAgent\n"
                                : "service PoolfleetAgent was there and is up to date; what"
                                  " changed takes effect when it starts again\n");
    return ST_OK;
}

/* ---- removing */

/* Waits as long as the service makes progress. */
static bool wait_stopped(SC_HANDLE service)
{
    SERVICE_STATUS status;
    DWORD checkpoint = 0;
    DWORD since = GetTickCount();
    for (;;) {
        if (!QueryServiceStatus(service, &status))
            return false;
        if (status.dwCurrentState == SERVICE_STOPPED)
            return true;
        if (status.dwCheckPoint != checkpoint) {
            checkpoint = status.dwCheckPoint;
            since = GetTickCount();
        }
        if (GetTickCount() - since > STOP_MAX_MS)
            return false;
        Sleep(100); /* there is no event for another process's service on old Windows */
    }
}

static enum status stop_service(SC_HANDLE service, struct err *err)
{
    SERVICE_STATUS status;
    if (!ControlService(service, SERVICE_CONTROL_STOP, &status)) {
        DWORD error = GetLastError();
        if (error == ERROR_SERVICE_NOT_ACTIVE)
            return ST_OK;
        if (error != ERROR_SERVICE_CANNOT_ACCEPT_CTRL)
            return wide_error(err, error, "stop the service");
    }
    if (!wait_stopped(service))
        return err_set(err, ST_TIMEOUT, "could not stop the service: it makes no progress");
    return ST_OK;
}

static enum status remove_service(bool from_installer, bool *ret_found, struct err *err)
{
    AUTO_SERVICE SC_HANDLE manager = NULL;
    AUTO_SERVICE SC_HANDLE service = NULL;
    *ret_found = false;
    enum status st = open_manager(SC_MANAGER_CONNECT, &manager, err);
    if (st != ST_OK)
        return st;
    service = OpenServiceW(manager, WIN_SERVICE_NAME, SERVICE_STOP | SERVICE_QUERY_STATUS | DELETE);
    if (service == NULL && GetLastError() == ERROR_SERVICE_DOES_NOT_EXIST)
        return ST_OK;
    if (service == NULL) {
        st = wide_last_error(err, "open the service");
        if (st == ST_FORBIDDEN && err != NULL)
            snprintf(err->hint, sizeof err->hint, "run this as an administrator");
        return st;
    }
    *ret_found = true;
    st = stop_service(service, err);
    if (st != ST_OK)
        return st;
    if (!from_installer && !DeleteService(service) &&
        GetLastError() != ERROR_SERVICE_MARKED_FOR_DELETE)
        return wide_last_error(err, "remove the service");
    return ST_OK;
}

enum status service_uninstall(const struct settings *settings, bool remove_data,
                              bool from_installer, struct err *err)
{
    bool found = false;
    AUTO_FREE char *folder = NULL;
    enum status st = remove_service(from_installer, &found, err);
    if (st == ST_OK)
        st = win_event_source_remove(err);
    if (st == ST_OK)
        st = win_data_folder(settings, &folder, err);
    if (st == ST_OK && remove_data)
        st = win_files_remove_all(folder, err);
    if (st == ST_OK && remove_data)
        st = win_registry_remove(WIN_REGISTRY_KEY, err);
    if (st == ST_OK && remove_data)
        (void)!win_registry_remove(WIN_VENDOR_KEY, NULL); /* stays when another of ours is in it */
    if (st != ST_OK || from_installer)
        return st;
    win_printf(WIN_OUT, found ? "service PoolfleetAgent is removed\n"
                              : "service PoolfleetAgent was not installed\n");
    if (!remove_data)
        win_printf(WIN_OUT, "data and settings stay; --remove-data would remove them: %s\n",
                   folder);
    return ST_OK;
}
