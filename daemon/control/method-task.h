/* method-task.h - what method-task.c and method-task-map.c share. */
#ifndef DROVER_CONTROL_METHOD_TASK_H
#define DROVER_CONTROL_METHOD_TASK_H

#include "control/control-call.h"

/** method_task_pool() - a pool that takes tasks, or NULL when the call was answered. */
Pool *method_task_pool(Call *c, const char *name);
/** method_task_errno() - why a task or its items were not taken, as an answer. */
void method_task_errno(Call *c, int error, const Pool *p);
/** method_task_settle() - send the results that came in this turn; answer maps that are done. */
void method_task_settle(Control *c);

#endif
