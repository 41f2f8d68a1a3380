/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/reply.h"
#include "server/http/head.h"

#include <sodium.h>
#include <zlib.h>

const char reply_page_policy[] =
    "default-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'self'";
/* The vendor report is one file with its style inside; nothing else may run or load in it. */
static const char document_policy[] =
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'; "
    "base-uri 'none'; form-action 'none'; sandbox";

void reply_init(struct reply *reply)
{
    *reply = (struct reply){.code = 200, .cache = "no-store", .policy = reply_page_policy};
}

void reply_done(struct reply *reply)
{
    strbuf_done(&reply->body);
    strbuf_done(&reply->allow);
    free(reply->set_cookie);
    free(reply->location);
    reply_init(reply);
}

void resp_done(struct resp *resp)
{
    strbuf_done(&resp->body);
    free((char *)(uintptr_t)resp->etag);
    free((char *)(uintptr_t)resp->set_cookie);
    free((char *)(uintptr_t)resp->location);
    *resp = (struct resp){.code = 200, .media = MEDIA_JSON};
}

/* Header values come from our own code, but hold parts of outside texts: no line may end in one. */
static char *header_value(const char *text)
{
    if (text == NULL || text[strcspn(text, "\r\n")] != '\0')
        return NULL;
    return strdup(text);
}

void reply_from_resp(struct reply *reply, struct resp *resp_take)
{
    bool empty = resp_take->code == 204 || resp_take->code == 304;
    reply->code = resp_take->code;
    reply->content_type = empty ? NULL : media_type(resp_take->media);
    reply->vary = "Accept, Accept-Encoding";
    if (resp_take->media == MEDIA_HTML)
        reply->policy = document_policy;
    reply->body = resp_take->body;
    resp_take->body = (struct strbuf)STRBUF_INIT;
    reply->retry_after_seconds = resp_take->retry_after_seconds;
    reply->set_cookie = header_value(resp_take->set_cookie);
    reply->location = header_value(resp_take->location);
    reply->gzipped = resp_take->gzipped;
    char *etag = header_value(resp_take->etag);
    if (etag != NULL && strlen(etag) < sizeof reply->etag)
        memcpy(reply->etag, etag, strlen(etag) + 1);
    free(etag);
    resp_done(resp_take);
}

void problem_write(enum doc_form form, struct strbuf *out, unsigned code, const char *name,
                   const char *title, const struct err *err, const char *request_id)
{
    char type[96]; /* names of problems are short words of ours */
    struct doc doc;
    snprintf(type, sizeof type, "urn:poolfleet:problem:%s", name);
    doc_init(&doc, form, out);
    doc_map(&doc);
    doc_put_text(&doc, "type", type);
    doc_put_text(&doc, "title", title);
    doc_put_uint(&doc, "status", code);
    doc_put_text(&doc, "detail", err->message[0] != '\0' ? err->message : title);
    doc_put_text(&doc, "field", err->field[0] != '\0' ? err->field : NULL);
    doc_put_text(&doc, "hint", err->hint[0] != '\0' ? err->hint : NULL);
    doc_put_text(&doc, "request_id", request_id);
    doc_map_end(&doc);
    doc_finish(&doc);
}

static bool is_inner(enum status status)
{
    return status == ST_DB || status == ST_IO || status == ST_BUG || status == ST_RETRY ||
           status == ST_USAGE;
}

void reply_problem(struct reply *reply, unsigned code, const char *name, const char *title,
                   enum status status, const struct err *err, const char *request_id)
{
    struct err shown;
    err_set(&shown, status, "%s", title == NULL ? status_title(status) : title);
    if (err != NULL && !is_inner(status))
        shown = *err;
    reply->code = code;
    reply->content_type =
        reply->problem_form == DOC_CBOR ? media_type(MEDIA_CBOR) : "application/problem+json";
    reply->vary = NULL;
    reply->challenges = code == 401;
    if (reply->retry_after_seconds == 0 && (code == 503 || code == 429))
        reply->retry_after_seconds = status == ST_BUSY ? 2 : 5;
    strbuf_clear(&reply->body);
    problem_write(reply->problem_form, &reply->body, code,
                  name == NULL ? status_name(status) : name,
                  title == NULL ? status_title(status) : title, &shown, request_id);
}

bool gzip_write(struct strbuf *out, const void *data, size_t length, int level)
{
    z_stream stream = {0};
    if (length > UINT32_MAX / 2 ||
        deflateInit2(&stream, level, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return false;
    size_t room = deflateBound(&stream, (uLong)length);
    bool ok = strbuf_reserve(out, room);
    if (ok) {
        stream.next_in = (z_const Bytef *)(uintptr_t)data;
        stream.avail_in = (uInt)length;
        stream.next_out = (Bytef *)out->data + out->length;
        stream.avail_out = (uInt)room;
        ok = deflate(&stream, Z_FINISH) == Z_STREAM_END;
    }
    if (ok) {
        out->length += room - stream.avail_out;
        out->data[out->length] = '\0';
    }
    deflateEnd(&stream);
    return ok;
}

static void make_etag(struct reply *reply)
{
    unsigned char hash[16];
    char text[33];
    crypto_generichash(hash, sizeof hash, (const unsigned char *)reply->body.data,
                       reply->body.length, NULL, 0);
    sodium_bin2hex(text, sizeof text, hash, sizeof hash);
    snprintf(reply->etag, sizeof reply->etag, "\"%s\"", text);
}

void reply_quotas(const struct reply *reply, struct strbuf *policy, struct strbuf *now)
{
    for (size_t i = 0; i < sizeof reply->quotas / sizeof reply->quotas[0]; i++) {
        const struct quota *quota = &reply->quotas[i];
        if (quota->name == NULL)
            continue;
        strbuf_printf(policy, "%s\"%s\";q=%u;w=%u", policy->length > 0 ? ", " : "", quota->name,
                      quota->most, quota->window_seconds);
        strbuf_printf(now, "%s\"%s\";r=%u;t=%u", now->length > 0 ? ", " : "", quota->name,
                      quota->left, quota->seconds);
    }
}

static void drop_body(struct reply *reply)
{
    strbuf_done(&reply->body);
    reply->data = NULL;
    reply->data_length = 0;
    reply->content_type = NULL;
    reply->gzipped = false;
}

void reply_finish(struct reply *reply, const struct reply_wishes *wishes)
{
    if (wishes->is_get && reply->code == 200) {
        if (reply->etag[0] == '\0' && reply->body.length > 0)
            make_etag(reply);
        if (reply->etag[0] != '\0' && head_etag_matches(wishes->if_none_match, reply->etag)) {
            reply->code = 304;
            drop_body(reply);
            return;
        }
    }
    if (reply->content_type == NULL || reply->data != NULL || reply->gzipped ||
        reply->body.length < REPLY_GZIP_MIN || !head_accepts_gzip(wishes->accept_encoding))
        return;
    AUTO_STRBUF struct strbuf packed = STRBUF_INIT;
    /* Level 4: chosen; made per request, so speed counts more than the last percents. */
    if (gzip_write(&packed, reply->body.data, reply->body.length, 4) &&
        packed.length < reply->body.length) {
        struct strbuf plain = reply->body;
        reply->body = packed;
        packed = plain;
        reply->gzipped = true;
        if (reply->vary == NULL)
            reply->vary = "Accept-Encoding";
    }
}
