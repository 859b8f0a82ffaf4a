/* watchdog.h - a worker that has to say WATCHDOG=1 again and again, and what happens when it does not. */
#ifndef DROVER_POOL_WATCHDOG_H
#define DROVER_POOL_WATCHDOG_H

#include "pool/worker.h"
#include <systemd/sd-event.h>

#define WATCHDOG_USEC_MAX ((usec_t) INT64_MAX) /* longer is never */

/* Embedded in its Worker; all zero is one that is off. */
typedef struct Watchdog {
        sd_event_source *timer; /* NULL: nobody is waited for */
        usec_t span;            /* of the timer */
        usec_t heard_at;        /* CLOCK_MONOTONIC */
        bool is_changed;        /* the process said WATCHDOG_USEC= */
        usec_t changed;         /* 0: it switched its watchdog off */
} Watchdog;

/** watchdog_follow() - the worker is in another state, paused or thawed: wait for it from now on, or no more. */
void watchdog_follow(Worker *w);
void watchdog_ping(Worker *w);                  /* WATCHDOG=1 */
void watchdog_trigger(Worker *w);               /* WATCHDOG=trigger */
void watchdog_change(Worker *w, usec_t span);   /* WATCHDOG_USEC=: another span from now on, 0: none */
/** watchdog_left() - Pure: µs until it has been silent for @span at @now; 0: it has. */
usec_t watchdog_left(usec_t heard_at, usec_t span, usec_t now);

#endif
