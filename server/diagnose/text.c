/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Three passes, each linear: bytes to UTF-8 (only for UTF-16), UTF-8 to plain text with markup
 * resolved, plain text to lines without prefixes. Control bytes stay: a tag may hold them.
 */
#include "server/diagnose/text.h"

#include "common/strbuf.h"
#include "common/utf8.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

void text_done(struct text *text)
{
    free(text->data);
    free(text->lines);
    *text = (struct text){0};
}

/* ---- encodings ------------------------------------------------------------------------------ */

static void put_utf8(struct strbuf *out, uint32_t code)
{
    if (code < 0x80) {
        strbuf_putc(out, (char)code);
        return;
    }
    if (code < 0x800) {
        strbuf_putc(out, (char)(0xC0 | (code >> 6)));
    } else {
        if (code < 0x10000) {
            strbuf_putc(out, (char)(0xE0 | (code >> 12)));
        } else {
            strbuf_putc(out, (char)(0xF0 | (code >> 18)));
            strbuf_putc(out, (char)(0x80 | ((code >> 12) & 0x3F)));
        }
        strbuf_putc(out, (char)(0x80 | ((code >> 6) & 0x3F)));
    }
    strbuf_putc(out, (char)(0x80 | (code & 0x3F)));
}

static void decode_utf16(const unsigned char *bytes, size_t length, bool big, struct strbuf *out)
{
    for (size_t i = 0; i + 1 < length; i += 2) {
        uint32_t unit = big ? (uint32_t)(bytes[i] << 8 | bytes[i + 1])
                            : (uint32_t)(bytes[i + 1] << 8 | bytes[i]);
        if (unit >= 0xD800 && unit < 0xDC00 && i + 3 < length) {
            uint32_t low = big ? (uint32_t)(bytes[i + 2] << 8 | bytes[i + 3])
                               : (uint32_t)(bytes[i + 3] << 8 | bytes[i + 2]);
            if (low >= 0xDC00 && low < 0xE000) {
                unit = 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
                i += 2;
            }
        }
        put_utf8(out, unit >= 0xD800 && unit < 0xE000 ? 0xFFFD : unit);
    }
}

/* Without a mark: text of the Basic Latin range has a zero in every second byte. */
static bool looks_utf16(const unsigned char *bytes, size_t length, bool big)
{
    size_t pairs = (length < 512 ? length : 512) / 2;
    size_t zeros = 0;
    size_t wrong = 0;
    for (size_t i = 0; i < pairs; i++) {
        unsigned char high = bytes[2 * i + (big ? 0 : 1)];
        unsigned char low = bytes[2 * i + (big ? 1 : 0)];
        zeros += high == 0;
        wrong += low == 0 || (low < 0x20 && low != '\t' && low != '\r' && low != '\n');
    }
    return pairs >= 8 && zeros * 10 >= pairs * 8 && wrong * 20 <= pairs;
}

/* ---- characters ------------------------------------------------------------------------------ */

struct replacement {
    uint16_t first;
    uint16_t last;
    char by; /* 0: dropped; 1: minus first plus '!' (full-width forms) */
};

#define FULL_WIDTH  1
#define GROUP_BLANK 2 /* a blank that typography puts between groups of digits */

static const struct replacement replacements[] = {
    {0x00A0, 0x00A0, GROUP_BLANK}, {0x00AD, 0x00AD, 0},    {0x00B4, 0x00B4, '\''},
    {0x066C, 0x066C, '\''},        {0x2000, 0x2006, ' '},  {0x2007, 0x2009, GROUP_BLANK},
    {0x200A, 0x200A, ' '},         {0x200B, 0x200F, 0},    {0x2010, 0x2015, '-'},
    {0x2018, 0x201B, '\''},        {0x201C, 0x201F, '"'},  {0x2022, 0x2022, '*'},
    {0x202F, 0x202F, GROUP_BLANK}, {0x2032, 0x2032, '\''}, {0x2033, 0x2033, '"'},
    {0x205F, 0x205F, ' '},         {0x2060, 0x2060, 0},    {0x2212, 0x2212, '-'},
    {0x2248, 0x2248, '~'},         {0x2500, 0x2501, '-'},  {0x2502, 0x2503, '|'},
    {0x2550, 0x2550, '-'},         {0x2551, 0x2551, '|'},  {0x25CF, 0x25CF, '*'},
    {0x3000, 0x3000, ' '},         {0x2028, 0x2029, '\n'}, {0xFEFF, 0xFEFF, 0},
    {0xFF01, 0xFF5E, FULL_WIDTH},
};

