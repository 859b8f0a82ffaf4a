/* method-task-wait.c - task.wait and task.cancel: of tasks whose ids the caller has. */
#include "base/alloc.h"
#include "base/fd.h"
#include "control/control-call.h"
#include "control/control-room.h"
#include "control/method.h"
#include "control/method-task.h"
#include "control/selection.h"
#include "priority.h"

#include <stdio.h>

#define TASKS_PER_CALL_MAX 4096u

/* ---- task.wait ---- */

typedef struct TasksParams {
        json_t *tasks;
        usec_t timeout;
        bool attach;
} TasksParams;

static const TasksParams tasks_defaults = {.timeout = USEC_INFINITY};

static const JsonField wait_fields[] = {
        {"tasks", JSON_FIELD_STRINGS, offsetof(TasksParams, tasks), .required = true, .help = "ids, as task.submit gave them"},
        {"timeout", JSON_FIELD_SPAN, offsetof(TasksParams, timeout), .help = "then the error \"timeout\", with what is known in data.tasks (for ever)"},
        {"attach", JSON_FIELD_BOOL, offsetof(TasksParams, attach), .help = "for one task: the descriptors of a large result come with the outcome (false)"},
        {0},
};

typedef struct WaitCall WaitCall;
typedef struct WaitItem {
        TaskWatch watch;
        WaitCall *of;
        char *outcome; /* settled */
        char id[TASK_ID_MAX];
} WaitItem;

struct WaitCall {
        Call *call;
        sd_event_source *timer;
        usec_t timeout;
        size_t n, n_open;
        bool is_attached; /* with one task only: */
        int fds[BLOBS_PER_TASK_MAX];
        size_t n_fds;
        WaitItem items[];
};

static void wait_free(void *state) {
        WaitCall *w = state;

        for (size_t i = 0; i < w->n; i++) {
                task_unwatch(&w->items[i].watch);
                free(w->items[i].outcome);
        }
        fd_close_many(w->fds, w->n_fds);
        sd_event_source_disable_unref(w->timer);
        free(w);
}

static const CallOps wait_ops = {.free_state = wait_free};

static void put_outcomes(const WaitCall *w, Text *t) {
        json_put_array(t, "tasks");
        for (size_t i = 0; i < w->n; i++) {
                if (w->items[i].outcome) {
                        json_put_raw(t, NULL, w->items[i].outcome);
                        continue;
                }
                if (w->items[i].watch.task)
                        task_put_json(w->items[i].watch.task, t, false);
        }
        json_end_array(t);
}

static void wait_answer(WaitCall *w) {
        Call *c = w->call;
        Text *t;

        for (size_t i = 0; i < w->n_fds; i++)
                call_attach(c, TAKE_FD(w->fds[i]));
        t = call_begin(c);
        json_put_object(t, NULL);
        put_outcomes(w, t);
        json_end_object(t);
        call_end(c);
}

static int wait_expired(sd_event_source *s, uint64_t usec, void *userdata) {
        WaitCall *w = userdata;
        Call *c = w->call;
        char span[SPAN_TEXT_MAX], message[128];

        (void) snprintf(message, sizeof message, "%zu of %zu tasks are not done within %s", w->n_open, w->n, span_format(span, w->timeout));
        put_outcomes(w, call_fail_begin(c, ERROR_TIMEOUT, message));
        call_fail_end(c, ERROR_TIMEOUT);
        return 0;
}

static void item_take(WaitItem *i, const Task *t) {
        _cleanup_text_ Text text = {0};

        if (i->of->is_attached && task_results(t)->n > 0) {
                for (size_t at = 0; at < task_results(t)->n; at++)
                        i->of->fds[i->of->n_fds++] = blob_open(blob_at(task_results(t), at));
                task_put_attached(t, &text, i->of->n_fds);
        } else
                task_put_json(t, &text, false);
        i->outcome = text_take(&text);
        i->of->n_open--;
}

static void wait_settled(TaskWatch *watch, Task *t) {
        WaitItem *i = container_of(watch, WaitItem, watch);

        item_take(i, t);
        if (i->of->n_open == 0)
                wait_answer(i->of);
}

