/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs. What they do is in cmd_*.c. */
#include "agent/win/cli.h"
#include "agent/win/system.h"
#include "agent/win/wide.h"

static enum status cmd_version(struct cli *cli, struct err *err)
{
    (void)cli, (void)err;
    win_printf(WIN_OUT, "poolfleet-agent %s (%s)\n", POOLFLEET_VERSION,
               sizeof(void *) == 8 ? "x64" : "x86");
    return ST_OK;
}

static const struct cli_verb verbs[] = {
    {"run",
     "",
     "Runs the agent on this console until Ctrl-C, with its log on stderr",
     "The service must not run at the same time: both use one data folder.",
     CLI_SETTINGS | CLI_QUIET,
     {{"--once", NULL, "one snapshot, delivered or kept, then end"}, {0}},
     cmd_run},
    {"install",
     "",
     "Installs the service PoolfleetAgent, or brings it up to date",
     "It runs as LocalService, starts some minutes after boot and again after a failure.\n"
     "Settings given here are stored in HKLM\\SOFTWARE\\Poolfleet\\Agent for it.",
     CLI_SETTINGS,
     {{"--from-installer", NULL, NULL}, {0}},
     cmd_install},
    {"uninstall",
     "",
     "Stops and removes the service and its event source",
     "",
     0,
     {{"--remove-data", NULL, "also remove the data folder and the stored settings"},
      {"--from-installer", NULL, NULL},
      {0}},
     cmd_uninstall},
    {"enroll",
     "",
     "Enrolls this computer with the server",
     "The enroll secret is read from standard input, or from a file; never from the command\n"
     "line, which other users can see. It is kept encrypted until it has been used.\n"
     "Settings given here are stored in HKLM\\SOFTWARE\\Poolfleet\\Agent for the service.",
     CLI_SETTINGS,
     {{"--secret-file", "FILE", "file with the enroll secret"}, {0}},
     cmd_enroll},
    {"snapshot",
     "",
     "Prints the kernel's pool tags now; needs no server",
     "",
     CLI_SETTINGS | CLI_POOLMON,
     {{"--json", NULL, "one snapshot document (schema/snapshot.cddl)"},
      {"--csv", NULL, "tag,pool,allocs,frees,outstanding,bytes"},
      {"--diff", "SECONDS", "two snapshots, with what changed in between"},
      {0}},
     cmd_snapshot},
    {"scan-drivers",
     "TAG...",
     "Finds the loaded drivers whose code allocates with these pool tags",
     "Tags count case and blanks; fewer than four characters are padded with blanks.\n"
     "Other bytes are written \\xNN.",
     CLI_SETTINGS | CLI_OPERANDS,
     {{"--json", NULL, "a JSON object a line"}, {0}},
     cmd_scan_drivers},
    {"status",
     "",
     "Shows settings and where they come from, identity, what waits, the last fault",
     "",
     CLI_SETTINGS,
     {{"--json", NULL, "one JSON object"}, {0}},
     cmd_status},
    {"version", "", "Prints the version", "", 0, {{0}}, cmd_version},
    {"service", "", "What the service control manager starts", "", CLI_HIDDEN, {{0}}, NULL},
};
#define VERB_COUNT (sizeof verbs / sizeof verbs[0])

static const struct cli_verb *find_verb(const char *name)
{
    for (size_t i = 0; i < VERB_COUNT; i++) {
        if (strcmp(verbs[i].name, name) == 0)
            return &verbs[i];
    }
    return NULL;
}

static void help_all(struct strbuf *out)
{
    strbuf_puts(out, "Usage: poolfleet-agent VERB [options]\n\n"
                     "Watches the kernel pools of this computer and reports to a Poolfleet"
                     " server.\n\nVerbs:\n");
    for (size_t i = 0; i < VERB_COUNT; i++) {
        if ((verbs[i].takes & CLI_HIDDEN) == 0)
            strbuf_printf(out, "  %-14s%s\n", verbs[i].name, verbs[i].summary);
    }
    strbuf_puts(out, "  help [VERB]   This list, or all about one verb\n\n"
                     "Exit codes: 0 done, 1 failed, 2 wrong usage or settings, 3 could not reach"
                     " the server\n");
}

