/* method-process.c - start, stop, restart, terminate, kill, scale, wait. */
#include "base/alloc.h"
#include "base/glob.h"
#include "base/parse.h"
#include "control/control-call.h"
#include "control/control-room.h"
#include "control/method.h"
#include "control/selection.h"
#include "pool/order.h"

#include <signal.h>

/* ---- start, stop, restart ---- */

typedef struct ChangeParams {
        json_t *select;
        bool wait;
        usec_t timeout;
} ChangeParams;

static const ChangeParams change_defaults = {.wait = true, .timeout = USEC_INFINITY};

static const JsonField change_fields[] = {
        {"select", JSON_FIELD_STRINGS, offsetof(ChangeParams, select), .required = true, .help = "pools, workers, globs, \"all\""},
        {"wait", JSON_FIELD_BOOL, offsetof(ChangeParams, wait), .help = "answer only when it is so (true)"},
        {"timeout", JSON_FIELD_SPAN, offsetof(ChangeParams, timeout), .help = "how long to wait for that (for ever)"},
        {0},
};

/* Wait for the goal, or answer at once after this turn has brought the wish about. */
static int await(Call *c, Goal goal, const Selection *s, bool wait, usec_t timeout, waiter_answer answer) {
        int r = waiter_new(call_control(c)->waiters, c, wait ? goal : GOAL_NONE, NULL, s->workers, s->n, timeout, answer);

        if (r < 0)
                call_errno(c, r, "cannot wait");
        return r;
}

/* Workers of other pools that go or come with those selected; they stand behind them. What the caller may not change does
 * not come back with it, and is not stopped by him: then nothing is. */
static int add_others(Call *c, Selection *s, Goal goal) {
        PoolSet *pools = call_control(c)->world.pools;
        size_t n_chosen = s->n;
        int r = goal == GOAL_STOPPED   ? order_add_dependents(pools, &s->workers, &s->n)
                : goal == GOAL_STARTED ? order_add_returning(pools, &s->workers, &s->n)
                                       : 0;

        if (r < 0) {
                call_errno(c, r, "cannot select workers");
                return r;
        }
        return selection_admit(c, s, n_chosen, goal == GOAL_STOPPED);
}

static void change(Call *c, const ChangeParams *p, void (*wish)(Worker *), Goal goal) {
        _cleanup_selection_ Selection s = {0};
        size_t n_selected;

        selection_object(c, p->select);
        if (selection_resolve(c, p->select, &s) < 0)
                return;
        if (goal != GOAL_STOPPED)
                selection_drop_leaving(&s);
        n_selected = s.n;
        /* The waiter before the wishes: it remembers what was. */
        if (add_others(c, &s, goal) < 0 || await(c, goal, &s, p->wait, p->timeout, waiter_put_workers) < 0)
                return;
        for (size_t i = 0; i < s.n; i++)
                if (i >= n_selected && goal == GOAL_STOPPED)
                        order_want_stop(s.workers[i]);
                else
                        wish(s.workers[i]);
}

static void handle_start(Call *c, const void *params) {
        change(c, params, worker_want_start, GOAL_STARTED);
}

static void handle_stop(Call *c, const void *params) {
        change(c, params, worker_want_stop, GOAL_STOPPED);
}

static void handle_restart(Call *c, const void *params) {
        change(c, params, worker_want_restart, GOAL_RESTARTED);
}

#define CHANGE_METHOD(verb)                                                                                  \
        const Method method_##verb = {                                                                       \
                .class = ACCESS_OPERATE,                                                                     \
                .scope = METHOD_OF_POOLS,                                                                     \
                .is_changing = true,                                                                         \
                .handler = handle_##verb,                                                                    \
                .fields = change_fields,                                                                     \
                .params_size = sizeof(ChangeParams),                                                         \
                .defaults = &change_defaults,                                                                \
                .result = "{\"workers\":[WORKER...]}",                                                       \
        }

CHANGE_METHOD(start);
CHANGE_METHOD(stop);
CHANGE_METHOD(restart);

/* ---- terminate, kill ---- */

typedef struct SignalParams {
        json_t *select;
        int signal;
        bool tree;
} SignalParams;

static const SignalParams terminate_defaults = {.signal = SIGTERM}, kill_defaults = {.signal = SIGKILL};

