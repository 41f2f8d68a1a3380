/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/store_mutes.h"

#include "server/store/store_notify.h"

#include <stdlib.h>
#include <string.h>

enum {
    LIST,
    GET,
    STANDING,
    CREATE,
    LOCK,
    CHANGE,
    END_FINDING,
    EXPIRE,
    LOCK_FINDINGS,
    SETTLE,
    SETTLE_HOSTS,
    HISTORY
};

#define COLUMNS                                                                                    \
    "m.mute_id, m.finding_id, m.tags, m.hosts, m.driver, m.driver_version, m.until, m.reason,"     \
    " m.created_by, m.created_at, m.ended_at, m.ended_by, m.version,"                              \
    " (SELECT count(*) FROM finding f WHERE f.status = 'muted' AND (f.muted_by = m.mute_id"        \
    "   OR EXISTS (SELECT FROM finding_host h WHERE h.finding_id = f.finding_id"                   \
    "     AND h.muted_by = m.mute_id))),"                                                          \
    " (SELECT count(DISTINCT h.host_id) FROM finding_host h JOIN finding f USING (finding_id)"     \
    "   WHERE h.muted_by = m.mute_id AND f.status <> 'resolved')"
#define TYPES "itTTttzttzztiii"

static const struct stmt statements[] = {
    [LIST] = STMT("mutes_list", "SELECT " COLUMNS " FROM mute m ORDER BY m.mute_id DESC LIMIT $1",
                  "i", TYPES),
    [GET] = STMT("mutes_get", "SELECT " COLUMNS " FROM mute m WHERE m.mute_id = $1", "i", TYPES),
    [STANDING] = STMT("mutes_standing",
                      "SELECT m.mute_id, m.finding_id, m.tags, m.hosts, m.driver,"
                      " m.driver_version, m.until, m.reason, ARRAY(SELECT h.id FROM host_driver d"
                      "   JOIN host h USING (host_id) WHERE lower(d.name) = lower(m.driver)"
                      "   AND d.version = m.driver_version AND d.valid_to IS NULL"
                      "   ORDER BY h.id COLLATE \"C\")"
                      " FROM mute m WHERE m.ended_at IS NULL AND (m.until IS NULL OR m.until > $1)"
                      " ORDER BY m.mute_id",
                      "z", "itTTttztT"),
    [CREATE] = STMT("mutes_create",
                    "INSERT INTO mute (finding_id, tags, hosts, driver, driver_version, until,"
                    " reason, created_by, created_at) SELECT $1, $2, ARRAY(SELECT DISTINCT x"
                    " COLLATE \"C\" FROM unnest($3::text[]) AS x ORDER BY 1), $4, $5, $6, $7, $8,"
                    " $9 WHERE $1::text IS NULL OR EXISTS (SELECT FROM finding"
                    "   WHERE finding_id = $1) RETURNING mute_id",
                    "tTTttzttz", "i"),
    [LOCK] = STMT("mutes_lock",
                  "SELECT version, ended_at IS NOT NULL OR until <= $2 FROM mute"
                  " WHERE mute_id = $1 FOR UPDATE",
                  "iz", "ib"),
    [CHANGE] = STMT("mutes_change",
                    "UPDATE mute SET until = CASE WHEN $2 THEN $3 ELSE until END,"
                    " reason = coalesce($4, reason), ended_at = $5, ended_by = $6,"
                    " version = version + 1 WHERE mute_id = $1",
                    "ibztzt", ""),
    [END_FINDING] = STMT("mutes_end_finding",
                         "UPDATE mute SET ended_at = $2, ended_by = $3, version = version + 1"
                         " WHERE finding_id = $1 AND ended_at IS NULL AND tags = '{}'"
                         " AND hosts = '{}' AND driver IS NULL",
                         "tzt", ""),
    [EXPIRE] = STMT("mutes_expire",
                    "UPDATE mute SET ended_at = until, ended_by = 'its time'"
                    " WHERE ended_at IS NULL AND until <= $1 RETURNING mute_id",
                    "z", "i"),
    [LOCK_FINDINGS] = STMT("mutes_lock_findings",
                           "SELECT finding_id, born_muted FROM finding WHERE status <> 'resolved'"
                           " AND ($1::text IS NULL OR finding_id = $1)"
                           " ORDER BY finding_id FOR UPDATE",
                           "t", "tb"),
    [SETTLE] = STMT("mutes_settle",
                    "UPDATE finding SET status = $2, muted_by = $3, muted_until = $4,"
                    " acknowledged_by = CASE $2 WHEN 'open' THEN NULL ELSE acknowledged_by END,"
                    " born_muted = born_muted AND $2 = 'muted', updated_at = $5"
                    " WHERE finding_id = $1",
                    "ttizz", ""),
    [SETTLE_HOSTS] = STMT("mutes_settle_hosts",
                          "UPDATE finding_host h SET muted_by = m.by FROM host,"
                          " unnest($2::text[], $3::bigint[]) AS m (id, by)"
                          " WHERE h.finding_id = $1 AND host.host_id = h.host_id"
                          " AND host.id = m.id AND h.muted_by IS DISTINCT FROM m.by",
                          "tTI", ""),
    [HISTORY] = STMT("mutes_history",
                     "INSERT INTO finding_change (finding_id, at, actor, change, note)"
                     " VALUES ($1, $2, $3, $4, $5)",
                     "tzttt", ""),
};

