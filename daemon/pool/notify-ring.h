/* notify-ring.h - what workers said, from its receipt until its effect is on record, in memory that outlives droverd.
 *
 * Owner: NotifySocket. The kernel writes a datagram and its sender right into a slot of a memfd that the keeper holds, in the
 * one system call that takes it off the socket: whenever droverd is killed, it lies in the one or in the other. A slot is
 * taken when there is a sender in it, a word of the kernel's; so nothing of droverd's has to be done for that. It is
 * given back by notify_ring_release() when what it changed is on record. The next life finds what was not, in the order
 * in which it came; of the descriptors that came along only the numbers are left then, and nobody looks at those.
 *
 * A page of the memfd is there before the kernel is to write to it: a killed process gets no new ones. Room for
 * NOTIFY_RING_SLOTS words; the first free slot is taken, so that only as much memory is used as was ever needed at a time. */
#ifndef DROVER_POOL_NOTIFY_RING_H
#define DROVER_POOL_NOTIFY_RING_H

#include "base/clock.h"
#include "base/macro.h"
#include "link/keeper-protocol.h"
#include <sys/socket.h>

#define NOTIFY_RING_SLOTS 256u

typedef struct NotifyRing NotifyRing;

/* To whom a word was traced; kept with it, for then its sender may be gone. */
typedef struct NotifyOrigin {
        char worker[KEEPER_NAME_MAX]; /* "": not known yet */
        uint64_t generation;
        pid_t top; /* the keeper's child above the sender; 0: not known */
} NotifyOrigin;

/* One datagram. Borrowed from the ring until it is released. */
typedef struct NotifyWord NotifyWord;
struct NotifyWord {
        bool is_taken;
        pid_t sender;     /* 0: of another namespace */
        const char *text; /* not terminated */
        size_t size;      /* over NOTIFY_MESSAGE_MAX: it was cut */
        NotifyOrigin *origin;
        /* of this life, the caller's */
        bool is_heard;
        unsigned n_tries;
        usec_t again_at; /* CLOCK_MONOTONIC */
        NotifyWord *prev, *next;
};

/**
 * notify_ring_new() - @fd_consume: the memfd of the life before, or -1; one of another layout is passed over
 * *ret_fd_to_keep: a fresh memfd, the caller's, for the keeper; -EBADF: the keeper has it. Return: 0 or -errno.
 */
int notify_ring_new(NotifyRing **ret, int fd_consume, int *ret_fd_to_keep);
NotifyRing *notify_ring_free(NotifyRing *r);
DEFINE_CLEANUP(NotifyRing, notify_ring_free);
/**
 * notify_ring_receive() - one datagram of @socket, without waiting
 * @ret_control: what came along, valid until the release; descriptors are the caller's to close.
 * Return: 1; 0 when there is none; -ENOSPC when no slot is free: nothing was received; -errno of recvmsg(2).
 */
int notify_ring_receive(NotifyRing *r, int socket, struct msghdr *ret_control, NotifyWord **ret);
NotifyWord *notify_ring_first(const NotifyRing *r); /* the oldest; NULL: none */
NotifyWord *notify_ring_next(const NotifyWord *w);
void notify_ring_release(NotifyRing *r, NotifyWord *w);

#endif
