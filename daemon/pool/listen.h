/* listen.h - the listening sockets of a pool: opened once by droverd, handed to every worker.
 *
 * Owner: Pool, and while it is replaced a few workers at a time also its Rolling, for the former configuration. A socket is
 * counted: two sets of one pool share those that both want, so that an address stays open over a change. The keeper holds
 * a duplicate of each over droverd's own death, under "listen.POOL.SOCKET.SLOT.IDENTITY". With the last set that wants it,
 * a socket is closed, dropped by the keeper, and its file is unlinked. */
#ifndef DROVER_POOL_LISTEN_H
#define DROVER_POOL_LISTEN_H

#include "config/config.h"
#include "process/keeper-link.h"

typedef struct Pool Pool;
typedef struct PoolSet PoolSet;
typedef struct ListenSet ListenSet;

#define LISTEN_SOCKETS_MAX (KEEPER_KEPT_MAX - 64u) /* of all pools: the keeper must hold them */
#define LISTEN_FAULT_MAX 384

/**
 * listen_set_new() - the sockets that @c wants for slots 0 .. c->workers-1; NULL in *ret when it wants none
 * @share: a set of the same pool (or NULL), whose sockets of the same identity are taken.
 * @lazy: what cannot be opened now is tried again with each launch that needs it.
 * Return: 0; -errno of the first that could not be opened, with a sentence in @fault, and without @lazy nothing was made.
 */
int listen_set_new(ListenSet **ret, PoolSet *s, PoolConfig *c, ListenSet *share, bool lazy, char fault[static LISTEN_FAULT_MAX]);
ListenSet *listen_set_free(ListenSet *l);
DEFINE_CLEANUP(ListenSet, listen_set_free);

/**
 * listen_set_fds() - the descriptors for a worker in @slot, borrowed, in the order of the configuration
 * Opens what is missing. Return: their number; -errno, with the index of the socket in *ret_index.
 */
int listen_set_fds(ListenSet *l, unsigned slot, int fds[static LISTEN_MAX], size_t *ret_index);
/** listen_set_forget_slot() - its slot is gone: so are the sockets that were its own */
void listen_set_forget_slot(ListenSet *l, unsigned slot);
/** listen_describe() - "cannot listen on 0.0.0.0:80 (socket http): Address already in use". In @buf. */
void listen_describe(const ListenConfig *c, int error, char *buf, size_t size);

/** listen_set_watch() - call @cb once when anything arrives at one of them; again with the next watch. */
int listen_set_watch(ListenSet *l, sd_event *event, void (*cb)(void *userdata), void *userdata);
void listen_set_unwatch(ListenSet *l);
/** listen_set_backlog() - connections that wait in the sockets that are open; see backlog.h */
unsigned listen_set_backlog(const ListenSet *l);

/** pool_set_unlisten() - the end: close the sockets of all pools but those whose workers are kept (on_daemon_exit). What is
 *  freed without it stays with the keeper. */
void pool_set_unlisten(PoolSet *s);
/** pool_set_inherit() - what the keeper kept over droverd's death (NULL: that is over); what nobody took is closed for good */
void pool_set_inherit(PoolSet *s, KeeperTable *t);

#endif
