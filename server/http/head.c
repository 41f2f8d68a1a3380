/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/head.h"

#include <ctype.h>
#include <stddef.h>
#include <strings.h>

/* Lines we look at. Those that decide on framing, identity or meaning must not be repeated: two
 * readers of the same request would choose differently. */
static const struct {
    const char *name;
    size_t offset;
    bool once;
} lines[] = {
    {"Content-Length", offsetof(struct head, content_length), true},
    {"Transfer-Encoding", offsetof(struct head, transfer_encoding), true},
    {"Host", offsetof(struct head, host), true},
    {"Content-Type", offsetof(struct head, content_type), true},
    {"Content-Encoding", offsetof(struct head, content_encoding), true},
    {"Authorization", offsetof(struct head, authorization), true},
    {"Accept", offsetof(struct head, accept), false},
    {"Accept-Encoding", offsetof(struct head, accept_encoding), false},
    {"Cookie", offsetof(struct head, cookie), false},
    {"Expect", offsetof(struct head, expect), false},
    {"X-Forwarded-Proto", offsetof(struct head, forwarded_proto), false},
    {"X-Forwarded-For", offsetof(struct head, forwarded), false},
    {"X-Forwarded-Host", offsetof(struct head, forwarded), false},
    {"X-Real-IP", offsetof(struct head, forwarded), false},
    {"Forwarded", offsetof(struct head, forwarded), false},
    {"Via", offsetof(struct head, forwarded), false},
    {"If-None-Match", offsetof(struct head, if_none_match), false},
    {"X-Request-Id", offsetof(struct head, request_id), false},
    {"X-Poolfleet", offsetof(struct head, csrf), false},
};

static bool is_token(const char *name)
{
    if (*name == '\0')
        return false;
    for (; *name != '\0'; name++) {
        if (!isalnum((unsigned char)*name) && strchr("!#$%&'*+-.^_`|~", *name) == NULL)
            return false;
    }
    return true;
}

static void add_proxy_line(struct head *head, const char *wanted, const char *name,
                           const char *value, const char **slot)
{
    if (wanted == NULL || strcasecmp(wanted, name) != 0)
        return;
    if (*slot != NULL)
        head->repeated = wanted;
    *slot = value == NULL ? "" : value;
}

void head_add(struct head *head, const char *name, const char *value)
{
    if (head->proxy != NULL) {
        add_proxy_line(head, head->proxy->user_header, name, value, &head->proxy_user);
        add_proxy_line(head, head->proxy->role_header, name, value, &head->proxy_role);
    }
    if (!is_token(name))
        head->bad_name = true;
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        if (strcasecmp(lines[i].name, name) != 0)
            continue;
        const char **slot = (const char **)(void *)((char *)head + lines[i].offset);
        if (*slot == NULL)
            *slot = value == NULL ? "" : value;
        else if (lines[i].once)
            head->repeated = lines[i].name;
        return;
    }
}

/* Digits only and not more than 18 of them: no sign, no list, no overflow. */
static bool parse_length(const char *text, uint64_t *ret_length)
{
    size_t digits = strspn(text, "0123456789");
    uint64_t value = 0;
    if (digits == 0 || digits > 18 || text[digits] != '\0')
        return false;
    for (size_t i = 0; i < digits; i++)
        value = value * 10 + (uint64_t)(text[i] - '0');
    *ret_length = value;
    return true;
}

enum status head_framing(const struct head *head, const char *version, uint64_t *ret_length,
                         struct err *err)
{
    uint64_t length = 0;
    bool is_1_1 = strcmp(version, "HTTP/1.1") == 0;
    if (head->bad_name)
        return err_set(err, ST_MALFORMED, "could not read the head: a header name is no token");
    if (head->repeated != NULL)
        return err_set(err, ST_MALFORMED, "could not read the head: header \"%s\" is repeated",
                       head->repeated);
    if (head->content_length != NULL && head->transfer_encoding != NULL)
        return err_set(err, ST_MALFORMED,
                       "could not read the head: both Content-Length and Transfer-Encoding");
    if (!is_1_1 && strcmp(version, "HTTP/1.0") != 0)
        return err_set(err, ST_MALFORMED, "could not read the head: not HTTP/1.0 or HTTP/1.1");
    if (is_1_1 && (head->host == NULL || head->host[0] == '\0'))
        return err_set(err, ST_MALFORMED, "could not read the head: header \"Host\" is missing");
    if (head->transfer_encoding != NULL) {
        if (!is_1_1 || strcasecmp(head->transfer_encoding, "chunked") != 0)
            return err_set(err, ST_MALFORMED,
                           "could not read the head: Transfer-Encoding is not \"chunked\"");
        length = UINT64_MAX;
    } else if (head->content_length != NULL && !parse_length(head->content_length, &length))
        return err_set(err, ST_MALFORMED, "could not read the head: Content-Length is no number");
    *ret_length = length;
    return ST_OK;
}

