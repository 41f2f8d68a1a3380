/* SPDX-License-Identifier: Apache-2.0 */
/* What the sender asks and says: claims, outcomes, upkeep, the digest's turn. */
#include "server/store/store_notify.h"

#include <string.h>

enum { CLAIM, WAITING, SENT, FAILED, UNCLAIM, PRUNE, DIGEST_TURN, DIGEST_ADD };

static const struct stmt statements[] = {
    /* The oldest of each target, so that each is told in order. Two servers may find the same row:
     * the second waits for the first's lock, looks at the row again and finds it claimed. */
    [CLAIM] =
        STMT("notify_claim",
             "UPDATE notify_delivery d SET claimed_until = $2, attempts = attempts + 1"
             " FROM notify_target t, notification n WHERE d.delivery_id = ("
             "  SELECT h.delivery_id FROM notify_target x CROSS JOIN LATERAL ("
             "   SELECT * FROM notify_delivery w WHERE w.target_id = x.target_id"
             "   AND w.state = 'waiting' ORDER BY w.delivery_id LIMIT 1) h"
             "  WHERE x.enabled AND h.next_at <= $1"
             "  AND (h.claimed_until IS NULL OR h.claimed_until < $1)"
             "  ORDER BY h.next_at, h.delivery_id LIMIT 1)"
             " AND d.state = 'waiting' AND (d.claimed_until IS NULL OR d.claimed_until < $1)"
             " AND t.target_id = d.target_id AND n.notification_id = d.notification_id"
             " RETURNING d.delivery_id, d.key, d.attempts::bigint, d.created_at, n.event,"
             " n.finding_id, n.severity, n.severity_before, n.at, n.doc->>'subject',"
             " n.doc->>'text', n.doc->>'html', t.target_id, t.name, t.kind, t.address, t.secret",
             "zz", "iuizttttztttitttt"),
    [WAITING] = STMT("notify_waiting",
                     "SELECT (SELECT count(*) FROM notify_delivery WHERE state = 'waiting'),"
                     " min(greatest(h.next_at, h.claimed_until))"
                     " FROM notify_target x CROSS JOIN LATERAL ("
                     "  SELECT * FROM notify_delivery w WHERE w.target_id = x.target_id"
                     "  AND w.state = 'waiting' ORDER BY w.delivery_id LIMIT 1) h WHERE x.enabled",
                     "", "iz"),
    [SENT] = STMT("notify_sent",
                  "UPDATE notify_delivery SET state = 'sent', done_at = $2, claimed_until = NULL,"
                  " last_error = NULL WHERE delivery_id = $1",
                  "iz", ""),
    [FAILED] = STMT("notify_failed",
                    "UPDATE notify_delivery SET state = CASE WHEN $3::timestamptz IS NULL"
                    " THEN 'given_up' ELSE 'waiting' END,"
                    " done_at = CASE WHEN $3::timestamptz IS NULL THEN $2::timestamptz END,"
                    " next_at = coalesce($3, next_at), claimed_until = NULL, last_error = $4"
                    " WHERE delivery_id = $1 AND state = 'waiting'",
                    "izzt", ""),
    [UNCLAIM] = STMT("notify_unclaim",
                     "UPDATE notify_delivery SET claimed_until = NULL, attempts = attempts - 1"
                     " WHERE delivery_id = $1 AND state = 'waiting'",
                     "i", ""),
    /* The newest of each finding stays: it says who has been told that it is open. */
    [PRUNE] = STMT("notify_prune",
                   "DELETE FROM notification n WHERE n.at < $1 AND NOT EXISTS ("
                   " SELECT FROM notify_delivery d WHERE d.notification_id = n.notification_id"
                   " AND (d.state = 'waiting' OR d.done_at >= $1))"
                   " AND (n.event IN ('digest', 'resolved') OR EXISTS (SELECT FROM notification m"
                   "  WHERE m.finding_id = n.finding_id AND m.event = 'resolved'"
                   "  AND m.notification_id > n.notification_id))",
                   "z", ""),
    [DIGEST_TURN] = STMT("notify_digest_turn",
                         "WITH was AS (SELECT mark_at FROM job_mark WHERE name = 'digest')"
                         " INSERT INTO job_mark AS m (name, mark_at) VALUES ('digest', $1)"
                         " ON CONFLICT (name) DO UPDATE SET mark_at = excluded.mark_at"
                         " WHERE m.mark_at < excluded.mark_at"
                         " RETURNING (SELECT mark_at FROM was)",
                         "z", "z"),
    [DIGEST_ADD] =
        STMT("notify_digest_add",
             "WITH wanted AS (SELECT target_id FROM notify_target"
             "  WHERE enabled AND kind = 'email'),"
             " told AS (INSERT INTO notification (event, at, doc)"
             "  SELECT 'digest', $1, $2 WHERE EXISTS (SELECT FROM wanted)"
             "  RETURNING notification_id)"
             " INSERT INTO notify_delivery (notification_id, target_id, created_at, next_at)"
             " SELECT notification_id, target_id, $1, $1 FROM told, wanted ORDER BY target_id",
             "zj", ""),
};

const struct stmt_table store_notify_send_statements = {statements,
                                                        sizeof statements / sizeof statements[0]};

void notify_claim_done(struct notify_claim *claim)
{
    arena_done(&claim->arena);
    *claim = (struct notify_claim){0};
}

