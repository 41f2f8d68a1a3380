/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/detect/baselines.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define POINTS WORLD_POINTS
/* Growth or excess below this is nobody's concern; given to all, or they would name noise. */
#define FLOOR_BYTES (8 * WORLD_MIB)

#define GROUP_MIN  3
#define MAD_CUT    3.5
#define DBSCAN_EPS 3.0   /* times the median absolute deviation */
#define MK_Z       2.576 /* 1 %, two sides */
#define CUSUM_K    0.5
#define CUSUM_H    5.0
#define TOP        10
#define TOKENS     250000

static const struct {
    const char *name, *parameters;
} texts[BASELINE_COUNT] = {
    {"nonpaged pool > 4 GB", "4 GiB; the largest tag is named"},
    {"nonpaged pool > 10 % of RAM", "10 %; the largest tag is named"},
    {"nonpaged pool > 80 % of 75 % of RAM", "60 %; the largest tag is named"},
    {"nonpaged pool > 400 MB", "400 MiB; the largest tag is named"},
    {"250,000 Token objects", "outstanding blocks of Toke, counted as bytes / 1600"},
    {"top-10 lists", "a tag in a host's ten largest now that was not in them 14 days ago, or has "
                     "doubled there; 8 MiB or more"},
    {"robust z > 3.5 in the cohort",
     "0.6745 (x - median) / MAD > 3.5 at the newest point; cohort: role and os.build, at least 3 "
     "hosts; 8 MiB above the median or more"},
    {"DBSCAN on newest values",
     "one dimension; tolerance 3 MAD, the largest cluster is normal, above "
     "it an outlier; at least 3 hosts; 8 MiB or more"},
    {"Mann-Kendall and Theil-Sen",
     "this boot's points, at least 8; 1 % two-sided and a slope that gives 8 MiB over the window"},
    {"CUSUM on divergence", "difference to the cohort's median, in units of its MAD in the first "
                            "third; k 0.5, h 5; 8 MiB above at the end"},
};

const char *baseline_name(enum baseline baseline)
{
    return texts[baseline].name;
}

const char *baseline_parameters(enum baseline baseline)
{
    return texts[baseline].parameters;
}

struct series_store {
    const struct world *world;
    float *bytes;   /* [row][host][point] */
    size_t *points; /* per host */
    double *time;   /* [host][point], hours */
    uint16_t *boot; /* [host][point] number of the boot */
    double *pool;   /* [host] nonpaged bytes, newest */
    double *ram;
    size_t *cohort; /* [host] */
    size_t cohorts;
    struct arena arena;
};

static void *must(void *memory)
{
    if (memory == NULL)
        abort();
    return memory;
}

struct series_store *series_store_new(const struct world *world)
{
    struct series_store *store = must(calloc(1, sizeof *store));
    size_t hosts = world->host_count;
    store->world = world;
    store->bytes = must(calloc(world->row_count * hosts * POINTS + 1, sizeof *store->bytes));
    store->points = must(arena_alloc(&store->arena, hosts, sizeof *store->points));
    store->time = must(arena_alloc(&store->arena, hosts * POINTS, sizeof *store->time));
    store->boot = must(arena_alloc(&store->arena, hosts * POINTS, sizeof *store->boot));
    store->pool = must(arena_alloc(&store->arena, hosts, sizeof *store->pool));
    store->ram = must(arena_alloc(&store->arena, hosts, sizeof *store->ram));
    store->cohort = must(arena_alloc(&store->arena, hosts, sizeof *store->cohort));
    for (size_t i = 0; i < hosts; i++) {
        const struct world_host *host = &world->hosts[i];
        const char *build = world_fact_at(host, "os.build", world->now);
        size_t k = 0;
        while (k < i &&
               (world->hosts[k].role != host->role ||
                strcmp(world_fact_at(&world->hosts[k], "os.build", world->now), build) != 0))
            k++;
        store->cohort[i] = k < i ? store->cohort[k] : store->cohorts++;
    }
    return store;
}

void series_store_free(struct series_store *store)
{
    if (store == NULL)
        return;
    free(store->bytes);
    arena_done(&store->arena);
    free(store);
}

static float *series(const struct series_store *store, size_t row, size_t host)
{
    return store->bytes + (row * store->world->host_count + host) * POINTS;
}

