/* log-untold.h - word of dropped lines that droverd has not heard yet: its line was full, or there was none.
 *
 * Owner: Logger. In the order it happened, at most two entries for each stream: what is over is added up, what is going
 * on is told as it is now. What cannot be kept is in the system's journal alone, and so is what droverd had in its line
 * and not read when it died. */
#ifndef DROVER_LOGGER_LOG_UNTOLD_H
#define DROVER_LOGGER_LOG_UNTOLD_H

#include "logger/log-sink.h"

#define LOG_UNTOLD_MAX 1024u

typedef struct LogUntoldItem LogUntoldItem;

typedef struct LogUntold {
        LogUntoldItem *items;
        size_t n;
} LogUntold;

/** log_untold_add() - @d is copied. -ENOMEM, -ENOSPC: it is not kept. */
int log_untold_add(LogUntold *u, const LogMessageDropped *d);
/** log_untold_next() - the oldest one, borrowed until the next call of any of these; false: there is none */
bool log_untold_next(const LogUntold *u, LogMessageDropped *ret);
void log_untold_took(LogUntold *u); /* the oldest one was sent */
void log_untold_done(LogUntold *u);

#endif
