/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The report of a finding for the driver's vendor: what was seen, where, how fast, with which
 * versions, what speaks against it, and how it was measured. Markdown or one HTML file that needs
 * nothing else (the plot is inline SVG). Host names are replaced by host-01, host-02, ... in every
 * sentence unless asked for. Pure; all texts are escaped for their format.
 */
#ifndef SERVER_REPORT_REPORT_H
#define SERVER_REPORT_REPORT_H

#include "common/strbuf.h"
#include "server/known/known.h"
#include "server/store/store_findings.h"

/* What is known of one host of the finding; NULL and INT64_MIN are unknown. */
struct report_host {
    const char *os_name;
    const char *os_build;
    const char *role;
    const char *model;
    int64_t ram_bytes;
    int64_t uptime_seconds;
    const char *driver_version; /* of the owner */
};

struct report_tag {
    uint32_t tag;
    const char *driver;      /* NULL: unknown */
    const char *description; /* NULL: none */
};

/* The first mover's bytes on one host of the finding. */
struct report_series {
    size_t host; /* index into the finding's hosts */
    size_t count;
    const int64_t *t_us;
    const uint64_t *bytes;
};

struct report_input {
    const struct finding_record *record;
    const struct report_host *hosts; /* as many as the finding's hosts */
    const struct report_tag *tags;   /* as many as its tags */
    const struct report_series *series;
    size_t series_count;
    const struct known_match *known; /* known leaks that fit */
    size_t known_count;
    bool show_names;
    int64_t made_at_us;
};

#define REPORT_HOSTS_MAX 50 /* rows of the table; the rest is counted */

#define REPORT_ALIAS_MAX 64
/* host-01, or the name where names are shown. */
const char *report_alias(const struct report_input *input, size_t host,
                         char text[REPORT_ALIAS_MAX]);

void report_markdown(const struct report_input *input, struct strbuf *out);
void report_html(const struct report_input *input, struct strbuf *out);

#endif
