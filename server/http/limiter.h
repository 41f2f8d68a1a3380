/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How often an address, or a name, may fail to authenticate: one token bucket each, in a table of
 * fixed size, so that many of them cost no memory; the least used make room. IPv6 counts by /64,
 * since one customer holds that many. The address is the socket's, never one from a header.
 * Thread-safe.
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

/* So many failures at once, and one more every refill_us. NULL when memory is out. */
struct limiter *limiter_new(unsigned burst, int64_t refill_us);
void limiter_free(struct limiter *limiter);
struct limiter_key limiter_key(const struct sockaddr *address);
struct limiter_key limiter_key_name(const char *name); /* letters A to Z folded */
/* Seconds to wait, 0: may try. */
unsigned limiter_wait(struct limiter *limiter, struct limiter_key key, int64_t now_us);
void limiter_fail(struct limiter *limiter, struct limiter_key key, int64_t now_us);
/* How many more failures are allowed at once, and in how many seconds more of them are: until the
 * next one when none is left, else until all are back. */
unsigned limiter_left(struct limiter *limiter, struct limiter_key key, int64_t now_us,
                      unsigned *ret_seconds);
/* Takes back one limiter_fail that was charged before the outcome was known. */
void limiter_forgive(struct limiter *limiter, struct limiter_key key, int64_t now_us);

#endif
