/* connect.h - from a path to a connected socket. No state. */
#ifndef DROVER_LIB_CONNECT_H
#define DROVER_LIB_CONNECT_H

#include "drover.h"

/** connect_socket() - connect to @path; the descriptor in *ret_fd is the caller's. Return: as
 * drover_connect(). */
int connect_socket(const char *path, int *ret_fd, drover_error **ret_error);

#endif
