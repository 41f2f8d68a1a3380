/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What stands in a report instead of names of hosts, processes and applications: "host 3", "process
 * 1", "app 1". A host keeps its number for as long as the finding is known, so that two reports of
 * it can be laid side by side. Whole words only, letters folded. Pure.
 */
#ifndef SERVER_REPORT_NAMES_H
#define SERVER_REPORT_NAMES_H

#include "server/report/report.h"

struct report_name {
    const char *name;
    const char *kind; /* "host", "process", "app" */
    size_t number;
};
struct report_names {
    bool show;
    struct report_name *items;
    size_t count;
};
/* False when memory is out. Names are borrowed from input. */
bool report_names_new(const struct report_input *input, struct report_names *ret_names);
void report_names_done(struct report_names *names);

#define REPORT_ALIAS_MAX 64
/* The pseudonym, or the name where names are shown; NULL stays NULL. */
const char *report_alias_host(const struct report_input *input, const struct report_names *names,
                              size_t host, char text[REPORT_ALIAS_MAX]);
const char *report_alias(const struct report_names *names, const char *name,
                         char text[REPORT_ALIAS_MAX]);
/* A sentence with all names replaced. */
void report_replace(const struct report_names *names, const char *text, struct strbuf *out);

#endif
