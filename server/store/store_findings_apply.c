/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One analysis pass into the tables. What stands there is read and locked first; then each finding
 * is written with the status that its past and the mutes give it, and what the pass did not see
 * again is resolved. The end of a muted finding is told only to those who were told of it before.
 */
#include "server/store/store_findings.h"

#include "server/store/finding_doc.h"
#include "server/store/store_mutes.h"
#include "server/store/store_notify.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A person's "resolved" holds so long against evidence that still shows it: a fix often works only
 * from the next reboot on. */
#define RESOLVED_HOLDS_US US_PER_DAY

static const struct stmt statements[] = {
    STMT("findings_present",
         "SELECT finding_id, status, severity, resolved_at, born_muted,"
         " coalesce((SELECT actor FROM finding_change c WHERE c.finding_id = f.finding_id"
         "   AND change = 'resolved' ORDER BY change_id DESC LIMIT 1), 'analysis')"
         " FROM finding f WHERE status <> 'resolved' OR finding_id = ANY ($1)"
         " ORDER BY finding_id FOR UPDATE OF f",
         "T", "tttzbt"),
    STMT("findings_upsert",
         "INSERT INTO finding (finding_id, kind, status, severity, confidence, pool, tag, tags,"
         " summary, first_seen_at, last_seen_at, opened_at, doc, updated_at, muted_by, muted_until,"
         " born_muted) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15,"
         " $16, $17)"
         " ON CONFLICT (finding_id) DO UPDATE SET kind = excluded.kind, status = excluded.status,"
         " severity = excluded.severity, confidence = excluded.confidence, pool = excluded.pool,"
         " tag = excluded.tag, tags = excluded.tags, summary = excluded.summary,"
         " first_seen_at = least(finding.first_seen_at, excluded.first_seen_at),"
         " last_seen_at = excluded.last_seen_at, doc = excluded.doc,"
         " updated_at = excluded.updated_at,"
         " resolved_at = CASE excluded.status WHEN 'resolved' THEN finding.resolved_at END,"
         " acknowledged_by = CASE excluded.status WHEN 'open' THEN NULL"
         "   ELSE finding.acknowledged_by END,"
         " muted_by = excluded.muted_by, muted_until = excluded.muted_until,"
         " born_muted = excluded.born_muted,"
         " reopened_at = CASE WHEN $18 THEN excluded.opened_at ELSE finding.reopened_at END,"
         " reopened_count = finding.reopened_count + $18::integer",
         "ttttfttTtzzzjzizbb", ""),
    STMT("findings_hosts_clear", "DELETE FROM finding_host WHERE finding_id = $1", "t", ""),
    STMT("findings_hosts_add",
         "INSERT INTO finding_host (finding_id, host_id, position, bytes, cohort_bytes,"
         " cohort_hosts, score, rate_bytes_per_hour, since, exhausts_p10, exhausts_p50,"
         " exhausts_p90, limit_name, process, process_handles, muted_by)"
         " SELECT $1, host.host_id, (h.place - 1)::integer, h.bytes, h.cohort_bytes,"
         " h.cohort_hosts::integer, h.score, h.rate, h.since, h.p10, h.p50, h.p90, h.what,"
         " h.process, h.handles, h.muted_by"
         " FROM unnest($2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::float8[],"
         " $7::float8[], $8::timestamptz[], $9::timestamptz[], $10::timestamptz[],"
         " $11::timestamptz[], $12::text[], $13::text[], $14::bigint[], $15::bigint[])"
         " WITH ORDINALITY AS h (id, bytes, cohort_bytes, cohort_hosts, score, rate, since, p10,"
         " p50, p90, what, process, handles, muted_by, place) JOIN host ON host.id = h.id",
         "tTIIIFFZZZZTTII", ""),
    STMT("findings_hosts_ever",
         "INSERT INTO finding_host_ever (finding_id, host_id, number, first_at, since)"
         " SELECT h.finding_id, h.host_id, (SELECT coalesce(max(number), 0) FROM finding_host_ever"
         "   WHERE finding_id = $1) + row_number() OVER (ORDER BY h.position), $2, h.since"
         " FROM finding_host h WHERE h.finding_id = $1 AND NOT EXISTS ("
         "   SELECT FROM finding_host_ever e WHERE e.finding_id = $1 AND e.host_id = h.host_id)",
         "tz", ""),
    STMT("findings_resolve",
         "UPDATE finding SET status = 'resolved', resolved_at = $2, updated_at = $3,"
         " muted_by = NULL, muted_until = NULL, born_muted = false"
         " WHERE finding_id = $1",
         "tzz", ""),
    STMT("findings_note_change",
         "INSERT INTO finding_change (finding_id, at, actor, change, note)"
         " VALUES ($1, $2, 'analysis', $3, $4)",
         "tztt", ""),
};

