/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two small files beside the spool: "state" (what the agent remembers over restarts) and
 * "identity" (who the server says it is; sealed by the vault). Both are CBOR behind a magic and a
 * CRC-32, replaced as a whole. One that is corrupt is set aside as "NAME.bad" (one, the last) and
 * the agent goes on without it. One thread.
 */
#ifndef AGENT_CORE_STATE_H
#define AGENT_CORE_STATE_H

#include "agent/core/agent.h"
#include "agent/core/boot.h"
#include "agent/core/reply.h"

struct state {
    struct boot_memory boot;
    int64_t sequence;     /* the last one used in this boot; -1: none */
    uint64_t next_number; /* of the spool */
    uint64_t dropped;
    struct reply_config config;
    int64_t sampled_us;      /* wall; TIME_UNKNOWN: never */
    int64_t acknowledged_us; /* wall; TIME_UNKNOWN: never */
    char fault[256];         /* why the server does not take our snapshots; "": it does */
};

struct identity {
    char host_id[LIMIT_HOST_ID_BYTES + 1]; /* "": none */
    char token[REPLY_TOKEN_MAX];
    char machine_id[SHA256_TEXT_MAX];
};

void state_init(struct state *state);
/* ST_NOT_FOUND: there is none; ST_MALFORMED: corrupt, and set aside; ST_IO. */
enum status state_load(const struct files *files, struct state *ret_state,
                       struct err *err) MUST_CHECK;
enum status state_save(const struct files *files, const struct state *state,
                       struct err *err) MUST_CHECK;

enum status identity_load(const struct files *files, const struct vault *vault,
                          struct identity *ret_identity, struct err *err) MUST_CHECK;
enum status identity_save(const struct files *files, const struct vault *vault,
                          const struct identity *identity, struct err *err) MUST_CHECK;
enum status identity_remove(const struct files *files, struct err *err) MUST_CHECK;

#endif
