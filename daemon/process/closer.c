/* closer.c - see its header. The child is a fork: droverd has one thread, and the child only closes and exits. It waits for
 * the end of a pipe first, so that it, not the parent, closes last. */
#include "process/closer.h"
#include "base/alloc.h"
#include "base/fd.h"
#include "base/log.h"
#include "priority.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83
#endif

#define DRAIN_BYTES (64u * 1024)
#define WAITING_STUCK 1024u     /* descriptors that wait for a child */

typedef struct CloserChild {
        Closer *closer;
        pid_t pid;
        int pidfd;
        sd_event_source *source;
} CloserChild;

struct Closer {
        sd_event *event;
        bool is_forced, is_needed;
        int *waiting; /* descriptors still open here */
        size_t n_waiting, waiting_capacity;
        CloserChild children[CLOSER_CHILDREN_MAX];
};

int closer_new(Closer **ret, sd_event *event) {
        const char *value = getenv(CLOSER_VARIABLE);
        Closer *c = NEW0(Closer);

        if (!c)
                return -ENOMEM;
        c->event = event;
        c->is_forced = value && streq(value, "off");
        *ret = c;
        return 0;
}

static void child_forget(CloserChild *child) {
        sd_event_source_disable_unref(child->source);
        fd_close(child->pidfd);
        *child = (CloserChild){0};
}

Closer *closer_free(Closer *c) {
        if (!c)
                return NULL;
        for (size_t i = 0; i < CLOSER_CHILDREN_MAX; i++)
                if (c->children[i].pid > 0)
                        child_forget(&c->children[i]);
        fd_close_many(c->waiting, c->n_waiting);
        free(c->waiting);
        free(c);
        return NULL;
}

void closer_guard(Closer *c, int listen_fd) {
        int is_on = c->is_forced;

        if (setsockopt(listen_fd, SOL_SOCKET, SO_PASSRIGHTS, &is_on, sizeof(is_on)) < 0 || c->is_forced)
                c->is_needed = true;
}

bool closer_is_needed(const Closer *c) {
        return c->is_needed;
}

bool closer_is_stuck(const Closer *c) {
        return c->n_waiting >= WAITING_STUCK;
}

/* ---- the child ---- */

static int compare_fds(const void *a, const void *b) {
        return *(const int *) a - *(const int *) b;
}

/* In the child: everything that is the daemon's is let go, so that nobody waits for it when this one hangs. */
static _noreturn_ void child_main(const int *keep, size_t n, int pipe_fd) {
        unsigned from = 0;
        char byte;

        (void) prctl(PR_SET_NAME, "drover-closer", 0, 0, 0);
        (void) prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
        for (size_t i = 0; i < n; i++) {
                if ((unsigned) keep[i] > from)
                        (void) syscall(SYS_close_range, from, (unsigned) keep[i] - 1, 0);
                from = (unsigned) keep[i] + 1;
        }
        (void) syscall(SYS_close_range, from, ~0u, 0);
        while (read(pipe_fd, &byte, 1) < 0 && errno == EINTR)
                ;
        _exit(0);
}

static int child_dispatch(sd_event_source *s, int fd, uint32_t revents, void *userdata);

/* The waiting ones are the child's to close; -errno: they still wait. */
static int child_start(Closer *c, CloserChild *child) {
        _cleanup_fd_ int reading = -EBADF, writing = -EBADF, pidfd = -EBADF;
        int ends[2], r;
        pid_t pid;

        r = alloc_grow(&c->waiting, &c->waiting_capacity, c->n_waiting + 1, sizeof(int));
        if (r < 0)
                return r;
        if (pipe2(ends, O_CLOEXEC) < 0)
                return -errno;
        reading = ends[0];
        writing = ends[1];
        c->waiting[c->n_waiting] = reading;
        qsort(c->waiting, c->n_waiting + 1, sizeof(int), compare_fds);
        pid = fork();
        if (pid == 0)
                child_main(c->waiting, c->n_waiting + 1, reading);
        r = pid < 0 ? -errno : 0;
        for (size_t i = 0; i < c->n_waiting; i++) /* the pipe's end out of the row again */
                if (c->waiting[i] == reading) {
                        memmove(c->waiting + i, c->waiting + i + 1, (c->n_waiting - i) * sizeof(int));
                        break;
                }
        if (r < 0)
                return r;
        fd_close_many(c->waiting, c->n_waiting); /* not the last references: the child has them, until `writing` is closed */
        c->n_waiting = 0;
        pidfd = (int) syscall(SYS_pidfd_open, pid, 0);
        if (pidfd >= 0)
                (void) sd_event_add_io(c->event, &child->source, pidfd, EPOLLIN, child_dispatch, child);
        if (!child->source) /* cannot be waited for without blocking: it stays a zombie until the daemon ends */
                return 0;
        *child = (CloserChild){.closer = c, .pid = pid, .pidfd = TAKE_FD(pidfd), .source = child->source};
        return 0;
}

