/* logger.h - the whole program as one object: the keeper's line, the workers' outputs, droverd's line.
 *
 * Owner: main. The keeper speaks first: SCRATCH, then ATTACH for every live output. Whatever arrives is handled in order.
 * When the keeper is gone this program ends at once, between two blocks: a new keeper starts a new logger, and two readers
 * of one pipe would tear it. */
#ifndef DROVER_LOGGER_LOGGER_H
#define DROVER_LOGGER_LOGGER_H

#include "logger/log-peer.h"
#include "logger/log-untold.h"
#include "logger/log-worker.h"

#define LOGGER_FINISH_USEC (5 * USEC_PER_SEC) /* how long FINISH waits for a disk that takes nothing */
#define LOGGER_HOLD_USEC (2 * USEC_PER_SEC)   /* how long a dead logger's PEEK note waits for its stream */
#define LOGGER_FDS_SPARE 64u                  /* descriptors kept free for what is not counted */

typedef struct Logger {
        LogLoop loop;
        LoopWatch keeper;
        LogSinkTable sinks;
        LogCopier copier;
        bool has_scratch, is_finishing, is_short_of_fds;
        bool is_refusing;    /* said once, until an output is taken again */
        bool is_refusal_due, is_peer_due; /* REFUSED of all, NO_PEER: not yet sent */
        LogWorker *workers;  /* by slot and generation */
        LogWorker *done;     /* DETACHED not yet sent */
        LogPeer *peer;
        LogUntold untold;
        LoopTimer hold, finish;
        uint64_t n_writers, n_fds_max, peer_generation;
} Logger;

/** logger_init() - on the keeper's line @keeper_fd, which is taken over. The struct must not be moved afterwards. */
int logger_init(Logger *l, int keeper_fd_take);
void logger_done(Logger *l);
/** logger_run() - until FINISH or the keeper's end. The program's exit code, or -errno. */
int logger_run(Logger *l);

#endif
