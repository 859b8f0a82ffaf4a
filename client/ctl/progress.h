/* progress.h - a line about what is waited for, on a terminal, while a call takes its time.
 *
 * "waiting for web/2: starting 3s (and 1 more)" on stderr, in its place, once a second and never before the call has
 * taken PROGRESS_PATIENCE; gone when the answer is there. It comes from `status`, asked on the same connection. */
#ifndef DROVER_CTL_PROGRESS_H
#define DROVER_CTL_PROGRESS_H

#include "ctl/ctl.h"

#define PROGRESS_PATIENCE (500 * USEC_PER_MSEC)
#define PROGRESS_PERIOD USEC_PER_SEC

/** progress_call() - as interrupt_call(), with the line where there is a terminal to show it. */
int progress_call(const Ctl *c, const char *method, json_t *params, usec_t deadline, json_t **ret, CallError *error);

/**
 * progress_put() - the sentence, or nothing when nobody is waited for
 * @method: of the call that waits; @goal: its "for", NULL when it has none
 * @waited: how long already
 * Pure.
 */
void progress_put(Text *out, const json_t *status, const char *method, const char *goal, usec_t waited);

#endif
