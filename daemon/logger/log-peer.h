/* log-peer.h - one line to droverd: its reads and follows.
 *
 * Owner: Logger; a new life of droverd brings a new line and ends the old one with all its reads. A read is
 * bounded by itself; LOG_PEER_READS_MAX bounds how many there are. */
#ifndef DROVER_LOGGER_LOG_PEER_H
#define DROVER_LOGGER_LOG_PEER_H

#include "logger/log-read.h"

#define LOG_PEER_READS_MAX 2304 /* above what droverd grants its users */

typedef struct LogPeer LogPeer;

typedef struct LogPeerHooks {
        void (*on_gone)(LogPeer *p, void *userdata); /* the other end closed: free it */
        void (*on_room)(LogPeer *p, void *userdata); /* a line that was full takes more */
} LogPeerHooks;

struct LogPeer {
        LoopWatch watch;
        LogSinkTable *sinks; /* borrowed */
        LogRead *reads;
        bool is_full; /* the line took no more: no request is taken until it does */
        bool is_answer_due;
        LoggerMessage answer; /* found no room */
        const LogPeerHooks *hooks;
        void *userdata;
};

/** log_peer_new() - on @fd_consume, closed in any case */
int log_peer_new(LogPeer **ret, LogSinkTable *sinks, int fd_consume, const LogPeerHooks *hooks, void *userdata);
/** log_peer_say() - a message that belongs to no read. 0; -EAGAIN: on_room will be called; -errno: the line is dead. */
int log_peer_say(LogPeer *p, const LoggerMessage *m);
LogPeer *log_peer_free(LogPeer *p);
DEFINE_CLEANUP(LogPeer, log_peer_free);

#endif
