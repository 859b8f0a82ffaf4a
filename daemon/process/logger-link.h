/* logger-link.h - droverd's end of the line to the logger: reads and follows of logs.
 *
 * Owner: Supervisor. A LogRead belongs to its caller. Its hooks come from the event loop, never from inside a call,
 * and may free any read, their own too.
 *
 * Credit bounds what is under way for one read: LOG_READ_CREDIT bytes, given back as lines are delivered. A paused
 * read keeps at most that much here and nobody else notices.
 *
 * When the logger dies the keeper brings a new line (logger_link_set_fd): a read that has delivered nothing yet is asked
 * for again; one in the middle that was not following ends with -ECONNRESET; a follower goes on from now, after
 * on_dropped() with 0 for "some, perhaps". */
#ifndef DROVER_PROCESS_LOGGER_LINK_H
#define DROVER_PROCESS_LOGGER_LINK_H

#include "link/logger-protocol.h"
#include "base/macro.h"
#include <systemd/sd-event.h>

#define LOG_READ_CREDIT (128u * 1024)

typedef struct LoggerLink LoggerLink;
typedef struct LogRead LogRead;

typedef struct LogReadHooks {
        /* one line; @text without newline, not terminated. Return false to pause: logger_read_resume() goes on.
         * The line that was refused comes again. */
        bool (*on_line)(LogRead *r, const LoggerLine *line, const char *text, void *userdata);
        void (*on_dropped)(LogRead *r, uint64_t n_lines, void *userdata);
        void (*on_end)(LogRead *r, int error, const char *text, void *userdata); /* -errno or 0; then free it */
} LogReadHooks;

/* Lines of a worker were dropped; see LoggerMessage. */
typedef struct LogDropped {
        const char *worker, *stream; /* "web/0", "stdout" */
        uint64_t n_lines, n_bytes;
        int error;    /* positive errno */
        bool is_over;
} LogDropped;

/** logger_link_new() - without a line yet: reads wait for one. */
int logger_link_new(LoggerLink **ret, sd_event *event, int64_t priority);
LoggerLink *logger_link_free(LoggerLink *l);
DEFINE_CLEANUP(LoggerLink, logger_link_free);
void logger_link_on_dropped(LoggerLink *l, void (*hook)(const LogDropped *d, void *userdata), void *userdata);
int logger_link_set_fd(LoggerLink *l, int fd_take); /* a new life of the logger */

typedef struct LogReadAsk {
        uint32_t streams;    /* LOG_STREAM_* */
        bool follow;         /* go on with new lines */
        uint64_t n_lines;    /* the last ones; UINT64_MAX: all */
        uint64_t since_usec; /* CLOCK_REALTIME; 0: however old */
} LogReadAsk;

/** logger_read_new() - -ENOMEM. @spec, @ask: borrowed during the call */
int logger_read_new(LogRead **ret, LoggerLink *l, const LogSpec *spec, const LogReadAsk *ask, const LogReadHooks *hooks,
                    void *userdata);
/** logger_act_new() - LOGGER_ROTATE or LOGGER_CLEAR of both streams: a read without lines; on_end says when it is done. */
int logger_act_new(LogRead **ret, LoggerLink *l, LoggerMessageType act, const LogSpec *spec, const LogReadHooks *hooks,
                   void *userdata);
LogRead *logger_read_free(LogRead *r); /* cancels */
DEFINE_CLEANUP(LogRead, logger_read_free);
void logger_read_resume(LogRead *r);

#endif