static int wait_arm(WaitCall *w) {
        int r;

        if (w->timeout == USEC_INFINITY)
                return 0;
        r = sd_event_add_time_relative(call_control(w->call)->world.event, &w->timer, CLOCK_MONOTONIC, w->timeout, USEC_PER_MSEC,
                                       wait_expired, w);
        return r < 0 ? r : sd_event_source_set_priority(w->timer, PRIORITY_TIMER);
}

static void handle_wait(Call *c, const void *params) {
        const TasksParams *p = params;
        size_t n;
        _cleanup_free_ const char **ids = selection_strings(p->tasks, &n);
        _cleanup_free_ WaitCall *w = ids && n <= TASKS_PER_CALL_MAX ? alloc_zero(1, sizeof(WaitCall) + n * sizeof(WaitItem)) : NULL;
        Task *t;

        if (ids && n > TASKS_PER_CALL_MAX) {
                call_fail(c, ERROR_LIMIT, "task.wait: at most %u tasks a call", TASKS_PER_CALL_MAX);
                return;
        }
        if (!w) {
                call_errno(c, -ENOMEM, "cannot wait");
                return;
        }
        if (p->attach && (n != 1 || !call_can_attach(c))) {
                call_fail(c, ERROR_PARAMS, "task.wait: \"attach\" is for one task, and not in a batch");
                return;
        }
        for (size_t i = 0; i < n; i++)
                if (!method_task_find(c, ids[i]))
                        return;
        *w = (WaitCall){.call = c, .timeout = p->timeout, .n = n, .n_open = n, .is_attached = p->attach};
        if (wait_arm(w) < 0) {
                call_errno(c, -ENOMEM, "cannot wait");
                return;
        }
        for (size_t i = 0; i < n; i++) {
                WaitItem *item = &w->items[i];

                t = task_find(call_control(c)->world.tasks, ids[i]);
                *item = (WaitItem){.of = w, .watch = {.on_settled = wait_settled}};
                if (task_is_settled(t))
                        item_take(item, t);
                else
                        task_watch(&item->watch, t);
        }
        call_keep(c, &wait_ops, w);
        if (w->n_open == 0)
                wait_answer(w);
        w = NULL;
}

const Method method_task_wait = {
        .class = ACCESS_SUBMIT,
        .scope = METHOD_OF_POOLS,
        .handler = handle_wait,
        .fields = wait_fields,
        .params_size = sizeof(TasksParams),
        .defaults = &tasks_defaults,
        .result = "{\"tasks\":[OUTCOME...]} in the order of the ids, once all are settled",
};

/* ---- task.cancel ---- */

static const JsonField cancel_fields[] = {
        {"tasks", JSON_FIELD_STRINGS, offsetof(TasksParams, tasks), .required = true, .help = "ids, as task.submit gave them"},
        {0},
};

static void handle_cancel(Call *c, const void *params) {
        const TasksParams *p = params;
        size_t n, n_cancelled = 0;
        _cleanup_free_ const char **ids = selection_strings(p->tasks, &n);
        Text *t;

        if (!ids) {
                call_errno(c, -ENOMEM, "cannot cancel");
                return;
        }
        if (n > 0)
                call_set_object(c, ids[0]);
        for (size_t i = 0; i < n; i++)
                if (!method_task_find(c, ids[i]))
                        return;
        for (size_t i = 0; i < n; i++) {
                Task *task = task_find(call_control(c)->world.tasks, ids[i]); /* one named twice may be gone */

                n_cancelled += task && task_cancel(task);
        }
        t = call_begin(c);
        json_put_object(t, NULL);
        json_put_u64(t, "cancelled", n_cancelled);
        json_end_object(t);
        call_end(c);
}

const Method method_task_cancel = {
        .class = ACCESS_SUBMIT,
        .scope = METHOD_OF_POOLS,
        .is_changing = true,
        .handler = handle_cancel,
        .fields = cancel_fields,
        .params_size = sizeof(TasksParams),
        .result = "{\"cancelled\":N}: those that were not settled yet. One that a worker is at: that worker's process is killed",
};
