/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which known leaks fit a finding. Tags make the match; versions then support or contradict it, and
 * only versions that separate the affected hosts from the others count (the causes of the finding):
 * that a host merely has a driver says nothing. Where one driver comes in several versions, the
 * larger share of the affected hosts decides.
 */
#include "server/known/known.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Chosen: what fewer than half of the affected hosts have decides nothing. */
#define SHARE_LEAST 0.5
/* Chosen: in a larger group one tag in common is chance, unless it moved first. */
#define FEW_TAGS 3

static const char *const fit_texts[KNOWN_FIT_COUNT] = {"tags and version", "tags only",
                                                       "tags, version contradicts"};

const char *known_fit_text(enum known_fit fit)
{
    return (unsigned)fit < KNOWN_FIT_COUNT ? fit_texts[fit] : "tags only";
}

/* ---- versions --------------------------------------------------------------- */

#define PARTS_MAX 8
#define PART_MAX  999999999999999ull

struct parts {
    unsigned long long at[PARTS_MAX];
    size_t count;
};

static bool parts_read(const char *text, struct parts *ret_parts)
{
    struct parts parts = {.count = 0};

    for (;;) {
        unsigned long long value = 0;
        if (*text < '0' || *text > '9' || parts.count == PARTS_MAX)
            return false;
        for (; *text >= '0' && *text <= '9'; text++) {
            value = value * 10 + (unsigned)(*text - '0');
            if (value > PART_MAX)
                return false;
        }
        parts.at[parts.count++] = value;
        if (*text == '\0')
            break;
        if (*text++ != '.')
            return false;
    }
    *ret_parts = parts;
    return true;
}

bool known_version_valid(const char *text)
{
    struct parts unused;
    return parts_read(text, &unused);
}

/* Windows builds are told with and without "10.0." in front. */
static void drop_windows_prefix(struct parts *parts, const struct parts *other)
{
    if (parts->count < 3 || parts->at[0] != 10 || parts->at[1] != 0 || other->at[0] == 10)
        return;
    memmove(parts->at, parts->at + 2, (parts->count - 2) * sizeof parts->at[0]);
    parts->count -= 2;
}

bool known_version_compare(const char *version, const char *bound, int *ret_order)
{
    struct parts a, b;

    if (!parts_read(version, &a) || !parts_read(bound, &b))
        return false;
    struct parts whole = a;
    drop_windows_prefix(&a, &b);
    drop_windows_prefix(&b, &whole);
    *ret_order = 0;
    for (size_t i = 0; i < b.count && *ret_order == 0; i++) {
        unsigned long long part = i < a.count ? a.at[i] : 0;
        *ret_order = part < b.at[i] ? -1 : part > b.at[i];
    }
    return true;
}

static bool in_range(const char *version, const struct known_range *range)
{
    int order = 0;

    if (range->from != NULL && known_version_compare(version, range->from, &order) && order < 0)
        return false;
    return range->to == NULL || !known_version_compare(version, range->to, &order) || order <= 0;
}

static bool in_ranges(const char *version, const struct known_ranges *ranges)
{
    for (size_t i = 0; i < ranges->count; i++)
        if (in_range(version, &ranges->items[i]))
            return true;
    return false;
}

static void ranges_text(const struct known_ranges *ranges, char *text, size_t size)
{
    size_t used = 0;

    text[0] = '\0';
    for (size_t i = 0; i < ranges->count && used < size; i++) {
        const struct known_range *range = &ranges->items[i];
        const char *comma = i == 0 ? "" : ", ";
        int n;
        if (range->from != NULL && range->to != NULL && strcmp(range->from, range->to) == 0)
            n = snprintf(text + used, size - used, "%s%s", comma, range->from);
        else if (range->from != NULL && range->to != NULL)
            n = snprintf(text + used, size - used, "%s%s to %s", comma, range->from, range->to);
        else if (range->from != NULL)
            n = snprintf(text + used, size - used, "%s%s and later", comma, range->from);
        else
            n = snprintf(text + used, size - used, "%sup to %s", comma, range->to);
        used += n < 0 ? size : (size_t)n;
    }
}

/* ---- what the causes say ---------------------------------------------------- */

enum verdict { SILENT, AGREES, CONTRADICTS };

/* A driver's or an attribute's values against what is known of it. */
struct weighed {
    double bad;
    double other;
    const char *bad_value;
    const char *other_value;
};

static void weigh(struct weighed *weighed, const struct known_cause *cause,
                  const struct known_ranges *bad, const struct known_ranges *good)
{
    bool leaks = in_ranges(cause->value, bad);

    if (!known_version_valid(cause->value))
        return;
    if (leaks) {
        weighed->bad += cause->share;
        weighed->bad_value = weighed->bad_value == NULL ? cause->value : weighed->bad_value;
    } else if (bad->count > 0 || in_ranges(cause->value, good)) {
        weighed->other += cause->share;
        weighed->other_value = weighed->other_value == NULL ? cause->value : weighed->other_value;
    }
}

static enum verdict judge(const struct weighed *weighed, const char *name,
                          const struct known_ranges *bad, const struct known_ranges *good,
                          char says[KNOWN_SAYS_MAX])
{
    char known[120];

    if (weighed->bad < SHARE_LEAST && weighed->other < SHARE_LEAST)
        return SILENT;
    ranges_text(bad, known, sizeof known);
    if (weighed->bad >= weighed->other) {
        snprintf(says, KNOWN_SAYS_MAX, "%.60s %.30s is among those that leak (%s)", name,
                 weighed->bad_value, known);
        return AGREES;
    }
    if (in_ranges(weighed->other_value, good))
        snprintf(says, KNOWN_SAYS_MAX, "%.60s %.30s is among those that do not leak", name,
                 weighed->other_value);
    else
        snprintf(says, KNOWN_SAYS_MAX, "%.60s %.30s is not among those that leak (%s)", name,
                 weighed->other_value, known);
    return CONTRADICTS;
}

