/* SPDX-License-Identifier: Apache-2.0 */
#include "server/analyze/wording.h"

#include <math.h>
#include <string.h>

void wording_bytes(struct strbuf *to, double bytes)
{
    static const char *const units[] = {"bytes", "KB", "MB", "GB", "TB", "PB"};
    size_t unit = 0;
    double value = bytes < 0 ? 0 : bytes;
    while (value >= 1000 && unit + 1 < sizeof units / sizeof units[0]) {
        value /= 1024;
        unit++;
    }
    strbuf_printf(to,
                  unit == 0 || value >= 100 ? "%.0f %s"
                  : value >= 10             ? "%.1f %s"
                                            : "%.2f %s",
                  value, units[unit]);
}

void wording_hours(struct strbuf *to, double hours)
{
    if (hours < 1.0 / 60)
        strbuf_puts(to, "less than a minute");
    else if (hours < 1.5)
        strbuf_printf(to, "%.0f minutes", hours * 60);
    else if (hours < 10)
        strbuf_printf(to, "%.1f hours", hours);
    else if (hours < 48)
        strbuf_printf(to, "%.0f hours", hours);
    else
        strbuf_printf(to, "%.0f days", hours / 24);
}

void wording_tag(struct strbuf *to, uint32_t tag)
{
    char text[TAG_TEXT_MAX];
    tag_format(tag, text);
    strbuf_printf(to, "\"%s\"", text);
}

const char *wording_attribute(const char *attribute)
{
    bool driver = strncmp(attribute, "driver/", strlen("driver/")) == 0;
    return driver ? attribute + strlen("driver/") : attribute;
}

void wording_limit(struct strbuf *to, const char *limit)
{
    static const struct {
        const char *limit;
        const char *text;
    } names[] = {{"nonpaged_limit", "the nonpaged pool is full"},
                 {"paged_limit", "the paged pool is full"},
                 {"commit", "the commit limit is reached"},
                 {"physical", "physical memory is full"}};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(names[i].limit, limit) == 0)
            strbuf_puts(to, names[i].text);
    }
}

static const char *plural(size_t count, const char *one, const char *many)
{
    return count == 1 ? one : many;
}

/* "54 of 10,144" */
static void say_of(struct strbuf *to, size_t some, size_t all)
{
    strbuf_printf(to, "%s of %s", GROUPED(some), GROUPED(all));
}

static void say_hosts(struct strbuf *to, const struct finding *finding, size_t fleet_hosts)
{
    bool named = finding->host_count == 1 && finding->hosts[0].name != NULL && fleet_hosts > 1;

    if (named)
        strbuf_printf(to, "%s (", finding->hosts[0].name);
    say_of(to, finding->host_count, fleet_hosts);
    strbuf_puts(to, plural(fleet_hosts, " host", " hosts"));
    strbuf_puts(to, named ? ")" : "");
}

static void say_rate(struct strbuf *to, const struct finding *finding)
{
    double low = INFINITY;
    double high = 0;
    for (size_t i = 0; i < finding->host_count; i++) {
        double rate = finding->hosts[i].rate_bytes_per_hour;
        if (isnan(rate))
            continue;
        low = fmin(low, rate);
        high = fmax(high, rate);
    }
    if (low == INFINITY)
        return;
    /* Some hosts of a leak stand still for now: "by 0 bytes to 30 MB" says less than "up to". */
    strbuf_puts(to, low < 0.01 * high ? " by up to " : " by ");
    if (high > 1.15 * low && low >= 0.01 * high) {
        wording_bytes(to, low);
        strbuf_puts(to, " to ");
    }
    wording_bytes(to, high);
    strbuf_puts(to, " an hour");
}

static void say_others(struct strbuf *to, const struct finding *finding)
{
    if (finding->tag_count < 2)
        return;
    strbuf_puts(to, ", in step with ");
    size_t named = finding->tag_count - 1 > 4 ? 3 : finding->tag_count - 1;
    for (size_t i = 1; i <= named; i++) {
        strbuf_puts(to, i == 1 ? "" : ", ");
        wording_tag(to, finding->tags[i]);
    }
    if (named < finding->tag_count - 1)
        strbuf_printf(to, " and %zu more tags", finding->tag_count - 1 - named);
}

