/* log-worker.h - the outputs of one process: a slot and generation of the keeper, one or two pipes.
 *
 * Owner: Logger. Lives from ATTACH until all pipes are at their end (or given up) and written; then on_done, which
 * tells the keeper and frees it. An idle one takes well under 1 KiB and no descriptor but its pipes. */
#ifndef DROVER_LOGGER_LOG_WORKER_H
#define DROVER_LOGGER_LOG_WORKER_H

#include "link/logger-protocol.h"
#include "logger/log-stream.h"

typedef struct LogWorkerKey {
        uint64_t generation;
        uint64_t slot;
} LogWorkerKey;

typedef struct LogWorker LogWorker;
struct LogWorker {
        LogWorkerKey key;
        UT_hash_handle hh; /* in the owner's table */
        LogTarget target;
        LogStream streams[2];
        LoopTimer linger;
        LogWorker *next_done; /* list of those whose DETACHED waits for the line */
        void (*on_done)(LogWorker *w, void *userdata);
        void *userdata;
};

/**
 * log_worker_new() - for one ATTACH
 * @m:   in, borrowed; its spec is copied
 * @fds: one for each bit of m->attach.streams, stdout first; taken over and closed also on failure (each becomes -EBADF)
 * @writer: a number no other process's output has in this life of the logger
 * Return: 0; -EINVAL for a spec without pipes, -ENOMEM, epoll errors. on_done is not called from here.
 */
int log_worker_new(LogWorker **ret, LogCopier *copier, const LoggerMessage *m, int *fds, size_t n_fds, uint64_t writer);
LogWorker *log_worker_free(LogWorker *w);
DEFINE_CLEANUP(LogWorker, log_worker_free);
bool log_worker_is_done(const LogWorker *w);
#define LOG_JOURNAL_LINGER_USEC (500 * USEC_PER_MSEC) /* for a journald that has not been there since */
/** log_worker_linger() - the process is gone: give its pipes up after @usec, whoever may still hold them; sooner where all
 * that is left waits for a journald that is away */
void log_worker_linger(LogWorker *w, usec_t usec);
/** log_worker_respec() - other bounds, from the next byte on */
void log_worker_respec(LogWorker *w, const LogSpec *spec);
void log_worker_give_up(LogWorker *w); /* now; may call on_done */

#endif
