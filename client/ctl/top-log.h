/* top-log.h - the log of one worker, followed inside `top`.
 *
 * A stream on the connection top has already; the last TOP_LOG_MAX lines are kept. Owner: cmd-top. */
#ifndef DROVER_CTL_TOP_LOG_H
#define DROVER_CTL_TOP_LOG_H

#include "ctl/ctl.h"

#define TOP_LOG_MAX 512

typedef struct TopLog {
        Session *session; /* borrowed; NULL: not following */
        SessionCall *call; /* NULL: the stream has ended */
        char name[128];
        char *lines[TOP_LOG_MAX]; /* a ring */
        size_t first, n;
        bool is_open; /* the last line goes on */
} TopLog;

/** top_log_start() - follow @name. Return: 0 or -errno. */
int top_log_start(TopLog *l, Session *session, const char *name);
void top_log_stop(TopLog *l);
/** top_log_again() - the connection is new: the stream of the old one has ended. */
void top_log_again(TopLog *l);
/** top_log_put() - the last lines, at most @n_lines of at most @columns. */
void top_log_put(const TopLog *l, Text *out, unsigned n_lines, unsigned columns);

#endif