enum {
    FINDINGS_PRESENT,
    FINDINGS_UPSERT,
    FINDINGS_HOSTS_CLEAR,
    FINDINGS_HOSTS_ADD,
    FINDINGS_HOSTS_EVER,
    FINDINGS_RESOLVE,
    FINDINGS_NOTE_CHANGE
};

const struct stmt_table store_findings_apply_statements = {statements, sizeof statements /
                                                                           sizeof statements[0]};

struct apply {
    const struct finding_list *list;
    int64_t as_of_us;
    int64_t now_us;
    struct mutes mutes; /* that stand, of this try of the transaction */
};

/* What becomes of a finding that this pass has seen. */
struct verdict {
    enum finding_status status;
    const char *change; /* NULL: nothing to write into its history */
    char note[96];      /* for the history; "": none. Two counts or a key, and a few words */
    bool reopened;      /* it was resolved */
    bool born_muted;
    struct mute_cover cover;
};

static enum status note_change(struct db *db, const struct apply *apply, const char *id,
                               const char *change, const char *note, struct err *err)
{
    struct db_params params = {0};

    db_p_text(&params, id);
    db_p_time(&params, apply->as_of_us);
    db_p_text(&params, change);
    db_p_text(&params, note);
    return db_exec(db, &statements[FINDINGS_NOTE_CHANGE], &params, NULL, err);
}

/* Everybody who wants to hear of it gets it with this transaction or not at all. */
static enum status tell(struct db *db, const struct apply *apply, const char *id,
                        enum notify_event event, const char *severity_before, struct err *err)
{
    const struct notify_change change = {id, event, apply->now_us, severity_before};
    return store_notify_change(db, &change, err);
}

/* ---- one finding ------------------------------------------------------------ */

static enum status write_row(struct db *db, const struct apply *apply,
                             const struct finding *finding, const struct verdict *verdict,
                             struct err *err)
{
    AUTO_STRBUF struct strbuf doc = STRBUF_INIT;
    AUTO_FREE char(*texts)[TAG_TEXT_MAX] = calloc(finding->tag_count + 1, sizeof *texts);
    AUTO_FREE const char **tags = calloc(finding->tag_count + 1, sizeof *tags);
    char tag[TAG_TEXT_MAX];
    struct db_params params = {0};

    finding_doc_write(finding, &doc);
    if (texts == NULL || tags == NULL || strbuf_failed(&doc))
        return err_set(err, ST_NOMEM, "could not store a finding: out of memory");
    for (size_t i = 0; i < finding->tag_count; i++) {
        tag_format(finding->tags[i], texts[i]);
        tags[i] = texts[i];
    }
    tag_format(finding->tag, tag);
    db_p_text(&params, finding->id);
    db_p_text(&params, finding_kind_name(finding->kind));
    db_p_text(&params, finding_status_name(verdict->status));
    db_p_text(&params, finding_severity_name(finding->severity));
    db_p_f64(&params, finding->confidence);
    db_p_text(&params, pool_name(finding->pool));
    db_p_text(&params, tag);
    db_p_text_array(&params, tags, finding->tag_count);
    db_p_text(&params, finding->summary);
    db_p_time(&params, finding->first_seen_us);
    db_p_time(&params, finding->last_seen_us);
    db_p_time(&params, apply->as_of_us);
    db_p_json(&params, doc.data);
    db_p_time(&params, apply->now_us);
    if (verdict->status == FINDING_MUTED)
        db_p_i64(&params, verdict->cover.by);
    else
        db_p_null(&params, 'i');
    db_p_time(&params, verdict->status == FINDING_MUTED ? verdict->cover.until_us : TIME_UNKNOWN);
    db_p_bool(&params, verdict->born_muted);
    db_p_bool(&params, verdict->reopened);
    return db_exec(db, &statements[FINDINGS_UPSERT], &params, NULL, err);
}

