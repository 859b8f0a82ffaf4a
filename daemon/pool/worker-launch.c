/* worker-launch.c - from a PoolConfig to a process: everything the new process needs is resolved here.
 *
 * The environment is the configured one and what drover adds, nothing of droverd's own. A refusal on this side (no
 * slot, no memory, no descriptor, an argv too long) is a failed start like one of the keeper's, and takes the way of
 * the policy. */
#include "pool/bounds.h"
#include "pool/launch-parts.h"
#include "pool/pool-template.h"

#include "base/alloc.h"
#include "base/parse.h"
#include "base/path.h"
#include <stdio.h>

/* ---- its output ---- */

static const uint32_t log_kinds[] = {
        [OUTPUT_LOG] = LOG_KIND_FILE,        [OUTPUT_JOURNAL] = LOG_KIND_JOURNAL,
        [OUTPUT_INHERIT] = LOG_KIND_INHERIT, [OUTPUT_NULL] = LOG_KIND_NONE,
        [OUTPUT_PATH] = LOG_KIND_SHARED,
};

static const uint16_t log_compress[] = {
        [OUTPUT_PLAIN] = LOG_COMPRESS_NONE,
        [OUTPUT_GZIP] = LOG_COMPRESS_GZIP,
        [OUTPUT_ZSTD] = LOG_COMPRESS_ZSTD,
};

/* The user's own path with the links of its directory followed; the file itself may be none. */
static int shared_log_path(const char *path, char *buf, size_t size) {
        const char *name = strrchr(path, '/');
        _cleanup_free_ char *directory = alloc_strndup(path, (size_t) (name - path) + 1), *real = NULL;
        int n;

        if (!directory)
                return -ENOMEM;
        if (path_resolve(directory, &real) < 0) /* the logger says what is wrong with it */
                n = snprintf(buf, size, "%s", path);
        else
                n = snprintf(buf, size, "%s%s", streq(real, "/") ? "" : real, name);
        return n < 0 || (size_t) n >= size ? -ENAMETOOLONG : 0;
}

static int log_path(const Worker *w, char *buf, size_t size) {
        const PoolConfig *c = worker_next_config(w);
        const char *dir = w->pool->set->log_dir;
        int n;

        if (c->output == OUTPUT_PATH)
                return shared_log_path(c->output_path, buf, size);
        if (w->pool->origin == POOL_FROM_RUN)
                n = snprintf(buf, size, "%s/run/%s", dir, w->name);
        else
                n = snprintf(buf, size, "%s/%s/%u", dir, c->name, w->slot);
        return n < 0 || (size_t) n >= size ? -ENAMETOOLONG : 0;
}

int worker_log_spec(const Worker *w, LogSpec *ret) {
        const PoolConfig *c = worker_next_config(w);
        LogSpec spec = {
                .kind = log_kinds[c->output],
                .max_files = c->output_max_files,
                .max_size = c->output_max_size,
                .max_total = c->output_max_total,
                .rotate_usec = c->output_rotate_every,
                .compress = log_compress[c->output_compress],
                .format = c->output_format == OUTPUT_JSON ? LOG_FORMAT_JSON : LOG_FORMAT_TEXT,
                .has_timestamps = c->output_timestamps,
                .on_full = c->output_on_full == OUTPUT_DROP ? LOG_ON_FULL_DROP : LOG_ON_FULL_BLOCK,
        };

        if (w->pool->stdio_path[1] && w->pool->stdio_path[2])
                spec.kind = LOG_KIND_NONE; /* both go elsewhere: no pipes */
        if ((size_t) snprintf(spec.worker, sizeof spec.worker, "%s", w->name) >= sizeof spec.worker)
                return -ENAMETOOLONG;
        if (spec.kind == LOG_KIND_FILE || spec.kind == LOG_KIND_SHARED) {
                int r = log_path(w, spec.path, sizeof spec.path);

                if (r < 0)
                        return r;
        }
        *ret = spec;
        return 0;
}

/* ---- the launch ---- */

static int launch_bounds(const Worker *w, const PoolConfig *c, LaunchSpec *spec, BoundsPaths *room) {
        const PoolSet *s = w->pool->set;

        return bounds_fill(spec, c, keeper_link_hello(s->world.keeper), s->notify_socket, room);
}

/* Its listening sockets. -errno of one that cannot be opened, with its index. */
static int launch_listen(const Worker *w, LaunchSpec *spec, int fds[static LISTEN_MAX], size_t *ret_index) {
        int n = listen_set_fds(worker_next_listen(w), w->slot, fds, ret_index);

        for (int i = 0; i < n; i++)
                spec->fd_targets[i] = LISTEN_FDS_START + i;
        spec->n_fds = (size_t) MAX(n, 0);
        return MIN(n, 0);
}

