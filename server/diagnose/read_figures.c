/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pool and memory totals as "name value": event 2004 (its XML or its friendly view), performance
 * counters, system tools. The name decides; blanks, case and what stands between name and value do
 * not matter. Values without a unit are bytes.
 */
#include "server/diagnose/parse.h"
#include "server/diagnose/scan.h"

#include <ctype.h>
#include <string.h>

/* Letters only, lower case. */
static const struct figure_name {
    const char *name;
    const char *figure;
} figure_names[] = {
    {"systemcommitlimit", "commit_limit_bytes"},
    {"systemcommitcharge", "commit_bytes"},
    {"physicalmemorysize", "physical_bytes"},
    {"physicalmemoryusage", "physical_used_bytes"},
    {"nonpagedpoolusage", "nonpaged_used"},
    {"pagedpoolusage", "paged_used"},
    {"nonpagedpoolbytes", "nonpaged_used"},
    {"pagedpoolbytes", "paged_used"},
    {"poolnonpagedbytes", "nonpaged_used"},
    {"poolpagedbytes", "paged_used"},
    {"nonpagedpool", "nonpaged_used"},
    {"pagedpool", "paged_used"},
    {"nonpagedpoolsize", "nonpaged_used"},
    {"pagedpoolsize", "paged_used"},
    {"kernelnonpaged", "nonpaged_used"},
    {"kernelpaged", "paged_used"},
    {"nonpagedbytes", "nonpaged_used"},
    {"pagedbytes", "paged_used"},
    {"nonpagedpoollimit", "nonpaged_limit_bytes"},
    {"pagedpoollimit", "paged_limit_bytes"},
    {"commitlimit", "commit_limit_bytes"},
    {"committedbytes", "commit_bytes"},
    {"commitcharge", "commit_bytes"},
    {"availablebytes", "available_bytes"},
    {"availablememory", "available_bytes"},
    {"totalphysicalmemory", "physical_bytes"},
    {"physicalmemory", "physical_bytes"},
};

static const char *figure_of(const char *name, size_t length)
{
    char key[32];
    size_t used = 0;
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)name[i];
        if (!isalpha(c)) {
            if (c >= 0x80 || isdigit(c))
                return NULL;
            continue;
        }
        if (used + 1 == sizeof key)
            return NULL;
        key[used++] = (char)tolower(c);
    }
    key[used] = '\0';
    for (size_t i = 0; i < sizeof figure_names / sizeof *figure_names; i++)
        if (strcmp(key, figure_names[i].name) == 0)
            return figure_names[i].figure;
    return NULL;
}

struct figure {
    const char *name;
    int64_t value;
    bool under; /* its value stands in the next line */
};

/* "- PagedPoolUsage 327008256", "<PagedPoolUsage>3</...>", "<Data Name='PagedPoolUsage'>3",
 * "Paged pool: 1.2 GB", "\\host\memory\pool paged bytes : 3". Without any digit behind the name
 * the value begins the next line, as counters and the task manager show it. */
static bool figure_at(const char *line, const char *below, struct figure *ret_figure)
{
    const char *name = line;
    const char *quoted = scan_find(line, "Name=");
    if (quoted != NULL)
        name = quoted + 1;
    const char *backslash = strrchr(name, '\\');
    if (backslash != NULL)
        name = backslash + 1;
    while (*name != '\0' && !isalpha((unsigned char)*name)) {
        if (isdigit((unsigned char)*name))
            return false;
        name++;
    }
    size_t length = strcspn(name, "0123456789:=>'\"");
    const char *figure = figure_of(name, length);
    if (figure == NULL)
        return false;
    const char *value = name + length;
    value += strcspn(value, "0123456789");
    struct number number;
    double factor = 1;
    bool under = *value == '\0' && below != NULL && isdigit((unsigned char)*scan_blanks(below));
    if (value - name > 60)
        return false;
    if (under)
        value = scan_blanks(below);
    const char *at = value;
    if (!scan_number(&at, SCAN_POINT, &number))
        return false;
    bool unit = scan_unit(&at, &factor);
    if (!unit) {
        at = value;
        if (!scan_number(&at, SCAN_INTEGER, &number) || !number.exact)
            return false;
    }
    int64_t bytes = 0;
    if (!number_scaled(&number, factor, &bytes))
        return false;
    *ret_figure = (struct figure){figure, bytes, under};
    return true;
}

static const char *below(const struct parse *parse, size_t at)
{
    return at + 1 < parse->count ? parse->lines[at + 1] : NULL;
}

static bool figures_start(const struct parse *parse, size_t at)
{
    struct figure figure;
    return figure_at(parse->lines[at], below(parse, at), &figure);
}

static size_t figures_read(struct parse *parse, size_t at)
{
    struct report *report = report_new(parse, "figures");
    size_t junk = 0;
    size_t end = at + 1;
    size_t from = at;
    for (; at < parse->count && junk <= 6; at++) {
        struct figure figure;
        if (figure_at(parse->lines[at], below(parse, at), &figure)) {
            if (report_figure(report, figure.name) != NUMBER_UNKNOWN)
                return at;
            report_total(parse, report, figure.name, figure.value);
            junk = 0;
            at += figure.under;
            end = at + 1;
        } else if (!parse_is_blank(parse, at)) {
            if (at > from && parse_other_starts(parse, at, &reader_figures))
                return at;
            junk++;
        }
    }
    return end;
}

const struct reader reader_figures = {"figures", figures_start, figures_read};