/* The hosts of one finding as columns. */
struct host_columns {
    const char **ids, **limits, **processes;
    int64_t *bytes, *cohort_bytes, *cohort_hosts, *handles, *muted_by, *since, *p10, *p50, *p90;
    double *scores, *rates;
};

static bool host_columns_alloc(struct arena *arena, size_t count, struct host_columns *columns)
{
    const char ***texts[] = {&columns->ids, &columns->limits, &columns->processes};
    int64_t **numbers[] = {&columns->bytes,   &columns->cohort_bytes, &columns->cohort_hosts,
                           &columns->handles, &columns->muted_by,     &columns->since,
                           &columns->p10,     &columns->p50,          &columns->p90};
    double **reals[] = {&columns->scores, &columns->rates};
    bool ok = true;

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        ok = (*texts[i] = arena_alloc(arena, count, sizeof **texts[i])) != NULL && ok;
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        ok = (*numbers[i] = arena_alloc(arena, count, sizeof **numbers[i])) != NULL && ok;
    for (size_t i = 0; i < sizeof reals / sizeof reals[0]; i++)
        ok = (*reals[i] = arena_alloc(arena, count, sizeof **reals[i])) != NULL && ok;
    return ok;
}

static int64_t whole(uint64_t value)
{
    return value > INT64_MAX ? INT64_MAX : (int64_t)value;
}

static void host_columns_fill(const struct finding *finding, const int64_t *muted_by,
                              struct host_columns *to)
{
    for (size_t i = 0; i < finding->host_count; i++) {
        const struct finding_host *host = &finding->hosts[i];
        to->ids[i] = host->id;
        to->bytes[i] = whole(host->bytes);
        to->cohort_bytes[i] = host->cohort_hosts == 0 ? INT64_MIN : whole(host->cohort_bytes);
        to->cohort_hosts[i] = (int64_t)host->cohort_hosts;
        to->scores[i] = host->score;
        to->rates[i] = host->rate_bytes_per_hour;
        to->since[i] = host->since_us;
        to->p10[i] = host->exhausts_p10_us;
        to->p50[i] = host->exhausts_p50_us;
        to->p90[i] = host->exhausts_p90_us;
        to->limits[i] = host->limit;
        to->processes[i] = host->process;
        to->handles[i] = host->process_handles < 0 ? INT64_MIN : host->process_handles;
        to->muted_by[i] = muted_by[i] == 0 ? INT64_MIN : muted_by[i];
    }
}

static enum status write_ever(struct db *db, const struct apply *apply, const char *id,
                              struct err *err)
{
    struct db_params params = {0};

    db_p_text(&params, id);
    db_p_time(&params, apply->as_of_us);
    return db_exec(db, &statements[FINDINGS_HOSTS_EVER], &params, NULL, err);
}

static enum status write_hosts(struct db *db, const struct finding *finding,
                               const int64_t *muted_by, struct err *err)
{
    AUTO_ARENA struct arena arena = {0};
    struct host_columns columns;
    struct db_params params = {0};
    size_t count = finding->host_count;

    db_p_text(&params, finding->id);
    enum status status = db_exec(db, &statements[FINDINGS_HOSTS_CLEAR], &params, NULL, err);
    if (status != ST_OK || count == 0)
        return status;
    if (!host_columns_alloc(&arena, count, &columns))
        return err_set(err, ST_NOMEM, "could not store a finding: out of memory");
    host_columns_fill(finding, muted_by, &columns);
    db_p_text_array(&params, columns.ids, count);
    db_p_i64_array(&params, columns.bytes, count);
    db_p_i64_array(&params, columns.cohort_bytes, count);
    db_p_i64_array(&params, columns.cohort_hosts, count);
    db_p_f64_array(&params, columns.scores, count);
    db_p_f64_array(&params, columns.rates, count);
    db_p_time_array(&params, columns.since, count);
    db_p_time_array(&params, columns.p10, count);
    db_p_time_array(&params, columns.p50, count);
    db_p_time_array(&params, columns.p90, count);
    db_p_text_array(&params, columns.limits, count);
    db_p_text_array(&params, columns.processes, count);
    db_p_i64_array(&params, columns.handles, count);
    db_p_i64_array(&params, columns.muted_by, count);
    return db_exec(db, &statements[FINDINGS_HOSTS_ADD], &params, NULL, err);
}

