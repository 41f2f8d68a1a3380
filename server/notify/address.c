/* SPDX-License-Identifier: Apache-2.0 */
#include "server/notify/address.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <netdb.h>
#include <string.h>

/* Everything is compared as 16 bytes, IPv4 in the mapped form: one table, one comparison. */

struct range {
    const char *network;
    unsigned bits;
    const char *reason; /* NULL: public after all */
    bool final;         /* no list allows it */
};
/* First match wins. IANA's special-purpose registries (RFC 6890 and later), and the addresses that
 * clouds serve machine identities at. */
static const struct range ranges[] = {
    {"::ffff:169.254.169.254", 128, "metadata", false},
    {"::ffff:169.254.170.2", 128, "metadata", false},
    {"::ffff:168.63.129.16", 128, "metadata", false},
    {"::ffff:100.100.100.200", 128, "metadata", false},
    {"::ffff:192.0.0.192", 128, "metadata", false},
    {"fd00:ec2::254", 128, "metadata", false},
    {"::ffff:0.0.0.0", 96 + 8, "reserved", true},
    {"::ffff:10.0.0.0", 96 + 8, "private", false},
    {"::ffff:100.64.0.0", 96 + 10, "private", false},
    {"::ffff:127.0.0.0", 96 + 8, "loopback", false},
    {"::ffff:169.254.0.0", 96 + 16, "link-local", false},
    {"::ffff:172.16.0.0", 96 + 12, "private", false},
    {"::ffff:192.0.0.0", 96 + 24, "reserved", true},
    {"::ffff:192.0.2.0", 96 + 24, "reserved", true},
    {"::ffff:192.88.99.0", 96 + 24, "reserved", true},
    {"::ffff:192.168.0.0", 96 + 16, "private", false},
    {"::ffff:198.18.0.0", 96 + 15, "private", false},
    {"::ffff:198.51.100.0", 96 + 24, "reserved", true},
    {"::ffff:203.0.113.0", 96 + 24, "reserved", true},
    {"::ffff:224.0.0.0", 96 + 4, "multicast", true},
    {"::ffff:240.0.0.0", 96 + 4, "reserved", true},
    {"::ffff:0.0.0.0", 96, NULL, false},
    {"::1", 128, "loopback", false},
    {"ff00::", 8, "multicast", true},
    {"fe80::", 10, "link-local", false},
    {"fec0::", 10, "private", false},
    {"fc00::", 7, "private", false},
    {"2001::", 23, "reserved", true}, /* Teredo and other protocols' */
    {"2001:db8::", 32, "reserved", true},
    {"2002::", 16, "reserved", true}, /* 6to4: an IPv4 address inside */
    {"3fff::", 20, "reserved", true},
    {"2000::", 3, NULL, false},
    {"::", 0, "reserved", true},
};

static bool in_range(const unsigned char address[16], const unsigned char network[16],
                     unsigned bits)
{
    unsigned whole = bits / 8, rest = bits % 8;
    unsigned char mask = (unsigned char)(0xff00u >> rest);

    return memcmp(address, network, whole) == 0 &&
           (rest == 0 || ((address[whole] ^ network[whole]) & mask) == 0);
}

/* False for families that are neither. NAT64 (64:ff9b::/96) carries an IPv4 address: that counts.
 */
static bool as_bytes(const struct sockaddr *address, unsigned char ret_bytes[16])
{
    static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};
    static const unsigned char nat64[12] = {0x00, 0x64, 0xff, 0x9b};

    if (address->sa_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)address;
        memcpy(ret_bytes, mapped, sizeof mapped);
        memcpy(ret_bytes + 12, &v4->sin_addr, 4);
        return true;
    }
    if (address->sa_family != AF_INET6)
        return false;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)address;
    memcpy(ret_bytes, &v6->sin6_addr, 16);
    if (memcmp(ret_bytes, nat64, sizeof nat64) == 0)
        memcpy(ret_bytes, mapped, sizeof mapped);
    return true;
}

