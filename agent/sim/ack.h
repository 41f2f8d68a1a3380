/* SPDX-License-Identifier: Apache-2.0 */
/* The answer of POST /api/v1/snapshots, as far as a sender needs it. Pure. */
#ifndef AGENT_SIM_ACK_H
#define AGENT_SIM_ACK_H

#include "common/status.h"

#include <stdbool.h>
#include <stdint.h>

enum ack_state { ACK_HELD, ACK_CONFLICT, ACK_REFUSED };

struct ack {
    uint64_t accepted;
    uint64_t duplicates;
    enum ack_state *states; /* of the documents sent, in order; written by ack_parse */
    struct err first;       /* first refusal that is not a conflict */
};

/* code: HTTP status; states has room for `count` documents. A 409 for the whole body is a conflict
 * of each. ST_OK: every document has a state. Else err says why the server refused all of it. */
enum status ack_parse(int code, const char *body, size_t length, size_t count, struct ack *ack,
                      struct err *err) MUST_CHECK;

#endif
