/* SPDX-License-Identifier: Apache-2.0 */
#include "server/report/page.h"

#include "server/report/report.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

/* ---- escaping
 * ----------------------------------------------------------------------------------------- */

static void html_text(struct strbuf *out, const char *text)
{
    for (const char *at = text; *at != '\0'; at++) {
        switch (*at) {
        case '&':
            strbuf_puts(out, "&amp;");
            break;
        case '<':
            strbuf_puts(out, "&lt;");
            break;
        case '>':
            strbuf_puts(out, "&gt;");
            break;
        case '"':
            strbuf_puts(out, "&quot;");
            break;
        case '\'':
            strbuf_puts(out, "&#39;");
            break;
        default:
            strbuf_putc(out, *at);
        }
    }
}

/* Characters that mean something anywhere in a line; line ends would end a table row. */
static void markdown_text(struct strbuf *out, const char *text)
{
    for (const char *at = text; *at != '\0'; at++) {
        if (*at == '\n' || *at == '\r') {
            strbuf_putc(out, ' ');
            continue;
        }
        if (*at == '<') {
            strbuf_puts(out, "&lt;");
            continue;
        }
        if (strchr("\\`*_[]|#>~!", *at) != NULL)
            strbuf_putc(out, '\\');
        strbuf_putc(out, *at);
    }
}

static void page_text(struct page *page, const char *text)
{
    if (page->format == PAGE_HTML)
        html_text(page->out, text);
    else
        markdown_text(page->out, text);
}

static void page_raw(struct page *page, const char *markdown, const char *html)
{
    strbuf_puts(page->out, page->format == PAGE_HTML ? html : markdown);
}

/* ---- blocks
 * ---------------------------------------------------------------------------------------------- */

void page_begin(struct page *page, const char *title)
{
    strbuf_puts(page->out, "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                           "<meta name=\"viewport\" content=\"width=device-width\">\n<title>Kernel "
                           "pool report: ");
    html_text(page->out, title);
    strbuf_puts(page->out,
                "</title>\n<style>\n"
                "body{font:15px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto;"
                "padding:0 1rem;color:#1c2430;background:#fff}\n"
                "h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2rem}"
                "h3{font-size:.85rem;font-weight:400;color:#5a6472;margin-top:2rem}\n"
                "table{border-collapse:collapse;font-size:.85rem;display:block;overflow-x:auto}\n"
                "th,td{border:1px solid #d5dae1;padding:.25rem .5rem;text-align:left;"
                "vertical-align:top}\nth{background:#f3f5f8}\nsvg{max-width:100%;height:auto}\n"
                "</style>\n</head>\n<body>\n");
}

void page_end(struct page *page)
{
    strbuf_puts(page->out, "</body>\n</html>\n");
}

void page_heading(struct page *page, unsigned level, const char *format, ...)
{
    char text[256]; /* longest: a tag, or a time and a version */
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (page->format == PAGE_HTML) {
        strbuf_printf(page->out, "<h%u>", level);
        html_text(page->out, text);
        strbuf_printf(page->out, "</h%u>\n", level);
        return;
    }
    strbuf_printf(page->out, "%.*s ", (int)level, "###");
    markdown_text(page->out, text);
    strbuf_puts(page->out, "\n\n");
}

void page_paragraph(struct page *page, const char *text)
{
    page_raw(page, "", "<p>");
    page_text(page, text);
    page_raw(page, "\n\n", "</p>\n");
}

void page_list_begin(struct page *page)
{
    page_raw(page, "", "<ul>\n");
}

void page_item(struct page *page, const char *text)
{
    page_raw(page, "- ", "<li>");
    page_text(page, text);
    page_raw(page, "\n", "</li>\n");
}

void page_list_end(struct page *page)
{
    page_raw(page, "\n", "</ul>\n");
}

void page_table_begin(struct page *page, size_t columns, const char *const *heads)
{
    page_raw(page, "|", "<table>\n<thead><tr>");
    for (size_t i = 0; i < columns; i++) {
        page_raw(page, " ", "<th>");
        page_text(page, heads[i]);
        page_raw(page, " |", "</th>");
    }
    page_raw(page, "\n|", "</tr></thead>\n<tbody>\n");
    for (size_t i = 0; i < columns; i++)
        page_raw(page, " --- |", "");
    page_raw(page, "\n", "");
}

void page_row(struct page *page, size_t columns, const char *const *cells)
{
    page_raw(page, "|", "<tr>");
    for (size_t i = 0; i < columns; i++) {
        page_raw(page, " ", "<td>");
        page_text(page, cells[i]);
        page_raw(page, " |", "</td>");
    }
    page_raw(page, "\n", "</tr>\n");
}

void page_table_end(struct page *page)
{
    page_raw(page, "\n", "</tbody>\n</table>\n");
}

/* ---- the plot
 * ---------------------------------------------------------------------------------------------- */

#define PLOT_WIDTH  720.0
#define PLOT_HEIGHT 260.0
#define PLOT_LEFT   70.0
#define PLOT_BOTTOM 30.0
#define PLOT_TOP    10.0

struct plot {
    int64_t t_min, t_max;
    double y_max;
};

