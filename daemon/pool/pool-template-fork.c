/* pool-template-fork.c - one launch by a template: the text for the new process, and the request to the keeper.
 *
 * {"name":"math/0","env":{"DROVER_WORKER":"0",...},"fds":[3,4],"stdio":[null,"/tmp/out",null],"target":...}; its meaning is
 * told in drover-protocol(7). Only what the template's own environment does not have is in it. */
#include "pool/pool-template-internal.h"

#include "base/alloc.h"
#include "base/fd.h"
#include "base/json.h"
#include <stdio.h>

static void put_env(const LaunchEnv *env, Text *t) {
        json_put_object(t, "env");
        for (size_t i = 0; i < env->n_added; i++) {
                const char *value = strchr(env->added[i], '=') + 1;
                char key[64];

                (void) snprintf(key, sizeof key, "%.*s", (int) (value - env->added[i] - 1), env->added[i]);
                json_put_string(t, key, value);
        }
        json_end_object(t);
}

static void put_fds(const int *targets, size_t n, int ready_fd, Text *t) {
        json_put_array(t, "fds");
        for (size_t i = 0; i < n; i++)
                json_put_i64(t, NULL, targets[i]);
        if (ready_fd >= 0)
                json_put_i64(t, NULL, ready_fd);
        json_end_array(t);
}

static void put_stdio(const Pool *p, Text *t) {
        if (!p->stdio_path[0] && !p->stdio_path[1] && !p->stdio_path[2])
                return;
        json_put_array(t, "stdio");
        for (int i = 0; i < 3; i++)
                json_put_string(t, NULL, p->stdio_path[i]);
        json_end_array(t);
}

static void put_value(const json_t *value, const char *key, Text *t) {
        if (value)
                json_put_value(t, key, value);
}

static int make_text(const Worker *w, const PoolConfig *c, int ready_fd, const int *targets, size_t n, Text *t) {
        _cleanup_(launch_env_done) LaunchEnv env = {0};
        int r = launch_env_make(w, c, NULL, &env);

        if (r < 0)
                return r;
        json_put_object(t, NULL);
        json_put_string(t, "name", w->name);
        put_env(&env, t);
        put_fds(targets, n, ready_fd, t);
        put_stdio(w->pool, t);
        if (c->target) {
                json_put_string(t, "target", c->target);
                put_value(c->args, "args", t);
                put_value(c->kwargs, "kwargs", t);
        }
        json_end_object(t);
        return text_check(t);
}

int template_fork(Worker *w, const PoolConfig *c, const LogSpec *log, const int *fds, const int *targets, size_t n) {
        Template *t = template_find(w->pool->set, w->pool, w->template_hash);
        int ready_fd = c->ready == READY_FD ? c->ready_fd : -1, r;
        KeeperLink *keeper = w->pool->set->world.keeper;
        _cleanup_text_ Text text = {0};
        ForkSpec spec = {.fds = fds, .n_fds = n, .wants_ready_pipe = ready_fd >= 0, .cgroup = {
                .memory_max = c->cgroup.memory_max, .memory_high = c->cgroup.memory_high, .cpu_max = c->cgroup.cpu_max,
                .cpu_weight = c->cgroup.cpu_weight, .pids_max = c->cgroup.pids_max}};

        if (!t || t->state != TEMPLATE_READY)
                return -ESRCH;
        r = make_text(w, c, ready_fd, targets, n, &text);
        if (r < 0)
                return r;
        spec.template = t->child;
        spec.text = text.data;
        spec.n_text = text.length;
        template_spare_use(t, log->kind != LOG_KIND_NONE && log->kind != LOG_KIND_INHERIT, &spec);
        r = child_fork(&w->child, keeper, w->name, &spec, log, &worker_child_hooks, w);
        template_spare_done(t, &spec, r >= 0);
        if (r < 0)
                return r;
        w->forker = t;
        if (t->n_launching++ == 0)
                t->used_at = clock_now();
        if (t->due == USEC_INFINITY || t->due > usec_add(clock_now(), TEMPLATE_ANSWER_TIMEOUT))
                template_arm(t, usec_add(clock_now(), TEMPLATE_ANSWER_TIMEOUT));
        return 0;
}

void template_answered(Worker *w, bool is_started) {
        Template *t = w->forker;

        w->forker = NULL;
        if (!t)
                return;
        t->n_launching -= t->n_launching > 0;
        t->n_forks += is_started;
        t->used_at = clock_now();
        if (is_started && t->n_failures > 0) {
                t->n_failures = 0;
                template_put_on_record(t);
        }
        if (t->n_launching == 0 && (t->state != TEMPLATE_READY || t->is_retired))
                template_note(t); /* it may go */
}
