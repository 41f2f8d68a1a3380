/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One analysis pass into the tables. What stands there is read and locked first; then each finding
 * is written with the status that the table of transitions gives it, and what the pass did not see
 * again is resolved. A muted finding that is gone stays muted: its return is no news.
 */
#include "server/store/store_findings.h"

#include "server/store/finding_doc.h"
#include "server/store/store_notify.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A person's "resolved" holds so long against evidence that still shows it: a fix often works only
 * from the next reboot on. */
#define RESOLVED_HOLDS_US US_PER_DAY

static const struct stmt statements[] = {
    STMT("findings_present",
         "SELECT finding_id, status, severity, muted_until, resolved_at,"
         " coalesce((SELECT actor FROM finding_change c WHERE c.finding_id = f.finding_id"
         "   AND change = 'resolved' ORDER BY change_id DESC LIMIT 1), 'analysis')"
         " FROM finding f WHERE status <> 'resolved' OR finding_id = ANY ($1)"
         " ORDER BY finding_id FOR UPDATE OF f",
         "T", "tttzzt"),
    STMT("findings_upsert",
         "INSERT INTO finding (finding_id, kind, status, severity, confidence, pool, tag, tags,"
         " summary, first_seen_at, last_seen_at, opened_at, doc, updated_at)"
         " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)"
         " ON CONFLICT (finding_id) DO UPDATE SET kind = excluded.kind, status = excluded.status,"
         " severity = excluded.severity, confidence = excluded.confidence, pool = excluded.pool,"
         " tag = excluded.tag, tags = excluded.tags, summary = excluded.summary,"
         " first_seen_at = least(finding.first_seen_at, excluded.first_seen_at),"
         " last_seen_at = excluded.last_seen_at, doc = excluded.doc,"
         " updated_at = excluded.updated_at,"
         " resolved_at = CASE excluded.status WHEN 'resolved' THEN finding.resolved_at END,"
         " muted_until = CASE excluded.status WHEN 'muted' THEN finding.muted_until END",
         "ttttfttTtzzzjz", ""),
    STMT("findings_hosts_clear", "DELETE FROM finding_host WHERE finding_id = $1", "t", ""),
    STMT("findings_hosts_add",
         "INSERT INTO finding_host (finding_id, host_id, position, bytes, cohort_bytes,"
         " cohort_hosts, score, rate_bytes_per_hour, since, exhausts_p10, exhausts_p50,"
         " exhausts_p90, limit_name, process, process_handles)"
         " SELECT $1, host.host_id, (h.place - 1)::integer, h.bytes, h.cohort_bytes,"
         " h.cohort_hosts::integer, h.score, h.rate, h.since, h.p10, h.p50, h.p90, h.what,"
         " h.process, h.handles"
         " FROM unnest($2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::float8[],"
         " $7::float8[], $8::timestamptz[], $9::timestamptz[], $10::timestamptz[],"
         " $11::timestamptz[], $12::text[], $13::text[], $14::bigint[])"
         " WITH ORDINALITY AS h (id, bytes, cohort_bytes, cohort_hosts, score, rate, since, p10,"
         " p50, p90, what, process, handles, place) JOIN host ON host.id = h.id",
         "tTIIIFFZZZZTTI", ""),
    STMT("findings_resolve",
         "UPDATE finding SET status = 'resolved', resolved_at = $2, updated_at = $3"
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
    FINDINGS_RESOLVE,
    FINDINGS_NOTE_CHANGE
};

const struct stmt_table store_findings_apply_statements = {statements, sizeof statements /
                                                                           sizeof statements[0]};

struct apply {
    const struct finding_list *list;
    int64_t as_of_us;
    int64_t now_us;
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

/* ---- one finding
 * -------------------------------------------------------------------------------------- */

static enum status write_row(struct db *db, const struct apply *apply,
                             const struct finding *finding, enum finding_status as, struct err *err)
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
    db_p_text(&params, finding_status_name(as));
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
    return db_exec(db, &statements[FINDINGS_UPSERT], &params, NULL, err);
}

/* The hosts of one finding as columns. */
struct host_columns {
    const char **ids, **limits, **processes;
    int64_t *bytes, *cohort_bytes, *cohort_hosts, *handles, *since, *p10, *p50, *p90;
    double *scores, *rates;
};

static bool host_columns_alloc(struct arena *arena, size_t count, struct host_columns *columns)
{
    const char ***texts[] = {&columns->ids, &columns->limits, &columns->processes};
    int64_t **numbers[] = {&columns->bytes,   &columns->cohort_bytes, &columns->cohort_hosts,
                           &columns->handles, &columns->since,        &columns->p10,
                           &columns->p50,     &columns->p90};
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

static void host_columns_fill(const struct finding *finding, struct host_columns *to)
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
    }
}