void series_store_add(struct series_store *store, size_t host, const struct analyze_host *view)
{
    const struct world *world = store->world;
    if (world->hosts[host].nonsense)
        return; /* spared: no baseline would survive it */
    store->points[host] = view->point_count;
    for (size_t i = 0; i < view->point_count; i++) {
        const struct analyze_point *point = &view->points[i];
        store->time[host * POINTS + i] = (double)(point->taken_at_us - world->epoch_us) / 3.6e9;
        bool again = i > 0 && (point->boot_at_us == TIME_UNKNOWN ||
                               llabs(point->boot_at_us - view->points[i - 1].boot_at_us) <
                                   2 * US_PER_MINUTE);
        store->boot[host * POINTS + i] =
            (uint16_t)(i == 0 ? 0 : store->boot[host * POINTS + i - 1] + !again);
        size_t at[POOL_COUNT] = {0, 0};
        for (size_t r = 0; r < world->row_count; r++) {
            const struct snapshot_table *table = &point->table[world->rows[r].pool];
            size_t *next = &at[world->rows[r].pool];
            if (*next < table->count && table->tag[*next] == world->rows[r].tag)
                series(store, r, host)[i] = (float)table->bytes[(*next)++];
        }
        store->pool[host] = (double)point->totals->value[TOTAL_NONPAGED_BYTES];
        store->ram[host] = (double)point->totals->value[TOTAL_PHYSICAL_BYTES];
    }
}

static double newest(const struct series_store *store, size_t row, size_t host)
{
    return store->points[host] == 0 ? 0 : (double)series(store, row, host)[store->points[host] - 1];
}

/* ---- statements: one for each (pool, tag), over the hosts it holds for ------ */

static void claim_row(const struct series_store *store, size_t row, const bool *hosts,
                      struct claims *claims)
{
    size_t count = 0;
    for (size_t i = 0; i < store->world->host_count; i++)
        count += hosts[i];
    if (count == 0)
        return;
    struct claim *claim = claims_add(claims);
    claim->kind = FINDING_LEAK;
    claim->pool = store->world->rows[row].pool;
    claim->tags = must(arena_alloc(&claims->arena, 1, sizeof *claim->tags));
    claim->tags[0] = store->world->rows[row].tag;
    claim->tag_count = 1;
    claim->hosts = must(arena_alloc(&claims->arena, count, sizeof *claim->hosts));
    for (size_t i = 0; i < store->world->host_count; i++)
        if (hosts[i])
            claim->hosts[claim->host_count++] = i;
}

static size_t largest(const struct series_store *store, enum pool pool, size_t host)
{
    size_t best = SIZE_MAX;
    for (size_t r = 0; r < store->world->row_count; r++)
        if (store->world->rows[r].pool == pool &&
            (best == SIZE_MAX || newest(store, r, host) > newest(store, best, host)))
            best = r;
    return best;
}

static bool past_threshold(const struct series_store *store, enum baseline which, size_t host)
{
    double pool = store->pool[host];
    switch (which) {
    case BASELINE_POOL_4GB:
        return pool > 4 * WORLD_GIB;
    case BASELINE_POOL_10PCT:
        return pool > 0.1 * store->ram[host];
    case BASELINE_POOL_60PCT:
        return pool > 0.6 * store->ram[host];
    default:
        return pool > 400 * WORLD_MIB;
    }
}

static void thresholds(const struct series_store *store, enum baseline which, bool *flags,
                       struct claims *claims)
{
    size_t hosts = store->world->host_count;
    AUTO_FREE size_t *top = must(calloc(hosts + 1, sizeof *top));
    for (size_t i = 0; i < hosts; i++)
        top[i] = store->points[i] > 0 && past_threshold(store, which, i)
                     ? largest(store, POOL_NONPAGED, i)
                     : SIZE_MAX;
    for (size_t r = 0; r < store->world->row_count; r++) {
        for (size_t i = 0; i < hosts; i++)
            flags[i] = top[i] == r;
        claim_row(store, r, flags, claims);
    }
}

static void tokens(const struct series_store *store, bool *flags, struct claims *claims)
{
    for (size_t r = 0; r < store->world->row_count; r++) {
        if (store->world->rows[r].tag != world_tag("Toke"))
            continue;
        for (size_t i = 0; i < store->world->host_count; i++)
            flags[i] = newest(store, r, i) > TOKENS * 1600.0;
        claim_row(store, r, flags, claims);
    }
}

/* ---- top-10 lists ----------------------------------------------------------- */

static double tenth(const struct series_store *store, enum pool pool, size_t host, size_t point)
{
    double top[TOP] = {0};
    for (size_t r = 0; r < store->world->row_count; r++) {
        double value = (double)series(store, r, host)[point];
        if (store->world->rows[r].pool != pool || value <= top[TOP - 1])
            continue;
        size_t k = TOP - 1;
        for (; k > 0 && top[k - 1] < value; k--)
            top[k] = top[k - 1];
        top[k] = value;
    }
    return top[TOP - 1];
}

