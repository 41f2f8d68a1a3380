/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Both formats are written by the same sections through a small page writer (page.c): one place
 * decides what a report says, another how it looks, a third (names.c) whom it names.
 */
#include "server/report/report.h"

#include "server/report/names.h"
#include "server/report/page.h"
#include "server/report/plot.h"

#include <math.h>
#include <string.h>

/* ---- texts ------------------------------------------------------------------ */

/* All short texts of this file: numbers with units, times, one host alias. */
#define SHORT_MAX REPORT_ALIAS_MAX

static const char *bytes_text(double bytes, char text[SHORT_MAX])
{
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
    size_t unit = 0;

    if (!isfinite(bytes)) {
        snprintf(text, SHORT_MAX, "unknown");
        return text;
    }
    while (fabs(bytes) >= 1024 && unit + 1 < sizeof units / sizeof units[0]) {
        bytes /= 1024;
        unit++;
    }
    snprintf(text, SHORT_MAX, unit == 0 ? "%.0f %s" : "%.2f %s", bytes, units[unit]);
    return text;
}

static const char *rate_text(double bytes_per_hour, char text[SHORT_MAX])
{
    char plain[SHORT_MAX];

    if (!isfinite(bytes_per_hour)) {
        snprintf(text, SHORT_MAX, "unknown");
        return text;
    }
    bytes_text(bytes_per_hour, plain);
    snprintf(text, SHORT_MAX, "%.40s per hour", plain);
    return text;
}

static const char *moment_text(int64_t us, char text[SHORT_MAX])
{
    char full[TIME_TEXT_MAX];

    if (us == TIME_UNKNOWN) {
        snprintf(text, SHORT_MAX, "unknown");
        return text;
    }
    time_format(us / US_PER_SECOND * US_PER_SECOND, full);
    snprintf(text, SHORT_MAX, "%s", full);
    return text;
}

static const char *uptime_text(int64_t seconds, char text[SHORT_MAX])
{
    if (seconds == INT64_MIN)
        snprintf(text, SHORT_MAX, "unknown");
    else
        snprintf(text, SHORT_MAX, "%.1f days", (double)seconds / 86400.0);
    return text;
}

static const char *or_unknown(const char *text)
{
    return text == NULL || *text == '\0' ? "unknown" : text;
}

struct writer {
    struct page page;
    const struct report_input *input;
    struct report_names names;
};

static void say(struct writer *to, const char *text, bool item)
{
    AUTO_STRBUF struct strbuf plain = STRBUF_INIT;

    report_replace(&to->names, text, &plain);
    if (strbuf_failed(&plain) || plain.data == NULL)
        return;
    if (item)
        page_item(&to->page, plain.data);
    else
        page_paragraph(&to->page, plain.data);
}

/* ---- sections --------------------------------------------------------------- */

static void row2(struct page *page, const char *what, const char *value)
{
    page_row(page, 2, (const char *const[]){what, value});
}

static void write_summary(struct writer *to)
{
    const struct finding *finding = &to->input->record->finding;
    struct page *page = &to->page;
    char tag[TAG_TEXT_MAX], text[SHORT_MAX];

    tag_format(finding->tag, tag);
    page_heading(page, 1, "Kernel pool report: tag \"%s\"", tag);
    say(to, finding->summary, false);
    page_table_begin(page, "The finding", 2, (const char *const[]){"What", "Value"});
    row2(page, "Finding", finding->id);
    row2(page, "Kind", finding_kind_name(finding->kind));
    row2(page, "Severity", finding_severity_name(finding->severity));
    snprintf(text, sizeof text, "%.0f %%", finding->confidence * 100);
    row2(page, "Confidence", text);
    row2(page, "Pool", pool_name(finding->pool));
    snprintf(text, sizeof text, "%zu", to->input->record->host_total);
    row2(page, "Hosts affected", text);
    row2(page, "First seen", moment_text(finding->first_seen_us, text));
    row2(page, "Last seen", moment_text(finding->last_seen_us, text));
    if (to->input->record->reopened_at_us != TIME_UNKNOWN && to->input->record->reopened_count > 0)
        row2(page, "Came back", moment_text(to->input->record->reopened_at_us, text));
    row2(page, "Driver that owns the tag", or_unknown(finding->owner_driver));
    page_table_end(page);
}

