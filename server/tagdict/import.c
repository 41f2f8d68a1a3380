/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads pooltag.txt, localtag.txt and lists that people wrote in their manner:
 *
 *     TTTT - binary - description        columns 0 to 3 are the tag, blanks count
 *     TTTT - description                 two parts
 *     TTTT - driver driver               a list of two-part rows alone is a localtag.txt
 *     // remark, rem remark
 *
 * Real lists have rows out of line (pad blanks lost or doubled, rows torn in two, a final Ctrl-Z),
 * so the separator is looked for where the tag ends; no row stops the reader.
 */
#include "server/tagdict/tagdict.h"

#include "common/limits.h"
#include "common/strbuf.h"
#include "server/tagdict/pattern.h"

#include <string.h>
#include <strings.h>

#define CTRL_Z 0x1a

/* A piece of the text; not ended by NUL. */
struct piece {
    const char *data;
    size_t length;
};

/* A row of a list, cut but not yet judged. */
struct row {
    struct piece tag;
    struct piece first;  /* binary, or the only part */
    struct piece second; /* description; data NULL when the row has two parts */
};

struct reader {
    struct tagdict *dict;
    bool local; /* every row has two parts: they name drivers */
    struct strbuf driver;
    struct strbuf text;
};

/* ---- pieces ----------------------------------------------------------------- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static struct piece trim(struct piece piece)
{
    while (piece.length > 0 && is_blank(piece.data[0])) {
        piece.data++;
        piece.length--;
    }
    while (piece.length > 0 && is_blank(piece.data[piece.length - 1]))
        piece.length--;
    return piece;
}

/* The next line without its end (LF, CRLF or CR) and without a Ctrl-Z that ends it. */
static struct piece next_line(struct piece *rest)
{
    struct piece line = {rest->data, 0};
    while (line.length < rest->length && line.data[line.length] != '\n' &&
           line.data[line.length] != '\r')
        line.length++;
    size_t used = line.length;
    if (used < rest->length)
        used += used + 1 < rest->length && line.data[used] == '\r' && line.data[used + 1] == '\n'
                    ? 2
                    : 1;
    rest->data += used;
    rest->length -= used;
    while (line.length > 0 && line.data[line.length - 1] == CTRL_Z)
        line.length--;
    return line;
}

static bool is_comment(struct piece line)
{
    static const char rem[] = "rem";
    struct piece text = trim(line);
    if (text.length == 0 || (text.length >= 2 && memcmp(text.data, "//", 2) == 0))
        return true;
    if (text.data != line.data || text.length < sizeof rem - 1)
        return false;
    for (size_t i = 0; i < sizeof rem - 1; i++) {
        if ((text.data[i] | 0x20) != rem[i])
            return false;
    }
    return text.length == sizeof rem - 1 || is_blank(text.data[sizeof rem - 1]);
}

/* A list that PowerShell or Notepad saved as UTF-16: into UTF-8. The byte order mark has been seen;
 * surrogates become U+FFFD. */
static bool from_utf16(struct piece text, bool big_endian, struct strbuf *out)
{
    const unsigned char *p = (const unsigned char *)text.data;
    for (size_t i = 2; i + 1 < text.length; i += 2) {
        uint32_t unit =
            big_endian ? (uint32_t)p[i] << 8 | p[i + 1] : (uint32_t)p[i + 1] << 8 | p[i];
        if (unit < 0x80) {
            strbuf_putc(out, (char)unit);
        } else if (unit < 0x800) {
            strbuf_putc(out, (char)(0xc0 | unit >> 6));
            strbuf_putc(out, (char)(0x80 | (unit & 0x3f)));
        } else { /* no pairs are joined: no list has characters past U+FFFF */
            unit = unit >= 0xd800 && unit <= 0xdfff ? 0xfffd : unit;
            strbuf_putc(out, (char)(0xe0 | unit >> 12));
            strbuf_putc(out, (char)(0x80 | (unit >> 6 & 0x3f)));
            strbuf_putc(out, (char)(0x80 | (unit & 0x3f)));
        }
    }
    return !strbuf_failed(out);
}

