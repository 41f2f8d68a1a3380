/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parts of the Windows agent, as the verbs and the service put them together. One file each.
 * All functions newer than Windows 7 (x64) or Server 2003 (x86) are resolved at run time, so that
 * one exe loads everywhere; scripts/check_imports.sh compares the import table with imports.txt.
 */
#ifndef AGENT_WIN_WIN_H
#define AGENT_WIN_WIN_H

#include "agent/core/agent.h"
#include "agent/core/settings.h"
#include "agent/nt/calls.h"

#include <stdbool.h>
#include <wchar.h>

#define WIN_SERVICE_NAME L"PoolfleetAgent"
#define WIN_PRODUCT      L"Poolfleet Agent"
#define WIN_VENDOR_KEY   L"SOFTWARE\\Poolfleet"
#define WIN_REGISTRY_KEY L"SOFTWARE\\Poolfleet\\Agent"
#define WIN_POLICY_KEY   L"SOFTWARE\\Policies\\Poolfleet\\Agent"
#define WIN_EVENT_SOURCE L"PoolfleetAgent"

/* ---- calls.c: what the system offers, resolved at run time */
/* From here on DLLs come from System32 only. Called once, before anything else. */
void win_restrict_dlls(void);
/* A function of a system DLL, loaded by its full path and never unloaded; NULL: this Windows has
 * none. Cast it to its type. */
void (*win_function(const wchar_t *dll, const char *name))(void);
const struct nt_calls *win_calls(void);
/* True under Wine, whose kernel data is made up: everything is then labelled simulated. */
bool win_is_wine(void);
/* ST_UNSUPPORTED under WoW64: the message names the package that fits. */
enum status win_check_native(struct err *err) MUST_CHECK;

/* The kernel to read: the live one, or recorded answers when Replay is set. */
struct win_kernel {
    struct nt_replay *replay; /* owned; NULL: live */
    const struct nt_calls *calls;
};
enum status win_kernel_open(const struct settings *settings, struct win_kernel *ret_kernel,
                            struct err *err) MUST_CHECK;
void win_kernel_close(struct win_kernel *kernel);
/* "simulated: ..." for people, or NULL when the kernel is live. */
const char *win_kernel_label(const struct win_kernel *kernel);

/* ---- inventory.c, source.c: what is on this host */
struct win_source; /* struct source over nt_reader, inventory and events */
enum status win_source_open(const struct nt_calls *calls, const struct settings *settings,
                            const struct files *files, struct win_source **ret_source,
                            struct err *err) MUST_CHECK;
void win_source_close(struct win_source *source);
const struct source *win_source_get(struct win_source *source);
/* Hash of hardware identity (SMBIOS system UUID, first board serial), hex; "" unknown. */
void win_machine_id(char ret_text[SHA256_TEXT_MAX]);
/* The console's `scan-drivers`: every loaded driver's file for these tags, a line each on stdout as
 * it is found, with progress on stderr when that is a console. */
enum status win_scan_drivers(const struct nt_calls *calls, const uint32_t *tags, size_t count,
                             bool json, struct err *err) MUST_CHECK;

/* ---- http.c: WinHTTP */
struct win_http;
enum status win_http_open(const struct settings *settings, struct win_http **ret_http,
                          struct err *err) MUST_CHECK;
void win_http_close(struct win_http *http);
const struct transport *win_http_transport(struct win_http *http);
/* From another thread: ends a request under way at once, and refuses further ones. */
void win_http_abort(struct win_http *http);

/* ---- files.c: struct files over one folder, with an ACL of its own (acl.c) */
struct win_files;
/* lock: makes the folder if it is not there, and takes its lock: ST_CONFLICT when another agent has
 * it. Without: the folder as it is; ST_NOT_FOUND when there is none. ST_FORBIDDEN: no rights, or
 * the folder (or what leads to it) is a link to elsewhere. */
enum status win_files_open(const char *folder, bool lock, struct win_files **ret_files,
                           struct err *err) MUST_CHECK;
void win_files_close(struct win_files *files);
const struct files *win_files_get(struct win_files *files);
/* Removes what an agent keeps in the folder, and the folder when it is then empty. */
enum status win_files_remove_all(const char *folder, struct err *err) MUST_CHECK;
/* Files that hold nothing and keep nothing, for verbs that need no data folder. */
const struct files *win_no_files(void);
/* A file of any place, whole: the enroll file, agent.ini. ST_NOT_FOUND, ST_TOO_LARGE, ST_IO. */
enum status win_read_file(const char *path, size_t max, struct strbuf *out,
                          struct err *err) MUST_CHECK;

/* ---- acl.c: who may touch the data folder */
/* Makes the folder and its parent with the agent's rights, or gives them to the one that is there.
 * service_account: LocalService itself gets rights too, for systems without service SIDs. */
enum status win_acl_folder(const wchar_t *folder, bool service_account, struct err *err) MUST_CHECK;
bool win_is_admin(void);