/* ---- the life cycle --------------------------------------------------------- */

struct present {
    bool known;
    enum finding_status status;
    enum finding_severity severity;
    int64_t resolved_at_us;
    bool born_muted;
    bool by_person;
};

static void present_read(const struct db_result *result, size_t row, struct present *ret_present)
{
    struct present present = {.known = true,
                              .resolved_at_us = db_time(result, row, 3),
                              .born_muted = db_bool(result, row, 4),
                              .by_person = strcmp(db_text(result, row, 5), "analysis") != 0};

    if (!finding_status_parse(db_text(result, row, 1), &present.status))
        present.status = FINDING_OPEN;
    if (!finding_severity_parse(db_text(result, row, 2), &present.severity))
        present.severity = SEVERITY_INFO;
    *ret_present = present;
}

/* A person's word holds against evidence for a while. */
static bool stays_resolved(const struct present *present, const struct apply *apply)
{
    return present->status == FINDING_RESOLVED && present->by_person &&
           present->resolved_at_us != TIME_UNKNOWN &&
           apply->as_of_us - present->resolved_at_us < RESOLVED_HOLDS_US;
}

/* cover is filled already. */
static void judge(const struct present *present, const struct apply *apply,
                  const struct finding *finding, struct verdict *verdict)
{
    const struct mute_cover *cover = &verdict->cover;
    bool fresh = !present->known || present->status == FINDING_RESOLVED;
    bool was_muted = present->known && present->status == FINDING_MUTED;

    if (present->known && stays_resolved(present, apply)) {
        verdict->status = FINDING_RESOLVED;
        return;
    }
    verdict->reopened = present->known && fresh;
    verdict->status = cover->whole         ? FINDING_MUTED
                      : fresh || was_muted ? FINDING_OPEN
                                           : present->status;
    verdict->born_muted = cover->whole && (fresh || (was_muted && present->born_muted));
    if (cover->whole && !was_muted) {
        verdict->change = !present->known ? "born muted" : fresh ? "reopened, muted" : "muted";
        snprintf(verdict->note, sizeof verdict->note, "by mute %lld", (long long)cover->by);
    } else if (fresh) {
        verdict->change = present->known ? "reopened" : "opened";
    } else if (was_muted && !cover->whole) {
        verdict->change = "unmuted";
        snprintf(verdict->note, sizeof verdict->note,
                 cover->hosts > 0 ? "%zu of %zu hosts are outside of every mute"
                                  : "no mute covers it any more",
                 finding->host_count - cover->hosts, finding->host_count);
    }
}

/* What others hear of it, once: that it is there, that it is back, or that it got worse or better.
 * Nobody hears of what is muted. */
static enum status tell_verdict(struct db *db, const struct apply *apply,
                                const struct finding *finding, const struct present *present,
                                const struct verdict *verdict, struct err *err)
{
    bool told_anew = !present->known || (present->born_muted && !verdict->reopened);

    if (verdict->status != FINDING_OPEN && verdict->status != FINDING_ACKNOWLEDGED)
        return ST_OK;
    if (verdict->change != NULL)
        return tell(db, apply, finding->id, told_anew ? NOTIFY_OPENED : NOTIFY_REOPENED, NULL, err);
    if (present->severity == finding->severity)
        return ST_OK;
    return tell(db, apply, finding->id, NOTIFY_SEVERITY, finding_severity_name(present->severity),
                err);
}

