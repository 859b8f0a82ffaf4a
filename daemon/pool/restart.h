/* restart.h - what follows a worker's end. Pure: policy + history + end -> now, later, never. */
#ifndef DROVER_POOL_RESTART_H
#define DROVER_POOL_RESTART_H

#include "config/config.h"
#include "process/exit-status.h"

#define RESTART_WINDOW_MAX 64 /* starts remembered; a larger limit is refused by the configuration */

typedef struct RestartHistory {
        unsigned n_failures;      /* in a row, for the back-off */
        usec_t starts[RESTART_WINDOW_MAX]; /* monotonic, a ring */
        unsigned n_starts, next;
        unsigned n_restarts;      /* all, for people */
} RestartHistory;

typedef enum RestartVerdict {
        RESTART_NOW,
        RESTART_LATER,  /* *ret_delay_usec */
        RESTART_NEVER,  /* ended by itself and policy is content: exited */
        RESTART_GIVE_UP,/* limit within window reached, or a start that failed under policy never: failed */
} RestartVerdict;

void restart_note_start(RestartHistory *h, usec_t now_usec);
/** restart_forgive() - somebody asked for a start: earlier ends and starts no longer count (n_restarts stays). */
void restart_forgive(RestartHistory *h);
/**
 * restart_next() - decide what follows a worker's exit
 * @policy: borrowed. @history: in/out, this end is added. @exit: borrowed.
 * @ran_usec: how long it was running; 0 when it never was.
 * @now_usec: monotonic. @random: any number, for the jitter. @ret_delay_usec: set with RESTART_LATER.
 * A delay of 0 gives RESTART_NOW; but a failed start, or an end before it was ready, always waits: 100 ms and growing.
 */
RestartVerdict restart_next(const RestartConfig *policy, RestartHistory *history, const ExitStatus *exit, usec_t ran_usec,
                            usec_t now_usec, uint64_t random, usec_t *ret_delay_usec);

#endif