static const struct {
    const char *type;
    enum media media;
} types[] = {
    {"application/json", MEDIA_JSON},
    {"application/x-ndjson", MEDIA_NDJSON},
    {"application/ndjson", MEDIA_NDJSON},
    {"text/csv", MEDIA_CSV},
    {"text/plain", MEDIA_TEXT},
    {"text/html", MEDIA_HTML},
    {"text/markdown", MEDIA_MARKDOWN},
    {"application/cbor", MEDIA_CBOR},
    {"application/cbor-seq", MEDIA_CBOR_SEQ},
};

static bool word_is(const char *text, size_t length, const char *word)
{
    return strlen(word) == length && strncasecmp(text, word, length) == 0;
}

/* Length without blanks at its end. */
static size_t trimmed(const char *text, size_t length)
{
    while (length > 0 && (text[length - 1] == ' ' || text[length - 1] == '\t'))
        length--;
    return length;
}

enum media head_content_media(const char *content_type)
{
    if (content_type == NULL)
        return MEDIA_NONE;
    size_t length = strcspn(content_type, ";");
    const char *charset = strcasestr(content_type + length, "charset=");
    if (charset != NULL) {
        charset += strlen("charset=");
        charset += *charset == '"';
        size_t n = strcspn(charset, "\"; \t");
        if (!word_is(charset, n, "utf-8") && !word_is(charset, n, "us-ascii"))
            return MEDIA_NONE;
    }
    length = trimmed(content_type, length);
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (word_is(content_type, length, types[i].type))
            return types[i].media;
    }
    return MEDIA_NONE;
}

enum coding head_content_coding(const char *content_encoding)
{
    if (content_encoding == NULL || content_encoding[0] == '\0' ||
        strcasecmp(content_encoding, "identity") == 0)
        return CODING_IDENTITY;
    if (strcasecmp(content_encoding, "gzip") == 0 || strcasecmp(content_encoding, "x-gzip") == 0)
        return CODING_GZIP;
    return strcasecmp(content_encoding, "zstd") == 0 ? CODING_ZSTD : CODING_UNKNOWN;
}

/* One element of a comma list with its quality in thousandths; moves *text past it. False at the
 * end. A bad quality counts as 1. */
static bool next_element(const char **text, const char **ret_item, size_t *ret_length,
                         unsigned *ret_quality)
{
    *text += strspn(*text, ", \t");
    if (**text == '\0')
        return false;
    const char *item = *text;
    size_t whole = strcspn(item, ",");
    size_t length = strcspn(item, ",;");
    *text += whole;
    *ret_item = item;
    *ret_length = trimmed(item, length);
    *ret_quality = 1000;
    for (const char *p = item + length; p + 2 < item + whole; p++) {
        if ((p[0] != ';' && p[0] != ' ') || (p[1] != 'q' && p[1] != 'Q') || p[2] != '=')
            continue;
        unsigned value = 0;
        unsigned unit = 1000;
        for (p += 3; p < item + whole && unit > 0 && (*p == '.' || isdigit((unsigned char)*p));
             p++) {
            if (*p == '.')
                continue;
            value += (unsigned)(*p - '0') * unit;
            unit /= 10;
        }
        *ret_quality = value > 1000 ? 1000 : value;
        break;
    }
    return true;
}

/* How exactly a range names a type: 0 not at all, 1 by *, 2 by its first half, 3 in full. */
static unsigned range_rank(const char *range, size_t length, enum media media)
{
    const char *type = media_type(media);
    size_t type_length = strcspn(type, ";");
    size_t slash = strcspn(type, "/");
    if (word_is(range, length, "*/*"))
        return 1;
    if (length == slash + 2 && strncasecmp(range, type, slash + 1) == 0 && range[length - 1] == '*')
        return 2;
    if (length == type_length && strncasecmp(range, type, length) == 0)
        return 3;
    return media == MEDIA_NDJSON && word_is(range, length, "application/ndjson") ? 3 : 0;
}

