/* SPDX-License-Identifier: Apache-2.0 */
/* The contract's JSON document, and the same for a terminal. Unknown numbers are null, never 0. */
#include "server/diagnose/diagnose.h"

#include <string.h>

static const char *const verdict_names[VERDICT_COUNT] = {
    [VERDICT_NONPAGED_EXHAUSTED] = "nonpaged_exhausted",
    [VERDICT_PAGED_EXHAUSTED] = "paged_exhausted",
    [VERDICT_SESSION_POOL_EXHAUSTED] = "session_pool_exhausted",
    [VERDICT_NONPAGED_LEAK_SUSPECT] = "nonpaged_leak_suspect",
    [VERDICT_PAGED_LEAK_SUSPECT] = "paged_leak_suspect",
    [VERDICT_NOTHING_WRONG] = "nothing_wrong",
    [VERDICT_INSUFFICIENT_DATA] = "insufficient_data",
};

const char *verdict_name(enum verdict verdict)
{
    return verdict_names[verdict];
}

/* ---- JSON ------------------------------------------------------------------------------------ */

static void number(struct strbuf *out, int64_t value)
{
    if (value == NUMBER_UNKNOWN)
        strbuf_puts(out, "null");
    else
        strbuf_i64(out, value);
}

static void text(struct strbuf *out, const char *value)
{
    if (value == NULL)
        strbuf_puts(out, "null");
    else
        strbuf_json(out, value);
}

static void key(struct strbuf *out, const char *name)
{
    strbuf_json(out, name);
    strbuf_putc(out, ':');
}

static void tag_and_pool(struct strbuf *out, uint32_t tag, enum pool pool)
{
    char tag_text[TAG_TEXT_MAX];
    tag_format(tag, tag_text);
    strbuf_puts(out, "{\"tag\":");
    strbuf_json(out, tag_text);
    strbuf_puts(out, ",\"pool\":");
    text(out, pool_name(pool));
}

static void row_json(struct strbuf *out, const struct diagnose_row *row)
{
    tag_and_pool(out, row->tag, row->pool);
    strbuf_puts(out, ",\"allocs\":");
    number(out, row->allocs);
    strbuf_puts(out, ",\"frees\":");
    number(out, row->frees);
    strbuf_puts(out, ",\"outstanding\":");
    number(out, row->outstanding);
    strbuf_puts(out, ",\"bytes\":");
    number(out, row->bytes);
    strbuf_puts(out, ",\"description\":");
    text(out, row->description);
    strbuf_putc(out, '}');
}

static void figures_json(struct strbuf *out, const struct diagnose_figure *figures, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            strbuf_putc(out, ',');
        key(out, figures[i].name);
        number(out, figures[i].value);
    }
}

static void excessive_json(struct strbuf *out, const struct diagnose_report *report)
{
    bool first = true;
    strbuf_puts(out, "\"excessive\":[");
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        if (!report->excessive[pool])
            continue;
        if (!first)
            strbuf_putc(out, ',');
        strbuf_json(out, pool_name((enum pool)pool));
        first = false;
    }
    strbuf_putc(out, ']');
}

static void report_json(struct strbuf *out, const struct diagnose_report *report)
{
    strbuf_puts(out, "{\"tool\":");
    text(out, report->tool);
    strbuf_puts(out, ",\"rows\":[");
    for (size_t i = 0; i < report->row_count; i++) {
        if (i > 0)
            strbuf_putc(out, ',');
        row_json(out, &report->rows[i]);
    }
    strbuf_puts(out, "],\"totals\":{");
    figures_json(out, report->totals, report->total_count);
    strbuf_puts(out, "},\"vm\":{");
    figures_json(out, report->vm, report->vm_count);
    if (report->vm_count > 0)
        strbuf_putc(out, ',');
    excessive_json(out, report);
    strbuf_puts(out, "},\"sessions\":[");
    for (size_t i = 0; i < report->session_count; i++) {
        const struct diagnose_session *session = &report->sessions[i];
        strbuf_puts(out, i > 0 ? ",{\"id\":" : "{\"id\":");
        number(out, session->id);
        strbuf_puts(out, ",\"paged_kb\":");
        number(out, session->paged_kb);
        strbuf_puts(out, ",\"failures\":");
        number(out, session->failures);
        strbuf_putc(out, '}');
    }
    strbuf_puts(out, "]}");
}

