/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules, in order; the first that holds is the verdict. Each threshold and its reason:
 *
 *   FULL        0.90  of the pool's maximum: what is left is a few large requests
 *   FAILING     0.80  with allocations that failed: Windows reports shortage near this level
 *   FLAGGED     0.50  a debugger's "Excessive" is believed unless the figures print less than half
 *   SESSION     0.95  of the session maximum (or a session with failures of its own)
 *   NO_MEMORY   0.50  of RAM (nonpaged) or of the commit limit (paged), while 3 % or less is left:
 *                     on 64-bit Windows the printed maximum of 16 TB says nothing, these do
 *   HEAVY_*     0.25 / 0.40 of RAM: healthy systems stay under 10 to 15 % and 20 to 30 %
 *   HEAVY bytes 8 and 16 GB where the RAM is not printed: 25 and 40 % of a machine of 32 to 40 GB
 *   TREND       1.20  growth over a series that hardly ever falls and ends near its peak
 *   HUGE        1 GB  under one tag; 5 % of RAM where the RAM is known, a quarter of the pool
 *   MOST        0.60  of the pool under one tag of 64 MB; 16 MB where nobody knows the tag
 *   KEPT        0.01  of the allocations were ever freed, 64 MB held, 1,000 blocks
 *   MANY        1e6   blocks of one tag, 60 % of all, where no bytes are printed
 *   MATTERS     0.03  of RAM: less is no problem of memory, whatever its share of a pool
 *   CALM_*      half of a maximum, 15 % and 30 % of RAM: under all of them a pool is fine
 *   SMALL       16 MB a list by size whose largest tag holds less is small as a whole
 */
#include "server/diagnose/judge.h"

#include <string.h>

#define FULL         0.90
#define FAILING      0.80
#define FLAGGED      0.50
#define SESSION_FULL 0.95
#define NO_MEMORY    0.50
#define LEFT         0.03
static const double heavy[POOL_COUNT] = {0.25, 0.40};
static const double calm_ram[POOL_COUNT] = {0.15, 0.30};
static const double heavy_bytes[POOL_COUNT] = {8.0 * GIB, 16.0 * GIB};
#define HEAVY_LEAST      (256.0 * MIB) /* machines of a few hundred MB have other proportions */
#define TREND_GROWTH     1.20
#define TREND_RISING     0.80
#define TREND_END        0.90
#define TREND_LEAST      (64.0 * MIB)
#define HUGE_BYTES       GIB
#define HUGE_RAM         0.05
#define HUGE_SHARE       0.25
#define MOST_SHARE       0.60
#define MOST_BYTES       (64.0 * MIB)
#define UNOWNED_BYTES    (16.0 * MIB)
#define KEPT_FREED       0.01
#define KEPT_BLOCKS      1000.0
#define KEPT_SHARE       0.30
#define MANY_BLOCKS      1e6
#define MATTERS          0.03
#define CALM_MAX         0.50
#define CALM_SHARE       0.50
#define CALM_ROWS        10
#define WHOLE_LIST_ROWS  500 /* a full listing has more than a thousand; an excerpt has dozens */
#define SMALL_BYTES      (16.0 * MIB)
#define SESSION_SMALL_KB 16384 /* the least session paged pool that Windows sets up by itself */
#define SCREEN_GROWTH    1.20
#define SCREEN_LEAST     MIB

static const char *const pool_titles[POOL_COUNT] = {"nonpaged", "paged"};

static double ratio(int64_t part, int64_t whole)
{
    return part == NUMBER_UNKNOWN || whole == NUMBER_UNKNOWN || whole <= 0
               ? -1
               : (double)part / (double)whole;
}

static double share_of_ram(const struct judge *judge, double bytes)
{
    return judge->facts.ram_kb == NUMBER_UNKNOWN || judge->facts.ram_kb <= 0
               ? -1
               : bytes / ((double)judge->facts.ram_kb * KIB);
}

