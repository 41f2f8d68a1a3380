/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/sim/http_curl.h"
#include "common/clock.h"

#include <curl/curl.h>
#include <strings.h>
#include <zlib.h>

#define REPLY_BYTES_MAX    ((size_t)4 << 20) /* chosen: a list of 4,096 rejected items */
#define CONNECT_TIMEOUT_MS 5000L
#define REQUEST_TIMEOUT_MS 60000L /* a server under load answers within seconds, or not at all */

struct http_curl {
    CURL *curl;
    char *base;
    char *authorization; /* NULL: none */
    bool gzip;
    struct strbuf packed;
    struct transport_reply *reply; /* of the request under way */
};

bool http_curl_global(void)
{
    return curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
}

bool http_url_is_loopback(const char *url)
{
    static const char *const hosts[] = {"127.0.0.1", "localhost", "[::1]"};
    const char *host = strstr(url, "://");
    host = host != NULL ? host + 3 : url;
    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
        size_t length = strlen(hosts[i]);
        if (strncmp(host, hosts[i], length) == 0 &&
            (host[length] == '\0' || host[length] == ':' || host[length] == '/'))
            return true;
    }
    return false;
}

static size_t take_body(char *data, size_t size, size_t count, void *arg)
{
    struct http_curl *http = arg;
    size_t length = size * count;
    if (http->reply->body.length + length > REPLY_BYTES_MAX)
        return 0;
    strbuf_add(&http->reply->body, data, length);
    return strbuf_failed(&http->reply->body) ? 0 : length;
}

static size_t take_header(char *data, size_t size, size_t count, void *arg)
{
    static const char name[] = "retry-after:";
    struct http_curl *http = arg;
    size_t length = size * count;
    char value[64]; /* longer ones are cut, and then are neither seconds nor a date */
    if (length <= sizeof name - 1 || strncasecmp(data, name, sizeof name - 1) != 0)
        return length;
    size_t from = sizeof name - 1;
    size_t to = length;
    while (to > from && (data[to - 1] == '\r' || data[to - 1] == '\n' || data[to - 1] == ' '))
        to--;
    size_t used = to - from < sizeof value - 1 ? to - from : sizeof value - 1;
    memcpy(value, data + from, used);
    value[used] = '\0';
    int64_t us;
    if (retry_after_parse(value, clock_wall_us(), &us))
        http->reply->retry_after_us = us;
    return length;
}