static void texts_json(struct strbuf *out, const char *const *texts, size_t count)
{
    strbuf_putc(out, '[');
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            strbuf_putc(out, ',');
        strbuf_json(out, texts[i]);
    }
    strbuf_putc(out, ']');
}

static void known_json(struct strbuf *out, const struct diagnose_suspect *suspect)
{
    strbuf_puts(out, ",\"known_leaks\":[");
    for (size_t i = 0; i < suspect->known_count; i++) {
        strbuf_puts(out, i == 0 ? "{\"id\":" : ",{\"id\":");
        strbuf_json(out, suspect->known[i]->id);
        strbuf_puts(out, ",\"title\":");
        strbuf_json(out, suspect->known[i]->title);
        strbuf_puts(out, ",\"advice\":");
        strbuf_json(out, suspect->known[i]->advice);
        strbuf_puts(out, ",\"source\":");
        strbuf_json(out, suspect->known[i]->source);
        strbuf_putc(out, '}');
    }
    strbuf_putc(out, ']');
}

void diagnose_json(const struct diagnosis *diagnosis, const char *comparison, struct strbuf *out)
{
    strbuf_puts(out, "{\"reports\":[");
    for (size_t i = 0; i < diagnosis->report_count; i++) {
        if (i > 0)
            strbuf_putc(out, ',');
        report_json(out, &diagnosis->reports[i]);
    }
    strbuf_puts(out, "],\"verdict\":");
    strbuf_json(out, verdict_name(diagnosis->verdict));
    strbuf_puts(out, ",\"verdict_why\":");
    text(out, diagnosis->verdict_why);
    strbuf_puts(out, ",\"suspects\":[");
    for (size_t i = 0; i < diagnosis->suspect_count; i++) {
        const struct diagnose_suspect *suspect = &diagnosis->suspects[i];
        if (i > 0)
            strbuf_putc(out, ',');
        tag_and_pool(out, suspect->tag, suspect->pool);
        strbuf_puts(out, ",\"driver\":");
        text(out, suspect->driver);
        strbuf_puts(out, ",\"why\":");
        text(out, suspect->why);
        known_json(out, suspect);
        strbuf_putc(out, '}');
    }
    strbuf_puts(out, "],\"hints\":");
    texts_json(out, diagnosis->hints, diagnosis->hint_count);
    strbuf_puts(out, ",\"next_steps\":");
    texts_json(out, diagnosis->next_steps, diagnosis->next_step_count);
    if (comparison != NULL) {
        strbuf_puts(out, ",\"comparison\":");
        strbuf_puts(out, comparison);
    }
    strbuf_putc(out, '}');
}

/* ---- terminal -------------------------------------------------------------------------------- */

#define ROWS_SHOWN 20

static const char *const verdict_words[VERDICT_COUNT] = {
    [VERDICT_NONPAGED_EXHAUSTED] = "the nonpaged pool is exhausted",
    [VERDICT_PAGED_EXHAUSTED] = "the paged pool is exhausted",
    [VERDICT_SESSION_POOL_EXHAUSTED] = "a session's pool is exhausted",
    [VERDICT_NONPAGED_LEAK_SUSPECT] = "a leak in the nonpaged pool is likely",
    [VERDICT_PAGED_LEAK_SUSPECT] = "a leak in the paged pool is likely",
    [VERDICT_NOTHING_WRONG] = "nothing wrong in what is shown",
    [VERDICT_INSUFFICIENT_DATA] = "the text does not say enough",
};

