/* run-signal.h - signals that reach droverctl run are passed on to its command.
 *
 * The signals of the keyboard and of a terminal that hangs up go to the whole tree, as a terminal would send
 * them to the foreground group; others to the process alone. Ctrl-Z stops the tree (SIGSTOP: a process
 * without a terminal of its own ignores SIGTSTP), then droverctl itself; fg continues both. What comes before
 * the start is kept. */
#ifndef DROVER_CTL_RUN_SIGNAL_H
#define DROVER_CTL_RUN_SIGNAL_H

#include "ctl/session.h"

typedef struct RunSignals {
        int fd;           /* signalfd; 0 before init */
        Session *session; /* borrowed; NULL until the process runs */
        const char *name; /* borrowed */
        uint64_t waiting; /* bit N: signal N came before the start */
} RunSignals;

/** run_signals_init() - take them as a descriptor from now on; @is_attached: else only Ctrl-C. Ignores
 * SIGPIPE. -errno. */
int run_signals_init(RunSignals *s, bool is_attached);
void run_signals_done(RunSignals *s);
int run_signals_fd(const RunSignals *s);
/** run_signals_start() - there is a process now. */
void run_signals_start(RunSignals *s, Session *session, const char *name);
/** run_signals_process() - read and pass on. Return: true when one of them was meant to end us (INT, TERM,
 * HUP, QUIT). */
bool run_signals_process(RunSignals *s);

#endif
