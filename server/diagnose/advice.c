/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hints in plain words and the commands to run next. Every command is complete: the tag, the
 * driver and the session are filled in.
 */
#include "server/diagnose/judge.h"

#include "server/diagnose/scan.h"

#include <string.h>
#include <strings.h>

static void hint(struct judge *judge, const char *text)
{
    if (judge->out->hint_count < ADVICE_MAX && text[0] != '\0')
        judge->out->hints[judge->out->hint_count++] = text;
}

static void step(struct judge *judge, const char *text)
{
    struct diagnosis *out = judge->out;
    for (size_t i = 0; i < out->next_step_count; i++)
        if (strcmp(out->next_steps[i], text) == 0)
            return;
    if (out->next_step_count < ADVICE_MAX && text[0] != '\0')
        out->next_steps[out->next_step_count++] = text;
}

/* Tags of objects that programs hold by handles, or that follow such objects. */
static const struct object_tag {
    const char *tag;
    const char *object; /* type name as tools print it */
    const char *words;
} object_tags[] = {
    {"Thre", "Thread", "thread objects"},
    {"Proc", "Process", "process objects"},
    {"Toke", "Token", "access tokens"},
    {"File", "File", "file objects"},
    {"Even", "Event", "event objects"},
    {"Sema", "Semaphore", "semaphores"},
    {"Muta", "Mutant", "mutants"},
    {"Time", "Timer", "timers"},
    {"Key ", "Key", "registry keys"},
    {"Sect", "Section", "sections"},
    {"IoCo", "IoCompletion", "I/O completion ports"},
    {"Obtb", NULL, "handle tables"},
    {"SeTd", "Token", "parts of access tokens"},
    {"ALPC", "ALPC Port", "ALPC ports and messages"},
};

/* Tags that many drivers share: the tag names nobody. */
static const char *const shared_tags[] = {"Ddk ", "None", "FxDr", "NDnd", "Irp ", "Mdl ",
                                          "Io  ", "Pool", "    ", "Even", "ScEv"};

/* Tags whose size follows the file cache: much of it is a habit, not a loss. */
static const char *const cache_tags[] = {"MmSt", "MmCa", "MmSm", "Ntff", "NtfF", "NtFs",
                                         "FMfn", "FMsl", "CcSc", "FIcs", "File"};

static bool tag_is(uint32_t tag, const char *text)
{
    uint32_t other = 0;
    return scan_tag(text, strlen(text), &other) && other == tag;
}

static bool tag_in(uint32_t tag, const char *const list[], size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (tag_is(tag, list[i]))
            return true;
    return false;
}
#define TAG_IN(tag, list) tag_in(tag, list, sizeof(list) / sizeof *(list))

static const struct object_tag *object_of(uint32_t tag)
{
    for (size_t i = 0; i < sizeof object_tags / sizeof *object_tags; i++)
        if (tag_is(tag, object_tags[i].tag))
            return &object_tags[i];
    return NULL;
}

/* ---- hints ----------------------------------------------------------------------------------- */

