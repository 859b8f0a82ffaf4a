/* request.h - a line of a peer becomes calls: JSON-RPC 2.0 requests, notifications and batches. */
#ifndef DROVER_CONTROL_REQUEST_H
#define DROVER_CONTROL_REQUEST_H

#include "control/connection.h"

/** request_handle() - parse and carry out one line. Return: how many requests it was, at least 1. */
unsigned request_handle(Connection *c, const char *line, size_t length);

#endif
