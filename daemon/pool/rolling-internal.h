/* rolling-internal.h - Rolling from inside: rolling.c, rolling-step.c, rolling-handover.c. */
#ifndef DROVER_POOL_ROLLING_INTERNAL_H
#define DROVER_POOL_ROLLING_INTERNAL_H

#include "pool/pool-internal.h"

struct Rolling {
        Pool *pool;
        uint64_t number;
        PoolConfig *former; /* counted; NULL: the configuration has not changed */
        ListenSet *listen;  /* of it */
        RollingBounds bounds;
        unsigned n_replaced, n_dropped;
        bool is_putting_back, is_soaking, is_soaked;
        sd_event_source *timer; /* soak */
        char *worker, *reason;  /* of the first failure */
};

void rolling_tell_all(Pool *p); /* those who wait for it look again */
void rolling_note_outcome(Rolling *r, bool is_good, const char *reason, unsigned n_put_back);

#endif