/* Large enough to matter on this machine, as far as its RAM is known. */
static bool matters(const struct judge *judge, double bytes, double share)
{
    double of_ram = share_of_ram(judge, bytes);
    return of_ram < 0 || of_ram >= share;
}

static const struct weighed *largest(const struct pool_facts *facts)
{
    return facts->row_count > 0 ? &facts->rows[0] : NULL;
}

static double share_of_pool(const struct pool_facts *facts, const struct diagnose_row *row)
{
    return facts->whole_bytes > 0 ? row_bytes(row) / facts->whole_bytes : 0;
}

static void lead(struct judge *judge, enum pool pool, const struct weighed *weighed)
{
    judge->leading = *weighed;
    judge->leading_share = share_of_pool(&judge->facts.pool[pool], weighed->row);
}

static void because(struct judge *judge, const char *text)
{
    judge->out->verdict_why = text;
}

static const char *used_text(const struct pool_facts *facts, char text[SIZE_TEXT])
{
    return facts->used_kb == NUMBER_UNKNOWN ? "an unknown part"
                                            : size_text((double)facts->used_kb * KIB, text);
}

/* ---- exhausted ------------------------------------------------------------------------------- */

static bool flagged(struct judge *judge, enum pool pool)
{
    const struct pool_facts *facts = &judge->facts.pool[pool];
    double of_max = ratio(facts->used_kb, facts->max_kb);
    char size[SIZE_TEXT];
    if (!facts->excessive || (of_max >= 0 && of_max < FLAGGED))
        return false;
    because(judge, of_max < 0
                       ? judge_text(judge, "the debugger flags the %s pool as excessive",
                                    pool_titles[pool])
                       : judge_text(judge,
                                    "the debugger flags the %s pool: it holds %s, %.0f %% of "
                                    "its maximum",
                                    pool_titles[pool], used_text(facts, size), of_max * 100));
    return true;
}

static bool found_empty(struct judge *judge, enum pool pool)
{
    if (!judge->parse->evidence.empty[pool])
        return false;
    because(judge,
            judge_text(judge, "an event says that the %s pool was empty", pool_titles[pool]));
    return true;
}

static bool near_maximum(struct judge *judge, enum pool pool)
{
    const struct pool_facts *facts = &judge->facts.pool[pool];
    double of_max = ratio(facts->used_kb, facts->max_kb);
    bool failing = judge->facts.failures != NUMBER_UNKNOWN && judge->facts.failures > 0;
    const struct pool_facts *other = &judge->facts.pool[pool == POOL_PAGED ? 0 : 1];
    char size[SIZE_TEXT];
    if (of_max < (failing ? FAILING : FULL) || of_max < ratio(other->used_kb, other->max_kb))
        return false;
    const char *what = judge_text(judge, "the %s pool holds %s, %.0f %% of its maximum",
                                  pool_titles[pool], used_text(facts, size), of_max * 100);
    because(judge, failing ? judge_text(judge, "%s, and %s pool allocations have failed", what,
                                        GROUPED(judge->facts.failures))
                           : what);
    return true;
}

static bool session_full(struct judge *judge, enum pool pool)
{
    const struct facts *facts = &judge->facts;
    const struct diagnose_session *worst = facts->worst_session;
    double of_max = worst == NULL ? -1 : ratio(worst->paged_kb, facts->session_max_kb);
    char size[SIZE_TEXT];
    if (pool != POOL_PAGED || (facts->session_failures <= 0 && of_max < SESSION_FULL))
        return false;
    if (worst != NULL && of_max >= 0)
        because(judge,
                judge_text(judge,
                           "session %lld holds %s of paged session pool, %.0f %% of the "
                           "maximum of a session%s",
                           (long long)worst->id, size_text((double)worst->paged_kb * KIB, size),
                           of_max * 100,
                           facts->session_failures > 0 ? ", and its allocations have failed" : ""));
    else
        because(judge, judge_text(judge, "%s pool allocations of one session have failed",
                                  GROUPED(facts->session_failures)));
    return true;
}

