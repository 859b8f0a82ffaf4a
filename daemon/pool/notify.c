/* notify.c - what workers say about themselves, believed by the kernel's word on who sent it.
 *
 * Sender -> worker is notify-sender.c. Where there are no cgroups, a sender may be a process of the keeper that droverd
 * does not know yet: its message overtook the keeper's STARTED (the exec is done, the notice on its way). It waits in
 * `early`, is looked at again after 1, 4, 16, 64, 256 ms, and then counts as ignored. Only descendants of the keeper
 * get that far, so a stranger cannot fill the list.
 *
 * Descriptors (FDSTORE=1, BARRIER=1) are closed, which is what a barrier waits for; not here where that may take as long
 * as their sender likes (closer.h). While too many wait for that, nothing is read. */
#include "pool/notify-sender.h"
#include "pool/notify.h"
#include "pool/pool-internal.h"

#include "base/alloc.h"
#include "base/fd.h"
#include "priority.h"
#include "process/closer.h"
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define EARLY_MAX 64u
#define EARLY_TRIES 5u
#define EARLY_FIRST USEC_PER_MSEC
#define STUCK_REST (100 * USEC_PER_MSEC)

typedef struct EarlyMessage {
        pid_t pid; /* of the keeper's child, not yet known to droverd */
        NotifyMessage said; /* its .status, when there is one, is @status */
        char status[NOTIFY_STATUS_MAX];
} EarlyMessage;

struct NotifySocket {
        PoolSet *pools;
        sd_event *event;
        Closer *closer;
        sd_event_source *source, *again;
        sd_event_source *rest; /* while it runs, nothing is read */
        usec_t read_at;    /* CLOCK_MONOTONIC: when the last turn was over */
        unsigned n_in_row; /* datagrams since there was a pause of NOTIFY_REST */
        int fd;
        char *cgroup_base; /* "/…/drover-KEEPER/"; NULL: no cgroup v2 */
        uint64_t n_ignored;
        EarlyMessage early[EARLY_MAX];
        unsigned n_early, n_tries;
};

/* ---- what it says ---- */

static bool early_deliver(NotifySocket *n, EarlyMessage *e) {
        Worker *w = notify_sender_by_pid(n->pools->world.keeper, e->pid);

        if (e->said.status)
                e->said.status = e->status; /* it may have moved in the list */
        if (w)
                worker_hear(w, &e->said);
        return w != NULL;
}

static int early_dispatch(sd_event_source *source, uint64_t usec, void *userdata);

static void early_arm(NotifySocket *n) {
        usec_t due = usec_add(clock_now(), EARLY_FIRST << (2 * n->n_tries));

        n->again = sd_event_source_disable_unref(n->again);
        if (sd_event_add_time(n->event, &n->again, CLOCK_MONOTONIC, due, EARLY_FIRST, early_dispatch, n) >= 0)
                (void) sd_event_source_set_priority(n->again, PRIORITY_TIMER);
}

static int early_dispatch(sd_event_source *source, uint64_t usec, void *userdata) {
        NotifySocket *n = userdata;
        unsigned kept = 0;

        n->again = sd_event_source_disable_unref(n->again);
        for (unsigned i = 0; i < n->n_early; i++)
                if (!early_deliver(n, n->early + i))
                        n->early[kept++] = n->early[i];
        n->n_early = kept;
        if (kept > 0 && ++n->n_tries < EARLY_TRIES) {
                early_arm(n);
                return 0;
        }
        n->n_ignored += kept;
        n->n_early = 0;
        return 0;
}

static void early_keep(NotifySocket *n, pid_t pid, const NotifyMessage *m) {
        EarlyMessage *e;

        if (n->n_early >= EARLY_MAX) {
                n->n_ignored++;
                return;
        }
        e = n->early + n->n_early++;
        *e = (EarlyMessage){.pid = pid, .said = *m};
        if (m->status)
                memcpy(e->status, m->status, m->status_length);
        n->n_tries = 0;
        early_arm(n);
}

static void notify_handle(NotifySocket *n, pid_t pid, const char *text, size_t size) {
        NotifyMessage m;
        pid_t top = 0;
        Worker *w = notify_sender_find(n->pools, n->cgroup_base, pid, &top);

        if ((!w && top == 0) || notify_parse(text, size, &m) < 0)
                n->n_ignored++;
        else if (w)
                worker_hear(w, &m);
        else
                early_keep(n, top, &m);
}

/* ---- the socket ---- */