static void hints_of_pools(struct judge *judge)
{
    const struct facts *facts = &judge->facts;
    enum verdict verdict = judge->out->verdict;
    char size[SIZE_TEXT];
    if (verdict == VERDICT_NONPAGED_EXHAUSTED || verdict == VERDICT_PAGED_EXHAUSTED)
        hint(judge, "the pool is used up: new requests fail, and what fails may be any program or "
                    "driver, not the one that took the memory");
    if (facts->failures != NUMBER_UNKNOWN && facts->failures > 0)
        hint(judge, judge_text(judge, "%s pool allocations have failed since boot",
                               GROUPED(facts->failures)));
    if (facts->failures != NUMBER_UNKNOWN && facts->failures > 0 &&
        verdict == VERDICT_INSUFFICIENT_DATA)
        hint(judge, "allocations failed although both pools are far from their limits: look at the "
                    "session pools, or the pool was full for a moment only");
    if (verdict == VERDICT_SESSION_POOL_EXHAUSTED)
        hint(judge, "a session has a paged pool of its own (window manager, printing, fonts); it "
                    "runs out while the system's pools are fine");
    for (int pool = 0; pool < POOL_COUNT; pool++)
        if (facts->pool[pool].row_count > 0 && !facts->pool[pool].explained)
            hint(judge, judge_text(judge,
                                   "the listed %s tags explain %s only; the rest stands in "
                                   "rows that are not here",
                                   pool == POOL_NONPAGED ? "nonpaged" : "paged",
                                   size_text(facts->pool[pool].listed_bytes, size)));
    if (facts->commit_limit_kb != NUMBER_UNKNOWN && facts->commit_kb != NUMBER_UNKNOWN &&
        facts->commit_limit_kb > 0 &&
        (double)facts->commit_kb >= 0.9 * (double)facts->commit_limit_kb)
        hint(judge, judge_text(judge,
                               "the commit charge stands at %.0f %% of its limit: programs "
                               "or a small page file, look at private bytes of processes",
                               100.0 * (double)facts->commit_kb / (double)facts->commit_limit_kb));
}

static void hints_of_failures(struct judge *judge)
{
    const struct evidence *evidence = &judge->parse->evidence;
    for (size_t i = 0; i < evidence->failure_count && i < 4; i++) {
        const struct failure *failure = &evidence->failures[i];
        if (scan_starts(failure->what, "system PTE"))
            hint(judge,
                 judge_text(
                     judge,
                     "%s allocations of system page table entries have failed%s: address "
                     "space of the kernel is short, this is NOT pool; drivers that map much "
                     "memory, /3GB and large video memory are the usual causes",
                     GROUPED(failure->count),
                     evidence->free_ptes == NUMBER_UNKNOWN
                         ? ""
                         : judge_text(judge, " (%s are free)", GROUPED(evidence->free_ptes))));
        else
            hint(judge, judge_text(judge,
                                   "%s %s have failed: this is not a pool failure, and counters "
                                   "of kernel stacks grow on healthy systems too",
                                   GROUPED(failure->count), failure->what));
    }
    if (evidence->failure_count == 0 && evidence->free_ptes != NUMBER_UNKNOWN &&
        evidence->free_ptes < 4000)
        hint(judge, judge_text(judge,
                               "only %s system page table entries are free: that is not "
                               "pool, but it stops drivers in the same way",
                               GROUPED(evidence->free_ptes)));
}

static void hints_of_suspects(struct judge *judge)
{
    for (size_t i = 0; i < judge->out->suspect_count; i++) {
        const struct diagnose_suspect *suspect = &judge->out->suspects[i];
        const struct object_tag *object = object_of(suspect->tag);
        char tag[TAG_TEXT_MAX];
        tag_format(suspect->tag, tag);
        if (object != NULL)
            hint(judge, judge_text(judge,
                                   "\"%s\" are %s: usually a program that does not close its "
                                   "handles; few handles but many objects mean a driver that keeps "
                                   "references",
                                   tag, object->words));
        if (suspect->framework)
            hint(judge, judge_text(judge,
                                   "\"%s\" is how %s begins: the driver framework's default tag "
                                   "for a driver that sets none",
                                   tag, suspect->driver));
        if (TAG_IN(suspect->tag, shared_tags))
            hint(judge, judge_text(judge,
                                   "\"%s\" is shared by many drivers: the tag alone names "
                                   "nobody, a stack of the allocation does",
                                   tag));
        if (TAG_IN(suspect->tag, cache_tags) && object == NULL)
            hint(judge, judge_text(judge,
                                   "\"%s\" follows open and cached files: a busy file server "
                                   "holds much of it without a leak; see whether it falls "
                                   "when memory is short",
                                   tag));
    }
}

