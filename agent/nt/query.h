/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One question to the kernel, with the growth rule: a buffer too small is answered in many ways
 * (the size of one element, 0, the real need, a need that has grown again), so a length returned is
 * a hint and never the whole rule. Private to agent/nt.
 */
#ifndef AGENT_NT_QUERY_H
#define AGENT_NT_QUERY_H

#include "agent/nt/layout.h"
#include "agent/nt/nt.h"

#define NT_CLASS_BASIC       0u
#define NT_CLASS_PERFORMANCE 2u
#define NT_CLASS_TIME        3u
#define NT_CLASS_PROCESSES   5u
#define NT_CLASS_MODULES     11u
#define NT_CLASS_POOL_TAGS   22u
#define NT_CLASS_HANDLES     64u
#define NT_CLASS_BIG_POOL    66u
#define NT_CLASS_SESSIONS    67u
#define NT_CLASS_MODULES_EX  77u
#define NT_CLASS_POOL_TAGS_2 255u
#define NT_CLASS_TYPES       256u /* ours: object types, which another call tells */

/* A question whose answer may have any length. */
struct nt_question {
    uint32_t information_class;
    const char *what;        /* "pool tags": for messages */
    uint32_t start_bytes;    /* of the first try, unless the buffer is larger already */
    uint32_t most_bytes;     /* never asked for more */
    unsigned version, build; /* first version, as major * 100 + minor, and build that have it */
    bool loose_length;       /* the length told on success may be short: see objects.c */
};

/* Asks into `buffer` (the reader's own, or one of a rare question's caller). ret_length: bytes of
 * the answer, never more than the buffer. ST_UNSUPPORTED, ST_FORBIDDEN, ST_NOMEM, ST_MALFORMED,
 * ST_IO (it grows for ever, or another status: in hex). */
enum status nt_ask(struct nt_reader *reader, struct nt_buffer *buffer,
                   const struct nt_question *question, size_t *ret_length,
                   struct err *err) MUST_CHECK;
/* Answers of a known length, without growth. `length` as the class wants it. ST_INVALID (without a
 * message): the kernel does not take this length; ret_length is then what it says it wants. */
enum status nt_ask_fixed(struct nt_reader *reader, uint32_t information_class, const char *what,
                         unsigned char *bytes, uint32_t length, uint32_t *ret_length,
                         struct err *err) MUST_CHECK;

/* Room for `bytes`, old content not kept. On failure the old buffer stays as it is. */
enum status nt_buffer_grow(struct nt_buffer *buffer, size_t bytes) MUST_CHECK;
void nt_buffer_done(struct nt_buffer *buffer);
#define AUTO_NT_BUFFER CLEANUP(nt_buffer_done)

const struct nt_layout *nt_reader_layout(const struct nt_reader *reader);

/* ST_MALFORMED: "could not read WHAT: the kernel's answer contradicts itself (DETAIL)". */
enum status nt_contradiction(struct err *err, const char *what, const char *detail);
enum status nt_out_of_memory(struct err *err, const char *what);

/* ---- text.c: names inside an answer */

/* The text of a UNICODE_STRING at `offset` of an answer, as UTF-8 of at most LIMIT_TEXT_BYTES, bad
 * surrogates as U+FFFD. ST_NOT_FOUND: empty, or it points outside the answer. */
enum status nt_string(const struct nt_reader *reader, const struct nt_buffer *buffer, size_t length,
                      size_t offset, struct arena *arena, const char **ret_text) MUST_CHECK;
/* The bytes of a path up to NUL, in a code page we are not told: kept when they are UTF-8, else
 * read as Latin-1. NULL when memory is out. */
const char *nt_ansi(struct arena *arena, const unsigned char *bytes, size_t most);

#endif
