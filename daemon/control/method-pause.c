/* method-pause.c - pause, resume, drain. */
#include "control/control-call.h"
#include "control/control-room.h"
#include "control/method.h"
#include "control/selection.h"

typedef struct PauseParams {
        json_t *select;
        bool wait;
        usec_t timeout;
} PauseParams;

static const PauseParams pause_defaults = {.wait = true, .timeout = USEC_INFINITY};

static const JsonField pause_fields[] = {
        {"select", JSON_FIELD_STRINGS, offsetof(PauseParams, select), .required = true, .help = "pools, workers, globs, \"all\""},
        {"wait", JSON_FIELD_BOOL, offsetof(PauseParams, wait), .help = "answer when it is so (true)"},
        {"timeout", JSON_FIELD_SPAN, offsetof(PauseParams, timeout), .help = "how long to wait for that; what was asked for stays asked for "
                                                                              "(for ever: the keeper gives up after 5 s)"},
        {0},
};
static const JsonField drain_fields[] = {
        {"select", JSON_FIELD_STRINGS, offsetof(PauseParams, select), .required = true, .help = "pools, workers, globs, \"all\""},
        {0},
};

/* Workers without a process stay as they are, unless all of those selected are such: then the caller should know. */
static void change_each(Call *c, const PauseParams *p, int (*wish)(Worker *), Goal goal, const char *what) {
        _cleanup_selection_ Selection s = {0};
        size_t n_done = 0;
        int error = 0, r;

        selection_object(c, p->select);
        if (selection_resolve(c, p->select, &s) < 0)
                return;
        for (size_t i = 0; i < s.n; i++) {
                r = wish(s.workers[i]);
                n_done += r > 0;
                error = r < 0 ? r : error;
        }
        if (error < 0) {
                call_errno(c, error, "cannot ask the keeper");
                return;
        }
        if (n_done == 0 && s.n > 0) {
                call_fail(c, ERROR_FAILED, "%s is %s; only a process that runs can be %s", worker_name(s.workers[0]),
                          worker_state_to_string(worker_state(s.workers[0])), what);
                return;
        }
        r = waiter_new(call_control(c)->waiters, c, p->wait ? goal : GOAL_NONE, NULL, s.workers, s.n, p->timeout, waiter_put_workers);
        if (r < 0)
                call_errno(c, r, "cannot wait");
}

static int resume(Worker *w) {
        worker_resume(w);
        return 1;
}

static void handle_pause(Call *c, const void *params) {
        change_each(c, params, worker_pause, GOAL_PAUSED, "paused");
}

static void handle_resume(Call *c, const void *params) {
        change_each(c, params, resume, GOAL_RESUMED, "resumed");
}

static void handle_drain(Call *c, const void *params) {
        change_each(c, params, worker_drain, GOAL_NONE, "drained");
}

#define PAUSE_METHOD(verb, its_fields, its_result)                                                                                   \
        const Method method_##verb = {                                                                       \
                .class = ACCESS_OPERATE,                                                                     \
                .scope = METHOD_OF_POOLS,                                                                    \
                .is_changing = true,                                                                         \
                .handler = handle_##verb,                                                                    \
                .fields = its_fields,                                                                        \
                .params_size = sizeof(PauseParams),                                                          \
                .defaults = &pause_defaults,                                                                 \
                .result = its_result,                                                                        \
        }

PAUSE_METHOD(pause, pause_fields,
             "{\"workers\":[WORKER...]} once no process of them runs any more. One that cannot be brought to a standstill within 5 s, "
             "since it sits in the kernel, is the error \"failed\": its worker runs on");
PAUSE_METHOD(resume, pause_fields, "{\"workers\":[WORKER...]} once they run on");
PAUSE_METHOD(drain, drain_fields, "{\"workers\":[WORKER...]}");
