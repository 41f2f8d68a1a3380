/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The database schema: numbered migrations (schema/sql/NNNN_slug.sql), forward-only and never
 * edited once applied, then repeatable files (schema/repeatable/, views and functions) applied
 * again whenever their text changed. All are inside the program. See schema/README.md.
 */
#ifndef SERVER_STORE_MIGRATE_H
#define SERVER_STORE_MIGRATE_H

#include "common/status.h"
#include "common/strbuf.h"
#include "server/embedded.h"
#include "server/store/db.h"

/* Brings the database to this program's schema; safe to run twice or from two places at once. One
 * line a step is added to report. ST_CONFLICT: the database is newer than the program, or an
 * applied migration was edited since; nothing is changed then. ST_DB: not reachable, or a
 * migration failed (its transaction is undone, earlier ones stay). */
enum status migrate_run(const char *database_url, struct strbuf *report,
                        struct err *err) MUST_CHECK;
/* The same with other files than those in the program. */
enum status migrate_run_files(const char *database_url, const struct embedded_file *numbered,
                              const struct embedded_file *repeatable, struct strbuf *report,
                              struct err *err) MUST_CHECK;
/* ST_CONFLICT with a hint what to do when the schema is not exactly this program's. */
enum status migrate_check(struct db *db, struct err *err) MUST_CHECK;

#endif
