/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Everything that is known of one driver, put together and judged: which tags are its own, how fast
 * they grow on the hosts of each version, which versions the findings blame, and from that the
 * first bad and the first good one, or that there are too few hosts to say so.
 */
#ifndef SERVER_API_DRIVER_PICTURE_H
#define SERVER_API_DRIVER_PICTURE_H

#include "server/api/driver_names.h"
#include "server/state/exact.h"
#include "server/store/store_driver_files.h"
#include "server/store/store_drivers.h"
#include "server/store/store_findings.h"

/* A version is bad when at least three of its hosts, and two fifths of them, are in findings that
 * name the driver as cause or owner (the analysis' EXPLAIN_HOSTS_MIN and RISK_MIN_DRIVER: a bad
 * driver may need a certain load to show). It is good when none is, and so many hosts run it that
 * chance does not explain that: bounds_is_good, as findings have it. */
#define DRIVER_BAD_HOSTS 3
#define DRIVER_BAD_SHARE 0.4

enum driver_verdict { DRIVER_GOOD, DRIVER_BAD, DRIVER_FEW, DRIVER_MIXED, DRIVER_UNUSED };
extern const char *const driver_verdict_names[];

struct driver_own_tag {
    uint32_t tag;
    bool listed;    /* a tag list names the driver */
    bool scanned;   /* its file allocates with it, or its host said so */
    size_t drivers; /* whose files hold the tag; DRIVER_SHARERS_MAX: so many or more */
    bool counted;   /* in growth: its own, not one that many share */
};
#define DRIVER_TAGS_MAX    256
#define DRIVER_SHARERS_MAX 8
#define DRIVER_SHARED_MAX  2 /* drivers that may hold a tag that still counts as its own */

struct driver_judged { /* beside history.versions */
    size_t blamed;
    struct exact_range share; /* of its hosts that are blamed */
    enum driver_verdict verdict;
    const struct driver_version_values *values; /* NULL: no host has it now */
};
struct driver_bad_range {
    const char *last_good_before, *first_bad, *last_bad, *first_good; /* NULL: none, or unknown */
    const char *note;                                                 /* NULL: nothing to add */
};
struct driver_finding {
    const char *id;
    bool cause, owner;
    const struct finding *finding;
};

struct driver_picture {
    struct arena arena;
    struct driver_items items;
    struct driver_item item;
    struct driver_history history; /* versions oldest first */
    struct driver_file_items files;
    struct finding_records records;
    struct driver_finding *findings;
    size_t finding_count;
    int64_t from_us; /* of the adoption */
    struct driver_own_tag *tags;
    size_t tag_count;
    struct driver_tag *counted;
    size_t counted_count;
    struct driver_values values;
    struct driver_judged *judged;
    struct driver_bad_range range;
};
void driver_picture_done(struct driver_picture *picture);
#define AUTO_DRIVER_PICTURE CLEANUP(driver_picture_done)

/* From the database; ST_NOT_FOUND. */
enum status driver_picture_read(struct db *db, const char *name, struct driver_picture *picture,
                                struct err *err) MUST_CHECK;
/* Only what names the driver among the findings. */
enum status driver_picture_read_findings(struct db *db, const char *name,
                                         struct driver_picture *picture,
                                         struct err *err) MUST_CHECK;
/* Its tags; for driver_host_value. */
enum status driver_picture_tags(struct driver_picture *picture, const struct facts *facts,
                                const struct fleet_view *view, const struct tagdict *dict,
                                const char *name, struct err *err) MUST_CHECK;
/* The rest, after reading. */
enum status driver_picture_judge(struct driver_picture *picture, const struct facts *facts,
                                 const struct fleet_view *view, const struct tagdict *dict,
                                 struct err *err) MUST_CHECK;
/* The finding that holds the host; NULL: none. */
const char *driver_picture_finding(const struct driver_picture *picture, const char *host_id);

/* Pure, for its test: verdicts of versions in order (oldest first) from hosts and blamed hosts. */
void driver_judge(size_t count, const size_t *hosts, const size_t *blamed,
                  struct driver_judged *ret_judged);

#endif