/* The last value of available memory over time, where a table has it; else the printed one. */
static double available_bytes(const struct judge *judge)
{
    const struct parse *parse = judge->parse;
    for (size_t i = 0; i < parse->report_count; i++)
        for (size_t k = 0; k < parse->reports[i].series_count; k++)
            if (parse->reports[i].series[k].pool == POOL_COUNT)
                return parse->reports[i].series[k].last;
    return judge->facts.available_kb == NUMBER_UNKNOWN ? -1
                                                       : (double)judge->facts.available_kb * KIB;
}

static bool no_memory_left(struct judge *judge, enum pool pool)
{
    const struct facts *facts = &judge->facts;
    const struct pool_facts *of = &facts->pool[pool];
    double available = share_of_ram(judge, available_bytes(judge));
    double commit = ratio(facts->commit_kb, facts->commit_limit_kb);
    bool short_of = (available >= 0 && available <= LEFT) || commit >= 1 - LEFT;
    double share = pool == POOL_NONPAGED ? ratio(of->used_kb, facts->ram_kb)
                                         : ratio(of->used_kb, facts->commit_limit_kb);
    char size[SIZE_TEXT];
    if (!short_of || share < NO_MEMORY)
        return false;
    because(judge, judge_text(judge,
                              "the %s pool holds %s, %.0f %% of the %s, and almost nothing "
                              "is left",
                              pool_titles[pool], used_text(of, size), share * 100,
                              pool == POOL_NONPAGED ? "RAM" : "commit limit"));
    return true;
}

/* ---- leaks ----------------------------------------------------------------------------------- */

static bool heavy_pool(struct judge *judge, enum pool pool)
{
    const struct pool_facts *facts = &judge->facts.pool[pool];
    double share = ratio(facts->used_kb, judge->facts.ram_kb);
    char size[SIZE_TEXT];
    if (share < 0 && facts->used_kb != NUMBER_UNKNOWN &&
        (double)facts->used_kb * KIB >= heavy_bytes[pool]) {
        because(judge, judge_text(judge, "the %s pool holds %s, more than usual systems need",
                                  pool_titles[pool], used_text(facts, size)));
        return true;
    }
    if (share < heavy[pool] || (double)facts->used_kb * KIB < HEAVY_LEAST)
        return false;
    because(judge, judge_text(judge, "the %s pool holds %s, %.0f %% of the RAM", pool_titles[pool],
                              used_text(facts, size), share * 100));
    return true;
}

static bool rising_series(struct judge *judge, enum pool pool)
{
    const struct parse *parse = judge->parse;
    for (size_t i = 0; i < parse->report_count; i++) {
        for (size_t k = 0; k < parse->reports[i].series_count; k++) {
            const struct series *series = &parse->reports[i].series[k];
            char from[SIZE_TEXT];
            char to[SIZE_TEXT];
            if (series->pool != pool || series->points < 3 || series->first <= 0 ||
                series->last < series->first * TREND_GROWTH ||
                series->last - series->first < TREND_LEAST ||
                series->last < series->peak * TREND_END ||
                (double)series->rising < (double)(series->points - 1) * TREND_RISING)
                continue;
            judge->trend = series;
            because(judge, judge_text(judge, "the %s pool grew from %s to %s over %zu readings",
                                      pool_titles[pool], size_text(series->first, from),
                                      size_text(series->last, to), series->points));
            return true;
        }
    }
    return false;
}

static bool grew_between_screens(struct judge *judge, enum pool pool)
{
    const struct diagnose_row *row = judge->grown.row;
    if (row == NULL || judge->grown.pool != pool)
        return false;
    double after = row_bytes(row);
    double before = after - judge->grown_bytes;
    bool alone = judge->facts.pool[0].row_count + judge->facts.pool[1].row_count == 1;
    char tag[TAG_TEXT_MAX];
    char from[SIZE_TEXT];
    char to[SIZE_TEXT];
    if (after < before * SCREEN_GROWTH || (judge->grown_bytes < SCREEN_LEAST && !alone) ||
        (!alone && !matters(judge, judge->grown_bytes, MATTERS / 10)))
        return false;
    lead(judge, pool, &judge->grown);
    tag_format(row->tag, tag);
    because(judge, judge_text(judge, "tag \"%s\" grew from %s to %s between the screens", tag,
                              size_text(before, from), size_text(after, to)));
    return true;
}

