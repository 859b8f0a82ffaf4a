/* task-call.h - one call of a target: its exception, its result as text, and the page that says how far it is. */
#ifndef DROVER_WORKER_TASK_CALL_H
#define DROVER_WORKER_TASK_CALL_H

#include "drover.h"

#include "base/json.h"
#include "base/text.h"
#include "wire/slice.h"
#include "wire/task-page.h"

#define TASK_ERROR_RAISED 1 /* the code of an exception; all others are those of JSON-RPC */

struct drover_task {
        const drover_target *target;
        void *state;
        TaskPage *page;
        struct TaskBlobs *blobs; /* NULL: there are none here */
        bool is_raised;
        char *type, *message;
        Text traceback;
};

/** task_forget() - the exception. */
void task_forget(drover_task *task);
/** task_call() - count, call, count. Return: a new reference, or NULL with the exception in @task. */
json_t *task_call(drover_task *task, json_t *args, json_t *kwargs);
/** task_call_watch_forks() - from now on a child of this process that comes back from a target ends. Once. -ENOMEM. */
int task_call_watch_forks(void);
void task_raise(drover_task *task, const char *type, const char *message);
/** task_put_result() - or nothing, and an exception: it cannot be written (it contains itself). */
bool task_put_result(Text *t, drover_task *task, const json_t *value);
/** task_exception_text() - "TYPE: MESSAGE", in @buf unless memory is short for it. */
const char *task_exception_text(const drover_task *task, Text *buf);
/** task_put_exception() - {"code","message":"TYPE: MESSAGE","data":{"type","traceback"}} as member @key. */
void task_put_exception(Text *t, const char *key, const drover_task *task);
/** task_keep() - what was appended to @t since the last time is finished. What does not fit is lost with this process. */
void task_keep(TaskPage *page, const Text *t);
/** task_unkeep() - what was appended last is taken back: @t is what is finished. */
void task_unkeep(TaskPage *page, const Text *t);

/** task_value() - a value from its text, which is JSON. NULL with what is wrong (a number too large, a name twice) in @error. */
json_t *task_value(Slice text, json_error_t *error);
/** task_values() - the same of an array or object, to be a list of arguments. */
json_t *task_values(Slice text, json_error_t *error);

#endif
