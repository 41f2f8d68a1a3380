/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The agent's source alone, for tests/wine/source.test.mjs: takes snapshots as told by name=value
 * arguments and prints each as a line of JSON, with what inventory_changed() said before it.
 */
#include "agent/win/events.h"
#include "agent/win/inventory.h"
#include "agent/win/source.h"
#include "agent/win/wide.h"

#include "common/snapshot_json.h"

#include "agent/win/system.h"

struct plan {
    struct settings settings;
    struct source_request request;
    const char *data; /* folder for the agent's files */
    int takes;
    bool machine;
    bool events;      /* only the event log */
    const char *find; /* only scan-drivers for this tag */
};

static void print_json(const char *name, const struct strbuf *value)
{
    printf("{\"%s\":%.*s}\n", name, (int)value->length, value->data);
}

static void print_fault(const char *name, const struct err *err)
{
    struct strbuf text AUTO_STRBUF = STRBUF_INIT;
    strbuf_json(&text, err->message);
    print_json(name, &text);
}

static void take(const struct plan *plan, const struct source *source)
{
    struct err err = {0};
    struct snapshot snapshot;
    struct source_clocks clocks = {0};
    struct strbuf text AUTO_STRBUF = STRBUF_INIT;
    snapshot_init(&snapshot);
    printf("{\"changed\":%s}\n", source->inventory_changed(source->arg) ? "true" : "false");
    DWORD started = GetTickCount();
    enum status st = source->take(source->arg, &plan->request, &snapshot, &clocks, &err);
    DWORD took = GetTickCount() - started;
    if (st != ST_OK) {
        print_fault("fault", &err);
    } else {
        snapshot_json_encode(&snapshot, &text);
        print_json("snapshot", &text);
        printf("{\"uptime_s\":%ld,\"wall_minus_boot_s\":%ld,\"ms\":%lu}\n",
               (long)(clocks.uptime_us / 1000000),
               (long)((clocks.wall_us - clocks.boot_at_us) / 1000000), (unsigned long)took);
    }
    snapshot_done(&snapshot);
}

static void take_events(const struct files *folder)
{
    struct events events;
    events_init(&events, folder);
    for (int i = 0; i < 2; i++) {
        struct arena arena AUTO_ARENA = {0};
        struct err err = {0};
        struct snapshot_event *list;
        size_t count = 0;
        if (events_take(&events, &arena, &list, &count, &err) != ST_OK)
            print_fault("fault", &err);
        else
            printf("{\"events\":%lu}\n", (unsigned long)count);
    }
}

static void find_tag(const struct plan *plan, const struct nt_calls *calls)
{
    struct err err = {0};
    uint32_t tag;
    if (!tag_parse_padded(plan->find, strlen(plan->find), &tag) ||
        win_scan_drivers(calls, &tag, 1, true, &err) != ST_OK)
        print_fault("fault", &err);
}

static int run(const struct plan *plan)
{
    struct err err = {0};
    struct win_kernel kernel;
    struct win_files *files = NULL;
    struct win_source *source = NULL;
    const struct files *folder = win_no_files();
    if (plan->machine) {
        char id[SHA256_TEXT_MAX];
        win_machine_id(id);
        printf("{\"machine\":\"%s\"}\n", id);
    }
    enum status st = win_kernel_open(&plan->settings, &kernel, &err);
    if (st == ST_OK && plan->data != NULL) {
        st = win_files_open(plan->data, true, &files, &err);
        if (st == ST_OK)
            folder = win_files_get(files);
    }
    if (st == ST_OK)
        st = win_source_open(kernel.calls, &plan->settings, folder, &source, &err);
    if (st != ST_OK) {
        print_fault("open", &err);
        return 1;
    }
    if (plan->events)
        take_events(folder);
    else if (plan->find != NULL)
        find_tag(plan, kernel.calls);
    for (int i = 0; i < plan->takes && !plan->events && plan->find == NULL; i++)
        take(plan, win_source_get(source));
    win_source_close(source);
    win_files_close(files);
    win_kernel_close(&kernel);
    return 0;
}

static bool plan_set(struct plan *plan, const char *name, const char *value)
{
    struct err err = {0};
    if (strcmp(name, "takes") == 0)
        plan->takes = (int)strtol(value, NULL, 10);
    else if (strcmp(name, "data") == 0)
        plan->data = value;
    else if (strcmp(name, "drivers") == 0)
        plan->request.drivers = true;
    else if (strcmp(name, "machine") == 0)
        plan->machine = true;
    else if (strcmp(name, "events") == 0)
        plan->events = true;
    else if (strcmp(name, "find") == 0)
        plan->find = value;
    else if (strcmp(name, "top") == 0)
        plan->request.top_processes = (unsigned)strtoul(value, NULL, 10);
    else if (strcmp(name, "all") == 0)
        plan->request.processes = true;
    else if (strcmp(name, "scan") == 0 && plan->request.scan_count < SOURCE_SCAN_FILES)
        snprintf(plan->request.scan[plan->request.scan_count++], SHA256_TEXT_MAX, "%s", value);
    else if (settings_set(&plan->settings, LAYER_FLAG, name, value, &err) != ST_OK) {
        fprintf(stderr, "%s: %s\n", name, err.message);
        return false;
    }
    return true;
}

int wmain(int argc, wchar_t **argv); /* the entry of -municode */

int wmain(int argc, wchar_t **argv)
{
    static struct plan plan = {.takes = 1};
    setvbuf(stdout, NULL, _IONBF, 0); /* win_write goes beside it */
    settings_init(&plan.settings);
    for (int i = 1; i < argc; i++) {
        char *text = wide_to_utf8(argv[i]); /* kept: values are borrowed */
        char *equals = text == NULL ? NULL : strchr(text, '=');
        if (equals == NULL)
            return 2;
        *equals = '\0';
        if (!plan_set(&plan, text, equals + 1))
            return 2;
    }
    return run(&plan);
}