static bool named_unknown(struct judge *judge, const struct diagnose_row *row)
{
    if (row->description != NULL && strstr(row->description, "UNKNOWN pooltag") == NULL)
        return false;
    return judge_driver(judge, row) == NULL;
}

static void because_of(struct judge *judge, enum pool pool, const struct weighed *top,
                       const char *rest)
{
    const struct pool_facts *facts = &judge->facts.pool[pool];
    char tag[TAG_TEXT_MAX];
    char size[SIZE_TEXT];
    lead(judge, pool, top);
    tag_format(top->row->tag, tag);
    if (facts->row_count > 1 || facts->whole_known)
        because(judge, judge_text(judge, "tag \"%s\" holds %s, %.0f %% of the %s pool%s%s", tag,
                                  size_text(row_bytes(top->row), size), judge->leading_share * 100,
                                  pool_titles[pool],
                                  facts->whole_known ? "" : " as far as it is listed", rest));
    else
        because(judge, judge_text(judge, "tag \"%s\" holds %s of %s pool%s", tag,
                                  size_text(row_bytes(top->row), size), pool_titles[pool], rest));
}

static bool one_tag_is_huge(struct judge *judge, enum pool pool)
{
    const struct pool_facts *facts = &judge->facts.pool[pool];
    const struct weighed *top = largest(facts);
    if (top == NULL || row_bytes(top->row) < HUGE_BYTES ||
        !matters(judge, row_bytes(top->row), HUGE_RAM) ||
        share_of_pool(facts, top->row) < HUGE_SHARE)
        return false;
    because_of(judge, pool, top, "");
    return true;
}

static bool one_tag_holds_most(struct judge *judge, enum pool pool)
{
    const struct pool_facts *facts = &judge->facts.pool[pool];
    const struct weighed *top = largest(facts);
    if (top == NULL || (facts->row_count < 3 && !facts->whole_known))
        return top != NULL && facts->row_count == 2 && facts->by_size &&
                       share_of_pool(facts, top->row) >= MOST_SHARE &&
                       row_bytes(top->row) >= MOST_BYTES &&
                       matters(judge, row_bytes(top->row), MATTERS)
                   ? (because_of(judge, pool, top, ""), true)
                   : false;
    double least = named_unknown(judge, top->row) ? UNOWNED_BYTES : MOST_BYTES;
    if (share_of_pool(facts, top->row) < MOST_SHARE || row_bytes(top->row) < least ||
        !matters(judge, row_bytes(top->row), MATTERS))
        return false;
    because_of(judge, pool, top, "");
    return true;
}

static bool never_freed(struct judge *judge, enum pool pool)
{
    const struct pool_facts *facts = &judge->facts.pool[pool];
    for (size_t i = 0; i < facts->row_count && i < 20; i++) {
        const struct diagnose_row *row = facts->rows[i].row;
        bool alone = facts->row_count == 1 && !facts->whole_known;
        if (row->allocs == NUMBER_UNKNOWN || row->frees == NUMBER_UNKNOWN ||
            row_bytes(row) < MOST_BYTES || row_blocks(row) < KEPT_BLOCKS ||
            (double)row->frees > (double)row->allocs * KEPT_FREED ||
            !matters(judge, row_bytes(row), MATTERS) ||
            (!alone && share_of_pool(facts, row) < KEPT_SHARE))
            continue;
        because_of(judge, pool, &facts->rows[i],
                   row->frees == 0 ? " and was never freed" : " and was hardly ever freed");
        return true;
    }
    return false;
}