static void say_end(struct strbuf *to, const struct finding *finding, int64_t now_us)
{
    const struct finding_host *first = NULL;
    for (size_t i = 0; i < finding->host_count; i++) {
        const struct finding_host *host = &finding->hosts[i];
        if (host->exhausts_p50_us != TIME_UNKNOWN &&
            (first == NULL || host->exhausts_p50_us < first->exhausts_p50_us))
            first = host;
    }
    if (first == NULL || first->limit == NULL)
        return;
    /* The sentence is read hours after it was made: what is near is told by its time, for "in 9
     * minutes" would soon be false. */
    double hours = (double)(first->exhausts_p50_us - now_us) / (double)US_PER_HOUR;
    char at[TIME_TEXT_MAX];
    time_format(first->exhausts_p50_us, at);
    if (hours <= 0)
        strbuf_puts(to, "; by now ");
    else if (hours < 48)
        strbuf_printf(to, "; about %.10s %.5s UTC ", at, at + strlen("2026-11-21T"));
    else {
        strbuf_puts(to, "; in ");
        wording_hours(to, hours);
        strbuf_puts(to, " ");
    }
    wording_limit(to, first->limit);
    if (finding->host_count > 1)
        strbuf_puts(to, " on the first host");
}

static void say_cause(struct strbuf *to, const struct finding *finding)
{
    if (finding->cause_count == 0 || finding->causes[0].q_value > 0.05)
        return;
    const struct finding_cause *cause = &finding->causes[0];
    strbuf_puts(to, "; ");
    say_of(to, cause->affected_with, cause->affected);
    strbuf_printf(to, " affected hosts have %s %s", wording_attribute(cause->attribute),
                  cause->value);
    if (cause->and_attribute != NULL)
        strbuf_printf(to, " together with %s %s", wording_attribute(cause->and_attribute),
                      cause->and_value);
    strbuf_puts(to, ", ");
    say_of(to, cause->unaffected_with, cause->unaffected);
    strbuf_puts(to, " others do");
}

static void say_levels(struct strbuf *to, const struct finding *finding)
{
    double most = 0;
    double peers = 0;
    for (size_t i = 0; i < finding->host_count; i++) {
        if ((double)finding->hosts[i].bytes > most) {
            most = (double)finding->hosts[i].bytes;
            peers = (double)finding->hosts[i].cohort_bytes;
        }
    }
    strbuf_puts(to, finding->host_count == 1 ? " " : " up to ");
    wording_bytes(to, most);
    strbuf_puts(to, " where comparable hosts hold ");
    wording_bytes(to, peers);
}

static void say_process(struct strbuf *to, const struct finding *finding)
{
    const struct finding_host *most = NULL;
    for (size_t i = 0; i < finding->host_count; i++) {
        const struct finding_host *host = &finding->hosts[i];
        if (host->process != NULL &&
            (most == NULL || host->process_handles > most->process_handles))
            most = host;
    }
    if (most == NULL)
        strbuf_puts(to, "; handles to them are open, by a process not known");
    else
        strbuf_printf(to, "; %s holds %s handles", most->process, GROUPED(most->process_handles));
}

void wording_summary(struct strbuf *to, const struct finding *finding, size_t fleet_hosts,
                     int64_t now_us)
{
    static const char *const verbs[FINDING_KIND_COUNT] = {
        [FINDING_LEAK] = " grows",
        [FINDING_LEVEL] = " holds",
        [FINDING_PLATEAU] = " rose and never came back: it holds",
        [FINDING_EXHAUSTION] = " leads",
        [FINDING_HANDLE_LEAK] = " grows",
        [FINDING_SHIFT] = " holds steadily more:"};
    bool grows = finding->kind == FINDING_LEAK || finding->kind == FINDING_HANDLE_LEAK;
    strbuf_puts(to, finding->pool == POOL_NONPAGED ? "Nonpaged tag " : "Paged tag ");
    wording_tag(to, finding->tag);
    strbuf_puts(to, verbs[finding->kind]);
    if (grows)
        say_rate(to, finding);
    else
        say_levels(to, finding);
    strbuf_puts(to, " on ");
    say_hosts(to, finding, fleet_hosts);
    say_others(to, finding);
    if (finding->kind == FINDING_HANDLE_LEAK)
        say_process(to, finding);
    say_cause(to, finding);
    if (grows)
        say_end(to, finding, now_us);
    strbuf_puts(to, ".");
}
