/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The agent's transport alone, for tests/wine/http.test.mjs: posts as told by name=value arguments
 * and prints one JSON line per request, so that the test sees what the agent's core would see.
 */
#include "agent/win/http.h"

#include "agent/win/wide.h"

#include "agent/win/system.h"

struct plan {
    struct settings settings;
    struct win_http_limits limits;
    struct strbuf data;
    char bearer[64];
    char path[64];
    int repeat;
    DWORD abort_ms; /* 0: never */
    DWORD pause_ms; /* between requests */
    bool gzip;
};

static void cut_copy(char *to, size_t size, const char *from)
{
    snprintf(to, size, "%s", from);
}

static enum status plan_set(struct plan *plan, const char *name, const char *value, struct err *err)
{
    if (strcmp(name, "deadline") == 0)
        plan->limits.deadline_ms = (unsigned)strtoul(value, NULL, 10);
    else if (strcmp(name, "limit") == 0)
        plan->limits.reply_bytes = strtoul(value, NULL, 10);
    else if (strcmp(name, "repeat") == 0)
        plan->repeat = (int)strtol(value, NULL, 10);
    else if (strcmp(name, "abort") == 0)
        plan->abort_ms = strtoul(value, NULL, 10);
    else if (strcmp(name, "pause") == 0)
        plan->pause_ms = strtoul(value, NULL, 10);
    else if (strcmp(name, "bearer") == 0)
        cut_copy(plan->bearer, sizeof plan->bearer, value);
    else if (strcmp(name, "path") == 0)
        cut_copy(plan->path, sizeof plan->path, value);
    else if (strcmp(name, "gzip") == 0)
        plan->gzip = true;
    else if (strcmp(name, "data") == 0)
        return win_read_file(value, 64u << 20, &plan->data, err);
    else
        return settings_set(&plan->settings, LAYER_FLAG, name, value, err);
    return ST_OK;
}

static void print_line(enum status st, const struct err *err, const struct transport_reply *reply,
                       DWORD took_ms)
{
    struct strbuf line AUTO_STRBUF = STRBUF_INIT;
    strbuf_printf(&line, "{\"status\":\"%s\",\"code\":%d,\"ms\":%lu,\"retry_after\":",
                  st == ST_OK ? "ok" : status_name(st), reply->code, (unsigned long)took_ms);
    strbuf_i64(&line, reply->retry_after_us < 0 ? -1 : reply->retry_after_us / 1000000);
    strbuf_puts(&line, ",\"message\":");
    strbuf_json(&line, err->message);
    strbuf_puts(&line, ",\"hint\":");
    strbuf_json(&line, err->hint);
    strbuf_puts(&line, ",\"length\":");
    strbuf_u64(&line, reply->body.length);
    strbuf_puts(&line, ",\"body\":");
    strbuf_json_n(&line, reply->body.data == NULL ? "" : reply->body.data,
                  reply->body.length < 200 ? reply->body.length : 200);
    strbuf_puts(&line, "}\n");
    fwrite(line.data, 1, line.length, stdout);
    fflush(stdout);
}

struct abort_task {
    struct win_http *http;
    DWORD after_ms;
};

static DWORD WINAPI abort_later(void *arg)
{
    struct abort_task *task = arg;
    Sleep(task->after_ms);
    win_http_abort(task->http);
    return 0;
}

static void post_all(struct plan *plan, struct win_http *http)
{
    struct transport_reply reply = {0};
    const struct transport *transport = win_http_transport(http);
    const struct transport_request request = {
        .path = plan->path,
        .content_type = "application/cbor-seq",
        .content_encoding = plan->gzip ? "gzip" : NULL,
        .accept = "application/cbor",
        .bearer = plan->bearer[0] == '\0' ? NULL : plan->bearer,
        .data = plan->data.data,
        .length = plan->data.length,
    };
    for (int i = 0; i < plan->repeat; i++) {
        struct err err = {0};
        DWORD started = GetTickCount();
        reply.code = 0;
        reply.retry_after_us = BACKOFF_NO_RETRY_AFTER;
        enum status st = transport->post(transport->arg, &request, &reply, &err);
        print_line(st, &err, &reply, GetTickCount() - started);
        if (plan->pause_ms != 0 && i + 1 < plan->repeat)
            Sleep(plan->pause_ms);
    }
    strbuf_done(&reply.body);
}

static int run(struct plan *plan)
{
    struct err err = {0};
    struct transport_reply none = {0};
    struct win_http *http = NULL;
    enum status st = win_http_open_limited(&plan->settings, &plan->limits, &http, &err);
    if (st != ST_OK) {
        print_line(st, &err, &none, 0);
        return 0;
    }
    struct abort_task task = {http, plan->abort_ms};
    HANDLE thread = plan->abort_ms == 0 ? NULL : CreateThread(NULL, 0, abort_later, &task, 0, NULL);
    post_all(plan, http);
    if (thread != NULL) {
        WaitForSingleObject(thread, INFINITE);
        CloseHandle(thread);
    }
    DWORD started = GetTickCount();
    win_http_close(http);
    printf("{\"closed_ms\":%lu}\n", (unsigned long)(GetTickCount() - started));
    return 0;
}

int wmain(int argc, wchar_t **argv); /* the entry of -municode */

int wmain(int argc, wchar_t **argv)
{
    struct plan plan = {
        .limits = {10000, 1u << 20}, .path = "/api/v1/agent/snapshots", .repeat = 1};
    settings_init(&plan.settings);
    for (int i = 1; i < argc; i++) {
        struct err err = {0};
        char *text AUTO_FREE = wide_to_utf8(argv[i]);
        char *equals = text == NULL ? NULL : strchr(text, '=');
        if (equals == NULL) {
            fprintf(stderr, "arguments are name=value\n");
            return 2;
        }
        *equals = '\0';
        if (plan_set(&plan, text, equals + 1, &err) != ST_OK) {
            fprintf(stderr, "%s: %s\n", text, err.message);
            return 2;
        }
    }
    int code = run(&plan);
    settings_done(&plan.settings);
    strbuf_done(&plan.data);
    return code;
}
