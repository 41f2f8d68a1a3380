/* SPDX-License-Identifier: Apache-2.0 */
/* How fleet statistics are made. Internal to server/state. */
#ifndef SERVER_STATE_VIEW_BUILD_H
#define SERVER_STATE_VIEW_BUILD_H

#include "server/state/view.h"

/* Fills everything but references, list and as_of. ST_NOMEM: what there is goes with the view. */
enum status view_build(struct fleet_view *view) MUST_CHECK;

#endif