static void top_lists(const struct series_store *store, bool *flags, struct claims *claims)
{
    size_t hosts = store->world->host_count;
    AUTO_FREE double *cut = must(calloc(hosts * 4 + 1, sizeof *cut));
    for (size_t i = 0; i < hosts; i++)
        for (size_t p = 0; p < POOL_COUNT && store->points[i] > 0; p++) {
            cut[i * 4 + p] = tenth(store, (enum pool)p, i, 0);
            cut[i * 4 + 2 + p] = tenth(store, (enum pool)p, i, store->points[i] - 1);
        }
    for (size_t r = 0; r < store->world->row_count; r++) {
        enum pool pool = store->world->rows[r].pool;
        for (size_t i = 0; i < hosts; i++) {
            double first = (double)series(store, r, i)[0];
            double last = newest(store, r, i);
            bool in = last > 0 && last >= cut[i * 4 + 2 + pool] && last - first > FLOOR_BYTES;
            flags[i] = in && (first < cut[i * 4 + pool] || last > 2 * first);
        }
        claim_row(store, r, flags, claims);
    }
}

/* ---- peers ------------------------------------------------------------------ */

static int number_order(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median_of(double *values, size_t count) /* sorts */
{
    if (count == 0)
        return 0;
    qsort(values, count, sizeof *values, number_order);
    return count % 2 == 1 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

static double mad_of(double *values, size_t count, double median) /* overwrites */
{
    for (size_t i = 0; i < count; i++)
        values[i] = fabs(values[i] - median);
    return median_of(values, count);
}

static size_t peers_of(const struct series_store *store, size_t row, size_t cohort, double *values)
{
    size_t count = 0;
    for (size_t i = 0; i < store->world->host_count; i++)
        if (store->cohort[i] == cohort && store->points[i] > 0)
            values[count++] = newest(store, row, i);
    return count;
}

static void mad_cohort(const struct series_store *store, size_t row, size_t cohort, double *values,
                       bool *flags)
{
    size_t count = peers_of(store, row, cohort, values);
    if (count < GROUP_MIN)
        return;
    double median = median_of(values, count);
    double mad = fmax(mad_of(values, count, median), 1);
    for (size_t i = 0; i < store->world->host_count; i++) {
        double over = newest(store, row, i) - median;
        if (store->cohort[i] == cohort && over > FLOOR_BYTES && 0.6745 * over / mad > MAD_CUT)
            flags[i] = true;
    }
}

/* In one dimension clusters are runs without a gap wider than the tolerance. */
static void dbscan_cohort(const struct series_store *store, size_t row, size_t cohort,
                          double *values, bool *flags)
{
    size_t count = peers_of(store, row, cohort, values);
    if (count < GROUP_MIN)
        return;
    double median = median_of(values, count);
    double mad = fmax(mad_of(values, count, median), 1);
    count = peers_of(store, row, cohort, values);
    qsort(values, count, sizeof *values, number_order);
    double eps = DBSCAN_EPS * mad;
    size_t best = 0;
    double top = 0;
    for (size_t from = 0; from < count;) {
        size_t to = from + 1;
        while (to < count && values[to] - values[to - 1] <= eps)
            to++;
        if (to - from > best) {
            best = to - from;
            top = values[to - 1];
        }
        from = to;
    }
    for (size_t i = 0; i < store->world->host_count; i++)
        if (store->cohort[i] == cohort && newest(store, row, i) > top + fmax(eps, FLOOR_BYTES))
            flags[i] = true;
}

/* ---- trends ----------------------------------------------------------------- */

static bool trends_up(const float *bytes, const double *time, size_t count)
{
    double slopes[POINTS * (POINTS - 1) / 2];
    size_t pairs = 0;
    double s = 0;
    for (size_t i = 0; i < count; i++)
        for (size_t k = i + 1; k < count; k++) {
            if (time[k] <= time[i])
                continue;
            double rise = (double)bytes[k] - (double)bytes[i];
            s += (rise > 0) - (rise < 0);
            slopes[pairs++] = rise / (time[k] - time[i]);
        }
    double n = (double)count;
    double variance = n * (n - 1) * (2 * n + 5) / 18;
    if (variance <= 0 || (s - 1) / sqrt(variance) < MK_Z)
        return false;
    return median_of(slopes, pairs) * (time[count - 1] - time[0]) > FLOOR_BYTES;
}

static void mann_kendall(const struct series_store *store, size_t row, bool *flags)
{
    for (size_t i = 0; i < store->world->host_count; i++) {
        size_t count = store->points[i];
        const uint16_t *boot = store->boot + i * POINTS;
        const float *bytes = series(store, row, i);
        size_t from = count;
        while (from > 0 && boot[from - 1] == boot[count - 1])
            from--;
        if (count - from < 8)
            continue;
        float low = bytes[from];
        for (size_t k = from; k < count; k++)
            low = bytes[k] < low ? bytes[k] : low;
        /* Nothing that rose less can pass; saves most of the work. */
        if (newest(store, row, i) - (double)low > FLOOR_BYTES / 2)
            flags[i] = trends_up(bytes + from, store->time + i * POINTS + from, count - from);
    }
}

/* ---- divergence ------------------------------------------------------------- */

/* The value at or before a time; hosts have their own times. */
static double value_at(const struct series_store *store, size_t row, size_t host, double at)
{
    const double *time = store->time + host * POINTS;
    size_t k = store->points[host];
    while (k > 0 && time[k - 1] > at + 0.2)
        k--;
    return k == 0 ? NAN : (double)series(store, row, host)[k - 1];
}

static void cusum_cohort(const struct series_store *store, size_t row, size_t cohort,
                         double *values, bool *flags)
{
    const struct world *world = store->world;
    static const double back[] = {330, 300, 270, 240, 210, 180, 150, 130, 110, 90, 70,  54,
                                  42,  30,  23,  18,  14,  10,  7,   4,   2,   1,  0.5, 0};
    enum { STEPS = sizeof back / sizeof back[0] };
    double median[STEPS];
    size_t count = peers_of(store, row, cohort, values);
    if (count < GROUP_MIN || count == 0)
        return;
    double top = 0;
    for (size_t i = 0; i < count; i++)
        top = fmax(top, values[i]);
    if (top - median_of(values, count) < FLOOR_BYTES)
        return;
    for (size_t k = 0; k < STEPS; k++) {
        size_t n = 0;
        for (size_t i = 0; i < world->host_count; i++) {
            double value =
                store->cohort[i] == cohort ? value_at(store, row, i, world->now - back[k]) : NAN;
            if (!isnan(value))
                values[n++] = value;
        }
        median[k] = median_of(values, n);
    }
    for (size_t i = 0; i < world->host_count; i++) {
        if (store->cohort[i] != cohort || newest(store, row, i) - median[STEPS - 1] < FLOOR_BYTES)
            continue;
        double diff[STEPS], first[STEPS];
        size_t n = 0;
        for (size_t k = 0; k < STEPS; k++) {
            double value = value_at(store, row, i, world->now - back[k]);
            if (!isnan(value))
                diff[n++] = value - median[k];
        }
        size_t third = n / 3 < 3 ? (n < 3 ? n : 3) : n / 3;
        memcpy(first, diff, third * sizeof *first);
        double level = median_of(first, third);
        double unit = fmax(mad_of(first, third, level), 0.01 * FLOOR_BYTES);
        double sum = 0;
        for (size_t k = third; k < n; k++)
            sum = fmax(0, sum + (diff[k] - level) / unit - CUSUM_K);
        flags[i] = sum > CUSUM_H;
    }
}

void baseline_run(const struct series_store *store, enum baseline which, struct claims *ret_claims)
{
    size_t hosts = store->world->host_count;
    AUTO_FREE bool *flags = must(calloc(hosts + 1, sizeof *flags));
    AUTO_FREE double *values = must(calloc(hosts + 1, sizeof *values));
    if (which <= BASELINE_POOL_400MB) {
        thresholds(store, which, flags, ret_claims);
        return;
    }
    if (which == BASELINE_TOKENS) {
        tokens(store, flags, ret_claims);
        return;
    }
    if (which == BASELINE_TOP10) {
        top_lists(store, flags, ret_claims);
        return;
    }
    for (size_t r = 0; r < store->world->row_count; r++) {
        memset(flags, 0, hosts * sizeof *flags);
        for (size_t c = 0; which != BASELINE_MANN_KENDALL && c < store->cohorts; c++) {
            if (which == BASELINE_MAD)
                mad_cohort(store, r, c, values, flags);
            else if (which == BASELINE_DBSCAN)
                dbscan_cohort(store, r, c, values, flags);
            else
                cusum_cohort(store, r, c, values, flags);
        }
        if (which == BASELINE_MANN_KENDALL)
            mann_kendall(store, r, flags);
        claim_row(store, r, flags, ret_claims);
    }
}
