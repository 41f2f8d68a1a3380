/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api/list.h"

#include "common/tag.h"
#include "server/api/json_out.h"

#include <math.h>
#include <sodium.h>
#include <string.h>
#include <strings.h>

/* ---- one cell --------------------------------------------------------------- */

struct cell {
    bool is_null;
    int64_t number; /* all but LIST_REAL and LIST_TEXT */
    double real;
    const char *text;
};

static struct cell cell_read(const struct list_column *column, const void *item)
{
    const char *at = (const char *)item + column->offset;
    struct cell cell = {0};

    switch (column->kind) {
    case LIST_TEXT:
    case LIST_JSON:
        memcpy(&cell.text, at, sizeof cell.text);
        cell.is_null = cell.text == NULL;
        break;
    case LIST_I64:
    case LIST_TIME:
        memcpy(&cell.number, at, sizeof cell.number);
        cell.is_null = cell.number == NUMBER_ABSENT;
        break;
    case LIST_REAL:
        memcpy(&cell.real, at, sizeof cell.real);
        cell.is_null = !isfinite(cell.real);
        break;
    case LIST_BOOL:
        cell.number = *(const bool *)at;
        break;
    case LIST_TAG: {
        uint32_t tag;
        memcpy(&tag, at, sizeof tag);
        cell.number = tag;
        break;
    }
    case LIST_ENUM: {
        int value;
        memcpy(&value, at, sizeof value);
        cell.number = value;
        cell.is_null = value < 0;
        break;
    }
    }
    return cell;
}

static int compare_i64(int64_t a, int64_t b)
{
    return a < b ? -1 : a > b;
}

static int compare_text(const char *a, const char *b)
{
    int order = strcasecmp(a, b);
    return order != 0 ? order : strcmp(a, b);
}

/* Ascending, both known. */
static int cell_compare(enum list_kind kind, const struct cell *a, const struct cell *b)
{
    if (kind == LIST_TEXT)
        return compare_text(a->text, b->text);
    if (kind == LIST_REAL)
        return a->real < b->real ? -1 : a->real > b->real;
    if (kind == LIST_TAG)
        return tag_compare((uint32_t)a->number, (uint32_t)b->number);
    return compare_i64(a->number, b->number);
}

/* Nulls stand last in both directions: unknown is neither small nor big. */
static int order_compare(const struct list_query *query, const struct cell *a, const struct cell *b)
{
    if (a->is_null || b->is_null)
        return (int)a->is_null - (int)b->is_null;
    int order = cell_compare(query->sort->kind, a, b);
    return query->descending ? -order : order;
}

/* ---- the query -------------------------------------------------------------- */

static const struct list_column *column_find(const struct list_spec *spec, const char *name)
{
    for (size_t i = 0; i < spec->column_count; i++)
        if (strcmp(spec->columns[i].name, name) == 0 && spec->columns[i].kind != LIST_JSON)
            return &spec->columns[i];
    return NULL;
}

static enum status parse_sort(const struct list_spec *spec, const char *sort,
                              struct list_query *query, struct err *err)
{
    bool descending = sort[0] == '-';
    const struct list_column *column = column_find(spec, sort + descending);

    if (column == NULL)
        return err_field(err, ST_INVALID, "sort", "cannot sort by \"%s\"", sort + descending);
    query->sort = column;
    query->descending = descending;
    return ST_OK;
}

static enum status parse_limit(const struct list_spec *spec, const char *limit, size_t *ret_limit,
                               struct err *err)
{
    int64_t value = 0;

    for (const char *at = limit; *at != '\0'; at++) {
        if (*at < '0' || *at > '9' || value > spec->max_limit)
            value = spec->max_limit + 1;
        else
            value = value * 10 + (*at - '0');
    }
    if (value < 1 || value > spec->max_limit)
        return err_field(err, ST_INVALID, "limit", "limit must be from 1 to %lld",
                         (long long)spec->max_limit);
    *ret_limit = (size_t)value;
    return ST_OK;
}

/* Cursor: base64url of "SORT\nVALUE\nID"; SORT with its sign, VALUE begins with n (null) or v. A
 * text value may hold line ends, so it is length-prefixed: "v12:text". */
