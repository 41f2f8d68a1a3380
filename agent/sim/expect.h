/* SPDX-License-Identifier: Apache-2.0 */
/* What the analysis should say about a simulated fleet: as JSON for checks, as text for people. */
#ifndef AGENT_SIM_EXPECT_H
#define AGENT_SIM_EXPECT_H

#include "agent/sim/world.h"
#include "common/strbuf.h"

/* {"as_of", "seed", "hosts", "findings": [{"scenario", "source", "kinds", "pool", "tags",
 * "first_mover", "hosts": [names], "cause": {"attribute", "value"} | null}],
 * "silent": [names of hosts no finding may name], "scenarios": [{"name", "story", "source",
 * "silent", "hosts"}]}. pool null: not said. Ends with a line end. Check strbuf_failed. */
void expect_json(const struct world *world, const struct scenario_list *list, int64_t now_us,
                 uint64_t seed, struct strbuf *out);

/* One paragraph per scenario. */
void expect_text(const struct scenario_list *list, struct strbuf *out);

#endif
