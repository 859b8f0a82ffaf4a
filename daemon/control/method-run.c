/* method-run.c - run: one process from a command, or from a target of a module.
 *
 * It is answered when exec succeeded, or with the stage at which it failed; with `wait`, only when it ended. What the call does
 * not name itself is a key of a pool and goes to the configuration as it came. */
#include "base/alloc.h"
#include "control/audit.h"
#include "control/control-call.h"
#include "control/control-room.h"
#include "control/fault-answer.h"
#include "control/method.h"
#include "control/own-pool.h"
#include "control/selection.h"

#include <stdio.h>

typedef struct RunParams {
        json_t *key; /* named for its position; stays with the keys of a pool */
        const char *name;
        bool daemon, wait;
        const char *stdio[3];
} RunParams;

static const JsonField run_fields[] = {
        {"command", JSON_FIELD_VALUE, offsetof(RunParams, key), .help = "the argv; no shell is involved"},
        {"name", JSON_FIELD_STRING, offsetof(RunParams, name), .help = "of the process (run-N)"},
        {"daemon", JSON_FIELD_BOOL, offsetof(RunParams, daemon), .help = "it dies with this connection (false)"},
        {"stdin", JSON_FIELD_STRING, offsetof(RunParams, stdio[0]), .help = "an absolute path it opens itself (/dev/null)"},
        {"stdout", JSON_FIELD_STRING, offsetof(RunParams, stdio[1]), .help = "an absolute path it opens itself (its log)"},
        {"stderr", JSON_FIELD_STRING, offsetof(RunParams, stdio[2]), .help = "an absolute path it opens itself (its log)"},
        {"module", JSON_FIELD_VALUE, offsetof(RunParams, key), .help = "in place of a command: the path of a worker module"},
        {"target", JSON_FIELD_VALUE, offsetof(RunParams, key), .help = "with module: what it calls"},
        {"args", JSON_FIELD_VALUE, offsetof(RunParams, key), .help = "of target, an array ([])"},
        {"kwargs", JSON_FIELD_VALUE, offsetof(RunParams, key), .help = "of target, an object ({})"},
        {"wait", JSON_FIELD_BOOL, offsetof(RunParams, wait), .help = "answer only when it ended, as `wait` with \"brief\" does (false)"},
        {0},
};

#define RUN_STDIO 3 /* the row of stdin */
#define RUN_NAME_MAX 32

/* "run-1", "run-2", ...: the next that is free. */
static const char *next_name(Control *control, char buf[static RUN_NAME_MAX]) {
        do
                (void) snprintf(buf, RUN_NAME_MAX, "run-%llu", (unsigned long long) ++control->n_runs);
        while (pool_find(control->world.pools, buf));
        return buf;
}

static void put_run(Waiter *w, Text *t) {
        json_put_object(t, NULL);
        json_put_string(t, "process", waiter_worker_name(w, 0));
        if (waiter_pid(w, 0) > 0)
                json_put_i64(t, "pid", waiter_pid(w, 0));
        else
                json_put_null(t, "pid");
        json_end_object(t);
}

static bool stdio_is_fine(Call *c, const RunParams *p) {
        for (size_t i = 0; i < ARRAY_SIZE(p->stdio); i++)
                if (p->stdio[i] && p->stdio[i][0] != '/') {
                        call_fail(c, ERROR_PARAMS, "run: \"%s\" must be an absolute path", run_fields[RUN_STDIO + i].name);
                        return false;
                }
        return true;
}

static int run_begin(Call *c, const RunParams *p, PoolConfig *config) {
        Control *control = call_control(c);
        RunOptions options = {.is_daemon = p->daemon, .stdio_path = {p->stdio[0], p->stdio[1], p->stdio[2]}};
        Worker *worker;
        Pool *pool;
        int r;

        r = p->daemon ? connection_own(c->connection, config) : 0;
        if (r >= 0)
                r = pool_add_run(control->world.pools, config, &options, &pool);
        if (r < 0)
                return r;
        worker = pool_worker(pool, 0);
        r = waiter_new(control->waiters, c, p->wait ? GOAL_RUN_OVER : GOAL_LAUNCHED, NULL, &worker, 1, USEC_INFINITY,
                       p->wait ? waiter_put_brief : put_run);
        if (r < 0)
                pool_want_stop(pool);
        return r;
}

static void handle_run(Call *c, const void *params) {
        const RunParams *p = params;
        ConfigContext context = own_pool_context(c);
        _cleanup_(pool_config_unrefp) PoolConfig *config = NULL;
        _cleanup_config_faults_ ConfigFaults faults = {0};
        char buf[RUN_NAME_MAX];
        const char *name = p->name ? p->name : next_name(call_control(c), buf);
        int r;

        call_set_object(c, name);
        if (!stdio_is_fine(c, p) || own_pool_prepare(c) < 0)
                return;
        r = pool_config_from_json(name, c->params, true, &context, &config, &faults);
        if (r < 0) {
                call_fail_faults(c, ERROR_PARAMS, r, &faults);
                return;
        }
        if (!selection_order_is_fine(c, config))
                return;
        if (own_pool_check(c, config, true) < 0)
                return;
        r = run_begin(c, p, config);
        if (r == -EEXIST)
                call_fail(c, ERROR_EXISTS, "there is a pool or a process \"%s\" already", name);
        else if (r < 0)
                call_errno(c, r, "cannot run");
        else if (p->wait)
                audit_call(c, "begun"); /* its answer may be hours away */
}

const Method method_run = {
        .class = ACCESS_OPERATE, /* others than administrators: as themselves, see own-pool.h */
        .is_changing = true,
        .takes_config = true,
        .handler = handle_run,
        .fields = run_fields,
        .params_size = sizeof(RunParams),
        .result = "{\"process\":NAME,\"pid\":N}; with wait {\"workers\":[{\"name\",\"state\",\"exitcode\"}]}",
};
