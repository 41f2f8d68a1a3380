/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api/driver_names.h"

#include "common/tag.h"
#include "server/known/known.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

int driver_version_order(const char *left, const char *right)
{
    int order = 0;

    if (left == NULL || right == NULL)
        return (left == NULL) - (right == NULL);
    if (known_version_compare(left, right, &order) && order != 0)
        return order;
    /* Only as many parts as the second has were compared: 1.9.3 comes after 1.9. */
    if (known_version_compare(right, left, &order) && order != 0)
        return -order;
    return strcmp(left, right);
}

bool driver_named(const char *owners, const char *driver)
{
    size_t length = strlen(driver);

    for (const char *at = owners; at != NULL;) {
        const char *end = strstr(at, " or ");
        size_t part = end == NULL ? strlen(at) : (size_t)(end - at);
        if (part == length && strncasecmp(at, driver, length) == 0)
            return true;
        at = end == NULL ? NULL : end + 4;
    }
    return false;
}

static bool holds(const char *const *tags, size_t count, const char *tag)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(tags[i], tag) == 0)
            return true;
    return false;
}

size_t driver_owners(const struct facts *facts, const struct tagdict *dict, uint32_t tag,
                     size_t most, uint32_t *ret_names)
{
    const struct tagdict_entry *entry = tagdict_find(dict, tag);
    char text[TAG_TEXT_MAX];
    size_t found = 0;
    AUTO_FREE bool *seen = calloc(facts->name_count + 1, sizeof *seen);

    tag_format(tag, text);
    for (size_t i = 0; seen != NULL && entry != NULL && i < facts->name_count; i++)
        seen[i] = facts->names[i].driver && driver_named(entry->driver, facts->names[i].text);
    for (size_t i = 0; seen != NULL && i < facts->fact_count; i++) {
        size_t count = 0;
        const char *const *tags = facts_tags(facts, &facts->facts[i], &count);
        if (count > 0 && holds(tags, count, text))
            seen[facts->pairs[facts->facts[i].pair].name] = true;
    }
    for (size_t i = 0; seen != NULL && i < facts->name_count && found < most; i++)
        if (seen[i])
            ret_names[found++] = (uint32_t)i;
    return found;
}

void driver_values_done(struct driver_values *values)
{
    for (size_t i = 0; i < values->count; i++)
        free(values->items[i].values);
    free(values->items);
    *values = (struct driver_values){0};
}

double driver_host_value(const struct host_state *host, const struct driver_tag *tags,
                         size_t tag_count, enum measure measure)
{
    double sum = 0;
    bool any = false;

    for (size_t i = 0; i < tag_count; i++)
        for (unsigned p = 0; p < POOL_COUNT; p++) {
            struct host_row row;
            if ((tags[i].pool != POOL_UNKNOWN && tags[i].pool != (enum pool)p) ||
                !host_state_find(host, (enum pool)p, tags[i].tag, &row))
                continue;
            double value = measure_of(host, &row, measure);
            any = any || !isnan(value);
            sum += isnan(value) ? 0 : value;
        }
    return any ? sum : (double)NAN;
}

static struct driver_version_values *version_of(struct driver_values *values, const char *version)
{
    for (size_t i = 0; i < values->count; i++) {
        const char *have = values->items[i].version;
        if (have == version || (have != NULL && version != NULL && strcmp(have, version) == 0))
            return &values->items[i];
    }
    struct driver_version_values *items =
        realloc(values->items, (values->count + 1) * sizeof *items);
    if (items == NULL)
        return NULL;
    values->items = items;
    items[values->count] = (struct driver_version_values){.version = version};
    return &items[values->count++];
}

/* Room grows by doubling at powers of two. */
static bool put(struct driver_version_values *version, double value)
{
    if ((version->count & (version->count - 1)) == 0) {
        size_t room = version->count == 0 ? 1 : version->count * 2;
        double *more = realloc(version->values, room * sizeof *more);
        if (more == NULL)
            return false;
        version->values = more;
    }
    version->values[version->count++] = value;
    return true;
}

static int by_version(const void *left, const void *right)
{
    return driver_version_order(((const struct driver_version_values *)left)->version,
                                ((const struct driver_version_values *)right)->version);
}

enum status driver_values_collect(const struct facts *facts, const struct fleet_view *view,
                                  uint32_t name, const struct driver_tag *tags, size_t tag_count,
                                  enum measure measure, struct driver_values *ret_values,
                                  struct err *err)
{
    AUTO_DRIVER_VALUES struct driver_values values = {0};
    bool ok = true;

    for (size_t i = 0; ok && i < view->list.count; i++) {
        const struct host_state *host = view->list.items[i];
        const struct facts_host *known = facts_host(facts, host->key);
        uint32_t fact = known == NULL ? FACT_NONE : facts_of(facts, known, name, NULL);
        if (fact == FACT_NONE)
            continue;
        struct driver_version_values *version =
            version_of(&values, facts->pairs[facts->facts[fact].pair].value);
        double value = driver_host_value(host, tags, tag_count, measure);
        ok = version != NULL && (isnan(value) || put(version, value));
        if (ok)
            version->loaded++;
    }
    if (!ok)
        return err_set(err, ST_NOMEM, "could not compare versions: out of memory");
    if (values.count > 1)
        qsort(values.items, values.count, sizeof *values.items, by_version);
    *ret_values = values;
    values = (struct driver_values){0};
    return ST_OK;
}
