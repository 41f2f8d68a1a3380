/* SPDX-License-Identifier: Apache-2.0 */
/* Hosts whose data cannot be true, as the newest analysis pass found them. */
#ifndef SERVER_STORE_STORE_FAULTS_H
#define SERVER_STORE_STORE_FAULTS_H

#include "common/arena.h"
#include "server/analyze/finding.h"
#include "server/store/db.h"

struct store_fault {
    const char *host_id;
    const char *code; /* server/analyze/fault.h */
    int64_t since_us; /* as-of time of the first pass in a row that left it out */
};
struct store_faults {
    struct arena arena;        /* owns everything */
    struct store_fault *items; /* by host_id */
    size_t count;
};
static inline void store_faults_done(struct store_faults *faults)
{
    arena_done(&faults->arena);
    *faults = (struct store_faults){0};
}
#define AUTO_STORE_FAULTS CLEANUP(store_faults_done)

/* The faults of a pass take the place of those before. */
enum status store_faults_apply(struct db *db, const struct finding_list *list, int64_t as_of_us,
                               struct err *err) MUST_CHECK;
enum status store_faults_list(struct db *db, struct store_faults *ret_faults,
                              struct err *err) MUST_CHECK;
/* NULL: there is nothing wrong with the host's data. */
const struct store_fault *store_fault_of(const struct store_faults *faults, const char *host_id);

extern const struct stmt_table store_faults_statements;

#endif