static enum status write_hosts(struct db *db, const struct finding *finding, struct err *err)
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
    host_columns_fill(finding, &columns);
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
    return db_exec(db, &statements[FINDINGS_HOSTS_ADD], &params, NULL, err);
}

/* ---- the life cycle
 * ------------------------------------------------------------------------------------ */

struct present {
    bool known;
    enum finding_status status;
    enum finding_severity severity;
    int64_t muted_until_us;
    int64_t resolved_at_us;
    bool by_person;
};

static void present_read(const struct db_result *result, size_t row, struct present *ret_present)
{
    struct present present = {.known = true,
                              .muted_until_us = db_time(result, row, 3),
                              .resolved_at_us = db_time(result, row, 4),
                              .by_person = strcmp(db_text(result, row, 5), "analysis") != 0};

    if (!finding_status_parse(db_text(result, row, 1), &present.status))
        present.status = FINDING_OPEN;
    if (!finding_severity_parse(db_text(result, row, 2), &present.severity))
        present.severity = SEVERITY_INFO;
    *ret_present = present;
}

/* The status a finding gets that this pass has seen, and what to write into its history. */
static enum finding_status status_after(const struct present *present, const struct apply *apply,
                                        const char **ret_change)
{
    *ret_change = NULL;
    if (!present->known) {
        *ret_change = "opened";
        return FINDING_OPEN;
    }
    if (present->status == FINDING_MUTED && present->muted_until_us != TIME_UNKNOWN &&
        present->muted_until_us <= apply->now_us) {
        *ret_change = "unmuted";
        return FINDING_OPEN;
    }
    if (present->status != FINDING_RESOLVED)
        return present->status;
    if (present->by_person && present->resolved_at_us != TIME_UNKNOWN &&
        apply->as_of_us - present->resolved_at_us < RESOLVED_HOLDS_US)
        return FINDING_RESOLVED;
    *ret_change = "reopened";
    return FINDING_OPEN;
}

static enum status apply_finding(struct db *db, const struct apply *apply,
                                 const struct finding *finding, const struct present *present,
                                 struct err *err)
{
    const char *change = NULL;
    enum finding_status as = status_after(present, apply, &change);
    enum status status = write_row(db, apply, finding, as, err);

    if (status == ST_OK)
        status = write_hosts(db, finding, err);
    if (status == ST_OK && change != NULL)
        status = note_change(db, apply, finding->id, change, NULL, err);
    if (status == ST_OK && change != NULL)
        status = tell(db, apply, finding->id, present->known ? NOTIFY_REOPENED : NOTIFY_OPENED,
                      NULL, err);
    if (status != ST_OK || !present->known || present->severity == finding->severity)
        return status;
    const char *before = finding_severity_name(present->severity);
    if (change == NULL && (as == FINDING_OPEN || as == FINDING_ACKNOWLEDGED))
        status = tell(db, apply, finding->id, NOTIFY_SEVERITY, before, err);
    if (status != ST_OK)
        return status;
    char note[32]; /* two names of at most 8 letters */
    snprintf(note, sizeof note, "%s to %s", before, finding_severity_name(finding->severity));
    return note_change(db, apply, finding->id, "severity", note, err);
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
        bool stands = present.status == FINDING_OPEN || present.status == FINDING_ACKNOWLEDGED;
        if (stands && !list_has(apply->list, db_text(result, row, 0)))
            status = resolve(db, apply, db_text(result, row, 0), err);
    }
    return status;
}

static enum status apply_tx(struct db *db, void *arg, struct err *err)
{
    const struct apply *apply = arg;
    AUTO_DBRESULT struct db_result *result = NULL;
    AUTO_FREE const char **ids = calloc(apply->list->count + 1, sizeof *ids);
    struct db_params params = {0};

    if (ids == NULL)
        return err_set(err, ST_NOMEM, "could not store findings: out of memory");
    for (size_t i = 0; i < apply->list->count; i++)
        ids[i] = apply->list->items[i].id;
    db_p_text_array(&params, ids, apply->list->count);
    enum status status = db_exec(db, &statements[FINDINGS_PRESENT], &params, &result, err);
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
    struct apply apply = {list, as_of_us, clock_wall_us()};
    return db_tx(db, "findings_apply", apply_tx, &apply, err);
}
