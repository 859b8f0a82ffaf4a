/* supervisor.c - the root object: built in one order, run by one loop, freed in the opposite order.
 *
 * Everything that happens only notes what it wants changed. After each round of the loop the post source brings it
 * about, in an order that lets no promise out before it is kept:
 *
 *   converge   workers are started and stopped, hooks run
 *   dispatch   tasks are given to workers
 *   settle     calls whose wish came true get their answer
 *   record     the journal is written
 *   keeper     launches, signals and acknowledgements go out: an end is forgotten by the keeper only when recorded,
 *              and what a worker said by droverd
 *   flush      tasks go out to workers, and what those answered is taken off their channels; answers go out: what a client
 *              was told survives any kill
 *   tidy       what nobody waits for; it goes on record with the next turn */
#include "supervisor-internal.h"
#include "base/alloc.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/log.h"
#include "build-config.h"
#include "pool/listen.h"
#include "priority.h"
#include "process/closer.h"
#include <signal.h>
#include <sysexits.h>

static int post_dispatch(sd_event_source *source, void *userdata) {
        Supervisor *s = userdata;

        if (s->is_quit)
                return 0;
        pool_set_converge(s->pools);
        hook_set_converge(s->hooks);
        if (s->n_pending > 0 && supervisor_add_pending(s))
                pool_set_converge(s->pools);
        stop_proceed(s);
        if (s->is_quit)
                return 0;
        task_room_dispatch(s->tasks);
        control_settle(s->control);
        task_room_dispatch(s->tasks); /* what those answers made room for */
        state_flush(s);
        wish_flush(s);
        (void) keeper_link_flush_soon(s->keeper);
        /* A journal that the keeper does not hold yet is no record; its turn comes when the line is writable. */
        if (keeper_link_is_safe(s->keeper)) {
                notify_on_record(s->notify);
                task_room_flush(s->tasks);
                control_flush(s->control);
        }
        if (pool_set_tidy(s->pools))
                control_note_due(s->control);
        return 0;
}

/* ---- signals ---- */

static int stop_dispatch(sd_event_source *source, const struct signalfd_siginfo *si, void *userdata) {
        stop_begin(userdata, si->ssi_signo == SIGINT ? "SIGINT" : "SIGTERM");
        return 0;
}

static int reload_dispatch(sd_event_source *source, const struct signalfd_siginfo *si, void *userdata) {
        supervisor_reload(userdata);
        return 0;
}

static int reopen_dispatch(sd_event_source *source, const struct signalfd_siginfo *si, void *userdata) {
        (void) keeper_link_reopen(((Supervisor *) userdata)->keeper);
        return 0;
}

/* SIGPIPE and SIGXFSZ are only blocked: their errors come back from write(2). */
static int signals_block(void) {
        static const int blocked[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGPIPE, SIGXFSZ};
        sigset_t set;

        (void) sigfillset(&set);
        if (sigprocmask(SIG_UNBLOCK, &set, NULL) < 0) /* whatever was inherited */
                return -errno;
        (void) sigemptyset(&set);
        for (size_t i = 0; i < ARRAY_SIZE(blocked); i++)
                (void) sigaddset(&set, blocked[i]);
        return sigprocmask(SIG_BLOCK, &set, NULL) < 0 ? -errno : 0;
}

static int signals_watch(Supervisor *s) {
        static const struct {
                int number;
                sd_event_signal_handler_t handler;
        } table[] = {{SIGTERM, stop_dispatch}, {SIGINT, stop_dispatch}, {SIGHUP, reload_dispatch}, {SIGUSR1, reopen_dispatch}};
        int r = 0;

        _Static_assert(ARRAY_SIZE(table) == ARRAY_SIZE(s->signals), "a place for each signal");
        for (size_t i = 0; i < ARRAY_SIZE(table) && r >= 0; i++) {
                r = sd_event_add_signal(s->event, &s->signals[i], table[i].number, table[i].handler, s);
                if (r >= 0)
                        r = sd_event_source_set_priority(s->signals[i], PRIORITY_SIGNAL);
        }
        return r;
}

/* ---- building ---- */

