/* fd.c - descriptors and packets. */
#include "base/fd.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define PACKET_BUFFER_BYTES (1 << 20) /* a burst of a thousand small notices fits without a stall */

int fd_close(int fd) {
        int saved = errno;

        /* EINTR leaves the descriptor closed on Linux, so there is nothing to repeat. */
        if (fd >= 0)
                (void) close(fd);
        errno = saved;
        return -EBADF;
}

void fd_close_many(int *fds, size_t n) {
        for (size_t i = 0; i < n; i++)
                fds[i] = fd_close(fds[i]);
}

static int flag_change(int fd, int get, int set, int flag, bool on) {
        int old = fcntl(fd, get);
        int wanted = on ? old | flag : old & ~flag;

        if (old < 0)
                return -errno;
        return wanted != old && fcntl(fd, set, wanted) < 0 ? -errno : 0;
}

int fd_set_nonblock(int fd, bool on) {
        return flag_change(fd, F_GETFL, F_SETFL, O_NONBLOCK, on);
}

int fd_set_cloexec(int fd, bool on) {
        return flag_change(fd, F_GETFD, F_SETFD, FD_CLOEXEC, on);
}

int fd_move_above_stdio(int fd_consume) {
        int copy, r;

        if (fd_consume > STDERR_FILENO) {
                r = fd_set_cloexec(fd_consume, true);
                return r < 0 ? r : fd_consume;
        }
        copy = fcntl(fd_consume, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
        if (copy < 0)
                return -errno;
        (void) fd_close(fd_consume);
        return copy;
}

int fd_sanitize_stdio(void) {
        for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
                int null;

                if (fcntl(fd, F_GETFD) >= 0)
                        continue;
                /* Lower numbers are in use, so open() gives exactly this one. */
                null = open("/dev/null", O_RDWR | O_NOCTTY); /* not close-on-exec: it is stdio */
                if (null < 0)
                        return -errno;
                if (null != fd) {
                        (void) fd_close(null);
                        return -EBADF;
                }
        }
        return 0;
}

int fd_raise_limit(uint64_t *ret_old, uint64_t *ret_now) {
        struct rlimit limit;
        uint64_t old;

        if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
                return -errno;
        old = limit.rlim_cur;
        limit.rlim_cur = limit.rlim_max;
        if (old != limit.rlim_cur && setrlimit(RLIMIT_NOFILE, &limit) < 0)
                return -errno;
        if (ret_old)
                *ret_old = old;
        if (ret_now)
                *ret_now = limit.rlim_cur;
        return 0;
}

typedef union PacketControl {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int) * PACKET_FDS_MAX)];
} PacketControl;

int packet_send(int fd, const void *data, size_t size, const int *fds, size_t n_fds) {
        struct iovec iov = {.iov_base = (void *) data, .iov_len = size};
        struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
        PacketControl control;
        ssize_t n;

        if (n_fds > PACKET_FDS_MAX || size == 0)
                return -EINVAL;
        if (n_fds > 0) {
                memset(&control, 0, sizeof(control));
                control.header.cmsg_level = SOL_SOCKET;
                control.header.cmsg_type = SCM_RIGHTS;
                control.header.cmsg_len = CMSG_LEN(sizeof(int) * n_fds);
                memcpy(CMSG_DATA(&control.header), fds, sizeof(int) * n_fds);
                message.msg_control = &control;
                message.msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
        }
        do
                n = sendmsg(fd, &message, MSG_NOSIGNAL);
        while (n < 0 && errno == EINTR);
        return n < 0 ? -errno : 0;
}

int fd_received(struct msghdr *m, int *fds, size_t *n, size_t max) {
        int error = 0;

        for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
                size_t n_here = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

                if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
                        continue;
                for (size_t i = 0; i < n_here; i++) {
                        int fd;

                        memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
                        if (*n < max) {
                                fds[(*n)++] = fd;
                                continue;
                        }
                        (void) fd_close(fd);
                        error = -EPROTO;
                }
        }
        return error;
}

/* The descriptors of @message, and whether it was cut. @n: its bytes. */
static ssize_t packet_unpack(struct msghdr *message, ssize_t n, int *ret_fds, size_t max_fds, size_t *ret_n_fds) {
        int fds[PACKET_FDS_MAX];
        size_t n_fds = 0;

        (void) fd_received(message, fds, &n_fds, MIN(max_fds, (size_t) PACKET_FDS_MAX));
        if (message->msg_flags & MSG_TRUNC) {
                fd_close_many(fds, n_fds);
                return -EMSGSIZE;
        }
        if (n_fds > 0)
                memcpy(ret_fds, fds, n_fds * sizeof(int));
        if (ret_n_fds)
                *ret_n_fds = n_fds;
        else
                fd_close_many(fds, n_fds);
        return n;
}

ssize_t packet_recv(int fd, void *data, size_t size, int *ret_fds, size_t max_fds, size_t *ret_n_fds) {
        struct iovec iov = {.iov_base = data, .iov_len = size};
        PacketControl control;
        struct msghdr message = {
                .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control),
        };
        ssize_t n;

        do
                n = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
        while (n < 0 && errno == EINTR);
        return n < 0 ? -errno : packet_unpack(&message, n, ret_fds, max_fds, ret_n_fds);
}

int packet_recv_many(int fd, Packet *packets, size_t n) {
        struct mmsghdr messages[PACKETS_MAX];
        struct iovec iov[PACKETS_MAX];
        PacketControl control[PACKETS_MAX];
        int k;

        n = MIN(n, (size_t) PACKETS_MAX);
        for (size_t i = 0; i < n; i++) {
                iov[i] = (struct iovec){.iov_base = packets[i].data, .iov_len = packets[i].size};
                messages[i].msg_hdr = (struct msghdr){.msg_iov = &iov[i], .msg_iovlen = 1, .msg_control = &control[i],
                                                      .msg_controllen = sizeof(control[i])};
        }
        do
                k = recvmmsg(fd, messages, (unsigned) n, MSG_CMSG_CLOEXEC | MSG_DONTWAIT, NULL);
        while (k < 0 && errno == EINTR);
        for (int i = 0; i < k; i++) {
                Packet *p = &packets[i];
                size_t n_fds = 0;

                p->fd = -EBADF;
                p->result = packet_unpack(&messages[i].msg_hdr, (ssize_t) messages[i].msg_len, &p->fd, 1, &n_fds);
        }
        return k < 0 ? -errno : k;
}

int packet_pair(int ret_fds[2]) {
        static const int size = PACKET_BUFFER_BYTES;
        int fds[2];

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) < 0)
                return -errno;
        for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
                /* FORCE needs CAP_NET_ADMIN; without it the system's bound holds, which is only slower. */
                if (setsockopt(fds[i], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) < 0)
                        (void) setsockopt(fds[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
                ret_fds[i] = fds[i];
        }
        return 0;
}