static const char *keep(struct arena *arena, const char *text, bool *failed)
{
    if (text == NULL)
        return NULL;
    const char *copy = arena_strdup(arena, text);
    *failed = *failed || copy == NULL;
    return copy;
}

static enum finding_severity severity_of(const char *text)
{
    enum finding_severity severity = SEVERITY_INFO;
    return text != NULL && finding_severity_parse(text, &severity) ? severity : SEVERITY_INFO;
}

static enum notify_event event_of(const char *text)
{
    unsigned i = 0;
    while (i + 1 < NOTIFY_EVENT_COUNT && strcmp(text, notify_event_names[i]) != 0)
        i++;
    return (enum notify_event)i;
}

static enum status read_claim(const struct db_result *result, struct notify_claim *ret_claim,
                              struct err *err)
{
    struct notify_claim claim = {0};
    struct arena *arena = &claim.arena;
    bool failed = false;

    claim.delivery_id = db_i64(result, 0, 0);
    claim.key = keep(arena, db_text(result, 0, 1), &failed);
    claim.attempts = db_i64(result, 0, 2);
    claim.created_at_us = db_time(result, 0, 3);
    claim.event = event_of(db_text(result, 0, 4));
    claim.finding_id = keep(arena, db_text(result, 0, 5), &failed);
    claim.severity = severity_of(db_text(result, 0, 6));
    claim.severity_before = severity_of(db_text(result, 0, 7));
    claim.at_us = db_time(result, 0, 8);
    claim.subject = keep(arena, db_text(result, 0, 9), &failed);
    claim.text = keep(arena, db_text(result, 0, 10), &failed);
    claim.html = keep(arena, db_text(result, 0, 11), &failed);
    claim.target.target_id = db_i64(result, 0, 12);
    claim.target.name = keep(arena, db_text(result, 0, 13), &failed);
    if (!notify_kind_parse(db_text(result, 0, 14), &claim.target.kind))
        failed = true;
    claim.target.address = keep(arena, db_text(result, 0, 15), &failed);
    claim.target.secret = keep(arena, db_text(result, 0, 16), &failed);
    if (failed) {
        notify_claim_done(&claim);
        return err_set(err, ST_NOMEM, "could not read a delivery: out of memory");
    }
    *ret_claim = claim;
    return ST_OK;
}

enum status store_notify_claim(struct db *db, int64_t now_us, int64_t claim_us,
                               struct notify_claim *ret_claim, bool *ret_found, struct err *err)
{
    AUTO_DBRESULT struct db_result *result = NULL;
    struct db_params params = {0};

    db_p_time(&params, now_us);
    db_p_time(&params, now_us + claim_us);
    enum status status = db_exec(db, &statements[CLAIM], &params, &result, err);
    if (status != ST_OK)
        return status;
    *ret_found = db_rows(result) == 1;
    return *ret_found ? read_claim(result, ret_claim, err) : ST_OK;
}

enum status store_notify_waiting(struct db *db, int64_t *ret_waiting, int64_t *ret_next_us,
                                 struct err *err)
{
    AUTO_DBRESULT struct db_result *result = NULL;
    enum status status = db_exec(db, &statements[WAITING], &(struct db_params){0}, &result, err);

    if (status != ST_OK)
        return status;
    *ret_waiting = db_i64(result, 0, 0);
    *ret_next_us = db_time(result, 0, 1);
    return ST_OK;
}

enum status store_notify_sent(struct db *db, int64_t delivery_id, int64_t now_us, struct err *err)
{
    struct db_params params = {0};

    db_p_i64(&params, delivery_id);
    db_p_time(&params, now_us);
    return db_exec(db, &statements[SENT], &params, NULL, err);
}

enum status store_notify_failed(struct db *db, int64_t delivery_id, int64_t now_us, int64_t next_us,
                                const char *error, struct err *err)
{
    struct db_params params = {0};

    db_p_i64(&params, delivery_id);
    db_p_time(&params, now_us);
    db_p_time(&params, next_us);
    db_p_text(&params, error);
    return db_exec(db, &statements[FAILED], &params, NULL, err);
}

enum status store_notify_unclaim(struct db *db, int64_t delivery_id, struct err *err)
{
    struct db_params params = {0};

    db_p_i64(&params, delivery_id);
    return db_exec(db, &statements[UNCLAIM], &params, NULL, err);
}

enum status store_notify_prune(struct db *db, int64_t before_us, struct err *err)
{
    struct db_params params = {0};

    db_p_time(&params, before_us);
    return db_exec(db, &statements[PRUNE], &params, NULL, err);
}

enum status store_notify_digest_turn(struct db *db, int64_t due_us, bool *ret_turn,
                                     int64_t *ret_since_us, struct err *err)
{
    AUTO_DBRESULT struct db_result *result = NULL;
    struct db_params params = {0};

    db_p_time(&params, due_us);
    enum status status = db_exec(db, &statements[DIGEST_TURN], &params, &result, err);
    if (status != ST_OK)
        return status;
    /* Without a mark before there was no yesterday to compare with. */
    *ret_turn = db_rows(result) == 1 && !db_null(result, 0, 0);
    *ret_since_us = *ret_turn ? db_time(result, 0, 0) : TIME_UNKNOWN;
    return ST_OK;
}

enum status store_notify_digest_add(struct db *db, int64_t at_us, const char *doc, struct err *err)
{
    struct db_params params = {0};

    db_p_time(&params, at_us);
    db_p_json(&params, doc);
    return db_exec(db, &statements[DIGEST_ADD], &params, NULL, err);
}
