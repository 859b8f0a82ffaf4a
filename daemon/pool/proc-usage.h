/* proc-usage.h - what a process has used, from /proc; no descriptor stays open. */
#ifndef DROVER_POOL_PROC_USAGE_H
#define DROVER_POOL_PROC_USAGE_H

#include "base/macro.h"
#include <sys/types.h>

typedef struct ProcUsage {
        pid_t ppid;
        uint64_t cpu_usec;     /* user + system */
        uint64_t memory_bytes; /* resident */
} ProcUsage;

/** proc_usage_parse() - the text of /proc/PID/stat; pure. -EBADMSG. */
int proc_usage_parse(const char *stat, ProcUsage *ret);
/** proc_usage_read() - of a living process. -ENOENT or -ESRCH when it is gone. */
int proc_usage_read(pid_t pid, ProcUsage *ret);

#endif
