/* SPDX-License-Identifier: Apache-2.0 */
#include "server/diagnose/scan.h"

#include "common/limits.h"
#include "common/utf8.h"

#include <ctype.h>
#include <math.h>
#include <string.h>
#include <strings.h>

const char *scan_blanks(const char *at)
{
    return at + strspn(at, " \t");
}

size_t scan_word(const char *at)
{
    return strcspn(at, " \t");
}

bool scan_starts(const char *text, const char *prefix)
{
    /* most comparisons end at the first byte */
    return tolower((unsigned char)*text) == tolower((unsigned char)*prefix) &&
           strncasecmp(text, prefix, strlen(prefix)) == 0;
}

bool scan_prefix(const char **at, const char *prefix)
{
    if (!scan_starts(*at, prefix))
        return false;
    *at += strlen(prefix);
    return true;
}

const char *scan_find(const char *text, const char *needle)
{
    const char *found = strcasestr(text, needle);
    return found == NULL ? NULL : found + strlen(needle);
}

/* ---- numbers --------------------------------------------------------------------------------- */

bool scan_digits(const char **at, int64_t *ret_value)
{
    const char *c = *at;
    int64_t value = 0;
    if (!isdigit((unsigned char)*c))
        return false;
    for (; isdigit((unsigned char)*c); c++) {
        int digit = *c - '0';
        if (value > (INT64_MAX - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    *at = c;
    *ret_value = value;
    return true;
}

bool scan_hex(const char **at, uint64_t *ret_value)
{
    const char *c = *at;
    uint64_t value = 0;
    size_t digits = 0;
    if (c[0] == '0' && (c[1] == 'x' || c[1] == 'X'))
        c += 2;
    for (; isxdigit((unsigned char)*c) || (*c == '`' && digits > 0); c++) {
        if (*c == '`')
            continue;
        if (++digits > 16)
            return false;
        unsigned digit = (unsigned)(isdigit((unsigned char)*c) ? *c - '0' : (*c | 0x20) - 'a' + 10);
        value = value << 4 | digit;
    }
    if (digits == 0)
        return false;
    *at = c;
    *ret_value = value;
    return true;
}

/* The shape of "1.234.567,8": where its groups lie. */
struct shape {
    size_t length;    /* of the whole number */
    size_t kinds;     /* different separators among . and , */
    char last;        /* the last separator among . and , or 0 */
    size_t last_at;   /* its place */
    size_t last_uses; /* how often it stands */
    size_t tail;      /* digits behind it */
    size_t head;      /* digits before the first separator */
    bool groups;      /* all groups behind the first have two or three digits */
};

static struct shape shape_of(const char *c)
{
    struct shape s = {.groups = true};
    size_t commas = 0;
    size_t points = 0;
    size_t group = 0;
    bool first = true;
    for (size_t i = 0;; i++) {
        if (isdigit((unsigned char)c[i])) {
            group++;
            continue;
        }
        bool inside = (c[i] == '.' || c[i] == ',' || c[i] == '\'') &&
                      isdigit((unsigned char)c[i + 1]) && group > 0;
        if (first)
            s.head = group;
        else if (inside && group != 3 && group != 2)
            s.groups = false;
        s.tail = group;
        if (!inside) {
            s.length = i;
            break;
        }
        first = false;
        group = 0;
        commas += c[i] == ',';
        points += c[i] == '.';
        if (c[i] != '\'') {
            s.last = c[i];
            s.last_at = i;
        }
    }
    s.kinds = (commas > 0 ? 1u : 0u) + (points > 0 ? 1u : 0u);
    s.last_uses = s.last == ',' ? commas : points;
    return s;
}

/* Place of the decimal separator, or length when there is none; SIZE_MAX: no number at all. */
static size_t decimal_place(const struct shape *s, const char *c, enum scan_style style)
{
    if (s->kinds == 0)
        return s->length;
    if (s->kinds == 2)
        return s->last_uses == 1 ? s->last_at : SIZE_MAX;
    if (s->last_uses > 1)
        return s->groups && s->tail == 3 ? s->length : SIZE_MAX;
    if (s->tail != 3 || s->head > 3 || (s->head == 1 && c[0] == '0'))
        return s->last_at;
    if (style == SCAN_INTEGER)
        return s->length;
    return (style == SCAN_COMMA) == (s->last == ',') ? s->last_at : s->length;
}

static bool number_of(const char *c, size_t length, size_t decimal, struct number *ret_number)
{
    struct number number = {.exact = true};
    double scale = 1;
    for (size_t i = 0; i < length; i++) {
        if (!isdigit((unsigned char)c[i]))
            continue;
        int digit = c[i] - '0';
        if (i > decimal) {
            scale /= 10;
            number.real += digit * scale;
            number.exact = number.exact && digit == 0;
            continue;
        }
        number.real = number.real * 10 + digit;
        if (number.integer > (INT64_MAX - digit) / 10)
            number.exact = false;
        else
            number.integer = number.integer * 10 + digit;
    }
    *ret_number = number;
    return true;
}

bool scan_number(const char **at, enum scan_style style, struct number *ret_number)
{
    const char *c = *at;
    c += strspn(c, "*`~_ \t");
    bool negative = *c == '-';
    if (*c == '-' || *c == '+')
        c++;
    if (!isdigit((unsigned char)*c))
        return false;
    struct shape shape = shape_of(c);
    size_t decimal = decimal_place(&shape, c, style);
    if (decimal == SIZE_MAX || !number_of(c, shape.length, decimal, ret_number))
        return false;
    if (negative) {
        ret_number->real = -ret_number->real;
        ret_number->integer = -ret_number->integer;
    }
    *at = c + shape.length;
    return true;
}

bool number_scaled(const struct number *number, double factor, int64_t *ret_value)
{
    if (number->exact && factor >= 1 && factor <= 1 && number->integer >= 0) {
        *ret_value = number->integer;
        return true;
    }
    double value = round(number->real * factor);
    if (!(fabs(value) < 9.0e18))
        return false;
    *ret_value = (int64_t)value;
    return true;
}

static char told_decimal(const char *c, const struct shape *s)
{
    if (s->kinds == 2)
        return s->last_uses == 1 ? s->last : 0;
    if (s->kinds == 0)
        return 0;
    char other = s->last == ',' ? '.' : ',';
    if (s->last_uses > 1)
        return s->groups && s->tail == 3 ? other : 0;
    return s->tail != 3 || (s->head == 1 && c[0] == '0') ? s->last : 0;
}

enum scan_style scan_style_of(char *const *lines, size_t count)
{
    size_t commas = 0;
    size_t points = 0;
    for (size_t i = 0; i < count; i++) {
        for (const char *c = lines[i]; *c != '\0';) {
            if (!isdigit((unsigned char)*c)) {
                c++;
                continue;
            }
            struct shape shape = shape_of(c);
            char decimal = told_decimal(c, &shape);
            commas += decimal == ',';
            points += decimal == '.';
            c += shape.length;
        }
    }
    return commas > points ? SCAN_COMMA : SCAN_POINT;
}

/* ---- units and pools ------------------------------------------------------------------------- */

bool scan_unit(const char **at, double *ret_factor)
{
    static const struct {
        const char *name;
        double factor;
    } units[] = {
        {"bytes", 1},
        {"byte", 1},
        {"kbytes", 1024.0},
        {"mbytes", 1048576.0},
        {"kib", 1024.0},
        {"mib", 1048576.0},
        {"gib", 1073741824.0},
        {"tib", 1099511627776.0},
        {"kb", 1024.0},
        {"mb", 1048576.0},
        {"gb", 1073741824.0},
        {"tb", 1099511627776.0},
        {"ko", 1024.0},
        {"mo", 1048576.0},
        {"go", 1073741824.0},
        {"octets", 1},
        {"\xD0\x9A\xD0\x91", 1024.0},
        {"\xD0\x9C\xD0\x91", 1048576.0},
        {"\xD0\x93\xD0\x91", 1073741824.0},
        {"k", 1024.0},
        {"m", 1048576.0},
        {"g", 1073741824.0},
        {"b", 1},
    };
    const char *c = scan_blanks(*at);
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        const char *end = c;
        if (scan_prefix(&end, units[i].name) && !isalnum((unsigned char)*end)) {
            *at = end;
            *ret_factor = units[i].factor;
            return true;
        }
    }
    return false;
}

/* Longer words first where one begins like another. As tools, consoles and people of several
 * languages print them. */
static const struct pool_word {
    const char *word;
    enum pool pool;
} pool_words[] = {
    {"NonPagedPoolNx", POOL_NONPAGED},
    {"NonPagedPool", POOL_NONPAGED},
    {"NonPagedNx", POOL_NONPAGED},
    {"NonPaged", POOL_NONPAGED},
    {"Non Paged", POOL_NONPAGED},
    {"Non-Paged", POOL_NONPAGED},
    {"Nonp", POOL_NONPAGED},
    {"Nicht ausgelagert", POOL_NONPAGED},
    {"Nichtausgelagert", POOL_NONPAGED},
    {"Nicht auslagerbar", POOL_NONPAGED},
    {"Nichtauslagerbar", POOL_NONPAGED},
    {"Nichtauslagerungspool", POOL_NONPAGED},
    {"Nicht-ausgelagert", POOL_NONPAGED},
    {"Non pagin\xC3\xA9", POOL_NONPAGED},
    {"Non pagin\xC3\xA9"
     "e",
     POOL_NONPAGED},
    {"No paginado", POOL_NONPAGED},
    {"No paginada", POOL_NONPAGED},
    {"N\xC3\xA3o paginado", POOL_NONPAGED},
    {"N\xC3\xA3o pagin\xC3\xA1vel", POOL_NONPAGED},
    {"Non di paging", POOL_NONPAGED},
    {"Niestronicowan", POOL_NONPAGED},
    {"\xD0\x9D\xD0\xB5\xD0\xB2\xD1\x8B\xD0\xB3\xD1\x80\xD1\x83\xD0\xB6\xD0\xB0\xD0\xB5\xD0\xBC",
     POOL_NONPAGED},
    {"\xE9\x9D\x9E\xE3\x83\x9A\xE3\x83\xBC\xE3\x82\xB8", POOL_NONPAGED}, /* Japanese */
    {"\xEB\xB9\x84\xED\x8E\x98\xEC\x9D\xB4\xEC\xA7\x95", POOL_NONPAGED}, /* Korean */
    {"\xEB\xB9\x84 \xED\x8E\x98\xEC\x9D\xB4\xEC\xA7\x95", POOL_NONPAGED},
    {"\xE9\x9D\x9E\xE5\x88\x86\xE9\xA1\xB5", POOL_NONPAGED}, /* Chinese */
    {"\xE6\x9C\xAA\xE5\x88\x86\xE9\xA1\xB5", POOL_NONPAGED},
    {"PagedPool", POOL_PAGED},
    {"Paged", POOL_PAGED},
    {"Ausgelagert", POOL_PAGED},
    {"Auslagerbar", POOL_PAGED},
    {"Auslagerungspool", POOL_PAGED},
    {"Pagin\xC3\xA9"
     "e",
     POOL_PAGED},
    {"Pagin\xC3\xA9", POOL_PAGED},
    {"Paginado", POOL_PAGED},
    {"Paginada", POOL_PAGED},
    {"Pagin\xC3\xA1vel", POOL_PAGED},
    {"Di paging", POOL_PAGED},
    {"Stronicowan", POOL_PAGED},
    {"\xD0\x92\xD1\x8B\xD0\xB3\xD1\x80\xD1\x83\xD0\xB6\xD0\xB0\xD0\xB5\xD0\xBC", POOL_PAGED},
    {"\xE3\x83\x9A\xE3\x83\xBC\xE3\x82\xB8", POOL_PAGED},
    {"\xED\x8E\x98\xEC\x9D\xB4\xEC\xA7\x95", POOL_PAGED},
    {"\xE5\x88\x86\xE9\xA1\xB5", POOL_PAGED},
};
#define POOL_WORDS (sizeof pool_words / sizeof *pool_words)

bool scan_pool_word(const char **at, enum pool *ret_pool)
{
    for (size_t i = 0; i < POOL_WORDS; i++) {
        const char *end = *at;
        if (!scan_prefix(&end, pool_words[i].word))
            continue;
        /* the rest of an inflected word: "ausgelagerter", "Paged Pool" */
        while (isalpha((unsigned char)*end) || ((unsigned char)*end & 0x80u) != 0)
            end++;
        const char *pool = end + (*end == ' ');
        if (scan_prefix(&pool, "pool") && !isalpha((unsigned char)*pool))
            end = pool;
        *at = end;
        *ret_pool = pool_words[i].pool;
        return true;
    }
    return false;
}

enum pool scan_pool_in(const char *text)
{
    bool seen[POOL_COUNT] = {false, false};
    for (const char *c = text; *c != '\0';) {
        enum pool pool = POOL_UNKNOWN;
        bool word_start = c == text || !isalpha((unsigned char)c[-1]) || isupper((unsigned char)*c);
        if (word_start && scan_pool_word(&c, &pool))
            seen[pool] = true;
        else
            c++;
    }
    if (seen[POOL_NONPAGED] == seen[POOL_PAGED])
        return POOL_UNKNOWN;
    return seen[POOL_NONPAGED] ? POOL_NONPAGED : POOL_PAGED;
}

/* ---- tags ------------------------------------------------------------------------------------ */

size_t scan_characters(const char *text, size_t characters)
{
    size_t at = 0;
    size_t left = strlen(text);
    for (; characters > 0; characters--) {
        if (left == 0)
            return 0;
        size_t width = utf8_sequence(text + at, left);
        width = width == 0 ? 1 : width;
        at += width;
        left -= width;
    }
    return at;
}

static int hex_value(char c)
{
    if (isdigit((unsigned char)c))
        return c - '0';
    return isxdigit((unsigned char)c) ? (c | 0x20) - 'a' + 10 : -1;
}

/* One character as one byte: itself, \xNN, or a letter of Latin-1. The bytes it takes, or 0. */
static size_t tag_byte(const char *text, size_t length, unsigned char *ret_byte)
{
    if (length >= 4 && text[0] == '\\' && text[1] == 'x' && hex_value(text[2]) >= 0 &&
        hex_value(text[3]) >= 0) {
        *ret_byte = (unsigned char)(hex_value(text[2]) << 4 | hex_value(text[3]));
        return 4;
    }
    size_t width = utf8_sequence(text, length);
    if (width <= 1) {
        *ret_byte = (unsigned char)text[0];
        return 1;
    }
    unsigned lead = (unsigned char)text[0];
    *ret_byte = width == 2 && lead <= 0xC3
                    ? (unsigned char)((lead & 3u) << 6 | ((unsigned char)text[1] & 0x3Fu))
                    : (unsigned char)'?';
    return width;
}

bool scan_tag(const char *text, size_t length, uint32_t *ret_tag)
{
    unsigned char bytes[4] = {' ', ' ', ' ', ' '};
    size_t count = 0;
    for (size_t at = 0; at < length;) {
        if (count == 4)
            return false;
        at += tag_byte(text + at, length - at, &bytes[count]);
        count++;
    }
    if (count == 0)
        return false;
    *ret_tag = tag_from_bytes(bytes);
    return true;
}