static bool take_until(char **at, char *end, char stop, char **ret_text)
{
    char *found = memchr(*at, stop, (size_t)(end - *at));
    if (found == NULL)
        return false;
    *found = '\0';
    *ret_text = *at;
    *at = found + 1;
    return true;
}

static bool parse_number(const char *text, int64_t *ret_number)
{
    char *end = NULL;
    if (*text == '\0')
        return false;
    long long value = strtoll(text, &end, 10);
    *ret_number = value;
    return *end == '\0';
}

static bool take_counted(char **at, char *end, char **ret_text)
{
    char *digits;
    int64_t length;

    if (!take_until(at, end, ':', &digits) || !parse_number(digits, &length) || length < 0 ||
        length > end - *at)
        return false;
    *ret_text = strndup(*at, (size_t)length);
    *at += length;
    return *ret_text != NULL;
}

static bool parse_value(const struct list_column *column, char **at, char *end,
                        struct list_position *after)
{
    if (*at == end)
        return false;
    after->is_null = *(*at)++ == 'n';
    if (after->is_null)
        return true;
    if (column->kind == LIST_TEXT)
        return take_counted(at, end, &after->text);

    AUTO_FREE char *digits = NULL;
    if (!take_counted(at, end, &digits))
        return false;
    if (column->kind != LIST_REAL)
        return parse_number(digits, &after->number);
    char *stop = NULL;
    after->real = strtod(digits, &stop);
    return *digits != '\0' && *stop == '\0' && isfinite(after->real);
}

static bool parse_cursor(const struct list_spec *spec, const char *cursor, struct list_query *query)
{
    char plain[LIST_CURSOR_MAX + 1]; /* shorter than its base64, which is at most that long */
    size_t length = 0;
    char *at = plain, *sort;
    size_t cursor_length = strlen(cursor);

    if (cursor_length > LIST_CURSOR_MAX ||
        sodium_base642bin((unsigned char *)plain, sizeof plain - 1, cursor, cursor_length, NULL,
                          &length, NULL, sodium_base64_VARIANT_URLSAFE_NO_PADDING) != 0)
        return false;
    plain[length] = '\0';
    char *end = plain + length;
    if (!take_until(&at, end, '\n', &sort))
        return false;
    if ((sort[0] == '-') != query->descending ||
        strcmp(sort + query->descending, query->sort->name) != 0)
        return false;
    if (!parse_value(query->sort, &at, end, &query->after))
        return false;
    query->after.present = true;
    if (spec->identity.kind == LIST_TEXT)
        return take_counted(&at, end, &query->after.id_text) && at == end;
    AUTO_FREE char *digits = NULL;
    return take_counted(&at, end, &digits) && at == end &&
           parse_number(digits, &query->after.id_number);
}

void list_query_done(struct list_query *query)
{
    free(query->after.text);
    free(query->after.id_text);
    query->after = (struct list_position){0};
}

enum status list_query_parse(const struct list_spec *spec, const char *limit, const char *sort,
                             const char *cursor, bool whole, struct list_query *ret_query,
                             struct err *err)
{
    struct list_query query = {.limit = whole ? SIZE_MAX : (size_t)spec->default_limit};
    enum status status = parse_sort(spec, sort != NULL ? sort : spec->default_sort, &query, err);

    if (status == ST_OK && limit != NULL)
        status = parse_limit(spec, limit, &query.limit, err);
    if (status != ST_OK)
        return status;
    if (cursor != NULL && !parse_cursor(spec, cursor, &query)) {
        list_query_done(&query);
        return err_field(err, ST_INVALID, "cursor",
                         "cursor is not one this list gave out for this sort");
    }
    *ret_query = query;
    return ST_OK;
}

enum status list_query_read(const struct req *rq, const struct list_spec *spec,
                            struct list_query *ret_query, struct err *err)
{
    bool whole = rq->accept == MEDIA_CSV || rq->accept == MEDIA_NDJSON;
    return list_query_parse(spec, req_query(rq, "limit"), req_query(rq, "sort"),
                            req_query(rq, "cursor"), whole, ret_query, err);
}