static enum status write_finding(struct db *db, const struct apply *apply,
                                 const struct finding *finding, const struct present *present,
                                 const struct verdict *verdict, struct err *err)
{
    enum status status = write_row(db, apply, finding, verdict, err);

    if (status == ST_OK)
        status = write_hosts(db, finding, verdict->cover.hosts_by, err);
    if (status == ST_OK)
        status = write_ever(db, apply, finding->id, err);
    if (status == ST_OK && verdict->change != NULL)
        status = note_change(db, apply, finding->id, verdict->change,
                             verdict->note[0] == '\0' ? NULL : verdict->note, err);
    if (status == ST_OK)
        status = tell_verdict(db, apply, finding, present, verdict, err);
    if (status != ST_OK || !present->known || present->severity == finding->severity)
        return status;
    char note[32]; /* two names of at most 8 letters */
    snprintf(note, sizeof note, "%s to %s", finding_severity_name(present->severity),
             finding_severity_name(finding->severity));
    return note_change(db, apply, finding->id, "severity", note, err);
}

static enum status apply_finding(struct db *db, const struct apply *apply,
                                 const struct finding *finding, const struct present *present,
                                 struct err *err)
{
    struct verdict verdict = {.status = FINDING_OPEN};
    enum status status =
        mute_cover(apply->mutes.items, apply->mutes.count, finding, apply->now_us, &verdict.cover);

    if (status != ST_OK)
        return err_set(err, status, "could not store a finding: out of memory");
    judge(present, apply, finding, &verdict);
    status = write_finding(db, apply, finding, present, &verdict, err);
    mute_cover_done(&verdict.cover);
    return status;
}

static enum status resolve(struct db *db, const struct apply *apply, const char *id,
                           struct err *err)
{
    struct db_params params = {0};

    db_p_text(&params, id);
    db_p_time(&params, apply->as_of_us);
    db_p_time(&params, apply->now_us);
    enum status status = db_exec(db, &statements[FINDINGS_RESOLVE], &params, NULL, err);
    if (status != ST_OK)
        return status;
    status = note_change(db, apply, id, "resolved", "not seen any more", err);
    return status == ST_OK ? tell(db, apply, id, NOTIFY_RESOLVED, NULL, err) : status;
}

static bool list_has(const struct finding_list *list, const char *id)
{
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->items[i].id, id) == 0)
            return true;
    return false;
}

static enum status resolve_gone(struct db *db, const struct apply *apply,
                                const struct db_result *result, struct err *err)
{
    enum status status = ST_OK;

    for (size_t row = 0; status == ST_OK && row < db_rows(result); row++) {
        struct present present;
        present_read(result, row, &present);
        if (present.status != FINDING_RESOLVED && !list_has(apply->list, db_text(result, row, 0)))
            status = resolve(db, apply, db_text(result, row, 0), err);
    }
    return status;
}

static enum status apply_tx(struct db *db, void *arg, struct err *err)
{
    struct apply *apply = arg;
    AUTO_DBRESULT struct db_result *result = NULL;
    AUTO_FREE const char **ids = calloc(apply->list->count + 1, sizeof *ids);
    struct db_params params = {0};

    if (ids == NULL)
        return err_set(err, ST_NOMEM, "could not store findings: out of memory");
    for (size_t i = 0; i < apply->list->count; i++)
        ids[i] = apply->list->items[i].id;
    db_p_text_array(&params, ids, apply->list->count);
    enum status status = db_exec(db, &statements[FINDINGS_PRESENT], &params, &result, err);
    mutes_done(&apply->mutes); /* of an earlier try */
    if (status == ST_OK)
        status = store_mutes_standing(db, apply->now_us, &apply->mutes, err);
    for (size_t i = 0; status == ST_OK && i < apply->list->count; i++) {
        struct present present = {0};
        for (size_t row = 0; row < db_rows(result) && !present.known; row++)
            if (strcmp(db_text(result, row, 0), ids[i]) == 0)
                present_read(result, row, &present);
        status = apply_finding(db, apply, &apply->list->items[i], &present, err);
    }
    return status == ST_OK ? resolve_gone(db, apply, result, err) : status;
}

enum status store_findings_apply(struct db *db, const struct finding_list *list, int64_t as_of_us,
                                 struct err *err)
{
    struct apply apply = {.list = list, .as_of_us = as_of_us, .now_us = clock_wall_us()};
    enum status status = db_tx(db, "findings_apply", apply_tx, &apply, err);

    mutes_done(&apply.mutes);
    return status;
}
