/* SPDX-License-Identifier: Apache-2.0 */
#include "server/diagnose/columns.h"

#include "common/limits.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#define TITLE_MAX 96 /* longer cells are no titles */

/* A title is whole (`exact`) or holds the word; the first hit counts, so narrow words stand before
 * wide ones ("Outstanding allocations" before "alloc"). Words of more than ASCII are UTF-8. */
static const struct title_word {
    const char *word;
    enum column_kind kind;
    bool exact;
} title_words[] = {
    {"tag", COLUMN_TAG, true},
    {"pooltag", COLUMN_TAG, true},
    {"pool tag", COLUMN_TAG, true},
    {"tag name", COLUMN_TAG, true},
    {"tagname", COLUMN_TAG, true},
    {"tags", COLUMN_TAG, true},
    {"etiqueta", COLUMN_TAG, true},
    {"kennung", COLUMN_TAG, true},
    {"\xE3\x82\xBF\xE3\x82\xB0", COLUMN_TAG, true},
    {"\xED\x83\x9C\xEA\xB7\xB8", COLUMN_TAG, true},
    {"\xED\x83\x9C\xEA\xB7\xB8\x20\xEC\x9D\xB4\xEB\xA6\x84", COLUMN_TAG, true},
    {"\xE6\xA0\x87\xE8\xAE\xB0", COLUMN_TAG, true},
    {"\xD1\x82\xD0\xB5\xD0\xB3", COLUMN_TAG, true},
    {"\xD0\xA2\xD0\xB5\xD0\xB3", COLUMN_TAG, true},
    {"type", COLUMN_POOL, true},
    {"pool", COLUMN_POOL, true},
    {"typ", COLUMN_POOL, true},
    {"art", COLUMN_POOL, true},
    {"tipo", COLUMN_POOL, true},
    {"pool type", COLUMN_POOL, true},
    {"pooltype", COLUMN_POOL, true},
    {"pooltyp", COLUMN_POOL, true},
    {"pool kind", COLUMN_POOL, true},
    {"kind", COLUMN_POOL, true},
    {"\xE7\xA8\xAE\xE9\xA1\x9E", COLUMN_POOL, true},
    {"\xE7\xA8\xAE\xE5\x88\xA5", COLUMN_POOL, true},
    {"\xEC\x9C\xA0\xED\x98\x95", COLUMN_POOL, true},
    {"\xEC\xA2\x85\xEB\xA5\x98", COLUMN_POOL, true},
    {"\xE7\xB1\xBB\xE5\x9E\x8B", COLUMN_POOL, true},
    {"\xD1\x82\xD0\xB8\xD0\xBF", COLUMN_POOL, true},
    {"\xD0\xA2\xD0\xB8\xD0\xBF", COLUMN_POOL, true},
    {"%", COLUMN_SHARE, false},
    {"percent", COLUMN_SHARE, false},
    {"share", COLUMN_SHARE, false},
    {"anteil", COLUMN_SHARE, false},
    {"per alloc", COLUMN_SHARE, false},
    {"peralloc", COLUMN_SHARE, false},
    {"perallocation", COLUMN_SHARE, false},
    {"pro zuordnung", COLUMN_SHARE, false},
    {"je zuordnung", COLUMN_SHARE, false},
    {"average", COLUMN_SHARE, false},
    {"avg", COLUMN_SHARE, false},
    {"mittel", COLUMN_SHARE, false},
    {"durchschnitt", COLUMN_SHARE, false},
    {"per second", COLUMN_SHARE, false},
    {"/s", COLUMN_SHARE, false},
    {"rate", COLUMN_SHARE, true},
    {"delta", COLUMN_SHARE, false},
    {"change", COLUMN_SHARE, false},
    {"growth", COLUMN_SHARE, false},
    {"description", COLUMN_TEXT, false},
    {"beschreibung", COLUMN_TEXT, false},
    {"descripci", COLUMN_TEXT, false},
    {"source", COLUMN_TEXT, false},
    {"quelle", COLUMN_TEXT, true},
    {"driver", COLUMN_TEXT, false},
    {"treiber", COLUMN_TEXT, false},
    {"binary", COLUMN_TEXT, false},
    {"owner", COLUMN_TEXT, false},
    {"component", COLUMN_TEXT, false},
    {"note", COLUMN_TEXT, false},
    {"comment", COLUMN_TEXT, false},
    {"available", COLUMN_AVAILABLE, false},
    {"avail", COLUMN_AVAILABLE, true},
    {"free memory", COLUMN_AVAILABLE, true},
    {"outstanding", COLUMN_OUTSTANDING, false},
    {"diff", COLUMN_OUTSTANDING, false},
    {"current bytes", COLUMN_BYTES, false},
    {"current usage", COLUMN_BYTES, false},
    {"current size", COLUMN_BYTES, false},
    {"current", COLUMN_OUTSTANDING, false},
    {"live", COLUMN_OUTSTANDING, false},
    {"in use", COLUMN_OUTSTANDING, true},
    {"count", COLUMN_OUTSTANDING, true},
    {"blocks", COLUMN_OUTSTANDING, true},
    {"diff\xC3\xA9rence", COLUMN_OUTSTANDING, false},
    {"\xE5\xB7\xAE\xE5\x88\x86", COLUMN_OUTSTANDING, false},
    {"\xE5\xB7\xAE", COLUMN_OUTSTANDING, true},
    {"\xEC\xB0\xA8\xEC\x9D\xB4", COLUMN_OUTSTANDING, false},
    {"\xD0\xA0\xD0\xB0\xD0\xB7\xD0\xBD", COLUMN_OUTSTANDING, false},
    {"\xD1\x80\xD0\xB0\xD0\xB7\xD0\xBD", COLUMN_OUTSTANDING, false},
    {"free", COLUMN_FREES, false},
    {"freigab", COLUMN_FREES, false},
    {"freigegeben", COLUMN_FREES, false},
    {"lib\xC3\xA9r", COLUMN_FREES, false},
    {"liber", COLUMN_FREES, false},
    {"rilasc", COLUMN_FREES, false},
    {"\xE8\xA7\xA3\xE6\x94\xBE", COLUMN_FREES, false},
    {"\xED\x95\xB4\xEC\xA0\x9C", COLUMN_FREES, false},
    {"\xE9\x87\x8A\xE6\x94\xBE", COLUMN_FREES, false},
    {"\xD1\x81\xD0\xB2\xD0\xBE\xD0\xB1\xD0\xBE\xD0\xB6", COLUMN_FREES, false},
    {"\xD0\x9E\xD1\x81\xD0\xB2\xD0\xBE\xD0\xB1\xD0\xBE\xD0\xB6", COLUMN_FREES, false},
    {"alloc", COLUMN_ALLOCS, false},
    {"zuordnung", COLUMN_ALLOCS, false},
    {"zuweisung", COLUMN_ALLOCS, false},
    {"reserv", COLUMN_ALLOCS, false},
    {"asign", COLUMN_ALLOCS, false},
    {"aloca", COLUMN_ALLOCS, false},
    {"\xE5\x89\xB2\xE3\x82\x8A\xE5\xBD\x93\xE3\x81\xA6", COLUMN_ALLOCS, false},
    {"\xE5\x89\xB2\xE5\xBD\x93", COLUMN_ALLOCS, false},
    {"\xED\x95\xA0\xEB\x8B\xB9", COLUMN_ALLOCS, false},
    {"\xE5\x88\x86\xE9\x85\x8D", COLUMN_ALLOCS, false},
    {"\xD0\xB2\xD1\x8B\xD0\xB4\xD0\xB5\xD0\xBB", COLUMN_ALLOCS, false},
    {"\xD0\x92\xD1\x8B\xD0\xB4\xD0\xB5\xD0\xBB", COLUMN_ALLOCS, false},
    {"time", COLUMN_TIME, false},
    {"zeit", COLUMN_TIME, false},
    {"date", COLUMN_TIME, true},
    {"datum", COLUMN_TIME, true},
    {"when", COLUMN_TIME, true},
    {"pdh-csv", COLUMN_TIME, false},
    {"\xE6\x99\x82\xE5\x88\xBB", COLUMN_TIME, false},
    {"\xEC\x8B\x9C\xEA\xB0\x84", COLUMN_TIME, false},
    {"byte", COLUMN_BYTES, false},
    {"usage", COLUMN_BYTES, false},
    {"used", COLUMN_BYTES, false},
    {"octets", COLUMN_BYTES, false},
    {"belegt", COLUMN_BYTES, false},
    {"verwend", COLUMN_BYTES, false},
    {"nutzung", COLUMN_BYTES, false},
    {"bajt", COLUMN_BYTES, false},
    {"\xE3\x83\x90\xE3\x82\xA4\xE3\x83\x88", COLUMN_BYTES, false},
    {"\xEB\xB0\x94\xEC\x9D\xB4\xED\x8A\xB8", COLUMN_BYTES, false},
    {"\xE5\xAD\x97\xE8\x8A\x82", COLUMN_BYTES, false},
    {"\xD0\xB1\xD0\xB0\xD0\xB9\xD1\x82", COLUMN_BYTES, false},
    {"\xD0\x91\xD0\xB0\xD0\xB9\xD1\x82", COLUMN_BYTES, false},
    {"size", COLUMN_SIZE, false},
    {"gr\xC3\xB6\xC3\x9F"
     "e",
     COLUMN_SIZE, false},
    {"taille", COLUMN_SIZE, false},
    {"tama\xC3\xB1o", COLUMN_SIZE, false},
    {"memory", COLUMN_SIZE, true},
};
#define TITLE_WORDS (sizeof title_words / sizeof *title_words)

