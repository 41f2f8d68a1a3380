/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Both formats are written by the same sections through a small page writer (page.c): one place
 * decides what a report says, another how it looks.
 */
#include "server/report/report.h"

#include "server/report/page.h"

#include <math.h>
#include <string.h>

/* ---- texts
 * -------------------------------------------------------------------------------------------- */

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

const char *report_alias(const struct report_input *input, size_t host, char text[REPORT_ALIAS_MAX])
{
    const struct finding_host *at = &input->record->finding.hosts[host];

    if (input->show_names && at->name != NULL)
        return at->name;
    snprintf(text, REPORT_ALIAS_MAX, "host-%02zu", host + 1);
    return text;
}

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || (unsigned char)c >= 0x80;
}

/* The host whose name or id stands at text[at] as a whole word; its length. */
static size_t host_at(const struct finding *finding, const char *text, size_t at,
                      size_t *ret_length)
{
    if (at > 0 && is_word(text[at - 1]))
        return SIZE_MAX;
    for (size_t i = 0; i < finding->host_count; i++) {
        const char *names[] = {finding->hosts[i].name, finding->hosts[i].id};
        for (size_t j = 0; j < 2; j++) {
            size_t length = names[j] == NULL ? 0 : strlen(names[j]);
            if (length > 0 && strncasecmp(text + at, names[j], length) == 0 &&
                !is_word(text[at + length])) {
                *ret_length = length;
                return i;
            }
        }
    }
    return SIZE_MAX;
}

/* The sentences of the analysis name hosts: replaced like everywhere else. */
static void sentence(const struct report_input *input, const char *text, struct strbuf *out)
{
    char name[SHORT_MAX];

    for (size_t at = 0; text[at] != '\0';) {
        size_t length = 0;
        size_t host =
            input->show_names ? SIZE_MAX : host_at(&input->record->finding, text, at, &length);
        if (host == SIZE_MAX) {
            strbuf_putc(out, text[at++]);
            continue;
        }
        strbuf_puts(out, report_alias(input, host, name));
        at += length;
    }
}

static void paragraph_sentence(struct page *page, const struct report_input *input,
                               const char *text, bool item)
{
    AUTO_STRBUF struct strbuf plain = STRBUF_INIT;

    sentence(input, text, &plain);
    if (strbuf_failed(&plain) || plain.data == NULL)
        return;
    if (item)
        page_item(page, plain.data);
    else
        page_paragraph(page, plain.data);
}

/* ---- sections
 * ------------------------------------------------------------------------------------------ */

static void write_summary(struct page *page, const struct report_input *input)
{
    const struct finding *finding = &input->record->finding;
    char tag[TAG_TEXT_MAX], text[SHORT_MAX];

    tag_format(finding->tag, tag);
    page_heading(page, 1, "Kernel pool report: tag \"%s\"", tag);
    paragraph_sentence(page, input, finding->summary, false);
    page_table_begin(page, 2, (const char *const[]){"What", "Value"});
    page_row(page, 2, (const char *const[]){"Finding", finding->id});
    page_row(page, 2, (const char *const[]){"Kind", finding_kind_name(finding->kind)});
    page_row(page, 2, (const char *const[]){"Severity", finding_severity_name(finding->severity)});
    snprintf(text, sizeof text, "%.0f %%", finding->confidence * 100);
    page_row(page, 2, (const char *const[]){"Confidence", text});
    page_row(page, 2, (const char *const[]){"Pool", pool_name(finding->pool)});
    snprintf(text, sizeof text, "%zu", input->record->host_total);
    page_row(page, 2, (const char *const[]){"Hosts affected", text});
    page_row(page, 2,
             (const char *const[]){"First seen", moment_text(finding->first_seen_us, text)});
    page_row(page, 2, (const char *const[]){"Last seen", moment_text(finding->last_seen_us, text)});
    page_row(page, 2,
             (const char *const[]){"Driver that owns the tag", or_unknown(finding->owner_driver)});
    page_table_end(page);
}

