/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mutes in the database, and what they do to findings: whenever one is made, changed or ends, every
 * standing finding is looked at again in the same transaction. Ended mutes are kept as a record.
 */
#ifndef SERVER_STORE_STORE_MUTES_H
#define SERVER_STORE_STORE_MUTES_H

#include "server/store/db.h"
#include "server/store/mute.h"
#include "server/store/store_audit.h"
#include "server/store/store_findings.h"

struct mutes {
    struct arena arena; /* owns everything */
    struct mute *items;
    size_t count;
};
static inline void mutes_done(struct mutes *mutes)
{
    arena_done(&mutes->arena);
    *mutes = (struct mutes){0};
}
#define AUTO_MUTES CLEANUP(mutes_done)

#define MUTES_LIST_MAX 5000 /* newest first beyond: ended ones of years */

/* version_hosts are not filled. */
enum status store_mutes_list(struct db *db, struct mutes *ret_mutes, struct err *err) MUST_CHECK;
/* Exactly one; ST_NOT_FOUND. */
enum status store_mutes_get(struct db *db, int64_t id, struct mutes *ret_mutes,
                            struct err *err) MUST_CHECK;
/* Those that stand at now_us, with the hosts of their versions: what mute_cover wants. */
enum status store_mutes_standing(struct db *db, int64_t now_us, struct mutes *ret_mutes,
                                 struct err *err) MUST_CHECK;

/* ST_NOT_FOUND with field "finding" when it is not known. `audit` is logged with the new id as
 * object. The scope is normalized: hosts sorted. */
enum status store_mutes_create(struct db *db, const struct mute *mute, struct audit_entry *audit,
                               int64_t now_us, int64_t *ret_id, struct err *err) MUST_CHECK;

struct mute_change {
    int64_t id;
    int64_t version; /* the one the caller has seen, or FINDING_VERSION_ANY */
    int64_t now_us;
    const char *actor;
    const struct audit_entry *audit;
    bool has_until;
    int64_t until_us;
    const char *reason; /* NULL: stays */
    bool ends;
};
/* ST_NOT_FOUND; ST_CONFLICT (field "If-Match") when another changed it since `version`; ST_INVALID
 * when it has ended already. */
enum status store_mutes_change(struct db *db, const struct mute_change *change,
                               struct err *err) MUST_CHECK;

/* Ends the mutes whose time has come and opens what they held. For the jobs. */
enum status store_mutes_expire(struct db *db, int64_t now_us, struct err *err) MUST_CHECK;

/* ---- inside another's transaction */

/* All standing findings, or one (finding_id), against all mutes; who is for the histories. */
enum status store_mutes_settle(struct db *db, const char *finding_id, const char *who,
                               int64_t now_us, struct err *err) MUST_CHECK;
/* A mute of one finding; replaces those that are of this finding and nothing else. */
enum status store_mutes_finding(struct db *db, const char *finding_id, const char *who,
                                const char *reason, int64_t until_us, int64_t now_us,
                                struct err *err) MUST_CHECK;
/* Ends those that are of this finding and nothing else. */
enum status store_mutes_end_finding(struct db *db, const char *finding_id, const char *who,
                                    int64_t now_us, struct err *err) MUST_CHECK;

extern const struct stmt_table store_mutes_statements;

#endif