static void write_tags(struct writer *to)
{
    const struct finding *finding = &to->input->record->finding;
    struct page *page = &to->page;

    page_heading(page, 2, "Tags that grow together");
    page_paragraph(page, "The first is the one that moved first, not the largest.");
    page_table_begin(page, "Tags that grow together", 3,
                     (const char *const[]){"Tag", "Driver", "Description"});
    for (size_t i = 0; i < finding->tag_count; i++) {
        const struct report_tag *row = &to->input->tags[i];
        char tag[TAG_TEXT_MAX];
        tag_format(finding->tags[i], tag);
        page_row(page, 3,
                 (const char *const[]){tag, or_unknown(row->driver),
                                       row->description == NULL ? "" : row->description});
    }
    page_table_end(page);
}

/* First, middle and last reading of one line. */
static void series_row(struct page *page, const char *name, const struct report_series *series)
{
    char cells[3][SHORT_MAX]; /* a time of 20 letters, a number of 24 */

    if (series->count == 0)
        return;
    for (size_t j = 0; j < 3; j++) {
        size_t at = (series->count - 1) * j / 2;
        char when[SHORT_MAX];
        snprintf(cells[j], sizeof cells[j], "%.1f MiB (%.20s)",
                 (double)series->bytes[at] / (1024.0 * 1024.0),
                 moment_text(series->t_us[at], when));
    }
    page_row(page, 4, (const char *const[]){name, cells[0], cells[1], cells[2]});
}

static void write_series(struct writer *to)
{
    const struct report_input *input = to->input;
    struct page *page = &to->page;
    char text[160]; /* one sentence with one count */

    if (input->series_count == 0)
        return;
    page_heading(page, 2, "The first mover over time");
    if (page->format == PAGE_HTML)
        plot_series(input, page->out);
    if (input->peers != NULL)
        snprintf(text, sizeof text, "%s: the median of %zu unaffected hosts%s.",
                 page->format == PAGE_HTML ? "Dashed" : "Last row", input->peer_hosts,
                 input->peers_alike ? " with the build and role of the worst host" : "");
    else
        snprintf(text, sizeof text, "Too few unaffected hosts have this tag to compare with.");
    page_paragraph(page, text);
    page_table_begin(page, "The first mover over time", 4,
                     (const char *const[]){"Host", "First", "Middle", "Last"});
    for (size_t i = 0; i < input->series_count; i++) {
        char name[REPORT_ALIAS_MAX];
        series_row(page, report_alias_host(input, &to->names, input->series[i].host, name),
                   &input->series[i]);
    }
    if (input->peers != NULL)
        series_row(page, "unaffected hosts", input->peers);
    page_table_end(page);
}

static void write_versions(struct writer *to)
{
    const struct report_input *input = to->input;
    struct page *page = &to->page;

    if (input->version_count == 0)
        return;
    page_heading(page, 2, "Growth by version of %.100s", input->version_of);
    if (page->format == PAGE_HTML)
        plot_versions(input, page->out);
    page_table_begin(page, "Growth by version", 4,
                     (const char *const[]){"Version", "Hosts that have it", "Of these affected",
                                           "Growth of the affected, median"});
    for (size_t i = 0; i < input->version_count; i++) {
        const struct report_version *version = &input->versions[i];
        char hosts[SHORT_MAX], affected[SHORT_MAX], rate[SHORT_MAX];
        snprintf(hosts, sizeof hosts, "%zu", version->hosts);
        snprintf(affected, sizeof affected, "%zu", version->affected);
        page_row(page, 4,
                 (const char *const[]){or_unknown(version->version), hosts, affected,
                                       version->affected == 0
                                           ? "none is affected"
                                           : rate_text(version->bytes_per_hour, rate)});
    }
    page_table_end(page);
}

static void host_row(struct writer *to, size_t index)
{
    const struct finding_host *host = &to->input->record->finding.hosts[index];
    char name[REPORT_ALIAS_MAX], held[SHORT_MAX], median[SHORT_MAX], peers[SHORT_MAX];
    char score[SHORT_MAX], rate[SHORT_MAX], since[SHORT_MAX], end[SHORT_MAX];
    char process[REPORT_ALIAS_MAX];
    bool cohort = host->cohort_hosts > 0;
    const char *holder = report_alias(&to->names, host->process, process);

    snprintf(peers, sizeof peers, "%zu", host->cohort_hosts);
    snprintf(score, sizeof score, isfinite(host->score) ? "%.1f" : "unknown", host->score);
    page_row(&to->page, 9,
             (const char *const[]){
                 report_alias_host(to->input, &to->names, index, name),
                 bytes_text((double)host->bytes, held),
                 bytes_text(cohort ? (double)host->cohort_bytes : NAN, median), peers, score,
                 rate_text(host->rate_bytes_per_hour, rate), moment_text(host->since_us, since),
                 host->exhausts_p50_us == TIME_UNKNOWN ? "not foreseen"
                                                       : moment_text(host->exhausts_p50_us, end),
                 holder == NULL ? "not known" : holder});
}

