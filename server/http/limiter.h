/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How often an address may fail to authenticate: one token bucket per address, in a table of fixed
 * size, so that many addresses cost no memory; the least used make room. IPv6 counts by /64, since
 * one customer holds that many. The address is the socket's, never one from a header. Thread-safe.
 */
#ifndef SERVER_HTTP_LIMITER_H
#define SERVER_HTTP_LIMITER_H

#include <stdint.h>
#include <sys/socket.h>

#define LIMITER_BURST     20u       /* failures at once: a page with a stale cookie makes some */
#define LIMITER_REFILL_US 3000000ll /* one more failure every 3 s */

struct limiter;

struct limiter_key {
    unsigned char bytes[16];
};

struct limiter *limiter_new(void); /* NULL when memory is out */
void limiter_free(struct limiter *limiter);
struct limiter_key limiter_key(const struct sockaddr *address);
/* Seconds to wait, 0: may try. */
unsigned limiter_wait(struct limiter *limiter, struct limiter_key key, int64_t now_us);
void limiter_fail(struct limiter *limiter, struct limiter_key key, int64_t now_us);

#endif
