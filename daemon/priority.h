/* priority.h - all event priorities of droverd in order, smallest first, each with its reason. */
#ifndef DROVER_PRIORITY_H
#define DROVER_PRIORITY_H

enum {
        /* What a worker said before it died is handled before its death: two steps ahead of the keeper's line
         * (one is not enough to be sure of an order within one epoll round). */
        PRIORITY_NOTIFY = -40,
        /* Deaths, starts, shutdown: the keeper's line. */
        PRIORITY_KEEPER = -20,
        PRIORITY_LOGGER = -15,
        PRIORITY_SIGNAL = -10,
        /* A flood of requests must not starve the rows above. */
        PRIORITY_CONTROL = 0,
        /* Answers of workers, in turn with the requests: neither starves the other. */
        PRIORITY_TASKS = PRIORITY_CONTROL,
        /* Whoever is neither root nor the daemon's own user: a thousand such do not keep the administrator waiting. */
        PRIORITY_CONTROL_OTHERS = 5,
        PRIORITY_TIMER = 10,
        /* Figures that nobody waits for. Ahead of the proof of life, which must not depend on them. */
        PRIORITY_USAGE = 30,
        /* Proof of life, last: a busy loop that never gets here is no life. */
        PRIORITY_WATCHDOG = 40,
};

#endif