static enum verdict judge_driver(const struct known_leak *leak, const struct known_query *query,
                                 char says[KNOWN_SAYS_MAX])
{
    static const char prefix[] = "driver/";
    struct weighed weighed = {0};

    if (leak->driver == NULL)
        return SILENT;
    for (size_t i = 0; i < query->cause_count; i++) {
        const struct known_cause *cause = &query->causes[i];
        if (strncmp(cause->attribute, prefix, sizeof prefix - 1) == 0 &&
            strcasecmp(cause->attribute + sizeof prefix - 1, leak->driver) == 0)
            weigh(&weighed, cause, &leak->bad, &leak->good);
    }
    return judge(&weighed, leak->driver, &leak->bad, &leak->good, says);
}

static enum verdict judge_attribute(const struct known_attribute *attribute,
                                    const struct known_query *query, char says[KNOWN_SAYS_MAX])
{
    static const struct known_ranges none = {0};
    struct weighed weighed = {0};

    for (size_t i = 0; i < query->cause_count; i++)
        if (strcmp(query->causes[i].attribute, attribute->name) == 0)
            weigh(&weighed, &query->causes[i], &attribute->bad, &none);
    return judge(&weighed, attribute->name, &attribute->bad, &none, says);
}

/* One contradiction outweighs what agrees: it is what a person has to see. */
static enum known_fit judge_leak(const struct known_leak *leak, const struct known_query *query,
                                 char says[KNOWN_SAYS_MAX])
{
    enum verdict verdict = judge_driver(leak, query, says);

    for (size_t i = 0; i < leak->attribute_count && verdict != CONTRADICTS; i++) {
        char more[KNOWN_SAYS_MAX] = "";
        enum verdict one = judge_attribute(&leak->attributes[i], query, more);
        if (one == CONTRADICTS || (one == AGREES && verdict == SILENT)) {
            memcpy(says, more, sizeof more);
            verdict = one;
        }
    }
    return verdict == AGREES        ? KNOWN_FIT_VERSION
           : verdict == CONTRADICTS ? KNOWN_FIT_CONTRADICTED
                                    : KNOWN_FIT_TAGS;
}

/* ---- tags and order --------------------------------------------------------- */

static bool has_tag(const uint32_t *tags, size_t count, uint32_t tag)
{
    for (size_t i = 0; i < count; i++)
        if (tags[i] == tag)
            return true;
    return false;
}

/* 0: no match. */
static double overlap(const struct known_leak *leak, const struct known_query *query)
{
    size_t common = 0;
    bool first = query->tag_count > 0 && has_tag(leak->tags, leak->tag_count, query->tags[0]);

    for (size_t i = 0; i < query->tag_count; i++)
        common += has_tag(leak->tags, leak->tag_count, query->tags[i]);
    bool most = common * 2 >= leak->tag_count || (common > 1 && common * 2 >= query->tag_count);
    if (common == 0 || !most || (common == 1 && !first && query->tag_count > FEW_TAGS))
        return 0;
    return (double)common / (double)(leak->tag_count + query->tag_count - common);
}

static bool is_owner(const struct known_leak *leak, const char *owner)
{
    return owner != NULL && leak->driver != NULL && strcasecmp(owner, leak->driver) == 0;
}

static int compare(const struct known_match *a, const struct known_match *b, const char *owner)
{
    if (a->fit != b->fit)
        return a->fit < b->fit ? -1 : 1;
    if (a->overlap != b->overlap)
        return a->overlap > b->overlap ? -1 : 1;
    if (is_owner(a->leak, owner) != is_owner(b->leak, owner))
        return is_owner(a->leak, owner) ? -1 : 1;
    /* "confirmed by vendor" before "reported" */
    int order = strcmp(a->leak->confidence, b->leak->confidence);
    return order != 0 ? order : strcmp(a->leak->id, b->leak->id);
}

/* Puts match into its place among the best; returns the new count. */
static size_t place(struct known_match *matches, size_t count, size_t max,
                    const struct known_match *match, const char *owner)
{
    size_t at = count;

    while (at > 0 && compare(match, &matches[at - 1], owner) < 0)
        at--;
    if (at == max)
        return count;
    size_t kept = count < max ? count : max - 1;
    memmove(&matches[at + 1], &matches[at], (kept - at) * sizeof *matches);
    matches[at] = *match;
    return kept + 1;
}

size_t known_match(const struct known_list *list, const struct known_query *query, size_t max,
                   struct known_match *ret_matches)
{
    size_t count = 0;

    for (size_t i = 0; i < list->count; i++) {
        const struct known_leak *leak = &list->items[i];
        struct known_match match = {.leak = leak, .overlap = overlap(leak, query)};
        bool other_pool =
            leak->pool != POOL_UNKNOWN && query->pool != POOL_UNKNOWN && leak->pool != query->pool;
        if (match.overlap <= 0 || other_pool)
            continue;
        match.fit = judge_leak(leak, query, match.says);
        count = place(ret_matches, count, max, &match, query->owner);
    }
    return count;
}

size_t known_of_tag(const struct known_list *list, uint32_t tag, size_t max,
                    struct known_match *ret_matches)
{
    size_t count = 0;

    for (size_t i = 0; i < list->count; i++) {
        const struct known_leak *leak = &list->items[i];
        struct known_match match = {
            .leak = leak, .fit = KNOWN_FIT_TAGS, .overlap = 1.0 / (double)leak->tag_count};
        if (has_tag(leak->tags, leak->tag_count, tag))
            count = place(ret_matches, count, max, &match, NULL);
    }
    return count;
}
