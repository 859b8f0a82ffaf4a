/* method-reload.c - reload, rollback: the workers of pools replaced a few at a time. */
#include "base/alloc.h"
#include "base/parse.h"
#include "control/control-call.h"
#include "control/control-room.h"
#include "control/method.h"
#include "control/selection.h"

#define PERCENT_MAX 1000u
#define COUNT_MAX 32768u

typedef struct ReloadParams {
        json_t *select, *max_unavailable, *max_surge;
        usec_t soak; /* USEC_INFINITY: as configured */
        bool wait;
        usec_t timeout;
} ReloadParams;

static const ReloadParams reload_defaults = {.soak = USEC_INFINITY, .wait = true, .timeout = USEC_INFINITY};

static const JsonField reload_fields[] = {
        {"select", JSON_FIELD_STRINGS, offsetof(ReloadParams, select), .required = true, .help = "pools, workers, globs, \"all\""},
        {"max_unavailable", JSON_FIELD_VALUE, offsetof(ReloadParams, max_unavailable), .help = "how many at a time, old before new: a number or \"25%\" (reload.max_unavailable)"},
        {"max_surge", JSON_FIELD_VALUE, offsetof(ReloadParams, max_surge), .help = "how many at a time, new before old (reload.max_surge)"},
        {"soak", JSON_FIELD_SPAN, offsetof(ReloadParams, soak), .help = "how long new ones must stay ready (reload.soak)"},
        {"wait", JSON_FIELD_BOOL, offsetof(ReloadParams, wait), .help = "answer only when it is so (true)"},
        {"timeout", JSON_FIELD_SPAN, offsetof(ReloadParams, timeout), .help = "how long to wait for that (for ever)"},
        {0},
};

/* 3 or "25%"; absent: what is there stays. */
static int read_part(const json_t *v, unsigned *number, bool *is_percent) {
        const char *text = json_string_value(v);
        char digits[8];
        uint64_t n;
        size_t length = text ? strlen(text) : 0;

        if (!v)
                return 0;
        if (json_is_integer(v) && json_integer_value(v) >= 0 && json_integer_value(v) <= COUNT_MAX) {
                *number = (unsigned) json_integer_value(v);
                *is_percent = false;
                return 0;
        }
        if (length < 2 || length > sizeof(digits) || text[length - 1] != '%')
                return -EINVAL;
        memcpy(digits, text, length - 1);
        digits[length - 1] = '\0';
        if (parse_u64(digits, &n) < 0 || n > PERCENT_MAX)
                return -EINVAL;
        *number = (unsigned) n;
        *is_percent = true;
        return 0;
}

/* The pool's own bounds, with those of the call over them. -EINVAL: the call is answered. */
static int read_bounds(Call *c, const ReloadParams *p, const PoolConfig *config, ReloadConfig *ret) {
        ReloadConfig how = config->reload;

        if (read_part(p->max_unavailable, &how.max_unavailable, &how.is_unavailable_percent) < 0 ||
            read_part(p->max_surge, &how.max_surge, &how.is_surge_percent) < 0) {
                call_fail(c, ERROR_PARAMS, "reload: max_unavailable and max_surge are a number, or a part such as \"25%%\"");
                return -EINVAL;
        }
        if (p->soak != USEC_INFINITY)
                how.soak = p->soak;
        if (how.max_unavailable == 0 && how.max_surge == 0) {
                call_fail(c, ERROR_PARAMS, "reload: with max_unavailable 0 and max_surge 0 nothing could ever be replaced");
                return -EINVAL;
        }
        *ret = how;
        return 0;
}

/* Processes of `run` are not replaced: "all" passes over them, by name they are refused. */
static int drop_runs(Call *c, Selection *s) {
        size_t n = 0;

        for (size_t i = 0; i < s->n; i++)
                if (!pool_is_run(worker_pool(s->workers[i])))
                        s->workers[n++] = s->workers[i];
        if (n == 0 && s->n > 0) {
                call_fail(c, ERROR_INVALID, "%s is a process of `run`; only workers of pools can be replaced",
                          worker_name(s->workers[0]));
                return -EINVAL;
        }
        s->n = n;
        return 0;
}

static int resolve(Call *c, const json_t *select, Selection *s) {
        selection_object(c, select);
        if (selection_resolve(c, select, s) < 0)
                return -EINVAL;
        selection_drop_leaving(s);
        return drop_runs(c, s);
}

/* The end of the run of workers of one pool that begins at @i. */
static size_t pool_end(const Selection *s, size_t i) {
        Pool *p = worker_pool(s->workers[i]);

        while (i < s->n && worker_pool(s->workers[i]) == p)
                i++;
        return i;
}

