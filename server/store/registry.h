/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every statement of the program, so that a test can prepare them all against the schema. A file
 * with SQL offers `const struct stmt_table NAME_statements`, declared and listed in registry.c.
 */
#ifndef SERVER_STORE_REGISTRY_H
#define SERVER_STORE_REGISTRY_H

#include "server/store/db.h"

extern const struct stmt_table *const store_registry[]; /* ends with NULL */

extern const struct stmt_table migrate_statements;
extern const struct stmt_table partition_statements;
extern const struct stmt_table store_hosts_statements;
extern const struct stmt_table store_snapshots_statements;
extern const struct stmt_table store_ingest_statements;
extern const struct stmt_table store_blocks_statements;
extern const struct stmt_table store_history_statements;
extern const struct stmt_table store_seal_statements;
extern const struct stmt_table store_series_statements;
extern const struct stmt_table store_load_statements;

#endif
