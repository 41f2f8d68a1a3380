/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/mute.h"

#include <stdlib.h>
#include <string.h>

bool mute_stands(const struct mute *mute, int64_t now_us)
{
    return mute->ended_at_us == TIME_UNKNOWN &&
           (mute->until_us == TIME_UNKNOWN || mute->until_us > now_us);
}

/* Several owners of one tag stand as "a.sys or b.sys or 2 more". */
static bool owner_names(const char *owner, const char *driver)
{
    size_t length = strlen(driver);

    for (const char *at = owner; at != NULL;) {
        const char *next = strstr(at, " or ");
        size_t word = next == NULL ? strlen(at) : (size_t)(next - at);
        if (word == length && strncasecmp(at, driver, length) == 0)
            return true;
        at = next == NULL ? NULL : next + strlen(" or ");
    }
    return false;
}

bool mute_driver_of(const struct finding *finding, const char *driver)
{
    static const char prefix[] = "driver/";
    const size_t length = sizeof prefix - 1;

    if (owner_names(finding->owner_driver, driver))
        return true;
    return finding->cause_count > 0 && strncmp(finding->causes[0].attribute, prefix, length) == 0 &&
           strcasecmp(finding->causes[0].attribute + length, driver) == 0;
}

static int compare_text(const void *key, const void *item)
{
    return strcmp(key, *(const char *const *)item);
}

static bool has_text(const char *const *items, size_t count, const char *text)
{
    return count > 0 && bsearch(text, items, count, sizeof *items, compare_text) != NULL;
}

static bool takes_finding(const struct mute *mute, const struct finding *finding)
{
    return (mute->finding_id == NULL || strcmp(mute->finding_id, finding->id) == 0) &&
           (mute->driver == NULL || mute_driver_of(finding, mute->driver));
}

static bool takes_host(const struct mute *mute, const char *host)
{
    return (mute->host_count == 0 || has_text(mute->hosts, mute->host_count, host)) &&
           (mute->driver_version == NULL ||
            has_text(mute->version_hosts, mute->version_host_count, host));
}

static bool takes_tag(const struct mute *mute, uint32_t tag)
{
    for (size_t i = 0; i < mute->tag_count; i++)
        if (mute->tags[i] == tag)
            return true;
    return mute->tag_count == 0;
}

static bool ends_before(const struct mute *a, const struct mute *b)
{
    return a->until_us != TIME_UNKNOWN &&
           (b->until_us == TIME_UNKNOWN || a->until_us < b->until_us);
}

static const struct mute *sooner(const struct mute *a, const struct mute *b)
{
    return b == NULL || (a != NULL && ends_before(a, b)) ? a : b;
}

/* Of one cell the mute that lasts longest counts, for its end opens the cell. */
static const struct mute *cell(const struct mute *const *mutes, size_t count, const char *host,
                               uint32_t tag)
{
    const struct mute *best = NULL;

    for (size_t i = 0; i < count; i++)
        if ((host == NULL ? mutes[i]->host_count == 0 && mutes[i]->driver_version == NULL
                          : takes_host(mutes[i], host)) &&
            takes_tag(mutes[i], tag) && (best == NULL || ends_before(best, mutes[i])))
            best = mutes[i];
    return best;
}

/* The mute of the row's cells that ends first; NULL when one is outside. */
static const struct mute *row(const struct mute *const *mutes, size_t count,
                              const struct finding *finding, const char *host)
{
    const struct mute *first = NULL;

    for (size_t i = 0; i < finding->tag_count; i++) {
        const struct mute *at = cell(mutes, count, host, finding->tags[i]);
        if (at == NULL)
            return NULL;
        first = first == NULL ? at : sooner(at, first);
    }
    return first;
}

static void cover_rows(const struct mute *const *mutes, size_t count, const struct finding *finding,
                       struct mute_cover *cover)
{
    const struct mute *first = NULL;

    for (size_t i = 0; i < finding->host_count; i++) {
        const struct mute *at = row(mutes, count, finding, finding->hosts[i].id);
        if (at == NULL)
            continue;
        cover->hosts_by[i] = at->id;
        cover->hosts++;
        first = first == NULL ? at : sooner(at, first);
    }
    if (finding->host_count == 0)
        first = row(mutes, count, finding, NULL);
    cover->whole = first != NULL && cover->hosts == finding->host_count;
    cover->by = cover->whole ? first->id : 0;
    cover->until_us = cover->whole ? first->until_us : TIME_UNKNOWN;
}

enum status mute_cover(const struct mute *mutes, size_t count, const struct finding *finding,
                       int64_t now_us, struct mute_cover *ret_cover)
{
    struct mute_cover cover = {.until_us = TIME_UNKNOWN};
    AUTO_FREE const struct mute **taken = calloc(count + 1, sizeof(const struct mute *));
    size_t used = 0;

    cover.hosts_by = calloc(finding->host_count + 1, sizeof *cover.hosts_by);
    if (taken == NULL || cover.hosts_by == NULL) {
        mute_cover_done(&cover);
        return ST_NOMEM;
    }
    for (size_t i = 0; i < count; i++)
        if (mute_stands(&mutes[i], now_us) && takes_finding(&mutes[i], finding))
            taken[used++] = &mutes[i];
    if (used > 0)
        cover_rows(taken, used, finding, &cover);
    *ret_cover = cover;
    return ST_OK;
}
