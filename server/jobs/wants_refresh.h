/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Brings the table of what agents are to be asked for (state/wants.h) up to what the database
 * knows: builds nobody has scanned, hosts in open findings. Every server does it for itself, also
 * without the analyzer's lock, since each answers its own posts.
 */
#ifndef SERVER_JOBS_WANTS_REFRESH_H
#define SERVER_JOBS_WANTS_REFRESH_H

#include "common/status.h"
#include "server/state/wants.h"
#include "server/store/db.h"

/* On failure the present table stays. */
enum status wants_refresh(struct db *db, struct wants *wants, struct err *err) MUST_CHECK;

#endif
