/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Drivers as the facts know them: which own a tag, and what their hosts hold by version. Shared by
 * the screens of tags and of drivers.
 */
#ifndef SERVER_API_DRIVER_NAMES_H
#define SERVER_API_DRIVER_NAMES_H

#include "server/api/measure.h"
#include "server/state/facts.h"
#include "server/tagdict/tagdict.h"

/* "10.0.9" before "10.0.10"; versions that are none, by their text; unknown (NULL) last. */
int driver_version_order(const char *left, const char *right);

/* Whether a list of owners, "a.sys or b.sys or 2 more", names the driver; letters folded. */
bool driver_named(const char *owners, const char *driver);

/* Drivers that some host has loaded and that own the tag: by the tag list, by what hosts told, or
 * by their file. Places in facts->names, at most `most`; returns how many. */
size_t driver_owners(const struct facts *facts, const struct tagdict *dict, uint32_t tag,
                     size_t most, uint32_t *ret_names);

struct driver_tag {
    enum pool pool; /* POOL_UNKNOWN: both */
    uint32_t tag;
};
/* What the hosts of each version hold of the tags together. */
struct driver_version_values {
    const char *version; /* NULL: unknown; borrowed from facts */
    size_t loaded;       /* hosts that run it */
    double *values;      /* of those that have any of the tags, where it is known */
    size_t count;
};
struct driver_values {
    struct driver_version_values *items; /* oldest version first */
    size_t count;
};
void driver_values_done(struct driver_values *values);
#define AUTO_DRIVER_VALUES CLEANUP(driver_values_done)
enum status driver_values_collect(const struct facts *facts, const struct fleet_view *view,
                                  uint32_t name, const struct driver_tag *tags, size_t tag_count,
                                  enum measure measure, struct driver_values *ret_values,
                                  struct err *err) MUST_CHECK;
/* Sum of a measure over the tags on one host; NAN when it has none of them. */
double driver_host_value(const struct host_state *host, const struct driver_tag *tags,
                         size_t tag_count, enum measure measure);

#endif
