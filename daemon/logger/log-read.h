/* log-read.h - one READ of droverd: the last lines of a worker's log, and what follows them.
 *
 * Owner: LogPeer. States:
 *
 *   LOCATE  walks back through each file until enough lines are found
 *   COUNT   of a file of several workers: which of those lines are this one's? Too few: LOCATE again, further back, until
 *           READ_COUNT_BYTES were looked at
 *   EMIT    reads forward, the streams merged by the time their lines were written
 *   LIVE    both are at their end: lines come from the writer itself (log-follow.h)
 *   OVER    everything is in the queue; END follows its last line
 *
 * Works in steps, one a turn of the loop and READ_STEP_BYTES each, so that reading a large log delays no pipe. What it may
 * send is bounded by the credit droverd gives (the last packet may overdraw it) and by the line's buffer. From disk
 * it waits; in LIVE it drops what finds no room and says how many lines. */
#ifndef DROVER_LOGGER_LOG_READ_H
#define DROVER_LOGGER_LOG_READ_H

#include "logger/line-queue.h"
#include "logger/log-cursor.h"
#include "logger/log-follow.h"

#define READ_STEP_BYTES (256u * 1024)
#define READ_COUNT_BYTES (64u << 20)

typedef enum LogReadState {
        LOG_READ_LOCATE,
        LOG_READ_COUNT,
        LOG_READ_EMIT,
        LOG_READ_LIVE,
        LOG_READ_OVER,
} LogReadState;

typedef struct LogRead LogRead;

typedef struct LogReadHooks {
        /* One packet. 0; -EAGAIN: log_read_resume() when there is room again; other errors: the line is dead. */
        int (*send)(LogRead *r, const LoggerMessage *m, const void *payload, size_t n_bytes);
        /* END was sent: free it. */
        void (*on_end)(LogRead *r);
} LogReadHooks;

struct LogRead {
        uint64_t request;
        UT_hash_handle hh; /* in the owner's table */
        const LogReadHooks *hooks;
        void *userdata;
        LogSinkTable *sinks; /* borrowed */
        LogTarget target;
        uint32_t streams;
        LogReadState state;
        bool is_following, is_skipping_line;
        bool is_counted;   /* COUNT is needed */
        bool is_all;       /* LOCATE came to the start */
        uint64_t n_lines, n_skip;
        uint64_t n_locate; /* so many lines of anybody's */
        uint64_t n_mine, n_count_bytes;
        LogCursorPlace end_place, begin_place;
        usec_t since_usec;
        int64_t credit;
        int error;         /* positive errno for END */
        char text[128];    /* for END */
        size_t n_cursors;
        LogCursor cursors[2];
        bool is_at_end[2]; /* in this step */
        LogFollow follows[2];
        LineQueue queue;
        LoopTimer step;
};

/** log_read_new() - for a READ message @m (borrowed). What cannot be read is told by END. -ENOMEM, -EINVAL. */
int log_read_new(LogRead **ret, LogSinkTable *sinks, const LoggerMessage *m, const LogReadHooks *hooks, void *userdata);
LogRead *log_read_free(LogRead *r);
DEFINE_CLEANUP(LogRead, log_read_free);
void log_read_add_credit(LogRead *r, uint64_t n_bytes);
void log_read_resume(LogRead *r);

#endif
