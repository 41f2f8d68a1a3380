/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading findings. What people change is in store_findings_patch.c, what a pass changes in
 * store_findings_apply.c. Owner, causes, evidence and cause note travel in the column doc; the rest
 * are columns, for SQL.
 */
#include "server/store/store_findings.h"

#include "server/store/finding_doc.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define FINDING_COLUMNS                                                                            \
    "f.finding_id, f.kind, f.status, f.severity, f.confidence, f.pool, f.tag, f.tags, f.summary, " \
    "f.first_seen_at, f.last_seen_at, f.opened_at, f.resolved_at, f.note, f.muted_until, "         \
    "f.acknowledged_by, f.doc, f.version::bigint, f.updated_at, "                                  \
    "(SELECT count(*) FROM finding_host h WHERE h.finding_id = f.finding_id), f.muted_by, "        \
    "f.born_muted, f.reopened_at, f.reopened_count::bigint, (SELECT count(*) FROM finding_host h " \
    "WHERE h.finding_id = f.finding_id AND h.muted_by IS NOT NULL)"
#define FINDING_TYPES "ttttfttTtzzzztztjiziibzii"

static const struct stmt statements[] = {
    STMT("findings_list",
         "SELECT " FINDING_COLUMNS " FROM finding f"
         " WHERE ($1::text[] IS NULL OR f.status = ANY ($1))"
         " AND ($2::text[] IS NULL OR f.severity = ANY ($2))"
         " AND ($3::text[] IS NULL OR f.kind = ANY ($3))"
         " AND ($4::text IS NULL OR $4 = ANY (f.tags))"
         " AND ($5::text IS NULL OR EXISTS (SELECT FROM finding_host h JOIN host USING (host_id)"
         "   WHERE h.finding_id = f.finding_id AND host.id = $5))"
         " AND ($6::text IS NULL OR lower($6) = ANY (string_to_array(lower(f.doc->>'owner_driver'),"
         "   ' or ')) OR EXISTS (SELECT FROM jsonb_array_elements(f.doc->'causes') c"
         "   WHERE lower(c->>'attribute') = 'driver/' || lower($6)))"
         " ORDER BY f.last_seen_at DESC, f.finding_id LIMIT $7",
         "TTTttti", FINDING_TYPES),
    STMT("findings_get", "SELECT " FINDING_COLUMNS " FROM finding f WHERE f.finding_id = $1", "t",
         FINDING_TYPES),
    STMT("findings_hosts_of",
         "SELECT h.finding_id, host.id, host.name, h.bytes, h.cohort_bytes, h.cohort_hosts::bigint,"
         " h.score, h.rate_bytes_per_hour, h.since, h.exhausts_p10, h.exhausts_p50, h.exhausts_p90,"
         " h.limit_name, h.process, h.process_handles, h.muted_by,"
         " coalesce((SELECT e.number FROM finding_host_ever e WHERE e.finding_id = h.finding_id"
         "   AND e.host_id = h.host_id), 0)::bigint,"
         " coalesce(host.agent_simulated, false) OR EXISTS (SELECT FROM host_attribute a"
         "   WHERE a.host_id = host.host_id AND a.name = 'poolfleet.simulated'"
         "   AND a.value = 'true' AND a.valid_to IS NULL)"
         " FROM finding_host h JOIN host USING (host_id)"
         " WHERE h.finding_id = ANY ($1) AND h.position < $2::bigint"
         " ORDER BY h.finding_id, h.position",
         "Ti", "tttiiiffzzzzttiiib"),
    STMT("findings_history",
         "SELECT at, actor, change, note FROM (SELECT * FROM finding_change WHERE finding_id = $1"
         " ORDER BY change_id DESC LIMIT 500) newest ORDER BY change_id",
         "t", "zttt"),
    STMT("findings_hosts_count",
         "SELECT host.id, count(*), max(CASE f.severity WHEN 'critical' THEN 2 WHEN 'warning'"
         " THEN 1 ELSE 0 END)::bigint FROM finding f JOIN finding_host USING (finding_id)"
         " JOIN host USING (host_id) WHERE f.status IN ('open', 'acknowledged')"
         " GROUP BY host.id ORDER BY host.id COLLATE \"C\"",
         "", "tii"),
    STMT("findings_summary",
         "SELECT count(*), count(*) FILTER (WHERE severity = 'info'),"
         " count(*) FILTER (WHERE severity = 'warning'),"
         " count(*) FILTER (WHERE severity = 'critical'), count(*) FILTER (WHERE opened_at >= $1),"
         " (SELECT count(DISTINCT host_id) FROM finding_host JOIN finding USING (finding_id)"
         "   WHERE status IN ('open', 'acknowledged'))"
         " FROM finding WHERE status IN ('open', 'acknowledged')",
         "z", "iiiiii"),
};

