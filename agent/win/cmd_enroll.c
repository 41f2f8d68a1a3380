/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `enroll`: stores the secret for the service and tries at once. When an agent runs already, it is
 * that agent's business: it is woken, and what becomes of it is read from the data folder.
 */
#include "agent/win/cli.h"
#include "agent/win/system.h"

#define SECRET_BYTES 1024
#define WATCH_MAX_US (75 * US_PER_SECOND) /* an agent on a console looks once a minute */
#define WATCH_MS     250

enum { ENROLL_SECRET_FILE };

/* One line. On a console it is asked for, and not shown while typed. */
static enum status read_line(struct strbuf *out, struct err *err)
{
    HANDLE input = GetStdHandle(STD_INPUT_HANDLE);
    DWORD mode = 0;
    bool console = GetConsoleMode(input, &mode) != 0;
    if (console) {
        win_printf(WIN_ERR, "Enroll secret: ");
        SetConsoleMode(input, mode & ~(DWORD)ENABLE_ECHO_INPUT);
    }
    char c;
    DWORD got = 0;
    while (ReadFile(input, &c, 1, &got, NULL) && got == 1 && c != '\n' &&
           out->length < SECRET_BYTES)
        strbuf_putc(out, c);
    if (console) {
        SetConsoleMode(input, mode);
        win_printf(WIN_ERR, "\n");
    }
    if (strbuf_failed(out))
        return err_set(err, ST_NOMEM, "could not read the enroll secret: out of memory");
    while (out->length > 0 && (unsigned char)out->data[out->length - 1] <= ' ')
        out->data[--out->length] = '\0';
    if (out->length == 0)
        return err_set(err, ST_USAGE, "no enroll secret on standard input");
    return ST_OK;
}

static enum status read_secret(struct cli *cli, struct strbuf *out, struct err *err)
{
    const char *file = cli->flags[ENROLL_SECRET_FILE];
    if (file == NULL)
        return read_line(out, err);
    /* The same rules as for the setting: byte order marks, UTF-16, blank lines. */
    struct settings only;
    settings_init(&only);
    enum status st = settings_set(&only, LAYER_FLAG, setting_name(SETTING_ENROLL_FILE), file, err);
    if (st == ST_OK)
        st = win_secret_load(&only, win_no_files(), out, err);
    settings_done(&only);
    return st;
}

static enum status watch(struct win_files *files, struct err *err)
{
    int64_t end_us = clock_mono_us() + WATCH_MAX_US;
    struct agent_summary summary;
    if (!service_wake())
        win_printf(WIN_ERR, "another agent runs; it looks for the secret within a minute\n");
    for (;;) {
        enum status st = agent_summarize(win_files_get(files), win_vault(), &summary, err);
        if (st != ST_OK)
            return st;
        if (summary.enrolled) {
            win_printf(WIN_OUT, "enrolled as %s\n", summary.host_id);
            return ST_OK;
        }
        if (clock_mono_us() > end_us)
            break;
        Sleep(WATCH_MS);
    }
    if (summary.last_fault[0] != '\0')
        return err_set(err, ST_TIMEOUT, "not enrolled yet; the last fault was: %.180s",
                       summary.last_fault);
    return err_set(err, ST_TIMEOUT, "not enrolled yet; the secret is kept and tried again");
}

static enum status try_now(struct cli *cli, struct err *err)
{
    struct runner *runner;
    enum status st = runner_open(&cli->settings, RUNNER_ENROLL, &runner, err);
    if (st != ST_OK)
        return st;
    st = runner_run(runner, err);
    if (st == ST_OK)
        win_printf(WIN_OUT, "enrolled as %s\n", runner_host_id(runner));
    else if (st == ST_TIMEOUT)
        snprintf(err->hint, sizeof err->hint, "the secret is kept; the service tries again");
    runner_close(runner);
    return st;
}

static enum status store(struct cli *cli, struct win_files *files, bool *ret_enrolled,
                         struct err *err)
{
    struct strbuf secret = STRBUF_INIT;
    struct agent_summary summary;
    enum status st = agent_summarize(win_files_get(files), win_vault(), &summary, err);
    if (st == ST_OK)
        st = read_secret(cli, &secret, err);
    if (st == ST_OK)
        st = win_secret_store(win_files_get(files), secret.data, err);
    win_secret_wipe(&secret);
    if (st == ST_OK && summary.enrolled)
        win_printf(WIN_OUT,
                   "already enrolled as %s; the secret is kept for when the server asks for it\n",
                   summary.host_id);
    *ret_enrolled = st == ST_OK && summary.enrolled;
    return st;
}

enum status cmd_enroll(struct cli *cli, struct err *err)
{
    AUTO_FREE char *folder = NULL;
    struct win_files *files = NULL;
    struct err unsaved;
    bool running = false, enrolled = false;
    if (*settings_text(&cli->settings, SETTING_SERVER_URL) == '\0')
        return err_set(err, ST_USAGE, "setting ServerUrl is not set; give --server-url");
    enum status st = win_data_folder(&cli->settings, &folder, err);
    if (st == ST_OK)
        st = win_files_open(folder, true, &files, err);
    if (st == ST_CONFLICT) {
        running = true;
        st = win_files_open(folder, false, &files, err);
    }
    if (st != ST_OK)
        return st;
    if (win_settings_save(&cli->settings, &unsaved) != ST_OK)
        win_printf(WIN_ERR, "warning: %s\n", unsaved.message);
    st = store(cli, files, &enrolled, err);
    if (st == ST_OK && enrolled)
        (void)service_wake();
    else if (st == ST_OK && running)
        st = watch(files, err);
    win_files_close(files);
    if (st == ST_OK && !enrolled && !running)
        st = try_now(cli, err);
    return st;
}
