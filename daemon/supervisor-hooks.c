/* supervisor-hooks.c - what the rooms below call when they must tell upward: one table a room. */
#include "base/log.h"
#include "base/fd.h"
#include "build-config.h"
#include "supervisor-internal.h"
#include "wire/protocol.h"
#include <unistd.h>

/* ---- the keeper ---- */

static void on_shutdown(void *userdata) {
        stop_begin(userdata, "asked to by a signal");
}

static void on_reload(void *userdata) {
        supervisor_reload(userdata);
}

static void on_logger(int fd_take, pid_t pid, void *userdata) {
        Supervisor *s = userdata;
        int r = logger_link_set_fd(s->logger, fd_take);

        if (r < 0) {
                log_error("cannot use the line to the new logger: %s", strerrordesc_np(-r));
                fd_close(fd_take);
                return;
        }
        if (s->logger_pid > 0 && s->logger_pid != pid) {
                log_warning("the logger (pid %d) ended and was started again (pid %d); no line was lost",
                            (int) s->logger_pid, (int) pid);
                hub_emit(s->hub, EVENT_LOGGER_RESTARTED, NULL, NULL, NULL);
        }
        s->logger_pid = pid;
}

void supervisor_on_dropped(const LogDropped *d, void *userdata) {
        Supervisor *s = userdata;
        _cleanup_text_ Text t = {0};
        char pool[LOG_WORKER_MAX];

        (void) snprintf(pool, sizeof(pool), "%.*s", (int) strcspn(d->worker, "/"), d->worker);
        json_put_object(&t, NULL);
        json_put_string(&t, "stream", d->stream);
        json_put_u64(&t, "lines", d->n_lines);
        json_put_u64(&t, "bytes", d->n_bytes);
        json_put_string(&t, "reason", strerrordesc_np(d->error));
        json_put_bool(&t, "is_over", d->is_over);
        json_end_object(&t);
        hub_emit(s->hub, EVENT_LOG_DROPPED, pool, d->worker, text_check(&t) < 0 ? NULL : t.data);
}

/* Without the keeper nothing can be launched, signalled or reaped, and the next one cannot bind what we hold. */
static void on_broken(void *userdata) {
        Supervisor *s = userdata;

        if (!s->is_quit)
                log_error("drover-keeper is gone; ending, so that the next one can take over");
        s->exit_status = s->is_quit ? s->exit_status : EXIT_FAILURE;
        (void) sd_event_exit(s->event, s->exit_status);
}

const KeeperLinkHooks supervisor_keeper_hooks = {
        .on_shutdown = on_shutdown,
        .on_reload = on_reload,
        .on_logger = on_logger,
        .on_broken = on_broken,
};

/* ---- pools ---- */

static void on_worker_changed(Worker *w, void *userdata) {
        Supervisor *s = userdata;

        if (s->control)
                control_worker_changed(s->control, w);
        status_changed(s);
}

static void on_worker_load(Worker *w, void *userdata) {
        Supervisor *s = userdata;

        if (s->control)
                control_worker_changed(s->control, w);
}

static void on_worker_removed(Worker *w, void *userdata) {
        Supervisor *s = userdata;

        /* Without a record of its worker a process of `run` is one that is still to be started. */
        if (pool_origin(worker_pool(w)) == POOL_FROM_RUN)
                state_delete_pool(s, worker_pool(w));
        state_delete_worker(s, w);
        if (s->control)
                control_worker_removed(s->control, w);
        status_changed(s);
}

static void on_pool_changed(Pool *p, bool is_removed, void *userdata) {
        Supervisor *s = userdata;

        if (is_removed)
                state_delete_pool(s, p);
        else
                state_put_pool(s, p);
        if (!is_removed)
                wish_note_size(s, p);
        if (s->tasks)
                task_room_pool_changed(s->tasks, p, is_removed);
        if (s->control)
                control_pool_changed(s->control, p, is_removed);
        status_changed(s);
}

const PoolHooks supervisor_pool_hooks = {
        .worker_changed = on_worker_changed,
        .worker_load = on_worker_load,
        .worker_removed = on_worker_removed,
        .pool_changed = on_pool_changed,
};

/* ---- control ---- */

