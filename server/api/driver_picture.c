/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api/driver_picture.h"

#include "common/tag.h"
#include "server/analyze/bounds.h"
#include "server/store/store_rollups.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ADOPTION_SPAN_US (90 * US_PER_DAY)

const char *const driver_verdict_names[] = {"good", "bad", "few", "mixed", "unused"};

void driver_picture_done(struct driver_picture *picture)
{
    driver_items_done(&picture->items);
    driver_history_done(&picture->history);
    driver_file_items_done(&picture->files);
    finding_records_done(&picture->records);
    driver_values_done(&picture->values);
    arena_done(&picture->arena);
    *picture = (struct driver_picture){0};
}

/* ---- reading ---------------------------------------------------------------- */

static int by_version(const void *left, const void *right)
{
    return driver_version_order(((const struct driver_version *)left)->version,
                                ((const struct driver_version *)right)->version);
}

/* From the first version seen (at most 90 days back) to the newest snapshot. */
static enum status read_history(struct db *db, const char *name, struct driver_picture *picture,
                                struct err *err)
{
    struct driver_history *history = &picture->history;
    int64_t newest = TIME_UNKNOWN;
    enum status status = store_newest_taken_at(db, &newest, err);

    if (status != ST_OK)
        return status;
    int64_t to = newest == TIME_UNKNOWN ? clock_wall_us() : newest;
    int64_t first = to, from = to - ADOPTION_SPAN_US;
    status = store_driver_history(db, name, from, to, history, err);
    if (status != ST_OK)
        return status;
    for (size_t i = 0; i < history->version_count; i++)
        if (history->versions[i].first_seen_us < first)
            first = history->versions[i].first_seen_us;
    picture->from_us = first > from ? first : from;
    qsort(history->versions, history->version_count, sizeof *history->versions, by_version);
    return ST_OK;
}

static bool is_cause(const struct finding *finding, const char *driver)
{
    for (size_t i = 0; i < finding->cause_count; i++)
        if (strncmp(finding->causes[i].attribute, "driver/", 7) == 0 &&
            strcmp(finding->causes[i].attribute + 7, driver) == 0)
            return true;
    return false;
}

enum status driver_picture_read_findings(struct db *db, const char *name,
                                         struct driver_picture *picture, struct err *err)
{
    struct finding_filter filter = {.statuses = 1u << FINDING_OPEN | 1u << FINDING_ACKNOWLEDGED,
                                    .hosts_max = INT32_MAX};
    enum status status = store_findings_list(db, &filter, &picture->records, err);

    if (status != ST_OK)
        return status;
    picture->findings =
        arena_alloc(&picture->arena, picture->records.count, sizeof *picture->findings);
    if (picture->findings == NULL)
        return err_set(err, ST_NOMEM, "could not read a driver: out of memory");
    for (size_t i = 0; i < picture->records.count; i++) {
        const struct finding *finding = &picture->records.items[i].finding;
        bool cause = is_cause(finding, name);
        bool owner = finding->owner_driver != NULL && driver_named(finding->owner_driver, name);
        if (cause || owner)
            picture->findings[picture->finding_count++] =
                (struct driver_finding){finding->id, cause, owner, finding};
    }
    return ST_OK;
}

enum status driver_picture_read(struct db *db, const char *name, struct driver_picture *picture,
                                struct err *err)
{
    enum status status = store_drivers_list(db, name, NULL, &picture->items, err);

    if (status == ST_OK && picture->items.count == 0)
        status = err_set(err, ST_NOT_FOUND, "driver \"%s\" is not known", name);
    if (status == ST_OK)
        status = read_history(db, name, picture, err);
    if (status == ST_OK)
        status = store_driver_files_of(db, name, &picture->files, err);
    if (status == ST_OK)
        status = driver_picture_read_findings(db, name, picture, err);
    if (status == ST_OK)
        picture->item = picture->items.items[0];
    return status;
}

const char *driver_picture_finding(const struct driver_picture *picture, const char *host_id)
{
    for (size_t i = 0; i < picture->finding_count; i++) {
        const struct finding *finding = picture->findings[i].finding;
        for (size_t k = 0; k < finding->host_count; k++)
            if (strcmp(finding->hosts[k].id, host_id) == 0)
                return finding->id;
    }
    return NULL;
}

/* ---- its tags --------------------------------------------------------------- */

