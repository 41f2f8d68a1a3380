/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Driver builds by the hash of their file. What a build allocates with is found by reading its code
 * once in the fleet: the first host that tells the tags tells them for every host that runs the
 * same file. Later tellings change nothing, so that one bad host cannot rewrite what is known; the
 * host that told is kept with the row.
 */
#ifndef SERVER_STORE_STORE_DRIVER_FILES_H
#define SERVER_STORE_STORE_DRIVER_FILES_H

#include "common/snapshot.h"
#include "server/store/db.h"

#define DRIVER_FILE_HASH_BYTES 32

/* Builds of one host that nobody has scanned yet. */
struct driver_files {
    unsigned char (*hashes)[DRIVER_FILE_HASH_BYTES]; /* in the arena given */
    size_t count;
};

/* Within ingest's transaction: the files that the document's drivers name, and their tags where it
 * tells them. ret_unscanned: which of them are still without tags. ST_NOMEM, ST_DB. */
enum status store_driver_files_learn(struct db *db, int64_t host_key,
                                     const struct snapshot *snapshot, struct arena *arena,
                                     struct driver_files *ret_unscanned,
                                     struct err *err) MUST_CHECK;

/* Tags in text form, one a line (no text form holds a line end); "" for none. NULL: no memory. */
const char *store_driver_tags_text(struct arena *arena, const struct snapshot_driver *driver);

/* 64 hex digits to bytes and back. False: it is no such text. */
bool driver_file_hash_parse(const char *text, unsigned char ret_hash[DRIVER_FILE_HASH_BYTES]);
void driver_file_hash_format(const unsigned char hash[DRIVER_FILE_HASH_BYTES], char ret_text[65]);

/* Unscanned builds with hosts that run them and posted since `seen_since_us`: a few hosts of each,
 * so that one that does not answer does not hold the build up. */
typedef enum status (*driver_file_need_fn)(void *arg, const char *host_id,
                                           const unsigned char hash[DRIVER_FILE_HASH_BYTES]);
enum status store_driver_files_needs(struct db *db, int64_t seen_since_us, driver_file_need_fn fn,
                                     void *arg, struct err *err) MUST_CHECK;

/* Which drivers allocate with a tag, by scan: one row per (tag, driver name), ordered by tag text
 * and then by how many hosts run it. For the owner of a finding. */
struct tag_driver {
    uint32_t tag;
    const char *driver;
    const char *company; /* NULL: unknown */
    int64_t hosts;
};
struct tag_drivers {
    struct arena arena;
    struct tag_driver *items; /* by tag (u32), most hosts first */
    size_t count;
};
static inline void tag_drivers_done(struct tag_drivers *drivers)
{
    arena_done(&drivers->arena);
    *drivers = (struct tag_drivers){0};
}
#define AUTO_TAG_DRIVERS CLEANUP(tag_drivers_done)
/* As of a moment: drivers that some host ran then, tags known by then. */
enum status store_tag_drivers(struct db *db, int64_t as_of_us, struct tag_drivers *ret_drivers,
                              struct err *err) MUST_CHECK;

/* The builds of one driver name, for GET /drivers/{name}: most hosts first. */
struct driver_file_item {
    unsigned char hash[DRIVER_FILE_HASH_BYTES];
    const char *version; /* NULL: unknown; so are the texts below */
    const char *product;
    const char *symbols;
    bool scanned;
    const char **tags;
    size_t tag_count;
    int64_t hosts; /* that run it now under this name and version */
    int64_t first_seen_us;
    int64_t scanned_at_us; /* TIME_UNKNOWN: not */
};
struct driver_file_items {
    struct arena arena;
    struct driver_file_item *items;
    size_t count;
};
static inline void driver_file_items_done(struct driver_file_items *items)
{
    arena_done(&items->arena);
    *items = (struct driver_file_items){0};
}
#define AUTO_DRIVER_FILE_ITEMS CLEANUP(driver_file_items_done)
enum status store_driver_files_of(struct db *db, const char *name,
                                  struct driver_file_items *ret_items, struct err *err) MUST_CHECK;

extern const struct stmt_table store_driver_files_statements;

#endif
