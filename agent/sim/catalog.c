/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/sim/catalog.h"
#include "agent/sim/rng.h"

#include <math.h>

/* tags.inc was measured over about five days. */
#define MEASURED_HOURS 120.0
/* Chosen: a single healthy row above this would be a story of its own. */
#define HEALTHY_ROW_BYTES_MAX 4.0e7

struct measured {
    char tag[5];
    enum pool pool;
    uint32_t blocks;
    uint32_t block_bytes;
    uint32_t allocs;
};

#define N                                     POOL_NONPAGED
#define P                                     POOL_PAGED
#define TAG(tag, pool, blocks, bytes, allocs) {tag, pool, blocks, bytes, allocs},
static const struct measured measured[] = {
#include "agent/sim/tags.inc"
};
#undef TAG
#undef N
#undef P
#define MEASURED_COUNT (sizeof measured / sizeof measured[0])

/* Tags that fill with use and RAM, and their share of RAM growth. */
static const char *const caches[] = {"MmSt", "FMfn", "CcSc", "NtfF", "Ntff", "NtFC", "MmCa",
                                     "MmSm", "FIcs", "FMsl", "FMsc", "smNp", "smBt", "smCB",
                                     "NtFs", "Ntfx", "FSim", "IoFE", "CcVp", "NtFU"};
/* Busy tags: allocations a second on a busy machine. */
static const struct {
    char tag[5];
    float per_second;
} busy[] = {{"File", 2400}, {"Toke", 700},  {"NtFC", 1500}, {"IoNm", 2600}, {"Irp ", 3200},
            {"Se  ", 1900}, {"FMfn", 1400}, {"NtFs", 1700}, {"ObSq", 900},  {"Key ", 1100},
            {"SeTd", 700},  {"SeAt", 600},  {"Even", 1200}, {"Mdl ", 800},  {"NpFr", 2500}};

static uint32_t tag_of(const char *text)
{
    unsigned char bytes[4];
    memcpy(bytes, text, sizeof bytes);
    return tag_from_bytes(bytes);
}

static bool is_cache(const char *tag)
{
    for (size_t i = 0; i < sizeof caches / sizeof caches[0]; i++) {
        if (memcmp(caches[i], tag, 4) == 0)
            return true;
    }
    return false;
}

static enum load pick_load(uint64_t hash)
{
    unsigned share = (unsigned)(hash >> 40) % 100;
    return share < 45 ? LOAD_DAY : share < 55 ? LOAD_NIGHT : share < 70 ? LOAD_WEEK : LOAD_FLAT;
}

static enum row_kind pick_kind(double rate)
{
    return rate < 0.02 ? ROW_STATIC : rate < 60 ? ROW_TRICKLE : ROW_CHURN;
}

static struct catalog_tag make_measured(const struct measured *m, uint64_t seed)
{
    uint64_t hash = rng_hash(seed, tag_of(m->tag) * 2u + (uint64_t)m->pool);
    double rate = m->allocs / MEASURED_HOURS;
    /* The machine it was measured on had developer tools at work; most hosts leave most tags
     * alone for hours. */
    if (rate < 2000 && hash % 100 < 62)
        rate *= 0.002;
    for (size_t i = 0; i < sizeof busy / sizeof busy[0]; i++) {
        if (memcmp(busy[i].tag, m->tag, 4) == 0)
            rate = busy[i].per_second * 3600.0;
    }
    bool cache = is_cache(m->tag);
    double level = m->blocks;
    if (!cache && level * m->block_bytes > HEALTHY_ROW_BYTES_MAX)
        level = floor(HEALTHY_ROW_BYTES_MAX / m->block_bytes);
    return (struct catalog_tag){
        .tag = tag_of(m->tag),
        .pool = m->pool,
        .kind = cache ? ROW_CACHE : pick_kind(rate),
        .load = cache ? LOAD_DAY : pick_load(hash),
        .block_bytes = m->block_bytes,
        .level = (float)level,
        .rate = (float)rate,
        .ram_power = cache ? 0.8f : 0.25f,
        .prevalence = level * m->block_bytes > 1e6 || cache ? 1.0f : 0.93f,
        .spread = cache ? 0.18f : 0.08f,
        .breathe = cache ? 0.15f : 0.25f,
    };
}

static struct catalog_tag make_invented(size_t index, uint64_t seed)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    uint64_t state = rng_hash(seed ^ 0x7461675f6d616465u, index);
    char text[5] = {letters[rng_below(&state, 26)], letters[26 + rng_below(&state, 26)],
                    letters[rng_below(&state, 62)], letters[rng_below(&state, 62)], '\0'};
    double size = exp(rng_unit(&state) * 5.3) * 16; /* 16 bytes to 3 KB */
    double level = exp(rng_unit(&state) * 6.5);     /* 1 to 660 blocks */
    double quiet = rng_unit(&state);
    double rate = quiet < 0.60   ? 0
                  : quiet < 0.95 ? exp(rng_unit(&state) * 6.0 - 3.5)
                                 : 60 + exp(rng_unit(&state) * 9);
    double rare = rng_unit(&state);
    return (struct catalog_tag){
        .tag = tag_of(text),
        .pool = rng_unit(&state) < 0.63 ? POOL_NONPAGED : POOL_PAGED,
        .kind = pick_kind(rate),
        .load = pick_load(rng_next(&state)),
        .block_bytes = (uint32_t)size / 16 * 16 < 16 ? 16 : (uint32_t)size / 16 * 16,
        .level = (float)level,
        .rate = (float)rate,
        .ram_power = 0.1f,
        .prevalence = rare < 0.7   ? 0.97f
                      : rare < 0.9 ? 0.5f
                                   : 0.12f,
        .spread = 0.05f,
        .breathe = 0.2f,
    };
}

