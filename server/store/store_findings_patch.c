/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What people change on a finding: its status by the table of transitions, its note. Muting and
 * opening here make and end mutes of this one finding (store_mutes.h).
 */
#include "server/store/store_findings.h"

#include "server/store/store_mutes.h"
#include "server/store/store_notify.h"

#include <string.h>

static const struct stmt statements[] = {
    STMT("findings_lock",
         "SELECT status, version::bigint, born_muted FROM finding WHERE finding_id = $1 FOR UPDATE",
         "t", "tib"),
    STMT("findings_patch_status",
         "UPDATE finding SET status = $2,"
         " acknowledged_by = CASE $2 WHEN 'acknowledged' THEN $3 WHEN 'open' THEN NULL"
         "   ELSE acknowledged_by END,"
         " resolved_at = CASE $2 WHEN 'resolved' THEN $4::timestamptz END,"
         " reopened_at = CASE WHEN $5 THEN $4 ELSE reopened_at END,"
         " reopened_count = reopened_count + $5::integer,"
         " muted_by = NULL, muted_until = NULL, born_muted = false"
         " WHERE finding_id = $1",
         "tttzb", ""),
    STMT("findings_patch_note", "UPDATE finding SET note = $2 WHERE finding_id = $1", "tt", ""),
    STMT("findings_patch_version",
         "UPDATE finding SET version = version + 1, updated_at = $2 WHERE finding_id = $1", "tz",
         ""),
    STMT("findings_change",
         "INSERT INTO finding_change (finding_id, at, actor, change, note)"
         " VALUES ($1, $2, $3, $4, $5)",
         "tzttt", ""),
    STMT("findings_muted_by", "SELECT f.muted_by, f.status FROM finding f WHERE f.finding_id = $1",
         "t", "it"),
};

enum {
    FINDINGS_LOCK,
    FINDINGS_PATCH_STATUS,
    FINDINGS_PATCH_NOTE,
    FINDINGS_PATCH_VERSION,
    FINDINGS_CHANGE,
    FINDINGS_MUTED_BY
};

const struct stmt_table store_findings_patch_statements = {statements, sizeof statements /
                                                                           sizeof statements[0]};

/* ---- which status may follow which ------------------------------------------ */

enum step { STEP_NO, STEP_SAME, STEP_YES };

/* From (row) to (column). The same again is no change, but for muted, whose time may change. */
static const enum step steps[FINDING_STATUS_COUNT][FINDING_STATUS_COUNT] = {
    [FINDING_OPEN] = {[FINDING_OPEN] = STEP_SAME,
                      [FINDING_ACKNOWLEDGED] = STEP_YES,
                      [FINDING_MUTED] = STEP_YES,
                      [FINDING_RESOLVED] = STEP_YES},
    [FINDING_ACKNOWLEDGED] = {[FINDING_OPEN] = STEP_YES,
                              [FINDING_ACKNOWLEDGED] = STEP_SAME,
                              [FINDING_MUTED] = STEP_YES,
                              [FINDING_RESOLVED] = STEP_YES},
    [FINDING_MUTED] = {[FINDING_OPEN] = STEP_YES,
                       [FINDING_ACKNOWLEDGED] = STEP_YES,
                       [FINDING_MUTED] = STEP_YES,
                       [FINDING_RESOLVED] = STEP_YES},
    [FINDING_RESOLVED] = {[FINDING_OPEN] = STEP_YES, [FINDING_RESOLVED] = STEP_SAME},
};

bool finding_may_step(enum finding_status from, enum finding_status to)
{
    return (size_t)from < FINDING_STATUS_COUNT && (size_t)to < FINDING_STATUS_COUNT &&
           steps[from][to] != STEP_NO;
}

/* ---- one change ------------------------------------------------------------- */

struct patch_call {
    const char *id;
    const struct finding_patch *patch;
};

static enum status patch_change(struct db *db, const struct patch_call *call, const char *change,
                                const char *note, struct err *err)
{
    struct db_params params = {0};

    db_p_text(&params, call->id);
    db_p_time(&params, call->patch->now_us);
    db_p_text(&params, call->patch->actor);
    db_p_text(&params, change);
    db_p_text(&params, note);
    return db_exec(db, &statements[FINDINGS_CHANGE], &params, NULL, err);
}

static const char *const patch_words[FINDING_STATUS_COUNT] = {
    [FINDING_OPEN] = "reopened",
    [FINDING_ACKNOWLEDGED] = "acknowledged",
    [FINDING_MUTED] = "muted",
    [FINDING_RESOLVED] = "resolved",
};

static enum status write_status(struct db *db, const struct patch_call *call,
                                enum finding_status from, struct err *err)
{
    const struct finding_patch *patch = call->patch;
    struct db_params params = {0};

    db_p_text(&params, call->id);
    db_p_text(&params, finding_status_name(patch->status));
    db_p_text(&params, patch->actor);
    db_p_time(&params, patch->now_us);
    db_p_bool(&params, from == FINDING_RESOLVED);
    return db_exec(db, &statements[FINDINGS_PATCH_STATUS], &params, NULL, err);
}

