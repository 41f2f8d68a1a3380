/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cuts connections that take too long over a request, however lively they look: a peer that sends
 * one byte now and then never runs into microhttpd's idle timeout. One thread looks once a second.
 */
#ifndef SERVER_HTTP_DEADLINES_H
#define SERVER_HTTP_DEADLINES_H

#include "common/status.h"

#include <stddef.h>
#include <stdint.h>

#define DEADLINE_NEVER INT64_MAX

struct deadlines;
struct conn; /* one connection */

enum status deadlines_new(struct deadlines **ret_deadlines, struct err *err) MUST_CHECK;
void deadlines_free(struct deadlines *deadlines); /* NULL allowed; all connections are gone */
/* NULL when memory is out: the connection is then without deadline. `at_us`: monotonic. */
struct conn *deadlines_add(struct deadlines *deadlines, int socket, int64_t at_us);
/* Before the socket is closed. conn NULL allowed; so in deadlines_set. */
void deadlines_remove(struct deadlines *deadlines, struct conn *conn);
void deadlines_set(struct conn *conn, int64_t at_us);
size_t deadlines_count(struct deadlines *deadlines); /* connections open now */
uint64_t deadlines_cut(struct deadlines *deadlines); /* connections cut so far */

#endif
