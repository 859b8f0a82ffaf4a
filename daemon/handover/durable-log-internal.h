/* durable-log-internal.h - shared by durable-log.c and durable-log-read.c. */
#ifndef DROVER_HANDOVER_DURABLE_LOG_INTERNAL_H
#define DROVER_HANDOVER_DURABLE_LOG_INTERNAL_H

#include "handover/durable-log.h"

#define DURABLE_NEWEST "tasks.log"

/** durable_open() - a regular file of ours that nobody else can write to. -EPERM: it is something else. */
int durable_open(int dir, const char *name, int flags);

#endif