/* The list as ASCII or UTF-8 without a byte order mark; `wide` holds it where it was converted. */
static bool decode(struct piece *text, struct strbuf *wide)
{
    bool little = text->length >= 2 && memcmp(text->data, "\xff\xfe", 2) == 0;
    bool big = text->length >= 2 && memcmp(text->data, "\xfe\xff", 2) == 0;
    if (little || big) {
        if (!from_utf16(*text, big, wide))
            return false;
        *text = (struct piece){wide->data, wide->length};
    } else if (text->length >= 3 && memcmp(text->data, "\xef\xbb\xbf", 3) == 0) {
        text->data += 3;
        text->length -= 3;
    }
    return true;
}

/* ---- rows ------------------------------------------------------------------- */

/* Whether a dash that stands free is at `at`. */
static bool is_separator(struct piece line, size_t at)
{
    return at + 1 < line.length && is_blank(line.data[at]) && line.data[at + 1] == '-' &&
           (at + 2 == line.length || is_blank(line.data[at + 2]));
}

static size_t find_separator(struct piece text)
{
    size_t at = 0;
    while (at < text.length && !is_separator(text, at))
        at++;
    return at;
}

/* Where the tag ends: after four bytes if a separator follows (or a pad blank and a separator),
 * else after three, two or one. 0: no row. */
static size_t tag_length(struct piece line, size_t *ret_separator)
{
    size_t ends[5] = {0};
    unsigned count = 0;
    while (count < 4) {
        struct pattern_byte one;
        size_t used = pattern_read_byte(line.data + ends[count], line.length - ends[count], &one);
        if (used == 0)
            break;
        ends[count + 1] = ends[count] + used;
        count++;
    }
    if (count == 4 && ends[4] < line.length && line.data[ends[4]] == ' ' &&
        is_separator(line, ends[4] + 1)) {
        *ret_separator = ends[4] + 1;
        return ends[4];
    }
    for (; count > 0; count--) {
        if (is_separator(line, ends[count])) {
            *ret_separator = ends[count];
            return ends[count];
        }
    }
    return 0;
}

/* NULL, or why the line is no row. */
static const char *cut_row(struct piece line, struct row *ret_row)
{
    struct row row = {0};
    size_t at = 0;
    size_t length = tag_length(line, &at);
    if (length == 0)
        return "no dash after a tag of four characters";
    row.tag = (struct piece){line.data, length};
    size_t begin = at + 2;
    struct piece rest = {line.data + begin, line.length - begin};
    size_t split = find_separator(rest);
    row.first = trim((struct piece){rest.data, split});
    if (split < rest.length)
        row.second = trim((struct piece){rest.data + split + 2, rest.length - split - 2});
    if (row.first.length == 0 && row.second.length == 0)
        return "nothing stands after the tag";
    *ret_row = row;
    return NULL;
}

/* ---- owners ----------------------------------------------------------------- */

static bool equals(struct piece piece, const char *text)
{
    return piece.length == strlen(text) && memcmp(piece.data, text, piece.length) == 0;
}

static struct piece next_word(struct piece *rest)
{
    while (rest->length > 0 && (is_blank(rest->data[0]) || rest->data[0] == ',')) {
        rest->data++;
        rest->length--;
    }
    struct piece word = {rest->data, 0};
    while (word.length < rest->length && !is_blank(word.data[word.length]) &&
           word.data[word.length] != ',')
        word.length++;
    rest->data += word.length;
    rest->length -= word.length;
    return word;
}

/* "ntfs.sys", "nt!mm": what names a file or a part of the kernel. */
static bool is_module(struct piece word)
{
    static const char *const endings[] = {".sys", ".exe", ".dll"};
    if (memchr(word.data, '!', word.length) != NULL)
        return true;
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        if (word.length > 4 && strncasecmp(word.data + word.length - 4, endings[i], 4) == 0)
            return true;
    }
    return false;
}

static bool all_modules(struct piece text)
{
    bool any = false;
    for (struct piece word; (word = next_word(&text)).length > 0; any = true) {
        if (!is_module(word))
            return false;
    }
    return any;
}

/* Driver names as one list: a localtag.txt has them without their ending. */
static void add_drivers(struct strbuf *out, struct piece text)
{
    for (struct piece word; (word = next_word(&text)).length > 0;) {
        if (out->length + word.length + 8 > LIMIT_TEXT_BYTES)
            return;
        if (out->length > 0)
            strbuf_puts(out, " or ");
        strbuf_add(out, word.data, word.length);
        if (memchr(word.data, '.', word.length) == NULL && !is_module(word))
            strbuf_puts(out, ".sys");
    }
}

