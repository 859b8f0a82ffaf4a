/* attach.h - descriptors that travel with the bytes of a stream socket (SCM_RIGHTS).
 *
 * Owner: who sends, beside his buffer of bytes to be sent. Each descriptor goes with one byte of it, the first of its
 * message. Who receives gets them in order, never later than that byte, and perhaps together with bytes before it: so
 * each message says how many are its own, and they are taken from a queue. */
#ifndef DROVER_WIRE_ATTACH_H
#define DROVER_WIRE_ATTACH_H

#include "base/macro.h"
#include <sys/types.h>

#define ATTACH_FDS_MAX 64u /* with one message; the kernel's bound is 253 */

typedef struct Attachment {
        size_t at; /* bytes before it that are not sent yet */
        int fd;
} Attachment;

typedef struct AttachQueue {
        Attachment *items;
        size_t n, capacity;
} AttachQueue;

/** attach_put() - behind those before; @at: not before theirs. @fd_take is the queue's on success. -E2BIG: ATTACH_FDS_MAX are
 *  there already; -ENOMEM. */
int attach_put(AttachQueue *q, size_t at, int fd_take);
/**
 * attach_send() - as send(2) without waiting, of the first of @data: no further than to the next byte with descriptors
 * What was sent is closed. Return: bytes; -errno.
 */
ssize_t attach_send(AttachQueue *q, int fd, const char *data, size_t size);
/** attach_cut() - bytes from @at on are not sent after all. */
void attach_cut(AttachQueue *q, size_t at);
void attach_done(AttachQueue *q);

/* What was received and not taken yet. */
typedef struct AttachReceived {
        int fds[4 * ATTACH_FDS_MAX];
        size_t n;
} AttachReceived;

/** attach_receive() - as recv(2) with @flags; descriptors go into @r, close-on-exec. -EPROTO: more than it holds; -errno. */
ssize_t attach_receive(AttachReceived *r, int fd, void *buf, size_t size, int flags);
/** attach_take() - the oldest, the caller's; -ENOENT when there is none. */
int attach_take(AttachReceived *r);
void attach_received_done(AttachReceived *r);

#endif
