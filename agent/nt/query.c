/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/nt/query.h"
#include "common/limits.h"

#include <string.h>

/* The number System Informer uses; doubling that often turns 256 KiB into 64 MiB. */
#define TRIES_MAX 8

/* What a status means to us, and what a person reads. */
static const struct {
    int32_t nt;
    enum status status;
    const char *text;
} meanings[] = {
    {NT_NOT_IMPLEMENTED, ST_UNSUPPORTED, "this kernel does not implement it"},
    {NT_INVALID_INFO_CLASS, ST_UNSUPPORTED, "this kernel has no such information class"},
    {NT_NOT_SUPPORTED, ST_UNSUPPORTED, "this kernel does not support it"},
    {NT_ACCESS_DENIED, ST_FORBIDDEN, "access denied"},
    {NT_PRIVILEGE_NOT_HELD, ST_FORBIDDEN, "a required privilege is not held"},
    {NT_INSUFFICIENT_RESOURCES, ST_NOMEM, "the kernel is short of memory"},
    {NT_NO_MEMORY, ST_NOMEM, "the kernel is short of memory"},
};

void nt_reader_init(struct nt_reader *reader, const struct nt_calls *calls)
{
    *reader = (struct nt_reader){.calls = calls};
}

void nt_reader_done(struct nt_reader *reader)
{
    nt_buffer_done(&reader->buffer);
    nt_buffer_done(&reader->scratch);
}

void nt_buffer_done(struct nt_buffer *buffer)
{
    free(buffer->data);
    *buffer = (struct nt_buffer){0};
}

enum status nt_buffer_grow(struct nt_buffer *buffer, size_t bytes)
{
    if (bytes <= buffer->capacity)
        return ST_OK;
    unsigned char *data = malloc(bytes);
    if (data == NULL)
        return ST_NOMEM;
    free(buffer->data);
    buffer->data = data;
    buffer->capacity = bytes;
    return ST_OK;
}

const struct nt_layout *nt_reader_layout(const struct nt_reader *reader)
{
    return &nt_layouts[reader->calls->version.arch];
}

enum status nt_contradiction(struct err *err, const char *what, const char *detail)
{
    return err_set(err, ST_MALFORMED,
                   "could not read %s: the kernel's answer contradicts itself (%s)", what, detail);
}

enum status nt_out_of_memory(struct err *err, const char *what)
{
    return err_set(err, ST_NOMEM, "could not read %s: out of memory", what);
}

static enum status refused(int32_t nt, const char *what, struct err *err)
{
    for (size_t i = 0; i < sizeof meanings / sizeof *meanings; i++) {
        if (meanings[i].nt == nt)
            return err_set(err, meanings[i].status, "could not read %s: %s (status %08x)", what,
                           meanings[i].text, (unsigned)nt);
    }
    return err_set(err, ST_IO, "could not read %s: the kernel answered with status %08x", what,
                   (unsigned)nt);
}

static bool too_small(int32_t nt)
{
    return nt == NT_INFO_LENGTH_MISMATCH || nt == NT_BUFFER_TOO_SMALL || nt == NT_BUFFER_OVERFLOW;
}

static int32_t call(const struct nt_calls *calls, uint32_t information_class, void *buffer,
                    uint32_t length, uint32_t *ret_length)
{
    *ret_length = 0;
    if (information_class == NT_CLASS_TYPES)
        return calls->query_object_types(calls->arg, buffer, length, ret_length);
    return calls->query_system(calls->arg, information_class, buffer, length, ret_length);
}

static bool known_missing(const struct nt_reader *reader, uint32_t information_class)
{
    return (reader->missing[information_class / 32] >> information_class % 32 & 1) != 0;
}

/* Only INVALID_INFO_CLASS is for good: what is refused or not implemented may depend on rights,
 * flags or the moment. */
static void note_missing(struct nt_reader *reader, uint32_t information_class, int32_t nt)
{
    if (nt == NT_INVALID_INFO_CLASS)
        reader->missing[information_class / 32] |= 1u << information_class % 32;
}

static bool has_class(const struct nt_reader *reader, const struct nt_question *question)
{
    const struct nt_version *version = &reader->calls->version;
    return version->major * 100 + version->minor >= question->version &&
           version->build >= question->build && !known_missing(reader, question->information_class);
}

/* The next size to try, or 0 when there is no larger one. A length the kernel tells is believed
 * only within bounds: it may be that of one element, 0, or nonsense. */
static size_t next_size(const struct nt_question *question, size_t size, uint32_t told)
{
    size_t next = size * 2;
    if (size >= question->most_bytes)
        return 0;
    if (told <= question->most_bytes) {
        size_t need = (size_t)told + told / 8 + 4096; /* the table may grow meanwhile */
        next = need > next ? need : next;
    }
    return next < question->most_bytes ? next : question->most_bytes;
}

enum status nt_ask(struct nt_reader *reader, struct nt_buffer *buffer,
                   const struct nt_question *question, size_t *ret_length, struct err *err)
{
    const char *what = question->what;
    if (!has_class(reader, question))
        return refused(NT_INVALID_INFO_CLASS, what, err);
    size_t size = question->start_bytes;
    if (size < buffer->capacity)
        size = buffer->capacity;
    for (unsigned i = 0; i < TRIES_MAX && size > 0; i++) {
        uint32_t told = 0;
        if (nt_buffer_grow(buffer, size) != ST_OK)
            return nt_out_of_memory(err, what);
        if (question->loose_length)
            memset(buffer->data, 0, size);
        int32_t nt =
            call(reader->calls, question->information_class, buffer->data, (uint32_t)size, &told);
        if (nt >= 0) {
            if (told > size)
                return nt_contradiction(err, what, "it is longer than the buffer it was given");
            *ret_length = question->loose_length ? size : told;
            return ST_OK;
        }
        if (!too_small(nt)) {
            note_missing(reader, question->information_class, nt);
            return refused(nt, what, err);
        }
        size = next_size(question, size, told);
    }
    return err_set(err, ST_IO,
                   "could not read %s: no buffer of up to %u KiB was large enough in %u tries",
                   what, question->most_bytes / 1024, TRIES_MAX);
}

enum status nt_ask_fixed(struct nt_reader *reader, uint32_t information_class, const char *what,
                         unsigned char *bytes, uint32_t length, uint32_t *ret_length,
                         struct err *err)
{
    uint32_t told = 0;
    if (known_missing(reader, information_class))
        return refused(NT_INVALID_INFO_CLASS, what, err);
    memset(bytes, 0, length);
    int32_t nt = call(reader->calls, information_class, bytes, length, &told);
    *ret_length = told;
    if (too_small(nt))
        return ST_INVALID;
    note_missing(reader, information_class, nt);
    if (nt < 0)
        return refused(nt, what, err);
    /* A class that has grown may tell its whole length where it gave a part: ours was written. */
    *ret_length = told < length ? told : length;
    return ST_OK;
}