const char *notify_address_refusal(const struct sockaddr *address, const struct notify_allow *allow)
{
    unsigned char bytes[16], network[16];

    if (!as_bytes(address, bytes))
        return "reserved";
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
        inet_pton(AF_INET6, ranges[i].network, network);
        if (!in_range(bytes, network, ranges[i].bits))
            continue;
        for (size_t k = 0; ranges[i].reason != NULL && !ranges[i].final && k < allow->count; k++)
            if (in_range(bytes, allow->items[k].address, allow->items[k].bits))
                return NULL;
        return ranges[i].reason;
    }
    return "reserved";
}

/* ---- the list of what is allowed -------------------------------------------- */

static bool parse_cidr(const char *text, size_t length, struct notify_cidr *ret_cidr)
{
    char buffer[64], *slash, *end;
    struct in_addr v4;
    unsigned bits = 128, most = 128;

    if (length == 0 || length >= sizeof buffer)
        return false;
    memcpy(buffer, text, length);
    buffer[length] = '\0';
    slash = strchr(buffer, '/');
    if (slash != NULL)
        *slash++ = '\0';
    if (inet_pton(AF_INET, buffer, &v4) == 1) {
        memset(ret_cidr->address, 0, 10);
        memset(ret_cidr->address + 10, 0xff, 2);
        memcpy(ret_cidr->address + 12, &v4, 4);
        most = 32;
    } else if (inet_pton(AF_INET6, buffer, ret_cidr->address) != 1) {
        return false;
    }
    if (slash != NULL) {
        unsigned long value = strtoul(slash, &end, 10);
        if (*slash < '0' || *slash > '9' || *end != '\0' || value > most)
            return false;
        bits = (unsigned)value + 128 - most;
    }
    ret_cidr->bits = bits;
    return true;
}

enum status notify_allow_parse(const char *text, struct notify_allow *ret_allow, struct err *err)
{
    struct notify_allow allow = {.count = 0};

    for (text += strspn(text, ", "); *text != '\0'; text += strspn(text, ", ")) {
        size_t length = strcspn(text, ", ");
        if (allow.count == NOTIFY_ALLOW_MAX)
            return err_field(err, ST_USAGE, "notify_allow_private", "over %d networks",
                             NOTIFY_ALLOW_MAX);
        if (!parse_cidr(text, length, &allow.items[allow.count++]))
            return err_field(err, ST_USAGE, "notify_allow_private",
                             "\"%.*s\": a network such as 10.0.0.0/8 is wanted",
                             (int)(length < 60 ? length : 60), text);
        text += length;
    }
    *ret_allow = allow;
    return ST_OK;
}

/* ---- a URL ------------------------------------------------------------------ */

enum status notify_resolve_system(void *arg, const char *host,
                                  struct sockaddr_storage *ret_addresses, size_t max,
                                  size_t *ret_count, struct err *err)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
    struct addrinfo *list = NULL;
    size_t count = 0;
    (void)arg;
    int failure = getaddrinfo(host, NULL, &hints, &list);

    if (failure != 0)
        return err_set(err, ST_IO, "could not resolve \"%.100s\": %s", host, gai_strerror(failure));
    for (const struct addrinfo *at = list; at != NULL && count < max; at = at->ai_next)
        if (at->ai_addrlen <= sizeof ret_addresses[0])
            memcpy(&ret_addresses[count++], at->ai_addr, at->ai_addrlen);
    freeaddrinfo(list);
    *ret_count = count;
    return ST_OK;
}

static void cleanup_url(CURLU **url)
{
    curl_url_cleanup(*url);
}
static void cleanup_part(char **part)
{
    curl_free(*part);
}
#define AUTO_PART CLEANUP(cleanup_part)

/* The same parser that the connection is made with, so that both mean the same host. */
static enum status parse_url(const char *text, bool allow_http, struct notify_pin *pin,
                             struct err *err)
{
    CLEANUP(cleanup_url) CURLU *url = curl_url();
    AUTO_PART char *scheme = NULL, *host = NULL, *port = NULL, *user = NULL;

