/* order.h - which pools come before which: `requires` and `after`.
 *
 * order.c is the graph alone, pure. order-gate.c is what it means for the living: a worker's launch waits at the gate
 * until every pool it needs is ready; a stop is held while pools that need this one are still going. Nothing of this is
 * a state: the gate is a LAUNCHING worker that is not queued yet, the hold a worker that is not wanted and not told yet,
 * so both follow from the wishes alone, after droverd's own death too. order-wish.c adds to a wish those it concerns too.
 *
 *   ready     all wanted workers run, or ended with success for good; and from then on as long as one of them runs
 *   requires  must be ready before a start; started when it is not wanted; stopped by hand only after those that need it
 *   after     must be ready before a start if it is wanted at all; stops later, if both stop */
#ifndef DROVER_POOL_ORDER_H
#define DROVER_POOL_ORDER_H

#include "base/text.h"
#include "pool/pool.h"

/* ---- the graph ---- */

/* One pool and the names of those that come before it; NULL-terminated lists, or NULL. All borrowed. */
typedef struct OrderNode {
        const char *name;
        char *const *requires, *const *after;
} OrderNode;

/**
 * order_find_cycle() - a way from @name back to itself
 * @nodes: n of them, sorted by name; names that are no node lead nowhere
 * Return: 0 with *ret NULL, or the path as text, "a -> b -> a", the caller's; -ENOMEM.
 */
int order_find_cycle(const OrderNode *nodes, size_t n, const char *name, char **ret);

/* ---- pools ---- */

/**
 * order_check() - may a pool of this configuration be added? Every pool it names must be there, and it closes no cycle.
 * Return: 0; -ENOENT or -ELOOP with a sentence in *ret_text, the caller's; -ENOMEM.
 */
int order_check(PoolSet *s, const PoolConfig *c, char **ret_text);
/** order_required_by() - the name of a pool that requires @p, borrowed; NULL when there is none. */
const char *order_required_by(Pool *p);

/** order_add_dependents() - to workers chosen for a stop, add those of the pools that require what stops, transitively
 *  @workers: n of them, NULL-terminated, reallocated; the first n stay in place. -ENOMEM: unchanged. */
int order_add_dependents(PoolSet *s, Worker ***workers, size_t *n);
/** order_add_returning() - to workers chosen for a start, add those that an order_want_stop() had stopped for them. */
int order_add_returning(PoolSet *s, Worker ***workers, size_t *n);
/** order_want_stop() - worker_want_stop(), remembered as being for the sake of another pool. */
void order_want_stop(Worker *w);

#endif
