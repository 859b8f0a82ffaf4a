/* task-items.h - one target called for each of many items. */
#ifndef DROVER_WORKER_TASK_ITEMS_H
#define DROVER_WORKER_TASK_ITEMS_H

#include "worker/task-call.h"
#include "worker/task-run.h"

/** task_reply_begin() - {"jsonrpc":"2.0","id":ID,"result": and the value follows. */
void task_reply_begin(Text *t, Slice id);
/**
 * task_run_items() - answer with a line or several: see task-run.h
 * @items:   an array
 * @is_kept: the answer is for somebody
 * Return: 0; -EBADMSG: the items are no array, and nothing was done; -ENOMEM; errors of on_part().
 */
int task_run_items(const TaskRunner *r, drover_task *task, Slice id, Slice items, bool is_kept, Text *out);

#endif