const struct stmt_table store_mutes_statements = {statements,
                                                  sizeof statements / sizeof statements[0]};

/* ---- reading ---------------------------------------------------------------- */

static const char *keep(struct arena *arena, const char *text, bool *failed)
{
    const char *copy = text == NULL ? NULL : arena_strdup(arena, text);
    *failed = *failed || (text != NULL && copy == NULL);
    return copy;
}

static const char *const *keep_texts(const struct db_result *result, size_t row, size_t column,
                                     struct arena *arena, size_t *ret_count, bool *failed)
{
    size_t count = db_array_count(result, row, column);
    const char **texts = arena_alloc(arena, count, sizeof *texts);

    *failed = *failed || texts == NULL;
    for (size_t i = 0; texts != NULL && i < count; i++) {
        size_t length = 0;
        const char *text = db_array_text(result, row, column, i, &length);
        texts[i] = arena_strndup(arena, text == NULL ? "" : text, length);
        *failed = *failed || texts[i] == NULL;
    }
    *ret_count = *failed ? 0 : count;
    return texts;
}

/* The columns that LIST, GET and STANDING begin with. */
static void read_scope(const struct db_result *result, size_t row, struct arena *arena,
                       struct mute *mute, bool *failed)
{
    size_t count = db_array_count(result, row, 2);
    uint32_t *tags = arena_alloc(arena, count, sizeof *tags);

    *failed = *failed || tags == NULL;
    mute->id = db_i64(result, row, 0);
    mute->finding_id = keep(arena, db_text(result, row, 1), failed);
    for (size_t i = 0; tags != NULL && i < count; i++) {
        size_t length = 0;
        const char *text = db_array_text(result, row, 2, i, &length);
        if (text != NULL && tag_parse(text, length, &tags[mute->tag_count]))
            mute->tag_count++;
    }
    mute->tags = tags;
    mute->hosts = keep_texts(result, row, 3, arena, &mute->host_count, failed);
    mute->driver = keep(arena, db_text(result, row, 4), failed);
    mute->driver_version = keep(arena, db_text(result, row, 5), failed);
    mute->until_us = db_time(result, row, 6);
    mute->reason = keep(arena, db_text(result, row, 7), failed);
    mute->ended_at_us = TIME_UNKNOWN;
}

static enum status read_mutes(const struct db_result *result, bool standing,
                              struct mutes *ret_mutes, struct err *err)
{
    struct mutes mutes = {.count = db_rows(result)};
    mutes.items = arena_alloc(&mutes.arena, mutes.count, sizeof *mutes.items);
    bool failed = mutes.items == NULL;

    for (size_t row = 0; !failed && row < mutes.count; row++) {
        struct mute *mute = &mutes.items[row];
        *mute = (struct mute){0};
        read_scope(result, row, &mutes.arena, mute, &failed);
        if (standing) {
            mute->version_hosts =
                keep_texts(result, row, 8, &mutes.arena, &mute->version_host_count, &failed);
            continue;
        }
        mute->created_by = keep(&mutes.arena, db_text(result, row, 8), &failed);
        mute->created_at_us = db_time(result, row, 9);
        mute->ended_at_us = db_time(result, row, 10);
        mute->ended_by = keep(&mutes.arena, db_text(result, row, 11), &failed);
        mute->version = db_i64(result, row, 12);
        mute->findings = db_i64(result, row, 13);
        mute->host_total = db_i64(result, row, 14);
    }
    if (failed) {
        mutes_done(&mutes);
        return err_set(err, ST_NOMEM, "could not read mutes: out of memory");
    }
    *ret_mutes = mutes;
    return ST_OK;
}