/* Its task channel, behind those. */
static int launch_tasks(Worker *w, LaunchSpec *spec, int *fds) {
        int n = tasking_open(w, fds + spec->n_fds);

        for (int i = 0; i < n; i++)
                spec->fd_targets[spec->n_fds + (size_t) i] = LISTEN_FDS_START + (int) spec->n_fds + i;
        spec->n_fds += (size_t) MAX(n, 0);
        return MIN(n, 0);
}

/* @ret_failure: of a socket, its stage and index; else left alone. */
static int worker_ask_keeper(Worker *w, KeeperFailure *ret_failure) {
        const PoolConfig *c = worker_next_config(w);
        bool is_forked = config_uses_template(c);
        _cleanup_(launch_env_done) LaunchEnv env = {0};
        _cleanup_(strv_freep) char **candidates = NULL;
        _cleanup_(bounds_paths_done) BoundsPaths bounds = {0};
        LaunchLimit limits[RLIM_NLIMITS];
        int fds[LISTEN_MAX + 2], r;
        LaunchSpec spec;
        LogSpec log;
        size_t index = 0;

        launch_spec_fill(c, w->pool, &spec);
        r = launch_listen(w, &spec, fds, &index);
        if (r < 0) {
                *ret_failure = (KeeperFailure){.stage = LAUNCH_LISTEN, .detail = (int32_t) index};
                return r;
        }
        r = worker_log_spec(w, &log);
        if (r >= 0 && is_forked)
                r = launch_tasks(w, &spec, fds);
        if (r >= 0 && is_forked)
                r = template_fork(w, c, &log, fds, spec.fd_targets, spec.n_fds);
        if (r < 0 || is_forked)
                return r;
        r = launch_env_make(w, c, NULL, &env);
        if (r >= 0)
                r = launch_spec_program(c, &env, limits, &candidates, &spec);
        if (r < 0)
                return r;
        r = launch_bounds(w, c, &spec, &bounds);
        if (r >= 0)
                r = launch_tasks(w, &spec, fds);
        if (r < 0)
                return r;
        return child_launch(&w->child, w->pool->set->world.keeper, w->name, &spec, fds, &log, &worker_child_hooks, w);
}

static const PoolConfig *errand_config(const Worker *w, ErrandKind kind) {
        if (kind == ERRAND_STOP_ELDER && w->elder.config)
                return w->elder.config;
        return w->config ? w->config : w->pool->config;
}

int worker_launch_errand(Child **ret, const Worker *w, ErrandKind kind, char **command, const ChildHooks *hooks,
                         void *userdata) {
        const PoolConfig *c = errand_config(w, kind);
        _cleanup_(launch_env_done) LaunchEnv env = {0};
        _cleanup_(strv_freep) char **candidates = NULL;
        _cleanup_(bounds_paths_done) BoundsPaths bounds = {0};
        LaunchLimit limits[RLIM_NLIMITS];
        LogSpec log = {.kind = LOG_KIND_NONE};
        LaunchSpec spec;
        int r = launch_env_make(w, c, kind == ERRAND_STOP_ELDER ? &w->elder.pid : &w->pid, &env);

        launch_spec_fill(c, NULL, &spec);
        spec.argv = command;
        spec.ready_fd = -1;
        if (r >= 0)
                r = launch_spec_program(c, &env, limits, &candidates, &spec);
        if (r < 0)
                return r;
        (void) snprintf(log.worker, sizeof log.worker, "%s!%s", w->name, errand_kind_to_string(kind));
        r = launch_bounds(w, c, &spec, &bounds);
        if (r < 0)
                return r;
        return child_launch(ret, w->pool->set->world.keeper, log.worker, &spec, NULL, &log, hooks, userdata);
}

/* What is missing on this side, in the words for the keeper's: a request that cannot be, or no room for a process. */
static LaunchStage refusal_stage(int error) {
        return error == -E2BIG || error == -EINVAL || error == -ENAMETOOLONG ? LAUNCH_REQUEST : LAUNCH_FORK;
}

static void launch_refused(Worker *w, const KeeperFailure *f) {
        w->exit = (ExitStatus){.is_failure_to_start = true, .failure = *f, .at_usec = clock_realtime()};
        w->has_exit = true;
        worker_book_fault(w);
        worker_note_end(w);
        rolling_note_refusal(w);
        worker_handle(w, WORKER_ON_START_FAILED);
}

/* A template that came to be and was of no use: of a command the likely reason is that it is no template at all. */
static char *refusal_text(const Worker *w, const char *text) {
        const PoolConfig *c = worker_next_config(w);
        bool has_run = text && strncmp(text, "its template: ", strlen("its template: ")) != 0;

        if (c->module || !has_run)
                return alloc_strdup(text);
        return alloc_printf("%s; does %.100s speak the template protocol (drover-protocol(7))? Any other command has the start method \"spawn\"",
                            text, c->command[0]);
}

void worker_refuse(Worker *w, const KeeperFailure *f, const char *text) {
        char *refusal = refusal_text(w, text);

        restart_note_start(&w->history, clock_now());
        free(w->refusal);
        w->refusal = refusal;
        launch_refused(w, f);
}