static void hints_of_evidence(struct judge *judge)
{
    const struct evidence *evidence = &judge->parse->evidence;
    const struct process *most = NULL;
    for (size_t i = 0; i < evidence->module_count; i++)
        if (evidence->modules[i].unloaded >= 2 ||
            (evidence->modules[i].unloaded == 1 && evidence->modules[i].loaded))
            hint(judge, judge_text(judge,
                                   "driver %s was unloaded %zu times%s: a driver that is loaded "
                                   "again and again can leave its pool behind each time",
                                   evidence->modules[i].name, evidence->modules[i].unloaded,
                                   evidence->modules[i].loaded ? " and is loaded now" : ""));
    for (size_t i = 0; i < evidence->process_count; i++)
        if (evidence->processes[i].name != NULL &&
            (most == NULL || evidence->processes[i].handles > most->handles))
            most = &evidence->processes[i];
    if (most != NULL && most->handles > 10000)
        hint(judge, judge_text(judge, "process %s holds %s handles: far more than usual",
                               most->name, GROUPED(most->handles)));
    for (size_t i = 0; i < evidence->handle_count; i++)
        if (evidence->handles[i].count > 10000)
            hint(judge, judge_text(judge, "%s handles are of type %s",
                                   GROUPED(evidence->handles[i].count), evidence->handles[i].type));
    if (evidence->lock != NULL && (evidence->lock_contention > 0 || evidence->lock_waiters > 0))
        hint(judge, judge_text(judge,
                               "lock %s is contended (%s times, %s threads wait): work that "
                               "waits there keeps its pool",
                               evidence->lock, GROUPED(evidence->lock_contention),
                               GROUPED(evidence->lock_waiters)));
    for (size_t i = 0; i < evidence->candidate_count && i < 6; i++) {
        char tag[TAG_TEXT_MAX];
        tag_format(evidence->candidates[i].tag, tag);
        hint(judge, judge_text(judge, "the bytes \"%s\" were found in %s: a candidate, not a proof",
                               tag, evidence->candidates[i].driver));
    }
}

/* ---- next steps ------------------------------------------------------------- */

static bool plain_word(const char *tag)
{
    return tag[strcspn(tag, " \\\"*?%&|<>^()")] == '\0';
}

static void steps_for_driver(struct judge *judge, const char *driver)
{
    size_t length = strcspn(driver, " ,");
    if (length > 4 && strncasecmp(driver + length - 4, ".sys", 4) == 0)
        step(judge, judge_text(judge,
                               "lmvm %.*s   (version and vendor of the driver; compare with "
                               "the newest one)",
                               (int)(length - 4), driver));
}

static void steps_for_tag(struct judge *judge, const struct diagnose_suspect *suspect)
{
    char tag[TAG_TEXT_MAX];
    tag_format(suspect->tag, tag);
    bool escaped = strchr(tag, '\\') != NULL;
    /* parts of the kernel own the tag for all their callers: no search of files finds the caller */
    bool kernel = suspect->driver != NULL && strncmp(suspect->driver, "nt!", 3) == 0;
    const struct object_tag *object = object_of(suspect->tag);
    if (object != NULL) {
        step(judge, "Get-Process | Sort-Object HandleCount -Descending | Select-Object -First 10   "
                    "(the process with the most handles)");
        if (object->object != NULL)
            step(judge, judge_text(judge,
                                   "!handle 0 0 0 %s   (in the debugger: handles of that "
                                   "type, by process)",
                                   object->object));
    }
    if (!escaped && !kernel && object == NULL)
        step(judge, judge_text(judge,
                               "findstr /m /l /c:\"%s\" "
                               "%%SystemRoot%%\\System32\\drivers\\*.sys   (drivers that "
                               "hold the bytes of the tag)",
                               tag));
    if (!escaped && !kernel && object == NULL)
        step(judge, judge_text(judge,
                               "!for_each_module s -a @#Base @#End \"%s\"   (the same among "
                               "the loaded modules)",
                               tag));
    if (suspect->driver != NULL)
        steps_for_driver(judge, suspect->driver);
    if (!escaped) {
        if (plain_word(tag))
            step(judge, judge_text(judge,
                                   "!poolfind %s %d   (the blocks themselves; then !pool and "
                                   "dps on one of them)",
                                   tag, suspect->pool == POOL_PAGED ? 1 : 0));
        else
            step(judge, judge_text(judge, "!poolfind -tag \"%s\" -%s   (the blocks themselves)",
                                   tag, suspect->pool == POOL_PAGED ? "paged" : "nonpaged"));
        step(judge, judge_text(judge,
                               "xperf -on PROC_THREAD+LOADER+POOL -stackwalk "
                               "PoolAlloc+PoolFree -PoolTag %s%s%s -BufferSize 1024 "
                               "-MaxFile 1024 -FileMode Circular   (while it grows; stop "
                               "with xperf -d pool.etl: who allocates, with stacks)",
                               plain_word(tag) ? "" : "\"", tag, plain_word(tag) ? "" : "\""));
    }
}

