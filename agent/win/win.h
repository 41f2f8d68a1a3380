/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parts of the Windows agent, as main.c and service.c put them together. One file each. All
 * functions newer than Windows 7 (x64) or Server 2003 (x86) are resolved at run time, so that one
 * exe loads everywhere; `make check` compares the import table with an allow-list.
 */
#ifndef AGENT_WIN_WIN_H
#define AGENT_WIN_WIN_H

#include "agent/core/agent.h"
#include "agent/core/settings.h"
#include "agent/nt/calls.h"

#include <stdbool.h>

#define WIN_SERVICE_NAME L"PoolfleetAgent"
#define WIN_PRODUCT      L"Poolfleet Agent"
#define WIN_REGISTRY_KEY L"SOFTWARE\\Poolfleet\\Agent"
#define WIN_POLICY_KEY   L"SOFTWARE\\Policies\\Poolfleet\\Agent"
#define WIN_EVENT_SOURCE L"PoolfleetAgent"

/* ---- calls.c: ntdll, resolved at run time */
const struct nt_calls *win_calls(void);
/* True under Wine, whose kernel data is made up: everything is then labelled simulated. */
bool win_is_wine(void);
/* ST_UNSUPPORTED under WoW64: the message names the package that fits. */
enum status win_check_native(struct err *err) MUST_CHECK;

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

/* ---- files.c: struct files over one folder, with an ACL of its own */
struct win_files;
/* Makes the folder if it is not there (SYSTEM, Administrators, the service's SID; nobody else),
 * and takes its lock: ST_CONFLICT when another agent has it. */
enum status win_files_open(const char *folder, bool lock, struct win_files **ret_files,
                           struct err *err) MUST_CHECK;
void win_files_close(struct win_files *files);
const struct files *win_files_get(struct win_files *files);

/* ---- vault.c: DPAPI with entropy of our own */
const struct vault *win_vault(void);

/* ---- registry.c, paths.c: settings of all layers; folders */
/* Built-ins, INI, registry, policy. Faults are told and the rest is still read. */
void win_settings_load(struct settings *settings, void (*fault)(void *arg, const struct err *err),
                       void *arg);
char *win_default_data_folder(void); /* owned by caller (free); UTF-8 */

/* ---- eventlog.c: Event Log with a message table, and agent.log that rotates */
void win_log_open(const char *folder, const char *level, bool console);
void win_log_close(void);
void win_event(enum agent_event event, const char *text); /* Event Log, and the log file */

/* ---- runner.c: the agent with all its parts, until stop is signalled */
struct runner;
enum status runner_open(const struct settings *settings, bool console, struct runner **ret_runner,
                        struct err *err) MUST_CHECK;
/* Steps until runner_stop; once: one sample, delivered or given up. */
enum status runner_run(struct runner *runner, bool once, struct err *err) MUST_CHECK;
void runner_stop(struct runner *runner); /* from any thread; runner_run returns within 2 s */
void runner_close(struct runner *runner);

/* ---- service.c, install.c */
int service_main_entry(void); /* called by the service control manager; exit code */
enum status service_install(const struct settings *settings, struct err *err) MUST_CHECK;
enum status service_uninstall(bool remove_data, struct err *err) MUST_CHECK;

#endif
