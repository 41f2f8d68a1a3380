/* SPDX-License-Identifier: Apache-2.0 */
/* Targets, and what findings' changes write for them. What the sender does is
 * store_notify_send.c. */
#include "server/store/store_notify.h"

#include "common/utf8.h"

#include <string.h>

const char *const notify_kind_names[NOTIFY_KIND_COUNT] = {"alertmanager", "slack", "teams",
                                                          "generic", "email"};
const char *const notify_event_names[NOTIFY_EVENT_COUNT] = {"opened",   "reopened", "severity",
                                                            "resolved", "digest",   "test"};

#define TARGET_COLUMNS                                                                             \
    "t.target_id, t.name, t.kind, t.address, t.secret, t.min_severity, t.kinds, t.attribute,"      \
    " t.attribute_value, t.enabled, t.created_at, t.updated_at, t.version,"                        \
    " (SELECT count(*) FROM notify_delivery d WHERE d.target_id = t.target_id"                     \
    "   AND d.state = 'waiting'),"                                                                 \
    " (SELECT count(*) FROM notify_delivery d WHERE d.target_id = t.target_id"                     \
    "   AND d.state = 'given_up' AND d.done_at > now() - interval '7 days'),"                      \
    " (SELECT max(d.done_at) FROM notify_delivery d WHERE d.target_id = t.target_id"               \
    "   AND d.state = 'sent'),"                                                                    \
    " (SELECT d.last_error FROM notify_delivery d WHERE d.target_id = t.target_id"                 \
    "   AND d.last_error IS NOT NULL ORDER BY d.delivery_id DESC LIMIT 1)"
#define TARGET_TYPES "itttttTttbzziiizt"

/* Severities in order, as a number. */
#define RANK(column) "array_position(ARRAY['info', 'warning', 'critical'], " column ")"

enum { LIST, GET, CREATE, UPDATE, REMOVE, DELIVERIES, CHANGE };

static const struct stmt statements[] = {
    [LIST] = STMT("notify_list", "SELECT " TARGET_COLUMNS " FROM notify_target t ORDER BY t.name",
                  "", TARGET_TYPES),
    [GET] = STMT("notify_get",
                 "SELECT " TARGET_COLUMNS " FROM notify_target t"
                 " WHERE t.target_id = $1 OR t.name = $2",
                 "it", TARGET_TYPES),
    [CREATE] = STMT("notify_create",
                    "INSERT INTO notify_target (name, kind, address, secret, min_severity, kinds,"
                    " attribute, attribute_value, enabled, created_at, updated_at)"
                    " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, now(), now())"
                    " RETURNING target_id",
                    "tttttTttb", "i"),
    [UPDATE] = STMT("notify_update",
                    "UPDATE notify_target SET name = $1, kind = $2, address = $3, secret = $4,"
                    " min_severity = $5, kinds = $6, attribute = $7, attribute_value = $8,"
                    " enabled = $9, updated_at = now(), version = version + 1"
                    " WHERE target_id = $10 AND version = $11 RETURNING target_id",
                    "tttttTttbii", "i"),
    [REMOVE] = STMT("notify_remove",
                    "DELETE FROM notify_target WHERE target_id = $1 RETURNING target_id", "i", "i"),
    [DELIVERIES] = STMT("notify_deliveries",
                        "SELECT d.delivery_id, n.event, n.finding_id, d.state, d.attempts::bigint,"
                        " d.created_at, d.next_at, d.done_at, d.last_error"
                        " FROM notify_delivery d JOIN notification n USING (notification_id)"
                        " WHERE d.target_id = $1 ORDER BY d.delivery_id DESC LIMIT $2",
                        "ii", "itttizzzt"),
    /* An end is for those whose newest news of this finding was not its end already. */
    [CHANGE] = STMT(
        "notify_change",
        "WITH f AS (SELECT * FROM finding WHERE finding_id = $1), wanted AS ("
        " SELECT t.target_id FROM notify_target t, f WHERE t.enabled AND CASE WHEN $2 ="
        " 'resolved' THEN (SELECT n.event FROM notify_delivery d"
        "   JOIN notification n USING (notification_id) WHERE d.target_id = t.target_id"
        "   AND n.finding_id = $1 ORDER BY n.notification_id DESC LIMIT 1) <> 'resolved'"
        " ELSE greatest(" RANK("f.severity") ", " RANK("$4") ") >= " RANK(
            "t.min_severity") "  AND (t.kinds IS NULL OR f.kind = ANY (t.kinds))"
                              "  AND (t.attribute IS NULL OR EXISTS (SELECT FROM finding_host h"
                              "    JOIN host_attribute a USING (host_id) WHERE h.finding_id = $1"
                              "    AND a.valid_to IS NULL AND a.name = t.attribute AND a.value ="
                              "    t.attribute_value)) END),"
                              " told AS (INSERT INTO notification (event, finding_id, severity, "
                              "severity_before, at)"
                              "  SELECT $2, $1, f.severity, $4, $3 FROM f WHERE EXISTS (SELECT "
                              "FROM wanted)"
                              "  RETURNING notification_id)"
                              " INSERT INTO notify_delivery (notification_id, target_id, "
                              "created_at, next_at)"
                              " SELECT notification_id, target_id, clock_timestamp(), "
                              "clock_timestamp()"
                              " FROM told, wanted ORDER BY target_id",
        "ttzt", ""),
};

