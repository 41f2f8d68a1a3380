/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/proxy.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <netinet/in.h>
#include <string.h>
#include <strings.h>

static const unsigned char v4_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

/* "10.0.0.0/8" -> peer; false when it is no such thing, or has bits set beyond its mask (then
 * another net was meant). */
static bool parse_peer(const char *text, size_t length, struct proxy_peer *ret_peer)
{
    char copy[64];
    unsigned most = 128;
    unsigned shift = 0;
    if (length == 0 || length >= sizeof copy)
        return false;
    memcpy(copy, text, length);
    copy[length] = '\0';
    char *slash = strchr(copy, '/');
    if (slash != NULL)
        *slash = '\0';
    if (inet_pton(AF_INET, copy, ret_peer->address + sizeof v4_prefix) == 1) {
        memcpy(ret_peer->address, v4_prefix, sizeof v4_prefix);
        most = 32;
        shift = 96;
    } else if (inet_pton(AF_INET6, copy, ret_peer->address) != 1)
        return false;
    ret_peer->bits = 128;
    if (slash != NULL) {
        unsigned bits = 0;
        size_t digits = strspn(slash + 1, "0123456789");
        if (digits == 0 || digits > 3 || slash[1 + digits] != '\0')
            return false;
        for (size_t i = 1; i <= digits; i++)
            bits = bits * 10 + (unsigned)(slash[i] - '0');
        if (bits > most)
            return false;
        ret_peer->bits = bits + shift;
    }
    for (unsigned bit = ret_peer->bits; bit < 128; bit++) {
        if ((ret_peer->address[bit / 8] >> (7 - bit % 8) & 1) != 0)
            return false;
    }
    return true;
}

static enum status parse_peers(const char *text, struct proxy *proxy, struct err *err)
{
    while (*(text += strspn(text, ", \t")) != '\0') {
        size_t length = strcspn(text, ", \t");
        if (proxy->peer_count == PROXY_PEERS_MAX)
            return err_field(err, ST_USAGE, "trusted_proxy", "more than %d addresses",
                             PROXY_PEERS_MAX);
        if (!parse_peer(text, length, &proxy->peers[proxy->peer_count]))
            return err_field(err, ST_USAGE, "trusted_proxy",
                             "\"%.*s\": a numeric address or net such as 10.1.0.0/16 is wanted",
                             (int)(length < 60 ? length : 60), text);
        proxy->peer_count++;
        text += length;
    }
    return ST_OK;
}

/* A header's name; and none that means something else already. */
static enum status check_header(const char *setting, const char *name, struct err *err)
{
    static const char *const taken[] = {"Authorization", "Cookie",       "Host",
                                        "X-Poolfleet",   "Content-Type", "Content-Length"};
    bool ok = strlen(name) <= 64;
    for (const char *c = name; ok && *c != '\0'; c++)
        ok = isalnum((unsigned char)*c) || *c == '-' || *c == '_';
    for (size_t i = 0; ok && i < sizeof taken / sizeof taken[0]; i++)
        ok = strcasecmp(taken[i], name) != 0;
    return ok ? ST_OK
              : err_field(err, ST_USAGE, setting,
                          "\"%.64s\": a header's name such as X-Remote-User is wanted", name);
}

enum status proxy_parse(const char *peers, const char *user_header, const char *role_header,
                        struct proxy *ret_proxy, struct err *err)
{
    struct proxy proxy = {.user_header = user_header[0] == '\0' ? NULL : user_header,
                          .role_header = role_header[0] == '\0' ? NULL : role_header};
    enum status status = parse_peers(peers, &proxy, err);
    if (status == ST_OK)
        status = check_header("proxy_user_header", user_header, err);
    if (status == ST_OK)
        status = check_header("proxy_role_header", role_header, err);
    if (status != ST_OK)
        return status;
    if ((proxy.peer_count > 0) != (proxy.user_header != NULL))
        return err_field(err, ST_USAGE,
                         proxy.peer_count > 0 ? "proxy_user_header" : "trusted_proxy",
                         "trusted_proxy and proxy_user_header go together");
    if (proxy.role_header != NULL && proxy.user_header == NULL)
        return err_field(err, ST_USAGE, "proxy_role_header", "goes with proxy_user_header");
    if (proxy.role_header != NULL && strcasecmp(proxy.role_header, proxy.user_header) == 0)
        return err_field(err, ST_USAGE, "proxy_role_header", "is the same as proxy_user_header");
    *ret_proxy = proxy;
    return ST_OK;
}

bool proxy_trusts(const struct proxy *proxy, const struct sockaddr *peer)
{
    unsigned char address[16];
    if (peer->sa_family == AF_INET) {
        memcpy(address, v4_prefix, sizeof v4_prefix);
        memcpy(address + sizeof v4_prefix,
               &((const struct sockaddr_in *)(const void *)peer)->sin_addr, 4);
    } else if (peer->sa_family == AF_INET6)
        memcpy(address, &((const struct sockaddr_in6 *)(const void *)peer)->sin6_addr,
               sizeof address);
    else
        return false;
    for (size_t i = 0; i < proxy->peer_count; i++) {
        const struct proxy_peer *net = &proxy->peers[i];
        unsigned whole = net->bits / 8;
        unsigned rest = net->bits % 8;
        unsigned char mask = (unsigned char)(0xff << (8 - rest));
        if (memcmp(net->address, address, whole) == 0 &&
            (rest == 0 || ((net->address[whole] ^ address[whole]) & mask) == 0))
            return true;
    }
    return false;
}
