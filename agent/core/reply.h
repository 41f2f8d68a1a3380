/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the server answers an agent, read from CBOR (the agent asks for it with Accept, so that it
 * needs no JSON reader). The server is not trusted: unknown members are skipped, wrong types and
 * values out of range are an error of the whole reply, and nothing here allocates.
 *
 * POST /api/v1/agent/enroll    -> {"host_id": text, "token": text, ? "config": config}
 * POST /api/v1/agent/snapshots -> {"accepted": uint, "duplicates": uint,
 *     "rejected": [{"index": uint, "type": text, "detail": text, "field": text / null}],
 *     ? "acked_sequence": uint, ? "config": config, ? "want": want}
 * config = {? "interval_seconds": 10..86400, ? "top_processes": 0..4096}
 * want   = {? "full": bool, ? "drivers": bool, ? "processes": bool,
 *           ? "scan": [* sha256 as hex text], ? "blocks": [* tag text]}
 * problem (any refusal) = {"type": text, "title": text, "detail": text, ...}
 */
#ifndef AGENT_CORE_REPLY_H
#define AGENT_CORE_REPLY_H

#include "agent/core/source.h"
#include "common/limits.h"

#define REPLY_REJECTED_MAX 256u /* no batch holds more documents */
#define REPLY_TOKEN_MAX    128

struct reply_config {
    int64_t interval_us;   /* 0: not told */
    int64_t top_processes; /* -1: not told */
};

struct reply_want {
    bool full;
    bool drivers;
    bool processes;
    size_t block_count;
    uint32_t blocks[SOURCE_BLOCK_TAGS];
    size_t scan_count;
    char scan[SOURCE_SCAN_FILES][SHA256_TEXT_MAX];
};

struct reply_rejected {
    size_t index;
    char type[64]; /* last part of the urn: "conflict", "invalid" */
    char detail[160];
};

struct reply_snapshots {
    uint64_t accepted;
    uint64_t duplicates;
    size_t rejected_count;
    struct reply_rejected rejected[REPLY_REJECTED_MAX];
    struct reply_config config;
    struct reply_want want;
};

struct reply_enroll {
    char host_id[LIMIT_HOST_ID_BYTES + 1];
    char token[REPLY_TOKEN_MAX];
    struct reply_config config;
};

struct reply_problem {
    char type[64]; /* last part of the urn: "identity_cloned" */
    char detail[256];
};

/* ST_MALFORMED: not CBOR or cut off; ST_INVALID: breaks the shape above. Then the reply is one that
 * says nothing. Of `scan` and `blocks` what does not fit is left for a later reply. Texts are cut
 * to fit, valid UTF-8 and without control characters; a token is printable ASCII without blanks. */
enum status reply_snapshots_read(const void *data, size_t length, struct reply_snapshots *ret_reply,
                                 struct err *err) MUST_CHECK;
enum status reply_enroll_read(const void *data, size_t length, struct reply_enroll *ret_reply,
                              struct err *err) MUST_CHECK;
/* Never fails: what cannot be read is "". */
void reply_problem_read(const void *data, size_t length, struct reply_problem *ret_problem);

#endif
