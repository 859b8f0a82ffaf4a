/* fd.h - descriptors: close, flags, and packets with descriptors attached. */
#ifndef DROVER_BASE_FD_H
#define DROVER_BASE_FD_H

#include "base/macro.h"
#include <sys/types.h>

/** fd_close() - close if >= 0, keeping errno; returns -EBADF: `fd = fd_close(fd);` */
int fd_close(int fd);
static inline void fd_closep(int *fd) {
        *fd = fd_close(*fd);
}
#define _cleanup_fd_ _cleanup_(fd_closep)
void fd_close_many(int *fds, size_t n); /* each becomes -EBADF */

int fd_set_nonblock(int fd, bool on);
int fd_set_cloexec(int fd, bool on);
/** fd_move_above_stdio() - @fd_consume, or a duplicate > 2 with it closed; close-on-exec. -errno: @fd_consume stays open. */
int fd_move_above_stdio(int fd_consume);
/** fd_sanitize_stdio() - open /dev/null on whichever of 0, 1, 2 is closed. */
int fd_sanitize_stdio(void);
/** fd_raise_limit() - raise the soft limit of descriptors to the hard one; the old soft limit in *ret_old. */
int fd_raise_limit(uint64_t *ret_old, uint64_t *ret_now);

struct msghdr;
/** fd_received() - append the descriptors of @m, which recvmsg(2) filled, to @fds, the caller's. -EPROTO: more than @max in
 *  all; those beyond are closed. */
int fd_received(struct msghdr *m, int *fds, size_t *n, size_t max);

#define PACKET_FDS_MAX 32 /* a launch: its request and LAUNCH_FDS_MAX more */
/**
 * packet_send() - one SOCK_SEQPACKET message with up to PACKET_FDS_MAX descriptors (borrowed), no SIGPIPE
 * Return: 0; -EAGAIN when the buffer is full; -EPIPE and the rest of sendmsg(2).
 */
int packet_send(int fd, const void *data, size_t size, const int *fds, size_t n_fds);
/**
 * packet_recv() - one message; descriptors are close-on-exec and the caller's, surplus ones are closed
 * Return: bytes > 0; 0 at the peer's end; -EAGAIN when there is none; -EMSGSIZE when it was cut (consumed,
 * descriptors closed); the rest of recvmsg(2).
 */
ssize_t packet_recv(int fd, void *data, size_t size, int *ret_fds, size_t max_fds, size_t *ret_n_fds);

#define PACKETS_MAX 8
typedef struct Packet {
        void *data;
        size_t size;
        ssize_t result; /* as packet_recv() */
        int fd;         /* the first descriptor, the caller's; -EBADF: none came */
} Packet;
/** packet_recv_many() - up to @n messages, at most PACKETS_MAX, in one go
 *  Return: how many; fewer than asked for: there were no more. -EAGAIN when there is none; the rest of recvmmsg(2). */
int packet_recv_many(int fd, Packet *packets, size_t n);
/** packet_pair() - a non-blocking, close-on-exec SOCK_SEQPACKET pair with large buffers. */
int packet_pair(int ret_fds[2]);

#endif
