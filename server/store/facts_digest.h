/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a host is, its attributes and drivers, in sixteen bytes each (BLAKE2b): the columns
 * attributes_digest and drivers_digest of `host` and of `analysis_checkpoint`. By them a writer sees
 * that a document brings nothing new, and a reader whose facts have changed since it read them.
 */
#ifndef SERVER_STORE_FACTS_DIGEST_H
#define SERVER_STORE_FACTS_DIGEST_H

#include "common/snapshot.h"
#include "server/store/db.h"

#define FACTS_DIGEST_BYTES 16

void facts_attributes_digest(const struct snapshot *snapshot,
                             unsigned char ret_digest[FACTS_DIGEST_BYTES]);
void facts_drivers_digest(const struct snapshot *snapshot,
                          unsigned char ret_digest[FACTS_DIGEST_BYTES]);
/* False, and nothing written, where the column is NULL. */
bool facts_digest_read(const struct db_result *result, size_t row, size_t column,
                       unsigned char ret_digest[FACTS_DIGEST_BYTES]);

#endif