enum {
    FINDINGS_LIST,
    FINDINGS_GET,
    FINDINGS_HOSTS_OF,
    FINDINGS_HISTORY,
    FINDINGS_HOSTS_COUNT,
    FINDINGS_SUMMARY
};

const struct stmt_table store_findings_statements = {statements,
                                                     sizeof statements / sizeof statements[0]};

void finding_records_done(struct finding_records *records)
{
    arena_done(&records->arena);
    *records = (struct finding_records){0};
}

/* ---- rows to records -------------------------------------------------------- */

static const char *keep(struct arena *arena, const char *text, bool *failed)
{
    if (text == NULL)
        return NULL;
    const char *copy = arena_strdup(arena, text);
    *failed = *failed || copy == NULL;
    return copy;
}

/* Values come from CHECKed columns; what does not parse is another program's row. */
static bool read_names(const struct db_result *result, size_t row, struct finding *finding)
{
    const char *tag = db_text(result, row, 6);
    return finding_kind_parse(db_text(result, row, 1), &finding->kind) &&
           finding_status_parse(db_text(result, row, 2), &finding->status) &&
           finding_severity_parse(db_text(result, row, 3), &finding->severity) &&
           pool_parse(db_text(result, row, 5), &finding->pool) &&
           tag_parse(tag, strlen(tag), &finding->tag);
}

static enum status read_tags(const struct db_result *result, size_t row, struct arena *arena,
                             struct finding *finding)
{
    size_t count = db_array_count(result, row, 7);

    finding->tags = arena_alloc(arena, count, sizeof *finding->tags);
    if (finding->tags == NULL)
        return ST_NOMEM;
    for (size_t i = 0; i < count; i++) {
        size_t length = 0;
        const char *text = db_array_text(result, row, 7, i, &length);
        if (text != NULL && tag_parse(text, length, &finding->tags[finding->tag_count]))
            finding->tag_count++;
    }
    return ST_OK;
}

static enum status read_record(const struct db_result *result, size_t row, struct arena *arena,
                               struct finding_record *record, struct err *err)
{
    struct finding *finding = &record->finding;
    const char *id = db_text(result, row, 0);
    bool failed = false;

    if (strlen(id) >= FINDING_ID_MAX || !read_names(result, row, finding))
        return err_set(err, ST_BUG, "could not read finding \"%s\": unknown values", id);
    memcpy(finding->id, id, strlen(id) + 1);
    finding->confidence = db_f64(result, row, 4);
    finding->summary = keep(arena, db_text(result, row, 8), &failed);
    finding->first_seen_us = db_time(result, row, 9);
    finding->last_seen_us = db_time(result, row, 10);
    record->opened_at_us = db_time(result, row, 11);
    record->resolved_at_us = db_time(result, row, 12);
    record->note = keep(arena, db_text(result, row, 13), &failed);
    record->muted_until_us = db_time(result, row, 14);
    record->acknowledged_by = keep(arena, db_text(result, row, 15), &failed);
    record->version = db_i64(result, row, 17);
    record->updated_at_us = db_time(result, row, 18);
    record->host_total = (size_t)db_i64(result, row, 19);
    record->muted_by = db_i64(result, row, 20);
    record->born_muted = db_bool(result, row, 21);
    record->reopened_at_us = db_time(result, row, 22);
    record->reopened_count = db_i64(result, row, 23);
    record->muted_hosts = (size_t)db_i64(result, row, 24);
    if (failed || read_tags(result, row, arena, finding) != ST_OK)
        return err_set(err, ST_NOMEM, "could not read findings: out of memory");
    return finding_doc_read(db_text(result, row, 16), arena, finding, err);
}

static enum status read_host(const struct db_result *result, size_t row, struct arena *arena,
                             struct finding_host *host, struct finding_host_life *life)
{
    bool failed = false;

    host->id = keep(arena, db_text(result, row, 1), &failed);
    host->name = keep(arena, db_text(result, row, 2), &failed);
    host->bytes = (uint64_t)db_i64(result, row, 3);
    host->cohort_bytes = (uint64_t)db_i64(result, row, 4);
    host->cohort_hosts = (size_t)db_i64(result, row, 5);
    host->score = db_f64(result, row, 6);
    host->rate_bytes_per_hour = db_f64(result, row, 7);
    host->since_us = db_time(result, row, 8);
    host->exhausts_p10_us = db_time(result, row, 9);
    host->exhausts_p50_us = db_time(result, row, 10);
    host->exhausts_p90_us = db_time(result, row, 11);
    host->limit = keep(arena, db_text(result, row, 12), &failed);
    host->process = keep(arena, db_text(result, row, 13), &failed);
    host->process_handles = db_null(result, row, 14) ? -1 : db_i64(result, row, 14);
    life->muted_by = db_i64(result, row, 15);
    life->number = db_i64(result, row, 16);
    host->simulated = db_bool(result, row, 17);
    return failed ? ST_NOMEM : ST_OK;
}

