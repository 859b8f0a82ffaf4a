/* table.h - columns of text: each as wide as it must be, fitted to the terminal.
 *
 * Cells are copied into one buffer. Only the last column may be long. When the line would be wider than the
 * terminal, columns of nothing but "-" are left out, then the last is cut with "...", then the first one. With a
 * width of 0 nothing is left out or cut. */
#ifndef DROVER_CTL_TABLE_H
#define DROVER_CTL_TABLE_H

#include "base/text.h"
#include "ctl/output.h"

#define TABLE_COLUMNS_MAX 12

typedef struct TableColumn {
        const char *title;
        bool is_right; /* aligned */
        unsigned wide; /* 1: only in the wide form */
} TableColumn;

typedef struct TableCell {
        size_t offset; /* in Table.text */
        Tint tint;
} TableCell;

typedef struct Table {
        const TableColumn *columns; /* borrowed */
        size_t n_columns;
        Text text; /* all cells, each NUL-terminated */
        TableCell *cells;
        size_t n_cells, capacity;
        bool failed; /* sticky */
} Table;

void table_init(Table *t, const TableColumn *columns, size_t n_columns);
void table_done(Table *t);
#define _cleanup_table_ _cleanup_(table_done)

/** table_cell() - the next cell, row by row; control characters are escaped. NULL or "" is an empty one. */
void table_cell(Table *t, Tint tint, const char *s);
/** table_cellf() - as table_cell(), formatted. */
void table_cellf(Table *t, Tint tint, const char *fmt, ...) _printf_(3, 4);
/**
 * table_print() - title line and rows
 * @width:    of the terminal, 0: cut nothing
 * @is_wide:  with the columns of the wide form
 * @is_color: tint what has a tint
 */
void table_print(const Table *t, Text *out, unsigned width, bool is_wide, bool is_color);

#endif
