/* SPDX-License-Identifier: Apache-2.0 */
/* A finding as a question to the known leaks. Pure. */
#ifndef SERVER_KNOWN_KNOWN_FINDING_H
#define SERVER_KNOWN_KNOWN_FINDING_H

#include "server/analyze/finding.h"
#include "server/known/known.h"

#define KNOWN_CAUSES_MAX 32 /* of one finding; the analysis gives fewer */

/* As known_match. list NULL: 0. */
size_t known_match_finding(const struct known_list *list, const struct finding *finding, size_t max,
                           struct known_match *ret_matches);

#endif
