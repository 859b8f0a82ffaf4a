/* method-pause.c - pause, resume, drain. */
#include "control/control-call.h"
#include "control/control-room.h"
#include "control/method.h"
#include "control/selection.h"

typedef struct PauseParams {
        json_t *select;
} PauseParams;

static const JsonField pause_fields[] = {
        {"select", JSON_FIELD_STRINGS, offsetof(PauseParams, select), .required = true, .help = "pools, workers, globs, \"all\""},
        {0},
};

/* Workers without a process stay as they are, unless all of those selected are such: then the caller should know. */
static void change_each(Call *c, const PauseParams *p, int (*wish)(Worker *), const char *what) {
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
        r = waiter_new(call_control(c)->waiters, c, GOAL_NONE, NULL, s.workers, s.n, USEC_INFINITY, waiter_put_workers);
        if (r < 0)
                call_errno(c, r, "cannot wait");
}

static int resume(Worker *w) {
        worker_resume(w);
        return 1;
}

static void handle_pause(Call *c, const void *params) {
        change_each(c, params, worker_pause, "paused");
}

static void handle_resume(Call *c, const void *params) {
        change_each(c, params, resume, "resumed");
}

static void handle_drain(Call *c, const void *params) {
        change_each(c, params, worker_drain, "drained");
}

#define PAUSE_METHOD(verb)                                                                                   \
        const Method method_##verb = {                                                                       \
                .class = ACCESS_OPERATE,                                                                     \
                .scope = METHOD_OF_POOLS,                                                                    \
                .is_changing = true,                                                                         \
                .handler = handle_##verb,                                                                    \
                .fields = pause_fields,                                                                      \
                .params_size = sizeof(PauseParams),                                                          \
                .result = "{\"workers\":[WORKER...]}",                                                       \
        }

PAUSE_METHOD(pause);
PAUSE_METHOD(resume);
PAUSE_METHOD(drain);
