/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a webhook may lead. A target's URL is typed by a person with an account here, but the
 * request is made from inside the network: without a rule it would reach the cloud's metadata
 * service, this machine's own ports and every intranet host. So a host is resolved once, every
 * address it has must be public (or listed in notify-allow-private), and the connection goes to one
 * of those very addresses: a name that resolves differently a moment later changes nothing. Pure
 * but for the resolver, which tests replace. Thread-safe.
 */
#ifndef SERVER_NOTIFY_ADDRESS_H
#define SERVER_NOTIFY_ADDRESS_H

#include "common/status.h"
#include "common/strbuf.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>

#define NOTIFY_ALLOW_MAX 64

struct notify_cidr {
    unsigned char address[16]; /* IPv4 as ::ffff:a.b.c.d */
    unsigned bits;             /* 0..128 */
};
struct notify_allow {
    struct notify_cidr items[NOTIFY_ALLOW_MAX];
    size_t count;
};
/* "10.0.0.0/8, fd00::/8, 192.168.1.7"; "" is none. ST_USAGE names the part that is no address. */
enum status notify_allow_parse(const char *text, struct notify_allow *ret_allow,
                               struct err *err) MUST_CHECK;

/* NULL when it may be connected to, else the reason in one word: "loopback", "private",
 * "link-local", "multicast", "metadata", "reserved". Multicast and reserved ones cannot be allowed.
 */
const char *notify_address_refusal(const struct sockaddr *address,
                                   const struct notify_allow *allow);

#define NOTIFY_ADDRESSES_MAX 8

/* All addresses of a host, at most max; ports are 0. */
typedef enum status (*notify_resolver)(void *arg, const char *host,
                                       struct sockaddr_storage *ret_addresses, size_t max,
                                       size_t *ret_count, struct err *err);
enum status notify_resolve_system(void *arg, const char *host,
                                  struct sockaddr_storage *ret_addresses, size_t max,
                                  size_t *ret_count, struct err *err) MUST_CHECK;

/* A URL that was checked, and the addresses it may be reached at. */
struct notify_pin {
    char host[256];
    char port[8];
    bool tls;
    struct sockaddr_storage addresses[NOTIFY_ADDRESSES_MAX];
    size_t count;
};
struct notify_guard {
    struct notify_allow allow;
    bool allow_http;
    notify_resolver resolve; /* called once a check */
    void *resolve_arg;
};
/* ST_FORBIDDEN for what is refused, ST_INVALID for what is no http or https URL, ST_IO when the
 * name has no address. One refused address refuses the host. */
enum status notify_guard_check(const struct notify_guard *guard, const char *url,
                               struct notify_pin *ret_pin, struct err *err) MUST_CHECK;
/* Whether `address` (any port) is one of the pin's. */
bool notify_pin_has(const struct notify_pin *pin, const struct sockaddr *address);
/* "host:port:a,b" as libcurl's resolve list wants it. */
void notify_pin_write(const struct notify_pin *pin, struct strbuf *out);

#endif