static bool one_tag_has_most_blocks(struct judge *judge, enum pool pool)
{
    const struct pool_facts *facts = &judge->facts.pool[pool];
    const struct weighed *top = largest(facts);
    if (top == NULL || facts->listed_bytes > 0 || row_blocks(top->row) < MANY_BLOCKS ||
        row_blocks(top->row) < facts->listed_blocks * MOST_SHARE)
        return false;
    char tag[TAG_TEXT_MAX];
    lead(judge, pool, top);
    tag_format(top->row->tag, tag);
    judge->leading_share = row_blocks(top->row) / facts->listed_blocks;
    because(judge, judge_text(judge, "tag \"%s\" has %s blocks outstanding, %.0f %% of all listed",
                              tag, GROUPED(row_blocks(top->row)), judge->leading_share * 100));
    return true;
}

/* ---- nothing wrong --------------------------------------------------------------------------- */

static bool pool_is_calm(const struct judge *judge, enum pool pool)
{
    const struct pool_facts *facts = &judge->facts.pool[pool];
    double of_max = ratio(facts->used_kb, facts->max_kb);
    double of_ram = ratio(facts->used_kb, judge->facts.ram_kb);
    if (facts->used_kb == NUMBER_UNKNOWN || of_max >= CALM_MAX)
        return false;
    return of_ram >= 0 ? of_ram < calm_ram[pool] : of_max >= 0;
}

static bool list_is_calm(const struct pool_facts *facts)
{
    const struct weighed *top = largest(facts);
    if (top == NULL || facts->listed_bytes <= 0 ||
        (!facts->explained && facts->whole_bytes >= MOST_BYTES))
        return false;
    if (facts->by_size && row_bytes(top->row) < SMALL_BYTES)
        return true;
    return ((facts->by_size && facts->row_count >= CALM_ROWS) ||
            facts->row_count >= WHOLE_LIST_ROWS) &&
           share_of_pool(facts, top->row) < CALM_SHARE && row_bytes(top->row) < HUGE_BYTES;
}

static bool sessions_are_calm(const struct facts *facts)
{
    const struct diagnose_session *worst = facts->worst_session;
    if (worst == NULL || facts->session_failures > 0)
        return false;
    double of_max = ratio(worst->paged_kb, facts->session_max_kb);
    return of_max >= 0 ? of_max < CALM_MAX : worst->paged_kb < SESSION_SMALL_KB;
}

static bool is_calm(struct judge *judge)
{
    const struct facts *facts = &judge->facts;
    const struct pool_facts *pools = facts->pool;
    char sizes[POOL_COUNT][SIZE_TEXT];
    if (facts->failures != NUMBER_UNKNOWN && facts->failures > 0)
        return false;
    if (pools[0].used_kb != NUMBER_UNKNOWN && pools[1].used_kb != NUMBER_UNKNOWN &&
        pool_is_calm(judge, POOL_NONPAGED) && pool_is_calm(judge, POOL_PAGED)) {
        because(judge,
                judge_text(judge, "both pools are small for this machine: nonpaged %s, paged %s",
                           used_text(&pools[0], sizes[0]), used_text(&pools[1], sizes[1])));
        return true;
    }
    bool memory = facts->ram_kb != NUMBER_UNKNOWN || pools[0].max_kb != NUMBER_UNKNOWN ||
                  pools[1].max_kb != NUMBER_UNKNOWN;
    bool listed[POOL_COUNT] = {list_is_calm(&pools[0]), list_is_calm(&pools[1])};
    bool whole = (listed[0] || !pools[0].by_size) && (listed[1] || !pools[1].by_size);
    if (!memory && (listed[0] || listed[1]) && whole) {
        because(judge, "no tag stands out in what is listed");
        return true;
    }
    if (!memory && facts->sessions > 0 && sessions_are_calm(facts)) {
        because(judge, "the pools of all sessions are small");
        return true;
    }
    if (facts->verifier && !facts->verifier_left && facts->screens == 0 && !memory) {
        because(judge, "the verified driver holds no pool and no allocation failed");
        return true;
    }
    return false;
}

