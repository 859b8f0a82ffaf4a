/* task-run.h - one request of the channel: decoded, carried out, answered. No I/O.
 *
 * A request is JSON-RPC 2.0 with the target as its method and the arguments as its params: {"args":[...],"kwargs":{...}},
 * or an array, which is the args alone; or {"items":[...]}: the target is called for each item as its one argument, and
 * the result is {"items":[...]}, with null for an item that failed and, where any did, "errors":{"3":{ERROR}} by index.
 *
 * With a page each answer is kept there as soon as it is made, so that it outlives this process. Then the answer to items
 * may come in several lines, each a reply to the same id with the next items, from the second on with "from": the number
 * of the first: one ends after an item that failed, or at PART_MAX bytes. */
#ifndef DROVER_WORKER_TASK_RUN_H
#define DROVER_WORKER_TASK_RUN_H

#include "wire/task-page.h"
#include "worker/module.h"

typedef struct TaskRunner {
        const drover_module *module;
        void *state;
        TaskPage *page; /* NULL: there is none */
        struct TaskBlobs *blobs; /* NULL: there are none, and answers are as long as they are */
        /* Lines of an answer are in @out and more follow: they may be sent, and @out cleared. May be NULL. */
        int (*on_part)(void *userdata);
        void *userdata;
} TaskRunner;

/**
 * task_run() - carry out @line and append the answer with its newline to @out; a notification is answered by nothing
 * Return: 0; -ENOMEM; errors of on_part().
 */
int task_run(const TaskRunner *r, const char *line, size_t length, Text *out);

#endif