static int by_pool_and_tag(const void *a, const void *b)
{
    const struct catalog_tag *x = a, *y = b;
    if (x->pool != y->pool)
        return x->pool < y->pool ? -1 : 1;
    return x->tag == y->tag ? 0 : x->tag < y->tag ? -1 : 1;
}

enum status catalog_make(size_t rows, uint64_t seed, struct catalog *ret_catalog, struct err *err)
{
    size_t count = rows * 23 / 20; /* mean prevalence is 0.87 */
    struct catalog_tag *tags = calloc(count + MEASURED_COUNT + 1, sizeof *tags);
    if (tags == NULL)
        return err_set(err, ST_NOMEM, "out of memory");
    size_t used = 0;
    for (; used < MEASURED_COUNT; used++)
        tags[used] = make_measured(&measured[used], seed);
    if (count > used) {
        for (size_t i = 0; used < count; i++, used++)
            tags[used] = make_invented(i, seed);
    } else { /* few rows wanted: an even choice of the real ones */
        size_t kept = 0;
        for (size_t i = 0; i < used; i++) {
            bool wanted = tags[i].kind == ROW_CACHE || tags[i].rate > 1e6f ||
                          (i * count) / used != ((i + 1) * count) / used;
            if (wanted)
                tags[kept++] = tags[i];
        }
        used = kept;
    }
    qsort(tags, used, sizeof *tags, by_pool_and_tag);
    size_t unique = 0;
    for (size_t i = 0; i < used; i++) {
        if (unique == 0 || by_pool_and_tag(&tags[unique - 1], &tags[i]) != 0)
            tags[unique++] = tags[i];
    }
    *ret_catalog = (struct catalog){.tags = tags, .count = unique};
    return ST_OK;
}

void catalog_done(struct catalog *catalog)
{
    free(catalog->tags);
    *catalog = (struct catalog){0};
}

const struct catalog_role catalog_roles[] = {
    {"desktop",
     "DT",
     40,
     false,
     {16, 16, 32},
     {"26100.4061", "19045.5011", "22631.4317"},
     {"OptiPlex 7020", "EliteDesk 800", "ThinkCentre M70q"},
     0.85,
     0.1,
     0.35,
     0.6},
    {"file-server",
     "FS",
     15,
     true,
     {64, 128, 64},
     {"20348.2402", "26100.4061", "20348.2402"},
     {"PowerEdge R650", "PowerEdge R650", "ProLiant DL380"},
     0.45,
     0.9,
     1.0,
     3.0},
    {"terminal-server",
     "TS",
     10,
     true,
     {64, 64, 128},
     {"20348.2402", "17763.6414", "20348.2402"},
     {"PowerEdge R640", "ProLiant DL380", "PowerEdge R640"},
     0.9,
     0.3,
     0.9,
     1.2},
    {"build-agent",
     "BA",
     10,
     false,
     {32, 64, 32},
     {"26100.4061", "26100.4061", "22631.4317"},
     {"ThinkStation P3", "Precision 3680", "ThinkStation P3"},
     0.6,
     0.6,
     0.9,
     1.5},
    {"web",
     "WEB",
     15,
     true,
     {16, 32, 32},
     {"20348.2402", "20348.2402", "26100.4061"},
     {"ProLiant DL360", "ProLiant DL360", "PowerEdge R450"},
     0.5,
     0.4,
     0.8,
     0.8},
    {"hyper-v",
     "HV",
     10,
     true,
     {256, 512, 256},
     {"20348.2402", "26100.4061", "20348.2402"},
     {"PowerEdge R750", "ProLiant DL380", "PowerEdge R750"},
     0.3,
     0.7,
     0.6,
     0.8},
};
const size_t catalog_role_count = sizeof catalog_roles / sizeof catalog_roles[0];

const struct catalog_role *catalog_role_find(const char *name)
{
    for (size_t i = 0; i < catalog_role_count; i++) {
        if (strcmp(catalog_roles[i].name, name) == 0)
            return &catalog_roles[i];
    }
    return NULL;
}

const char *catalog_os_name(const char *build, bool server)
{
    static const struct {
        const char *family;
        const char *client;
        const char *server;
    } names[] = {
        {"26200", "Windows 11 25H2", "Windows Server 2025"},
        {"26100", "Windows 11 24H2", "Windows Server 2025"},
        {"22631", "Windows 11 23H2", "Windows Server 2022"},
        {"20348", "Windows 10", "Windows Server 2022"},
        {"19045", "Windows 10 22H2", "Windows Server 2019"},
        {"17763", "Windows 10 1809", "Windows Server 2019"},
        {"14393", "Windows 10 1607", "Windows Server 2016"},
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strncmp(build, names[i].family, 5) == 0)
            return server ? names[i].server : names[i].client;
    }
    return server ? "Windows Server" : "Windows";
}