const struct stmt_table store_notify_statements = {statements,
                                                   sizeof statements / sizeof statements[0]};

bool notify_kind_parse(const char *name, enum notify_kind *ret_kind)
{
    for (unsigned i = 0; i < NOTIFY_KIND_COUNT; i++) {
        if (strcmp(name, notify_kind_names[i]) == 0) {
            *ret_kind = (enum notify_kind)i;
            return true;
        }
    }
    return false;
}

void notify_targets_done(struct notify_targets *targets)
{
    arena_done(&targets->arena);
    *targets = (struct notify_targets){0};
}

/* ---- what may be stored ----------------------------------------------------- */

static enum status check_text(const char *text, const char *field, size_t max, struct err *err)
{
    size_t length = strlen(text);

    if (length == 0 || length > max || !utf8_valid(text, length))
        return err_field(err, ST_INVALID, field, "%s must be 1 to %zu bytes of UTF-8", field, max);
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
            return err_field(err, ST_INVALID, field, "control character in the %s", field);
    return ST_OK;
}

/* name@host, once, of what needs no quoting: what goes into a header and to the mail server. */
static enum status check_mail_address(const char *text, struct err *err)
{
    const char *at = strchr(text, '@');
    size_t length = strlen(text);

    if (at == NULL || at == text || at[1] == '\0' || strchr(at + 1, '@') != NULL || length > 254 ||
        strcspn(text, " \"(),:;<>[\\]") != length)
        return err_field(err, ST_INVALID, "address",
                         "a mail address such as ops@example.com is wanted");
    return ST_OK;
}

static enum status check_url(const char *text, struct err *err)
{
    bool https = strncmp(text, "https://", 8) == 0, http = strncmp(text, "http://", 7) == 0;

    if ((!https && !http) || strcspn(text, " \"<>\\^`{|}") != strlen(text))
        return err_field(err, ST_INVALID, "address",
                         "a URL that begins with https:// or http:// is wanted");
    return ST_OK;
}

enum status notify_target_check(const struct notify_target *target, struct err *err)
{
    enum status status = check_text(target->name, "name", NOTIFY_NAME_MAX, err);

    if (status == ST_OK)
        status = check_text(target->address, "address", NOTIFY_ADDRESS_MAX, err);
    if (status == ST_OK)
        status =
            (target->kind == NOTIFY_EMAIL ? check_mail_address : check_url)(target->address, err);
    if (status == ST_OK && target->secret != NULL) {
        status = check_text(target->secret, "secret", NOTIFY_SECRET_MAX, err);
        if (status == ST_OK && target->kind != NOTIFY_GENERIC &&
            target->kind != NOTIFY_ALERTMANAGER)
            status = err_field(err, ST_INVALID, "secret", "kind %s has no secret",
                               notify_kind_names[target->kind]);
    }
    if (status == ST_OK && target->kind == NOTIFY_GENERIC && target->secret == NULL)
        status = err_field(err, ST_INVALID, "secret", "kind generic needs a secret");
    if (status == ST_OK && (target->attribute == NULL) != (target->attribute_value == NULL))
        status = err_field(err, ST_INVALID, "attribute", "attribute and value go together");
    if (status == ST_OK && target->attribute != NULL)
        status = check_text(target->attribute, "attribute", 256, err);
    if (status == ST_OK && target->attribute != NULL)
        status = check_text(target->attribute_value, "attribute_value", 256, err);
    return status;
}