static enum status select_mutes(struct db *db, size_t which, const struct db_params *params,
                                struct mutes *ret_mutes, struct err *err)
{
    AUTO_DBRESULT struct db_result *result = NULL;
    enum status status = db_exec(db, &statements[which], params, &result, err);
    return status == ST_OK ? read_mutes(result, which == STANDING, ret_mutes, err) : status;
}

enum status store_mutes_list(struct db *db, struct mutes *ret_mutes, struct err *err)
{
    struct db_params params = {0};

    db_p_i64(&params, MUTES_LIST_MAX);
    return select_mutes(db, LIST, &params, ret_mutes, err);
}

enum status store_mutes_get(struct db *db, int64_t id, struct mutes *ret_mutes, struct err *err)
{
    struct db_params params = {0};

    db_p_i64(&params, id);
    enum status status = select_mutes(db, GET, &params, ret_mutes, err);
    if (status == ST_OK && ret_mutes->count == 0) {
        mutes_done(ret_mutes);
        return err_set(err, ST_NOT_FOUND, "no such mute");
    }
    return status;
}

enum status store_mutes_standing(struct db *db, int64_t now_us, struct mutes *ret_mutes,
                                 struct err *err)
{
    struct db_params params = {0};

    db_p_time(&params, now_us);
    return select_mutes(db, STANDING, &params, ret_mutes, err);
}

/* ---- what mutes do to findings ---------------------------------------------- */

struct settle {
    const char *who;
    int64_t now_us;
    const struct mutes *mutes;
};

static enum status note_change(struct db *db, const struct settle *settle, const char *id,
                               const char *change, const char *note, struct err *err)
{
    struct db_params params = {0};

    db_p_text(&params, id);
    db_p_time(&params, settle->now_us);
    db_p_text(&params, settle->who);
    db_p_text(&params, change);
    db_p_text(&params, note);
    return db_exec(db, &statements[HISTORY], &params, NULL, err);
}

static enum status write_cover(struct db *db, const struct finding *finding,
                               const struct mute_cover *cover, enum finding_status as,
                               int64_t now_us, struct err *err)
{
    AUTO_FREE const char **ids = calloc(finding->host_count + 1, sizeof *ids);
    AUTO_FREE int64_t *by = calloc(finding->host_count + 1, sizeof *by);
    struct db_params params = {0};

    if (ids == NULL || by == NULL)
        return err_set(err, ST_NOMEM, "could not settle mutes: out of memory");
    for (size_t i = 0; i < finding->host_count; i++) {
        ids[i] = finding->hosts[i].id;
        by[i] = cover->hosts_by[i] == 0 ? INT64_MIN : cover->hosts_by[i];
    }
    db_p_text(&params, finding->id);
    db_p_text(&params, finding_status_name(as));
    if (cover->whole)
        db_p_i64(&params, cover->by);
    else
        db_p_null(&params, 'i');
    db_p_time(&params, cover->until_us);
    db_p_time(&params, now_us);
    enum status status = db_exec(db, &statements[SETTLE], &params, NULL, err);
    if (status != ST_OK)
        return status;
    params = (struct db_params){0};
    db_p_text(&params, finding->id);
    db_p_text_array(&params, ids, finding->host_count);
    db_p_i64_array(&params, by, finding->host_count);
    return db_exec(db, &statements[SETTLE_HOSTS], &params, NULL, err);
}

/* Why it is open again, or by which mute it is silent now. */
static void why(const struct finding *finding, const struct mute_cover *cover, char note[96])
{
    if (cover->whole)
        snprintf(note, 96, "by mute %lld", (long long)cover->by);
    else if (cover->hosts > 0)
        snprintf(note, 96, "%zu of %zu hosts are outside of every mute",
                 finding->host_count - cover->hosts, finding->host_count);
    else
        snprintf(note, 96, "the mute has ended");
}