static void write_tags(struct page *page, const struct report_input *input)
{
    const struct finding *finding = &input->record->finding;

    page_heading(page, 2, "Tags that grow together");
    page_paragraph(page, "The first is the one that moved first, not the largest.");
    page_table_begin(page, 3, (const char *const[]){"Tag", "Driver", "Description"});
    for (size_t i = 0; i < finding->tag_count; i++) {
        char tag[TAG_TEXT_MAX];
        tag_format(finding->tags[i], tag);
        page_row(page, 3,
                 (const char *const[]){
                     tag, or_unknown(input->tags[i].driver),
                     input->tags[i].description == NULL ? "" : input->tags[i].description});
    }
    page_table_end(page);
}

static void write_hosts(struct page *page, const struct report_input *input)
{
    const struct finding *finding = &input->record->finding;

    page_heading(page, 2, "Hosts, peers and rates");
    page_table_begin(page, 8,
                     (const char *const[]){"Host", "Held now", "Median of its peers", "Peers",
                                           "Score", "Growth", "Since", "Runs out about"});
    for (size_t i = 0; i < finding->host_count && i < REPORT_HOSTS_MAX; i++) {
        const struct finding_host *host = &finding->hosts[i];
        char name[SHORT_MAX], held[SHORT_MAX], median[SHORT_MAX], peers[SHORT_MAX];
        char score[SHORT_MAX], rate[SHORT_MAX], since[SHORT_MAX], end[SHORT_MAX];
        bool cohort = host->cohort_hosts > 0;
        snprintf(peers, sizeof peers, "%zu", host->cohort_hosts);
        snprintf(score, sizeof score, isfinite(host->score) ? "%.1f" : "unknown", host->score);
        page_row(page, 8,
                 (const char *const[]){
                     report_alias(input, i, name), bytes_text((double)host->bytes, held),
                     bytes_text(cohort ? (double)host->cohort_bytes : NAN, median), peers, score,
                     rate_text(host->rate_bytes_per_hour, rate), moment_text(host->since_us, since),
                     host->exhausts_p50_us == TIME_UNKNOWN
                         ? "not foreseen"
                         : moment_text(host->exhausts_p50_us, end)});
    }
    page_table_end(page);
    if (input->record->host_total > REPORT_HOSTS_MAX)
        page_paragraph(page, "Further hosts are affected and not listed.");
}

static void write_environment(struct page *page, const struct report_input *input)
{
    const struct finding *finding = &input->record->finding;

    page_heading(page, 2, "Environment");
    page_table_begin(page, 7,
                     (const char *const[]){"Host", "Operating system", "Build", "Role", "Model",
                                           "Memory, uptime", "Version of the owner"});
    for (size_t i = 0; i < finding->host_count && i < REPORT_HOSTS_MAX; i++) {
        const struct report_host *host = &input->hosts[i];
        char name[SHORT_MAX], ram[SHORT_MAX], uptime[SHORT_MAX], both[2 * SHORT_MAX + 8];
        bytes_text(host->ram_bytes == INT64_MIN ? NAN : (double)host->ram_bytes, ram);
        snprintf(both, sizeof both, "%s, up %s", ram, uptime_text(host->uptime_seconds, uptime));
        page_row(page, 7,
                 (const char *const[]){report_alias(input, i, name), or_unknown(host->os_name),
                                       or_unknown(host->os_build), or_unknown(host->role),
                                       or_unknown(host->model), both,
                                       or_unknown(host->driver_version)});
    }
    page_table_end(page);
}