/* Lower case, marks of emphasis and underscores as blanks, outer blanks away; camel case apart. */
static size_t plain_title(const char *title, size_t length, char *ret_plain)
{
    size_t used = 0;
    for (size_t i = 0; i < length && used + 2 < TITLE_MAX; i++) {
        char c = title[i];
        if (strchr("*`_\"[]\t ", c) != NULL)
            c = ' ';
        if (c == ' ' && (used == 0 || ret_plain[used - 1] == ' '))
            continue;
        ret_plain[used++] = (char)tolower((unsigned char)c);
    }
    while (used > 0 && ret_plain[used - 1] == ' ')
        used--;
    ret_plain[used] = '\0';
    return used;
}

/* A unit as a word of its own: "NP_MB", "Bytes (KB)". */
static double title_factor(const char *plain)
{
    static const struct {
        const char *word;
        double factor;
    } units[] = {{"kb", 1024.0},     {"kib", 1024.0},      {"mb", 1048576.0},
                 {"mib", 1048576.0}, {"gb", 1073741824.0}, {"gib", 1073741824.0},
                 {"mo", 1048576.0},  {"ko", 1024.0},       {"go", 1073741824.0}};
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        for (const char *at = plain; (at = strstr(at, units[i].word)) != NULL; at++) {
            size_t length = strlen(units[i].word);
            bool start = at == plain || !isalpha((unsigned char)at[-1]);
            if (start && !isalpha((unsigned char)at[length]))
                return units[i].factor;
        }
    }
    return 0;
}

