/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/route.h"
#include "common/utf8.h"

struct segment {
    const char *text;
    size_t length;
};

/* Splits "/a/b" into its segments; false when it does not begin with '/' or is too deep. An empty
 * segment is kept, it matches nothing. */
static bool split(const char *path, size_t length, struct segment *segments, size_t *ret_count)
{
    size_t count = 0;
    size_t at = 0;
    if (length == 0 || path[0] != '/')
        return false;
    while (at < length) {
        if (count == ROUTE_SEGMENTS_MAX)
            return false;
        size_t start = ++at;
        while (at < length && path[at] != '/')
            at++;
        segments[count++] = (struct segment){path + start, at - start};
    }
    *ret_count = count;
    return true;
}

static bool is_argument(struct segment segment)
{
    return segment.length > 2 && segment.text[0] == '{';
}

/* 0 when the pattern does not match; else a rank in which literals weigh more than arguments and
 * earlier segments more than later ones. */
static unsigned rank(const char *pattern, const struct segment *path, size_t count)
{
    struct segment wanted[ROUTE_SEGMENTS_MAX];
    size_t wanted_count;
    unsigned result = 1u << ROUTE_SEGMENTS_MAX;
    if (!split(pattern, strlen(pattern), wanted, &wanted_count) || wanted_count != count)
        return 0;
    for (size_t i = 0; i < count; i++) {
        if (path[i].length == 0)
            return 0;
        if (is_argument(wanted[i]))
            continue;
        if (wanted[i].length != path[i].length ||
            memcmp(wanted[i].text, path[i].text, path[i].length) != 0)
            return 0;
        result |= 1u << (ROUTE_SEGMENTS_MAX - 1 - i);
    }
    return result;
}

static bool decode_args(const char *pattern, const struct segment *path, size_t count,
                        struct route_hit *hit)
{
    struct segment wanted[ROUTE_SEGMENTS_MAX];
    size_t wanted_count;
    char *out = hit->text;
    if (!split(pattern, strlen(pattern), wanted, &wanted_count))
        return false;
    for (size_t i = 0; i < count; i++) {
        size_t length;
        if (!is_argument(wanted[i]))
            continue;
        if (hit->arg_count == REQ_ARGS_MAX ||
            !percent_decode(path[i].text, path[i].length, false, out, &length))
            return false;
        hit->args[hit->arg_count++] = out;
        out += length + 1;
    }
    return true;
}

enum route_match route_find(const struct route *table, size_t count, const char *path,
                            size_t length, const char *method, struct route_hit *ret_hit)
{
    struct segment segments[ROUTE_SEGMENTS_MAX];
    size_t segment_count;
    unsigned best = 0;
    enum method wanted = METHOD_GET;
    bool known = strcmp(method, "HEAD") == 0 || method_parse(method, &wanted);
    ret_hit->route = NULL;
    ret_hit->pattern = NULL;
    ret_hit->arg_count = 0;
    if (length > ROUTE_PATH_MAX || !split(path, length, segments, &segment_count))
        return ROUTE_NO_PATH;
    for (size_t i = 0; i < count; i++) {
        unsigned r = rank(table[i].pattern, segments, segment_count);
        if (r > best) {
            best = r;
            ret_hit->pattern = table[i].pattern;
        }
    }
    if (best == 0)
        return ROUTE_NO_PATH;
    for (size_t i = 0; known && i < count; i++) {
        if (table[i].method == wanted && strcmp(table[i].pattern, ret_hit->pattern) == 0)
            ret_hit->route = &table[i];
    }
    if (ret_hit->route == NULL)
        return ROUTE_NO_METHOD;
    /* Every segment decoded is at most as long as it was, and each NUL takes the place of its
     * slash, so text[] is large enough. */
    return decode_args(ret_hit->pattern, segments, segment_count, ret_hit) ? ROUTE_FOUND
                                                                           : ROUTE_BAD_PATH;
}

void route_allow(const struct route *table, size_t count, const char *pattern, struct strbuf *out)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(table[i].pattern, pattern) != 0)
            continue;
        strbuf_puts(out, method_name(table[i].method));
        strbuf_puts(out, table[i].method == METHOD_GET ? ", HEAD, " : ", ");
    }
    strbuf_puts(out, "OPTIONS");
}

static void print_media(struct strbuf *out, unsigned media)
{
    bool first = true;
    strbuf_putc(out, '[');
    for (unsigned bit = 1; bit <= MEDIA_LAST; bit <<= 1) {
        if ((media & bit) == 0)
            continue;
        strbuf_puts(out, first ? "" : ",");
        strbuf_json(out, media_type((enum media)bit));
        first = false;
    }
    strbuf_putc(out, ']');
}

void routes_print_json(struct strbuf *out)
{
    strbuf_puts(out, "[\n");
    for (size_t i = 0; i < route_count; i++) {
        const struct route *r = &routes[i];
        strbuf_puts(out, "{\"method\":");
        strbuf_json(out, method_name(r->method));
        strbuf_puts(out, ",\"pattern\":");
        strbuf_json(out, r->pattern);
        strbuf_puts(out, ",\"role\":");
        strbuf_json(out, role_name(r->role));
        strbuf_puts(out, ",\"body_limit\":");
        strbuf_u64(out, r->body_limit);
        strbuf_puts(out, ",\"body\":");
        print_media(out, r->body_media);
        strbuf_puts(out, ",\"reply\":");
        print_media(out, r->reply_media);
        strbuf_puts(out, ",\"operation\":");
        strbuf_json(out, r->operation);
        strbuf_puts(out, i + 1 < route_count ? "},\n" : "}\n");
    }
    strbuf_puts(out, "]\n");
}