static struct driver_own_tag *tag_of(struct driver_picture *picture, uint32_t tag)
{
    for (size_t i = 0; i < picture->tag_count; i++)
        if (picture->tags[i].tag == tag)
            return &picture->tags[i];
    if (picture->tag_count == DRIVER_TAGS_MAX)
        return NULL;
    picture->tags[picture->tag_count] = (struct driver_own_tag){.tag = tag};
    return &picture->tags[picture->tag_count++];
}

/* Tags of the fleet that a list gives to the driver. */
static void add_listed(struct driver_picture *picture, const struct fleet_view *view,
                       const struct tagdict *dict, const char *name)
{
    for (size_t i = 0; i < view->tag_count; i++) {
        const struct tagdict_entry *entry = tagdict_find(dict, view->tags[i].tag);
        if (entry == NULL || entry->driver == NULL || !driver_named(entry->driver, name))
            continue;
        struct driver_own_tag *tag = tag_of(picture, view->tags[i].tag);
        if (tag != NULL)
            tag->listed = true;
    }
}

static void add_scanned(struct driver_picture *picture, const struct facts *facts, uint32_t name)
{
    for (size_t i = 0; i < facts->fact_count; i++) {
        size_t count = 0;
        const char *const *tags = facts_tags(facts, &facts->facts[i], &count);
        if (facts->pairs[facts->facts[i].pair].name != name)
            continue;
        for (size_t k = 0; k < count; k++) {
            uint32_t value;
            struct driver_own_tag *tag =
                tag_parse(tags[k], strlen(tags[k]), &value) ? tag_of(picture, value) : NULL;
            if (tag != NULL)
                tag->scanned = true;
        }
    }
}

struct sharers { /* names of drivers whose files hold a tag, as far as they matter */
    uint32_t names[DRIVER_SHARERS_MAX];
};

static void add_sharer(struct driver_own_tag *tag, struct sharers *sharers, uint32_t name)
{
    for (size_t i = 0; i < tag->drivers; i++)
        if (sharers->names[i] == name)
            return;
    if (tag->drivers < DRIVER_SHARERS_MAX)
        sharers->names[tag->drivers++] = name;
}

/* In how many drivers' files each of the tags is; several builds of one driver count once. */
static enum status count_sharers(struct driver_picture *picture, const struct facts *facts)
{
    AUTO_FREE struct sharers *sharers = calloc(picture->tag_count + 1, sizeof *sharers);

    if (sharers == NULL)
        return ST_NOMEM;
    for (size_t i = 0; i < facts->fact_count; i++) {
        size_t count = 0;
        const char *const *tags = facts_tags(facts, &facts->facts[i], &count);
        for (size_t k = 0; k < count; k++) {
            uint32_t value;
            if (!tag_parse(tags[k], strlen(tags[k]), &value))
                continue;
            for (size_t t = 0; t < picture->tag_count; t++)
                if (picture->tags[t].tag == value)
                    add_sharer(&picture->tags[t], &sharers[t],
                               facts->pairs[facts->facts[i].pair].name);
        }
    }
    return ST_OK;
}

enum status driver_picture_tags(struct driver_picture *picture, const struct facts *facts,
                                const struct fleet_view *view, const struct tagdict *dict,
                                const char *name, struct err *err)
{
    uint32_t place = facts_name(facts, name, true);

    picture->tags = arena_alloc(&picture->arena, DRIVER_TAGS_MAX, sizeof *picture->tags);
    picture->counted = arena_alloc(&picture->arena, DRIVER_TAGS_MAX, sizeof *picture->counted);
    if (picture->tags == NULL || picture->counted == NULL)
        return err_set(err, ST_NOMEM, "could not read a driver: out of memory");
    add_listed(picture, view, dict, name);
    if (place != FACT_NONE)
        add_scanned(picture, facts, place);
    if (count_sharers(picture, facts) != ST_OK)
        return err_set(err, ST_NOMEM, "could not read a driver: out of memory");
    for (size_t i = 0; i < picture->tag_count; i++) {
        struct driver_own_tag *tag = &picture->tags[i];
        tag->counted = tag->listed || (tag->scanned && tag->drivers <= DRIVER_SHARED_MAX);
        if (tag->counted)
            picture->counted[picture->counted_count++] =
                (struct driver_tag){POOL_UNKNOWN, tag->tag};
    }
    return ST_OK;
}

/* ---- judging ---------------------------------------------------------------- */

void driver_judge(size_t count, const size_t *hosts, const size_t *blamed,
                  struct driver_judged *ret_judged)
{
    size_t bad_hosts = 0, bad_blamed = 0;

