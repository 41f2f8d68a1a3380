/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Titles of columns and names of fields, in the languages that PowerShell, spreadsheets and people
 * write them: what a number under such a title means. Pure.
 */
#ifndef SERVER_DIAGNOSE_COLUMNS_H
#define SERVER_DIAGNOSE_COLUMNS_H

#include "common/tag.h"
#include "server/diagnose/diagnose.h"
#include "server/diagnose/scan.h"

#include <stdbool.h>
#include <stddef.h>

enum column_kind {
    COLUMN_UNKNOWN,
    COLUMN_TAG,
    COLUMN_POOL,
    COLUMN_ALLOCS,
    COLUMN_FREES,
    COLUMN_OUTSTANDING,
    COLUMN_BYTES,
    COLUMN_SIZE, /* bytes too, where no better column is there */
    COLUMN_TIME,
    COLUMN_SHARE, /* percent, averages, changes: numbers that are not kept */
    COLUMN_AVAILABLE,
    COLUMN_TEXT,
};

struct column {
    enum column_kind kind;
    enum pool pool; /* named in the title; POOL_UNKNOWN: not */
    double factor;  /* unit of the title in bytes; 0: none named */
};

struct column column_of(const char *title, size_t length);
bool column_is_number(enum column_kind kind);
/* Puts a cell into the row under the column's meaning. False when the cell holds no number. */
bool column_put(const struct column *column, const char *cell, enum scan_style style,
                struct diagnose_row *row);
/* A cell in bytes, with its own unit or the column's. False when it holds no number. */
bool column_bytes(const struct column *column, const char *cell, enum scan_style style,
                  double *ret_bytes);

#endif
