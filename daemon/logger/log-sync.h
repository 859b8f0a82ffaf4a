/* log-sync.h - one file brought to the disk, and nobody waits for the disk meanwhile.
 *
 * Embedded in the janitor. fsync(2) may take seconds, on a disk that hangs for ever, so a child does it: forked (the
 * logger is small: well below a millisecond), with two descriptors, the file and a pipe whose end tells of the child's. It
 * outlives a logger that is killed, does no harm, and is the keeper's to reap. */
#ifndef DROVER_LOGGER_LOG_SYNC_H
#define DROVER_LOGGER_LOG_SYNC_H

#include "logger/log-loop.h"
#include <sys/types.h>

typedef struct LogSync LogSync;
struct LogSync {
        LogLoop *loop; /* borrowed */
        LoopWatch watch;
        pid_t pid; /* 0: none is on its way */
        void (*on_done)(LogSync *s, int error); /* 0 or -errno of fsync; may start the next one */
};

void log_sync_init(LogSync *s, LogLoop *loop, void (*on_done)(LogSync *s, int error));
/** log_sync_start() - @fd is borrowed during the call. -errno of pipe(2), fork(2), epoll: on_done is not called. */
int log_sync_start(LogSync *s, int fd);
/** log_sync_stop() - nobody is interested any more */
void log_sync_stop(LogSync *s);
static inline bool log_sync_is_on(const LogSync *s) {
        return s->pid > 0;
}

#endif
