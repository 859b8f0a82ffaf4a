/* notify-relay.c - datagrams to $NOTIFY_SOCKET. */
#include "keeper/notify-relay.h"
#include "base/fd.h"

void notify_relay_open(NotifyRelay *n, const char *address) {
        size_t length = address ? strlen(address) : 0;

        *n = (NotifyRelay) {.fd = -EBADF};
        if (length < 2 || length >= sizeof(n->address.sun_path) || (address[0] != '/' && address[0] != '@'))
                return;
        n->address.sun_family = AF_UNIX;
        memcpy(n->address.sun_path, address, length);
        n->address_size = (socklen_t) (offsetof(struct sockaddr_un, sun_path) + length);
        if (address[0] == '@')
                n->address.sun_path[0] = '\0';
        else
                n->address_size++;
        n->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

void notify_relay_send(const NotifyRelay *n, const char *text) {
        if (n->fd >= 0 && text[0])
                (void) sendto(n->fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT,
                              (const struct sockaddr *) &n->address, n->address_size);
}

void notify_relay_done(NotifyRelay *n) {
        n->fd = fd_close(n->fd);
}
