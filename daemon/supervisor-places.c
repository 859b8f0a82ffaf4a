/* supervisor-places.c - where this run has its sockets, logs and state.
 *
 * systemd names the directories it made by $LOGS_DIRECTORY and $STATE_DIRECTORY; they win over the built-in ones, and
 * the configuration wins over both. The two sockets are made once and kept by the keeper: a new life of droverd finds
 * them with everything that waits in them. A listening socket that comes without a lock was given by systemd (socket
 * activation): its path is asked from the kernel and it is not ours to unlink. */
#include "base/alloc.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/log.h"
#include "build-config.h"
#include "libexec.h"
#include "supervisor-internal.h"
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

/* The first of a colon-separated list of directories in the variable @name, or NULL. */
static char *directory_from_variable(const char *name) {
        const char *value = getenv(name);

        return value && value[0] == '/' ? alloc_strndup(value, strcspn(value, ":")) : NULL;
}

static char *user_state_dir(void) {
        const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
        const struct passwd *pw;

        if (state && state[0] == '/')
                return alloc_printf("%s/drover", state);
        if (!home || home[0] != '/') {
                pw = getpwuid(geteuid());
                home = pw ? pw->pw_dir : "/tmp";
        }
        return alloc_printf("%s/.local/state/drover", home);
}

static char *path_absolute(const char *path) {
        char cwd[PATH_MAX];

        if (!path || path[0] == '/')
                return alloc_strdup(path);
        return getcwd(cwd, sizeof(cwd)) ? alloc_printf("%s/%s", cwd, path) : NULL;
}

static void places_init_dirs(Places *p, bool is_system) {
        p->log_dir = directory_from_variable("LOGS_DIRECTORY");
        p->state_dir = directory_from_variable("STATE_DIRECTORY");
        if (!p->state_dir)
                p->state_dir = is_system ? alloc_strdup(DROVER_STATEDIR) : user_state_dir();
        if (!p->log_dir && is_system)
                p->log_dir = alloc_strdup(DROVER_LOGDIR);
        if (!p->log_dir && p->state_dir)
                p->log_dir = alloc_printf("%s/log", p->state_dir);
}

static const char *const *event_types(void) {
        static const char *names[_EVENT_KIND_MAX + 1];

        for (int i = 0; i < _EVENT_KIND_MAX; i++)
                names[i] = event_kind_to_string((EventKind) i);
        return names;
}

/* What one worker costs in descriptors: pipes and the leaf in the keeper, pipes and files in the logger. */
#define DESCRIPTORS_PER_WORKER 4u
#define DESCRIPTORS_RESERVED 64u

/* The keeper's hard limit is this program's too: it is inherited, and each of the three raises its soft one to it. */
void places_note_room(Supervisor *s, const KeeperMessage *hello) {
        unsigned slots = hello->hello.n_slots_max, workers = slots;
        struct rlimit limit;

        if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_max != RLIM_INFINITY)
                workers = (unsigned) MIN((rlim_t) slots, limit.rlim_max > DESCRIPTORS_RESERVED
                                                                 ? (limit.rlim_max - DESCRIPTORS_RESERVED) / DESCRIPTORS_PER_WORKER
                                                                 : 1);
        if (workers < slots)
                (void) snprintf(s->workers_max_reason, sizeof(s->workers_max_reason),
                                "each needs %u descriptors of drover-keeper and of drover-logger, which may open %llu; raise LimitNOFILE= of "
                                "the unit, or ulimit -Hn", DESCRIPTORS_PER_WORKER, (unsigned long long) limit.rlim_max);
        else
                (void) snprintf(s->workers_max_reason, sizeof(s->workers_max_reason), "drover-keeper holds at most %u processes", slots);
        s->context.workers_max = workers;
        s->context.workers_max_reason = s->workers_max_reason;
}

int places_init(Supervisor *s, const Options *o) {
        Places *p = &s->places;
        _cleanup_free_ char *socket = o->socket ? alloc_strdup(o->socket) : socket_default_path();

        s->context = (ConfigContext){.is_system = geteuid() == 0, .uid = geteuid()};
        places_init_dirs(p, s->context.is_system);
        p->config = path_absolute(o->config);
        p->control_socket = path_absolute(socket);
        if (!p->log_dir || !p->state_dir || !p->control_socket || (o->config && !p->config))
                return -ENOMEM;
        p->host_program = libexec_find("drover-host");
        p->module_path = libexec_module_path();
        s->context.host_program = p->host_program;
        s->context.module_path = p->module_path;
        s->context.log_dir = p->log_dir;
        s->context.state_dir = p->state_dir;
        s->context.event_types = event_types();
        return 0;
}