/* The loop, the line to the keeper with its table, the journal of the life before, the logger. */
static int build_ground(Supervisor *s, int keeper_fd_consume) {
        _cleanup_fd_ int fd = keeper_fd_consume;
        KeeperTable *t;
        int r = sd_event_new(&s->event);

        if (r >= 0)
                r = keeper_link_new(&s->keeper, s->event, PRIORITY_KEEPER, TAKE_FD(fd), &supervisor_keeper_hooks, s);
        if (r < 0)
                return r;
        t = keeper_link_table(s->keeper);
        places_note_room(s, keeper_link_hello(s->keeper));
        s->context.overrides = wish_overrides;
        s->context.userdata = s;
        r = state_open(s, t);
        if (r >= 0)
                r = logger_link_new(&s->logger, s->event, PRIORITY_LOGGER);
        if (r >= 0)
                logger_link_on_dropped(s->logger, supervisor_on_dropped, s);
        if (r >= 0 && t->logger_fd >= 0) {
                s->logger_pid = t->logger_pid;
                r = logger_link_set_fd(s->logger, t->logger_fd);
                if (r >= 0)
                        t->logger_fd = -EBADF;
        }
        return r;
}

static int build_tasks(Supervisor *s) {
        TaskWorld world = {.event = s->event, .keeper = s->keeper, .pools = s->pools, .journal = s->journal};

        return task_room_new(&s->tasks, &world);
}

static int build_pools(Supervisor *s, int notify_fd_consume) {
        _cleanup_fd_ int notify_fd = notify_fd_consume;
        PoolWorld world = {
                .event = s->event,
                .keeper = s->keeper,
                .logger = s->logger,
                .hub = s->hub,
                .log_dir = s->config ? s->config->log_dir : s->places.log_dir,
                .notify_socket = s->places.notify_socket,
                .control_socket = s->places.control_socket,
                .hooks = supervisor_pool_hooks,
                .userdata = s,
        };
        int r = pool_set_new(&s->pools, &world);

        if (r >= 0)
                r = build_tasks(s);
        if (r >= 0)
                notify_start(s, TAKE_FD(notify_fd));
        return r;
}

/* Those who listen to the hub: hooks and metrics. */
static int build_listeners(Supervisor *s) {
        const KeeperMessage *m = keeper_link_hello(s->keeper);
        MetricsWorld world = {
                .event = s->event,
                .pools = s->pools,
                .hub = s->hub,
                .version = DROVER_VERSION,
                .started_usec = m->hello.started_usec,
                .n_lives = (unsigned) m->hello.n_lives,
        };

        HookWorld hooks = {.event = s->event, .keeper = s->keeper, .hub = s->hub, .control_socket = s->places.control_socket};
        int r = hook_set_new(&s->hooks, &hooks);

        return r < 0 ? r : metrics_new(&s->metrics, &world);
}

static int build_control(Supervisor *s, int listen_fd_consume) {
        _cleanup_fd_ int fd = listen_fd_consume;
        ControlWorld world = {
                .event = s->event,
                .pools = s->pools,
                .hub = s->hub,
                .logger = s->logger,
                .tasks = s->tasks,
                .hooks = supervisor_control_hooks,
                .userdata = s,
        };
        int r = control_new(&s->control, &world, fd);

        if (r >= 0)
                fd = -EBADF;
        return r;
}

static int build_loop(Supervisor *s) {
        int r = status_start(s);

        if (r >= 0)
                r = signals_watch(s);
        if (r >= 0)
                r = sd_event_add_post(s->event, &s->post, post_dispatch, s);
        return r;
}

/* Return: exit status or 0. */
static int fail(const char *what, int error) {
        log_error("cannot start: %s: %s", what, strerrordesc_np(-error));
        return EX_OSERR;
}

/* All that stands on the sockets, up to a loop that could run. */
static int build_house(Supervisor *s, KeeperTable *t) {
        int listen_fd = -EBADF, notify_fd = -EBADF, r;

        r = places_open_sockets(s, t, &listen_fd, &notify_fd);
        if (r != 0)
                return r;
        r = build_pools(s, notify_fd);
        if (r < 0) {
                fd_close(listen_fd);
                return fail("pools", r);
        }
        r = build_listeners(s);
        if (r < 0) {
                fd_close(listen_fd);
                return fail("hooks and metrics", r);
        }
        r = build_control(s, listen_fd);
        if (r < 0)
                return fail("control socket", r);
        r = build_loop(s);
        if (r < 0)
                return fail("event loop", r);
        socket_watch_start(s);
        return 0;
}

static void use_task_dir(Supervisor *s) {
        const char *dir = s->config ? s->config->state_dir : s->places.state_dir;
        int r = task_room_use_dir(s->tasks, dir, !s->is_later_life);

        if (r < 0)
                log_error("durable tasks in %s: %s; pools with tasks.durable take no tasks until that works", dir, strerrordesc_np(-r));
}

