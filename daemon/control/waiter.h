/* waiter.h - calls that are answered when something has become true of workers.
 *
 * Owner: the Call (as its state). A WaiterSet, owned by Control, knows for each worker that is waited for who does: a
 * change of a worker nobody waits for costs one look into a hash, or none when nobody waits at all. Verdicts are taken
 * at the change itself; answers are written by waiter_set_settle(), after the pools have converged, root's and the own
 * user's first, and as many as a turn of the loop bears. */
#ifndef DROVER_CONTROL_WAITER_H
#define DROVER_CONTROL_WAITER_H

#include "base/clock.h"
#include "control/connection.h"
#include "control/goal.h"
#include <systemd/sd-event.h>

typedef struct Call Call;
typedef struct Waiter Waiter;
typedef struct WaiterSet WaiterSet;

int waiter_set_new(WaiterSet **ret, sd_event *event);
WaiterSet *waiter_set_free(WaiterSet *s); /* after all calls */
DEFINE_CLEANUP(WaiterSet, waiter_set_free);
void waiter_set_worker_changed(WaiterSet *s, Worker *w);
void waiter_set_worker_removed(WaiterSet *s, Worker *w);
/** waiter_set_settle() - answer what is due: of each rank at least one, until @span is over. The rest stays due. */
void waiter_set_settle(WaiterSet *s, usec_t span);
bool waiter_set_is_due(const WaiterSet *s, ConnectionRank rank);
size_t waiter_set_size(const WaiterSet *s); /* calls that wait */

/** waiter_answer - the result of a call whose every goal is met; exactly one JSON value with key NULL. */
typedef void (*waiter_answer)(Waiter *w, Text *t);
/** waiter_put_workers() - {"workers":[WORKER...]}: the answer of most. A worker that is gone is shown as it last was. */
void waiter_put_workers(Waiter *w, Text *t);
/** waiter_put_brief() - the same, of each worker only what worker_put_brief() has. */
void waiter_put_brief(Waiter *w, Text *t);
/** waiter_put_present() - the same of those that are still there. */
void waiter_put_present(Waiter *w, Text *t);
/** waiter_pid() - of the i-th worker, when its goal was met. */
pid_t waiter_pid(const Waiter *w, size_t i);
const char *waiter_worker_name(const Waiter *w, size_t i);

/**
 * waiter_new() - keep @call until @goals are met by @workers (n of each; @goals NULL: @goal for all)
 * Looks at them first at the end of this turn or a later one, when wishes expressed before it have been brought about.
 * @timeout: then the call fails with what is still missing; 0: one look; USEC_INFINITY: none.
 * Return: 0, the call is the waiter's; -ENOMEM or event errors: it is still the caller's.
 */
int waiter_new(WaiterSet *s, Call *call, Goal goal, const Goal *goals, Worker *const *workers, size_t n, usec_t timeout,
               waiter_answer answer);

#endif
