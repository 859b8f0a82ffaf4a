/* workers-answer.h - {"workers":[...]}, the answer of most verbs, as people and programs want it. */
#ifndef DROVER_CTL_WORKERS_ANSWER_H
#define DROVER_CTL_WORKERS_ANSWER_H

#include "ctl/ctl.h"

/** workers_answer_show() - print it in the chosen form: for people a line a pool, "web: 3 running, 1 failed".
 * Return: @status, or CTL_FAILED when it could not be written. */
int workers_answer_show(const Ctl *c, const json_t *result, int status);
/** workers_answer_started() - after waiting for a start: say who did not come up and why; the status that means.
 * A process that has done its work already is fine. */
int workers_answer_started(const Ctl *c, const json_t *workers);

#endif