static bool pack(struct strbuf *packed, const char *data, size_t length)
{
    z_stream stream = {0};
    /* 15 + 16: a gzip wrapper. Level 1: the body is read once, a few milliseconds later. */
    if (length > UINT32_MAX ||
        deflateInit2(&stream, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return false;
    uLong bound = deflateBound(&stream, (uLong)length);
    strbuf_clear(packed);
    if (!strbuf_reserve(packed, bound)) {
        deflateEnd(&stream);
        return false;
    }
    stream.next_in = (Bytef *)(uintptr_t)data;
    stream.avail_in = (uInt)length;
    stream.next_out = (Bytef *)packed->data;
    stream.avail_out = (uInt)bound;
    int done = deflate(&stream, Z_FINISH);
    packed->length = stream.total_out;
    deflateEnd(&stream);
    return done == Z_STREAM_END;
}

static struct curl_slist *make_headers(const struct http_curl *http, const char *content_type)
{
    char type[160]; /* our own content types have at most 32 bytes */
    snprintf(type, sizeof type, "Content-Type: %s", content_type);
    const char *lines[] = {type, "Expect:", http->authorization,
                           http->gzip ? "Content-Encoding: gzip" : NULL};
    struct curl_slist *list = NULL;
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        if (lines[i] == NULL)
            continue;
        struct curl_slist *longer = curl_slist_append(list, lines[i]);
        if (longer == NULL) {
            curl_slist_free_all(list);
            return NULL;
        }
        list = longer;
    }
    return list;
}

static enum status http_post(void *arg, const struct transport_request *request,
                             struct transport_reply *reply, struct err *err)
{
    struct http_curl *http = arg;
    AUTO_STRBUF struct strbuf url = STRBUF_INIT;
    strbuf_puts(&url, http->base);
    strbuf_puts(&url, request->path);
    const char *data = request->data;
    size_t length = request->length;
    if (http->gzip) {
        if (!pack(&http->packed, data, length))
            return err_set(err, ST_NOMEM, "could not compress a body of %zu bytes", length);
        data = http->packed.data;
        length = http->packed.length;
    }
    struct curl_slist *headers = make_headers(http, request->content_type);
    if (headers == NULL || strbuf_failed(&url)) {
        curl_slist_free_all(headers);
        return err_set(err, ST_NOMEM, "out of memory");
    }
    http->reply = reply;
    curl_easy_setopt(http->curl, CURLOPT_URL, url.data);
    curl_easy_setopt(http->curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(http->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)length);
    curl_easy_setopt(http->curl, CURLOPT_POSTFIELDS, data);
    CURLcode result = curl_easy_perform(http->curl);
    curl_slist_free_all(headers);
    curl_easy_setopt(http->curl, CURLOPT_HTTPHEADER, NULL);
    if (result != CURLE_OK)
        return err_set(err, ST_IO, "could not post to \"%s\": %s", http->base,
                       curl_easy_strerror(result));
    long code = 0;
    curl_easy_getinfo(http->curl, CURLINFO_RESPONSE_CODE, &code);
    reply->code = (int)code;
    return ST_OK;
}

enum status http_curl_new(const char *base, const char *token, bool gzip,
                          struct http_curl **ret_http, struct err *err)
{
    bool https = strncmp(base, "https://", 8) == 0;
    if (!https && strncmp(base, "http://", 7) != 0)
        return err_set(err, ST_USAGE, "server \"%s\" is not an http or https address", base);
    if (!https && !http_url_is_loopback(base))
        return err_set(err, ST_USAGE, "server \"%s\": plain http is for loopback only", base);
    AUTO_HTTP_CURL struct http_curl *http = calloc(1, sizeof *http);
    if (http == NULL)
        return err_set(err, ST_NOMEM, "out of memory");
    size_t length = strlen(base);
    while (length > 0 && base[length - 1] == '/')
        length--;
    http->gzip = gzip;
    http->base = strndup(base, length);
    if (token != NULL && asprintf(&http->authorization, "Authorization: Bearer %s", token) < 0)
        http->authorization = NULL;
    http->curl = curl_easy_init();
    if (http->curl == NULL || http->base == NULL || (token != NULL && http->authorization == NULL))
        return err_set(err, ST_NOMEM, "out of memory");
    curl_easy_setopt(http->curl, CURLOPT_POST, 1L);
    curl_easy_setopt(http->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(http->curl, CURLOPT_NOPROXY, "127.0.0.1,localhost,::1");
    curl_easy_setopt(http->curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(http->curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(http->curl, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS);
    curl_easy_setopt(http->curl, CURLOPT_TIMEOUT_MS, REQUEST_TIMEOUT_MS);
    curl_easy_setopt(http->curl, CURLOPT_USERAGENT, "poolfleet-sim/" POOLFLEET_VERSION);
    curl_easy_setopt(http->curl, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(http->curl, CURLOPT_WRITEDATA, http);
    curl_easy_setopt(http->curl, CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(http->curl, CURLOPT_HEADERDATA, http);
    *ret_http = TAKE(http);
    return ST_OK;
}

void http_curl_free(struct http_curl *http)
{
    if (http == NULL)
        return;
    if (http->curl != NULL)
        curl_easy_cleanup(http->curl);
    free(http->base);
    free(http->authorization);
    strbuf_done(&http->packed);
    free(http);
}

struct transport http_curl_transport(struct http_curl *http)
{
    return (struct transport){.arg = http, .post = http_post};
}
