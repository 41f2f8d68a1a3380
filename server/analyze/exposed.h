/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who can speak against a cause. A host that started a moment ago and does not show the growth yet
 * may have all that brings it: a program that leaks is started hours after the boot. Internal to
 * server/analyze. Thread-safe.
 */
#ifndef SERVER_ANALYZE_EXPOSED_H
#define SERVER_ANALYZE_EXPOSED_H

#include "server/analyze/explain.h"

/* Unaffected hosts that have been up for as long as nearly all of the affected. ret_hosts: room for
 * all, in their order. ST_NOMEM. */
enum status exposed_hosts(const struct explain_input *input, uint32_t *ret_hosts,
                          size_t *ret_count) MUST_CHECK;

#endif
