/* backlog.h - how much waits in a socket for a worker to take it; what the kernel tells anybody who holds the socket. */
#ifndef DROVER_POOL_BACKLOG_H
#define DROVER_POOL_BACKLOG_H

#include "base/macro.h"

/**
 * backlog_read() - connections that are complete and not accepted yet; of a datagram socket 1 when anything waits
 * TCP: TCP_INFO, whose tcpi_unacked is the length of the queue for a listening socket. Unix: one question to sock_diag(7),
 * a netlink socket that needs no privilege. UDP: SO_MEMINFO, the bytes received. Return: the number; -errno.
 */
int backlog_read(int fd);

#endif
