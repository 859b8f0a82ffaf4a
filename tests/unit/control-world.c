/* control-world.c - see its header. */
#include "control-world.h"
#include "base/alloc.h"
#include "base/fd.h"
#include "base/log.h"
#include "link/launch-request.h"

#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define RUN_MSEC 20 /* nothing for so long: the loop has nothing to do */

/* ---- the keeper ---- */

static void say(World *w, KeeperMessage m, uint32_t type, uint32_t slot, uint64_t generation) {
        m.type = type;
        m.slot = slot;
        m.generation = generation;
        ck_assert_int_eq(packet_send(w->keeper, &m, keeper_message_size(type), NULL, 0), 0);
}

static void say_end(World *w, size_t i, int code, int status) {
        KeeperMessage m = {0};
        uint32_t slot = w->processes[i].slot;
        uint64_t generation = w->processes[i].generation;

        m.exited = (KeeperExit){.code = code, .status = status, .at_usec = clock_realtime()};
        w->processes[i].pid = 0;
        say(w, m, KEEPER_EXITED, slot, generation);
        say(w, (KeeperMessage){0}, KEEPER_DRAINED, slot, generation);
}

static size_t process_free_slot(World *w) {
        size_t i = 0;

        while (w->processes[i].pid > 0)
                i++;
        ck_assert_uint_lt(i, ARRAY_SIZE(w->processes));
        return i;
}

