/* table.c - columns of text. */
#include "ctl/table.h"

#include "base/alloc.h"
#include <stdarg.h>
#include <stdio.h>

#define GAP 2 /* columns between two cells */
#define FIRST_GOOD 16
#define FIRST_MIN 8
#define LAST_GOOD 24 /* a cause can be told in this */
#define LAST_MIN 12

void table_init(Table *t, const TableColumn *columns, size_t n_columns) {
        *t = (Table){.columns = columns, .n_columns = MIN(n_columns, (size_t) TABLE_COLUMNS_MAX)};
}

void table_done(Table *t) {
        text_done(&t->text);
        free(t->cells);
        *t = (Table){};
}

void table_cell(Table *t, Tint tint, const char *s) {
        if (alloc_grow(&t->cells, &t->capacity, t->n_cells + 1, sizeof(*t->cells)) < 0) {
                t->failed = true;
                return;
        }
        t->cells[t->n_cells++] = (TableCell){.offset = t->text.length, .tint = tint};
        escape_append(&t->text, s ? s : "");
        text_append_char(&t->text, '\0');
}

void table_cellf(Table *t, Tint tint, const char *fmt, ...) {
        char buf[256];
        va_list ap;

        va_start(ap, fmt);
        vsnprintf(buf, sizeof(buf), fmt, ap);
        va_end(ap);
        table_cell(t, tint, buf);
}

static const char *cell_text(const Table *t, size_t row, size_t column) {
        return t->text.data + t->cells[row * t->n_columns + column].offset;
}

static void measure(const Table *t, bool is_wide, size_t *widths) {
        size_t n_rows = t->n_cells / t->n_columns;

        for (size_t c = 0; c < t->n_columns; c++) {
                widths[c] = 0;
                if (t->columns[c].wide && !is_wide)
                        continue;
                widths[c] = text_columns(t->columns[c].title);
                for (size_t r = 0; r < n_rows; r++)
                        widths[c] = MAX(widths[c], text_columns(cell_text(t, r, c)));
        }
}

static size_t total_width(const Table *t, const size_t *widths) {
        size_t total = 0;

        for (size_t c = 0; c < t->n_columns; c++)
                total += widths[c] ? widths[c] + (c ? GAP : 0) : 0;
        return total;
}

static bool is_column_empty(const Table *t, size_t column) {
        for (size_t r = 0; r < t->n_cells / t->n_columns; r++)
                if (!streq(cell_text(t, r, column), "-"))
                        return false;
        return t->n_cells > 0;
}

/* Columns that say nothing in any row make room for the last one, which says why. */
static void drop_empty(const Table *t, size_t *widths, unsigned width) {
        for (size_t c = 1; c + 1 < t->n_columns && total_width(t, widths) > width; c++)
                if (is_column_empty(t, c))
                        widths[c] = 0;
}

static void narrow(const Table *t, size_t *widths, size_t column, size_t least, unsigned width) {
        size_t total = total_width(t, widths);

        if (total > width && widths[column] > least)
                widths[column] -= MIN(total - width, widths[column] - least);
}

/* The last column and the first give way in turns, until a line fits; so do others that are as long as names can be. */
static void fit(const Table *t, size_t *widths, unsigned width) {
        size_t last = t->n_columns - 1;

        drop_empty(t, widths, width);
        narrow(t, widths, last, LAST_GOOD, width);
        narrow(t, widths, 0, FIRST_GOOD, width);
        for (size_t c = 1; c < last; c++)
                narrow(t, widths, c, FIRST_GOOD, width);
        narrow(t, widths, last, LAST_MIN, width);
        narrow(t, widths, 0, FIRST_MIN, width);
}

static void put_spaces(Text *out, size_t n) {
        while (n--)
                text_append_char(out, ' ');
}

/* @s in @width columns; the end of what is too long is shown as "...". */
static void put_cell(Text *out, const char *s, size_t width, bool is_right, bool is_last, Tint tint) {
        size_t columns = text_columns(s);
        bool is_cut = columns > width;
        size_t bytes = is_cut ? text_cut(s, width > 3 ? width - 3 : width) : strlen(s);
        size_t pad = is_cut ? 0 : width - columns;

        if (is_right)
                put_spaces(out, pad);
        text_append(out, tint_on(tint));
        text_append_n(out, s, bytes);
        if (is_cut && width > 3)
                text_append(out, "...");
        text_append(out, tint_off(tint));
        if (!is_right && !is_last)
                put_spaces(out, pad);
}

static void put_row(const Table *t, Text *out, const size_t *widths, size_t row, bool is_title,
                    bool is_color) {
        size_t start = out->length, last = t->n_columns - 1;

        for (size_t c = 0; c <= last; c++) {
                if (!widths[c])
                        continue;
                Tint tint = is_title ? TINT_BOLD : t->cells[row * t->n_columns + c].tint;
                if (c)
                        put_spaces(out, GAP);
                put_cell(out, is_title ? t->columns[c].title : cell_text(t, row, c), widths[c],
                         t->columns[c].is_right, c == last, is_color ? tint : TINT_NONE);
        }
        while (out->length > start && out->data[out->length - 1] == ' ')
                out->data[--out->length] = '\0';
        text_append_char(out, '\n');
}

void table_print(const Table *t, Text *out, unsigned width, bool is_wide, bool is_color) {
        size_t widths[TABLE_COLUMNS_MAX] = {0};

        if (t->failed || t->text.failed) {
                out->failed = true;
                return;
        }
        measure(t, is_wide, widths);
        if (width)
                fit(t, widths, width);
        put_row(t, out, widths, 0, true, is_color);
        for (size_t r = 0; r < t->n_cells / t->n_columns; r++)
                put_row(t, out, widths, r, false, is_color);
}
