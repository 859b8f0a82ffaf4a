/* log-follow.h - cuts what is just being written into lines for one follower.
 *
 * Embedded in a LogRead, one for each sink it follows. Data comes from the writer's block, nothing is read again. A line is
 * handed on when it is complete, in pieces of LOGGER_LINE_MAX when it is longer, and as an unfinished piece when its
 * rest did not come within LOG_FOLLOW_USEC. */
#ifndef DROVER_LOGGER_LOG_FOLLOW_H
#define DROVER_LOGGER_LOG_FOLLOW_H

#include "base/text.h"
#include "link/logger-protocol.h"
#include "logger/log-sink.h"

#define LOG_FOLLOW_USEC USEC_PER_SEC

typedef struct LogFollow LogFollow;
struct LogFollow {
        LogTail tail;
        LogSink *sink;      /* a reference; NULL: not following yet */
        uint32_t streams;   /* wanted */
        Text rest;          /* of an unfinished line */
        uint32_t rest_stream;
        usec_t rest_usec;   /* CLOCK_REALTIME of its first byte */
        LoopTimer timer;    /* of the rest */
        void (*on_line)(LogFollow *f, const LoggerLine *line, const uint8_t *text);
        void *userdata;
};

/** log_follow_start() - from the next byte on; @rest is what came of its line before. @sink gets a new reference. */
void log_follow_start(LogFollow *f, LogSink *sink, const uint8_t *rest, size_t n_rest, usec_t rest_usec, uint32_t stream);
void log_follow_stop(LogFollow *f);

#endif
