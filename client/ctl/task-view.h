/* task-view.h - what people see of tasks: the outcome of one, rows of many.
 *
 * Nothing in the daemon's JSON is trusted to be there. */
#ifndef DROVER_CTL_TASK_VIEW_H
#define DROVER_CTL_TASK_VIEW_H

#include "ctl/ctl.h"
#include "ctl/table.h"

#define TASK_COLUMNS 10
extern const TableColumn task_columns[TASK_COLUMNS];

/** task_row() - one line of `tasks`, or of `wait` on several. Pure. */
void task_row(Table *t, const json_t *task, usec_t now_realtime);
/** task_exit_status() - pure: 0 done, 6 timeout, 1 anything else. */
int task_exit_status(const json_t *outcome);
/**
 * task_show_outcome() - the result of one task on stdout (text bare, anything else as JSON), or its error on stderr with
 * the traceback; with -o json or jsonl the OUTCOME itself
 * Return: the exit status.
 */
int task_show_outcome(const Ctl *c, const json_t *outcome);
/** task_show_outcomes() - of several, in the form of -o; the exit status is that of the worst. */
int task_show_outcomes(const Ctl *c, const json_t *tasks);
/** task_put_line() - one in the forms of a line each: jsonl, name. */
void task_put_line(const Ctl *c, Text *out, const json_t *task);

#endif