/* ---- order and cut ---------------------------------------------------------- */

struct order_context {
    const struct list_spec *spec;
    const struct list_query *query;
};

static int identity_compare(enum list_kind kind, const struct cell *a, const struct cell *b)
{
    return kind == LIST_TEXT ? strcmp(a->text, b->text) : compare_i64(a->number, b->number);
}

static int item_compare(const void *left, const void *right, void *arg)
{
    const struct order_context *context = arg;
    const struct list_column *sort = context->query->sort;
    const struct list_column *identity = &context->spec->identity;
    const void *a = *(const void *const *)left, *b = *(const void *const *)right;
    struct cell cell_a = cell_read(sort, a), cell_b = cell_read(sort, b);

    int order = order_compare(context->query, &cell_a, &cell_b);
    if (order != 0)
        return order;
    cell_a = cell_read(identity, a);
    cell_b = cell_read(identity, b);
    return identity_compare(identity->kind, &cell_a, &cell_b);
}

static bool item_is_after(const struct order_context *context, const void *item)
{
    const struct list_position *after = &context->query->after;
    const struct list_column *identity = &context->spec->identity;
    struct cell cell = cell_read(context->query->sort, item);
    struct cell mark = {after->is_null, after->number, after->real, after->text};

    int order = order_compare(context->query, &cell, &mark);
    if (order != 0)
        return order > 0;
    cell = cell_read(identity, item);
    mark = (struct cell){.number = after->id_number, .text = after->id_text};
    return identity_compare(identity->kind, &cell, &mark) > 0;
}

static void heap_sink(const void **heap, size_t count, size_t at,
                      const struct order_context *context)
{
    for (;;) {
        size_t last = at;
        for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < count; child++)
            if (item_compare(&heap[child], &heap[last], (void *)(uintptr_t)context) > 0)
                last = child;
        if (last == at)
            return;
        const void *item = heap[at];
        heap[at] = heap[last];
        heap[last] = item;
        at = last;
    }
}

/* The first `limit` items to the front, in no order. A page is a hundred of ten thousand: most
 * items are looked at once, against the last one kept, where a sort would compare each a dozen
 * times. */
static void keep_first(const void **order, size_t count, size_t limit,
                       const struct order_context *context)
{
    for (size_t at = limit / 2; at-- > 0;)
        heap_sink(order, limit, at, context);
    for (size_t i = limit; i < count; i++) {
        if (item_compare(&order[i], &order[0], (void *)(uintptr_t)context) >= 0)
            continue;
        order[0] = order[i];
        heap_sink(order, limit, 0, context);
    }
}

enum status list_page(const struct list_spec *spec, const struct list_query *query,
                      const void *items, size_t item_size, size_t count, const void ***ret_order,
                      size_t *ret_count, bool *ret_more, struct err *err)
{
    struct order_context context = {spec, query};
    const void **order = calloc(count + 1, sizeof *order);
    size_t kept = 0;

    if (order == NULL)
        return err_set(err, ST_NOMEM, "could not order a list: out of memory");
    for (size_t i = 0; i < count; i++) {
        const void *item = (const char *)items + i * item_size;
        if (!query->after.present || item_is_after(&context, item))
            order[kept++] = item;
    }
    *ret_order = order;
    *ret_more = kept > query->limit;
    *ret_count = *ret_more ? query->limit : kept;
    if (*ret_more)
        keep_first(order, kept, *ret_count, &context);
    qsort_r(order, *ret_count, sizeof *order, item_compare, &context);
    return ST_OK;
}

static void cursor_counted(struct strbuf *out, const char *text)
{
    strbuf_u64(out, strlen(text));
    strbuf_putc(out, ':');
    strbuf_puts(out, text);
}

static void cursor_number(struct strbuf *out, int64_t number)
{
    char text[24]; /* 20 digits, a sign, the NUL */
    snprintf(text, sizeof text, "%lld", (long long)number);
    cursor_counted(out, text);
}

