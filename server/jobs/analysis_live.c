/* SPDX-License-Identifier: Apache-2.0 */
#include "server/jobs/analysis_live_inside.h"
#include "server/jobs/analysis_run.h"
#include "server/store/store_arrived.h"
#include "server/store/store_driver_files.h"

#include <stdlib.h>
#include <string.h>

#define LEASE_WAIT_US (30 * US_PER_SECOND)
/* Documents are read so much of arrival at a time: at 1,000 a second some 30 MB. Chosen. */
#define WINDOW_US (10 * US_PER_SECOND)
/* A transaction may commit rows after others with a newer received_at were seen: look back. */
#define OVERLAP_US (2 * US_PER_MINUTE)
/* Behind by more, everything is read again: blocks are kept for three hours at least. */
#define BEHIND_US (2 * US_PER_HOUR)

struct analysis_live *analysis_live_new(void)
{
    struct analysis_live *live = calloc(1, sizeof *live);

    if (live != NULL)
        live->mark_us = TIME_UNKNOWN;
    return live;
}

static void forget(struct analysis_live *live)
{
    for (size_t i = 0; i < live->count; i++)
        kept_free(live->entries[i].kept);
    free(live->entries);
    analysis_free(live->analysis);
    *live = (struct analysis_live){.mark_us = TIME_UNKNOWN};
}

void analysis_live_free(struct analysis_live *live)
{
    if (live == NULL)
        return;
    forget(live);
    free(live);
}

static struct entry *find(const struct analysis_live *live, int64_t key)
{
    size_t low = 0, high = live->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (live->entries[middle].key < key)
            low = middle + 1;
        else
            high = middle;
    }
    return low < live->count && live->entries[low].key == key ? &live->entries[low] : NULL;
}

/* ---- one pass on its way ---------------------------------------------------- */

struct pass {
    struct analysis_live *live;
    struct db *db;
    const struct analysis_live_options *options;
    struct analysis_live_pass told;
    int64_t now_us;
    bool unknown; /* a document of the overlap is not known */
};

static bool stops(const struct pass *pass)
{
    return pass->options->stop != NULL && atomic_load(pass->options->stop);
}

static void want(struct pass *pass, struct entry *entry)
{
    if (!entry->wanted)
        entry->since_us = pass->now_us;
    entry->wanted = true;
}

/* ---- what has arrived -------------------------------------------------------- */

static enum status take(const struct store_arrival *arrival, void *arg)
{
    struct pass *pass = arg;
    struct entry *entry = find(pass->live, arrival->host_key);
    const struct snapshot *snapshot = &arrival->snapshot;

    if (entry == NULL || entry->kept == NULL)
        return ST_OK; /* it will be read from cold */
    if (kept_knows(entry->kept, snapshot->taken_at_us, arrival->received_us))
        return ST_OK;
    struct kept_document document = {.point = {.taken_at_us = snapshot->taken_at_us,
                                               .boot_at_us = snapshot->boot_at_us,
                                               .totals = &snapshot->totals,
                                               .table = snapshot->table,
                                               .objects = snapshot->objects,
                                               .object_count = snapshot->object_count,
                                               .processes = snapshot->processes,
                                               .process_count = snapshot->process_count,
                                               .sessions = snapshot->sessions,
                                               .session_count = snapshot->session_count,
                                               .events = snapshot->events,
                                               .event_count = snapshot->event_count},
                                     .sequence = snapshot->sequence,
                                     .base = snapshot->base,
                                     .received_us = arrival->received_us,
                                     .complete = arrival->complete,
                                     .details = arrival->details};
    enum status status = kept_put(entry->kept, &document);
    entry->news = true;
    if (snapshot->taken_at_us > pass->told.as_of_us)
        pass->told.as_of_us = snapshot->taken_at_us;
    pass->told.documents++;
    if (kept_lost(entry->kept))
        want(pass, entry);
    return status;
}

static enum status look(const struct store_arrival *arrival, void *arg)
{
    struct pass *pass = arg;
    struct entry *entry = find(pass->live, arrival->host_key);

    pass->unknown = pass->unknown || entry == NULL ||
                    (entry->kept != NULL && !entry->wanted &&
                     !kept_knows(entry->kept, arrival->snapshot.taken_at_us, arrival->received_us));
    return ST_OK;
}

