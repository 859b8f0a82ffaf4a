/* demand.h - a pool with `on_demand` rests until something arrives at one of its sockets. */
#ifndef DROVER_POOL_DEMAND_H
#define DROVER_POOL_DEMAND_H

#include "base/macro.h"

typedef struct Pool Pool;
typedef struct PoolSet PoolSet;

void demand_begin(Pool *p);       /* wanted, but not before somebody comes */
void demand_end(Pool *p);         /* somebody came, or asked for a start */
void demand_mark(Pool *p);        /* something has changed */
void demand_converge(PoolSet *s); /* rest or watch, as it is due */

#endif
