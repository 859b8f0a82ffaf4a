/* live.h - status as it is now and goes on being: for `status -w` and `top`.
 *
 * One connection carries an event stream and one status call at a time: an event asks for a new status soon
 * (LIVE_PAUSE, so that a thousand events are one), and a second without any asks for one too, for CPU and memory say
 * nothing by themselves. When the daemon goes away the last status stays, and connecting is tried until
 * LIVE_PATIENCE is over. */
#ifndef DROVER_CTL_LIVE_H
#define DROVER_CTL_LIVE_H

#include "ctl/ctl.h"
#include "ctl/usage-book.h"

#define LIVE_PAUSE (100 * USEC_PER_MSEC)
#define LIVE_PERIOD USEC_PER_SEC
#define LIVE_HURRY_MAX 5u
#define LIVE_PATIENCE (15 * USEC_PER_SEC)

typedef struct Live {
        Ctl *ctl;
        json_t *status; /* the last one; NULL before the first */
        bool is_new;    /* it came in this turn */
        bool is_change; /* and an event was the reason to ask for it */
        bool is_away;   /* no daemon at the moment */
        bool is_asking, is_due;
        usec_t asked_at, away_since, tried_at; /* CLOCK_MONOTONIC */
        unsigned n_hurried; /* statuses asked for at once because the figures were not complete yet */
        CallError error; /* of the last status: what is shown in its place */
        UsageBook usage;
} Live;

/** live_start() - connect and ask. Return: CTL_DONE, or the status after having said why not. */
int live_start(Live *l, Ctl *c);
void live_done(Live *l);
/** live_ask() - a new status as soon as may be: something was done that changes it. */
void live_ask(Live *l);
/**
 * live_turn() - wait for something to happen, at most until @deadline (monotonic): a status (is_new), or @extra
 * Return: CTL_DONE; CTL_NO_DAEMON when it did not come back.
 */
int live_turn(Live *l, struct pollfd *extra, size_t n_extra, usec_t deadline);

#endif