static enum status settle_one(struct db *db, const struct settle *settle,
                              const struct finding_record *record, bool born_muted, struct err *err)
{
    const struct finding *finding = &record->finding;
    AUTO_MUTE_COVER struct mute_cover cover = {0};
    bool was = finding->status == FINDING_MUTED;
    char note[96]; /* two counts or a key, and a few words */
    enum status status =
        mute_cover(settle->mutes->items, settle->mutes->count, finding, settle->now_us, &cover);

    if (status != ST_OK)
        return err_set(err, status, "could not settle mutes: out of memory");
    enum finding_status as = cover.whole ? FINDING_MUTED : was ? FINDING_OPEN : finding->status;
    status = write_cover(db, finding, &cover, as, settle->now_us, err);
    if (status != ST_OK || was == cover.whole)
        return status;
    why(finding, &cover, note);
    status = note_change(db, settle, finding->id, was ? "unmuted" : "muted", note, err);
    if (status != ST_OK || !was)
        return status;
    const struct notify_change change = {finding->id, born_muted ? NOTIFY_OPENED : NOTIFY_REOPENED,
                                         settle->now_us, NULL};
    return store_notify_change(db, &change, err);
}

static bool born_muted_of(const struct db_result *locked, const char *id)
{
    for (size_t row = 0; row < db_rows(locked); row++)
        if (strcmp(db_text(locked, row, 0), id) == 0)
            return db_bool(locked, row, 1);
    return false; /* opened after the lock was asked for */
}

enum status store_mutes_settle(struct db *db, const char *finding_id, const char *who,
                               int64_t now_us, struct err *err)
{
    AUTO_DBRESULT struct db_result *locked = NULL;
    AUTO_MUTES struct mutes mutes = {0};
    AUTO_FINDING_RECORDS struct finding_records records = {0};
    const struct finding_filter standing = {
        .statuses = 1u << FINDING_OPEN | 1u << FINDING_ACKNOWLEDGED | 1u << FINDING_MUTED,
        .hosts_max = INT32_MAX};
    struct db_params params = {0};

    db_p_text(&params, finding_id);
    enum status status = db_exec(db, &statements[LOCK_FINDINGS], &params, &locked, err);
    if (status == ST_OK)
        status = store_mutes_standing(db, now_us, &mutes, err);
    if (status == ST_OK)
        status = finding_id == NULL ? store_findings_list(db, &standing, &records, err)
                                    : store_findings_get(db, finding_id, &records, err);
    const struct settle settle = {who, now_us, &mutes};
    for (size_t i = 0; status == ST_OK && i < records.count; i++) {
        const struct finding_record *record = &records.items[i];
        if (record->finding.status != FINDING_RESOLVED)
            status =
                settle_one(db, &settle, record, born_muted_of(locked, record->finding.id), err);
    }
    return status;
}

/* ---- what people do to mutes ------------------------------------------------ */

static enum status insert(struct db *db, const struct mute *mute, int64_t now_us, int64_t *ret_id,
                          struct err *err)
{
    AUTO_DBRESULT struct db_result *result = NULL;
    AUTO_FREE char(*texts)[TAG_TEXT_MAX] = calloc(mute->tag_count + 1, sizeof *texts);
    AUTO_FREE const char **tags = calloc(mute->tag_count + 1, sizeof *tags);
    struct db_params params = {0};

    if (texts == NULL || tags == NULL)
        return err_set(err, ST_NOMEM, "could not store a mute: out of memory");
    for (size_t i = 0; i < mute->tag_count; i++) {
        tag_format(mute->tags[i], texts[i]);
        tags[i] = texts[i];
    }
    db_p_text(&params, mute->finding_id);
    db_p_text_array(&params, tags, mute->tag_count);
    db_p_text_array(&params, mute->hosts, mute->host_count);
    db_p_text(&params, mute->driver);
    db_p_text(&params, mute->driver_version);
    db_p_time(&params, mute->until_us);
    db_p_text(&params, mute->reason);
    db_p_text(&params, mute->created_by);
    db_p_time(&params, now_us);
    enum status status = db_exec(db, &statements[CREATE], &params, &result, err);
    if (status == ST_OK && db_rows(result) == 0)
        return err_field(err, ST_INVALID, "finding", "finding \"%s\" is not known",
                         mute->finding_id);
    if (status == ST_OK)
        *ret_id = db_i64(result, 0, 0);
    return status;
}