static enum status take_window(struct pass *pass, int64_t after_us, int64_t until_us,
                               const int64_t *keys, size_t key_count, struct err *err)
{
    if (stops(pass))
        return err_set(err, ST_TIMEOUT, "the analysis was given up: the server stops");
    return store_arrived(pass->db, after_us, until_us, keys, key_count, take, pass, err);
}

/* Documents near the mark mostly are known: that is looked at first. */
static enum status take_arrived(struct pass *pass, struct err *err)
{
    struct analysis_live *live = pass->live;
    AUTO_FREE int64_t *keys = calloc(live->count + 1, sizeof *keys);
    size_t count = 0;

    if (keys == NULL)
        return err_set(err, ST_NOMEM, "could not analyze: out of memory");
    for (size_t i = 0; i < live->count; i++) {
        const struct entry *entry = &live->entries[i];
        if (entry->kept != NULL && kept_wants_details(entry->kept, pass->told.as_of_us))
            keys[count++] = entry->key;
    }
    int64_t mark = live->mark_us;
    int64_t overlap = pass->options->overlap_us == 0 ? OVERLAP_US : pass->options->overlap_us;
    enum status status = store_arrived_keys(pass->db, mark - overlap, mark, look, pass, err);
    for (int64_t at = mark - overlap; status == ST_OK && pass->unknown && at < mark;
         at += WINDOW_US)
        status =
            take_window(pass, at, at + WINDOW_US < mark ? at + WINDOW_US : mark, keys, count, err);
    for (int64_t at = mark; status == ST_OK && at < pass->now_us; at += WINDOW_US) {
        int64_t until = at + WINDOW_US < pass->now_us ? at + WINDOW_US : pass->now_us;
        status = take_window(pass, at, until, keys, count, err);
        if (status == ST_OK)
            live->mark_us = until;
    }
    return status;
}

/* Nothing is known yet, or too much was missed: begins with what is stored. */
static enum status check_mark(struct pass *pass, struct analyze_options *all, struct err *err)
{
    struct analysis_live *live = pass->live;
    int64_t since = TIME_UNKNOWN;
    enum status status = store_arrived_since(pass->db, &since, err);

    if (status != ST_OK)
        return status;
    bool missed = live->mark_us != TIME_UNKNOWN && (pass->now_us - live->mark_us > BEHIND_US ||
                                                    live->mark_us > pass->now_us + OVERLAP_US ||
                                                    since == TIME_UNKNOWN || since > live->mark_us);
    if (missed)
        forget(live);
    if (live->analysis == NULL)
        status = analysis_new(all, &live->analysis, err);
    if (status != ST_OK || live->mark_us != TIME_UNKNOWN)
        return status;
    live->mark_us = pass->now_us;
    if (since != TIME_UNKNOWN)
        status = checkpoint_load(live, pass->db, since, pass->options->stop, &pass->told, err);
    if (status != ST_OK)
        forget(live); /* all of it the next time */
    return status;
}

/* ---- which hosts there are ---------------------------------------------------- */

static int by_key(const void *a, const void *b)
{
    int64_t x = ((const struct entry *)a)->key, y = ((const struct entry *)b)->key;
    return x < y ? -1 : x > y;
}

/* New ones are to be read; those that are gone are let go. */
static enum status match_hosts(struct pass *pass, const struct store_host_refs *refs,
                               struct err *err)
{
    struct analysis_live *live = pass->live;
    struct entry *entries = calloc(refs->count + 1, sizeof *entries);

    if (entries == NULL)
        return err_set(err, ST_NOMEM, "could not analyze: out of memory");
    for (size_t i = 0; i < refs->count; i++) {
        struct entry *was = find(live, refs->items[i].key);
        entries[i] = was != NULL ? *was
                                 : (struct entry){.key = refs->items[i].key,
                                                  .wanted = true,
                                                  .since_us = pass->now_us,
                                                  .stored_us = TIME_UNKNOWN};
        if (was == NULL)
            continue;
        if (was->kept != NULL && !kept_is_named(was->kept, refs->items[i].name))
            entries[i].facts = true;
        was->kept = NULL;
    }
    for (size_t i = 0; i < live->count; i++)
        kept_free(live->entries[i].kept);
    free(live->entries);
    qsort(entries, refs->count, sizeof *entries, by_key);
    live->entries = entries;
    live->count = refs->count;
    return ST_OK;
}

