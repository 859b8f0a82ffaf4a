/* change-view.h - what plan would do and apply has done: {"changes":[...]} as a table, a row a key.
 *
 * Pure: the daemon's JSON in, rows out. */
#ifndef DROVER_CTL_CHANGE_VIEW_H
#define DROVER_CTL_CHANGE_VIEW_H

#include "ctl/table.h"
#include <jansson.h>

#define CHANGE_COLUMNS 5
extern const TableColumn change_columns[CHANGE_COLUMNS];

/** change_view_rows() - a change of several keys is several rows, each with its own class and from → to. */
void change_view_rows(Table *t, const json_t *change);

#endif