static void list_print(struct strbuf *out, const char *title, const char *const *texts,
                       size_t count)
{
    if (count == 0)
        return;
    strbuf_printf(out, "\n%s\n", title);
    for (size_t i = 0; i < count; i++)
        strbuf_printf(out, "  - %s\n", texts[i]);
}

static void cell_print(struct strbuf *out, int64_t value)
{
    if (value == NUMBER_UNKNOWN)
        strbuf_printf(out, " %14s", "-");
    else
        strbuf_printf(out, " %14lld", (long long)value);
}

static void rows_print(struct strbuf *out, const struct diagnose_report *report)
{
    if (report->row_count == 0)
        return;
    strbuf_printf(out, "  %-6s %-8s %14s %14s %14s %14s\n", "tag", "pool", "allocs", "frees",
                  "outstanding", "bytes");
    for (size_t i = 0; i < report->row_count && i < ROWS_SHOWN; i++) {
        const struct diagnose_row *row = &report->rows[i];
        char tag[TAG_TEXT_MAX];
        const char *pool = pool_name(row->pool);
        tag_format(row->tag, tag);
        strbuf_printf(out, "  %-6s %-8s", tag, pool == NULL ? "-" : pool);
        cell_print(out, row->allocs);
        cell_print(out, row->frees);
        cell_print(out, row->outstanding);
        cell_print(out, row->bytes);
        strbuf_printf(out, "  %s\n", row->description == NULL ? "" : row->description);
    }
    if (report->row_count > ROWS_SHOWN)
        strbuf_printf(out, "  and %zu rows more\n", report->row_count - ROWS_SHOWN);
}

static void report_print(struct strbuf *out, const struct diagnose_report *report)
{
    strbuf_printf(out, "\n%s, %zu rows\n", report->tool, report->row_count);
    for (size_t i = 0; i < report->vm_count; i++)
        strbuf_printf(out, "  %-24s %lld\n", report->vm[i].name, (long long)report->vm[i].value);
    for (size_t i = 0; i < report->total_count; i++)
        strbuf_printf(out, "  %-24s %lld\n", report->totals[i].name,
                      (long long)report->totals[i].value);
    for (size_t i = 0; i < report->session_count; i++) {
        strbuf_printf(out, "  session %lld:", (long long)report->sessions[i].id);
        cell_print(out, report->sessions[i].paged_kb);
        strbuf_puts(out, " kB paged\n");
    }
    rows_print(out, report);
}

void diagnose_print(const struct diagnosis *diagnosis, struct strbuf *out)
{
    strbuf_printf(out, "%s\n", verdict_words[diagnosis->verdict]);
    if (diagnosis->verdict_why != NULL)
        strbuf_printf(out, "  %s\n", diagnosis->verdict_why);
    if (diagnosis->suspect_count > 0)
        strbuf_puts(out, "\nSuspects\n");
    for (size_t i = 0; i < diagnosis->suspect_count; i++) {
        const struct diagnose_suspect *suspect = &diagnosis->suspects[i];
        const char *pool = pool_name(suspect->pool);
        char tag[TAG_TEXT_MAX];
        tag_format(suspect->tag, tag);
        strbuf_printf(out, "  \"%s\" %s, %s: %s\n", tag, pool == NULL ? "pool unknown" : pool,
                      suspect->driver == NULL ? "driver unknown" : suspect->driver, suspect->why);
        for (size_t k = 0; k < suspect->known_count; k++)
            strbuf_printf(out, "    like a known leak: %s (%s). %s\n", suspect->known[k]->title,
                          suspect->known[k]->source, suspect->known[k]->advice);
    }
    list_print(out, "Hints", diagnosis->hints, diagnosis->hint_count);
    list_print(out, "Next", diagnosis->next_steps, diagnosis->next_step_count);
    for (size_t i = 0; i < diagnosis->report_count; i++)
        report_print(out, &diagnosis->reports[i]);
}
