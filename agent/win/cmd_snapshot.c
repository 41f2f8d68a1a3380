/* SPDX-License-Identifier: Apache-2.0 */
/* `snapshot`: poolmon for this console. Reads the kernel, prints, keeps nothing. */
#include "agent/win/cli.h"
#include "agent/win/system.h"
#include "agent/win/wide.h"
#include "common/snapshot_json.h"

#define DIFF_MAX_SECONDS 86400

enum { SNAPSHOT_JSON, SNAPSHOT_CSV, SNAPSHOT_DIFF };

struct reading {
    struct win_kernel kernel;
    struct win_source *source;
};

static void reading_done(struct reading *reading)
{
    win_source_close(reading->source);
    win_kernel_close(&reading->kernel);
}

static enum status reading_open(const struct settings *settings, struct reading *ret_reading,
                                struct err *err)
{
    struct reading reading = {.source = NULL};
    enum status st = win_check_native(err);
    if (st == ST_OK)
        st = win_kernel_open(settings, &reading.kernel, err);
    if (st != ST_OK)
        return st;
    st = win_source_open(reading.kernel.calls, settings, win_no_files(), &reading.source, err);
    if (st == ST_OK)
        *ret_reading = reading;
    else
        reading_done(&reading);
    return st;
}

static void complete(const struct reading *reading, const struct source_clocks *clocks,
                     struct snapshot *snapshot)
{
    wchar_t name[256];
    DWORD length = sizeof name / sizeof name[0];
    if (snapshot->host_name == NULL && GetComputerNameExW(ComputerNameDnsHostname, name, &length)) {
        AUTO_FREE char *utf8 = wide_to_utf8(name);
        snapshot->host_name = utf8 == NULL ? NULL : arena_strdup(&snapshot->arena, utf8);
    }
    if (snapshot->boot_at_us == TIME_UNKNOWN)
        snapshot->boot_at_us = clocks->boot_at_us;
    snapshot->agent = (struct snapshot_agent){
        .present = true,
        .simulated = win_kernel_label(&reading->kernel) != NULL,
        .version = POOLFLEET_VERSION,
        .waiting = -1,
        .dropped = -1,
    };
}

static enum status take(const struct reading *reading, const struct settings *settings, bool all,
                        struct snapshot *ret_snapshot, struct err *err)
{
    const struct source *source = win_source_get(reading->source);
    struct source_clocks clocks = {.boot_at_us = TIME_UNKNOWN};
    const struct source_request request = {
        .drivers = all,
        .top_processes = all ? (unsigned)settings_number(settings, SETTING_TOP_PROCESSES) : 0,
    };
    enum status st = source->take(source->arg, &request, ret_snapshot, &clocks, err);
    if (st == ST_OK)
        complete(reading, &clocks, ret_snapshot);
    return st;
}

/* Ctrl-C ends the program meanwhile: there is nothing to tidy up. */
static void wait_seconds(unsigned seconds)
{
    bool console = win_is_console(WIN_ERR);
    for (unsigned left = seconds; left > 0; left--) {
        if (console)
            win_printf(WIN_ERR, "\r%u s left ", left);
        Sleep(1000);
    }
    if (console)
        win_printf(WIN_ERR, "\r           \r");
}

static enum status diff_seconds(const char *text, unsigned *ret_seconds, struct err *err)
{
    unsigned seconds = 0;
    for (const char *c = text; *c >= '0' && *c <= '9' && seconds <= DIFF_MAX_SECONDS; c++) {
        seconds = seconds * 10 + (unsigned)(*c - '0');
        if (c[1] == '\0' && seconds >= 1 && seconds <= DIFF_MAX_SECONDS) {
            *ret_seconds = seconds;
            return ST_OK;
        }
    }
    return err_set(err, ST_USAGE,
                   "option \"--diff\" has the value \"%.32s\", must be seconds, 1 to %d", text,
                   DIFF_MAX_SECONDS);
}

static enum status print_table(struct cli *cli, const struct reading *reading,
                               const struct snapshot *first, struct strbuf *out, struct err *err)
{
    AUTO_SNAPSHOT struct snapshot second;
    unsigned seconds;
    snapshot_init(&second);
    if (cli->flags[SNAPSHOT_DIFF] == NULL) {
        poolmon_print(first, NULL, &cli->poolmon, NULL, NULL, out);
        return ST_OK;
    }
    enum status st = diff_seconds(cli->flags[SNAPSHOT_DIFF], &seconds, err);
    if (st != ST_OK)
        return st;
    wait_seconds(seconds);
    st = take(reading, &cli->settings, false, &second, err);
    if (st == ST_OK)
        poolmon_print(&second, first, &cli->poolmon, NULL, NULL, out);
    return st;
}

static enum status print(struct cli *cli, const struct reading *reading, struct err *err)
{
    AUTO_SNAPSHOT struct snapshot snapshot;
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    bool json = cli->flags[SNAPSHOT_JSON] != NULL, csv = cli->flags[SNAPSHOT_CSV] != NULL;
    snapshot_init(&snapshot);
    cli->poolmon.simulated = win_kernel_label(&reading->kernel);
    enum status st = take(reading, &cli->settings, json, &snapshot, err);
    if (st != ST_OK)
        return st;
    if (json) {
        snapshot_json_encode(&snapshot, &out);
        strbuf_putc(&out, '\n');
    } else if (csv) {
        poolmon_print_csv(&snapshot, &cli->poolmon, &out);
    } else {
        st = print_table(cli, reading, &snapshot, &out, err);
    }
    if (st == ST_OK && strbuf_failed(&out))
        st = err_set(err, ST_NOMEM, "could not print the snapshot: out of memory");
    if (st == ST_OK)
        cli_put(WIN_OUT, &out);
    return st;
}

enum status cmd_snapshot(struct cli *cli, struct err *err)
{
    struct reading reading;
    unsigned formats = 0, seconds;
    for (size_t i = SNAPSHOT_JSON; i <= SNAPSHOT_DIFF; i++)
        formats += cli->flags[i] != NULL;
    if (formats > 1)
        return err_set(err, ST_USAGE, "only one of --json, --csv and --diff can be given");
    if (cli->flags[SNAPSHOT_DIFF] != NULL) { /* before anything is read */
        enum status st = diff_seconds(cli->flags[SNAPSHOT_DIFF], &seconds, err);
        if (st != ST_OK)
            return st;
    }
    enum status st = reading_open(&cli->settings, &reading, err);
    if (st != ST_OK)
        return st;
    st = print(cli, &reading, err);
    /* Wine answers, but not as a Windows kernel would: say so before anyone looks for a fault. */
    if (st == ST_UNSUPPORTED && win_kernel_label(&reading.kernel) != NULL && err->hint[0] == '\0')
        snprintf(err->hint, sizeof err->hint, "%s", win_kernel_label(&reading.kernel));
    reading_done(&reading);
    return st;
}