/* One datagram. Return: 1; 0 when there is none left; -errno. */
static int notify_receive(NotifySocket *n) {
        char text[NOTIFY_MESSAGE_MAX];
        union {
                struct cmsghdr align;
                char bytes[CLOSER_CONTROL_SPACE];
        } control;
        struct iovec iov = {.iov_base = text, .iov_len = sizeof text};
        struct msghdr m = {
                .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
        struct ucred sender = {0};
        ssize_t size = recvmsg(n->fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

        if (size < 0)
                return errno == EAGAIN ? 0 : errno == EINTR ? 1 : -errno;
        (void) closer_collect(n->closer, &m);
        for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c))
                if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_CREDENTIALS &&
                    c->cmsg_len == CMSG_LEN(sizeof sender))
                        memcpy(&sender, CMSG_DATA(c), sizeof sender);
        if (sender.pid <= 0 || (m.msg_flags & MSG_TRUNC))
                n->n_ignored++;
        else
                notify_handle(n, sender.pid, text, (size_t) size);
        return 1;
}

static int rest_dispatch(sd_event_source *source, uint64_t usec, void *userdata) {
        NotifySocket *n = userdata;

        n->rest = sd_event_source_disable_unref(n->rest);
        (void) sd_event_source_set_enabled(n->source, SD_EVENT_ON);
        return 0;
}

/* Its priority is the highest: as long as there is something to read, nobody else would have a turn. Where there is
 * no memory for a timer the flood goes on, at the lowest priority. */
static void notify_rest(NotifySocket *n, usec_t span) {
        usec_t due = usec_add(clock_now(), span);

        if (sd_event_add_time(n->event, &n->rest, CLOCK_MONOTONIC, due, NOTIFY_REST, rest_dispatch, n) < 0) {
                (void) sd_event_source_set_priority(n->source, PRIORITY_WATCHDOG);
                return;
        }
        (void) sd_event_source_set_priority(n->rest, PRIORITY_NOTIFY);
        (void) sd_event_source_set_enabled(n->source, SD_EVENT_OFF);
}

/* The queue of the socket is short (net.unix.max_dgram_qlen), so a flood is many turns with a few datagrams each and no
 * pause in between. */
static void notify_count(NotifySocket *n, unsigned n_read, usec_t began) {
        if (usec_sub(began, n->read_at) >= NOTIFY_REST)
                n->n_in_row = 0; /* others had their time */
        n->n_in_row += n_read;
        if (n->n_in_row >= NOTIFY_BUDGET) {
                n->n_in_row = 0;
                notify_rest(n, NOTIFY_REST);
        } else
                (void) sd_event_source_set_priority(n->source, PRIORITY_NOTIFY);
        n->read_at = clock_now();
}

static int notify_dispatch(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        NotifySocket *n = userdata;
        usec_t began = clock_now();
        unsigned n_read = 0;
        uint64_t limit;

        if (closer_is_stuck(n->closer)) {
                notify_rest(n, STUCK_REST);
                return 0;
        }
        limit = closer_open_margin();
        while (n_read < NOTIFY_BUDGET && !closer_is_stuck(n->closer) && notify_receive(n) > 0) /* an error of one is gone with it */
                n_read++;
        closer_close_margin(limit);
        closer_flush(n->closer);
        notify_count(n, n_read, began);
        return 0;
}

int notify_bind(const char *path, int *ret_fd) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        _cleanup_fd_ int fd = -EBADF;

        if (strlen(path) >= sizeof address.sun_path)
                return -ENAMETOOLONG;
        memcpy(address.sun_path, path, strlen(path) + 1);
        fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return -errno;
        if (unlink(path) < 0 && errno != ENOENT)
                return -errno;
        if (bind(fd, (struct sockaddr *) &address, sizeof address) < 0)
                return -errno;
        if (chmod(path, 0666) < 0) /* workers of any user; who speaks is checked for each message */
                return -errno;
        *ret_fd = TAKE_FD(fd);
        return 0;
}

int notify_new(NotifySocket **ret, sd_event *event, PoolSet *pools, int fd_consume) {
        _cleanup_(notify_freep) NotifySocket *n = NEW0(NotifySocket);
        const int on = 1;
        int r;

        if (!n) {
                fd_close(fd_consume);
                return -ENOMEM;
        }
        n->fd = fd_consume;
        n->pools = pools;
        n->event = event;
        n->cgroup_base = notify_sender_cgroup_base(keeper_link_hello(pools->world.keeper)->hello.keeper_pid);
        if (setsockopt(n->fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof on) < 0)
                return -errno;
        r = closer_new(&n->closer, event);
        if (r >= 0)
                r = sd_event_add_io(event, &n->source, n->fd, EPOLLIN, notify_dispatch, n);
        if (r >= 0)
                r = sd_event_source_set_priority(n->source, PRIORITY_NOTIFY);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(n);
        return 0;
}

NotifySocket *notify_free(NotifySocket *n) {
        if (!n)
                return NULL;
        sd_event_source_disable_unref(n->source);
        sd_event_source_disable_unref(n->again);
        sd_event_source_disable_unref(n->rest);
        fd_close(n->fd);
        closer_free(n->closer);
        free(n->cgroup_base);
        free(n);
        return NULL;
}

uint64_t notify_n_ignored(const NotifySocket *n) {
        return n->n_ignored;
}
