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

/** logger_link_new() - without a line yet: reads wait for one. */
int logger_link_new(LoggerLink **ret, sd_event *event, int64_t priority);
LoggerLink *logger_link_free(LoggerLink *l);
DEFINE_CLEANUP(LoggerLink, logger_link_free);
int logger_link_set_fd(LoggerLink *l, int fd_take); /* a new life of the logger */

/** logger_read_new() - the last @n_lines (UINT64_MAX: all) of @streams, then new ones with @follow. -ENOMEM. */
int logger_read_new(LogRead **ret, LoggerLink *l, const LogSpec *spec, uint32_t streams, uint64_t n_lines, bool follow,
                    const LogReadHooks *hooks, void *userdata);
LogRead *logger_read_free(LogRead *r); /* cancels */
DEFINE_CLEANUP(LogRead, logger_read_free);
void logger_read_resume(LogRead *r);

#endif
