/* listener.h - the listening socket: accepts, asks the kernel who it is, refuses politely.
 *
 * Owner: Control. Without a free descriptor a reserve is given up to accept and refuse one caller, and the socket is
 * left alone for a while: a full table never makes the loop spin. */
#ifndef DROVER_CONTROL_LISTENER_H
#define DROVER_CONTROL_LISTENER_H

#include "base/macro.h"
#include "process/closer.h"
#include "control/peer.h"
#include <systemd/sd-event.h>

typedef struct Listener Listener;

/** listener_callback - a new peer. @fd_take, @peer_take: the callee's when it returns 0. Return: 0 or -errno as uid_book_enter(). */
typedef int (*listener_callback)(int fd_take, Peer *peer_take, void *userdata);

/** listener_new() - watch @fd_take (taken on success). @closer: closes those that are refused; borrowed. */
int listener_new(Listener **ret, sd_event *event, int fd_take, Closer *closer, listener_callback cb,
                 void *userdata);
Listener *listener_free(Listener *l);
DEFINE_CLEANUP(Listener, listener_free);

#endif