static bool plot_bounds(const struct report_input *input, struct plot *ret_plot)
{
    struct plot plot = {INT64_MAX, INT64_MIN, 0};

    for (size_t i = 0; i < input->series_count; i++) {
        const struct report_series *series = &input->series[i];
        for (size_t j = 0; j < series->count; j++) {
            plot.t_min = series->t_us[j] < plot.t_min ? series->t_us[j] : plot.t_min;
            plot.t_max = series->t_us[j] > plot.t_max ? series->t_us[j] : plot.t_max;
            plot.y_max = fmax(plot.y_max, (double)series->bytes[j]);
        }
    }
    *ret_plot = plot;
    return plot.t_max > plot.t_min && plot.y_max > 0;
}

static double plot_x(const struct plot *plot, int64_t t)
{
    return PLOT_LEFT + (PLOT_WIDTH - PLOT_LEFT) * (double)(t - plot->t_min) /
                           (double)(plot->t_max - plot->t_min);
}

static double plot_y(const struct plot *plot, double bytes)
{
    double height = PLOT_HEIGHT - PLOT_TOP - PLOT_BOTTOM;
    return PLOT_TOP + height * (1 - bytes / plot->y_max);
}

static void plot_label(struct strbuf *out, double x, double y, const char *anchor, const char *text)
{
    strbuf_printf(out,
                  "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\" font-size=\"11\" "
                  "fill=\"#5a6472\">",
                  x, y, anchor);
    html_text(out, text);
    strbuf_puts(out, "</text>\n");
}

static void plot_axes(const struct plot *plot, struct strbuf *out)
{
    char text[TIME_TEXT_MAX + 16];

    for (int i = 0; i <= 2; i++) {
        double y = plot_y(plot, plot->y_max * i / 2);
        strbuf_printf(out,
                      "<line x1=\"%.0f\" x2=\"%.0f\" y1=\"%.1f\" y2=\"%.1f\" "
                      "stroke=\"#d5dae1\"/>\n",
                      PLOT_LEFT, PLOT_WIDTH, y, y);
        snprintf(text, sizeof text, "%.1f MiB", plot->y_max * i / 2 / (1024.0 * 1024.0));
        plot_label(out, PLOT_LEFT - 6, y + 4, "end", text);
    }
    time_format(plot->t_min / US_PER_SECOND * US_PER_SECOND, text);
    plot_label(out, PLOT_LEFT, PLOT_HEIGHT - 8, "start", text);
    time_format(plot->t_max / US_PER_SECOND * US_PER_SECOND, text);
    plot_label(out, PLOT_WIDTH, PLOT_HEIGHT - 8, "end", text);
}

static void plot_svg(const struct report_input *input, struct strbuf *out)
{
    static const char *const colours[] = {"#1f5fbf", "#c2571a", "#2e7d4f", "#8a3fa0", "#7a6a1b"};
    struct plot plot;

    if (!plot_bounds(input, &plot))
        return;
    strbuf_printf(out,
                  "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %.0f %.0f\" "
                  "width=\"%.0f\" height=\"%.0f\" role=\"img\" aria-label=\"Bytes of the "
                  "first mover over time, one line a host\">\n",
                  PLOT_WIDTH, PLOT_HEIGHT, PLOT_WIDTH, PLOT_HEIGHT);
    plot_axes(&plot, out);
    for (size_t i = 0; i < input->series_count; i++) {
        const struct report_series *series = &input->series[i];
        strbuf_printf(out, "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"1.5\" points=\"",
                      colours[i % (sizeof colours / sizeof colours[0])]);
        for (size_t j = 0; j < series->count; j++)
            strbuf_printf(out, "%s%.1f,%.1f", j == 0 ? "" : " ", plot_x(&plot, series->t_us[j]),
                          plot_y(&plot, (double)series->bytes[j]));
        strbuf_puts(out, "\"/>\n");
    }
    strbuf_puts(out, "</svg>\n");
}

static void plot_table(struct page *page, const struct report_input *input)
{
    page_table_begin(page, 4, (const char *const[]){"Host", "First", "Middle", "Last"});
    for (size_t i = 0; i < input->series_count; i++) {
        const struct report_series *series = &input->series[i];
        char cells[3][64], name[REPORT_ALIAS_MAX]; /* a time of 20 letters, a number of 24 */
        for (size_t j = 0; j < 3 && series->count > 0; j++) {
            size_t at = (series->count - 1) * j / 2;
            char when[TIME_TEXT_MAX];
            time_format(series->t_us[at] / US_PER_SECOND * US_PER_SECOND, when);
            snprintf(cells[j], sizeof cells[j], "%.1f MiB (%.20s)",
                     (double)series->bytes[at] / (1024.0 * 1024.0), when);
        }
        if (series->count > 0)
            page_row(page, 4,
                     (const char *const[]){report_alias(input, series->host, name), cells[0],
                                           cells[1], cells[2]});
    }
    page_table_end(page);
}

void page_plot(struct page *page, const struct report_input *input)
{
    if (input->series_count == 0)
        return;
    if (page->format == PAGE_HTML)
        plot_svg(input, page->out);
    plot_table(page, input);
}