static void write_hosts(struct writer *to)
{
    const struct finding *finding = &to->input->record->finding;
    char text[96]; /* one count and a few words */

    page_heading(&to->page, 2, "Hosts, peers and rates");
    page_table_begin(&to->page, "Hosts, peers and rates", 9,
                     (const char *const[]){"Host", "Held now", "Median of its peers", "Peers",
                                           "Score", "Growth", "Since", "Runs out about",
                                           "Handles held by"});
    for (size_t i = 0; i < finding->host_count && i < REPORT_HOSTS_MAX; i++)
        host_row(to, i);
    page_table_end(&to->page);
    if (to->input->record->host_total <= REPORT_HOSTS_MAX)
        return;
    snprintf(text, sizeof text, "%zu further hosts are affected and not listed.",
             to->input->record->host_total - REPORT_HOSTS_MAX);
    page_paragraph(&to->page, text);
}

static void write_counts(struct writer *to)
{
    if (to->input->count_count == 0)
        return;
    page_table_begin(&to->page, "What hosts have, affected and others", 4,
                     (const char *const[]){"What", "Value", "Affected hosts", "Other hosts"});
    for (size_t i = 0; i < to->input->count_count; i++) {
        const struct report_count *count = &to->input->counts[i];
        char affected[SHORT_MAX], others[SHORT_MAX];
        snprintf(affected, sizeof affected, "%zu", count->affected);
        snprintf(others, sizeof others, "%zu", count->others);
        page_row(&to->page, 4,
                 (const char *const[]){count->what, or_unknown(count->value), affected, others});
    }
    page_table_end(&to->page);
}

static void write_environment(struct writer *to)
{
    const struct finding *finding = &to->input->record->finding;
    char head[SHORT_MAX];

    page_heading(&to->page, 2, "Environment");
    write_counts(to);
    snprintf(head, sizeof head, "Version of %.40s",
             to->input->version_of == NULL ? "the owner" : to->input->version_of);
    page_table_begin(&to->page, "Environment of each affected host", 7,
                     (const char *const[]){"Host", "Operating system", "Build", "Role", "Model",
                                           "Memory, uptime", head});
    for (size_t i = 0; i < finding->host_count && i < REPORT_HOSTS_MAX; i++) {
        const struct report_host *host = &to->input->hosts[i];
        char name[REPORT_ALIAS_MAX], ram[SHORT_MAX], uptime[SHORT_MAX], both[2 * SHORT_MAX + 8];
        bytes_text(host->ram_bytes == INT64_MIN ? NAN : (double)host->ram_bytes, ram);
        snprintf(both, sizeof both, "%s, up %s", ram, uptime_text(host->uptime_seconds, uptime));
        page_row(&to->page, 7,
                 (const char *const[]){report_alias_host(to->input, &to->names, i, name),
                                       or_unknown(host->os_name), or_unknown(host->os_build),
                                       or_unknown(host->role), or_unknown(host->model), both,
                                       or_unknown(host->driver_version)});
    }
    page_table_end(&to->page);
}

static void cause_row(struct writer *to, const struct finding_cause *cause)
{
    char with[SHORT_MAX], without[SHORT_MAX], ratio[SHORT_MAX], q[SHORT_MAX];
    AUTO_STRBUF struct strbuf attribute = STRBUF_INIT;
    AUTO_STRBUF struct strbuf value = STRBUF_INIT;

    report_replace(&to->names, cause->attribute, &attribute);
    strbuf_puts(&value, or_unknown(cause->value));
    if (cause->and_attribute != NULL) {
        strbuf_puts(&value, " together with ");
        report_replace(&to->names, cause->and_attribute, &value);
        strbuf_printf(&value, " %s", or_unknown(cause->and_value));
    }
    snprintf(with, sizeof with, "%zu of %zu", cause->affected_with, cause->affected);
    snprintf(without, sizeof without, "%zu of %zu", cause->unaffected_with, cause->unaffected);
    snprintf(ratio, sizeof ratio, isfinite(cause->risk_ratio) ? "%.1f" : "unknown",
             cause->risk_ratio);
    snprintf(q, sizeof q, isfinite(cause->q_value) ? "%.2g" : "unknown", cause->q_value);
    page_row(&to->page, 6,
             (const char *const[]){or_unknown(attribute.data), or_unknown(value.data), with,
                                   without, ratio, q});
}