    if (url == NULL)
        return err_set(err, ST_NOMEM, "could not read a URL: out of memory");
    if (curl_url_set(url, CURLUPART_URL, text, 0) != CURLUE_OK ||
        curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
        curl_url_get(url, CURLUPART_HOST, &host, 0) != CURLUE_OK ||
        curl_url_get(url, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) != CURLUE_OK)
        return err_field(err, ST_INVALID, "address", "it is no URL");
    pin->tls = strcmp(scheme, "https") == 0;
    if (!pin->tls && strcmp(scheme, "http") != 0)
        return err_field(err, ST_INVALID, "address", "https is wanted, not \"%.20s\"", scheme);
    if (!pin->tls && !allow_http)
        return err_field(err, ST_FORBIDDEN, "address",
                         "plain http is not allowed (setting notify-allow-http)");
    if (curl_url_get(url, CURLUPART_USER, &user, 0) == CURLUE_OK)
        return err_field(err, ST_INVALID, "address", "a user name has no place in the URL");
    size_t length = strlen(host);
    bool bracket = host[0] == '[';
    if (length >= sizeof pin->host || strlen(port) >= sizeof pin->port)
        return err_field(err, ST_INVALID, "address", "the host is too long");
    memcpy(pin->host, host + bracket, length - 2 * (size_t)bracket);
    pin->host[length - 2 * (size_t)bracket] = '\0';
    memcpy(pin->port, port, strlen(port) + 1);
    return ST_OK;
}

enum status notify_guard_check(const struct notify_guard *guard, const char *url,
                               struct notify_pin *ret_pin, struct err *err)
{
    struct notify_pin pin = {.count = 0};
    enum status status = parse_url(url, guard->allow_http, &pin, err);

    if (status == ST_OK)
        status = guard->resolve(guard->resolve_arg, pin.host, pin.addresses, NOTIFY_ADDRESSES_MAX,
                                &pin.count, err);
    if (status != ST_OK)
        return status;
    if (pin.count == 0)
        return err_set(err, ST_IO, "could not resolve \"%.100s\": no address", pin.host);
    for (size_t i = 0; i < pin.count; i++) {
        const char *reason =
            notify_address_refusal((const struct sockaddr *)&pin.addresses[i], &guard->allow);
        if (reason != NULL)
            return err_field(err, ST_FORBIDDEN, "address",
                             "host \"%.100s\" has a %s address (setting notify-allow-private)",
                             pin.host, reason);
    }
    *ret_pin = pin;
    return ST_OK;
}

bool notify_pin_has(const struct notify_pin *pin, const struct sockaddr *address)
{
    unsigned char wanted[16], have[16];

    if (!as_bytes(address, wanted))
        return false;
    for (size_t i = 0; i < pin->count; i++)
        if (as_bytes((const struct sockaddr *)&pin->addresses[i], have) &&
            memcmp(have, wanted, sizeof have) == 0)
            return true;
    return false;
}

void notify_pin_write(const struct notify_pin *pin, struct strbuf *out)
{
    char text[INET6_ADDRSTRLEN];

    strbuf_printf(out, "%s:%s:", pin->host, pin->port);
    for (size_t i = 0; i < pin->count; i++) {
        const struct sockaddr_storage *at = &pin->addresses[i];
        bool v6 = at->ss_family == AF_INET6;
        const void *bytes =
            v6 ? (const void *)&((const struct sockaddr_in6 *)(const void *)at)->sin6_addr
               : (const void *)&((const struct sockaddr_in *)(const void *)at)->sin_addr;
        if (inet_ntop(at->ss_family, bytes, text, sizeof text) == NULL)
            continue;
        strbuf_printf(out, v6 ? "%s[%s]" : "%s%s", i == 0 ? "" : ",", text);
    }
}
