/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The report of a finding for the driver's vendor: what was seen, where, how fast, with which
 * versions, what speaks against it, how it was measured, and how far the claim goes. Markdown or
 * one HTML file that needs nothing else (its plots are inline SVG). Names of hosts, processes and
 * applications are replaced in every sentence unless asked for (names.h). Pure; all texts are
 * escaped for their format.
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
    const char *driver_version; /* of report_input's version_of */
    const char *agent_version;
};

struct report_tag {
    uint32_t tag;
    const char *driver;      /* NULL: unknown */
    const char *description; /* NULL: none */
};

/* The first mover's bytes on one host of the finding, or the middle of its peers. */
struct report_series {
    size_t host; /* index into the finding's hosts */
    size_t count;
    const int64_t *t_us;
    const uint64_t *bytes;
};

/* A version of version_of: how many hosts of the fleet have it, how many of them are affected, and
 * how fast the tags grow on those in the middle. */
struct report_version {
    const char *version; /* NULL: unknown */
    size_t hosts;
    size_t affected;
    double bytes_per_hour; /* NAN: on none */
};

/* One line of "Environment": affected and other hosts that have this. */
struct report_count {
    const char *what; /* "Build", "Model", ... */
    const char *value;
    size_t affected;
    size_t others;
};

struct report_input {
    const struct finding_record *record;
    const struct report_host *hosts; /* as many as the finding's hosts */
    const struct report_tag *tags;   /* as many as its tags */
    const struct report_series *series;
    size_t series_count;
    const struct report_series *peers; /* the middle of unaffected hosts; NULL: too few */
    size_t peer_hosts;
    bool peers_alike;       /* they have the worst host's build and role */
    const char *version_of; /* the driver whose versions are told apart; NULL: none */
    const struct report_version *versions;
    size_t version_count;
    const struct report_count *counts;
    size_t count_count;
    const struct known_match *known; /* known leaks that fit */
    size_t known_count;
    const char *fix; /* whether an update helped, one sentence; NULL: nothing to say */
    bool show_names;
    int64_t made_at_us;
};

#define REPORT_HOSTS_MAX 50 /* rows of the tables; the rest is counted */

void report_markdown(const struct report_input *input, struct strbuf *out);
void report_html(const struct report_input *input, struct strbuf *out);

#endif
