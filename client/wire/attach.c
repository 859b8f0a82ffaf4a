/* attach.c - see attach.h. */
#include "wire/attach.h"

#include "base/alloc.h"
#include "base/fd.h"
#include <sys/socket.h>

int attach_put(AttachQueue *q, size_t at, int fd_take) {
        int r;

        if (q->n >= ATTACH_FDS_MAX && q->items[q->n - ATTACH_FDS_MAX].at == at)
                return -E2BIG;
        r = alloc_grow(&q->items, &q->capacity, q->n + 1, sizeof *q->items);
        if (r < 0)
                return r;
        q->items[q->n++] = (Attachment){.at = at, .fd = fd_take};
        return 0;
}

/* The first @n are gone, and @size bytes. */
static void forget_first(AttachQueue *q, size_t n, size_t size) {
        for (size_t i = 0; i < n; i++)
                (void) fd_close(q->items[i].fd);
        q->n -= n;
        memmove(q->items, q->items + n, q->n * sizeof *q->items);
        for (size_t i = 0; i < q->n; i++)
                q->items[i].at -= size;
        if (q->n == 0)
                attach_done(q);
}

ssize_t attach_send(AttachQueue *q, int fd, const char *data, size_t size) {
        char control[CMSG_SPACE(ATTACH_FDS_MAX * sizeof(int))] __attribute__((aligned(8)));
        size_t n = 0;
        struct iovec v = {.iov_base = (char *) data, .iov_len = size};
        struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};
        ssize_t sent;

        while (n < q->n && n < ATTACH_FDS_MAX && q->items[n].at == 0)
                n++;
        if (n < q->n)
                v.iov_len = MIN(size, q->items[n].at);
        if (n > 0) {
                struct cmsghdr *c = (struct cmsghdr *) control;

                memset(control, 0, sizeof control);
                *c = (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(n * sizeof(int))};
                for (size_t i = 0; i < n; i++)
                        memcpy(CMSG_DATA(c) + i * sizeof(int), &q->items[i].fd, sizeof(int));
                m.msg_control = control;
                m.msg_controllen = CMSG_SPACE(n * sizeof(int));
        }
        do
                sent = sendmsg(fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
        while (sent < 0 && errno == EINTR);
        if (sent < 0)
                return -errno;
        if (sent > 0 && q->n > 0)
                forget_first(q, n, (size_t) sent);
        return sent;
}

void attach_cut(AttachQueue *q, size_t at) {
        while (q->n > 0 && q->items[q->n - 1].at >= at)
                (void) fd_close(q->items[--q->n].fd);
}

void attach_done(AttachQueue *q) {
        attach_cut(q, 0);
        free(q->items);
        *q = (AttachQueue){0};
}

/* ---- received ---- */

ssize_t attach_receive(AttachReceived *r, int fd, void *buf, size_t size, int flags) {
        char control[CMSG_SPACE(ATTACH_FDS_MAX * sizeof(int))] __attribute__((aligned(8)));
        struct iovec v = {.iov_base = buf, .iov_len = size};
        struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
        ssize_t n;
        int error;

        do
                n = recvmsg(fd, &m, flags | MSG_CMSG_CLOEXEC);
        while (n < 0 && errno == EINTR);
        if (n < 0)
                return -errno;
        error = fd_received(&m, r->fds, &r->n, ARRAY_SIZE(r->fds));
        return error < 0 ? error : n;
}

int attach_take(AttachReceived *r) {
        int fd;

        if (r->n == 0)
                return -ENOENT;
        fd = r->fds[0];
        memmove(r->fds, r->fds + 1, --r->n * sizeof(int));
        return fd;
}

void attach_received_done(AttachReceived *r) {
        fd_close_many(r->fds, r->n);
        r->n = 0;
}
