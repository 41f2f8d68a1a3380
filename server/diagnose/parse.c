/* SPDX-License-Identifier: Apache-2.0 */
#include "server/diagnose/parse.h"

#include "common/utf8.h"
#include "server/diagnose/scan.h"

#include <ctype.h>
#include <string.h>

/* In this order: what is told by more marks comes first. */
static const struct reader *const readers[] = {
    &reader_poolused, &reader_vm,      &reader_page_map,        &reader_trace,
    &reader_memsnap,  &reader_poolmon, &reader_verifier_blocks, &reader_blocks,
    &reader_verifier, &reader_summary, &reader_handles,         &reader_process,
    &reader_unloaded, &reader_modules, &reader_locks,           &reader_search,
    &reader_findstr,  &reader_empty,   &reader_table,           &reader_record,
    &reader_figures,
};
#define READERS (sizeof readers / sizeof *readers)

const char *parse_prompt(const char *line)
{
    const char *found = strstr(line, "kd> ");
    if (found == NULL) {
        size_t length = strlen(line);
        found = length >= 3 && strcmp(line + length - 3, "kd>") == 0 ? line + length - 3 : NULL;
    }
    if (found == NULL || found - line > 16)
        return NULL;
    return scan_blanks(found + 3);
}

bool parse_is_blank(const struct parse *parse, size_t at)
{
    return *scan_blanks(parse->lines[at]) == '\0';
}

bool parse_other_starts(const struct parse *parse, size_t at, const struct reader *own)
{
    if (parse_prompt(parse->lines[at]) != NULL)
        return true;
    for (size_t i = 0; i < READERS; i++)
        if (readers[i] != own && readers[i]->starts(parse, at))
            return true;
    return false;
}

/* A command: behind a prompt, or a line that begins with ! as people retype it. */
static void note_command(struct parse *parse, const char *line)
{
    const char *command = parse_prompt(line);
    if (command == NULL && line[0] == '!' && isalpha((unsigned char)line[1]))
        command = line;
    if (command != NULL)
        parse->command = *command == '\0' ? NULL : command;
}

void parse_all(struct parse *parse)
{
    for (size_t at = 0; at < parse->count && !parse->failed;) {
        size_t next = at + 1;
        if (!parse_is_blank(parse, at)) {
            note_command(parse, parse->lines[at]);
            for (size_t i = 0; i < READERS; i++) {
                if (readers[i]->starts(parse, at)) {
                    next = readers[i]->read(parse, at);
                    break;
                }
            }
        }
        at = next > at ? next : at + 1;
    }
    evidence_resolve(parse);
}

/* ---- reports --------------------------------------------------------------------------------- */

void *parse_more(struct parse *parse, void *items, size_t *count, size_t *room, size_t size)
{
    if (*count < *room)
        return items;
    size_t larger = *room == 0 ? 8 : *room * 2;
    void *bigger = arena_alloc(parse->arena, larger, size);
    if (bigger == NULL) {
        parse->failed = true;
        return NULL;
    }
    if (*count > 0)
        memcpy(bigger, items, *count * size);
    *room = larger;
    return bigger;
}

struct report *report_new(struct parse *parse, const char *tool)
{
    static _Thread_local struct report thrown_away;
    struct report *grown = parse_more(parse, parse->reports, &parse->report_count,
                                      &parse->report_room, sizeof *parse->reports);
    struct report *report = &thrown_away;
    if (grown != NULL) {
        parse->reports = grown;
        report = &grown[parse->report_count++];
    }
    *report = (struct report){.out = {.tool = tool}, .sorted = POOL_UNKNOWN};
    return report;
}

struct diagnose_row *report_row(struct parse *parse, struct report *report, uint32_t tag,
                                enum pool pool)
{
    static _Thread_local struct diagnose_row thrown_away;
    struct diagnose_report *out = &report->out;
    struct diagnose_row *grown =
        parse_more(parse, out->rows, &out->row_count, &report->row_room, sizeof *out->rows);
    struct diagnose_row *row = &thrown_away;
    if (grown != NULL) {
        out->rows = grown;
        row = &grown[out->row_count++];
    }
    *row = (struct diagnose_row){
        tag, pool, NUMBER_UNKNOWN, NUMBER_UNKNOWN, NUMBER_UNKNOWN, NUMBER_UNKNOWN, NULL};
    return row;
}