static const JsonField signal_fields[] = {
        {"select", JSON_FIELD_STRINGS, offsetof(SignalParams, select), .required = true, .help = "pools, workers, globs, \"all\""},
        {"signal", JSON_FIELD_SIGNAL, offsetof(SignalParams, signal), .help = "name or number (terminate: TERM, kill: KILL)"},
        {"tree", JSON_FIELD_BOOL, offsetof(SignalParams, tree), .help = "also every process it started (false)"},
        {0},
};

static void handle_signal(Call *c, const void *params) {
        const SignalParams *p = params;
        _cleanup_selection_ Selection s = {0};
        uint64_t n = 0;
        Text *t;

        selection_object(c, p->select);
        if (selection_resolve(c, p->select, &s) < 0)
                return;
        for (size_t i = 0; i < s.n; i++)
                n += worker_signal(s.workers[i], p->signal, p->tree) > 0;
        t = call_begin(c);
        json_put_object(t, NULL);
        json_put_u64(t, "signalled", n);
        json_end_object(t);
        call_end(c);
}

#define SIGNAL_METHOD(verb)                                                                                  \
        const Method method_##verb = {                                                                       \
                .class = ACCESS_OPERATE,                                                                     \
                .scope = METHOD_OF_POOLS,                                                                     \
                .is_changing = true,                                                                         \
                .handler = handle_signal,                                                                    \
                .fields = signal_fields,                                                                     \
                .params_size = sizeof(SignalParams),                                                         \
                .defaults = &verb##_defaults,                                                                \
                .result = "{\"signalled\":N}: the workers that had a process",                               \
        }

SIGNAL_METHOD(terminate);
SIGNAL_METHOD(kill);

/* ---- scale ---- */

typedef struct ScaleParams {
        const char *pool;
        json_t *workers;
        bool wait;
        usec_t timeout;
} ScaleParams;

static const ScaleParams scale_defaults = {.wait = true, .timeout = USEC_INFINITY};

static const JsonField scale_fields[] = {
        {"pool", JSON_FIELD_STRING, offsetof(ScaleParams, pool), .required = true, .help = "its name"},
        {"workers", JSON_FIELD_VALUE, offsetof(ScaleParams, workers), .required = true, .help = "a number, \"cpus\" or \"N*cpus\""},
        {"wait", JSON_FIELD_BOOL, offsetof(ScaleParams, wait), .help = "answer only when it is so (true)"},
        {"timeout", JSON_FIELD_SPAN, offsetof(ScaleParams, timeout), .help = "how long to wait for that (for ever)"},
        {0},
};

/* A number as the configuration means it: the same checks and words. -errno: the call was answered. */
static int workers_number(Call *c, const json_t *workers, unsigned *ret) {
        const ControlWorld *world = &call_control(c)->world;
        _cleanup_(pool_config_unrefp) PoolConfig *config = NULL;
        _cleanup_config_faults_ ConfigFaults faults = {0};
        _cleanup_json_ json_t *o = json_pack("{s:[s], s:O}", "command", "/bin/true", "workers", workers);
        int r;

        r = o ? pool_config_from_json("scale", o, false, world->hooks.config_context(world->userdata), &config, &faults)
              : -ENOMEM;
        if (r >= 0)
                *ret = config->workers;
        else if (faults.n > 0)
                call_fail(c, ERROR_PARAMS, "scale: \"workers\": %s", faults.items[0].text);
        else
                call_errno(c, r, "cannot scale");
        return r;
}

/* Newcomers shall be up, those that leave gone; the others are only shown. */
static void await_scaled(Call *c, Pool *pool, unsigned size_before, const ScaleParams *p) {
        size_t n = pool_n_workers(pool);
        _cleanup_free_ Worker **workers = NEW0_ARRAY(Worker *, n + 1);
        _cleanup_free_ Goal *goals = NEW0_ARRAY(Goal, n + 1);
        int r = workers && goals ? 0 : -ENOMEM;

        for (size_t i = 0; r >= 0 && i < n; i++) {
                Worker *w = pool_worker(pool, i);
                bool is_new = worker_slot(w) >= size_before && worker_is_wanted(w);

                workers[i] = w;
                goals[i] = !p->wait ? GOAL_NONE : worker_is_leaving(w) ? GOAL_GONE : is_new ? GOAL_STARTED : GOAL_NONE;
        }
        if (r >= 0)
                r = waiter_new(call_control(c)->waiters, c, GOAL_STARTED, goals, workers, n, p->timeout, waiter_put_present);
        if (r < 0)
                call_errno(c, r, "cannot wait");
}