static int on_config_check(ConfigFaults *faults, void *userdata) {
        _cleanup_(config_unrefp) Config *c = NULL;

        return supervisor_load(userdata, &c, faults);
}

static int on_config_apply(ConfigFaults *faults, char **ret_changes, void *userdata) {
        return supervisor_apply(userdata, faults, ret_changes);
}

static json_t *on_config_show(void *userdata) {
        _cleanup_(config_unrefp) Config *c = NULL;

        return supervisor_running_config(userdata, true, &c) < 0 ? NULL : config_dump(c);
}

static const Config *on_config(void *userdata) {
        return ((Supervisor *) userdata)->config;
}

static int on_config_plan(ConfigFaults *faults, char **ret_changes, void *userdata) {
        return supervisor_plan(userdata, faults, ret_changes);
}

static int on_config_set(Pool *p, const char *key, json_t *value, bool persist, ConfigFaults *faults, char **ret_changes,
                         void *userdata) {
        return wish_set(userdata, p, key, value, persist, faults, ret_changes);
}

static json_t *on_config_overrides(void *userdata) {
        Supervisor *s = userdata;
        json_t *all = wish_overrides(s->config ? s->config->state_dir : s->places.state_dir, s);

        return all ? json_incref(all) : json_object();
}

static const ConfigContext *on_config_context(void *userdata) {
        return &((Supervisor *) userdata)->context;
}

static void info_put_files(Supervisor *s, Text *t) {
        json_put_array(t, "config_files");
        for (char **f = s->config ? s->config->files : NULL; f && *f; f++)
                json_put_string(t, NULL, *f);
        json_end_array(t);
}

static void on_info_put_json(Text *t, bool is_brief, void *userdata) {
        Supervisor *s = userdata;
        const KeeperMessage *m = keeper_link_hello(s->keeper);
        char when[TIME_TEXT_MAX];

        json_put_string(t, "version", DROVER_VERSION);
        json_put_i64(t, "protocol", PROTOCOL_VERSION);
        if (is_brief)
                return;
        json_put_i64(t, "pid", getpid());
        json_put_i64(t, "keeper_pid", m->hello.keeper_pid);
        if (s->logger_pid > 0)
                json_put_i64(t, "logger_pid", s->logger_pid);
        else
                json_put_null(t, "logger_pid");
        json_put_seconds(t, "uptime", usec_sub(clock_realtime(), m->hello.started_usec));
        json_put_string(t, "started_at", time_format(when, m->hello.started_usec));
        json_put_i64(t, "lives", m->hello.n_lives);
        json_put_string(t, "socket", s->places.control_socket);
        json_put_string(t, "mode", s->context.is_system ? "system" : "user");
        info_put_files(s, t);
        json_put_string(t, "log_dir", s->config ? s->config->log_dir : s->places.log_dir);
        json_put_string(t, "state_dir", s->config ? s->config->state_dir : s->places.state_dir);
        json_put_string(t, "tree_mode", m->hello.tree_mode == KEEPER_TREE_CGROUP ? "cgroup" : "sweep");
        json_put_string(t, "tree_reason", m->hello.tree_reason[0] ? m->hello.tree_reason : NULL);
        json_put_bool(t, "stopping", s->is_stopping);
}

static void on_metrics_put(bool is_openmetrics, Text *t, void *userdata) {
        metrics_write(((Supervisor *) userdata)->metrics, is_openmetrics ? METRICS_OPENMETRICS : METRICS_TEXT, t);
}

static void on_control_shutdown(void *userdata) {
        stop_begin(userdata, "asked to by a client");
}

static void on_reopen_logs(void *userdata) {
        (void) keeper_link_reopen(((Supervisor *) userdata)->keeper);
}

const ControlHooks supervisor_control_hooks = {
        .config_check = on_config_check,
        .config_apply = on_config_apply,
        .config_show = on_config_show,
        .config_plan = on_config_plan,
        .config_set = on_config_set,
        .config_overrides = on_config_overrides,
        .config_context = on_config_context,
        .config = on_config,
        .info_put_json = on_info_put_json,
        .metrics_put = on_metrics_put,
        .shutdown = on_control_shutdown,
        .reopen_logs = on_reopen_logs,
};
