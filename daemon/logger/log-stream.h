/* log-stream.h - one pipe of one process, read until its end.
 *
 * Owner: LogWorker, which embeds two. What a stream waits for is its state; stream_enter() alone changes it:
 *
 *   READING  for bytes in the pipe (level-triggered)
 *   PARTIAL  for the rest of a line (edge-triggered: the pipe is not empty), at most LOG_PARTIAL_USEC
 *   NAPPING  nothing, for LOG_NAP_USEC: a busy pipe, made wide, fills meanwhile and is then emptied in large blocks. Being
 *            woken for every line would cost both sides more than the copying itself
 *   WAITING  for the disk, the journal, or a parked block; the pipe is not looked at
 *   DONE     for nothing: at its end, or given up. The pipe is closed
 *
 * A turn takes at most LOG_TURN_BYTES, so that a flooding worker delays the others by no more than that. */
#ifndef DROVER_LOGGER_LOG_STREAM_H
#define DROVER_LOGGER_LOG_STREAM_H

#include "logger/log-copy.h"

#define LOG_TURN_BYTES (256u * 1024)
#define LOG_PARTIAL_USEC USEC_PER_SEC
#define LOG_NAP_USEC USEC_PER_MSEC
#define LOG_NAP_BYTES (32u * 1024)    /* less than this in a nap: no longer busy */
#define LOG_BUSY_TURNS 256u           /* turns without a pause of LOG_NAP_USEC before the first nap */
#define LOG_PIPE_BYTES (64 * 1024)
#define LOG_PIPE_WIDE_BYTES (1024 * 1024)
#define LOG_PIPES_WIDE_MAX 8u         /* kernel memory: so many pipes are wide at once */
#define LOG_GIVE_UP_USEC (5 * USEC_PER_SEC) /* given up, and a busy journald or another's block in the way: so long more */
#define LOG_AGAIN_USEC (10 * USEC_PER_MSEC) /* a busy journald, a block that is in the way */

typedef enum LogStreamState {
        LOG_STREAM_DONE,
        LOG_STREAM_READING,
        LOG_STREAM_PARTIAL,
        LOG_STREAM_NAPPING,
        LOG_STREAM_WAITING,
} LogStreamState;

typedef struct LogStream LogStream;
struct LogStream {
        LoopWatch watch;
        LoopTimer timer;
        LogCopier *copier; /* borrowed */
        const LogTarget *target; /* borrowed from the owner */
        LogSink *sink;     /* a reference */
        LogStreamId id;
        uint64_t writer;
        uint64_t n_left;   /* of a stream that is given up: so much is still taken */
        usec_t turn_usec;  /* the last turn */
        usec_t given_up_usec;
        uint16_t n_busy;   /* turns in quick succession */
        uint8_t state;     /* LogStreamState */
        bool is_wide, is_again, is_hung_up, is_given_up;
        void (*on_done)(LogStream *s); /* the owner may free the stream in it */
};

/**
 * log_stream_start() - begin to read
 * @fd_consume: non-blocking read end; closed in any case
 * Return: 0; -errno: the stream is DONE and on_done is not called.
 */
int log_stream_start(LogStream *s, int fd_consume);
/** log_stream_give_up() - take what is in the pipe now, then be done; a disk or a journal that fails now does not get it,
 * which is told: nobody's stop shall wait for a disk. May call on_done. */
void log_stream_give_up(LogStream *s);
/** log_stream_stop() - end without another byte and without on_done */
void log_stream_stop(LogStream *s);

#endif
