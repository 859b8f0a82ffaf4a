/* log-copy.h - bytes out of a pipe into a sink, so that a SIGKILL at any instruction neither loses nor repeats any.
 *
 * Owner: Logger. Two ways (log-scratch.h tells how each survives). FAST: read, then write; for a file of the worker's
 * own on a healthy disk. PEEK: copy with tee(), write, then consume what was written; for whole lines, for very short
 * pieces, and for everything while a disk is in trouble, since then bytes must stay in their pipe: after a FAST block
 * failed ("parked"), and for LOG_CAUTION_USEC after any failure. So at most one block is ever held here. */
#ifndef DROVER_LOGGER_LOG_COPY_H
#define DROVER_LOGGER_LOG_COPY_H

#include "logger/log-sink.h"

#define LOG_PARTIAL_BYTES 16384u /* an unfinished line longer than this goes to a whole-line sink as it is */
#define LOG_CAUTION_USEC (5 * USEC_PER_SEC)

typedef struct LogCopier {
        LogLoop *loop;       /* borrowed */
        LogSinkTable *sinks; /* borrowed */
        LogScratch scratch;
        int peek_pipe[2];     /* where tee() puts its copy */
        usec_t cautious_until;
        LogSink *parked_sink; /* the FAST note's block waits for this one; NULL: none waits */
        uint64_t parked_writer;
        LoopTimer retry;      /* of the parked block */
        unsigned n_wide;      /* pipes that were made wide */
        bool is_peek_held;    /* the PEEK note is a dead logger's and waits for its stream */
} LogCopier;

/* A pipe and where it goes. */
typedef struct LogCopySource {
        int fd;
        LogStreamId id;
        const LogTarget *target;
        LogSink *sink;
        uint64_t writer;
        bool is_again;
} LogCopySource;

/** log_copier_init() - on the scratch memfd @scratch_fd (borrowed). -errno of mmap, pipe. Then log_recover_start(). */
int log_copier_init(LogCopier *c, LogLoop *loop, LogSinkTable *sinks, int scratch_fd);
void log_copier_done(LogCopier *c);

/**
 * log_copy() - take at most @n bytes, which are in the pipe
 * @is_last: what is there now is all that will come, or has waited long enough: unfinished lines go too
 * Return: bytes taken from the pipe > 0; 0: an unfinished line stays in the pipe; -EBUSY: an earlier block must be done
 *         first; -EAGAIN or another -errno of the sink: nothing more can be taken now, what was not written is kept.
 */
ssize_t log_copy(LogCopier *c, const LogCopySource *src, size_t n, bool is_last);
/** log_copier_holds() - a block of this stream is not done yet: parked, or a dead logger's. */
bool log_copier_holds(const LogCopier *c, const LogStreamId *id);
/** log_copier_forget() - throw such a block away. Returns the bytes of it that were not written. */
size_t log_copier_forget(LogCopier *c, const LogStreamId *id);
/** log_copier_respec() - the stream's bounds are others: an idle note must not keep the old ones */
void log_copier_respec(LogCopier *c, const LogStreamId *id);
/** log_copier_retry() - try the parked block again. 0 when there is none any more. */
int log_copier_retry(LogCopier *c);

/* log-recover.c */
/** log_recover_start() - finish a dead logger's FAST note, hold its PEEK note */
void log_recover_start(LogCopier *c);
/** log_recover_stream() - the stream whose PEEK note is held is here again: finish it. Others are not touched. */
void log_recover_stream(LogCopier *c, const LogCopySource *src);
/** log_recover_give_up() - the stream of the held PEEK note does not come back */
void log_recover_give_up(LogCopier *c);

/* shared by log-copy.c and log-recover.c */
void log_copier_park(LogCopier *c, LogSink *sink, uint64_t writer);
/* Ends the @n bytes of the PEEK block, which stop in the middle of a line. Returns the bytes added. */
size_t log_copier_cut(LogCopier *c, const LogTarget *target, size_t n, bool *ret_is_cut);
int log_copier_consume(LogCopier *c, int fd);

#endif
