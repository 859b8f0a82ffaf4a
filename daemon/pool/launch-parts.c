/* launch-parts.c - see launch-parts.h. */
#include "pool/launch-parts.h"

#include "base/alloc.h"
#include "process/candidates.h"
#include <stdio.h>

/* ---- environment ---- */

void launch_env_done(LaunchEnv *e) {
        for (size_t i = 0; i < e->n_added; i++)
                free(e->added[i]);
        free(e->env);
}

void launch_env_add(LaunchEnv *e, const char *key, const char *value) {
        char *s = alloc_variable(key, value);

        if (!s)
                e->failed = true;
        else
                e->added[e->n_added++] = s;
}

static bool has_reason_to_notify(const PoolConfig *c) {
        return c->ready == READY_NOTIFY || c->watchdog > 0 || c->recycle.tasks > 0 || c->workers_max > 0;
}

/* What lets the worker speak for itself; its own pid is filled in by itself. */
static void launch_env_add_notify(LaunchEnv *e, const PoolSet *s, const PoolConfig *c) {
        char span[24];

        if (!s->notify_socket || !has_reason_to_notify(c))
                return;
        launch_env_add(e, "NOTIFY_SOCKET", s->notify_socket);
        if (c->watchdog == 0)
                return;
        (void) snprintf(span, sizeof span, "%llu", (unsigned long long) c->watchdog);
        launch_env_add(e, "WATCHDOG_USEC", span);
        launch_env_add(e, "WATCHDOG_PID", "");
}

/* As sd_listen_fds(3) reads it. LISTEN_PID too is filled in by the new process itself. */
static void launch_env_add_listen(LaunchEnv *e, const PoolConfig *c) {
        _cleanup_text_ Text names = {0};
        char n[24];

        if (c->n_listen == 0)
                return;
        for (size_t i = 0; i < c->n_listen; i++)
                text_appendf(&names, "%s%s", i > 0 ? ":" : "", c->listen[i].name);
        (void) snprintf(n, sizeof n, "%zu", c->n_listen);
        launch_env_add(e, "LISTEN_FDS", n);
        launch_env_add(e, "LISTEN_PID", "");
        if (text_check(&names) < 0)
                e->failed = true;
        else
                launch_env_add(e, "LISTEN_FDNAMES", names.data);
}

/* Behind the listening sockets. */
static void launch_env_add_tasks(LaunchEnv *e, const PoolConfig *c) {
        char number[24];

        if (!c->is_task_pool)
                return;
        (void) snprintf(number, sizeof number, "%zu", LISTEN_FDS_START + c->n_listen);
        launch_env_add(e, "DROVER_TASKS_FD", number);
        (void) snprintf(number, sizeof number, "%zu", LISTEN_FDS_START + c->n_listen + 1);
        launch_env_add(e, "DROVER_TASKS_PAGE_FD", number);
}

/* For the worker itself (@main_pid NULL), or for a command that does something about one of its processes. */
int launch_env_make(const Worker *w, const PoolConfig *c, const pid_t *main_pid, LaunchEnv *e) {
        const PoolSet *s = w->pool->set;
        char slot[12], pid[12];

        (void) snprintf(slot, sizeof slot, "%u", w->slot);
        launch_env_add(e, "DROVER_POOL", c->name);
        launch_env_add(e, "DROVER_WORKER", slot);
        launch_env_add(e, "DROVER_NAME", w->name);
        if (s->control_socket)
                launch_env_add(e, "DROVER_SOCKET", s->control_socket);
        if (main_pid) {
                (void) snprintf(pid, sizeof pid, "%d", (int) *main_pid);
                launch_env_add(e, "MAINPID", pid);
        } else {
                launch_env_add_notify(e, s, c);
                launch_env_add_listen(e, c);
                launch_env_add_tasks(e, c);
        }
        return launch_env_join(e, c);
}

int launch_env_join(LaunchEnv *e, const PoolConfig *c) {
        size_t n = strv_length((const char *const *) c->env);

        e->env = NEW0_ARRAY(char *, n + e->n_added + 1);
        if (e->failed || !e->env)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++)
                e->env[i] = c->env[i];
        for (size_t i = 0; i < e->n_added; i++)
                e->env[n + i] = e->added[i];
        return 0;
}

/* ---- the program ---- */

/* $PATH of the new process. */
static const char *launch_path(const PoolConfig *c) {
        for (char **e = c->env; e && *e; e++)
                if (strncmp(*e, "PATH=", 5) == 0)
                        return *e + 5;
        return CANDIDATES_PATH_DEFAULT;
}

size_t launch_limits(const PoolConfig *c, LaunchLimit out[static RLIM_NLIMITS]) {
        size_t n = 0;

        for (int i = 0; i < RLIM_NLIMITS; i++)
                if (c->has_limit[i])
                        out[n++] = (LaunchLimit){.resource = i, .value = c->limits[i]};
        return n;
}

void launch_spec_fill(const PoolConfig *c, const Pool *p, LaunchSpec *spec) {
        *spec = (LaunchSpec){
                .argv = c->command,
                .directory = c->directory,
                .set_identity = c->has_identity,
                .uid = c->uid,
                .gid = c->gid,
                .groups = c->groups,
                .n_groups = c->n_groups,
                .umask = c->umask,
                .has_nice = c->has_nice,
                .nice = c->nice,
                .has_oom_score_adj = c->has_oom_score_adj,
                .oom_score_adj = c->oom_score_adj,
                .has_affinity = c->has_affinity,
                .affinity = c->affinity,
                .no_new_privs = c->no_new_privs,
                .ready_fd = c->ready == READY_FD ? c->ready_fd : -1,
                .paths = {[LAUNCH_PATH_READ_ONLY] = c->isolation.read_only_paths,
                          [LAUNCH_PATH_READ_WRITE] = c->isolation.read_write_paths,
                          [LAUNCH_PATH_INACCESSIBLE] = c->isolation.inaccessible_paths},
        };
        for (int i = 0; i < 3; i++)
                spec->stdio_path[i] = p ? p->stdio_path[i] : NULL;
}

int launch_spec_program(const PoolConfig *c, const LaunchEnv *env, LaunchLimit limits[static RLIM_NLIMITS], char ***ret_candidates,
                        LaunchSpec *spec) {
        int r = candidates_make(spec->argv[0], launch_path(c), c->directory, ret_candidates);

        if (r < 0)
                return r;
        spec->env = env->env;
        spec->candidates = *ret_candidates;
        spec->limits = limits;
        spec->n_limits = launch_limits(c, limits);
        return 0;
}