/* What shall run: from the configuration in a first life, from the journal in a later one. */
static int populate(Supervisor *s, KeeperTable *t) {
        int r = 0;

        pool_set_inherit(s->pools, t);
        task_room_inherit(s->tasks, t);
        if (s->is_later_life) {
                state_restore(s, t);
                supervisor_later_config(s);
        } else {
                r = supervisor_first_config(s);
                if (r == 0)
                        state_restore(s, t); /* the table is empty, unless the journal was lost */
        }
        pool_set_inherit(s->pools, NULL);
        task_room_inherit(s->tasks, NULL);
        use_task_dir(s);
        keeper_link_table_done(s->keeper);
        return r;
}

static void announce(Supervisor *s) {
        const KeeperMessage *m = keeper_link_hello(s->keeper);
        _cleanup_text_ Text t = {0};

        json_put_object(&t, NULL);
        json_put_bool(&t, "restart", s->is_later_life);
        json_put_i64(&t, "lives", m->hello.n_lives);
        json_end_object(&t);
        hub_emit(s->hub, EVENT_DAEMON_STARTED, NULL, NULL, text_check(&t) < 0 ? NULL : t.data);
        log_info("%s: %zu pools, listening on %s", s->is_later_life ? "back after an unplanned end" : "started",
                 pool_count(s->pools), s->places.control_socket);
        state_put_daemon(s);
        status_ready(s);
        if (s->was_stopping || (m->hello.flags & KEEPER_HELLO_SHUTDOWN))
                stop_begin(s, "asked to in the life before");
}

static void make_directories(Supervisor *s) {
        const char *dirs[] = {s->places.state_dir, s->places.log_dir};

        for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
                int r = dir_make(dirs[i], s->context.is_system ? 0755 : 0700);

                if (r < 0)
                        log_warning("cannot make directory %s: %s", dirs[i], strerrordesc_np(-r));
        }
}

int supervisor_new(Supervisor **ret, const Options *o, int keeper_fd_consume) {
        _cleanup_fd_ int keeper_fd = keeper_fd_consume;
        _cleanup_(supervisor_freep) Supervisor *s = NEW0(Supervisor);
        uint64_t old, now;
        int r;

        if (!s)
                return fail("memory", -ENOMEM);
        s->places.lock_fd = -EBADF;
        r = signals_block();
        if (r >= 0)
                r = places_init(s, o);
        if (r < 0)
                return fail("places", r);
        (void) fd_raise_limit(&old, &now);
        closer_keep_margin();
        make_directories(s);
        r = build_ground(s, TAKE_FD(keeper_fd));
        if (r < 0)
                return fail("the line to drover-keeper", r);
        r = build_house(s, keeper_link_table(s->keeper));
        if (r == 0)
                r = populate(s, keeper_link_table(s->keeper));
        if (r != 0) {
                if (!s->is_later_life)
                        places_unlink(s);
                return r;
        }
        announce(s);
        *ret = TAKE_PTR(s);
        return 0;
}

int supervisor_run(Supervisor *s) {
        int r;

        (void) post_dispatch(s->post, s); /* nothing has happened yet that would call it */
        r = sd_event_loop(s->event);
        if (r < 0)
                log_error("the event loop failed: %s", strerrordesc_np(-r));
        return r < 0 ? EXIT_FAILURE : s->exit_status;
}

Supervisor *supervisor_free(Supervisor *s) {
        if (!s)
                return NULL;
        sd_event_source_disable_unref(s->post);
        for (size_t i = 0; i < ARRAY_SIZE(s->signals); i++)
                sd_event_source_disable_unref(s->signals[i]);
        sd_event_source_disable_unref(s->ping);
        s->status_timer = sd_event_source_disable_unref(s->status_timer);
        s->socket_watch = sd_event_source_disable_unref(s->socket_watch);
        s->socket_timer = sd_event_source_disable_unref(s->socket_timer);
        s->control = control_free(s->control);
        s->metrics = metrics_free(s->metrics);
        s->hooks = hook_set_free(s->hooks);
        notify_free(s->notify);
        task_room_free(s->tasks);
        pool_set_free(s->pools);
        logger_link_free(s->logger);
        journal_free(s->journal);
        text_done(&s->scratch);
        keeper_link_free(s->keeper);
        hub_free(s->hub);
        wish_done(s);
        for (size_t i = 0; i < s->n_pending; i++)
                pool_config_unref(s->pending[i]);
        free(s->pending);
        config_unref(s->config);
        sd_event_unref(s->event);
        free(s->status);
        places_done(&s->places);
        free(s);
        return NULL;
}