/* ---- vault.c: DPAPI with entropy of our own */
const struct vault *win_vault(void);

/* ---- secret.c: the enroll secret between `enroll` or the installer and the service */
enum status win_secret_store(const struct files *files, const char *secret,
                             struct err *err) MUST_CHECK;
/* From the data folder, else from EnrollFile. ST_NOT_FOUND: there is none. ret is NUL-terminated in
 * `out`; wipe it with win_secret_wipe. */
enum status win_secret_load(const struct settings *settings, const struct files *files,
                            struct strbuf *out, struct err *err) MUST_CHECK;
/* After success: gone from both places. ST_IO: the EnrollFile could not be removed. */
enum status win_secret_remove(const struct settings *settings, const struct files *files,
                              struct err *err) MUST_CHECK;
void win_secret_wipe(struct strbuf *secret);

/* ---- registry.c, paths.c: settings of all layers; folders */
/* Built-ins, INI, registry, policy; what `settings` already has from a flag stays. Faults are told
 * and the rest is still read. */
void win_settings_load(struct settings *settings, void (*fault)(void *arg, const struct err *err),
                       void *arg);
/* Values with the layer "flag" into HKLM\SOFTWARE\Poolfleet\Agent. */
enum status win_settings_save(const struct settings *settings, struct err *err) MUST_CHECK;
/* Removes a key below HKEY_LOCAL_MACHINE with all in it; ST_OK when there is none. */
enum status win_registry_remove(const wchar_t *key, struct err *err) MUST_CHECK;
char *win_default_data_folder(void); /* owned by caller (free); UTF-8 */
/* SETTING_DATA_FOLDER with its %NAMES% replaced, as a full path. Owned by caller (free).
 * ST_INVALID: not on a local disk. */
enum status win_data_folder(const struct settings *settings, char **ret_folder,
                            struct err *err) MUST_CHECK;
char *win_program_path(void); /* of this exe; owned by caller (free) */

/* ---- console.c: UTF-8 to a console or to bytes */
enum win_stream { WIN_OUT, WIN_ERR };
void win_console_open(void);
void win_write(enum win_stream stream, const char *text, size_t length);
void win_printf(enum win_stream stream, const char *format, ...) PRINTF_LIKE(2, 3);
bool win_is_console(enum win_stream stream);
/* "poolfleet-agent: message" and the hint, on stderr. */
void win_complain(const struct err *err);

/* ---- eventlog.c: Event Log with a message table, and agent.log that rotates */
enum { WIN_LOG_STDERR = 1, WIN_LOG_EVENTS = 2 };
/* folder NULL: no file. where: where lines, and events, go beside the file. May be called again. */
void win_log_open(const char *folder, const char *level, unsigned where);
void win_log_close(void);
void win_event(enum agent_event event, const char *text); /* any thread */
enum status win_event_source_install(struct err *err) MUST_CHECK;
enum status win_event_source_remove(struct err *err) MUST_CHECK;

/* ---- runner.c: the agent with all its parts, until stop is signalled */
enum runner_mode {
    RUNNER_SERVICE,
    RUNNER_CONSOLE, /* the same, with its log on stderr and no Event Log */
    RUNNER_ONCE,    /* one sample, delivered or given up */
    RUNNER_ENROLL   /* until the host is enrolled or refused */
};
struct runner;
/* settings: only flags are taken; the other layers are read again at least once a minute, and a
 * change opens the parts anew. Holds the data folder's lock until runner_close. */
enum status runner_open(const struct settings *settings, enum runner_mode mode,
                        struct runner **ret_runner, struct err *err) MUST_CHECK;
/* ST_OK: stopped, or done. ST_IO, ST_NOMEM...: parts could not be opened anew. Once and enroll:
 * ST_TIMEOUT: the server could not be reached (what was taken waits in the spool);
 * ST_UNAUTHORIZED, ST_CONFLICT: it refused, and why. */
enum status runner_run(struct runner *runner, struct err *err) MUST_CHECK;
const char *runner_host_id(const struct runner *runner); /* "": not enrolled */
void runner_stop(struct runner *runner); /* from any thread; runner_run returns within 2 s */
void runner_wake(struct runner *runner); /* from any thread: settings or secret changed */
void runner_close(struct runner *runner);

/* ---- service.c, install.c */
int service_main_entry(void); /* called by the service control manager; exit code */
/* from_installer: the MSI owns the service itself (made, started, removed by it). */
enum status service_install(const struct settings *settings, bool from_installer,
                            struct err *err) MUST_CHECK;
enum status service_uninstall(const struct settings *settings, bool remove_data,
                              bool from_installer, struct err *err) MUST_CHECK;
/* "running", "stopped", ... of SERVICE_QUERY; "not installed"; "unknown". */
const char *service_state(void);
/* Tells a running service to look for settings and secrets now. false: it does not run. */
bool service_wake(void);
#define SERVICE_CONTROL_WAKE 128 /* the first of the numbers Windows leaves to services */

#endif
