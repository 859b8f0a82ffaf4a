/* method-log-act.c - logs.rotate, logs.clear, logs.reopen: what is done with log files rather than read from them.
 *
 * The logger is the only one that touches the files. A call of rotate or clear is one request to it for each log that the
 * selected workers write (workers that share a file: one), and is answered when all are done. */
#include "base/alloc.h"
#include "control/control-call.h"
#include "control/control-room.h"
#include "control/method.h"
#include "control/selection.h"

#include <stdio.h>

#define LOG_ACTS_MAX 128 /* logs of one call */

typedef struct LogActParams {
        json_t *select;
} LogActParams;

static const JsonField log_act_fields[] = {
        {"select", JSON_FIELD_STRINGS, offsetof(LogActParams, select), .required = true, .help = "pools, workers, globs, \"all\""},
        {0},
};

typedef struct LogAct LogAct;

typedef struct LogActOne {
        LogAct *act;
        LogRead *read; /* NULL: it has ended, or never began */
        LogSpec spec;
} LogActOne;

struct LogAct {
        Call *call;
        size_t n, n_open, n_failed;
        char error_text[300]; /* the first */
        LogActOne ones[];
};

static LogAct *log_act_free(LogAct *a) {
        if (!a)
                return NULL;
        for (size_t i = 0; i < a->n; i++)
                logger_read_free(a->ones[i].read);
        free(a);
        return NULL;
}
DEFINE_CLEANUP(LogAct, log_act_free);

static void log_act_free_state(void *state) {
        log_act_free(state);
}

static void log_act_answer(LogAct *a) {
        Text *t;

        if (a->n_failed > 0) {
                call_fail(a->call, ERROR_FAILED, "%zu of %zu logs: %s", a->n_failed, a->n, a->error_text);
                return;
        }
        t = call_begin(a->call);
        json_put_object(t, NULL);
        json_put_u64(t, "logs", a->n);
        json_end_object(t);
        call_end(a->call);
}

static const CallOps log_act_ops = {.free_state = log_act_free_state};

static bool log_act_on_line(LogRead *r, const LoggerLine *line, const char *text, void *userdata) {
        return true; /* none comes */
}

static void log_act_on_dropped(LogRead *r, uint64_t n_lines, void *userdata) {
}

static void log_act_on_end(LogRead *r, int error, const char *text, void *userdata) {
        LogActOne *one = userdata;
        LogAct *a = one->act;

        one->read = logger_read_free(one->read);
        if (error < 0 && a->n_failed++ == 0)
                (void) snprintf(a->error_text, sizeof(a->error_text), "%s: %.100s", one->spec.worker,
                                text && *text ? text : strerror(-error));
        if (--a->n_open == 0)
                log_act_answer(a);
}

static const LogReadHooks log_act_hooks = {
        .on_line = log_act_on_line,
        .on_dropped = log_act_on_dropped,
        .on_end = log_act_on_end,
};

static int log_act_add(LogAct *a, const Worker *w, LoggerMessageType type) {
        LoggerLink *logger = call_control(a->call)->world.logger;
        LogActOne *one = &a->ones[a->n];
        int r;

        if (worker_log_spec(w, &one->spec) < 0 ||
            (one->spec.kind != LOG_KIND_FILE && one->spec.kind != LOG_KIND_SHARED))
                return 0;
        for (size_t i = 0; i < a->n; i++)
                if (streq(a->ones[i].spec.path, one->spec.path))
                        return 0;
        one->act = a;
        r = logger_act_new(&one->read, logger, type, &one->spec, &log_act_hooks, one);
        if (r < 0)
                return r;
        a->n++;
        a->n_open++;
        return 0;
}

static int log_act_new(LogAct **ret, Call *c, const Selection *selection, LoggerMessageType type) {
        _cleanup_(log_act_freep) LogAct *a = alloc_zero(1, sizeof(LogAct) + selection->n * sizeof(LogActOne));

        if (!a)
                return -ENOMEM;
        a->call = c;
        for (size_t i = 0; i < selection->n; i++) {
                int r = log_act_add(a, selection->workers[i], type);

                if (r < 0)
                        return r;
        }
        *ret = TAKE_PTR(a);
        return 0;
}

static void handle_log_act(Call *c, const LogActParams *p, LoggerMessageType type) {
        _cleanup_selection_ Selection selection = {0};
        LogAct *a;
        int r;

        if (selection_resolve(c, p->select, &selection) < 0)
                return;
        if (selection.n > LOG_ACTS_MAX) {
                call_fail(c, ERROR_LIMIT, "logs of at most %d workers in one call; %zu are selected", LOG_ACTS_MAX, selection.n);
                return;
        }
        r = log_act_new(&a, c, &selection, type);
        if (r < 0) {
                call_errno(c, r, "cannot ask the logger");
                return;
        }
        call_keep(c, &log_act_ops, a);
        if (a->n > 0)
                return;
        if (selection.n > 0)
                call_fail(c, ERROR_UNSUPPORTED, "%s writes to no file of ours: see its \"output\"", worker_name(selection.workers[0]));
        else
                log_act_answer(a);
}

static void handle_logs_rotate(Call *c, const void *params) {
        handle_log_act(c, params, LOGGER_ROTATE);
}

const Method method_logs_rotate = {
        .class = ACCESS_OPERATE,
        .is_changing = true,
        .handler = handle_logs_rotate,
        .fields = log_act_fields,
        .params_size = sizeof(LogActParams),
        .result = "{\"logs\":N} once the logs of N workers begin anew; one in the middle of a line is rotated at that line's end, "
                  "an empty one stays",
};

static void handle_logs_clear(Call *c, const void *params) {
        handle_log_act(c, params, LOGGER_CLEAR);
}

const Method method_logs_clear = {
        .class = ACCESS_OPERATE,
        .is_changing = true,
        .handler = handle_logs_clear,
        .fields = log_act_fields,
        .params_size = sizeof(LogActParams),
        .result = "{\"logs\":N} once the logs of N workers are empty and their rotated files removed; followers go on",
};

static void handle_logs_reopen(Call *c, const void *params) {
        const ControlWorld *world = &call_control(c)->world;
        Text *t;

        world->hooks.reopen_logs(world->userdata);
        t = call_begin(c);
        json_put_object(t, NULL);
        json_end_object(t);
        call_end(c);
}

const Method method_logs_reopen = {
        .class = ACCESS_OPERATE,
        .is_changing = true,
        .handler = handle_logs_reopen,
        .result = "{}",
};
