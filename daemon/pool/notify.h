/* notify.h - the sd_notify(3) socket: what workers say about themselves.
 *
 * Owner: Supervisor, which binds it once and has the descriptor kept over droverd's own death: what a worker says in
 * the gap waits in the socket, and what was taken off it is kept until its effect is on record. The kernel's credentials
 * (SCM_CREDENTIALS) say who speaks, never the message: the sender is a worker's process, or one of its tree (by cgroup
 * leaf, else by parentage). Who is neither is counted and ignored. After NOTIFY_BUDGET datagrams without a pause the
 * socket rests for NOTIFY_REST, so that a worker that never stops talking keeps nobody else waiting. */
#ifndef DROVER_POOL_NOTIFY_H
#define DROVER_POOL_NOTIFY_H

#include "pool/pool.h"

#define NOTIFY_BUDGET 64u
#define NOTIFY_REST USEC_PER_MSEC
#define NOTIFY_MESSAGE_MAX 4096u /* bytes; longer ones are ignored */
#define NOTIFY_STATUS_MAX 256u   /* bytes of STATUS= that are kept, cut at a character */

typedef struct NotifySocket NotifySocket;
typedef struct NotifyRing NotifyRing;
typedef struct NotifyMessage NotifyMessage;

typedef struct NotifyNumber {
        bool is_said;
        uint64_t value;
} NotifyNumber;

/* What one datagram said. @status borrows from it: NULL when it said nothing, "" to clear. */
struct NotifyMessage {
        bool is_ready, is_stopping, is_reloading;
        bool is_alive;   /* WATCHDOG=1 */
        bool is_trigger; /* WATCHDOG=trigger: end me now */
        bool wants_store; /* FDSTORE=1: refused */
        const char *status;
        size_t status_length;
        NotifyNumber watchdog_usec, extend_usec; /* µs */
        NotifyNumber main_pid;                   /* refused: the main process is the one that was launched */
        NotifyNumber tasks;                      /* done so far, as the worker counts */
        NotifyNumber busy;                       /* 0, 1 */
        unsigned n_unknown; /* lines with other names: fine, ignored */
};

/**
 * notify_parse() - lines KEY=VALUE, strict: no NUL, no empty key, flags only as "1", numbers of digits, STATUS valid UTF-8
 * Pure. Return: 0; -EBADMSG when anything is wrong: then the whole datagram counts for nothing.
 */
int notify_parse(const char *text, size_t size, NotifyMessage *ret);

/** notify_bind() - a datagram socket at @path, mode 0666, a stale one replaced; for the keeper to keep. -errno. */
int notify_bind(const char *path, int *ret_fd);
/**
 * notify_new() - listen on @fd_consume; messages go to the workers of @pools (borrowed, outlives it)
 * @ring_consume: what is in it already was said to a life before, and is heard in the first turn of the loop.
 */
int notify_new(NotifySocket **ret, sd_event *event, PoolSet *pools, int fd_consume, NotifyRing *ring_consume);
/** notify_on_record() - what was heard so far has had its effect, and that is on record: it is forgotten. @n may be NULL. */
void notify_on_record(NotifySocket *n);
/** notify_move() - listen on @fd_consume instead: its path was made anew. -errno: on the old one as before. */
int notify_move(NotifySocket *n, int fd_consume);
NotifySocket *notify_free(NotifySocket *n);
DEFINE_CLEANUP(NotifySocket, notify_free);
uint64_t notify_n_ignored(const NotifySocket *n); /* from unknown senders, or not understood */

#endif