/* The first launch of a process of `run`, wanted since its pool is there: its pool is on record, and the keeper's table has
 * the rest. */
static bool is_launch_known(const Worker *w) {
        return w->pool->origin == POOL_FROM_RUN && !w->has_record && w->is_wanted && w->config->ready == READY_EXEC;
}

void worker_launch(Worker *w) {
        KeeperFailure failure = {.stage = _LAUNCH_STAGE_MAX};
        int r;

        if (!w->is_relaunch)
                restart_note_start(&w->history, clock_now());
        w->is_relaunch = false;
        r = worker_ask_keeper(w, &failure);
        tasking_launched(w, r < 0 ? 0 : child_generation(w->child));
        if (r < 0) {
                failure.error = -r;
                if (failure.stage == _LAUNCH_STAGE_MAX)
                        failure.stage = refusal_stage(r);
                launch_refused(w, &failure);
                return;
        }
        w->config = pool_config_ref(worker_next_config(w));
        w->generation = child_generation(w->child);
        w->pool->set->n_alive++;
        worker_facts_stale(w);
        worker_tell(w);
        if (is_launch_known(w))
                worker_unrecord(w);
}

/* "did not end within 10s of SIGTERM; " */
static void describe_overdue(const Worker *w, char *buf, size_t size) {
        const PoolConfig *c = w->pool->config;
        char span[SPAN_TEXT_MAX];

        (void) snprintf(buf, size, "did not end within %s of %s; ", span_format(span, c->stop_timeout),
                        c->stop_command ? "its stop command" : signal_to_string(worker_stop_signal(w, w->ended_fault.kind)));
}

/* Of a start that failed: in the words of what was to be launched. */
static void describe_failure(const Worker *w, char *buf, size_t size) {
        const PoolConfig *c = worker_next_config(w);
        const KeeperFailure *f = &w->exit.failure;
        LaunchSpec spec;

        if (f->stage == LAUNCH_LISTEN && (size_t) f->detail < c->n_listen) {
                listen_describe(&c->listen[f->detail], f->error, buf, size);
        } else if (f->stage == LAUNCH_TEMPLATE && w->refusal) {
                (void) snprintf(buf, size, "%s", w->refusal);
        } else {
                launch_spec_fill(c, w->pool, &spec);
                launch_failure_describe(f, &spec, buf, size);
        }
}

void worker_describe_exit(const Worker *w, char *buf, size_t size) {
        const char *fault = w->has_exit ? faulty_text(&w->ended_fault) : "";
        ExitStatus e = w->exit;
        size_t n;

        buf[0] = '\0';
        if (*fault)
                (void) snprintf(buf, size, "%s, ", fault);
        if (w->has_exit && w->has_ended_overdue)
                describe_overdue(w, buf + strlen(buf), size - strlen(buf));
        if (*buf)
                e.exit.sent = 0; /* not on anybody's request */
        n = strlen(buf);
        if (w->has_exit && w->exit.is_failure_to_start)
                describe_failure(w, buf + n, size - n);
        else if (w->has_exit)
                exit_status_describe(&e, NULL, buf + n, size - n);
}

/* ---- what the child says ---- */

static void worker_on_started(Child *c, void *userdata) {
        Worker *w = userdata;

        if (c != w->child)
                return;
        template_answered(w, true);
        worker_handle(w, WORKER_ON_SPAWNED);
}

static void worker_on_ready(Child *c, void *userdata) {
        Worker *w = userdata;

        if (c == w->child && w->config->ready == READY_FD)
                worker_handle(w, WORKER_ON_READY);
}

static void worker_on_end(Child *c, const ExitStatus *e, void *userdata) {
        Worker *w = userdata;
        bool is_relaunch;

        tasking_ended(w, child_generation(c), e);
        if (w->elder.child && c == w->elder.child) {
                worker_elder_on_end(w, e);
                return;
        }
        if (c != w->child) /* booked in the life before */
                return;
        is_relaunch = template_is_to_blame(w, e);
        template_answered(w, !e->is_failure_to_start);
        if (is_relaunch) {
                w->is_relaunch = true;
                worker_enter(w, WORKER_LAUNCHING, USEC_INFINITY);
                return;
        }
        w->exit = *e;
        w->has_exit = true;
        worker_book_fault(w);
        w->ended_generation = w->generation;
        w->ended_started_at = w->started_at;
        worker_note_end(w);
        rolling_note_end(w);
        worker_handle(w, e->is_failure_to_start ? WORKER_ON_START_FAILED : WORKER_ON_EXITED);
}

const ChildHooks worker_child_hooks = {
        .on_started = worker_on_started,
        .on_ready = worker_on_ready,
        .on_end = worker_on_end,
        .on_drained = worker_on_drained,
        .on_frozen = worker_on_frozen,
};