    for (size_t i = 0; i < count; i++) {
        struct driver_judged *judged = &ret_judged[i];
        judged->blamed = blamed[i];
        judged->share = exact_share(blamed[i], hosts[i], 0.95);
        judged->verdict = hosts[i] == 0                                   ? DRIVER_UNUSED
                          : blamed[i] > 0 && hosts[i] >= DRIVER_BAD_HOSTS ? DRIVER_MIXED
                                                                          : DRIVER_FEW;
        if (blamed[i] >= DRIVER_BAD_HOSTS &&
            (double)blamed[i] >= DRIVER_BAD_SHARE * (double)hosts[i]) {
            judged->verdict = DRIVER_BAD;
            bad_hosts += hosts[i];
            bad_blamed += blamed[i];
        }
    }
    for (size_t i = 0; i < count; i++)
        if (blamed[i] == 0 && bounds_is_good(hosts[i], bad_blamed, bad_hosts))
            ret_judged[i].verdict = DRIVER_GOOD;
}

static void find_range(struct driver_picture *picture)
{
    struct driver_bad_range *range = &picture->range;
    size_t count = picture->history.version_count, first = count, last = 0;

    for (size_t i = 0; i < count; i++)
        if (picture->judged[i].verdict == DRIVER_BAD) {
            first = first == count ? i : first;
            last = i;
        }
    if (first == count) {
        range->note = picture->finding_count == 0
                          ? "No open finding names this driver as cause or owner."
                          : "No version has enough hosts in findings to be called bad: at least "
                            "three hosts and two fifths of those that run it.";
        return;
    }
    range->first_bad = picture->history.versions[first].version;
    range->last_bad = picture->history.versions[last].version;
    for (size_t i = 0; i < first; i++)
        if (picture->judged[i].verdict == DRIVER_GOOD)
            range->last_good_before = picture->history.versions[i].version;
    for (size_t i = count; i-- > last + 1;)
        if (picture->judged[i].verdict == DRIVER_GOOD)
            range->first_good = picture->history.versions[i].version;
    if (range->first_good == NULL)
        range->note = last + 1 == count
                          ? "No later version than the last bad one is known in this fleet."
                          : "Later versions run on too few hosts to be called good.";
}

static void find_blamed(const struct driver_picture *picture, const struct facts *facts,
                        const struct fleet_view *view, uint32_t name, size_t *ret_hosts,
                        size_t *ret_blamed)
{
    for (size_t i = 0; i < view->list.count; i++) {
        const struct host_state *host = view->list.items[i];
        const struct facts_host *known = facts_host(facts, host->key);
        uint32_t fact = known == NULL ? FACT_NONE : facts_of(facts, known, name, NULL);
        if (fact == FACT_NONE)
            continue;
        const char *version = facts->pairs[facts->facts[fact].pair].value;
        for (size_t v = 0; v < picture->history.version_count; v++) {
            const char *have = picture->history.versions[v].version;
            if (have == NULL || version == NULL ? have != version : strcmp(have, version) != 0)
                continue;
            ret_hosts[v]++;
            ret_blamed[v] += driver_picture_finding(picture, host->id) != NULL;
            break;
        }
    }
}

enum status driver_picture_judge(struct driver_picture *picture, const struct facts *facts,
                                 const struct fleet_view *view, const struct tagdict *dict,
                                 struct err *err)
{
    size_t count = picture->history.version_count;
    size_t *hosts = arena_alloc(&picture->arena, count, sizeof *hosts);
    size_t *blamed = arena_alloc(&picture->arena, count, sizeof *blamed);
    uint32_t name = facts_name(facts, picture->item.name, true);
    enum status status = driver_picture_tags(picture, facts, view, dict, picture->item.name, err);

    picture->judged = arena_alloc(&picture->arena, count, sizeof *picture->judged);
    if (status == ST_OK && (hosts == NULL || blamed == NULL || picture->judged == NULL))
        status = err_set(err, ST_NOMEM, "could not read a driver: out of memory");
    if (status == ST_OK && name != FACT_NONE) {
        find_blamed(picture, facts, view, name, hosts, blamed);
        status = driver_values_collect(facts, view, name, picture->counted, picture->counted_count,
                                       MEASURE_RATE, &picture->values, err);
    }
    if (status != ST_OK)
        return status;
    driver_judge(count, hosts, blamed, picture->judged);
    for (size_t v = 0; v < count; v++)
        for (size_t i = 0; i < picture->values.count; i++)
            if (driver_version_order(picture->values.items[i].version,
                                     picture->history.versions[v].version) == 0)
                picture->judged[v].values = &picture->values.items[i];
    find_range(picture);
    return ST_OK;
}
