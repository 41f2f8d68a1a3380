/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads that compute for seconds while people wait for milliseconds: an analysis pass beside the
 * answers of the page. On a machine whose processors are all busy they yield, elsewhere they lose
 * nothing. Of the server only: the agent has no such threads.
 */
#ifndef COMMON_BACKGROUND_H
#define COMMON_BACKGROUND_H

#include <sys/resource.h>

/* Half way to 19: a busy thread of the answers then has nine times the weight of this one, which
 * still gets its tenth however much is asked for. */
#define BACKGROUND_NICE 10

/* The calling thread alone (on Linux a thread has a nice value of its own), and those it starts.
 * A system that refuses leaves it as it was. */
static inline void background_thread(void)
{
    (void)setpriority(PRIO_PROCESS, 0, BACKGROUND_NICE);
}

#endif
