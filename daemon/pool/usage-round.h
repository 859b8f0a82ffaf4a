/* usage-round.h - CPU and memory of workers, sampled when somebody asks, and never for long at a time.
 *
 * A sample is good for USAGE_AGE_MAX. One turn of the loop samples at most USAGE_ROUND_MAX workers or for
 * USAGE_ROUND_USEC; what was asked for beyond that follows in the next turns, behind everything else, so that whoever
 * asks again finds it. Nobody asks: nothing is sampled and nothing wakes up. Owner: the PoolSet. */
#ifndef DROVER_POOL_USAGE_ROUND_H
#define DROVER_POOL_USAGE_ROUND_H

#include "base/clock.h"
#include "base/macro.h"
#include <systemd/sd-event.h>

#define USAGE_AGE_MAX USEC_PER_SEC
#define USAGE_ROUND_MAX 128u
#define USAGE_ROUND_USEC (1 * USEC_PER_MSEC)

typedef struct PoolSet PoolSet;
typedef struct Worker Worker;

typedef struct UsageRound {
        sd_event_source *rest; /* samples what the budget left; made with the first use, off when nothing is left */
        usec_t turn, until;    /* loop time of the last sampling, and the end of its budget */
        unsigned left;
} UsageRound;

/** usage_round_sample() - a new sample of @w if its last is too old, now or soon. */
void usage_round_sample(Worker *w);
void usage_round_done(UsageRound *u);

#endif
