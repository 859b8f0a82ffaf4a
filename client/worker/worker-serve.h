/* worker-serve.h - the parts of drover_worker_run() that drover-host uses as well. */
#ifndef DROVER_WORKER_WORKER_SERVE_H
#define DROVER_WORKER_WORKER_SERVE_H

#include "drover.h"
#include <stdbool.h>

/** worker_init() - the module's init(), if it has one; a failure is said on stderr. */
int worker_init(const drover_module *m, void **ret_state);
/** worker_serve() - carry out the tasks of the channel in the environment; @has_state: init() was called already. An exit code. */
int worker_serve(const drover_module *m, void *state, bool has_state);

#endif
