/* SPDX-License-Identifier: Apache-2.0 */
/* Headings, paragraphs, lists and tables as Markdown or HTML. Every text is escaped here. */
#ifndef SERVER_REPORT_PAGE_H
#define SERVER_REPORT_PAGE_H

#include "common/status.h"
#include "common/strbuf.h"

enum page_format { PAGE_MARKDOWN, PAGE_HTML };

struct page {
    enum page_format format;
    struct strbuf *out;
};

void page_begin(struct page *page, const char *title); /* HTML only */
void page_end(struct page *page);
void page_heading(struct page *page, unsigned level, const char *format, ...) PRINTF_LIKE(3, 4);
void page_paragraph(struct page *page, const char *text);
void page_list_begin(struct page *page);
void page_item(struct page *page, const char *text);
void page_list_end(struct page *page);
/* caption: what the table holds, for who cannot see it at a glance; HTML only. */
void page_table_begin(struct page *page, const char *caption, size_t columns,
                      const char *const *heads);
void page_row(struct page *page, size_t columns, const char *const *cells);
void page_table_end(struct page *page);

/* For plot.c. */
void page_escape_html(struct strbuf *out, const char *text);

#endif
