/* SPDX-License-Identifier: Apache-2.0 */
/* The whole simulated fleet: the hosts of all scenarios and a healthy background, made from one
 * seed. Hosts are in order of name within their group, scenarios in order given. Not shared between
 * threads while it is made; then each host belongs to one thread. */
#ifndef AGENT_SIM_WORLD_H
#define AGENT_SIM_WORLD_H

#include "agent/sim/host.h"

struct world_options {
    const struct scenario_list *scenarios;
    size_t healthy_hosts;
    size_t rows; /* per host, about */
    uint64_t seed;
    int64_t now_us;   /* what the scenarios' times are relative to */
    int64_t start_us; /* of the back-fill */
};

struct world {
    struct catalog catalog;
    struct sim_host *hosts;
    size_t count;
};

/* ret owned by caller (world_done). ST_USAGE: a scenario names a role that is not known. */
enum status world_make(const struct world_options *options, struct world *ret_world,
                       struct err *err) MUST_CHECK;
void world_done(struct world *world);

#endif