/* After the mutes of this finding alone: a wider one may cover it still. */
static enum status refuse_if_muted(struct db *db, const struct patch_call *call, struct err *err)
{
    AUTO_DBRESULT struct db_result *result = NULL;
    struct db_params params = {0};

    db_p_text(&params, call->id);
    enum status status = db_exec(db, &statements[FINDINGS_MUTED_BY], &params, &result, err);
    if (status != ST_OK || strcmp(db_text(result, 0, 1), "muted") != 0)
        return status;
    return err_field(err, ST_INVALID, "status", "mute %lld still covers this finding: end it first",
                     (long long)db_i64(result, 0, 0));
}

/* Acknowledging and muting are no news to others, nor is taking them back from acknowledged. */
static enum status patch_tell(struct db *db, const struct patch_call *call,
                              enum finding_status from, bool born_muted, struct err *err)
{
    const struct finding_patch *patch = call->patch;
    bool ends = patch->status == FINDING_RESOLVED;
    bool returns = !ends && patch->status != FINDING_MUTED &&
                   (from == FINDING_RESOLVED || from == FINDING_MUTED);
    enum notify_event event = ends ? NOTIFY_RESOLVED : born_muted ? NOTIFY_OPENED : NOTIFY_REOPENED;
    const struct notify_change change = {call->id, event, patch->now_us, NULL};

    return ends || returns ? store_notify_change(db, &change, err) : ST_OK;
}

static enum status patch_status(struct db *db, const struct patch_call *call,
                                enum finding_status from, bool born_muted, struct err *err)
{
    const struct finding_patch *patch = call->patch;
    const char *note = patch->has_note ? patch->note : NULL;
    enum status status = ST_OK;

    if (!finding_may_step(from, patch->status))
        return err_field(err, ST_INVALID, "status", "a finding that is %s cannot become %s",
                         finding_status_name(from), finding_status_name(patch->status));
    if (steps[from][patch->status] == STEP_SAME)
        return note == NULL ? ST_OK : patch_change(db, call, "note", note, err);
    if (patch->status == FINDING_MUTED)
        status = store_mutes_finding(db, call->id, patch->actor, note, patch->muted_until_us,
                                     patch->now_us, err);
    else if (from == FINDING_MUTED)
        status = store_mutes_end_finding(db, call->id, patch->actor, patch->now_us, err);
    if (status == ST_OK)
        status = write_status(db, call, from, err);
    if (status == ST_OK)
        status = patch_change(db, call, patch_words[patch->status], note, err);
    if (status == ST_OK && patch->status != FINDING_RESOLVED)
        status = store_mutes_settle(db, call->id, patch->actor, patch->now_us, err);
    if (status == ST_OK && patch->status != FINDING_MUTED)
        status = refuse_if_muted(db, call, err);
    return status == ST_OK ? patch_tell(db, call, from, born_muted, err) : status;
}

static enum status patch_note(struct db *db, const struct patch_call *call, struct err *err)
{
    struct db_params params = {0};

    db_p_text(&params, call->id);
    db_p_text(&params, call->patch->note);
    enum status status = db_exec(db, &statements[FINDINGS_PATCH_NOTE], &params, NULL, err);
    if (status != ST_OK || call->patch->has_status)
        return status;
    return patch_change(db, call, "note", call->patch->note, err);
}

static enum status patch_tx(struct db *db, void *arg, struct err *err)
{
    const struct patch_call *call = arg;
    AUTO_DBRESULT struct db_result *result = NULL;
    struct db_params params = {0};

    db_p_text(&params, call->id);
    enum status status = db_exec(db, &statements[FINDINGS_LOCK], &params, &result, err);
    if (status != ST_OK)
        return status;
    if (db_rows(result) == 0)
        return err_set(err, ST_NOT_FOUND, "finding \"%s\" is not known", call->id);
    if (call->patch->version != FINDING_VERSION_ANY && call->patch->version != db_i64(result, 0, 1))
        return err_field(err, ST_CONFLICT, "If-Match", "another changed this finding meanwhile");
    enum finding_status from = FINDING_OPEN;
    if (call->patch->has_status && !finding_status_parse(db_text(result, 0, 0), &from))
        return err_set(err, ST_BUG, "could not read a finding's status");
    if (call->patch->has_status)
        status = patch_status(db, call, from, db_bool(result, 0, 2), err);
    if (status == ST_OK && call->patch->has_note)
        status = patch_note(db, call, err);
    if (status != ST_OK)
        return status;
    params = (struct db_params){0};
    db_p_text(&params, call->id);
    db_p_time(&params, call->patch->now_us);
    status = db_exec(db, &statements[FINDINGS_PATCH_VERSION], &params, NULL, err);
    return status == ST_OK && call->patch->audit != NULL
               ? store_audit_add(db, call->patch->audit, err)
               : status;
}

enum status store_findings_patch(struct db *db, const char *id, const struct finding_patch *patch,
                                 struct err *err)
{
    struct patch_call call = {id, patch};
    return db_tx(db, "findings_patch", patch_tx, &call, err);
}
