/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The forecast of one host of an incident: the rows of the incident added up over the boot, and
 * what they fill. Internal to server/analyze. Thread-safe.
 */
#ifndef SERVER_ANALYZE_OUTLOOK_H
#define SERVER_ANALYZE_OUTLOOK_H

#include "server/analyze/forecast.h"
#include "server/analyze/group.h"

/* All rows of the incident on the host, since the growth began; count 0 when too little is known.
 */
void outlook_course(const struct fleet_host *host, const struct incident *incident,
                    struct forecast_course *ret_course);
/* What all of its hosts show of how the fault bends. */
void outlook_form(const struct fleet *fleet, const struct incident *incident,
                  struct form *ret_form);
/* incident->form is used. */
void outlook_host(const struct fleet_host *host, const struct incident *incident,
                  struct forecast *ret_forecast);

#endif
