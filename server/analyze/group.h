/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From pairs to incidents: rows that grow on the same hosts in step are one thing to act on. Names
 * the first mover of each and completes its hosts. Internal to server/analyze. Not shared between
 * threads.
 */
#ifndef SERVER_ANALYZE_GROUP_H
#define SERVER_ANALYZE_GROUP_H

#include "server/analyze/detect.h"
#include "server/analyze/form.h"

#define INCIDENT_TAGS_MAX 32

struct incident_row {
    enum pool pool;
    uint32_t tag;
    double count_growth; /* median over the hosts of outstanding blocks gained; NAN unknown */
    double free_share;   /* median of frees per alloc; NAN unknown */
    double boot_frees;   /* the same since the boot */
    double bytes;        /* median */
    double onset;        /* median, hours before the newest point, <= 0 */
    double first_score;  /* how much it looks like the first mover, its lead aside */
    double ratio;        /* blocks per block of the first mover; NAN unknown */
    double lag;          /* hours behind the first mover; NAN unknown */
    bool followed;       /* only goes along with the others: no verdict of its own says so */
};

struct incident {
    enum verdict verdict;
    struct incident_row *rows; /* first mover first, then the biggest */
    size_t row_count;
    uint32_t *hosts; /* places in the fleet, rising */
    size_t host_count;
    uint32_t *unaffected; /* the clear ones only */
    size_t unaffected_count;
    double *belief; /* of each host, 0 for those that were only added */
    double *own_belief;
    double *score;    /* NAN: none */
    struct form form; /* what grows: how it bends, by all hosts */
};

struct incident_list {
    struct arena arena;
    struct incident *items;
    size_t count;
};

/* pairs as detect_pairs gives them. ret_list owned by caller (incident_list_done). */
enum status group_pairs(const struct fleet *fleet, const struct pair *pairs, size_t pair_count,
                        const struct tagdict *dict, struct incident_list *ret_list) MUST_CHECK;
void incident_list_done(struct incident_list *list);
#define AUTO_INCIDENTS CLEANUP(incident_list_done)

/* The object type behind a tag ("Thre": "Thread"), or NULL. */
const char *group_object_type(uint32_t tag);

#endif