static struct finding_record *record_find(struct finding_records *records, const char *id)
{
    for (size_t i = 0; i < records->count; i++)
        if (strcmp(records->items[i].finding.id, id) == 0)
            return &records->items[i];
    return NULL;
}

/* The rows come grouped by finding: one allocation each, then filled in order. */
static enum status read_hosts(struct db *db, struct finding_records *records, size_t hosts_max,
                              struct err *err)
{
    AUTO_DBRESULT struct db_result *result = NULL;
    AUTO_FREE const char **ids = calloc(records->count + 1, sizeof *ids);
    struct finding_record *record = NULL;
    struct db_params params = {0};

    if (ids == NULL)
        return err_set(err, ST_NOMEM, "could not read findings: out of memory");
    for (size_t i = 0; i < records->count; i++)
        ids[i] = records->items[i].finding.id;
    db_p_text_array(&params, ids, records->count);
    db_p_i64(&params, (int64_t)hosts_max);
    enum status status = db_exec(db, &statements[FINDINGS_HOSTS_OF], &params, &result, err);
    for (size_t row = 0; status == ST_OK && row < db_rows(result); row++) {
        const char *id = db_text(result, row, 0);
        if (record == NULL || strcmp(record->finding.id, id) != 0) {
            record = record_find(records, id);
            if (record == NULL)
                continue; /* opened between the two statements */
            size_t room = record->host_total < hosts_max ? record->host_total : hosts_max;
            record->finding.hosts =
                arena_alloc(&records->arena, room, sizeof *record->finding.hosts);
            record->finding.host_count = 0;
            record->host_lives = arena_alloc(&records->arena, room, sizeof *record->host_lives);
            if (record->finding.hosts == NULL || record->host_lives == NULL)
                status = ST_NOMEM;
        }
        size_t room = record->host_total < hosts_max ? record->host_total : hosts_max;
        size_t at = record->finding.host_count;
        if (status == ST_OK && at < room) {
            status = read_host(result, row, &records->arena, &record->finding.hosts[at],
                               &record->host_lives[at]);
            record->finding.host_count++;
        }
        if (status != ST_OK)
            err_set(err, status, "could not read findings: out of memory");
    }
    return status;
}

static enum status read_records(struct db *db, const struct db_result *result, size_t hosts_max,
                                struct finding_records *ret_records, struct err *err)
{
    struct finding_records records = {0};
    enum status status = ST_OK;

    records.items = arena_alloc(&records.arena, db_rows(result), sizeof *records.items);
    if (records.items == NULL)
        status = err_set(err, ST_NOMEM, "could not read findings: out of memory");
    for (size_t row = 0; status == ST_OK && row < db_rows(result); row++)
        status = read_record(result, row, &records.arena, &records.items[records.count++], err);
    if (status == ST_OK && hosts_max > 0 && records.count > 0)
        status = read_hosts(db, &records, hosts_max, err);
    if (status != ST_OK) {
        finding_records_done(&records);
        return status;
    }
    *ret_records = records;
    return ST_OK;
}

/* ---- reading ---------------------------------------------------------------- */

static const char *status_text(unsigned value)
{
    return finding_status_name((enum finding_status)value);
}
static const char *severity_text(unsigned value)
{
    return finding_severity_name((enum finding_severity)value);
}
static const char *kind_text(unsigned value)
{
    return finding_kind_name((enum finding_kind)value);
}

#define NAMES_MAX 8 /* of any of the three enums */
_Static_assert(FINDING_KIND_COUNT <= NAMES_MAX && FINDING_STATUS_COUNT <= NAMES_MAX, "names");

static void bind_names(struct db_params *params, unsigned bits, unsigned count,
                       const char *(*text)(unsigned value), const char *names[NAMES_MAX])
{
    size_t used = 0;

    for (unsigned i = 0; i < count; i++)
        if ((bits >> i & 1) != 0)
            names[used++] = text(i);
    if (used == 0)
        db_p_null(params, 'T');
    else
        db_p_text_array(params, names, used);
}

