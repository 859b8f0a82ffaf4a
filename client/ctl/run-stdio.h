/* run-stdio.h - the stdin, stdout and stderr of a command that runs under the daemon, joined to our own.
 *
 * Three FIFOs in a private directory (0700) are given to the daemon by path; the command opens them as its
 * own user. Three pumps carry the bytes, each with one buffer: it is read only when the buffer is empty and
 * written only when poll(2) says so, so a slow reader slows the writer down, and nothing spins.
 *
 *   stdin   our descriptor 0 -> FIFO; its end is passed on. The command closing its stdin ends the pump.
 *   stdout  FIFO -> our descriptor 1; when nobody reads ours any more, the FIFO is closed: the command gets
 * SIGPIPE. stderr  likewise.
 *
 * Once the command has opened them nobody needs the names: the directory is removed (run_stdio_started()), so
 * that even a SIGKILL leaves nothing behind. Owner: cmd-run. SIGPIPE must be ignored. */
#ifndef DROVER_CTL_RUN_STDIO_H
#define DROVER_CTL_RUN_STDIO_H

#include "base/macro.h"
#include <poll.h>
#include <sys/types.h>

#define RUN_STDIO_FDS 6 /* a source and a sink for each pump */

typedef struct RunStdio RunStdio;

/**
 * run_stdio_new() - make the directory and the FIFOs
 * @user: who will open them, when that is not ourselves; NULL else
 *
 * The directory is made under $XDG_RUNTIME_DIR, for root under /run, else under /tmp.
 * Return: 0; -EINVAL for an unknown @user; other -errno.
 */
int run_stdio_new(RunStdio **ret, const char *user);
RunStdio *run_stdio_free(RunStdio *s); /* removes the directory */
DEFINE_CLEANUP(RunStdio, run_stdio_free);
/** run_stdio_path() - of the FIFO for descriptor @fd (0, 1, 2). Borrowed. */
const char *run_stdio_path(const RunStdio *s, int fd);
/** run_stdio_started() - the pumps run from now on. @has_opened: the command has opened its ends; else the
 * names stay. */
void run_stdio_started(RunStdio *s, bool has_opened);

/** run_stdio_watch() - what to poll for now; unused entries get fd -1. */
void run_stdio_watch(const RunStdio *s, struct pollfd fds[static RUN_STDIO_FDS]);
/** run_stdio_process() - move what @fds says can be moved. Never waits. */
void run_stdio_process(RunStdio *s, const struct pollfd fds[static RUN_STDIO_FDS]);
/**
 * run_stdio_finish() - the command has ended: what it wrote is in the FIFOs, no more will come
 * Return: true when all is written (or nobody wants it); else poll on and call again.
 */
bool run_stdio_finish(RunStdio *s);

#endif
