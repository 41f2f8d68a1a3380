/* SPDX-License-Identifier: Apache-2.0 */
#include "server/analyze/cohort.h"

#include "common/cleanup.h"
#include "common/clock.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    int64_t below_us;
    const char *key;
    const char *label;
} bands[COHORT_BANDS + 1] = {
    {1 * US_PER_HOUR, "0-1h", "up less than 1 hour"}, {8 * US_PER_HOUR, "1-8h", "up 1 to 8 hours"},
    {72 * US_PER_HOUR, "8-72h", "up 8 to 72 hours"},  {14 * US_PER_DAY, "3-14d", "up 3 to 14 days"},
    {INT64_MAX, ">14d", "up more than 14 days"},      {0, "?", "uptime unknown"},
};

unsigned cohort_band(int64_t uptime_us)
{
    unsigned band = 0;
    if (uptime_us < 0)
        return COHORT_BAND_UNKNOWN;
    while (uptime_us >= bands[band].below_us && band < COHORT_BANDS - 1)
        band++;
    return band;
}

/* Cut at a whole UTF-8 character; '/' parts a key, so it may not stand inside a part. */
static void copy_part(char *to, size_t room, const char *from, size_t length)
{
    size_t n = length < room - 1 ? length : room - 1;
    while (n > 0 && n < length && ((unsigned char)from[n] & 0xC0) == 0x80)
        n--;
    for (size_t i = 0; i < n; i++)
        to[i] = from[i] == '/' ? '_' : from[i];
    to[n] = '\0';
}

void cohort_facts_set(const char *os_build, const char *role, uint64_t ram_bytes, int64_t uptime_us,
                      struct cohort_facts *ret_facts)
{
    struct cohort_facts facts = {.ram_class = COHORT_RAM_UNKNOWN};
    if (os_build != NULL) {
        /* "26100.4061" and "10.0.26100.4061": the family is the build number, without its updates
         */
        const char *build = strncmp(os_build, "10.0.", 5) == 0 ? os_build + 5 : os_build;
        copy_part(facts.os, sizeof facts.os, build, strcspn(build, "."));
    }
    if (role != NULL)
        copy_part(facts.role, sizeof facts.role, role, strlen(role));
    if (ram_bytes > 0)
        facts.ram_class = (int)lround(log2((double)ram_bytes / (double)(1ull << 30)));
    facts.band = cohort_band(uptime_us);
    *ret_facts = facts;
}

void cohort_name(const struct cohort_facts *facts, enum cohort_level level,
                 struct cohort *ret_cohort)
{
    bool with_os = level <= COHORT_ANY_RAM && facts->os[0] != '\0';
    bool with_role = level <= COHORT_ANY_BAND && facts->role[0] != '\0';
    bool with_ram = level == COHORT_FULL && facts->ram_class != COHORT_RAM_UNKNOWN;
    bool with_band = level != COHORT_ANY_BAND;
    char ram[24] = "*"; /* 2^ram_class is at most 2^34 GiB */
    char ram_label[40] = "";
    if (with_ram) {
        double gib = exp2(facts->ram_class);
        snprintf(ram, sizeof ram, "%gg", gib);
        snprintf(ram_label, sizeof ram_label, ", %g GB", gib);
    }
    snprintf(ret_cohort->key, sizeof ret_cohort->key, "%s/%s/%s/%s", with_os ? facts->os : "*",
             with_role ? facts->role : "*", ram, with_band ? bands[facts->band].key : "*");
    snprintf(ret_cohort->label, sizeof ret_cohort->label, "%s%s%s%s%s, %s",
             with_os ? "build " : "any build", with_os ? facts->os : "", with_role ? ", role " : "",
             with_role ? facts->role : "", ram_label,
             with_band ? bands[facts->band].label : "any uptime");
}

void cohort_key(const char *os_build, const char *role, uint64_t ram_bytes, int64_t uptime_us,
                struct cohort *ret_cohort)
{
    struct cohort_facts facts;
    cohort_facts_set(os_build, role, ram_bytes, uptime_us, &facts);
    cohort_name(&facts, COHORT_FULL, ret_cohort);
}

bool cohort_same(const struct cohort_facts *a, const struct cohort_facts *b,
                 enum cohort_level level)
{
    bool role = strcmp(a->role, b->role) == 0;
    bool os = strcmp(a->os, b->os) == 0;
    unsigned apart = a->band > b->band ? a->band - b->band : b->band - a->band;
    switch (level) {
    case COHORT_FULL:
        return role && os && a->ram_class == b->ram_class && apart == 0;
    case COHORT_ANY_RAM:
        return role && os && apart == 0;
    case COHORT_ANY_OS:
        return role && apart == 0;
    case COHORT_ANY_BAND:
        return role && apart <= 1;
    case COHORT_ANY_ROLE:
        return apart == 0;
    case COHORT_LEVEL_COUNT:
        break;
    }
    return false;
}

/* Hosts with equal facts are one kind; there are few kinds, so levels are compared kind by kind. */
struct kind {
    struct cohort_facts facts;
    size_t hosts;
};

static bool same_facts(const struct cohort_facts *a, const struct cohort_facts *b)
{
    return cohort_same(a, b, COHORT_FULL);
}

static size_t kind_of(const struct cohort_facts *facts, struct kind *kinds, size_t *count)
{
    for (size_t i = 0; i < *count; i++) {
        if (same_facts(&kinds[i].facts, facts))
            return i;
    }
    kinds[*count] = (struct kind){.facts = *facts};
    return (*count)++;
}

static enum cohort_level level_of(const struct kind *kinds, size_t count, size_t which)
{
    for (int level = 0; level < COHORT_LEVEL_COUNT; level++) {
        size_t peers = 0;
        for (size_t i = 0; i < count; i++) {
            if (cohort_same(&kinds[which].facts, &kinds[i].facts, (enum cohort_level)level))
                peers += kinds[i].hosts;
        }
        if (peers > COHORT_PEERS_MIN) /* the host itself is among them */
            return (enum cohort_level)level;
    }
    return COHORT_LEVEL_COUNT;
}

enum status cohort_choose(const struct cohort_facts *facts, size_t count,
                          struct cohort_choice *ret_choices)
{
    AUTO_FREE struct kind *kinds = calloc(count + 1, sizeof *kinds);
    if (kinds == NULL)
        return ST_NOMEM;
    size_t kind_count = 0;
    for (size_t i = 0; i < count; i++) {
        size_t which = kind_of(&facts[i], kinds, &kind_count);
        kinds[which].hosts++;
        ret_choices[i].group = which;
    }
    for (size_t i = 0; i < count; i++)
        ret_choices[i].level = level_of(kinds, kind_count, ret_choices[i].group);
    return ST_OK;
}