void list_cursor(const struct list_spec *spec, const struct list_query *query, const void *last,
                 struct strbuf *out)
{
    AUTO_STRBUF struct strbuf plain = STRBUF_INIT;
    struct cell value = cell_read(query->sort, last);
    struct cell id = cell_read(&spec->identity, last);
    char real[40]; /* %.17g needs at most 24 */

    strbuf_puts(&plain, query->descending ? "-" : "");
    strbuf_puts(&plain, query->sort->name);
    strbuf_putc(&plain, '\n');
    strbuf_putc(&plain, value.is_null ? 'n' : 'v');
    if (!value.is_null && query->sort->kind == LIST_TEXT) {
        cursor_counted(&plain, value.text);
    } else if (!value.is_null && query->sort->kind == LIST_REAL) {
        snprintf(real, sizeof real, "%.17g", value.real);
        cursor_counted(&plain, real);
    } else if (!value.is_null) {
        cursor_number(&plain, value.number);
    }
    if (spec->identity.kind == LIST_TEXT)
        cursor_counted(&plain, id.text);
    else
        cursor_number(&plain, id.number);

    size_t size = sodium_base64_encoded_len(plain.length, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    if (strbuf_failed(&plain) || !strbuf_reserve(out, size)) {
        out->failed = true;
        return;
    }
    sodium_bin2base64(out->data + out->length, size, (const unsigned char *)plain.data,
                      plain.length, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    out->length += size - 1;
}

/* ---- encodings -------------------------------------------------------------- */

static void json_cell(const struct list_column *column, const void *item, struct strbuf *out)
{
    const void *at = (const char *)item + column->offset;

    switch (column->kind) {
    case LIST_TEXT:
        json_value_text(out, *(const char *const *)at);
        break;
    case LIST_JSON:
        strbuf_puts(out, *(const char *const *)at == NULL ? "null" : *(const char *const *)at);
        break;
    case LIST_I64:
        json_value_i64(out, *(const int64_t *)at);
        break;
    case LIST_REAL:
        json_value_real(out, *(const double *)at);
        break;
    case LIST_TIME:
        json_value_time(out, *(const int64_t *)at);
        break;
    case LIST_BOOL:
        json_value_bool(out, *(const bool *)at);
        break;
    case LIST_TAG:
        json_value_tag(out, *(const uint32_t *)at);
        break;
    case LIST_ENUM:
        json_value_text(out, *(const int *)at < 0 ? NULL : column->names[*(const int *)at]);
        break;
    }
}

/* Names of fields, with nothing in them to escape: most of a long list is these. */
static void put_name(struct strbuf *out, const char *name, bool first)
{
    size_t length = strlen(name);

    if (!strbuf_reserve(out, length + 4))
        return;
    char *at = out->data + out->length;
    if (!first)
        *at++ = ',';
    *at++ = '"';
    memcpy(at, name, length);
    memcpy(at + length, "\":", 3);
    out->length = (size_t)(at - out->data) + length + 2;
}

void list_write_json(const struct list_spec *spec, const void *item, struct strbuf *out)
{
    if (spec->write != NULL) {
        spec->write(item, out);
        return;
    }
    json_open(out, '{');
    for (size_t i = 0; i < spec->column_count; i++) {
        put_name(out, spec->columns[i].name, i == 0);
        json_cell(&spec->columns[i], item, out);
    }
    json_close(out, '}');
}

static void csv_text(const char *text, struct strbuf *out)
{
    bool formula = *text != '\0' && strchr("=+-@\t\r", *text) != NULL;

    if (!formula && text[strcspn(text, ",\"\r\n")] == '\0' && *text != ' ') {
        strbuf_puts(out, text);
        return;
    }
    strbuf_putc(out, '"');
    if (formula)
        strbuf_putc(out, '\'');
    for (const char *at = text; *at != '\0'; at++) {
        if (*at == '"')
            strbuf_putc(out, '"');
        strbuf_putc(out, *at);
    }
    strbuf_putc(out, '"');
}

void list_write_csv_head(const struct list_spec *spec, struct strbuf *out)
{
    for (size_t i = 0; i < spec->column_count; i++) {
        strbuf_puts(out, i == 0 ? "" : ",");
        csv_text(spec->columns[i].name, out);
    }
    strbuf_puts(out, "\r\n");
}

static void csv_cell(const struct list_column *column, const void *item, struct strbuf *out)
{
    struct cell cell = cell_read(column, item);
    char text[TIME_TEXT_MAX > TAG_TEXT_MAX ? TIME_TEXT_MAX : TAG_TEXT_MAX];

    if (cell.is_null)
        return;
    switch (column->kind) {
    case LIST_TEXT:
    case LIST_JSON:
        csv_text(cell.text, out);
        break;
    case LIST_TIME:
        time_format(cell.number, text);
        strbuf_puts(out, text);
        break;
    case LIST_TAG:
        tag_format((uint32_t)cell.number, text);
        csv_text(text, out);
        break;
    case LIST_ENUM:
        csv_text(column->names[cell.number], out);
        break;
    case LIST_I64:
    case LIST_REAL:
    case LIST_BOOL:
        json_cell(column, item, out);
        break;
    }
}

void list_write_csv(const struct list_spec *spec, const void *item, struct strbuf *out)
{
    for (size_t i = 0; i < spec->column_count; i++) {
        strbuf_puts(out, i == 0 ? "" : ",");
        csv_cell(&spec->columns[i], item, out);
    }
    strbuf_puts(out, "\r\n");
}

/* ---- the reply -------------------------------------------------------------- */

enum status resp_etag(struct resp *rs, struct err *err)
{
    unsigned char hash[16];
    char hex[sizeof hash * 2 + 1];
    char *etag = malloc(sizeof hex + 2);

    if (etag == NULL || strbuf_failed(&rs->body)) {
        free(etag);
        return err_set(err, ST_NOMEM, "could not write a reply: out of memory");
    }
    crypto_generichash(hash, sizeof hash, (const unsigned char *)rs->body.data, rs->body.length,
                       NULL, 0);
    sodium_bin2hex(hex, sizeof hex, hash, sizeof hash);
    snprintf(etag, sizeof hex + 2, "\"%s\"", hex);
    free((void *)(uintptr_t)rs->etag);
    rs->etag = etag;
    return ST_OK;
}

static void write_document(const struct list_spec *spec, const struct list_query *query,
                           const char *head, const void **page, size_t length, bool more,
                           size_t total, struct strbuf *out)
{
    strbuf_putc(out, '{');
    if (head != NULL)
        strbuf_puts(out, head);
    json_key_open(out, "items", '[');
    for (size_t i = 0; i < length; i++) {
        json_comma(out);
        list_write_json(spec, page[i], out);
    }
    json_close(out, ']');
    json_key(out, "next_cursor");
    if (more) {
        strbuf_putc(out, '"');
        list_cursor(spec, query, page[length - 1], out);
        strbuf_putc(out, '"');
    } else {
        strbuf_puts(out, "null");
    }
    json_i64(out, "total", (int64_t)total);
    strbuf_putc(out, '}');
}

enum status list_reply(const struct req *rq, struct resp *rs, const struct list_spec *spec,
                       const struct list_query *query, const char *head, const void *items,
                       size_t item_size, size_t count, struct err *err)
{
    AUTO_FREE const void **page = NULL;
    size_t length = 0;
    bool more = false;
    enum status status =
        list_page(spec, query, items, item_size, count, &page, &length, &more, err);

    if (status != ST_OK)
        return status;
    rs->media = rq->accept == MEDIA_CSV || rq->accept == MEDIA_NDJSON ? rq->accept : MEDIA_JSON;
    if (rs->media == MEDIA_JSON)
        write_document(spec, query, head, page, length, more, count, &rs->body);
    if (rs->media == MEDIA_CSV)
        list_write_csv_head(spec, &rs->body);
    for (size_t i = 0; i < length && rs->media != MEDIA_JSON; i++) {
        if (rs->media == MEDIA_CSV) {
            list_write_csv(spec, page[i], &rs->body);
            continue;
        }
        list_write_json(spec, page[i], &rs->body);
        strbuf_putc(&rs->body, '\n');
    }
    return resp_etag(rs, err);
}
