/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The outbox: who is told of findings, what there is to tell, and how far each telling has come.
 * A notification is written by the transaction that changes the finding (store_notify_change), so
 * it exists exactly when the change does. A sender claims the oldest waiting delivery of a target,
 * tells it, and says how it went; a claim that is not answered ends by itself, and the delivery is
 * told again under the same key. Several servers may send from one database. Times are us.
 */
#ifndef SERVER_STORE_STORE_NOTIFY_H
#define SERVER_STORE_STORE_NOTIFY_H

#include "server/analyze/finding.h"
#include "server/store/db.h"

#define NOTIFY_NAME_MAX    128  /* bytes, chosen */
#define NOTIFY_ADDRESS_MAX 2048 /* bytes: longer URLs are refused by many receivers */
#define NOTIFY_SECRET_MAX  512

enum notify_kind {
    NOTIFY_ALERTMANAGER,
    NOTIFY_SLACK,
    NOTIFY_TEAMS,
    NOTIFY_GENERIC,
    NOTIFY_EMAIL,
    NOTIFY_KIND_COUNT
};
extern const char *const notify_kind_names[NOTIFY_KIND_COUNT];
bool notify_kind_parse(const char *name, enum notify_kind *ret_kind);

enum notify_event {
    NOTIFY_OPENED,
    NOTIFY_REOPENED,
    NOTIFY_SEVERITY,
    NOTIFY_RESOLVED,
    NOTIFY_DIGEST,
    NOTIFY_TEST, /* never stored */
    NOTIFY_EVENT_COUNT
};
extern const char *const notify_event_names[NOTIFY_EVENT_COUNT];

/* ---- targets */

struct notify_target {
    int64_t target_id;
    const char *name;
    enum notify_kind kind;
    const char *address;
    const char *secret; /* NULL: none. Never shown again once stored */
    enum finding_severity min_severity;
    unsigned kinds;              /* bits 1 << finding_kind; 0: all */
    const char *attribute;       /* NULL: hosts do not matter */
    const char *attribute_value; /* with attribute */
    bool enabled;
    int64_t created_at_us;
    int64_t updated_at_us;
    int64_t version;
    /* How it goes. */
    int64_t waiting;
    int64_t given_up; /* of the last 7 days */
    int64_t last_sent_at_us;
    const char *last_error; /* of the newest delivery that has one; NULL: none */
};

struct notify_targets {
    struct arena arena; /* owns everything */
    struct notify_target *items;
    size_t count;
};
void notify_targets_done(struct notify_targets *targets);
#define AUTO_NOTIFY_TARGETS CLEANUP(notify_targets_done)

/* What is no target is refused with its field: ST_INVALID. The address' form is checked, not where
 * it leads to. */
enum status notify_target_check(const struct notify_target *target, struct err *err) MUST_CHECK;
enum status store_notify_list(struct db *db, struct notify_targets *ret_targets,
                              struct err *err) MUST_CHECK;
/* One, by id, or by name when name is not NULL; ST_NOT_FOUND. */
enum status store_notify_get(struct db *db, int64_t target_id, const char *name,
                             struct notify_targets *ret_targets, struct err *err) MUST_CHECK;
/* ST_CONFLICT when the name is taken. */
enum status store_notify_create(struct db *db, const struct notify_target *target,
                                int64_t *ret_target_id, struct err *err) MUST_CHECK;
/* Replaces all that people set, if the version is still target->version: else ST_CONFLICT with
 * field If-Match. ST_NOT_FOUND. */
enum status store_notify_update(struct db *db, const struct notify_target *target,
                                struct err *err) MUST_CHECK;
/* With what waits for it. ST_NOT_FOUND. */
enum status store_notify_remove(struct db *db, int64_t target_id, struct err *err) MUST_CHECK;

struct notify_delivery {
    int64_t delivery_id;
    const char *event;
    const char *finding_id; /* NULL: a digest */
    const char *state;
    int64_t attempts;
    int64_t created_at_us;
    int64_t next_at_us;
    int64_t done_at_us; /* TIME_UNKNOWN: it waits */
    const char *last_error;
};
#define NOTIFY_DELIVERIES_MAX 50
/* The newest of a target, newest first, texts in arena. */
enum status store_notify_deliveries(struct db *db, int64_t target_id, struct arena *arena,
                                    struct notify_delivery **ret_items, size_t *ret_count,
                                    struct err *err) MUST_CHECK;

/* ---- what happens to findings; inside the caller's transaction */

struct notify_change {
    const char *finding_id;
    enum notify_event event;
    int64_t at_us;
    const char *severity_before; /* for NOTIFY_SEVERITY, else NULL */
};
/* Writes the notification and a delivery for each target that wants it: by its filter, where a
 * change of severity counts with the higher of the two; the end of a finding is told to those that
 * were told of it. Nothing is written when nobody wants it. */
enum status store_notify_change(struct db *db, const struct notify_change *change,
                                struct err *err) MUST_CHECK;

/* ---- sending */

struct notify_claim {
    struct arena arena; /* owns the texts */
    int64_t delivery_id;
    const char *key;
    int64_t attempts; /* with this one */
    int64_t created_at_us;
    enum notify_event event;
    const char *finding_id; /* NULL: a digest */
    enum finding_severity severity;
    enum finding_severity severity_before;
    int64_t at_us;
    const char *subject, *text, *html; /* of a digest */
    struct notify_target target;
};
void notify_claim_done(struct notify_claim *claim);
#define AUTO_NOTIFY_CLAIM CLEANUP(notify_claim_done)

/* Claims one delivery that is due, if any, for claim_us. */
enum status store_notify_claim(struct db *db, int64_t now_us, int64_t claim_us,
                               struct notify_claim *ret_claim, bool *ret_found,
                               struct err *err) MUST_CHECK;
/* How many wait, and when the first is due; TIME_UNKNOWN when none waits. */
enum status store_notify_waiting(struct db *db, int64_t *ret_waiting, int64_t *ret_next_us,
                                 struct err *err) MUST_CHECK;
enum status store_notify_sent(struct db *db, int64_t delivery_id, int64_t now_us,
                              struct err *err) MUST_CHECK;
/* next_us TIME_UNKNOWN: given up. */
enum status store_notify_failed(struct db *db, int64_t delivery_id, int64_t now_us, int64_t next_us,
                                const char *error, struct err *err) MUST_CHECK;
/* The attempt did not happen after all: the server stops. */
enum status store_notify_unclaim(struct db *db, int64_t delivery_id, struct err *err) MUST_CHECK;
/* Notifications that ended before before_us, and those that nobody waits for any more. */
enum status store_notify_prune(struct db *db, int64_t before_us, struct err *err) MUST_CHECK;

/* ---- the digest */

/* Whether the digest that was due at due_us is still to be made, and if so, since when: true for
 * one caller only. The very first call only begins the count. Call inside a transaction. */
enum status store_notify_digest_turn(struct db *db, int64_t due_us, bool *ret_turn,
                                     int64_t *ret_since_us, struct err *err) MUST_CHECK;
enum status store_notify_digest_add(struct db *db, int64_t at_us, const char *doc,
                                    struct err *err) MUST_CHECK;

extern const struct stmt_table store_notify_statements;
extern const struct stmt_table store_notify_send_statements;

#endif