enum status store_findings_list(struct db *db, const struct finding_filter *filter,
                                struct finding_records *ret_records, struct err *err)
{
    AUTO_DBRESULT struct db_result *result = NULL;
    const char *names[3][NAMES_MAX];
    struct db_params params = {0};

    bind_names(&params, filter->statuses, FINDING_STATUS_COUNT, status_text, names[0]);
    bind_names(&params, filter->severities, SEVERITY_COUNT, severity_text, names[1]);
    bind_names(&params, filter->kinds, FINDING_KIND_COUNT, kind_text, names[2]);
    db_p_text(&params, filter->tag);
    db_p_text(&params, filter->host_id);
    db_p_text(&params, filter->driver);
    db_p_i64(&params, FINDINGS_LIST_MAX);
    enum status status = db_exec(db, &statements[FINDINGS_LIST], &params, &result, err);
    if (status != ST_OK)
        return status;
    return read_records(db, result, filter->hosts_max, ret_records, err);
}

enum status store_findings_get(struct db *db, const char *id, struct finding_records *ret_records,
                               struct err *err)
{
    AUTO_DBRESULT struct db_result *result = NULL;
    struct db_params params = {0};

    db_p_text(&params, id);
    enum status status = db_exec(db, &statements[FINDINGS_GET], &params, &result, err);
    if (status != ST_OK)
        return status;
    if (db_rows(result) == 0)
        return err_set(err, ST_NOT_FOUND, "finding \"%s\" is not known", id);
    return read_records(db, result, INT32_MAX, ret_records, err);
}

enum status store_findings_history(struct db *db, const char *id, struct arena *arena,
                                   struct finding_change **ret_changes, size_t *ret_count,
                                   struct err *err)
{
    AUTO_DBRESULT struct db_result *result = NULL;
    struct db_params params = {0};
    bool failed = false;

    db_p_text(&params, id);
    enum status status = db_exec(db, &statements[FINDINGS_HISTORY], &params, &result, err);
    if (status != ST_OK)
        return status;
    struct finding_change *changes = arena_alloc(arena, db_rows(result), sizeof *changes);
    for (size_t row = 0; changes != NULL && row < db_rows(result); row++) {
        changes[row].at_us = db_time(result, row, 0);
        changes[row].actor = keep(arena, db_text(result, row, 1), &failed);
        changes[row].change = keep(arena, db_text(result, row, 2), &failed);
        changes[row].note = keep(arena, db_text(result, row, 3), &failed);
    }
    if (changes == NULL || failed)
        return err_set(err, ST_NOMEM, "could not read a finding's history: out of memory");
    *ret_changes = changes;
    *ret_count = db_rows(result);
    return ST_OK;
}

enum status store_findings_hosts(struct db *db, struct finding_host_counts *ret_counts,
                                 struct err *err)
{
    AUTO_DBRESULT struct db_result *result = NULL;
    struct finding_host_counts counts = {0};
    bool failed = false;
    enum status status =
        db_exec(db, &statements[FINDINGS_HOSTS_COUNT], &(struct db_params){0}, &result, err);

    if (status != ST_OK)
        return status;
    counts.items = arena_alloc(&counts.arena, db_rows(result), sizeof *counts.items);
    for (size_t row = 0; counts.items != NULL && row < db_rows(result); row++) {
        counts.items[row].host_id = keep(&counts.arena, db_text(result, row, 0), &failed);
        counts.items[row].findings = db_i64(result, row, 1);
        counts.items[row].worst = (enum finding_severity)db_i64(result, row, 2);
    }
    if (counts.items == NULL || failed) {
        finding_host_counts_done(&counts);
        return err_set(err, ST_NOMEM, "could not count findings: out of memory");
    }
    counts.count = db_rows(result);
    *ret_counts = counts;
    return ST_OK;
}

enum status store_findings_summary(struct db *db, int64_t since_us,
                                   struct finding_summary *ret_summary, struct err *err)
{
    AUTO_DBRESULT struct db_result *result = NULL;
    struct db_params params = {0};

    db_p_time(&params, since_us);
    enum status status = db_exec(db, &statements[FINDINGS_SUMMARY], &params, &result, err);
    if (status != ST_OK)
        return status;
    *ret_summary = (struct finding_summary){
        .open = db_i64(result, 0, 0),
        .by_severity = {[SEVERITY_INFO] = db_i64(result, 0, 1),
                        [SEVERITY_WARNING] = db_i64(result, 0, 2),
                        [SEVERITY_CRITICAL] = db_i64(result, 0, 3)},
        .new_since = db_i64(result, 0, 4),
        .hosts = db_i64(result, 0, 5),
    };
    return ST_OK;
}
