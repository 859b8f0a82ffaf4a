/* listen-open.h - one listening socket, made. It is not non-blocking: what accepts on it decides that for itself. */
#ifndef DROVER_POOL_LISTEN_OPEN_H
#define DROVER_POOL_LISTEN_OPEN_H

#include "config/config.h"

/**
 * listen_open() - make the socket of @c; a stale Unix socket file is replaced, one that answers is not
 * Return: a descriptor; -EADDRINUSE; -EACCES (a port below 1024 without the capability); -EADDRNOTAVAIL; -EEXIST when the
 * path is something else than a socket; the rest of socket(2), bind(2), listen(2), chown(2).
 */
int listen_open(const ListenConfig *c);
/** listen_adjust() - backlog, mode and owner of @c on an open socket */
int listen_adjust(int fd, const ListenConfig *c);
/** listen_identity() - sockets of one identity are the same one: hash of kind, address, reuse_port, freebind, pool and slot */
uint64_t listen_identity(const ListenConfig *c, const char *pool, unsigned slot);
const char *listen_kind_to_string(ListenKind k); /* "tcp" "udp" "unix" */

#endif
