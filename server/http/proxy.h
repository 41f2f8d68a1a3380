/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sign-on by a proxy in front: whom it has let in, it names in a header, and we believe that header
 * from the addresses of trusted-proxy alone. From any other peer a request that carries it is
 * refused, so that a way around the proxy is noticed and not used. Immutable after proxy_parse.
 */
#ifndef SERVER_HTTP_PROXY_H
#define SERVER_HTTP_PROXY_H

#include "common/status.h"

#include <stdbool.h>
#include <sys/socket.h>

#define PROXY_PEERS_MAX 32

struct proxy_peer {
    unsigned char address[16]; /* IPv4 as ::ffff:a.b.c.d */
    unsigned bits;             /* of the 128 */
};

struct proxy {
    const char *user_header; /* borrowed; NULL: no such sign-on */
    const char *role_header; /* borrowed; NULL: the role is the account's */
    size_t peer_count;
    struct proxy_peer peers[PROXY_PEERS_MAX];
};

/* Texts as in the settings, borrowed; "" is off. Peers: "127.0.0.1, 10.1.0.0/16, fd00::/8".
 * ST_USAGE with the setting's name as field. */
enum status proxy_parse(const char *peers, const char *user_header, const char *role_header,
                        struct proxy *ret_proxy, struct err *err) MUST_CHECK;
bool proxy_trusts(const struct proxy *proxy, const struct sockaddr *peer);

#endif