static void play_launch(World *w, const KeeperMessage *m, int fd) {
        struct stat st;
        LaunchSpec spec;
        char arena[16384];
        void *data;
        size_t i;

        ck_assert_int_eq(fstat(fd, &st), 0);
        data = mmap(NULL, (size_t) st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        ck_assert_ptr_ne(data, MAP_FAILED);
        ck_assert_int_eq(launch_request_unpack(data, (size_t) st.st_size, arena, sizeof(arena), &spec), 0);
        if (streq(spec.argv[0], "/fail")) {
                say(w, (KeeperMessage){.failed = {.stage = LAUNCH_EXEC, .error = ENOENT}}, KEEPER_FAILED, m->slot,
                    m->generation);
                say(w, (KeeperMessage){0}, KEEPER_DRAINED, m->slot, m->generation);
        } else {
                i = process_free_slot(w);
                w->processes[i].slot = m->slot;
                w->processes[i].generation = m->generation;
                w->processes[i].pid = 10000 + ++w->last_pid;
                w->processes[i].is_stubborn = streq(spec.argv[0], "/stubborn");
                say(w, (KeeperMessage){.started = {.pid = w->processes[i].pid, .at_usec = clock_realtime()}}, KEEPER_STARTED,
                    m->slot, m->generation);
                if (streq(spec.argv[0], "/exit"))
                        say_end(w, i, CLD_EXITED, atoi(spec.argv[1]));
        }
        munmap(data, (size_t) st.st_size);
}

static void play_signal(World *w, const KeeperMessage *m) {
        int number = m->type == KEEPER_KILL_TREE ? SIGKILL : m->signal.number;

        for (size_t i = 0; i < ARRAY_SIZE(w->processes); i++) {
                if (w->processes[i].pid <= 0 || w->processes[i].slot != m->slot || w->processes[i].generation != m->generation)
                        continue;
                if (number == SIGKILL || (number == SIGTERM && !w->processes[i].is_stubborn))
                        say_end(w, i, CLD_KILLED, number);
        }
}

static int keeper_dispatch(sd_event_source *s, int fd, uint32_t revents, void *userdata) {
        World *w = userdata;
        int fds[PACKET_FDS_MAX];
        KeeperMessage m;
        size_t n;

        while (!w->is_held && packet_recv(fd, &m, sizeof(m), fds, PACKET_FDS_MAX, &n) > 0) {
                if (m.type == KEEPER_LAUNCH)
                        play_launch(w, &m, fds[0]);
                if (m.type == KEEPER_SIGNAL || m.type == KEEPER_KILL_TREE)
                        play_signal(w, &m);
                fd_close_many(fds, n);
        }
        return 0;
}

void world_end(World *w, int pid, int code) {
        for (size_t i = 0; i < ARRAY_SIZE(w->processes); i++)
                if (w->processes[i].pid == pid) {
                        say_end(w, i, CLD_EXITED, code);
                        return;
                }
        ck_abort_msg("no process %d", pid);
}

/* ---- the logger ---- */

static int logger_dispatch(sd_event_source *s, int fd, uint32_t revents, void *userdata) {
        World *w = userdata;
        LoggerMessage m;
        size_t n;

        while (packet_recv(fd, &m, sizeof(m), NULL, 0, &n) > 0)
                if (m.type == LOGGER_READ)
                        w->log_read = m;
        return 0;
}

void world_log(World *w, const char *const *lines, bool end) {
        char buf[sizeof(LoggerMessage) + 4096];
        LoggerMessage m = {.type = LOGGER_LINES, .request = w->log_read.request};
        size_t head = logger_message_size(LOGGER_LINES), n = 0;

        for (size_t i = 0; lines[i]; i++) {
                LoggerLine line = {.time_usec = 1700000000000000, .n_bytes = (uint32_t) strlen(lines[i]),
                                   .stream = LOG_STREAM_STDOUT};

                ck_assert_uint_lt(head + n + sizeof(line) + line.n_bytes, sizeof(buf));
                memcpy(buf + head + n, &line, sizeof(line));
                memcpy(buf + head + n + sizeof(line), lines[i], line.n_bytes);
                n += sizeof(line) + line.n_bytes;
        }
        m.lines.n_bytes = (uint32_t) n;
        memcpy(buf, &m, head);
        ck_assert_int_eq(packet_send(w->logger, buf, head + n, NULL, 0), 0);
        if (!end)
                return;
        m = (LoggerMessage){.type = LOGGER_END, .request = w->log_read.request};
        ck_assert_int_eq(packet_send(w->logger, &m, logger_message_size(LOGGER_END), NULL, 0), 0);
}

/* ---- the supervisor ---- */

static void on_worker_changed(Worker *worker, void *userdata) {
        control_worker_changed(((World *) userdata)->control, worker);
}

static void on_worker_removed(Worker *worker, void *userdata) {
        control_worker_removed(((World *) userdata)->control, worker);
}

static void on_pool_changed(Pool *p, bool is_removed, void *userdata) {
        control_pool_changed(((World *) userdata)->control, p, is_removed);
}

static int post_dispatch(sd_event_source *s, void *userdata) {
        World *w = userdata;

        pool_set_converge(w->pools);
        control_settle(w->control);
        (void) keeper_link_flush(w->keeper_link);
        control_flush(w->control);
        return 0;
}

static int tick_dispatch(sd_event_source *s, void *userdata) {
        return 0;
}

static int hook_config_check(ConfigFaults *faults, void *userdata) {
        return ((World *) userdata)->config_error;
}

static int hook_config_apply(ConfigFaults *faults, char **ret, void *userdata) {
        *ret = alloc_strdup("[]");
        return ((World *) userdata)->config_error;
}

static json_t *hook_config_show(void *userdata) {
        return json_pack("{s:{}}", "pools");
}

static int hook_config_set(Pool *p, const char *key, json_t *value, bool persist, ConfigFaults *faults, char **ret,
                           void *userdata) {
        *ret = alloc_strdup("[]");
        return config_path_nearest(key) && !streq(config_path_nearest(key), key) ? -ENOENT : ((World *) userdata)->config_error;
}

static json_t *hook_config_overrides(void *userdata) {
        return json_object();
}

static const ConfigContext *hook_context(void *userdata) {
        return &((World *) userdata)->context;
}

static void hook_info(Text *t, bool is_brief, void *userdata) {
        json_put_string(t, "version", "test");
}

static void hook_metrics(bool is_openmetrics, Text *t, void *userdata) {
        text_append(t, is_openmetrics ? "strict\n" : "plain\n");
}

static void hook_shutdown(void *userdata) {
        ((World *) userdata)->n_shutdown++;
}

static void hook_reopen(void *userdata) {
        ((World *) userdata)->n_reopen++;
}

static void nothing(void *userdata) {
}

static void nothing_logger(int fd, pid_t pid, void *userdata) {
        fd_close(fd);
}

static void setup_lines(World *w) {
        static const KeeperLinkHooks hooks = {nothing, nothing, nothing_logger, nothing};
        KeeperMessage hello = {.hello = {.version = KEEPER_PROTOCOL_VERSION, .n_slots_max = 512, .n_lives = 1}};
        int keeper[2], logger[2];

        ck_assert_int_eq(packet_pair(keeper), 0);
        ck_assert_int_eq(packet_pair(logger), 0);
        w->keeper = keeper[0];
        w->logger = logger[0];
        say(w, hello, KEEPER_HELLO, 0, 0);
        say(w, (KeeperMessage){0}, KEEPER_TABLE_END, 0, 0);
        ck_assert_int_eq(keeper_link_new(&w->keeper_link, w->event, 0, keeper[1], &hooks, w), 0);
        keeper_link_table_done(w->keeper_link);
        ck_assert_int_ge(sd_event_add_io(w->event, &w->keeper_source, w->keeper, EPOLLIN, keeper_dispatch, w), 0);
        ck_assert_int_eq(logger_link_new(&w->logger_link, w->event, 0), 0);
        ck_assert_int_eq(logger_link_set_fd(w->logger_link, logger[1]), 0);
        ck_assert_int_ge(sd_event_add_io(w->event, &w->logger_source, w->logger, EPOLLIN, logger_dispatch, w), 0);
}

static void setup_control(World *w) {
        ControlWorld world = {.event = w->event, .pools = w->pools, .hub = w->hub, .logger = w->logger_link, .userdata = w};
        int fd, lock;
        pid_t pid;

        world.hooks = (ControlHooks){
                .config_check = hook_config_check,
                .config_apply = hook_config_apply,
                .config_show = hook_config_show,
                .config_plan = hook_config_apply,
                .config_set = hook_config_set,
                .config_overrides = hook_config_overrides,
                .config_context = hook_context,
                .info_put_json = hook_info,
                .metrics_put = hook_metrics,
                .shutdown = hook_shutdown,
                .reopen_logs = hook_reopen,
        };
        ck_assert_int_eq(listener_bind(w->socket, &fd, &lock, &pid), 0);
        fd_close(lock);
        ck_assert_int_eq(control_new(&w->control, &world, fd), 0);
}

void world_setup(World *w) {
        PoolWorld world;
        char directory[] = "/tmp/drover-control-XXXXXX";

        log_set_level(LOG_ERR);
        *w = (World){0};
        ck_assert_ptr_nonnull(mkdtemp(directory));
        w->directory = strdup(directory);
        w->socket = alloc_printf("%s/control.sock", directory);
        w->log_directory = alloc_printf("%s/log", directory);
        w->context = (ConfigContext){.uid = geteuid(), .log_dir = w->log_directory, .state_dir = directory};
        ck_assert_int_ge(sd_event_new(&w->event), 0);
        setup_lines(w);
        ck_assert_int_eq(hub_new(&w->hub, 1000, 1 << 20, 1), 0);
        world = (PoolWorld){
                .event = w->event,
                .keeper = w->keeper_link,
                .hub = w->hub,
                .log_dir = w->log_directory,
                .hooks = {on_worker_changed, on_worker_removed, on_pool_changed},
                .userdata = w,
        };
        ck_assert_int_eq(pool_set_new(&w->pools, &world), 0);
        setup_control(w);
        ck_assert_int_ge(sd_event_add_post(w->event, &w->post, post_dispatch, w), 0);
        ck_assert_int_ge(sd_event_source_set_priority(w->post, 100), 0);
        ck_assert_int_ge(sd_event_add_defer(w->event, &w->tick, tick_dispatch, w), 0);
}

void world_teardown(World *w) {
        _cleanup_free_ char *lock = alloc_printf("%s.lock", w->socket);

        sd_event_source_disable_unref(w->post);
        sd_event_source_disable_unref(w->tick);
        sd_event_source_disable_unref(w->keeper_source);
        sd_event_source_disable_unref(w->logger_source);
        w->control = control_free(w->control);
        pool_set_free(w->pools);
        hub_free(w->hub);
        logger_link_free(w->logger_link);
        keeper_link_free(w->keeper_link);
        fd_close(w->keeper);
        fd_close(w->logger);
        sd_event_unref(w->event);
        (void) unlink(w->socket);
        (void) unlink(lock);
        (void) rmdir(w->directory);
        free(w->directory);
        free(w->socket);
        free(w->log_directory);
}

void world_run(World *w) {
        ck_assert_int_ge(sd_event_source_set_enabled(w->tick, SD_EVENT_ONESHOT), 0);
        while (sd_event_run(w->event, RUN_MSEC * USEC_PER_MSEC) > 0)
                ;
}

/* ---- the client ---- */

int client_connect(World *w) {
        struct sockaddr_un a = {.sun_family = AF_UNIX};
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        (void) snprintf(a.sun_path, sizeof(a.sun_path), "%.100s", w->socket);
        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(connect(fd, (struct sockaddr *) &a, sizeof(a)), 0);
        ck_assert_int_eq(fd_set_nonblock(fd, true), 0);
        return fd;
}

void client_send_n(World *w, int fd, const char *text, size_t n) {
        while (n > 0) {
                ssize_t k = send(fd, text, n, MSG_NOSIGNAL);

                if (k < 0 && errno == EAGAIN) {
                        world_run(w);
                        continue;
                }
                if (k < 0) /* it closed: its words can still be read */
                        return;
                text += k;
                n -= (size_t) k;
        }
}

void client_send(World *w, int fd, const char *text) {
        client_send_n(w, fd, text, strlen(text));
}

char *client_line(World *w, int fd) {
        _cleanup_text_ Text t = {0};
        char buf[16384];

        for (;;) {
                ssize_t k = recv(fd, buf, sizeof(buf), MSG_PEEK);
                char *newline = k > 0 ? memchr(buf, '\n', (size_t) k) : NULL;

                if (k > 0) { /* take the line and no more */
                        size_t n = newline ? (size_t) (newline - buf) + 1 : (size_t) k;

                        ck_assert_int_eq(recv(fd, buf, n, 0), (ssize_t) n);
                        text_append_n(&t, buf, newline ? n - 1 : n);
                        if (newline)
                                return text_take(&t);
                        continue;
                }
                if (k == 0 || errno != EAGAIN)
                        return NULL;
                if (sd_event_run(w->event, 2 * RUN_MSEC * USEC_PER_MSEC) == 0)
                        return NULL;
        }
}

bool client_is_closed(World *w, int fd) {
        char buf[4096];

        for (int i = 0; i < 1000; i++) {
                ssize_t k = recv(fd, buf, sizeof(buf), 0);

                if (k == 0 || (k < 0 && errno != EAGAIN))
                        return true;
                if (k < 0 && sd_event_run(w->event, RUN_MSEC * USEC_PER_MSEC) == 0)
                        return false;
        }
        return false;
}

json_t *client_json(World *w, int fd) {
        _cleanup_free_ char *line = client_line(w, fd);
        json_t *o = line ? json_loads(line, JSON_DECODE_ANY, NULL) : NULL;

        if (line && !o)
                ck_abort_msg("not JSON: %s", line);
        return o;
}

json_t *client_ask(World *w, int fd, const char *text) {
        json_t *o;

        client_send(w, fd, text);
        client_send(w, fd, "\n");
        o = client_json(w, fd);
        if (!o)
                ck_abort_msg("no answer to %s", text);
        return o;
}

json_t *at(json_t *o, const char *path) {
        char step[64];

        while (o && *path) {
                size_t n = strcspn(path, ".");

                (void) snprintf(step, sizeof(step), "%.*s", (int) n, path);
                o = json_is_array(o) ? json_array_get(o, (size_t) atoi(step)) : json_object_get(o, step);
                path += n + (path[n] == '.');
        }
        return o;
}

const char *at_string(json_t *o, const char *path) {
        const char *s = json_string_value(at(o, path));

        return s ? s : "";
}

json_int_t at_int(json_t *o, const char *path) {
        json_t *v = at(o, path);

        return json_is_integer(v) ? json_integer_value(v) : -999;
}
