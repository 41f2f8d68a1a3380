/* SPDX-License-Identifier: Apache-2.0 */
/* The pictures of a report as SVG. Markdown gets only the tables beside them. */
#ifndef SERVER_REPORT_PLOT_H
#define SERVER_REPORT_PLOT_H

#include "server/report/report.h"

/* Hosts over time, the middle of their peers dashed. Nothing when there is nothing to draw. */
void plot_series(const struct report_input *input, struct strbuf *out);
/* Growth by version, a bar each. */
void plot_versions(const struct report_input *input, struct strbuf *out);

#endif