/* Which versions are bad and good, and what the change did to the rate; empty: neither is known. */
static void put_cause_history(const struct finding_cause *cause, struct strbuf *text)
{
    char before[SHORT_MAX], after[SHORT_MAX];
    const struct {
        const char *says, *version;
    } versions[] = {{"first bad version", cause->first_bad},
                    {"last good version before it", cause->last_good},
                    {"good again from version", cause->first_good}};
    const char *sep = ": ";

    for (size_t i = 0; i < sizeof versions / sizeof versions[0]; i++) {
        if (versions[i].version == NULL)
            continue;
        strbuf_printf(text, "%s%s %s", sep, versions[i].says, versions[i].version);
        sep = ", ";
    }
    if (cause->changed_hosts > 0 && isfinite(cause->rate_before) && isfinite(cause->rate_after))
        strbuf_printf(text,
                      "%s%zu affected %s known from before and after it came, growing by %s before "
                      "and %s after (medians)",
                      sep[0] == ':' ? ": " : "; ", cause->changed_hosts,
                      cause->changed_hosts == 1 ? "host is" : "hosts are",
                      rate_text(cause->rate_before, before), rate_text(cause->rate_after, after));
}

static void write_cause_histories(struct writer *to)
{
    const struct finding *finding = &to->input->record->finding;
    bool begun = false;

    for (size_t i = 0; i < finding->cause_count; i++) {
        AUTO_STRBUF struct strbuf history = STRBUF_INIT;
        AUTO_STRBUF struct strbuf line = STRBUF_INIT;
        put_cause_history(&finding->causes[i], &history);
        if (history.length == 0)
            continue;
        strbuf_printf(&line, "%s%s.", finding->causes[i].attribute, history.data);
        if (strbuf_failed(&line))
            continue;
        if (!begun)
            page_list_begin(&to->page);
        begun = true;
        say(to, line.data, true);
    }
    if (begun)
        page_list_end(&to->page);
}

static void write_causes(struct writer *to)
{
    const struct finding *finding = &to->input->record->finding;

    page_heading(&to->page, 2, "What separates affected hosts from the others");
    if (finding->cause_count == 0)
        page_paragraph(&to->page, "Nothing that was recorded separates them.");
    else
        page_table_begin(&to->page, "What separates affected hosts from the others", 6,
                         (const char *const[]){"Attribute", "Value", "Affected that have it",
                                               "Counter-evidence: unaffected that have it",
                                               "Risk ratio", "q"});
    for (size_t i = 0; i < finding->cause_count; i++)
        cause_row(to, &finding->causes[i]);
    if (finding->cause_count > 0)
        page_table_end(&to->page);
    write_cause_histories(to);
    if (finding->cause_note != NULL)
        say(to, finding->cause_note, false);
}

static void write_fix(struct writer *to)
{
    if (to->input->fix == NULL)
        return;
    page_heading(&to->page, 2, "After an update");
    say(to, to->input->fix, false);
}

/* Somebody else's words about somebody else's machines: no names to replace. */
static void write_known(struct writer *to)
{
    const struct report_input *input = to->input;

    if (input->known_count == 0)
        return;
    page_heading(&to->page, 2, "Known leaks that look like it");
    page_paragraph(&to->page, "From public threads and vendors' articles. A similar set of tags is "
                              "a hint; the versions decide.");
    page_table_begin(
        &to->page, "Known leaks that look like it", 5,
        (const char *const[]){"Known leak", "Fits by", "Versions", "Advice", "Source"});
    for (size_t i = 0; i < input->known_count; i++) {
        const struct known_match *match = &input->known[i];
        page_row(
            &to->page, 5,
            (const char *const[]){match->leak->title, known_fit_text(match->fit),
                                  match->says[0] == '\0' ? "none separates the hosts" : match->says,
                                  match->leak->advice, match->leak->source});
    }
    page_table_end(&to->page);
}