static enum pool title_pool(const char *title, const char *plain)
{
    static const char *const short_words[POOL_COUNT][2] = {{"np", "npp"}, {"pp", "pgd"}};
    enum pool pool = scan_pool_in(title);
    for (int i = 0; pool == POOL_UNKNOWN && i < POOL_COUNT; i++)
        for (int k = 0; k < 2; k++) {
            size_t length = strlen(short_words[i][k]);
            if (strncmp(plain, short_words[i][k], length) == 0 && plain[length] == ' ')
                pool = (enum pool)i;
        }
    return pool;
}

struct column column_of(const char *title, size_t length)
{
    char plain[TITLE_MAX];
    char whole[TITLE_MAX];
    struct column column = {COLUMN_UNKNOWN, POOL_UNKNOWN, 0};
    if (length == 0 || length + 1 >= TITLE_MAX)
        return column;
    memcpy(whole, title, length);
    whole[length] = '\0';
    /* a counter's path: the last part is its name, the others are machines and objects */
    const char *part = strrchr(whole, '\\');
    if (part != NULL && part[1] != '\0') {
        length = strlen(part + 1);
        memmove(whole, part + 1, length + 1);
    }
    plain_title(whole, length, plain);
    column.pool = title_pool(whole, plain);
    column.factor = title_factor(plain);
    bool holds[256] = {false}; /* bytes of the title: most words fail at their first */
    for (const char *c = plain; *c != '\0'; c++)
        holds[(unsigned char)*c] = true;
    for (size_t i = 0; i < TITLE_WORDS; i++) {
        const struct title_word *word = &title_words[i];
        if (!holds[(unsigned char)word->word[0]])
            continue;
        bool hit = word->exact ? strcmp(plain, word->word) == 0 : strstr(plain, word->word) != NULL;
        if (hit && word->kind != COLUMN_UNKNOWN) {
            column.kind = word->kind;
            return column;
        }
    }
    if (column.pool != POOL_UNKNOWN || column.factor > 0)
        column.kind = COLUMN_BYTES;
    return column;
}

