/* method-task.h - what method-task*.c share. */
#ifndef DROVER_CONTROL_METHOD_TASK_H
#define DROVER_CONTROL_METHOD_TASK_H

#include "control/control-call.h"

/** method_task_pool() - a pool that takes tasks, or NULL when the call was answered. */
Pool *method_task_pool(Call *c, const char *name);
/** method_task_may_see() - is it there for the caller? */
bool method_task_may_see(const Call *c, const Task *t);
/** method_task_find() - a task that is there for the caller, or NULL when the call was answered. */
Task *method_task_find(Call *c, const char *id);
/** method_blob_claim() - move those that a submit names out of the connection into @to. false: the call was answered. */
bool method_blob_claim(Call *c, const json_t *spill, const json_t *blobs, BlobSet *to);
/** method_task_errno() - why a task or its items were not taken, as an answer. */
void method_task_errno(Call *c, int error, const Pool *p);
/** method_task_settle() - send the results that came in this turn; answer maps that are done. */
void method_task_settle(Control *c);

#endif