struct create {
    const struct mute *mute;
    struct audit_entry *audit;
    int64_t now_us;
    int64_t id;
    char object[24]; /* the id in digits */
};

static enum status create_tx(struct db *db, void *arg, struct err *err)
{
    struct create *create = arg;
    enum status status = insert(db, create->mute, create->now_us, &create->id, err);

    if (status == ST_OK)
        status = store_mutes_settle(db, NULL, create->mute->created_by, create->now_us, err);
    if (status != ST_OK || create->audit == NULL)
        return status;
    snprintf(create->object, sizeof create->object, "%lld", (long long)create->id);
    create->audit->object = create->object;
    status = store_audit_add(db, create->audit, err);
    create->audit->object = NULL;
    return status;
}

enum status store_mutes_create(struct db *db, const struct mute *mute, struct audit_entry *audit,
                               int64_t now_us, int64_t *ret_id, struct err *err)
{
    struct create create = {.mute = mute, .audit = audit, .now_us = now_us};
    enum status status = db_tx(db, "mutes_create", create_tx, &create, err);

    if (status == ST_OK)
        *ret_id = create.id;
    return status;
}

static enum status change_tx(struct db *db, void *arg, struct err *err)
{
    const struct mute_change *change = arg;
    AUTO_DBRESULT struct db_result *result = NULL;
    struct db_params params = {0};

    db_p_i64(&params, change->id);
    db_p_time(&params, change->now_us);
    enum status status = db_exec(db, &statements[LOCK], &params, &result, err);
    if (status != ST_OK)
        return status;
    if (db_rows(result) == 0)
        return err_set(err, ST_NOT_FOUND, "no such mute");
    if (change->version != FINDING_VERSION_ANY && change->version != db_i64(result, 0, 0))
        return err_field(err, ST_CONFLICT, "If-Match", "another changed this mute meanwhile");
    if (db_bool(result, 0, 1))
        return err_set(err, ST_INVALID, "this mute has ended already");
    params = (struct db_params){0};
    db_p_i64(&params, change->id);
    db_p_bool(&params, change->has_until);
    db_p_time(&params, change->until_us);
    db_p_text(&params, change->reason);
    db_p_time(&params, change->ends ? change->now_us : TIME_UNKNOWN);
    db_p_text(&params, change->ends ? change->actor : NULL);
    status = db_exec(db, &statements[CHANGE], &params, NULL, err);
    if (status == ST_OK)
        status = store_mutes_settle(db, NULL, change->actor, change->now_us, err);
    return status == ST_OK && change->audit != NULL ? store_audit_add(db, change->audit, err)
                                                    : status;
}

enum status store_mutes_change(struct db *db, const struct mute_change *change, struct err *err)
{
    struct mute_change copy = *change;
    return db_tx(db, "mutes_change", change_tx, &copy, err);
}

enum status store_mutes_end_finding(struct db *db, const char *finding_id, const char *who,
                                    int64_t now_us, struct err *err)
{
    struct db_params params = {0};

    db_p_text(&params, finding_id);
    db_p_time(&params, now_us);
    db_p_text(&params, who);
    return db_exec(db, &statements[END_FINDING], &params, NULL, err);
}

enum status store_mutes_finding(struct db *db, const char *finding_id, const char *who,
                                const char *reason, int64_t until_us, int64_t now_us,
                                struct err *err)
{
    const struct mute mute = {.finding_id = finding_id,
                              .until_us = until_us,
                              .reason = reason == NULL ? "" : reason,
                              .created_by = who};
    int64_t id = 0;
    enum status status = store_mutes_end_finding(db, finding_id, who, now_us, err);

    return status == ST_OK ? insert(db, &mute, now_us, &id, err) : status;
}

static enum status expire_tx(struct db *db, void *arg, struct err *err)
{
    const int64_t *now_us = arg;
    AUTO_DBRESULT struct db_result *result = NULL;
    struct db_params params = {0};

    db_p_time(&params, *now_us);
    enum status status = db_exec(db, &statements[EXPIRE], &params, &result, err);
    if (status != ST_OK || db_rows(result) == 0)
        return status;
    return store_mutes_settle(db, NULL, "its time", *now_us, err);
}

enum status store_mutes_expire(struct db *db, int64_t now_us, struct err *err)
{
    return db_tx(db, "mutes_expire", expire_tx, &now_us, err);
}