bool column_is_number(enum column_kind kind)
{
    return kind == COLUMN_ALLOCS || kind == COLUMN_FREES || kind == COLUMN_OUTSTANDING ||
           kind == COLUMN_BYTES || kind == COLUMN_SIZE || kind == COLUMN_SHARE ||
           kind == COLUMN_AVAILABLE;
}

/* Digits in groups of three with blanks between ("1 234 567"): joined, else copied as they are. */
static void join_groups(const char *cell, char *ret_joined, size_t room)
{
    size_t used = 0;
    for (const char *c = cell; *c != '\0' && used + 1 < room; c++) {
        bool inside = *c == ' ' && used > 0 && isdigit((unsigned char)ret_joined[used - 1]) &&
                      isdigit((unsigned char)c[1]) && isdigit((unsigned char)c[2]) &&
                      isdigit((unsigned char)c[3]) && !isdigit((unsigned char)c[4]);
        if (!inside)
            ret_joined[used++] = *c;
    }
    ret_joined[used] = '\0';
}

bool column_bytes(const struct column *column, const char *cell, enum scan_style style,
                  double *ret_bytes)
{
    char joined[64]; /* longer cells hold no single number; the rest is cut */
    join_groups(cell, joined, sizeof joined);
    const char *at = joined + strspn(joined, " \t\"*`~<>=$");
    const char *begin = at;
    struct number number;
    double factor = column->factor;
    if (!scan_number(&at, style, &number))
        return false;
    double own = 0;
    if (scan_unit(&at, &own))
        factor = own;
    if (factor <= 0) { /* plain bytes are whole */
        at = begin;
        factor = 1;
        if (!scan_number(&at, SCAN_INTEGER, &number))
            return false;
    }
    *ret_bytes = number.real * factor;
    return true;
}

/* "10.8M" of a count is rounded; a count with a unit is not kept. */
static bool count_of(const char *cell, int64_t *ret_count)
{
    char joined[64];
    join_groups(cell, joined, sizeof joined);
    const char *at = joined + strspn(joined, " \t\"*`~<>=$");
    struct number number;
    double factor = 0;
    if (!scan_number(&at, SCAN_INTEGER, &number) || !number.exact || scan_unit(&at, &factor) ||
        *at == '%')
        return false;
    *ret_count = number.integer;
    return true;
}

bool column_put(const struct column *column, const char *cell, enum scan_style style,
                struct diagnose_row *row)
{
    int64_t count = 0;
    double bytes = 0;
    switch (column->kind) {
    case COLUMN_ALLOCS:
    case COLUMN_FREES:
    case COLUMN_OUTSTANDING: {
        int64_t *place = column->kind == COLUMN_ALLOCS  ? &row->allocs
                         : column->kind == COLUMN_FREES ? &row->frees
                                                        : &row->outstanding;
        if (!count_of(cell, &count))
            return false;
        if (*place == NUMBER_UNKNOWN)
            *place = count;
        return true;
    }
    case COLUMN_BYTES:
    case COLUMN_SIZE:
        if (column->factor <= 0 && count_of(cell, &count)) {
            bytes = (double)count;
        } else if (!column_bytes(column, cell, style, &bytes)) {
            return false;
        } else {
            if (!(bytes > -9.0e18 && bytes < 9.0e18))
                return false;
            count = (int64_t)(bytes + 0.5);
        }
        if (column->kind == COLUMN_BYTES || row->bytes == NUMBER_UNKNOWN)
            row->bytes = count;
        return true;
    default:
        return column_bytes(column, cell, style, &bytes);
    }
}
