/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One incident is told once. Internal to server/analyze. Thread-safe.
 */
#ifndef SERVER_ANALYZE_UNITE_H
#define SERVER_ANALYZE_UNITE_H

#include "server/analyze/group.h"

/* Incidents that share a row and most of their hosts become one. The first movers are not named
 * yet. */
void unite_incidents(struct incident_list *list);

#endif
