/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How urgent an incident is: by what it holds, how soon a limit is met, how sure it is and how long
 * it has lasted. Pure, thread-safe. Internal to server/analyze.
 */
#ifndef SERVER_ANALYZE_SEVERITY_H
#define SERVER_ANALYZE_SEVERITY_H

#include "server/analyze/build.h"

/* The finding has its hosts, causes and confidence. */
enum finding_severity severity_of(const struct build *build, const struct finding *finding,
                                  const struct incident *incident);

#endif
