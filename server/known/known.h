/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Leaks that are known from public threads and vendors' articles: which tags, which driver, which
 * versions, what to do. A built-in list (schema/known_leaks.json) and imported entries; an imported
 * one replaces the built-in one of the same id. The form is in schema/known_leaks.schema.json and
 * docs/known-leaks.md. Pure. A list is immutable once made, so threads share it freely.
 *
 * A match is a hint, never a verdict: the owner of a tag is often innocent, so what counts is which
 * versions separate the affected hosts from the others, and what contradicts is said.
 */
#ifndef SERVER_KNOWN_KNOWN_H
#define SERVER_KNOWN_KNOWN_H

#include "common/arena.h"
#include "common/cleanup.h"
#include "common/status.h"
#include "common/tag.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KNOWN_ENTRIES_MAX 4096u /* chosen: a hundred times the built-in list */
#define KNOWN_ID_MAX      64u   /* bytes of an id */
#define KNOWN_TITLE_MAX   160u
#define KNOWN_ADVICE_MAX  400u
#define KNOWN_SOURCE_MAX  256u
#define KNOWN_TAGS_MAX    32u
#define KNOWN_RANGES_MAX  16u
#define KNOWN_ATTRS_MAX   16u
#define KNOWN_ENTRY_BYTES 16384u /* one entry as JSON; the longest possible has about 12 KB */

/* Both ends belong to it; an end of fewer parts than the version covers all below it, so that
 * 1.77.3 lies in 1.76 to 1.77. NULL: open. */
struct known_range {
    const char *from;
    const char *to;
};

struct known_ranges {
    const struct known_range *items;
    size_t count;
};

struct known_attribute {
    const char *name; /* "os.build" */
    struct known_ranges bad;
};

struct known_leak {
    const char *id;
    const char *title;
    const char *driver; /* file name; NULL: not a driver, or not known */
    enum pool pool;     /* POOL_UNKNOWN: both, or not said */
    const uint32_t *tags;
    size_t tag_count;
    struct known_ranges bad;  /* versions of driver that leak */
    struct known_ranges good; /* and those that do not */
    const struct known_attribute *attributes;
    size_t attribute_count;
    const char *growth; /* "with network adapters restarting"; NULL: not said */
    const char *advice;
    const char *source;
    const char *confidence; /* "reported", "confirmed by vendor" */
    bool imported;
    const char *json; /* the whole entry, one line */
};

struct known_list {
    struct arena arena;
    struct known_leak *items;
    size_t count;
    size_t capacity;
};

void known_list_done(struct known_list *list);
#define AUTO_KNOWN CLEANUP(known_list_done)

/* Adds all entries of a file {"format": 1, "leaks": [...]}, as imported or built-in. An id that the
 * list holds already is left out where the list's own is imported and these are built-in (so add
 * imported ones first), and is ST_INVALID otherwise. Any fault refuses the whole text:
 * ST_MALFORMED, ST_INVALID with the path of the fault ("leaks[3].tags[0]"), ST_TOO_LARGE; then the
 * list may hold some of it. */
enum status known_add_file(struct known_list *list, const char *text, size_t length, bool imported,
                           struct err *err) MUST_CHECK;
/* Adds one entry {"id": ...}. `id`: what it must be, or NULL. Paths begin at the entry. */
enum status known_add_entry(struct known_list *list, const char *text, size_t length,
                            const char *id, bool imported, struct err *err) MUST_CHECK;
/* The list that is built into the program. */
enum status known_add_builtin(struct known_list *list, struct err *err) MUST_CHECK;

const struct known_leak *known_find(const struct known_list *list, const char *id); /* or NULL */
bool known_id_valid(const char *id); /* a-z, 0-9, ".", "-", "_"; begins with a letter or digit */

/* Dotted numbers, part by part as numbers: <0, 0, >0. Only as many parts as `bound` has are
 * compared. False: one of them is no such version. "10.0.26200.1" and "26200.1" are equal. */
bool known_version_compare(const char *version, const char *bound, int *ret_order);
bool known_version_valid(const char *text);

enum known_fit {
    KNOWN_FIT_VERSION,      /* tags and version */
    KNOWN_FIT_TAGS,         /* tags; no version is known to separate the hosts */
    KNOWN_FIT_CONTRADICTED, /* tags, but what separates the hosts is another version */
    KNOWN_FIT_COUNT
};
const char *known_fit_text(enum known_fit fit); /* "tags and version", ... */

/* One value that separates affected hosts from the others. */
struct known_cause {
    const char *attribute; /* "driver/npcap.sys", "os.build" */
    const char *value;
    double share; /* of the affected hosts that have it, 0..1 */
};

struct known_query {
    enum pool pool; /* POOL_UNKNOWN: any */
    const uint32_t *tags;
    size_t tag_count;
    const struct known_cause *causes;
    size_t cause_count;
    const char *owner; /* driver of the first tag; NULL: unknown */
};

#define KNOWN_SAYS_MAX 256

struct known_match {
    const struct known_leak *leak;
    enum known_fit fit;
    double overlap;            /* tags in common, of all tags of both, 0..1 */
    char says[KNOWN_SAYS_MAX]; /* what agrees or contradicts, with the versions; "" for tags only */
};

#define KNOWN_MATCHES_MAX 5 /* shown with one finding; more is a list, not a hint */

/* The best first; at most max. Returns how many were written. */
size_t known_match(const struct known_list *list, const struct known_query *query, size_t max,
                   struct known_match *ret_matches);
/* Entries that name the tag, those with the fewest others first; nothing is said of versions. */
size_t known_of_tag(const struct known_list *list, uint32_t tag, size_t max,
                    struct known_match *ret_matches);

#endif
