/* top-view.h - what `top` shows: the lines of a screen, from a status and from what the user has chosen.
 *
 * Pure: no terminal, no daemon, no clock. The rows are workers; the chosen one is known by its name, so it stays
 * chosen when the order changes. */
#ifndef DROVER_CTL_TOP_VIEW_H
#define DROVER_CTL_TOP_VIEW_H

#include "base/clock.h"
#include "base/text.h"
#include <jansson.h>

#define TOP_NAME_MAX 128
#define TOP_FILTER_MAX 64

typedef enum TopSort { TOP_BY_NAME, TOP_BY_CPU, TOP_BY_MEMORY } TopSort; /* as the choices of --sort */

typedef struct TopRow {
        const json_t *worker; /* borrowed from the status */
        const char *name;     /* borrowed */
        double cpu, memory;
        size_t index; /* among all: keeps the daemon's order where the rest is equal */
} TopRow;

typedef struct TopView {
        TopSort sort;
        char filter[TOP_FILTER_MAX];   /* "": all; else part of name, state or note */
        char selected[TOP_NAME_MAX];   /* "": nobody yet */
        bool with_ended, is_typing;    /* is_typing: the filter is being typed */
        bool is_color, is_away;
        char message[160];             /* at the bottom, in place of the keys */
        TopRow *rows;
        size_t n_rows, capacity, n_workers; /* n_workers: before the filter */
        size_t chosen, offset;              /* rows: of the chosen one, of the first shown */
} TopView;

void top_view_done(TopView *v);
/** top_view_take() - rows from @status, which must live as long as they are used. Return: 0, -ENOMEM. */
int top_view_take(TopView *v, const json_t *status);
/** top_view_move() - choose the row @by below the chosen one, as far as there are any. */
void top_view_move(TopView *v, long by);
/** top_view_chosen() - the chosen worker, borrowed, or NULL when there is none. */
const json_t *top_view_chosen(const TopView *v);
/** top_view_put() - at most @n_lines lines of at most @columns. */
void top_view_put(TopView *v, Text *out, const json_t *status, unsigned n_lines, unsigned columns, usec_t now_realtime);
/** top_view_print() - the totals and all rows, for where there is no screen. */
void top_view_print(TopView *v, Text *out, const json_t *status, unsigned columns, usec_t now_realtime);
/** top_view_help() - the keys. */
void top_view_help(Text *out, unsigned n_lines, unsigned columns);
/** top_line_cut() - append @line of @n bytes, cut to @columns; colours ("ESC [ ... m") have no width. */
void top_line_cut(Text *out, const char *line, size_t n, size_t columns);

#endif