static const struct replacement *replacement_of(uint32_t code)
{
    if (code < 0xA0)
        return NULL;
    for (size_t i = 0; i < sizeof replacements / sizeof *replacements; i++)
        if (code >= replacements[i].first && code <= replacements[i].last)
            return &replacements[i];
    return NULL;
}

static uint32_t code_point(const unsigned char *bytes, size_t length)
{
    switch (length) {
    case 2:
        return (uint32_t)((bytes[0] & 0x1F) << 6 | (bytes[1] & 0x3F));
    case 3:
        return (uint32_t)((bytes[0] & 0x0F) << 12 | (bytes[1] & 0x3F) << 6 | (bytes[2] & 0x3F));
    default:
        return 0;
    }
}

/* Whether a blank of typography stands inside a number: "1 234" is 1234. Only where the line has
 * other blanks too: pages that replaced every blank would otherwise lose their columns. `digits`
 * counts the group in front, over blanks that were joined already. */
static bool joins_digits(size_t digits, const char *rest, size_t left, bool has_blanks)
{
    if (!has_blanks || digits == 0 || (digits > 3 && digits % 3 != 0) || left < 3)
        return false;
    for (size_t i = 0; i < 3; i++)
        if (!isdigit((unsigned char)rest[i]))
            return false;
    return left == 3 || !isdigit((unsigned char)rest[3]);
}

static bool has_plain_separator(const char *line, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (strchr(" \t;|", line[i]) != NULL && line[i] != '\0')
            return true;
    return false;
}

static void plain_line(const char *line, size_t length, struct strbuf *out)
{
    bool has_blanks = has_plain_separator(line, length);
    size_t digits = 0; /* of the group that ends the output so far, over joined blanks */
    for (size_t i = 0; i < length;) {
        size_t width = utf8_sequence(line + i, length - i);
        const struct replacement *found =
            width > 1 ? replacement_of(code_point((const unsigned char *)line + i, width)) : NULL;
        if (found == NULL) {
            char c = line[i] == '\0' ? ' ' : line[i];
            strbuf_add(out, &c, 1);
            for (size_t k = 1; k < width; k++)
                strbuf_putc(out, line[i + k]);
            digits = isdigit((unsigned char)c) ? digits + 1 : 0;
        } else if (found->by == GROUP_BLANK) {
            if (!joins_digits(digits, line + i + width, length - i - width, has_blanks)) {
                strbuf_putc(out, ' ');
                digits = 0;
            }
        } else if (found->by == FULL_WIDTH) {
            uint32_t code = code_point((const unsigned char *)line + i, width);
            char c = (char)(code - 0xFF01 + '!');
            strbuf_putc(out, c);
            digits = isdigit((unsigned char)c) ? digits + 1 : 0;
        } else if (found->by != 0) {
            strbuf_putc(out, found->by);
            digits = 0;
        }
        i += width > 0 ? width : 1;
    }
    strbuf_putc(out, '\n');
}

static void plain(const char *bytes, size_t length, struct strbuf *out)
{
    size_t from = 0;
    for (size_t i = 0; i <= length; i++) {
        if (i < length && bytes[i] != '\n' && bytes[i] != '\r')
            continue;
        plain_line(bytes + from, i - from, out);
        if (i + 1 < length && bytes[i] == '\r' && bytes[i + 1] == '\n')
            i++;
        from = i + 1;
    }
}

/* ---- HTML ------------------------------------------------------------------------------------ */

