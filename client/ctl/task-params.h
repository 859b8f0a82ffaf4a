/* task-params.h - POOL TARGET [WORD...] and the options of tasks as parameters of task.submit and task.map. */
#ifndef DROVER_CTL_TASK_PARAMS_H
#define DROVER_CTL_TASK_PARAMS_H

#include "ctl/ctl.h"

/**
 * task_params_make() - pool, target, args, kwargs, and timeout, attempts, priority as far as they are given
 * Return: a new reference; NULL after having said why not, with the exit status in *ret_status.
 */
json_t *task_params_make(const Ctl *c, int *ret_status);
/** task_params_span() - a span of time as the daemon takes it, under @key. 0, -ENOMEM. */
int task_params_span(json_t *params, const char *key, usec_t span);

#endif