/* ---- rows ------------------------------------------------------------------- */

static const char *keep(struct arena *arena, const char *text, bool *failed)
{
    if (text == NULL)
        return NULL;
    const char *copy = arena_strdup(arena, text);
    *failed = *failed || copy == NULL;
    return copy;
}

static unsigned read_kinds(const struct db_result *result, size_t row, size_t column)
{
    unsigned bits = 0;

    for (size_t i = 0; i < db_array_count(result, row, column); i++) {
        size_t length = 0;
        const char *text = db_array_text(result, row, column, i, &length);
        for (unsigned k = 0; text != NULL && k < FINDING_KIND_COUNT; k++) {
            const char *name = finding_kind_name((enum finding_kind)k);
            if (strlen(name) == length && memcmp(name, text, length) == 0)
                bits |= 1u << k;
        }
    }
    return bits;
}

static void read_target(const struct db_result *result, size_t row, struct arena *arena,
                        struct notify_target *target, bool *failed)
{
    target->target_id = db_i64(result, row, 0);
    target->name = keep(arena, db_text(result, row, 1), failed);
    if (!notify_kind_parse(db_text(result, row, 2), &target->kind))
        *failed = true;
    target->address = keep(arena, db_text(result, row, 3), failed);
    target->secret = keep(arena, db_text(result, row, 4), failed);
    if (!finding_severity_parse(db_text(result, row, 5), &target->min_severity))
        *failed = true;
    target->kinds = db_null(result, row, 6) ? 0 : read_kinds(result, row, 6);
    target->attribute = keep(arena, db_text(result, row, 7), failed);
    target->attribute_value = keep(arena, db_text(result, row, 8), failed);
    target->enabled = db_bool(result, row, 9);
    target->created_at_us = db_time(result, row, 10);
    target->updated_at_us = db_time(result, row, 11);
    target->version = db_i64(result, row, 12);
    target->waiting = db_i64(result, row, 13);
    target->given_up = db_i64(result, row, 14);
    target->last_sent_at_us = db_time(result, row, 15);
    target->last_error = keep(arena, db_text(result, row, 16), failed);
}

static enum status read_targets(const struct db_result *result, struct notify_targets *ret_targets,
                                struct err *err)
{
    struct notify_targets targets = {0};
    bool failed = false;

    targets.items = arena_alloc(&targets.arena, db_rows(result), sizeof *targets.items);
    for (size_t row = 0; targets.items != NULL && row < db_rows(result); row++)
        read_target(result, row, &targets.arena, &targets.items[targets.count++], &failed);
    if (targets.items == NULL || failed) {
        notify_targets_done(&targets);
        return err_set(err, ST_NOMEM, "could not read notification targets: out of memory");
    }
    *ret_targets = targets;
    return ST_OK;
}

enum status store_notify_list(struct db *db, struct notify_targets *ret_targets, struct err *err)
{
    AUTO_DBRESULT struct db_result *result = NULL;
    enum status status = db_exec(db, &statements[LIST], &(struct db_params){0}, &result, err);

    return status == ST_OK ? read_targets(result, ret_targets, err) : status;
}

enum status store_notify_get(struct db *db, int64_t target_id, const char *name,
                             struct notify_targets *ret_targets, struct err *err)
{
    AUTO_DBRESULT struct db_result *result = NULL;
    struct db_params params = {0};

    db_p_i64(&params, name == NULL ? target_id : -1);
    db_p_text(&params, name);
    enum status status = db_exec(db, &statements[GET], &params, &result, err);
    if (status == ST_OK && db_rows(result) == 0 && name != NULL)
        return err_set(err, ST_NOT_FOUND, "notification target \"%s\" is not known", name);
    if (status == ST_OK && db_rows(result) == 0)
        return err_set(err, ST_NOT_FOUND, "notification target %lld is not known",
                       (long long)target_id);
    return status == ST_OK ? read_targets(result, ret_targets, err) : status;
}

/* ---- changes by people ------------------------------------------------------ */

static void bind_target(struct db_params *params, const struct notify_target *target,
                        const char *kinds[FINDING_KIND_COUNT])
{
    size_t count = 0;

    for (unsigned i = 0; i < FINDING_KIND_COUNT; i++)
        if ((target->kinds >> i & 1) != 0)
            kinds[count++] = finding_kind_name((enum finding_kind)i);
    db_p_text(params, target->name);
    db_p_text(params, notify_kind_names[target->kind]);
    db_p_text(params, target->address);
    db_p_text(params, target->secret);
    db_p_text(params, finding_severity_name(target->min_severity));
    if (count == 0)
        db_p_null(params, 'T');
    else
        db_p_text_array(params, kinds, count);
    db_p_text(params, target->attribute);
    db_p_text(params, target->attribute_value);
    db_p_bool(params, target->enabled);
}