static enum status match_facts(struct pass *pass, struct err *err)
{
    AUTO_FREE struct store_facts_mark *marks = NULL;
    size_t count = 0;
    enum status status = store_facts_marks(pass->db, &marks, &count, err);

    for (size_t i = 0; status == ST_OK && i < count; i++) {
        struct entry *entry = find(pass->live, marks[i].key);
        if (entry == NULL)
            continue;
        if (memcmp(entry->attributes, marks[i].attributes, sizeof entry->attributes) != 0 ||
            memcmp(entry->drivers, marks[i].drivers, sizeof entry->drivers) != 0)
            entry->facts = true;
        memcpy(entry->attributes, marks[i].attributes, sizeof entry->attributes);
        memcpy(entry->drivers, marks[i].drivers, sizeof entry->drivers);
    }
    return status;
}

/* ---- reading from cold -------------------------------------------------------- */

static int by_ref_key(const void *a, const void *b)
{
    int64_t x = (*(const struct store_host_ref *const *)a)->key;
    int64_t y = (*(const struct store_host_ref *const *)b)->key;
    return x < y ? -1 : x > y;
}

static enum status trim(struct pass *pass, struct err *err)
{
    struct analysis_live *live = pass->live;
    AUTO_FREE struct kept **kept = calloc(live->count + 1, sizeof *kept);
    size_t count = 0;

    if (kept == NULL)
        return err_set(err, ST_NOMEM, "could not analyze: out of memory");
    for (size_t i = 0; i < live->count; i++) {
        if (live->entries[i].kept != NULL)
            kept[count++] = live->entries[i].kept;
    }
    return analysis_trim(live->analysis, kept, count, err);
}

static const struct store_host_ref **refs_by_key(const struct store_host_refs *refs)
{
    const struct store_host_ref **sorted = calloc(refs->count + 1, sizeof *sorted);

    for (size_t i = 0; sorted != NULL && i < refs->count; i++)
        sorted[i] = &refs->items[i];
    if (sorted != NULL && refs->count > 0)
        qsort(sorted, refs->count, sizeof *sorted, by_ref_key);
    return sorted;
}

static enum status read_cold(struct pass *pass, struct entry *entry,
                             const struct store_host_ref *ref, struct err *err)
{
    if (entry->kept == NULL)
        entry->kept = kept_new();
    if (entry->kept == NULL)
        return err_set(err, ST_NOMEM, "could not analyze: out of memory");
    entry->wanted = entry->facts = false;
    entry->news = true;
    entry->since_us = pass->now_us;
    pass->told.cold++;
    return analysis_read_host(pass->db, pass->live->analysis, ref, pass->told.as_of_us, entry->kept,
                              err);
}

static enum status tell_again(struct pass *pass, struct entry *entry,
                              const struct store_host_ref *ref, struct err *err)
{
    AUTO_STORE_FACTS struct store_facts facts = {0};
    struct analyze_fact *list = NULL;
    enum status status =
        analysis_read_facts(pass->db, entry->key, pass->told.as_of_us, &facts, &list, err);

    if (status != ST_OK)
        return status;
    struct analyze_host host = {
        .id = ref->id, .name = ref->name, .facts = list, .fact_count = facts.count};
    entry->facts = false;
    return analysis_tell(pass->live->analysis, entry->kept, &host, err);
}

struct turn {
    int64_t since_us;
    size_t place;
};

static int by_since(const void *a, const void *b)
{
    const struct turn *x = a, *y = b;
    if (x->since_us != y->since_us)
        return x->since_us < y->since_us ? -1 : 1;
    return x->place < y->place ? -1 : x->place > y->place;
}

/* Those that wait longest first, as long as the budget lasts. */
static enum status read_wanted(struct pass *pass, const struct store_host_ref **refs,
                               struct err *err)
{
    struct analysis_live *live = pass->live;
    AUTO_FREE struct turn *turns = calloc(live->count + 1, sizeof *turns);
    int64_t end = clock_mono_us() + pass->options->budget_us;
    enum status status = ST_OK;
    size_t count = 0, unread = 0;

