/* notify-relay.h - sd_notify by hand: the keeper is the main process that systemd listens to. Owner: the Keeper. */
#ifndef DROVER_KEEPER_NOTIFY_RELAY_H
#define DROVER_KEEPER_NOTIFY_RELAY_H

#include "base/macro.h"
#include <sys/socket.h>
#include <sys/un.h>

typedef struct NotifyRelay {
        int fd; /* -EBADF: nobody listens */
        struct sockaddr_un address;
        socklen_t address_size;
} NotifyRelay;

/** notify_relay_open() - @address as $NOTIFY_SOCKET gives it: a path, or @name for an abstract one; NULL is fine. */
void notify_relay_open(NotifyRelay *n, const char *address);
/** notify_relay_send() - one datagram of lines "A=1\nB=2"; never blocks; what systemd does not take now is lost. */
void notify_relay_send(const NotifyRelay *n, const char *text);
void notify_relay_done(NotifyRelay *n);

#endif
