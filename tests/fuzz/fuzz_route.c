/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a request: line 1 "METHOD TARGET", then header lines, an empty line, and a body that
 * is read as its Content-Encoding says. What the parts of the dispatcher promise is checked.
 */
#include "common/utf8.h"
#include "server/http/head.h"
#include "server/http/intake.h"
#include "server/http/reply.h"
#include "server/http/route.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            __builtin_trap();                                                                      \
    } while (0)

#define BODY_LIMIT 65536u

static void check_target(const char *method, const char *target)
{
    const char *path;
    const char *text;
    size_t length;
    struct route_hit hit;
    struct query query;
    struct err err;
    if (!target_split(target, &path, &length, &text))
        return;
    enum route_match match = route_find(routes, route_count, path, length, method, &hit);
    if (match == ROUTE_FOUND) {
        CHECK(hit.route != NULL && hit.arg_count <= REQ_ARGS_MAX);
        for (size_t i = 0; i < hit.arg_count; i++) {
            CHECK(hit.args[i] >= hit.text && hit.args[i] < hit.text + sizeof hit.text);
            CHECK(utf8_valid(hit.args[i], strlen(hit.args[i])));
        }
    } else if (match == ROUTE_NO_METHOD) {
        AUTO_STRBUF struct strbuf allow = STRBUF_INIT;
        route_allow(routes, route_count, hit.pattern, &allow);
        CHECK(allow.length > strlen("OPTIONS"));
    }
    if (query_parse(text, &query, &err) != ST_OK)
        return;
    CHECK(query.count <= QUERY_PARAMS_MAX);
    for (size_t i = 0; i < query.count; i++) {
        CHECK(utf8_valid(query.params[i].name, strlen(query.params[i].name)));
        CHECK(utf8_valid(query.params[i].value, strlen(query.params[i].value)));
    }
    query_done(&query);
}

static void check_head(const struct head *head)
{
    uint64_t length;
    size_t secret_length;
    bool by_cookie;
    struct err err;
    if (head_framing(head, "HTTP/1.1", &length, &err) == ST_OK)
        CHECK(head->repeated == NULL &&
              (head->content_length == NULL || head->transfer_encoding == NULL));
    const char *secret = head_credential(head, &secret_length, &by_cookie);
    if (secret != NULL)
        CHECK(strnlen(secret, secret_length) == secret_length);
    unsigned offered = MEDIA_JSON | MEDIA_CSV | MEDIA_HTML;
    CHECK((head_accept(head->accept, offered) & offered) != 0);
    (void)head_accepts_gzip(head->accept_encoding);
    (void)head_content_media(head->content_type);
    (void)head_etag_matches(head->if_none_match, "\"abc\"");
    if (head_request_id_ok(head->request_id))
        CHECK(strlen(head->request_id) <= REQUEST_ID_MAX);
}

static void check_body(enum coding coding, const char *body, size_t length)
{
    struct intake intake;
    struct err err;
    if (coding == CODING_UNKNOWN || intake_init(&intake, coding, BODY_LIMIT, &err) != ST_OK)
        return;
    enum status status = ST_OK;
    for (size_t at = 0; at < length && status == ST_OK; at += 97)
        status = intake_add(&intake, body + at, length - at < 97 ? length - at : 97, &err);
    if (status == ST_OK && intake_end(&intake, &err) == ST_OK) {
        CHECK(intake.body.length <= BODY_LIMIT);
        CHECK(intake.body.data[intake.body.length] == '\0');
    }
    intake_done(&intake);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct head head = {0};
    char *text = malloc(size + 1);
    CHECK(text != NULL);
    memcpy(text, data, size);
    text[size] = '\0';
    char *line = text;
    char *end = memchr(text, '\n', size);
    for (bool first = true; end != NULL; first = false) {
        *end = '\0';
        char *gap = strpbrk(line, first ? " " : ":");
        if (gap != NULL)
            *gap = '\0';
        if (first && gap != NULL)
            check_target(line, gap + 1);
        else if (!first && *line != '\0')
            head_add(&head, line, gap == NULL ? NULL : gap + 1);
        bool last = !first && *line == '\0' && gap == NULL;
        line = end + 1;
        end = last ? NULL : memchr(line, '\n', (size_t)(text + size - line));
        if (last)
            check_body(head_content_coding(head.content_encoding), line,
                       (size_t)(text + size - line));
    }
    check_head(&head);
    free(text);
    return 0;
}
