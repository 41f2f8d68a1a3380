/* SPDX-License-Identifier: Apache-2.0 */
#include "server/report/page.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* ---- escaping --------------------------------------------------------------- */

/* Control characters, and marks that turn the direction of a line or take no room (U+200B to
 * U+200F, U+202A to U+202E, U+2060 to U+2069, U+FEFF), are shown as what they are. */
static bool put_hidden(struct strbuf *out, const char **at)
{
    const unsigned char *c = (const unsigned char *)*at;

    if (c[0] == '\n' || c[0] == '\r' || c[0] == '\t') { /* a line end would end a table's row */
        strbuf_putc(out, ' ');
        return true;
    }
    if (c[0] < 0x20 || c[0] == 0x7f) {
        strbuf_printf(out, "{%02x}", c[0]);
        return true;
    }
    bool general =
        c[0] == 0xe2 &&
        ((c[1] == 0x80 && ((c[2] >= 0x8b && c[2] <= 0x8f) || (c[2] >= 0xaa && c[2] <= 0xae))) ||
         (c[1] == 0x81 && c[2] >= 0xa0 && c[2] <= 0xa9));
    bool mark = c[0] == 0xef && c[1] == 0xbb && c[2] == 0xbf;
    if (!general && !mark)
        return false;
    strbuf_printf(out, "{u%x%02x}", mark ? 0xfe : 0x20,
                  mark ? 0xff : ((c[1] & 1u) << 6 | (c[2] & 0x3fu)));
    *at += 2;
    return true;
}

void page_escape_html(struct strbuf *out, const char *text)
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
            if (!put_hidden(out, &at))
                strbuf_putc(out, *at);
        }
    }
}

/* Characters that mean something anywhere in a line. */
static void markdown_text(struct strbuf *out, const char *text)
{
    for (const char *at = text; *at != '\0'; at++) {
        if (*at == '<') {
            strbuf_puts(out, "&lt;");
            continue;
        }
        if (put_hidden(out, &at))
            continue;
        if (strchr("\\`*_[]|#>~!", *at) != NULL)
            strbuf_putc(out, '\\');
        strbuf_putc(out, *at);
    }
}

static void page_text(struct page *page, const char *text)
{
    if (page->format == PAGE_HTML)
        page_escape_html(page->out, text);
    else
        markdown_text(page->out, text);
}

static void page_raw(struct page *page, const char *markdown, const char *html)
{
    strbuf_puts(page->out, page->format == PAGE_HTML ? html : markdown);
}

/* ---- blocks ----------------------------------------------------------------- */

/* Plain and printable: a vendor reads it in whatever opens it. */
static const char style[] =
    "body{font:15px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem;"
    "color:#1c2430;background:#fff}\n"
    "h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2rem;break-after:avoid}\n"
    "footer{color:#4d5663;font-size:.85rem;margin-top:2rem}\n"
    ".scroll{overflow-x:auto;margin:.75rem 0}\n"
    "table{border-collapse:collapse;font-size:.85rem}\n"
    "caption{text-align:left;color:#4d5663;padding:.25rem 0}\n"
    "th,td{border:1px solid #d5dae1;padding:.25rem .5rem;text-align:left;vertical-align:top;"
    "overflow-wrap:anywhere;min-width:3.5rem;font-variant-numeric:tabular-nums}\n"
    "th{background:#f3f5f8}\nsvg{max-width:100%;height:auto;display:block}\n"
    "@page{margin:15mm}\n"
    "@media print{body{max-width:none;margin:0;padding:0;font-size:10pt}"
    ".scroll{overflow:visible}thead{display:table-header-group}"
    "tr,svg{break-inside:avoid}th,td{min-width:0;padding:.15rem .3rem}}\n";

void page_begin(struct page *page, const char *title)
{
    strbuf_puts(page->out, "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                           "<meta name=\"viewport\" content=\"width=device-width\">\n<title>Kernel "
                           "pool report: ");
    page_escape_html(page->out, title);
    strbuf_printf(page->out, "</title>\n<style>\n%s</style>\n</head>\n<body>\n<main>\n", style);
}

void page_end(struct page *page)
{
    strbuf_puts(page->out, "</main>\n</body>\n</html>\n");
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
        page_escape_html(page->out, text);
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

void page_table_begin(struct page *page, const char *caption, size_t columns,
                      const char *const *heads)
{
    if (page->format == PAGE_HTML) { /* wide ones scroll by keyboard too */
        strbuf_puts(page->out,
                    "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"");
        page_escape_html(page->out, caption);
        strbuf_puts(page->out, "\">\n");
    }
    page_raw(page, "|", "<table>\n<thead><tr>");
    for (size_t i = 0; i < columns; i++) {
        page_raw(page, " ", "<th scope=\"col\">");
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
    page_raw(page, "\n", "</tbody>\n</table>\n</div>\n");
}