static bool figure_known(const struct diagnose_figure *figures, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(figures[i].name, name) == 0)
            return true;
    return false;
}

void report_total(struct parse *parse, struct report *report, const char *name, int64_t value)
{
    struct diagnose_report *out = &report->out;
    if (value == NUMBER_UNKNOWN || figure_known(out->totals, out->total_count, name))
        return;
    struct diagnose_figure *grown =
        parse_more(parse, out->totals, &out->total_count, &report->total_room, sizeof *out->totals);
    if (grown == NULL)
        return;
    out->totals = grown;
    grown[out->total_count++] = (struct diagnose_figure){name, value};
}

void report_vm(struct parse *parse, struct report *report, const char *name, int64_t value)
{
    struct diagnose_report *out = &report->out;
    if (value == NUMBER_UNKNOWN || figure_known(out->vm, out->vm_count, name))
        return;
    struct diagnose_figure *grown =
        parse_more(parse, out->vm, &out->vm_count, &report->vm_room, sizeof *out->vm);
    if (grown == NULL)
        return;
    out->vm = grown;
    grown[out->vm_count++] = (struct diagnose_figure){name, value};
}

struct diagnose_session *report_session(struct parse *parse, struct report *report, int64_t id)
{
    static _Thread_local struct diagnose_session thrown_away;
    struct diagnose_report *out = &report->out;
    struct diagnose_session *grown = parse_more(parse, out->sessions, &out->session_count,
                                                &report->session_room, sizeof *out->sessions);
    struct diagnose_session *session = &thrown_away;
    if (grown != NULL) {
        out->sessions = grown;
        session = &grown[out->session_count++];
    }
    *session = (struct diagnose_session){id, NUMBER_UNKNOWN, NUMBER_UNKNOWN};
    return session;
}

void report_point(struct report *report, enum pool pool, double value)
{
    struct series *series = NULL;
    for (size_t i = 0; i < report->series_count; i++)
        if (report->series[i].pool == pool)
            series = &report->series[i];
    if (series == NULL) {
        if (report->series_count == REPORT_SERIES)
            return;
        series = &report->series[report->series_count++];
        *series = (struct series){.pool = pool, .first = value, .last = value};
    }
    series->rising += series->points > 0 && value >= series->last;
    series->points++;
    series->last = value;
    series->peak = value > series->peak ? value : series->peak;
}

int64_t report_figure(const struct report *report, const char *name)
{
    const struct diagnose_report *out = &report->out;
    for (size_t i = 0; i < out->vm_count; i++)
        if (strcmp(out->vm[i].name, name) == 0)
            return out->vm[i].value;
    for (size_t i = 0; i < out->total_count; i++)
        if (strcmp(out->totals[i].name, name) == 0)
            return out->totals[i].value;
    return NUMBER_UNKNOWN;
}

const char *parse_text(struct parse *parse, const char *text, size_t length)
{
    char *copy = arena_alloc(parse->arena, length + 1, 1);
    if (copy == NULL) {
        parse->failed = true;
        return NULL;
    }
    size_t used = 0;
    for (size_t i = 0; i < length;) {
        size_t width = utf8_sequence(text + i, length - i);
        unsigned char c = (unsigned char)text[i];
        if (width > 1) {
            memcpy(copy + used, text + i, width);
            used += width;
        } else if (c > ' ' && c < 0x7F) {
            copy[used++] = text[i];
        } else if (used > 0 && copy[used - 1] != ' ') {
            copy[used++] = ' ';
        }
        i += width == 0 ? 1 : width;
    }
    while (used > 0 && copy[used - 1] == ' ')
        used--;
    copy[used] = '\0';
    return used == 0 ? NULL : copy;
}
