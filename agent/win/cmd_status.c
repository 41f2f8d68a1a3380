/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `status`: what an administrator asks first. Reads the data folder of an agent that may be
 * running, and changes nothing.
 */
#include "agent/win/cli.h"

enum { STATUS_JSON };

struct status_view {
    const char *service;
    const char *simulated; /* NULL: a live kernel */
    char *folder;
    bool readable;
    char fault[256]; /* why the folder, or the kernel, could not be read; "" */
    struct agent_summary summary;
};

static void look(struct cli *cli, struct status_view *view)
{
    struct err err = {0};
    struct win_files *files = NULL;
    struct win_kernel kernel;
    view->service = service_state();
    enum status st = win_data_folder(&cli->settings, &view->folder, &err);
    if (st == ST_OK)
        st = win_files_open(view->folder, false, &files, &err);
    if (st == ST_OK)
        st = agent_summarize(win_files_get(files), win_vault(), &view->summary, &err);
    view->readable = st == ST_OK;
    if (st == ST_NOT_FOUND)
        snprintf(view->fault, sizeof view->fault, "it is not there: no agent has run yet");
    else if (st != ST_OK)
        snprintf(view->fault, sizeof view->fault, "%s", err.message);
    win_files_close(files);
    /* Even a replay that cannot be opened means that nothing here is a kernel's. */
    if (win_kernel_open(&cli->settings, &kernel, &err) == ST_OK) {
        view->simulated = win_kernel_label(&kernel);
        win_kernel_close(&kernel);
    } else {
        view->simulated = "simulated: recorded answers (Replay) that could not be opened";
    }
}

/* ---- text */

static void put_time(struct strbuf *out, const char *name, int64_t at_us)
{
    char text[TIME_TEXT_MAX];
    if (at_us == TIME_UNKNOWN) {
        strbuf_printf(out, "%-19s never\n", name);
        return;
    }
    time_format(at_us / US_PER_SECOND * US_PER_SECOND, text);
    strbuf_printf(out, "%-19s %s\n", name, text);
}

static void print_text(const struct cli *cli, const struct status_view *view, struct strbuf *out)
{
    const struct agent_summary *summary = &view->summary;
    if (view->simulated != NULL)
        strbuf_printf(out, "%s\n", view->simulated);
    strbuf_printf(out, "version             %s\n", POOLFLEET_VERSION);
    strbuf_printf(out, "service             %s\n", view->service);
    strbuf_printf(out, "data folder         %s\n", view->folder == NULL ? "-" : view->folder);
    if (view->readable) {
        strbuf_printf(out, "identity            %s\n",
                      summary->enrolled ? summary->host_id : "not enrolled");
        put_time(out, "last sample", summary->last_sample_us);
        put_time(out, "last acknowledged", summary->last_acknowledged_us);
        strbuf_printf(out, "waiting snapshots   %llu (%llu bytes)\n",
                      (unsigned long long)summary->spooled,
                      (unsigned long long)summary->spooled_bytes);
        if (summary->spooled > 0)
            put_time(out, "oldest waiting", summary->oldest_us);
        strbuf_printf(out, "dropped snapshots   %llu\n", (unsigned long long)summary->dropped);
        strbuf_printf(out, "last fault          %s\n",
                      summary->last_fault[0] == '\0' ? "none" : summary->last_fault);
    } else {
        strbuf_printf(out, "                    %s\n", view->fault);
    }
    strbuf_puts(out, "\nSettings (and where they come from):\n");
    settings_print(&cli->settings, out);
}

/* ---- JSON */

static void json_text(struct strbuf *out, const char *name, const char *value)
{
    strbuf_printf(out, ",\"%s\":", name);
    if (value == NULL)
        strbuf_puts(out, "null");
    else
        strbuf_json(out, value);
}

static void json_time(struct strbuf *out, const char *name, int64_t at_us)
{
    char text[TIME_TEXT_MAX];
    if (at_us != TIME_UNKNOWN)
        time_format(at_us, text);
    json_text(out, name, at_us == TIME_UNKNOWN ? NULL : text);
}

static void json_settings(struct strbuf *out, const struct settings *settings)
{
    strbuf_puts(out, ",\"settings\":[");
    for (int i = 0; i < SETTING_COUNT; i++) {
        enum setting which = (enum setting)i;
        strbuf_printf(out, "%s{\"name\":\"%s\",\"value\":", i == 0 ? "" : ",", setting_name(which));
        strbuf_json(out, settings_text(settings, which));
        strbuf_printf(out, ",\"source\":\"%s\"}",
                      settings_layer_name(settings->values[which].layer));
    }
    strbuf_puts(out, "]");
}

static void print_json(const struct cli *cli, const struct status_view *view, struct strbuf *out)
{
    const struct agent_summary *summary = &view->summary;
    bool known = view->readable;
    strbuf_printf(out, "{\"version\":\"%s\"", POOLFLEET_VERSION);
    strbuf_printf(out, ",\"simulated\":%s", view->simulated != NULL ? "true" : "false");
    json_text(out, "service", view->service);
    json_text(out, "data_folder", view->folder);
    json_text(out, "data_fault", known ? NULL : view->fault);
    strbuf_printf(out, ",\"enrolled\":%s", !known ? "null" : summary->enrolled ? "true" : "false");
    json_text(out, "host_id", known && summary->enrolled ? summary->host_id : NULL);
    if (known) {
        json_time(out, "last_sample", summary->last_sample_us);
        json_time(out, "last_acknowledged", summary->last_acknowledged_us);
        json_time(out, "oldest_waiting", summary->oldest_us);
        strbuf_printf(out, ",\"waiting\":%llu,\"waiting_bytes\":%llu,\"dropped\":%llu",
                      (unsigned long long)summary->spooled,
                      (unsigned long long)summary->spooled_bytes,
                      (unsigned long long)summary->dropped);
        json_text(out, "last_fault", summary->last_fault[0] == '\0' ? NULL : summary->last_fault);
    }
    json_settings(out, &cli->settings);
    strbuf_puts(out, "}\n");
}

enum status cmd_status(struct cli *cli, struct err *err)
{
    AUTO_STRBUF struct strbuf out = STRBUF_INIT;
    struct status_view view = {.folder = NULL};
    look(cli, &view);
    if (cli->flags[STATUS_JSON] != NULL)
        print_json(cli, &view, &out);
    else
        print_text(cli, &view, &out);
    free(view.folder);
    if (strbuf_failed(&out))
        return err_set(err, ST_NOMEM, "could not print: out of memory");
    cli_put(WIN_OUT, &out);
    return ST_OK;
}
