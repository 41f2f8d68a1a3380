/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/intake.h"

#include <zlib.h>
#include <zstd.h>

/* Of output at a time: bounds what a bomb can make of one piece of input. */
#define PIECE (64u << 10)
/* 8 MiB, the body limit: a larger window could not be used. */
#define ZSTD_WINDOW_LOG 23

enum status intake_init(struct intake *intake, enum coding coding, size_t limit, struct err *err)
{
    *intake = (struct intake){STRBUF_INIT, limit, 0, coding, coding == CODING_IDENTITY, NULL};
    if (coding == CODING_GZIP) {
        z_stream *stream = calloc(1, sizeof *stream);
        if (stream != NULL && inflateInit2(stream, 15 + 16) != Z_OK) {
            free(stream);
            stream = NULL;
        }
        intake->decoder = stream;
    } else if (coding == CODING_ZSTD) {
        ZSTD_DCtx *context = ZSTD_createDCtx();
        if (context != NULL &&
            ZSTD_isError(ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG))) {
            ZSTD_freeDCtx(context);
            context = NULL;
        }
        intake->decoder = context;
    }
    if (coding != CODING_IDENTITY && intake->decoder == NULL)
        return err_set(err, ST_NOMEM, "could not read the body: out of memory");
    return ST_OK;
}

void intake_done(struct intake *intake)
{
    if (intake->coding == CODING_GZIP && intake->decoder != NULL) {
        inflateEnd(intake->decoder);
        free(intake->decoder);
    } else if (intake->coding == CODING_ZSTD)
        ZSTD_freeDCtx(intake->decoder);
    strbuf_done(&intake->body);
    *intake = (struct intake){STRBUF_INIT, 0, 0, CODING_IDENTITY, false, NULL};
}

static enum status too_large(const struct intake *intake, struct err *err)
{
    return err_set(err, ST_TOO_LARGE, "could not read the body: more than %zu bytes%s",
                   intake->limit, intake->coding == CODING_IDENTITY ? "" : " after decompression");
}

/* Room for the next piece of output, and one byte past the limit so that going over is seen. */
static size_t make_room(struct intake *intake)
{
    size_t left = intake->limit - intake->body.length + 1;
    size_t room = left < PIECE ? left : PIECE;
    return strbuf_reserve(&intake->body, room) ? room : 0;
}

static enum status took(struct intake *intake, size_t produced, struct err *err)
{
    intake->body.length += produced;
    intake->body.data[intake->body.length] = '\0';
    return intake->body.length > intake->limit ? too_large(intake, err) : ST_OK;
}

static enum status add_gzip(struct intake *intake, const void *data, size_t length, struct err *err)
{
    z_stream *stream = intake->decoder;
    stream->next_in = (z_const Bytef *)data;
    stream->avail_in = (uInt)length;
    for (;;) {
        if (intake->ended && stream->avail_in > 0) {
            /* RFC 1952: members may follow one another. */
            if (inflateReset(stream) != Z_OK)
                return err_set(err, ST_NOMEM, "could not read the body: out of memory");
            intake->ended = false;
        }
        size_t room = make_room(intake);
        if (room == 0)
            return err_set(err, ST_NOMEM, "could not read the body: out of memory");
        stream->next_out = (Bytef *)intake->body.data + intake->body.length;
        stream->avail_out = (uInt)room;
        int result = inflate(stream, Z_NO_FLUSH);
        enum status status = took(intake, room - stream->avail_out, err);
        if (status != ST_OK)
            return status;
        if (result == Z_STREAM_END)
            intake->ended = true;
        else if (result == Z_MEM_ERROR)
            return err_set(err, ST_NOMEM, "could not read the body: out of memory");
        else if (result != Z_OK && result != Z_BUF_ERROR)
            return err_set(err, ST_MALFORMED, "could not read the body: bad gzip data");
        if (stream->avail_in == 0 && stream->avail_out > 0)
            return ST_OK;
        if (result == Z_BUF_ERROR && stream->avail_out > 0)
            return ST_OK;
    }
}

static enum status add_zstd(struct intake *intake, const void *data, size_t length, struct err *err)
{
    ZSTD_inBuffer in = {data, length, 0};
    for (;;) {
        size_t room = make_room(intake);
        if (room == 0)
            return err_set(err, ST_NOMEM, "could not read the body: out of memory");
        ZSTD_outBuffer out = {intake->body.data + intake->body.length, room, 0};
        size_t result = ZSTD_decompressStream(intake->decoder, &out, &in);
        if (ZSTD_isError(result))
            return err_set(err, ST_MALFORMED, "could not read the body: bad zstd data");
        enum status status = took(intake, out.pos, err);
        if (status != ST_OK)
            return status;
        intake->ended = result == 0;
        if (in.pos == in.size && (out.pos < out.size || result == 0))
            return ST_OK;
    }
}

enum status intake_add(struct intake *intake, const void *data, size_t length, struct err *err)
{
    /* Compressed bytes beyond the limit cannot be a useful body either. */
    if (length > intake->limit - intake->raw_bytes)
        return too_large(intake, err);
    intake->raw_bytes += length;
    if (length == 0)
        return ST_OK;
    if (intake->coding == CODING_GZIP)
        return add_gzip(intake, data, length, err);
    if (intake->coding == CODING_ZSTD)
        return add_zstd(intake, data, length, err);
    strbuf_add(&intake->body, data, length);
    if (strbuf_failed(&intake->body))
        return err_set(err, ST_NOMEM, "could not read the body: out of memory");
    return ST_OK;
}

enum status intake_end(struct intake *intake, struct err *err)
{
    if (!intake->ended)
        return err_set(err, ST_MALFORMED, "could not read the body: compressed data is cut off");
    strbuf_add(&intake->body, "", 0); /* so that data is never NULL */
    if (strbuf_failed(&intake->body))
        return err_set(err, ST_NOMEM, "could not read the body: out of memory");
    return ST_OK;
}
