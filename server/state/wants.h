/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the server would like to know from agents, handed out with the answer to a post: driver
 * builds nobody has scanned, and for hosts in open findings every process and the sizes of the big
 * blocks. Kept in memory, so that a post costs a look into a hash table and no query: the jobs
 * thread brings a whole new table after each analysis pass, posts add what they bring themselves.
 *
 * A build is wanted from one host at a time: who is told holds a claim that ends by itself. Several
 * servers on one database may ask twice, which is harmless. All functions are thread-safe.
 */
#ifndef SERVER_STATE_WANTS_H
#define SERVER_STATE_WANTS_H

#include "common/clock.h"
#include "common/limits.h"
#include "common/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WANTS_HASH_BYTES 32
/* Reading a driver's code is slow on purpose (low priority), so a host gets few at a time. */
#define WANTS_SCAN_MAX      4u
#define WANTS_CLAIM_US      (15 * US_PER_MINUTE)
#define WANTS_TRIES_MAX     8u  /* a file that nobody could scan is given up; chosen */
#define WANTS_BLOCK_TAGS    16u /* as the agent takes at most, see agent/core/source.h */
#define WANTS_HOST_BUILDS   64u /* kept per host: the next table brings more */
#define WANTS_ASK_AGAIN_US  US_PER_DAY
#define WANTS_HOST_FINDINGS 16u

struct wants;
struct wants_table; /* being made; not shared */

struct wants *wants_new(void); /* NULL when memory is out */
void wants_free(struct wants *wants);

/* A new table, filled and handed over. Hosts may come in any order and often. ST_NOMEM. */
struct wants_table *wants_table_new(void);
void wants_table_free(struct wants_table *table);
enum status wants_table_add_scan(struct wants_table *table, const char *host_id,
                                 const unsigned char hash[WANTS_HASH_BYTES]) MUST_CHECK;
/* tags: whose big blocks are wanted; none for a finding that is no question of blocks. */
enum status wants_table_add_finding(struct wants_table *table, const char *host_id,
                                    const char *finding_id, const uint32_t *tags,
                                    size_t tag_count) MUST_CHECK;
/* In place of the present table; what was claimed and asked before still counts. */
void wants_replace(struct wants *wants, struct wants_table *table_take);

/* A host listed a build that nobody has scanned. ST_NOMEM: it comes with the next table. */
enum status wants_offer(struct wants *wants, const char *host_id,
                        const unsigned char hash[WANTS_HASH_BYTES]) MUST_CHECK;
/* The tags of a build are known. */
void wants_scanned(struct wants *wants, const unsigned char hash[WANTS_HASH_BYTES]);

struct want {
    bool processes;
    size_t scan_count;
    unsigned char scan[WANTS_SCAN_MAX][WANTS_HASH_BYTES];
    size_t block_count;
    uint32_t blocks[WANTS_BLOCK_TAGS];
};
/* What to ask this host now; now_us is monotonic. What is handed out counts as asked. */
void wants_take(struct wants *wants, const char *host_id, int64_t now_us, struct want *ret_want);

#endif
