/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every host is, in memory: attributes and driver builds, as columns of small numbers. Asking
 * "which of 5 million (host, fact) pairs separate these hosts from those" or "how many hosts run
 * each driver" reads these once, a few milliseconds, where the database would send every row.
 *
 * Drivers are not in the newest states (fleet.h), and twenty bytes a fact would be too much for
 * them: here a fact is one number, shared by all hosts that have it, plus the second since when:
 * 8 bytes, 1.6 KB for a host of 200 drivers. Texts are held once.
 *
 * Before each use a small query tells which hosts' digests moved, and only these are read again; on
 * large fleets that look is taken at most a twentieth of the time. Readers share a lock, a change
 * of a batch of hosts takes it alone for milliseconds. All functions are thread-safe.
 */
#ifndef SERVER_STATE_FACTS_H
#define SERVER_STATE_FACTS_H

#include "common/cleanup.h"
#include "common/status.h"
#include "server/store/db.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FACT_NONE UINT32_MAX

struct fact_name {
    const char *text; /* "os.build", or a driver's file name without any prefix */
    bool driver;
};
struct fact_pair {
    uint32_t name;     /* place in names */
    const char *value; /* NULL: a driver whose version is unknown */
};
/* One build of a driver, or an attribute's value. Several builds can share a pair. */
struct fact {
    uint32_t pair;
    const char *company;     /* NULL: unknown */
    const char *const *tags; /* text form; what the host told */
    size_t tag_count;
    const unsigned char *sha256; /* 32 bytes; NULL: not told */
};
/* A file of a driver: its tags were found once, by whichever host. */
struct fact_file {
    unsigned char sha256[32];
    bool scanned;
    const char *const *tags;
    size_t tag_count;
    const char *product; /* NULL: unknown */
};

struct facts_host {
    int64_t key; /* host_state.key */
    int64_t first_seen_us;
    unsigned char digests[2][32]; /* attributes, drivers */
    uint32_t *facts;              /* places; attributes first, then drivers */
    uint32_t *since;              /* of each, seconds since 1970 */
    uint32_t count;
    uint32_t attributes; /* how many of them are attributes */
};

struct facts {
    const struct fact_name *names;
    size_t name_count;
    const struct fact_pair *pairs;
    size_t pair_count;
    const struct fact *facts;
    size_t fact_count;
    const struct fact_file *files; /* by sha256 */
    size_t file_count;
    const struct facts_host *hosts; /* by key */
    size_t host_count;
};

struct facts_cache;
struct facts_cache *facts_cache_new(void);        /* NULL when memory is out; reads nothing yet */
void facts_cache_free(struct facts_cache *cache); /* NULL allowed */
size_t facts_memory_bytes(struct facts_cache *cache);

/* The facts as they are, held for reading until facts_release by the same thread; then pointers
 * into them are no longer good. Reads from the database what has moved. */
enum status facts_get(struct facts_cache *cache, struct db *db, const struct facts **ret_facts,
                      struct err *err) MUST_CHECK;
void facts_release(const struct facts *facts); /* NULL allowed */
static inline void cleanup_facts(const struct facts **facts)
{
    facts_release(*facts);
}
#define AUTO_FACTS CLEANUP(cleanup_facts)

/* NULL when unknown. */
const struct facts_host *facts_host(const struct facts *facts, int64_t key);
/* Place of a name, or FACT_NONE. */
uint32_t facts_name(const struct facts *facts, const char *text, bool driver);
/* The host's fact of a name, or FACT_NONE; its place on the host in ret_place when wanted. */
uint32_t facts_of(const struct facts *facts, const struct facts_host *host, uint32_t name,
                  size_t *ret_place);
/* NULL: not told, or nobody knows the file. */
const struct fact_file *facts_file(const struct facts *facts, const struct fact *fact);
/* The tags of a build: what its host told, else what its file holds. */
const char *const *facts_tags(const struct facts *facts, const struct fact *fact,
                              size_t *ret_count);

#endif
