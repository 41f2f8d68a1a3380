/* SPDX-License-Identifier: Apache-2.0 */
#include "server/known/known_finding.h"

size_t known_match_finding(const struct known_list *list, const struct finding *finding, size_t max,
                           struct known_match *ret_matches)
{
    struct known_cause causes[KNOWN_CAUSES_MAX];
    size_t count = 0;

    if (list == NULL)
        return 0;
    for (size_t i = 0; i < finding->cause_count && count < KNOWN_CAUSES_MAX; i++) {
        const struct finding_cause *cause = &finding->causes[i];
        if (cause->attribute == NULL || cause->value == NULL || cause->affected == 0)
            continue;
        causes[count++] = (struct known_cause){
            cause->attribute, cause->value, (double)cause->affected_with / (double)cause->affected};
    }
    const struct known_query query = {.pool = finding->pool,
                                      .tags = finding->tags,
                                      .tag_count = finding->tag_count,
                                      .causes = causes,
                                      .cause_count = count,
                                      .owner = finding->owner_driver};
    return known_match(list, &query, max, ret_matches);
}
