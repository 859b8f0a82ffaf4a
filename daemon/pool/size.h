/* size.h - a pool whose number of workers follows its load: workers {min, max, idle_timeout}.
 *
 * size_next() is the decision alone. size.c looks at a pool when a worker of it changed or said whether it is busy, when
 * something arrived at one of its sockets, and at the time that the last look asked for; a pool that can neither grow nor
 * shrink is never looked at. Growth goes by workers that are all busy, connections that wait in a socket's queue
 * (backlog.h), and whatever waits for a worker; out of nothing by the latter alone. Shrinking takes the highest slot, once
 * that worker has been idle. Slots have no holes, so a busy highest one keeps idle ones below it: who gives out work himself
 * gives it to the lowest free slot; connections are given out by the kernel, and nobody can take its share from a process
 * that has the socket open. */
#ifndef DROVER_POOL_SIZE_H
#define DROVER_POOL_SIZE_H

#include "base/clock.h"
#include "base/macro.h"

typedef struct Pool Pool;
typedef struct PoolSet PoolSet;
typedef struct Worker Worker;

#define SIZE_PRESSURE_USEC (100 * USEC_PER_MSEC) /* so long it must last */
#define SIZE_CALM_USEC (2 * USEC_PER_SEC)        /* after so long without growth the first step is 1 again */
#define SIZE_LOOK_USEC (250 * USEC_PER_MSEC)     /* after an arrival: is it still in the queue? */

typedef struct SizeFacts {
        unsigned size, min, max;
        unsigned n_ready, n_busy, n_coming; /* coming: on their way to ready, or about to be tried again */
        unsigned n_waiting;                 /* connections and tasks that wait for a worker */
        usec_t idle_since;                  /* of the worker that would go; 0: it is not idle */
        usec_t idle_timeout, now;
} SizeFacts;

/* What one decision leaves for the next; all zero at first. */
typedef struct SizeState {
        usec_t pressed_at;  /* 0: no pressure */
        usec_t grown_at, shrunk_at;
        unsigned step;      /* of the last growth */
} SizeState;

/** size_next() - pure: the size from now on. *ret_again: when to look again though nothing changed; USEC_INFINITY: never.
 *  *ret_reason: of a change, "busy", "waiting", "idle", "bounds"; else NULL. */
unsigned size_next(const SizeFacts *f, SizeState *s, usec_t *ret_again, const char **ret_reason);

void size_mark(Pool *p);         /* something that counts has changed */
void size_note_load(Worker *w);  /* it said whether it is busy */
void size_end(Pool *p);          /* the pool goes: no more looks */
void size_unwatch(Pool *p);      /* its sockets are about to be others */
void size_converge(PoolSet *s);

#endif
