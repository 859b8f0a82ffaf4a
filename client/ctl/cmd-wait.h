/* cmd-wait.h - waiting for tasks, for `wait` and for `submit --wait --keep`. */
#ifndef DROVER_CTL_CMD_WAIT_H
#define DROVER_CTL_CMD_WAIT_H

#include "ctl/ctl.h"

/**
 * wait_tasks() - until all are settled; goes on when the daemon restarts
 * @ids_consume: an array; NULL: memory was short
 * Return: CTL_DONE with the outcomes, in that order, in *ret (a new reference); else the status, after having said why.
 */
int wait_tasks(Ctl *c, json_t *ids_consume, json_t **ret);

#endif