/* Quality of one type: that of the most exact range. */
static unsigned quality_of(const char *accept, enum media media)
{
    unsigned best_rank = 0;
    unsigned quality = 0;
    const char *item;
    size_t length;
    unsigned q;
    while (next_element(&accept, &item, &length, &q)) {
        unsigned r = range_rank(item, length, media);
        if (r > best_rank) {
            best_rank = r;
            quality = q * 4 + r; /* equal qualities: the type named more exactly */
            if (q == 0)
                quality = 0;
        }
    }
    return quality;
}

enum media head_accept(const char *accept, unsigned offered)
{
    unsigned first = offered & MEDIA_JSON ? (unsigned)MEDIA_JSON : offered & (0u - offered);
    enum media best = (enum media)first;
    unsigned best_quality = 0;
    if (accept == NULL || accept[0] == '\0')
        return best;
    best_quality = quality_of(accept, best);
    for (unsigned bit = 1; bit <= MEDIA_LAST; bit <<= 1) {
        unsigned quality = (offered & bit) != 0 ? quality_of(accept, (enum media)bit) : 0;
        if (quality > best_quality) {
            best_quality = quality;
            best = (enum media)bit;
        }
    }
    return best;
}

bool head_accepts_gzip(const char *accept_encoding)
{
    const char *item;
    size_t length;
    unsigned quality;
    unsigned any = 0;
    if (accept_encoding == NULL)
        return false;
    while (next_element(&accept_encoding, &item, &length, &quality)) {
        if (word_is(item, length, "gzip") || word_is(item, length, "x-gzip"))
            return quality > 0;
        if (word_is(item, length, "*"))
            any = quality;
    }
    return any > 0;
}

bool head_etag_matches(const char *if_none_match, const char *etag)
{
    const char *item = if_none_match;
    if (item == NULL || etag == NULL)
        return false;
    size_t wanted = strlen(etag);
    while (*(item += strspn(item, ", \t")) != '\0') {
        if (*item == '*')
            return true;
        if (strncmp(item, "W/", 2) == 0)
            item += 2;
        size_t length = *item == '"' ? strcspn(item + 1, "\"") + 2 : strcspn(item, ",");
        if (length == wanted && strncmp(item, etag, length) == 0)
            return true;
        length = strnlen(item, length);
        item += length == 0 ? strcspn(item, ",") : length;
    }
    return false;
}

bool head_request_id_ok(const char *request_id)
{
    size_t length = request_id == NULL ? 0 : strnlen(request_id, REQUEST_ID_MAX + 1);
    if (length == 0 || length > REQUEST_ID_MAX)
        return false;
    for (size_t i = 0; i < length; i++) {
        if (!isalnum((unsigned char)request_id[i]) && request_id[i] != '-')
            return false;
    }
    return true;
}

static const char *bearer(const char *authorization, size_t *ret_length)
{
    if (strncasecmp(authorization, "Bearer ", 7) != 0)
        return NULL;
    const char *token = authorization + 7 + strspn(authorization + 7, " ");
    *ret_length = strlen(token);
    return token;
}

static const char *cookie_value(const char *cookie, const char *name, size_t *ret_length)
{
    size_t name_length = strlen(name);
    while (*(cookie += strspn(cookie, "; \t")) != '\0') {
        size_t length = strcspn(cookie, ";");
        if (length > name_length && cookie[name_length] == '=' &&
            strncmp(cookie, name, name_length) == 0) {
            *ret_length = trimmed(cookie + name_length + 1, length - name_length - 1);
            return cookie + name_length + 1;
        }
        cookie += length;
    }
    return NULL;
}

bool head_bearer_malformed(const struct head *head)
{
    size_t length;
    return head->authorization != NULL && bearer(head->authorization, &length) == NULL;
}

const char *head_credential(const struct head *head, size_t *ret_length, bool *ret_by_cookie)
{
    *ret_by_cookie = false;
    if (head->authorization != NULL)
        return bearer(head->authorization, ret_length);
    if (head->cookie == NULL)
        return NULL;
    *ret_by_cookie = true;
    return cookie_value(head->cookie, SESSION_COOKIE, ret_length);
}
