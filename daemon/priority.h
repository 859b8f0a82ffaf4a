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
        /* What is due to workers at its time, the kill after a stop's timeout above all, however many requests there are.
         * What would make it needless (a death, a notification) is in the rows above. */
        PRIORITY_DEADLINE = -5,
        /* Proof of life: who is flooded with requests is alive, who never gets here is not. */
        PRIORITY_WATCHDOG = PRIORITY_DEADLINE,
        /* A flood of requests must not starve the rows above. */
        PRIORITY_CONTROL = 0,
        /* Answers of workers, in turn with the requests: neither starves the other. */
        PRIORITY_TASKS = PRIORITY_CONTROL,
        /* Deadlines of what came in above: after it, since what is in time may just not have been read yet. */
        PRIORITY_TIMER = 3,
        /* Whoever is neither root nor the daemon's own user: a thousand such do not keep the administrator waiting. */
        PRIORITY_CONTROL_OTHERS = 5,
        /* Figures that nobody waits for. */
        PRIORITY_USAGE = 30,
        /* What is read only when there is nothing else to do. */
        PRIORITY_IDLE = 40,
};

#endif
