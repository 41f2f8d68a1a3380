/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A request body as it arrives, piece by piece: decompressed on the way, never longer than its
 * limit, however small the pieces or large the promise. Not shared between threads.
 */
#ifndef SERVER_HTTP_INTAKE_H
#define SERVER_HTTP_INTAKE_H

#include "common/strbuf.h"
#include "server/http/head.h"

struct intake {
    struct strbuf body; /* decompressed so far */
    size_t limit;
    size_t raw_bytes; /* received so far */
    enum coding coding;
    bool ended; /* the compressed stream is complete */
    void *decoder;
};

/* ST_NOMEM. An intake of zeroes is valid for intake_done. */
enum status intake_init(struct intake *intake, enum coding coding, size_t limit,
                        struct err *err) MUST_CHECK;
/* ST_TOO_LARGE: over the limit, raw or decompressed; ST_MALFORMED: not gzip or zstd; ST_NOMEM. */
enum status intake_add(struct intake *intake, const void *data, size_t length,
                       struct err *err) MUST_CHECK;
/* ST_MALFORMED when the compressed stream is cut off. */
enum status intake_end(struct intake *intake, struct err *err) MUST_CHECK;
void intake_done(struct intake *intake);

#endif
