/* closer.h - descriptors that strangers pass along, closed where nobody waits for it.
 *
 * Closing the last reference to a TCP socket with SO_LINGER, or to a file of FUSE, takes as long as its owner likes; and a
 * descriptor in a message is closed by whoever reads the message without taking it, or closes the socket it waits in. Since
 * Linux 6.16 a socket can refuse them (SO_PASSRIGHTS): then nothing of this is needed, and closer_close() is close(2).
 *
 * Before, every message is read with room for descriptors, and a peer's socket is shut down and read empty before it is
 * closed. What came is given to a child that does nothing but exit: in an exiting process the kernel does not linger, and
 * where it waits all the same it is that child which waits. Only a peer that passes descriptors costs a child.
 *
 * The notify socket cannot refuse them: a BARRIER=1 brings the end of a pipe and waits until it is closed. So there they are
 * collected in the same way; ends of pipes, which nothing keeps waiting, are closed at once.
 *
 * A descriptor for which no number is left is closed by the kernel, inside recvmsg(2). So CLOSER_MARGIN numbers are kept
 * from everything else and are there for the moment of receiving.
 *
 * Owners: Control, NotifySocket. At most CLOSER_CHILDREN_MAX children; what comes beyond waits, open, and meanwhile closer_is_stuck(). */
#ifndef DROVER_PROCESS_CLOSER_H
#define DROVER_PROCESS_CLOSER_H

#include "base/macro.h"
#include <sys/socket.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

typedef struct Closer Closer;

#define CLOSER_CHILDREN_MAX 8u
#define CLOSER_VARIABLE "DROVER_PASSRIGHTS" /* "off": as on a kernel without SO_PASSRIGHTS (tests) */

#define CLOSER_FDS_MAX 253u /* of one message: the kernel's SCM_MAX_FD */
#define CLOSER_CONTROL_SPACE (CMSG_SPACE(CLOSER_FDS_MAX * sizeof(int)) + CMSG_SPACE(sizeof(struct ucred)))
#define CLOSER_MARGIN 512u

int closer_new(Closer **ret, sd_event *event);
Closer *closer_free(Closer *c); /* children end by themselves */
DEFINE_CLEANUP(Closer, closer_free);
/** closer_guard() - have @listen_fd and all it accepts refuse descriptors, or remember that they do not. */
void closer_guard(Closer *c, int listen_fd);
bool closer_is_needed(const Closer *c);
/** closer_is_stuck() - so many children wait that no stranger should be let in. */
bool closer_is_stuck(const Closer *c);
/** closer_receive() - as recv(2) without waiting. *ret_n_fds: how many came along; they are gone already. */
ssize_t closer_receive(Closer *c, int fd, void *buf, size_t size, size_t *ret_n_fds);
/** closer_close() - a peer's socket. */
void closer_close(Closer *c, int fd_take);

/** closer_collect() - take the descriptors out of a received message. They wait until closer_flush(). Return: how many. */
size_t closer_collect(Closer *c, struct msghdr *m);
void closer_flush(Closer *c);

/** closer_keep_margin() - lower the soft limit of descriptors below a hard one that is large enough. Once, at the start. */
void closer_keep_margin(void);
/** closer_open_margin() - the soft limit up to the hard one; the old one is for closer_close_margin(). */
uint64_t closer_open_margin(void);
void closer_close_margin(uint64_t limit);

#endif
