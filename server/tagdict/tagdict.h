/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who owns a tag: a dictionary of tag patterns from the built-in list (schema/pooltags.tsv) and
 * from imported pooltag.txt or localtag.txt files. Lookup: exact first, then the pattern with the
 * most literal characters; an imported entry wins over a built-in one of equal rank. Case is never
 * folded. Immutable after loading, so it is shared between threads freely.
 */
#ifndef SERVER_TAGDICT_TAGDICT_H
#define SERVER_TAGDICT_TAGDICT_H

#include "common/cleanup.h"
#include "common/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Which kind of thing to look at next when this tag grows: "process" (handles held by a process),
 * "driver", "cache" (follows load, often harmless), "both", "limits" (attribution limits). */
struct tagdict_entry {
    uint32_t tag;            /* with wildcards: 0 at their places */
    unsigned char any;       /* bit i: byte i may be anything */
    const char *pattern;     /* text form, wildcards as ? */
    const char *driver;      /* "ntfs.sys", "nt!ps"; NULL: unknown */
    const char *description; /* one line; NULL: none */
    const char *look_at;     /* see above; NULL: not said */
    const char *pool;        /* "nonpaged", "paged", "both" as usual; NULL: not said */
    const char *source;      /* "builtin" or "imported" */
};

struct tagdict;

struct tagdict *tagdict_new(void); /* empty; NULL when memory is out */
void tagdict_free(struct tagdict *dict);
static inline void cleanup_tagdict(struct tagdict **dict)
{
    tagdict_free(*dict);
}
#define AUTO_TAGDICT CLEANUP(cleanup_tagdict)

/* Adds the list that is built into the program. */
enum status tagdict_add_builtin(struct tagdict *dict, struct err *err) MUST_CHECK;
/* Adds one entry; texts are copied, cleaned (one line of valid UTF-8) and cut at LIMIT_TEXT_BYTES.
 * `pattern`, where not NULL, says tag and any. A later entry with the same pattern and source is
 * kept as a further owner ("a.sys or b.sys" is shown). What an imported entry leaves open is taken
 * from the built-in one of the same pattern; look_at and pool also from a wider built-in pattern.
 * ST_INVALID with the field for a pattern, source, look_at or pool that is none; ST_TOO_LARGE past
 * 131,072 entries; ST_NOMEM. */
enum status tagdict_add(struct tagdict *dict, const struct tagdict_entry *entry,
                        struct err *err) MUST_CHECK;
size_t tagdict_count(const struct tagdict *dict);
const struct tagdict_entry *tagdict_at(const struct tagdict *dict, size_t index);
/* The best entry for a tag, or NULL. Borrowed from dict; stays where it is while entries are added.
 * One probe of a hash table for an exact entry, at most 15 for a pattern. */
const struct tagdict_entry *tagdict_find(const struct tagdict *dict, uint32_t tag);

/* One line of a list that could not be read. */
typedef void (*tagdict_complaint)(void *arg, size_t line, const char *text, size_t length,
                                  const char *reason);
struct tagdict_import {
    size_t lines;    /* all lines */
    size_t comments; /* comments and blank lines */
    size_t entries;  /* added */
    size_t refused;  /* told to the complaint function, line by line */
};
/* Reads any pooltag.txt or localtag.txt: LF or CRLF, wildcards, duplicates, case twins, missing
 * blanks, two-part rows. Never fails on content, only on memory or size (LIMIT_BODY_BYTES); then
 * dict may hold a part of the list. `complain` may be NULL; its text is borrowed for the call and
 * is not ended by NUL. */
enum status tagdict_import(struct tagdict *dict, const char *text, size_t length,
                           tagdict_complaint complain, void *arg, struct tagdict_import *ret_import,
                           struct err *err) MUST_CHECK;

/* Whether the first line that says something has the columns of a list with tabs. */
bool tagdict_is_tsv(const char *text, size_t length);
/* The same for such a list: see import_tsv.c. */
enum status tagdict_import_tsv(struct tagdict *dict, const char *text, size_t length,
                               tagdict_complaint complain, void *arg,
                               struct tagdict_import *ret_import, struct err *err) MUST_CHECK;

#endif
