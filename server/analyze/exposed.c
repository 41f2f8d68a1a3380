/* SPDX-License-Identifier: Apache-2.0 */
#include "server/analyze/exposed.h"

#include "server/analyze/robust.h"

#include <math.h>
#include <stdlib.h>

/* docs/detection.md, "Thresholds of grouping, causes and forecast": exposed */
#define UP_RANK 0.1  /* of the affected hosts have been up for less */
#define UP_MOST 12.0 /* hours; what shows later than that does not wait for a program's start */

enum status exposed_hosts(const struct explain_input *input, uint32_t *ret_hosts, size_t *ret_count)
{
    const struct fleet_host *hosts = input->fleet->hosts;
    AUTO_FREE double *up = calloc(input->affected_count + 1, sizeof *up);
    if (up == NULL)
        return ST_NOMEM;
    for (size_t i = 0; i < input->affected_count; i++)
        up[i] = hosts[input->affected[i]].uptime_hours;
    double least = fmin(robust_quantile(up, input->affected_count, UP_RANK), UP_MOST);
    *ret_count = 0;
    for (size_t i = 0; i < input->unaffected_count; i++)
        if (hosts[input->unaffected[i]].uptime_hours >= least)
            ret_hosts[(*ret_count)++] = input->unaffected[i];
    return ST_OK;
}
