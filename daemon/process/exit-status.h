/* exit-status.h - decode, classify and print how a process ended. Pure. */
#ifndef DROVER_PROCESS_EXIT_STATUS_H
#define DROVER_PROCESS_EXIT_STATUS_H

#include "link/keeper-protocol.h"
#include "link/launch-request.h"
#include "base/clock.h"
#include "base/macro.h"

#define LAUNCH_OBJECT_MAX 400 /* bytes of a path in a sentence; longer ones are cut */

typedef struct ExitStatus {
        bool is_failure_to_start;
        bool is_faulty;        /* it was stopped because something was wrong with it: never clean */
        KeeperExit exit;       /* when not is_failure_to_start */
        KeeperFailure failure; /* when is_failure_to_start */
        usec_t at_usec;        /* CLOCK_REALTIME */
} ExitStatus;

/** exit_status_exitcode() - multiprocessing's convention: 0..255, -N for signal N; a failed start is
 * 127 when there is no such program, else 126. */
int exit_status_exitcode(const ExitStatus *e);
/** exit_status_is_clean() - its exitcode is one of @success_codes; a failed start never is, nor a faulty one. */
bool exit_status_is_clean(const ExitStatus *e, const int *success_codes, size_t n);
/** exit_status_describe() - why it ended, one clause for people, or for a failed start launch_failure_describe():
 *
 *     exited with code 3
 *     killed by SIGSEGV (core dumped)
 *     killed by SIGKILL                        by somebody else, or by the kernel without a word
 *     killed by SIGTERM on request             drover sent it
 *     killed by SIGKILL: out of memory (limit 64M, peak 64M)
 *     killed by SIGKILL, perhaps by the kernel: this machine ran out of memory
 *     exited with code 1, one of its processes was killed: out of memory (limit 64M)
 *
 * Fills @buf, always terminated. */
void exit_status_describe(const ExitStatus *e, const LaunchSpec *spec_or_null, char *buf, size_t size);
/** exit_status_killer() - who ended it: "drover", "kernel" (out of memory), "other", or NULL when it ended by itself. */
const char *exit_status_killer(const ExitStatus *e);
/** launch_failure_describe() - "cannot change to directory /srv/x: No such file or directory" */
void launch_failure_describe(const KeeperFailure *f, const LaunchSpec *spec_or_null, char *buf, size_t size);

#endif