/* What an element leaves behind; elements that are not listed are no HTML and stay as they are. */
static const struct element {
    const char *name;
    char opened; /* 0: nothing */
    char closed;
} elements[] = {
    {"td", 0, '\t'},    {"th", 0, '\t'},    {"tr", '\n', '\n'},   {"table", '\n', '\n'},
    {"br", '\n', 0},    {"p", '\n', '\n'},  {"pre", '\n', '\n'},  {"div", '\n', '\n'},
    {"li", '\n', '\n'}, {"ul", '\n', '\n'}, {"thead", 0, 0},      {"tbody", 0, 0},
    {"tfoot", 0, 0},    {"code", 0, 0},     {"span", 0, 0},       {"b", 0, 0},
    {"i", 0, 0},        {"strong", 0, 0},   {"em", 0, 0},         {"font", 0, 0},
    {"tt", 0, 0},       {"a", 0, 0},        {"caption", 0, '\n'}, {"colgroup", 0, 0},
    {"col", 0, 0},      {"html", 0, '\n'},  {"body", '\n', '\n'}, {"blockquote", '\n', '\n'},
};

static const struct element *element_of(const char *name, size_t length)
{
    for (size_t i = 0; i < sizeof elements / sizeof *elements; i++)
        if (strlen(elements[i].name) == length && strncasecmp(elements[i].name, name, length) == 0)
            return &elements[i];
    return NULL;
}

static const struct entity {
    const char *name;
    char by;
} entities[] = {
    {"&nbsp;", ' '}, {"&lt;", '<'},   {"&gt;", '>'},    {"&amp;", '&'},
    {"&quot;", '"'}, {"&#39;", '\''}, {"&apos;", '\''}, {"&#160;", ' '},
};

static size_t entity_at(const char *text, char *ret_by)
{
    for (size_t i = 0; i < sizeof entities / sizeof *entities; i++) {
        size_t length = strlen(entities[i].name);
        if (strncmp(text, entities[i].name, length) == 0) {
            *ret_by = entities[i].by;
            return length;
        }
    }
    return 0;
}

static bool is_html(const char *text)
{
    static const char *const signs[] = {"<td", "<tr", "<pre", "<br", "<table", "&nbsp;"};
    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++)
        if (strcasestr(text, signs[i]) != NULL)
            return true;
    return false;
}

/* Length of the element at text ("<td align=right>"), 0 when it is none. */
static size_t element_at(const char *text, const struct element **ret_element, bool *ret_closing)
{
    const char *name = text + 1;
    bool closing = *name == '/';
    name += closing;
    size_t length = 0;
    while (isalnum((unsigned char)name[length]) && length < 16)
        length++;
    const struct element *found = length > 0 ? element_of(name, length) : NULL;
    if (found == NULL)
        return 0;
    size_t end = (size_t)(name - text) + length;
    while (text[end] != '\0' && text[end] != '>' && text[end] != '<' && end < 1024)
        end++;
    if (text[end] != '>')
        return 0;
    *ret_element = found;
    *ret_closing = closing;
    return end + 1;
}

static void without_html(const char *text, struct strbuf *out)
{
    bool in_row = false;
    for (const char *at = text; *at != '\0';) {
        const struct element *element = NULL;
        bool closing = false;
        char by = 0;
        size_t length = *at == '<' ? element_at(at, &element, &closing) : 0;
        if (length > 0) {
            if (strcmp(element->name, "tr") == 0)
                in_row = !closing;
            char left = closing ? element->closed : element->opened;
            if (left != 0)
                strbuf_putc(out, in_row && left == '\n' && strcmp(element->name, "tr") != 0 ? ' '
                                                                                            : left);
        } else if (*at == '&' && (length = entity_at(at, &by)) > 0) {
            strbuf_putc(out, by);
        } else {
            length = 1;
            strbuf_putc(out, in_row && *at == '\n' ? ' ' : *at);
        }
        at += length;
    }
}

/* ---- lines ----------------------------------------------------------------------------------- */

static size_t quote_prefix(const char *line)
{
    size_t at = 0;
    size_t end = 0;
    while (line[at] == '>' || (line[at] == ' ' && line[at + 1] == '>')) {
        at += line[at] == ' ' ? 2 : 1;
        end = at;
    }
    if (end > 0 && line[end] == ' ')
        end++;
    return end;
}

static bool is_bullet(const char *line, char *ret_mark)
{
    while (*line == ' ' || *line == '\t')
        line++;
    if (strchr("-*+", *line) == NULL || *line == '\0')
        return false;
    if (line[1] != ' ' || line[2] == '\0')
        return false;
    *ret_mark = *line;
    return true;
}