static void steps_in_general(struct judge *judge)
{
    const struct facts *facts = &judge->facts;
    enum verdict verdict = judge->out->verdict;
    if (verdict == VERDICT_NOTHING_WRONG)
        return;
    bool limits = facts->ram_kb != NUMBER_UNKNOWN ||
                  facts->pool[POOL_NONPAGED].max_kb != NUMBER_UNKNOWN ||
                  facts->pool[POOL_PAGED].max_kb != NUMBER_UNKNOWN;
    if (!limits)
        step(judge, "!vm 1   (how large the pools are against their limits)");
    if (verdict == VERDICT_SESSION_POOL_EXHAUSTED ||
        (facts->failures != NUMBER_UNKNOWN && facts->failures > 0 && facts->sessions == 0))
        step(judge, "!vm 4   (session pools, their maxima and failures)");
    if (verdict == VERDICT_SESSION_POOL_EXHAUSTED && facts->worst_session != NULL) {
        step(judge, judge_text(judge, "!session -s %lld; !poolused 8   (tags of that session)",
                               (long long)facts->worst_session->id));
        step(judge, judge_text(judge, "poolmon /s%lld /b   (the same on the running system)",
                               (long long)facts->worst_session->id));
    }
    bool paged = verdict == VERDICT_PAGED_EXHAUSTED || verdict == VERDICT_PAGED_LEAK_SUSPECT;
    if (judge->out->suspect_count == 0 && verdict != VERDICT_SESSION_POOL_EXHAUSTED) {
        if (verdict == VERDICT_INSUFFICIENT_DATA || !paged)
            step(judge, "!poolused /t20 2   (the largest nonpaged tags)");
        if (verdict == VERDICT_INSUFFICIENT_DATA || paged)
            step(judge, "!poolused /t20 4   (the largest paged tags)");
        step(judge, paged ? "poolmon /p /p /b   (the same on the running system)"
                          : "poolmon /p /b   (the same on the running system)");
    }
    if (judge->parse->evidence.failure_count > 0)
        step(judge, "!sysptes 4   (who holds page table entries; needs TrackPtes=1 and a restart)");
    if (facts->screens <= 1 && verdict != VERDICT_SESSION_POOL_EXHAUSTED)
        step(judge, "poolmon /n one.log, an hour later poolmon /n two.log   (what grows between "
                    "two listings)");
}

void judge_advice(struct judge *judge)
{
    struct diagnosis *out = judge->out;
    out->hints = arena_alloc(judge->parse->arena, ADVICE_MAX, sizeof *out->hints);
    out->next_steps = arena_alloc(judge->parse->arena, ADVICE_MAX, sizeof *out->next_steps);
    if (out->hints == NULL || out->next_steps == NULL) {
        judge->parse->failed = true;
        return;
    }
    hints_of_pools(judge);
    hints_of_failures(judge);
    hints_of_suspects(judge);
    hints_of_evidence(judge);
    for (size_t i = 0; i < out->suspect_count && i < 2; i++)
        steps_for_tag(judge, &out->suspects[i]);
    steps_in_general(judge);
}
