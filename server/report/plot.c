/* SPDX-License-Identifier: Apache-2.0 */
#include "server/report/plot.h"

#include "server/report/page.h"

#include <math.h>
#include <string.h>

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

    for (size_t i = 0; i < input->series_count + (input->peers != NULL); i++) {
        const struct report_series *series =
            i < input->series_count ? &input->series[i] : input->peers;
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
                  "fill=\"#4d5663\">",
                  x, y, anchor);
    page_escape_html(out, text);
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

static void plot_line(const struct plot *plot, const struct report_series *series,
                      const char *colour, const char *more, struct strbuf *out)
{
    strbuf_printf(out, "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"1.5\"%s points=\"",
                  colour, more);
    for (size_t j = 0; j < series->count; j++)
        strbuf_printf(out, "%s%.1f,%.1f", j == 0 ? "" : " ", plot_x(plot, series->t_us[j]),
                      plot_y(plot, (double)series->bytes[j]));
    strbuf_puts(out, "\"/>\n");
}

void plot_series(const struct report_input *input, struct strbuf *out)
{
    static const char *const colours[] = {"#1f5fbf", "#c2571a", "#2e7d4f", "#8a3fa0", "#7a6a1b"};
    struct plot plot;

    if (!plot_bounds(input, &plot))
        return;
    strbuf_printf(out,
                  "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %.0f %.0f\" "
                  "width=\"%.0f\" height=\"%.0f\" role=\"img\" aria-label=\"Bytes of the first "
                  "mover over time, one line for each affected host%s\">\n",
                  PLOT_WIDTH, PLOT_HEIGHT, PLOT_WIDTH, PLOT_HEIGHT,
                  input->peers == NULL ? "" : ", and dashed the middle of unaffected hosts");
    plot_axes(&plot, out);
    for (size_t i = 0; i < input->series_count; i++)
        plot_line(&plot, &input->series[i], colours[i % (sizeof colours / sizeof colours[0])], "",
                  out);
    if (input->peers != NULL)
        plot_line(&plot, input->peers, "#1c2430", " stroke-dasharray=\"6 4\"", out);
    strbuf_puts(out, "</svg>\n");
}

#define BAR_HEIGHT 26.0
#define BAR_LEFT   220.0
#define BAR_RIGHT  170.0 /* room for the figure behind the bar */

static double bars_top(const struct report_input *input)
{
    double top = 0;

    for (size_t i = 0; i < input->version_count; i++)
        if (isfinite(input->versions[i].bytes_per_hour))
            top = fmax(top, input->versions[i].bytes_per_hour);
    return top;
}

static void plot_bar(const struct report_version *version, double y, double top, struct strbuf *out)
{
    char text[96]; /* two counts, one figure and a few words */
    bool grows = isfinite(version->bytes_per_hour) && version->bytes_per_hour > 0;
    double width = grows ? version->bytes_per_hour / top * (PLOT_WIDTH - BAR_LEFT - BAR_RIGHT) : 0;

    snprintf(text, sizeof text, "%.30s", version->version == NULL ? "unknown" : version->version);
    plot_label(out, BAR_LEFT - 8, y + 17, "end", text);
    strbuf_printf(out, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"16\" fill=\"%s\"/>\n",
                  BAR_LEFT, y + 5, fmax(width, 1), grows ? "#c2571a" : "#8a93a0");
    if (grows)
        snprintf(text, sizeof text, "%.1f MiB per hour, %zu of %zu hosts",
                 version->bytes_per_hour / (1024.0 * 1024.0), version->affected, version->hosts);
    else
        snprintf(text, sizeof text, "%zu of %zu hosts affected", version->affected, version->hosts);
    plot_label(out, BAR_LEFT + width + 8, y + 17, "start", text);
}

void plot_versions(const struct report_input *input, struct strbuf *out)
{
    double top = bars_top(input), height = BAR_HEIGHT * (double)input->version_count + 4;

    if (input->version_count == 0 || !(top > 0))
        return;
    strbuf_printf(out,
                  "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %.0f %.0f\" "
                  "width=\"%.0f\" height=\"%.0f\" role=\"img\" aria-label=\"Growth of affected "
                  "hosts by version, a bar each; the table below says the same\">\n",
                  PLOT_WIDTH, height, PLOT_WIDTH, height);
    for (size_t i = 0; i < input->version_count; i++)
        plot_bar(&input->versions[i], BAR_HEIGHT * (double)i, top, out);
    strbuf_puts(out, "</svg>\n");
}
