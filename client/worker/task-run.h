/* task-run.h - one request of the channel: decoded, carried out, answered. No I/O.
 *
 * A request is JSON-RPC 2.0 with the target as its method and the arguments as its params: {"args":[...],"kwargs":{...}},
 * or an array, which is the args alone; or {"items":[...]}: the target is called for each item as its one argument, and
 * the result is {"items":[...]}, with null for an item that failed and, where any did, "errors":{"3":{ERROR}} by index. */
#ifndef DROVER_WORKER_TASK_RUN_H
#define DROVER_WORKER_TASK_RUN_H

#include "wire/task-page.h"
#include "worker/module.h"

#define TASK_ERROR_RAISED 1 /* the code of an exception; all others are those of JSON-RPC */

/**
 * task_run() - carry out @line and append the answer with its newline to @out; a notification is answered by nothing
 * @page: counted up around each call of a target; may be NULL
 * Return: 0; -ENOMEM.
 */
int task_run(const drover_module *m, void *state, TaskPage *page, const char *line, size_t length, Text *out);

#endif
