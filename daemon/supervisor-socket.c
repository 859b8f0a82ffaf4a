/* supervisor-socket.c - the files of the two sockets, watched: with the file gone nobody can reach a daemon that is well.
 *
 * States: watching the directory (inotify); settling, from the first removal in it until SETTLE_USEC later, so that a
 * `rm -r` has come to its end; then what is missing is made again, directory, lock and all, and after a failure once more
 * every RETRY_USEC. Connections there are stay. A socket of systemd's is systemd's to make, and not watched. */
#include "base/alloc.h"
#include "base/fd.h"
#include "base/log.h"
#include "pool/notify-ring.h"
#include "priority.h"
#include "supervisor-internal.h"

#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#define SETTLE_USEC (100 * USEC_PER_MSEC)
#define RETRY_USEC (2 * USEC_PER_SEC)
#define WATCH_MASK (IN_DELETE | IN_MOVED_FROM | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR)

static bool is_there(const char *path) {
        struct stat st;

        return lstat(path, &st) == 0 && S_ISSOCK(st.st_mode);
}

/* A socket of systemd's is as its unit says, unless the configuration says anything about it. */
void socket_apply_access(Supervisor *s) {
        const Config *c = s->config;
        mode_t mode = c ? c->socket_mode : 0600;
        gid_t gid = c && c->socket_group ? c->socket_gid : getegid();
        int r;

        if (!s->places.is_socket_ours && (!c || (!c->socket_group && mode == 0600)))
                return;
        r = listener_set_access(s->places.control_socket, gid, mode);
        if (r < 0)
                log_error("cannot let group %u use %s: %s", (unsigned) gid, s->places.control_socket, strerrordesc_np(-r));
}

static int make_control(Supervisor *s) {
        _cleanup_fd_ int fd = -EBADF;
        char text[512];
        int r;

        if (is_there(s->places.control_socket))
                return 0;
        r = listener_bind_again(s->places.control_socket, &s->places.lock_fd, &fd);
        if (r < 0) {
                log_error("the control socket was removed: %s",
                          listener_bind_describe(s->places.control_socket, r, 0, text, sizeof(text)));
                return r;
        }
        (void) listener_lock_note(s->places.lock_fd);
        r = keeper_link_keep(s->keeper, "lock", s->places.lock_fd);
        if (r >= 0)
                r = keeper_link_keep(s->keeper, "listen", fd);
        if (r >= 0)
                r = control_listen_again(s->control, fd);
        if (r < 0)
                return r;
        (void) TAKE_FD(fd);
        socket_apply_access(s);
        log_notice("the control socket %s was removed; it is there again", s->places.control_socket);
        return 0;
}

void notify_start(Supervisor *s, int fd_consume) {
        _cleanup_(notify_ring_freep) NotifyRing *ring = NULL;
        _cleanup_fd_ int fd = fd_consume, ring_fd = -EBADF;
        int r;

        if (fd < 0)
                return;
        r = notify_ring_new(&ring, keeper_table_take_fd(keeper_link_table(s->keeper), "notify-ring"), &ring_fd);
        if (r >= 0 && ring_fd >= 0)
                r = keeper_link_keep(s->keeper, "notify-ring", ring_fd);
        if (r >= 0)
                r = notify_new(&s->notify, s->event, s->pools, TAKE_FD(fd), TAKE_PTR(ring));
        if (r < 0)
                log_warning("the notify socket does not work: %s", strerrordesc_np(-r));
}

/* Workers know the path: those there are, and their next ones, reach the new socket. */
static int make_notify(Supervisor *s) {
        _cleanup_fd_ int fd = -EBADF;
        int r;

        if (!s->notify || is_there(s->places.notify_socket))
                return 0;
        r = notify_bind(s->places.notify_socket, &fd);
        if (r >= 0)
                r = keeper_link_keep(s->keeper, "notify", fd);
        return r < 0 ? r : notify_move(s->notify, TAKE_FD(fd));
}

static int watch_dispatch(sd_event_source *source, const struct inotify_event *e, void *userdata);

static int watch_directory(Supervisor *s) {
        const char *path = s->places.control_socket, *slash = strrchr(path, '/');
        _cleanup_free_ char *directory = alloc_strndup(path, slash == path ? 1 : (size_t) (slash - path));

        s->socket_watch = sd_event_source_disable_unref(s->socket_watch);
        if (!directory)
                return -ENOMEM;
        return sd_event_add_inotify(s->event, &s->socket_watch, directory, WATCH_MASK, watch_dispatch, s);
}

static void look_in(Supervisor *s, usec_t delay);

static int timer_dispatch(sd_event_source *source, uint64_t usec, void *userdata) {
        Supervisor *s = userdata;
        int r;

        s->socket_timer = sd_event_source_disable_unref(s->socket_timer);
        if (s->is_quit)
                return 0;
        r = make_control(s);
        if (r >= 0)
                r = make_notify(s);
        if (r >= 0)
                r = watch_directory(s);
        if (r == -EADDRINUSE) /* another daemon was quicker; its files are not ours to remove */
                s->places.is_socket_ours = false;
        else if (r < 0)
                look_in(s, RETRY_USEC);
        else if (!is_there(s->places.control_socket)) /* gone between the making and the watch */
                look_in(s, SETTLE_USEC);
        return 0;
}

static void look_in(Supervisor *s, usec_t delay) {
        if (s->socket_timer)
                return;
        if (sd_event_add_time_relative(s->event, &s->socket_timer, CLOCK_MONOTONIC, delay, 0, timer_dispatch, s) >= 0)
                (void) sd_event_source_set_priority(s->socket_timer, PRIORITY_TIMER);
}

static int watch_dispatch(sd_event_source *source, const struct inotify_event *e, void *userdata) {
        Supervisor *s = userdata;

        if (!is_there(s->places.control_socket) || (s->notify && !is_there(s->places.notify_socket)))
                look_in(s, SETTLE_USEC);
        return 0;
}

void socket_watch_start(Supervisor *s) {
        int r;

        if (!s->places.is_socket_ours)
                return;
        r = watch_directory(s);
        if (r < 0)
                log_warning("cannot watch %s: %s; if it is removed it stays so", s->places.control_socket,
                            strerrordesc_np(-r));
        else if (!is_there(s->places.control_socket)) /* removed while no droverd lived */
                look_in(s, SETTLE_USEC);
}