static enum status unknown_verb(const char *name, struct err *err)
{
    enum status st = err_set(err, ST_USAGE, "unknown verb \"%.64s\"", name);
    snprintf(err->hint, sizeof err->hint, "poolfleet-agent help");
    return st;
}

static enum status help(int count, char *const *arguments, struct err *err)
{
    AUTO_STRBUF struct strbuf text = STRBUF_INIT;
    const struct cli_verb *verb = count > 0 ? find_verb(arguments[0]) : NULL;
    if (count > 0 && verb == NULL)
        return unknown_verb(arguments[0], err);
    if (verb == NULL)
        help_all(&text);
    else
        cli_help_verb(verb, &text);
    cli_put(WIN_OUT, &text);
    return ST_OK;
}

static void tell_fault(void *arg, const struct err *err)
{
    (void)arg;
    win_printf(WIN_ERR, "warning: %s\n", err->message);
}

static enum status run_verb(const struct cli_verb *verb, int count, char *const *arguments,
                            struct err *err)
{
    struct cli cli;
    enum status st = cli_parse(verb, count, arguments, &cli, err);
    if (st == ST_NOT_FOUND) {
        AUTO_STRBUF struct strbuf text = STRBUF_INIT;
        cli_help_verb(verb, &text);
        cli_put(WIN_OUT, &text);
        st = ST_OK;
    } else if (st == ST_OK) {
        if (verb->takes != 0)
            win_settings_load(&cli.settings, (verb->takes & CLI_QUIET) != 0 ? NULL : tell_fault,
                              NULL);
        st = verb->run(&cli, err);
    }
    cli_done(&cli);
    return st;
}

static enum status dispatch(int count, char *const *arguments, struct err *err)
{
    if (count == 0) {
        AUTO_STRBUF struct strbuf text = STRBUF_INIT;
        help_all(&text);
        cli_put(WIN_ERR, &text);
        return ST_USAGE;
    }
    const char *name = arguments[0];
    if (strcmp(name, "help") == 0 || strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 ||
        strcmp(name, "/?") == 0)
        return help(count - 1, arguments + 1, err);
    if (strcmp(name, "--version") == 0)
        name = "version";
    const struct cli_verb *verb = find_verb(name);
    if (verb == NULL)
        return unknown_verb(name, err);
    return run_verb(verb, count - 1, arguments + 1, err);
}

/* The table of common/status.c, but: what times out here is the server. */
static int exit_code(enum status st)
{
    return st == ST_TIMEOUT ? 3 : status_exit(st);
}

/* NULL: out of memory. Never freed: it lives as long as the program. */
static char **to_utf8(int count, wchar_t **wide)
{
    char **texts = calloc((size_t)count + 1, sizeof *texts);
    for (int i = 0; texts != NULL && i < count; i++) {
        texts[i] = wide_to_utf8(wide[i]);
        if (texts[i] == NULL)
            return NULL;
    }
    return texts;
}

int wmain(int count, wchar_t **wide);

int wmain(int count, wchar_t **wide)
{
    struct err err = {0};
    win_restrict_dlls();
    if (count == 2 && wcscmp(wide[1], L"service") == 0)
        return service_main_entry();
    win_console_open();
    char **arguments = to_utf8(count, wide);
    enum status st = ST_NOMEM;
    if (arguments == NULL)
        err_set(&err, ST_NOMEM, "could not start: out of memory");
    else
        st = dispatch(count > 0 ? count - 1 : 0, arguments + (count > 0 ? 1 : 0), &err);
    if (st != ST_OK && err.message[0] != '\0')
        win_complain(&err);
    return exit_code(st);
}
