/* SPDX-License-Identifier: Apache-2.0 */
/* Answers of PostgreSQL, cell by cell, each read as the type its statement declares. */
#include "server/store/db_result.h"

#include "server/store/db_wire.h"

#include <endian.h>
#include <math.h>
#include <string.h>

struct db_result {
    PGresult *pg;
    const struct stmt *stmt;
    char (*uuids)[37]; /* text of the uuid cells, row by row; NULL: the statement has none */
};

static _Noreturn void bug(const char *what, const struct stmt *stmt)
{
    fprintf(stderr, "bug: %s in statement \"%s\"\n", what, stmt->name);
    abort();
}

static void uuid_format(const unsigned char *bytes, char ret_text[37])
{
    static const char hex[] = "0123456789abcdef";
    size_t at = 0;
    for (size_t i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            ret_text[at++] = '-';
        ret_text[at++] = hex[bytes[i] >> 4];
        ret_text[at++] = hex[bytes[i] & 15];
    }
    ret_text[at] = '\0';
}

static size_t uuid_index(const struct db_result *result, size_t row, size_t column)
{
    return row * strlen(result->stmt->columns) + column;
}

static bool format_uuids(struct db_result *result)
{
    const char *columns = result->stmt->columns;
    size_t width = strlen(columns);
    size_t rows = (size_t)PQntuples(result->pg);
    if (strchr(columns, 'u') == NULL || rows == 0)
        return true;
    result->uuids = calloc(rows * width, sizeof *result->uuids);
    if (result->uuids == NULL)
        return false;
    for (size_t row = 0; row < rows; row++) {
        for (size_t column = 0; column < width; column++) {
            if (columns[column] == 'u' && PQgetlength(result->pg, (int)row, (int)column) == 16)
                uuid_format((const unsigned char *)PQgetvalue(result->pg, (int)row, (int)column),
                            result->uuids[uuid_index(result, row, column)]);
        }
    }
    return true;
}

enum status db_result_take(const struct stmt *stmt, PGresult **pg_take,
                           struct db_result **ret_result, struct err *err)
{
    struct db_result *result = calloc(1, sizeof *result);
    if (result == NULL)
        return err_set(err, ST_NOMEM, "could not run statement \"%s\": out of memory", stmt->name);
    result->stmt = stmt;
    result->pg = TAKE(*pg_take);
    size_t width = (size_t)PQnfields(result->pg);
    if (width != strlen(stmt->columns)) {
        db_result_free(result);
        return err_set(err, ST_BUG, "statement \"%s\" gives %zu columns, declared are %zu",
                       stmt->name, width, strlen(stmt->columns));
    }
    if (!format_uuids(result)) {
        db_result_free(result);
        return err_set(err, ST_NOMEM, "could not run statement \"%s\": out of memory", stmt->name);
    }
    *ret_result = result;
    return ST_OK;
}

void db_result_free(struct db_result *result)
{
    if (result == NULL)
        return;
    PQclear(result->pg);
    free(result->uuids);
    free(result);
}

size_t db_rows(const struct db_result *result)
{
    return (size_t)PQntuples(result->pg);
}

int64_t db_affected(const struct db_result *result)
{
    return strtoll(PQcmdTuples(result->pg), NULL, 10);
}

/* The cell's bytes, after checking that the statement declares one of `allowed` there. */
static const char *cell(const struct db_result *result, size_t row, size_t column,
                        const char *allowed)
{
    const char *columns = result->stmt->columns;
    if (column >= strlen(columns) || strchr(allowed, columns[column]) == NULL)
        bug("column read with another type than declared", result->stmt);
    if (row >= db_rows(result))
        bug("row beyond the result", result->stmt);
    if (PQgetisnull(result->pg, (int)row, (int)column))
        return NULL;
    return PQgetvalue(result->pg, (int)row, (int)column);
}

static uint32_t get_u32(const char *data)
{
    uint32_t value;
    memcpy(&value, data, 4);
    return be32toh(value);
}

static uint64_t get_u64(const char *data)
{
    uint64_t value;
    memcpy(&value, data, 8);
    return be64toh(value);
}

bool db_null(const struct db_result *result, size_t row, size_t column)
{
    return cell(result, row, column, "idfbtxzjuITXZFBD") == NULL;
}

int64_t db_i64(const struct db_result *result, size_t row, size_t column)
{
    const char *data = cell(result, row, column, "id");
    if (data == NULL)
        return 0;
    return result->stmt->columns[column] == 'd' ? (int32_t)get_u32(data) : (int64_t)get_u64(data);
}

double db_f64(const struct db_result *result, size_t row, size_t column)
{
    const char *data = cell(result, row, column, "f");
    if (data == NULL)
        return NAN;
    uint64_t bits = get_u64(data);
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

bool db_bool(const struct db_result *result, size_t row, size_t column)
{
    const char *data = cell(result, row, column, "b");
    return data != NULL && *data != 0;
}

const char *db_text(const struct db_result *result, size_t row, size_t column)
{
    const char *data = cell(result, row, column, "tju");
    if (data == NULL)
        return NULL;
    char letter = result->stmt->columns[column];
    if (letter == 'u')
        return result->uuids[uuid_index(result, row, column)];
    return letter == 'j' ? data + 1 : data; /* jsonb: behind the version byte */
}

const void *db_bytes(const struct db_result *result, size_t row, size_t column, size_t *ret_length)
{
    const char *data = cell(result, row, column, "x");
    *ret_length = data == NULL ? 0 : (size_t)PQgetlength(result->pg, (int)row, (int)column);
    return data;
}

int64_t db_time(const struct db_result *result, size_t row, size_t column)
{
    const char *data = cell(result, row, column, "z");
    if (data == NULL)
        return TIME_UNKNOWN;
    int64_t value = (int64_t)get_u64(data);
    /* The infinities stay at the ends of the range. */
    return value == INT64_MAX || value == INT64_MIN ? value : value + DB_EPOCH_US;
}

size_t db_array_count(const struct db_result *result, size_t row, size_t column)
{
    const char *data = cell(result, row, column, "ITXZFBD");
    if (data == NULL || get_u32(data) == 0)
        return 0;
    if (get_u32(data) != 1)
        bug("array with several dimensions", result->stmt);
    return get_u32(data + 12);
}

/* Element `index`; NULL for SQL NULL. Walks from the start: arrays here are short. */
static const char *element(const struct db_result *result, size_t row, size_t column, size_t index,
                           size_t *ret_length)
{
    if (index >= db_array_count(result, row, column))
        bug("element beyond the array", result->stmt);
    const char *at = PQgetvalue(result->pg, (int)row, (int)column) + 20;
    for (;; index--) {
        uint32_t length = get_u32(at);
        bool null = length == UINT32_MAX;
        if (index == 0) {
            *ret_length = null ? 0 : length;
            return null ? NULL : at + 4;
        }
        at += 4 + (null ? 0 : length);
    }
}

const char *db_array_text(const struct db_result *result, size_t row, size_t column, size_t index,
                          size_t *ret_length)
{
    return element(result, row, column, index, ret_length);
}

int64_t db_array_i64(const struct db_result *result, size_t row, size_t column, size_t index)
{
    size_t length;
    const char *data = element(result, row, column, index, &length);
    if (data == NULL)
        return 0;
    if (length == 4)
        return (int32_t)get_u32(data);
    if (length != 8)
        bug("array element is no integer", result->stmt);
    return (int64_t)get_u64(data) + (result->stmt->columns[column] == 'Z' ? DB_EPOCH_US : 0);
}
