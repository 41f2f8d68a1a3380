/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows that belong to an incident without being told by themselves: they grow in step with its
 * leading row, or stand as high as it on the same hosts. Too small to matter, but one of them may
 * have begun it. Internal to server/analyze. Thread-safe.
 */
#ifndef SERVER_ANALYZE_FOLLOW_H
#define SERVER_ANALYZE_FOLLOW_H

#include "server/analyze/group.h"

/* Two rows of one host: the blocks of one are a constant times those of the other, or, where these
 * are not known, both had the same course. */
bool follow_alike(const struct feature *a, const struct feature *b);

bool follow_has_row(const struct incident *incident, enum pool pool, uint32_t tag);

/* pairs: of the incident's leading row. Both add to incident->rows, which has room for
 * INCIDENT_TAGS_MAX. */
void follow_growth(const struct fleet *fleet, const struct pair *pairs, size_t count,
                   struct incident *incident);
void follow_level(const struct fleet *fleet, const struct pair *pairs, size_t count,
                  struct incident *incident);

#endif