/* "- ab" may be a tag of four; with a longer word behind it, the mark is none of a tag. */
static bool is_long_word(const char *line)
{
    const char *word = line + strspn(line, " \t") + 2;
    return strcspn(word, " \t") >= 3;
}

static bool is_blank(const char *line)
{
    return line[strspn(line, " \t")] == '\0';
}

/* Quote marks, and bullets before a short word, count only where a neighbour has them too: one line
 * alone may be a row whose tag begins with that character. */
static void strip_marks(struct text *text)
{
    size_t *quote = calloc(text->count + 1, sizeof *quote);
    struct bullet {
        char mark;
        bool shared;
    } *bullet = calloc(text->count + 1, sizeof *bullet);
    for (size_t i = 0; quote != NULL && i < text->count; i++)
        quote[i] = quote_prefix(text->lines[i]);
    for (size_t i = 0; quote != NULL && i < text->count; i++)
        if (quote[i] > 0 && (quote[i + 1] > 0 || (i > 0 && quote[i - 1] > 0)))
            text->lines[i] += quote[i];
    size_t last = SIZE_MAX;
    for (size_t i = 0; bullet != NULL && i < text->count; i++) {
        if (is_bullet(text->lines[i], &bullet[i].mark) && last != SIZE_MAX &&
            bullet[last].mark == bullet[i].mark)
            bullet[last].shared = bullet[i].shared = true;
        if (!is_blank(text->lines[i]))
            last = i;
    }
    for (size_t i = 0; bullet != NULL && i < text->count; i++)
        if (bullet[i].shared || (bullet[i].mark != 0 && is_long_word(text->lines[i])))
            text->lines[i] += strspn(text->lines[i], " \t") + 2;
    free(quote);
    free(bullet);
}

static void trim_end(char *line)
{
    size_t length = strlen(line);
    while (length > 0 && (line[length - 1] == ' ' || line[length - 1] == '\t'))
        line[--length] = '\0';
}

static enum status cut_lines(struct text *text)
{
    size_t count = 0;
    for (const char *at = text->data; *at != '\0'; at++)
        count += *at == '\n';
    text->lines = calloc(count + 1, sizeof *text->lines);
    if (text->lines == NULL)
        return ST_NOMEM;
    char *at = text->data;
    while (text->count < count) {
        char *end = strchr(at, '\n');
        *end = '\0';
        trim_end(at);
        text->lines[text->count++] = at;
        at = end + 1;
    }
    strip_marks(text);
    return ST_OK;
}

enum status text_split(const char *bytes, size_t length, struct text *ret_text)
{
    const unsigned char *raw = (const unsigned char *)bytes;
    struct strbuf decoded CLEANUP(strbuf_done) = STRBUF_INIT;
    struct strbuf flat CLEANUP(strbuf_done) = STRBUF_INIT;
    struct strbuf tables CLEANUP(strbuf_done) = STRBUF_INIT;

    if (length >= 2 && ((raw[0] == 0xFF && raw[1] == 0xFE) || (raw[0] == 0xFE && raw[1] == 0xFF)))
        decode_utf16(raw + 2, length - 2, raw[0] == 0xFE, &decoded);
    else if (looks_utf16(raw, length, false))
        decode_utf16(raw, length, false, &decoded);
    else if (looks_utf16(raw, length, true))
        decode_utf16(raw, length, true, &decoded);
    if (decoded.length > 0)
        plain(decoded.data, decoded.length, &flat);
    else
        plain(bytes, length, &flat);
    if (!strbuf_failed(&flat) && is_html(flat.data)) {
        without_html(flat.data, &tables);
        strbuf_putc(&tables, '\n');
    }
    if (strbuf_failed(&decoded) || strbuf_failed(&flat) || strbuf_failed(&tables))
        return ST_NOMEM;

    struct text text CLEANUP(text_done) = {0};
    text.data = strbuf_take(tables.length > 0 ? &tables : &flat);
    if (text.data == NULL)
        return ST_NOMEM;
    enum status status = cut_lines(&text);
    if (status != ST_OK)
        return status;
    *ret_text = text;
    text = (struct text){0};
    return ST_OK;
}