static enum status name_taken(const char *name, struct err *err)
{
    return err_field(err, ST_CONFLICT, "name", "a notification target \"%s\" is there already",
                     name);
}

enum status store_notify_create(struct db *db, const struct notify_target *target,
                                int64_t *ret_target_id, struct err *err)
{
    AUTO_DBRESULT struct db_result *result = NULL;
    const char *kinds[FINDING_KIND_COUNT];
    struct db_params params = {0};
    enum status status = notify_target_check(target, err);

    if (status != ST_OK)
        return status;
    bind_target(&params, target, kinds);
    status = db_exec(db, &statements[CREATE], &params, &result, err);
    if (status == ST_CONFLICT)
        return name_taken(target->name, err);
    if (status == ST_OK && ret_target_id != NULL)
        *ret_target_id = db_i64(result, 0, 0);
    return status;
}

enum status store_notify_update(struct db *db, const struct notify_target *target, struct err *err)
{
    AUTO_DBRESULT struct db_result *result = NULL;
    const char *kinds[FINDING_KIND_COUNT];
    struct db_params params = {0};
    enum status status = notify_target_check(target, err);

    if (status != ST_OK)
        return status;
    bind_target(&params, target, kinds);
    db_p_i64(&params, target->target_id);
    db_p_i64(&params, target->version);
    status = db_exec(db, &statements[UPDATE], &params, &result, err);
    if (status == ST_CONFLICT)
        return name_taken(target->name, err);
    if (status == ST_OK && db_rows(result) == 0)
        return err_field(err, ST_CONFLICT, "If-Match", "another changed this target meanwhile");
    return status;
}

enum status store_notify_remove(struct db *db, int64_t target_id, struct err *err)
{
    AUTO_DBRESULT struct db_result *result = NULL;
    struct db_params params = {0};

    db_p_i64(&params, target_id);
    enum status status = db_exec(db, &statements[REMOVE], &params, &result, err);
    if (status == ST_OK && db_rows(result) == 0)
        return err_set(err, ST_NOT_FOUND, "notification target %lld is not known",
                       (long long)target_id);
    return status;
}

enum status store_notify_deliveries(struct db *db, int64_t target_id, struct arena *arena,
                                    struct notify_delivery **ret_items, size_t *ret_count,
                                    struct err *err)
{
    AUTO_DBRESULT struct db_result *result = NULL;
    struct db_params params = {0};
    bool failed = false;

    db_p_i64(&params, target_id);
    db_p_i64(&params, NOTIFY_DELIVERIES_MAX);
    enum status status = db_exec(db, &statements[DELIVERIES], &params, &result, err);
    if (status != ST_OK)
        return status;
    struct notify_delivery *items = arena_alloc(arena, db_rows(result), sizeof *items);
    for (size_t row = 0; items != NULL && row < db_rows(result); row++)
        items[row] = (struct notify_delivery){
            .delivery_id = db_i64(result, row, 0),
            .event = keep(arena, db_text(result, row, 1), &failed),
            .finding_id = keep(arena, db_text(result, row, 2), &failed),
            .state = keep(arena, db_text(result, row, 3), &failed),
            .attempts = db_i64(result, row, 4),
            .created_at_us = db_time(result, row, 5),
            .next_at_us = db_time(result, row, 6),
            .done_at_us = db_time(result, row, 7),
            .last_error = keep(arena, db_text(result, row, 8), &failed),
        };
    if (items == NULL || failed)
        return err_set(err, ST_NOMEM, "could not read deliveries: out of memory");
    *ret_items = items;
    *ret_count = db_rows(result);
    return ST_OK;
}

/* ---- changes of findings ---------------------------------------------------- */

enum status store_notify_change(struct db *db, const struct notify_change *change, struct err *err)
{
    struct db_params params = {0};

    db_p_text(&params, change->finding_id);
    db_p_text(&params, notify_event_names[change->event]);
    db_p_time(&params, change->at_us);
    db_p_text(&params, change->severity_before);
    return db_exec(db, &statements[CHANGE], &params, NULL, err);
}
