/* promise.h - what drover promises, and how each promise is kept on this machine.
 *
 * One table. Each row looks at what the keeper found out by trying (its hello) and at what droverd can try itself, and says
 * which mechanism it has and whether that is the whole promise. A pool's own wishes are in bounds.h. */
#ifndef DROVER_POOL_PROMISE_H
#define DROVER_POOL_PROMISE_H

#include "base/text.h"
#include "link/keeper-protocol.h"
#include "base/macro.h"
#include <sys/types.h>

typedef enum PromiseState { PROMISE_FULL, PROMISE_WEAKENED, PROMISE_OFF, _PROMISE_STATE_MAX } PromiseState;
const char *promise_state_to_string(PromiseState s); /* "full" "weakened" "off" */

/* What the rows look at. */
typedef struct PromiseFacts {
        const KeeperMessage *hello; /* borrowed */
        uid_t uid;                  /* droverd's own */
        bool has_passrights;        /* SO_PASSRIGHTS can be switched off: descriptors are not taken at all */
        bool has_systemd;           /* a service manager starts the keeper again */
} PromiseFacts;
/** promise_facts() - with what this process can find out by itself. */
PromiseFacts promise_facts(const KeeperMessage *hello);

typedef struct Promise {
        const char *name, *text;
        const char *mechanism; /* constant */
        PromiseState state;
        const char *why; /* "" when full; borrowed from the hello, or constant */
} Promise;
#define PROMISES_MAX 24
/** promises_collect() - all of them; how many. Pure. */
size_t promises_collect(const PromiseFacts *f, Promise out[static PROMISES_MAX]);
/** promises_put_json() - {"promises":[{"name","text","mechanism","state","why"}]} as members @key. */
void promises_put_json(const PromiseFacts *f, Text *t, const char *key);
unsigned promises_n_weakened(const PromiseFacts *f); /* weakened and off */

#endif