static int await(Call *c, const Selection *s, Goal goal, bool wait, usec_t timeout) {
        int r = waiter_new(call_control(c)->waiters, c, wait ? goal : GOAL_NONE, NULL, s->workers, s->n, timeout,
                           waiter_put_workers);

        if (r < 0)
                call_errno(c, r, "cannot wait");
        return r;
}

static int check_bounds(Call *c, const ReloadParams *p, const Selection *s) {
        ReloadConfig how;

        for (size_t i = 0; i < s->n; i = pool_end(s, i))
                if (read_bounds(c, p, pool_config(worker_pool(s->workers[i])), &how) < 0)
                        return -EINVAL;
        return 0;
}

static void handle_reload(Call *c, const void *params) {
        const ReloadParams *p = params;
        _cleanup_selection_ Selection s = {0};
        ReloadConfig how;

        if (resolve(c, p->select, &s) < 0 || check_bounds(c, p, &s) < 0)
                return;
        /* The waiter first: it remembers what was before. */
        if (await(c, &s, GOAL_RELOADED, p->wait, p->timeout) < 0)
                return;
        for (size_t i = 0, end; i < s.n; i = end) {
                Pool *pool = worker_pool(s.workers[i]);

                end = pool_end(&s, i);
                if (read_bounds(c, p, pool_config(pool), &how) >= 0) /* checked above: it cannot fail */
                        (void) pool_reload(pool, &how, s.workers + i, end - i);
        }
}

const Method method_reload = {
        .class = ACCESS_OPERATE,
        .scope = METHOD_OF_POOLS,
        .is_changing = true,
        .handler = handle_reload,
        .fields = reload_fields,
        .params_size = sizeof(ReloadParams),
        .defaults = &reload_defaults,
        .result = "{\"workers\":[WORKER...]}; when one did not get ready the error \"failed\", with pool, worker, reason, "
                  "replaced and put_back in its data",
};

/* ---- rollback ---- */

typedef struct RollbackParams {
        json_t *select;
        bool wait;
        usec_t timeout;
} RollbackParams;

static const RollbackParams rollback_defaults = {.wait = true, .timeout = USEC_INFINITY};

static const JsonField rollback_fields[] = {
        {"select", JSON_FIELD_STRINGS, offsetof(RollbackParams, select), .required = true, .help = "pools, globs, \"all\""},
        {"wait", JSON_FIELD_BOOL, offsetof(RollbackParams, wait), .help = "answer only when it is so (true)"},
        {"timeout", JSON_FIELD_SPAN, offsetof(RollbackParams, timeout), .help = "how long to wait for that (for ever)"},
        {0},
};

/* Only pools that have something to go back to, unless none has. */
static int drop_unchanged(Call *c, Selection *s) {
        size_t n = 0;

        for (size_t i = 0; i < s->n; i++)
                if (pool_can_roll_back(worker_pool(s->workers[i])))
                        s->workers[n++] = s->workers[i];
        if (n == 0 && s->n > 0) {
                call_fail(c, ERROR_INVALID, "%s has no earlier configuration: it has not been changed since it was added",
                          pool_name(worker_pool(s->workers[0])));
                return -EINVAL;
        }
        s->n = n;
        return 0;
}

static void handle_rollback(Call *c, const void *params) {
        const RollbackParams *p = params;
        _cleanup_selection_ Selection s = {0};
        PoolSet *pools = call_control(c)->world.pools;

        if (resolve(c, p->select, &s) < 0 || drop_unchanged(c, &s) < 0)
                return;
        for (size_t i = 0; i < s.n; i = pool_end(&s, i)) {
                int r = pool_rollback(worker_pool(s.workers[i]));

                if (r >= 0)
                        continue;
                if (*pool_set_fault(pools)) /* a socket of that configuration is another's by now */
                        call_fail(c, ERROR_FAILED, "%s", pool_set_fault(pools));
                else
                        call_errno(c, r, "cannot roll back");
                return;
        }
        /* What is under way is waited for, whoever began it. */
        (void) await(c, &s, GOAL_SETTLED, p->wait, p->timeout);
}

const Method method_rollback = {
        .class = ACCESS_ADMINISTER,
        .scope = METHOD_OF_POOLS,
        .is_changing = true,
        .handler = handle_rollback,
        .fields = rollback_fields,
        .params_size = sizeof(RollbackParams),
        .defaults = &rollback_defaults,
        .result = "{\"workers\":[WORKER...]}, as of reload",
};
