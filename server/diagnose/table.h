/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cells and columns of tables, shared by the readers of tables and of records. Cells are copied and
 * cut at CELL_BYTES; more than CELLS_MAX are not kept.
 */
#ifndef SERVER_DIAGNOSE_TABLE_H
#define SERVER_DIAGNOSE_TABLE_H

#include "server/diagnose/columns.h"
#include "server/diagnose/parse.h"
#include "server/diagnose/scan.h"

#define CELLS_MAX   24
#define CELL_BYTES  160 /* longer cells are cut: names and numbers are short */
#define STYLE_LINES 32  /* lines that are looked at for the decimal sign */

struct cells {
    size_t count;
    char cell[CELLS_MAX][CELL_BYTES];
};

struct table {
    char delimiter; /* 0: blanks */
    size_t count;
    struct column column[CELLS_MAX];
    enum scan_style style;
};

void cells_put(struct cells *cells, const char *text, size_t length);
/* By one delimiter; '|' as Markdown does it, else with quotes as in CSV. */
void cells_split(const char *line, char delimiter, struct cells *ret_cells);
/* Titles between blanks. `rule` is the line below, or NULL. */
void cells_split_titles(const char *line, const char *rule, struct cells *ret_cells);
/* "-----", "|---|---:|": a line that only draws. */
bool cells_is_rule(const char *line);

/* One line of a tag table: one row, or one for each pool that has columns of its own. False when
 * it holds no tag or no number. */
bool table_keep_row(struct parse *parse, struct report *report, const struct table *table,
                    const struct cells *cells);

#endif
