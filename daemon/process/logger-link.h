/* logger-link.h - droverd's end of the line to the logger: reads and follows of logs.
 *
 * Owner: Supervisor. When the logger dies the keeper brings a new line (logger_link_set_fd): open reads that were
 * not following end with -ECONNRESET, followers are asked for again from now on, with is_gap in their next lines. */
#ifndef DROVER_PROCESS_LOGGER_LINK_H
#define DROVER_PROCESS_LOGGER_LINK_H

#include "link/logger-protocol.h"
#include "base/macro.h"
#include <systemd/sd-event.h>

typedef struct LoggerLink LoggerLink;
typedef struct LogRead LogRead;

typedef struct LogReadHooks {
        /* one line; @text without newline, not terminated. Return false to pause: logger_read_resume() goes on. */
        bool (*on_line)(LogRead *r, const LoggerLine *line, const char *text, void *userdata);
        void (*on_dropped)(LogRead *r, uint64_t n_lines, void *userdata);
        void (*on_end)(LogRead *r, int error, const char *text, void *userdata); /* -errno or 0; then free it */
} LogReadHooks;

int logger_link_new(LoggerLink **ret, sd_event *event, int64_t priority);
LoggerLink *logger_link_free(LoggerLink *l);
DEFINE_CLEANUP(LoggerLink, logger_link_free);
int logger_link_set_fd(LoggerLink *l, int fd_take); /* a new life of the logger */

int logger_read_new(LogRead **ret, LoggerLink *l, const LogSpec *spec, uint32_t streams, uint64_t n_lines, bool follow,
                    const LogReadHooks *hooks, void *userdata);
LogRead *logger_read_free(LogRead *r); /* cancels */
void logger_read_resume(LogRead *r);

#endif