static void write_causes(struct page *page, const struct report_input *input)
{
    const struct finding *finding = &input->record->finding;

    page_heading(page, 2, "What separates affected hosts from the others");
    if (finding->cause_count == 0)
        page_paragraph(page, "Nothing that was recorded separates them.");
    else
        page_table_begin(page, 6,
                         (const char *const[]){"Attribute", "Value", "Affected that have it",
                                               "Counter-evidence: unaffected that have it",
                                               "Risk ratio", "q"});
    for (size_t i = 0; i < finding->cause_count; i++) {
        const struct finding_cause *cause = &finding->causes[i];
        char with[SHORT_MAX], without[SHORT_MAX], ratio[SHORT_MAX], q[SHORT_MAX];
        snprintf(with, sizeof with, "%zu of %zu", cause->affected_with, cause->affected);
        snprintf(without, sizeof without, "%zu of %zu", cause->unaffected_with, cause->unaffected);
        snprintf(ratio, sizeof ratio, isfinite(cause->risk_ratio) ? "%.1f" : "unknown",
                 cause->risk_ratio);
        snprintf(q, sizeof q, isfinite(cause->q_value) ? "%.2g" : "unknown", cause->q_value);
        page_row(page, 6,
                 (const char *const[]){or_unknown(cause->attribute), or_unknown(cause->value), with,
                                       without, ratio, q});
    }
    if (finding->cause_count > 0)
        page_table_end(page);
    if (finding->cause_note != NULL)
        paragraph_sentence(page, input, finding->cause_note, false);
}

/* Somebody else's words about somebody else's machines: no host names to replace. */
static void write_known(struct page *page, const struct report_input *input)
{
    if (input->known_count == 0)
        return;
    page_heading(page, 2, "Known leaks that look like it");
    page_paragraph(page, "From public threads and vendors' articles. A similar set of tags is a "
                         "hint; the versions decide.");
    page_table_begin(
        page, 5, (const char *const[]){"Known leak", "Fits by", "Versions", "Advice", "Source"});
    for (size_t i = 0; i < input->known_count; i++) {
        const struct known_match *match = &input->known[i];
        page_row(
            page, 5,
            (const char *const[]){match->leak->title, known_fit_text(match->fit),
                                  match->says[0] == '\0' ? "none separates the hosts" : match->says,
                                  match->leak->advice, match->leak->source});
    }
    page_table_end(page);
}

static void write_evidence(struct page *page, const struct report_input *input)
{
    const struct finding *finding = &input->record->finding;

    if (finding->evidence_count == 0)
        return;
    page_heading(page, 2, "Further evidence");
    page_list_begin(page);
    for (size_t i = 0; i < finding->evidence_count; i++)
        paragraph_sentence(page, input, finding->evidence[i], true);
    page_list_end(page);
}

static void write_measured(struct page *page, const struct report_input *input)
{
    char text[SHORT_MAX];

    page_heading(page, 2, "How it was measured");
    page_list_begin(page);
    page_item(page, "Each host's kernel pool-tag table (allocations, frees and bytes per tag, as "
                    "poolmon shows) was read at intervals; counters are compared within one boot.");
    page_item(page, "Growth is the Theil-Sen slope within the current boot: half of all pairs of "
                    "readings grow faster, half slower.");
    page_item(page, "Peers share operating system build, role, memory size and time since boot "
                    "as far as there are enough of them; the score is the distance from their "
                    "median in robust standard deviations (median absolute deviation).");
    page_item(page, "Attributes were tested against affected and unaffected hosts; q is corrected "
                    "for the number of values tested (Benjamini-Hochberg).");
    page_list_end(page);
    page_heading(page, 3, "Made %s by Poolfleet %s", moment_text(input->made_at_us, text),
                 POOLFLEET_VERSION);
}

static void write_all(struct page *page, const struct report_input *input)
{
    write_summary(page, input);
    write_tags(page, input);
    if (input->series_count > 0)
        page_heading(page, 2, "The first mover over time");
    page_plot(page, input);
    write_hosts(page, input);
    write_environment(page, input);
    write_causes(page, input);
    write_known(page, input);
    write_evidence(page, input);
    write_measured(page, input);
}

void report_markdown(const struct report_input *input, struct strbuf *out)
{
    struct page page = {PAGE_MARKDOWN, out};
    write_all(&page, input);
}

void report_html(const struct report_input *input, struct strbuf *out)
{
    struct page page = {PAGE_HTML, out};
    char tag[TAG_TEXT_MAX];

    tag_format(input->record->finding.tag, tag);
    page_begin(&page, tag);
    write_all(&page, input);
    page_end(&page);
}