    if (turns == NULL)
        return err_set(err, ST_NOMEM, "could not analyze: out of memory");
    for (size_t i = 0; i < live->count; i++) {
        struct entry *entry = &live->entries[i];
        if (entry->kept != NULL && kept_facts_due(entry->kept))
            entry->facts = true;
        if (entry->wanted || entry->facts)
            turns[count++] = (struct turn){entry->since_us, i};
    }
    if (count > 0)
        qsort(turns, count, sizeof *turns, by_since);
    size_t done = 0;
    for (; status == ST_OK && done < count && (done == 0 || clock_mono_us() < end); done++) {
        struct entry *entry = &live->entries[turns[done].place];
        const struct store_host_ref *ref = refs[turns[done].place];
        if (stops(pass))
            return err_set(err, ST_TIMEOUT, "the analysis was given up: the server stops");
        status =
            entry->wanted ? read_cold(pass, entry, ref, err) : tell_again(pass, entry, ref, err);
    }
    for (size_t i = 0; i < live->count; i++)
        unread += live->entries[i].kept == NULL;
    pass->told.waiting = count - done;
    live->complete = live->complete || (status == ST_OK && unread == 0);
    return status;
}

/* ---- a pass --------------------------------------------------------------------- */

/* For hosts to be read or added as of the newest document there is. */
static void again(struct pass *pass, struct analyze_options *all)
{
    all->as_of_us = pass->told.as_of_us;
    analysis_again(pass->live->analysis, all);
}

static enum status read_all(struct pass *pass, struct analyze_options *all, struct err *err)
{
    struct analysis_live *live = pass->live;
    AUTO_STORE_HOST_REFS struct store_host_refs refs = {0};
    enum status status = check_mark(pass, all, err);

    if (status == ST_OK && live->count > 0)
        status = take_arrived(pass, err);
    if (status == ST_OK)
        status = store_hosts_keys(pass->db, pass->told.as_of_us, &refs, err);
    if (status == ST_OK)
        status = match_hosts(pass, &refs, err);
    if (status == ST_OK)
        status = match_facts(pass, err);
    if (status == ST_OK)
        status = trim(pass, err);
    if (status != ST_OK)
        return status;
    AUTO_FREE const struct store_host_ref **sorted = refs_by_key(&refs);
    again(pass, all);
    return sorted == NULL ? err_set(err, ST_NOMEM, "could not analyze: out of memory")
                          : read_wanted(pass, sorted, err);
}

static enum status find_all(struct pass *pass, struct finding_list *ret_list, struct err *err)
{
    struct analysis_live *live = pass->live;
    enum status status = ST_OK;

    for (size_t i = 0; status == ST_OK && i < live->count; i++) {
        if (stops(pass))
            return err_set(err, ST_TIMEOUT, "the analysis was given up: the server stops");
        struct kept *kept = live->entries[i].kept;
        if (kept == NULL)
            continue;
        status = analysis_add_kept(live->analysis, kept, pass->options->age_us, err);
        pass->told.bytes += kept_bytes(kept);
    }
    return status == ST_OK ? analysis_finish(live->analysis, ret_list, err) : status;
}

enum status analysis_live_pass(struct analysis_live *live, struct db_pool *pool,
                               const struct analysis_live_options *options,
                               struct analysis_live_pass *ret_pass, struct finding_list *ret_list,
                               struct err *err)
{
    AUTO_DBLEASE struct db *db = NULL;
    AUTO_TAG_DRIVERS struct tag_drivers drivers = {0};
    struct analyze_options all = {.tagdict = options->tagdict};
    struct pass pass = {.live = live, .options = options, .now_us = clock_wall_us()};
    enum status status = db_lease(pool, LEASE_WAIT_US, &db, err);

    pass.db = db;
    if (status == ST_OK)
        status = analysis_newest(db, &pass.told.as_of_us, err);
    if (status != ST_OK || pass.told.as_of_us == TIME_UNKNOWN) {
        *ret_pass = pass.told;
        return status;
    }
    status = read_all(&pass, &all, err);
    if (status == ST_OK)
        status = analysis_read_owners(db, pass.told.as_of_us, &drivers, &all, err);
    pass.told.hosts = live->count;
    pass.told.complete = live->complete;
    if (status == ST_OK && live->complete) {
        again(&pass, &all);
        status = find_all(&pass, ret_list, err);
    }
    *ret_pass = pass.told;
    return status;
}