static void handle_scale(Call *c, const void *params) {
        const ScaleParams *p = params;
        unsigned size_before, size = 0;
        Pool *pool;

        call_set_object(c, p->pool);
        pool = selection_pool(c, p->pool);
        if (!pool || workers_number(c, p->workers, &size) < 0)
                return;
        if (pool_is_run(pool)) {
                call_fail(c, ERROR_INVALID, "%s is one process of `run`; only pools have a size", p->pool);
                return;
        }
        size_before = pool_size(pool);
        pool_set_size(pool, size);
        await_scaled(c, pool, size_before, p);
}

const Method method_scale = {
        .class = ACCESS_OPERATE,
        .scope = METHOD_OF_POOLS,
        .is_changing = true,
        .handler = handle_scale,
        .fields = scale_fields,
        .params_size = sizeof(ScaleParams),
        .defaults = &scale_defaults,
        .result = "{\"workers\":[WORKER...]}: all of the pool",
};

/* ---- wait ---- */

typedef struct WaitParams {
        json_t *select, *process;
        const char *for_what;
        usec_t timeout;
        bool brief;
} WaitParams;

static const WaitParams wait_defaults = {.for_what = "exit", .timeout = USEC_INFINITY};

static const JsonField wait_fields[] = {
        {"select", JSON_FIELD_STRINGS, offsetof(WaitParams, select), .help = "pools, workers, globs, \"all\""},
        {"process", JSON_FIELD_STRINGS, offsetof(WaitParams, process), .help = "the same: names of processes of run"},
        {"for", JSON_FIELD_STRING, offsetof(WaitParams, for_what), .help = "exit (the default), ready, stopped, idle"},
        {"timeout", JSON_FIELD_SPAN, offsetof(WaitParams, timeout), .help = "then the error \"timeout\" (for ever); 0: only look"},
        {"brief", JSON_FIELD_BOOL, offsetof(WaitParams, brief), .help = "of each worker only name, state, exitcode (false)"},
        {0},
};

static int goal_from_string(const char *s) {
        static const struct {
                const char *name;
                Goal goal;
        } goals[] = {{"exit", GOAL_EXITED}, {"ready", GOAL_READY}, {"stopped", GOAL_AT_REST}, {"idle", GOAL_IDLE}};

        for (size_t i = 0; i < ARRAY_SIZE(goals); i++)
                if (streq(goals[i].name, s))
                        return goals[i].goal;
        return -EINVAL;
}

static void handle_wait(Call *c, const void *params) {
        static const char *const names[] = {"exit", "ready", "stopped", "idle", NULL};
        const WaitParams *p = params;
        const json_t *select = p->select ? p->select : p->process;
        _cleanup_selection_ Selection s = {0};
        int goal = goal_from_string(p->for_what);

        if (goal < 0) {
                const char *nearest = name_nearest(p->for_what, names);

                call_fail(c, ERROR_PARAMS, "wait: \"for\" is exit, ready, stopped or idle, not \"%.40s\"%s%s%s", p->for_what,
                          nearest ? "; did you mean \"" : "", nearest ? nearest : "", nearest ? "\"?" : "");
                return;
        }
        if (!select || (p->select && p->process)) {
                call_fail(c, ERROR_PARAMS, "wait: name what to wait for by \"select\" or by \"process\", not both");
                return;
        }
        if (selection_resolve(c, select, &s) < 0)
                return;
        if (goal == GOAL_READY)
                selection_drop_leaving(&s);
        (void) await(c, (Goal) goal, &s, true, p->timeout, p->brief ? waiter_put_brief : waiter_put_workers);
}

const Method method_wait = {
        .class = ACCESS_OBSERVE,
        .scope = METHOD_OF_POOLS,
        .handler = handle_wait,
        .fields = wait_fields,
        .params_size = sizeof(WaitParams),
        .defaults = &wait_defaults,
        .result = "{\"workers\":[WORKER...]} once it is so",
};
