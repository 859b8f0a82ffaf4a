/* restart.c - what follows a worker's end. Pure: no clock, no randomness of its own, no I/O.
 *
 * The order of the questions: does the policy want it back at all? Was it up long enough to be forgiven its earlier
 * ends? Has it been started too often within the window? Only then: how long to wait.
 *
 * The wait is delay x factor^(ends in a row - 1), at most max_delay, +- jitter. A delay of 0 means "at once, always",
 * which is honest for a process that was up. A start that failed, or a process that ended before it was ready, waits
 * RESTART_FAILED_DELAY at least and longer each time: a missing program must not become a spin. */
#include "pool/restart.h"

#define RESTART_FAILED_DELAY (100 * USEC_PER_MSEC)
#define RESTART_FAILED_DELAY_MAX                                                                             \
        (30 * USEC_PER_SEC) /* when the policy's own max_delay is smaller still, e.g. 0 */
#define RESTART_FAILED_FACTOR 2.0

void restart_note_start(RestartHistory *h, usec_t now_usec) {
        h->starts[h->next] = now_usec;
        h->next = (h->next + 1) % RESTART_WINDOW_MAX;
        h->n_starts = MIN(h->n_starts + 1, (unsigned) RESTART_WINDOW_MAX);
}

void restart_forgive(RestartHistory *h) {
        h->n_failures = 0;
        h->n_starts = 0;
        h->next = 0;
}

static unsigned starts_within(const RestartHistory *h, usec_t window, usec_t now) {
        unsigned n = 0;

        for (unsigned i = 0; i < h->n_starts; i++)
                if (usec_sub(now, h->starts[i]) < window)
                        n++;
        return n;
}

/* Multiplying step by step would take n steps; beyond 64 doublings every bound is reached. */
static usec_t grow(usec_t delay, double factor, unsigned n_failures, usec_t max) {
        usec_t d = delay;

        for (unsigned i = 1; i < n_failures && i < 64 && d < max; i++)
                d = usec_mul(d, factor);
        return MIN(d, max);
}

/* @random spread evenly over 1 - jitter .. 1 + jitter. */
static usec_t jittered(usec_t delay, double jitter, uint64_t random) {
        double unit = (double) (random >> 11) / 9007199254740992.0; /* 53 bits, 0 <= unit < 1 */

        return usec_mul(delay, 1.0 + jitter * (2.0 * unit - 1.0));
}

static usec_t next_delay(const RestartConfig *p, const RestartHistory *h, bool was_up) {
        usec_t wanted = grow(p->delay, p->factor, h->n_failures, p->max_delay), floor;

        if (was_up)
                return wanted;
        floor = grow(RESTART_FAILED_DELAY, RESTART_FAILED_FACTOR, h->n_failures, RESTART_FAILED_DELAY_MAX);
        return MAX(wanted, MIN(floor, MAX(p->max_delay, RESTART_FAILED_DELAY)));
}

RestartVerdict restart_next(const RestartConfig *policy, RestartHistory *history, const ExitStatus *exit,
                            usec_t ran_usec, usec_t now_usec, uint64_t random, usec_t *ret_delay_usec) {
        bool failed_start = exit->is_failure_to_start;
        usec_t delay;

        if (policy->policy == RESTART_NEVER_AGAIN)
                return failed_start ? RESTART_GIVE_UP : RESTART_NEVER;
        if (policy->policy == RESTART_ON_FAILURE && !failed_start &&
            exit_status_is_clean(exit, policy->success_codes, policy->n_success_codes))
                return RESTART_NEVER;

        if (ran_usec > 0 && ran_usec >= policy->reset_after)
                history->n_failures = 0;
        if (history->n_failures < UINT32_MAX)
                history->n_failures++;
        if (policy->limit > 0 && starts_within(history, policy->window, now_usec) >= policy->limit)
                return RESTART_GIVE_UP;

        history->n_restarts++;
        delay = next_delay(policy, history, !failed_start && ran_usec > 0);
        if (delay == 0)
                return RESTART_NOW;
        *ret_delay_usec = jittered(delay, policy->jitter, random);
        return RESTART_LATER;
}