void closer_flush(Closer *c) {
        for (size_t i = 0; i < CLOSER_CHILDREN_MAX && c->n_waiting > 0; i++)
                if (c->children[i].pid == 0 && child_start(c, &c->children[i]) < 0)
                        return;
}

static int child_dispatch(sd_event_source *s, int fd, uint32_t revents, void *userdata) {
        CloserChild *child = userdata;
        Closer *c = child->closer;
        siginfo_t info;

        (void) waitid(P_PID, (id_t) child->pid, &info, WEXITED | WNOHANG);
        child_forget(child);
        closer_flush(c);
        return 0;
}

/* ---- what came ---- */

/* Without memory they are closed here, come what may: a rare double misfortune. */
static void give(Closer *c, const int *fds, size_t n) {
        for (size_t i = 0; i < n; i++) {
                if (alloc_grow(&c->waiting, &c->waiting_capacity, c->n_waiting + 1, sizeof(int)) >= 0)
                        c->waiting[c->n_waiting++] = fds[i];
                else
                        fd_close(fds[i]);
        }
}

/* The end of a pipe goes at once, and fcntl(2) says what it is without asking a file system. */
static bool is_pipe(int fd) {
        return fcntl(fd, F_GETPIPE_SZ) >= 0;
}

size_t closer_collect(Closer *c, struct msghdr *m) {
        size_t n = 0;

        for (struct cmsghdr *h = CMSG_FIRSTHDR(m); h; h = CMSG_NXTHDR(m, h)) {
                const int *fds = (const int *) CMSG_DATA(h);
                size_t n_fds = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);

                if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
                        continue;
                n += n_fds;
                for (size_t i = 0; i < n_fds; i++)
                        if (is_pipe(fds[i]))
                                fd_close(fds[i]);
                        else
                                give(c, fds + i, 1);
        }
        return n;
}

static void limit_set(rlim_t soft) {
        struct rlimit limit;

        if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == soft)
                return;
        limit.rlim_cur = MIN(soft, limit.rlim_max);
        (void) setrlimit(RLIMIT_NOFILE, &limit);
}

void closer_keep_margin(void) {
        struct rlimit limit;

        if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_max / 4 < CLOSER_MARGIN)
                return;
        limit_set(MIN(limit.rlim_cur, limit.rlim_max - CLOSER_MARGIN));
}

uint64_t closer_open_margin(void) {
        struct rlimit limit = {.rlim_cur = RLIM_INFINITY};

        if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
                limit_set(limit.rlim_max);
        return limit.rlim_cur;
}

void closer_close_margin(uint64_t limit) {
        if (limit != RLIM_INFINITY)
                limit_set(limit);
}

static ssize_t receive(Closer *c, int fd, void *buf, size_t size, size_t *ret_n_fds) {
        union {
                struct cmsghdr align;
                char bytes[CLOSER_CONTROL_SPACE];
        } control;
        struct iovec iov = {.iov_base = buf, .iov_len = size};
        struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
        uint64_t limit = closer_open_margin();
        ssize_t n = recvmsg(fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        int saved = errno;

        closer_close_margin(limit);
        if (n >= 0)
                *ret_n_fds += closer_collect(c, &m);
        errno = saved;
        return n;
}

ssize_t closer_receive(Closer *c, int fd, void *buf, size_t size, size_t *ret_n_fds) {
        ssize_t n;
        int saved;

        *ret_n_fds = 0;
        if (!c->is_needed)
                return recv(fd, buf, size, MSG_DONTWAIT);
        n = receive(c, fd, buf, size, ret_n_fds);
        saved = errno;
        closer_flush(c);
        errno = saved;
        return n;
}

/* After shutdown(2) nothing more can come, so that read empty is empty. */
void closer_close(Closer *c, int fd_take) {
        static char bin[DRAIN_BYTES];
        size_t n_fds = 0;
        ssize_t n;

        if (!c->is_needed || fd_take < 0) {
                fd_close(fd_take);
                return;
        }
        (void) shutdown(fd_take, SHUT_RDWR);
        if (closer_is_stuck(c)) { /* with all that is in it */
                give(c, &fd_take, 1);
                return;
        }
        do
                n = receive(c, fd_take, bin, sizeof(bin), &n_fds);
        while (n > 0 || (n < 0 && errno == EINTR));
        fd_close(fd_take);
        closer_flush(c);
}