void places_done(Places *p) {
        free(p->config);
        free(p->control_socket);
        free(p->notify_socket);
        free(p->log_dir);
        free(p->state_dir);
        free(p->host_program);
        free(p->module_path);
        fd_close(p->lock_fd);
        *p = (Places){.lock_fd = -EBADF};
}

/* The path a socket of systemd's is bound to, or NULL when it is no listening Unix stream socket. */
static char *socket_path(int fd) {
        struct sockaddr_un address = {0};
        socklen_t size = sizeof(address), int_size = sizeof(int);
        int is_listening = 0, type = 0;

        if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &is_listening, &int_size) < 0 || !is_listening ||
            getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &int_size) < 0 || type != SOCK_STREAM)
                return NULL;
        if (getsockname(fd, (struct sockaddr *) &address, &size) < 0 || address.sun_family != AF_UNIX ||
            size <= offsetof(struct sockaddr_un, sun_path) || address.sun_path[0] == '\0')
                return NULL;
        return alloc_strndup(address.sun_path, size - offsetof(struct sockaddr_un, sun_path));
}

static int control_socket_kept(Supervisor *s, KeeperTable *t, int *ret_fd) {
        _cleanup_fd_ int fd = keeper_table_take_fd(t, "listen"), lock = keeper_table_take_fd(t, "lock");
        _cleanup_free_ char *path = fd >= 0 ? socket_path(fd) : NULL;

        if (fd < 0)
                return -ENOENT;
        if (!path) {
                log_warning("the kept control socket is no listening Unix socket; making a new one");
                return -ENOENT;
        }
        free(s->places.control_socket);
        s->places.control_socket = TAKE_PTR(path);
        s->places.is_socket_ours = lock >= 0;
        if (lock >= 0)
                (void) listener_lock_note(lock);
        s->places.lock_fd = TAKE_FD(lock);
        *ret_fd = TAKE_FD(fd);
        return 0;
}

static int control_socket_new(Supervisor *s, int *ret_fd) {
        _cleanup_fd_ int fd = -EBADF, lock = -EBADF;
        char text[512];
        pid_t pid = 0;
        int r = listener_bind(s->places.control_socket, &fd, &lock, &pid);

        if (r < 0) {
                log_error("%s", listener_bind_describe(s->places.control_socket, r, pid, text, sizeof(text)));
                return r == -EADDRINUSE ? EX_TEMPFAIL : EX_OSERR;
        }
        s->places.is_socket_ours = true;
        (void) listener_lock_note(lock);
        r = keeper_link_keep(s->keeper, "listen", fd);
        if (r >= 0)
                r = keeper_link_keep(s->keeper, "lock", lock);
        if (r < 0) {
                log_error("cannot have the control socket kept: %s", strerrordesc_np(-r));
                return EX_OSERR;
        }
        s->places.lock_fd = TAKE_FD(lock);
        *ret_fd = TAKE_FD(fd);
        return 0;
}

/* Without it workers with ready "notify" cannot report; all else works. *ret_fd stays negative. */
static void notify_socket_open(Supervisor *s, KeeperTable *t, int *ret_fd) {
        _cleanup_fd_ int fd = keeper_table_take_fd(t, "notify");
        int r = 0;

        s->places.notify_socket = alloc_printf("%s.notify", s->places.control_socket);
        if (!s->places.notify_socket)
                r = -ENOMEM;
        if (r >= 0 && fd < 0) {
                r = notify_bind(s->places.notify_socket, &fd);
                if (r >= 0)
                        r = keeper_link_keep(s->keeper, "notify", fd);
        }
        if (r < 0) {
                log_warning("no notify socket at %s.notify: %s; workers with ready \"notify\" will time out",
                            s->places.control_socket, strerrordesc_np(-r));
                free(s->places.notify_socket);
                s->places.notify_socket = NULL;
                return;
        }
        *ret_fd = TAKE_FD(fd);
}

int places_open_sockets(Supervisor *s, KeeperTable *t, int *ret_listen_fd, int *ret_notify_fd) {
        int r = control_socket_kept(s, t, ret_listen_fd);

        if (r == -ENOENT)
                r = control_socket_new(s, ret_listen_fd);
        if (r != 0)
                return r;
        notify_socket_open(s, t, ret_notify_fd);
        return 0;
}

void places_unlink(Supervisor *s) {
        if (s->places.is_socket_ours)
                (void) unlink(s->places.control_socket);
        if (s->places.notify_socket)
                (void) unlink(s->places.notify_socket);
}