static void write_evidence(struct writer *to)
{
    const struct finding *finding = &to->input->record->finding;

    if (finding->evidence_count == 0)
        return;
    page_heading(&to->page, 2, "Further evidence");
    page_list_begin(&to->page);
    for (size_t i = 0; i < finding->evidence_count; i++)
        say(to, finding->evidence[i], true);
    page_list_end(&to->page);
}

static size_t simulated_hosts(const struct finding *finding)
{
    size_t count = 0;

    for (size_t i = 0; i < finding->host_count; i++)
        count += finding->hosts[i].simulated;
    return count;
}

static void write_measured(struct writer *to)
{
    static const char *const how[] = {
        "Each host's kernel pool-tag table (allocations, frees and bytes per tag, as poolmon "
        "shows) was read at intervals; counters are compared within one boot.",
        "Growth is the Theil-Sen slope within the current boot: half of all pairs of readings grow "
        "faster, half slower. Times at which memory runs out are medians of a forecast.",
        "Peers share operating system build, role, memory size and time since boot as far as there "
        "are enough of them; the score is the distance from their median in robust standard "
        "deviations (median absolute deviation).",
        "Attributes were tested against affected and unaffected hosts; q is corrected for the "
        "number of values tested (Benjamini-Hochberg).",
        "Whether an update helped is judged on each host by its own growth before and after, "
        "without the first hour after a boot; shares have exact (Clopper-Pearson) 95 % intervals.",
    };
    const struct finding *finding = &to->input->record->finding;
    size_t simulated = simulated_hosts(finding);
    char text[160]; /* two counts and a few words */

    page_heading(&to->page, 2, "How it was measured");
    page_list_begin(&to->page);
    for (size_t i = 0; i < sizeof how / sizeof how[0]; i++)
        page_item(&to->page, how[i]);
    if (simulated > 0) {
        snprintf(text, sizeof text,
                 "Simulated: the data of %zu of %zu affected hosts do not come from a Windows "
                 "kernel.",
                 simulated, finding->host_count);
        page_item(&to->page, text);
    }
    page_list_end(&to->page);
}

static void write_limits(struct writer *to)
{
    page_heading(&to->page, 2, "Limits of this claim");
    page_list_begin(&to->page);
    page_item(&to->page, "A tag names who allocated, as far as tags are told apart: a driver may "
                         "leak because another one never gives back what it holds.");
    page_item(&to->page, "What separates affected hosts from others is association in one fleet. "
                         "It is a reason to look, not a proof of the code at fault.");
    page_item(&to->page, "Only attributes that agents report were tested; a difference nobody "
                         "recorded cannot show.");
    if (to->input->record->finding.cause_count > 0)
        page_item(&to->page, "Hosts that share a version often share a time of update and a load; "
                             "the counter-evidence above says how many with it are well.");
    if (!to->names.show)
        page_item(&to->page, "Names of hosts, processes and applications are replaced. A number "
                             "stands for the same host in every report of this finding.");
    page_list_end(&to->page);
}

static void write_foot(struct writer *to)
{
    char when[SHORT_MAX], text[160]; /* a time and a version */

    snprintf(text, sizeof text, "Made %s by Poolfleet %s.",
             moment_text(to->input->made_at_us, when), POOLFLEET_VERSION);
    page_paragraph(&to->page, text);
}

static void write_all(const struct report_input *input, enum page_format format, const char *title,
                      struct strbuf *out)
{
    static void (*const sections[])(struct writer * to) = {
        write_summary,  write_series, write_versions,    write_causes, write_fix,
        write_tags,     write_hosts,  write_environment, write_known,  write_evidence,
        write_measured, write_limits, write_foot,
    };
    struct writer to = {.page = {format, out}, .input = input};

    if (!report_names_new(input, &to.names)) {
        out->failed = true;
        return;
    }
    if (format == PAGE_HTML)
        page_begin(&to.page, title);
    for (size_t i = 0; i < sizeof sections / sizeof sections[0]; i++)
        sections[i](&to);
    if (format == PAGE_HTML)
        page_end(&to.page);
    report_names_done(&to.names);
}

void report_markdown(const struct report_input *input, struct strbuf *out)
{
    write_all(input, PAGE_MARKDOWN, NULL, out);
}

void report_html(const struct report_input *input, struct strbuf *out)
{
    char tag[TAG_TEXT_MAX];

    tag_format(input->record->finding.tag, tag);
    write_all(input, PAGE_HTML, tag, out);
}
