/* recycle.h - workers replaced although nothing is wrong: by age, memory, tasks. The younger process is ready before the
 * old one goes (worker-elder.c); in one pool at most max(1, reload.max_surge) at a time. */
#ifndef DROVER_POOL_RECYCLE_H
#define DROVER_POOL_RECYCLE_H

#include "config/config.h"

typedef struct Pool Pool;
typedef struct PoolSet PoolSet;

#define RECYCLE_SAMPLE_USEC (10 * USEC_PER_SEC) /* of memory, in pools that ask for it */

#define RECYCLE_RETRY_USEC (30 * USEC_PER_SEC)  /* after a younger process that did not get ready */

typedef struct RecycleFacts {
        usec_t age;      /* since it was ready */
        uint64_t tasks;  /* done by this process */
        uint64_t memory; /* bytes of its whole tree, tree-memory.h; 0: not known */
        double share;    /* 0 <= share < 1: how much of the jitter is taken off for this process */
} RecycleFacts;

/** recycle_due() - pure: why it is to be replaced, "age", "memory" or "tasks"; NULL: it is not. *ret_left: µs until its age
 *  says so, USEC_INFINITY: never. */
const char *recycle_due(const RecycleConfig *c, const RecycleFacts *f, usec_t *ret_left);
bool recycle_is_on(const RecycleConfig *c);

void recycle_mark(Pool *p); /* something that counts has changed */
void recycle_end(Pool *p);
void recycle_converge(PoolSet *s);

#endif