/* The binary of a three-part row: "<nvlddmkm.sys>" loses its brackets, "<unknown>" is NULL. */
static struct piece known_binary(struct piece binary)
{
    if (binary.length > 2 && binary.data[0] == '<' && binary.data[binary.length - 1] == '>') {
        binary.data++;
        binary.length -= 2;
    }
    if (equals(binary, "unknown") || equals(binary, "-") || equals(binary, "?"))
        binary.length = 0;
    return binary;
}

/* A NUL inside a line would hide what follows it. */
static void add_text(struct strbuf *out, struct piece text)
{
    for (size_t i = 0; i < text.length && out->length < 2 * LIMIT_TEXT_BYTES; i++)
        strbuf_putc(out, text.data[i] == '\0' ? ' ' : text.data[i]);
}

/* ---- the list --------------------------------------------------------------- */

static enum status add_row(struct reader *reader, const struct row *row, const char **ret_reason,
                           struct err *err)
{
    struct tagdict_entry entry = {.source = "imported"};
    if (!pattern_parse(row->tag.data, row->tag.length, &entry.tag, &entry.any)) {
        *ret_reason = "the tag is no pattern: * must come last and not everything may be open";
        return ST_OK;
    }
    strbuf_clear(&reader->driver);
    strbuf_clear(&reader->text);
    bool two_parts = row->second.data == NULL;
    if (two_parts && (reader->local || all_modules(row->first)))
        add_drivers(&reader->driver, row->first);
    else if (two_parts)
        add_text(&reader->text, row->first);
    else {
        add_text(&reader->driver, known_binary(row->first));
        add_text(&reader->text, row->second);
    }
    if (strbuf_failed(&reader->driver) || strbuf_failed(&reader->text))
        return err_set(err, ST_NOMEM, "could not read the tag list: out of memory");
    entry.driver = reader->driver.length > 0 ? reader->driver.data : NULL;
    entry.description = reader->text.length > 0 ? reader->text.data : NULL;
    if (entry.driver == NULL && entry.description == NULL) {
        *ret_reason = "nothing stands after the tag";
        return ST_OK;
    }
    *ret_reason = NULL;
    return tagdict_add(reader->dict, &entry, err);
}

/* Only the whole list tells a localtag.txt: there no row has a third part, and most tags stand in
 * one driver only, so most rows have a single word. */
static bool is_local(struct piece text)
{
    size_t single = 0;
    size_t several = 0;
    while (text.length > 0) {
        struct row row;
        struct piece line = next_line(&text);
        if (is_comment(line) || cut_row(line, &row) != NULL)
            continue;
        if (row.second.data != NULL)
            return false;
        struct piece rest = row.first;
        next_word(&rest);
        if (next_word(&rest).length == 0)
            single++;
        else
            several++;
    }
    return single > several;
}

static enum status read_lines(struct reader *reader, struct piece text, tagdict_complaint complain,
                              void *arg, struct tagdict_import *ret_import, struct err *err)
{
    struct tagdict_import seen = {0};
    while (text.length > 0) {
        struct row row;
        struct piece line = next_line(&text);
        seen.lines++;
        if (is_comment(line)) {
            seen.comments++;
            continue;
        }
        const char *reason = cut_row(line, &row);
        if (reason == NULL) {
            enum status status = add_row(reader, &row, &reason, err);
            if (status != ST_OK)
                return status;
        }
        if (reason == NULL) {
            seen.entries++;
            continue;
        }
        seen.refused++;
        if (complain != NULL)
            complain(arg, seen.lines, line.data, line.length, reason);
    }
    *ret_import = seen;
    return ST_OK;
}

enum status tagdict_import(struct tagdict *dict, const char *text, size_t length,
                           tagdict_complaint complain, void *arg, struct tagdict_import *ret_import,
                           struct err *err)
{
    AUTO_STRBUF struct strbuf wide = STRBUF_INIT;
    struct piece rest = {text, length};
    if (length > LIMIT_BODY_BYTES)
        return err_set(err, ST_TOO_LARGE, "could not read the tag list: more than %u bytes",
                       LIMIT_BODY_BYTES);
    if (!decode(&rest, &wide))
        return err_set(err, ST_NOMEM, "could not read the tag list: out of memory");
    struct reader reader = {.dict = dict, .local = is_local(rest)};
    enum status status = read_lines(&reader, rest, complain, arg, ret_import, err);
    strbuf_done(&reader.driver);
    strbuf_done(&reader.text);
    return status;
}