/* ---- table ----------------------------------------------------------------------------------- */

static const struct rule {
    bool (*holds)(struct judge *judge, enum pool pool);
    enum verdict verdict[POOL_COUNT];
} rules[] = {
    {flagged, {VERDICT_NONPAGED_EXHAUSTED, VERDICT_PAGED_EXHAUSTED}},
    {near_maximum, {VERDICT_NONPAGED_EXHAUSTED, VERDICT_PAGED_EXHAUSTED}},
    {found_empty, {VERDICT_NONPAGED_EXHAUSTED, VERDICT_PAGED_EXHAUSTED}},
    {session_full, {VERDICT_SESSION_POOL_EXHAUSTED, VERDICT_SESSION_POOL_EXHAUSTED}},
    {no_memory_left, {VERDICT_NONPAGED_EXHAUSTED, VERDICT_PAGED_EXHAUSTED}},
    {rising_series, {VERDICT_NONPAGED_LEAK_SUSPECT, VERDICT_PAGED_LEAK_SUSPECT}},
    {one_tag_is_huge, {VERDICT_NONPAGED_LEAK_SUSPECT, VERDICT_PAGED_LEAK_SUSPECT}},
    {never_freed, {VERDICT_NONPAGED_LEAK_SUSPECT, VERDICT_PAGED_LEAK_SUSPECT}},
    {one_tag_holds_most, {VERDICT_NONPAGED_LEAK_SUSPECT, VERDICT_PAGED_LEAK_SUSPECT}},
    {one_tag_has_most_blocks, {VERDICT_NONPAGED_LEAK_SUSPECT, VERDICT_PAGED_LEAK_SUSPECT}},
    {heavy_pool, {VERDICT_NONPAGED_LEAK_SUSPECT, VERDICT_PAGED_LEAK_SUSPECT}},
    {grew_between_screens, {VERDICT_NONPAGED_LEAK_SUSPECT, VERDICT_PAGED_LEAK_SUSPECT}},
};

static const char *unknown_why(struct judge *judge)
{
    const struct facts *facts = &judge->facts;
    if (facts->failures != NUMBER_UNKNOWN && facts->failures > 0)
        return judge_text(judge,
                          "%s pool allocations have failed, but neither pool is near a limit that "
                          "is printed",
                          GROUPED(facts->failures));
    for (int pool = 0; pool < POOL_COUNT; pool++)
        if (!facts->pool[pool].explained && facts->pool[pool].whole_bytes >= MOST_BYTES &&
            facts->pool[pool].row_count > 0)
            return judge_text(judge, "the listed tags explain less than half of the %s pool",
                              pool_titles[pool]);
    if (judge->parse->evidence.failure_count > 0 && facts->screens == 0)
        return "failures are printed that are not the pool's, and no figures of the pools";
    if (facts->blocks && facts->screens == 0)
        return "single blocks do not tell how much a tag holds in all";
    if (judge->parse->report_count == 0)
        return "no listing was found in the text";
    return "what is printed does not show whether a pool is too large";
}

void judge_verdict(struct judge *judge)
{
    const struct pool_facts *pools = judge->facts.pool;
    enum pool first = pools[POOL_PAGED].whole_bytes > pools[POOL_NONPAGED].whole_bytes
                          ? POOL_PAGED
                          : POOL_NONPAGED;
    enum pool order[POOL_COUNT] = {first, first == POOL_PAGED ? POOL_NONPAGED : POOL_PAGED};
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        for (int k = 0; k < POOL_COUNT; k++)
            if (rules[i].holds(judge, order[k])) {
                judge->out->verdict = rules[i].verdict[order[k]];
                return;
            }
    if (is_calm(judge)) {
        judge->out->verdict = VERDICT_NOTHING_WRONG;
        return;
    }
    judge->out->verdict = VERDICT_INSUFFICIENT_DATA;
    because(judge, unknown_why(judge));
}
