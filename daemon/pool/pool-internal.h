/* pool-internal.h - Pool and PoolSet from inside the room.
 *
 * A worker that needs a look stands in the set's `changed` list; one that may be launched stands in its pool's
 * `to_launch` list, and that pool in the set's `ring`. Nothing else is ever walked in the loop: idle workers cost
 * nothing. */
#ifndef DROVER_POOL_POOL_INTERNAL_H
#define DROVER_POOL_POOL_INTERNAL_H

#include "pool/order.h"
#include "pool/recycle.h"
#include "pool/size.h"
#include "pool/pool.h"
#include "pool/demand.h"
#include "pool/listen.h"
#include "pool/rolling.h"
#include "pool/tasking.h"
#include "pool/usage-round.h"
#include "pool/worker-internal.h"

/* Launches asked for and not yet answered: enough to keep the keeper busy, few enough that a stop is not stuck
 * behind a thousand of them. */
#define POOL_LAUNCHES_MAX 64u

/* A pool that comes before another one. */
typedef struct OrderNeed {
        Pool *pool;       /* NULL: there is none of that name */
        const char *name; /* borrowed from the configuration */
        bool is_required;
} OrderNeed;

struct Pool {
        PoolSet *set;
        PoolConfig *config; /* counted */
        PoolOrigin origin;
        unsigned size;    /* wanted number of slots */
        bool wants_start; /* what a new slot of a pool without workers is told */
        bool is_removing;
        bool is_daemon;
        char *stdio_path[3];
        ListenSet *listen;         /* of `config`; NULL: none */
        bool is_awaiting;          /* on_demand: it rests until somebody comes; demand.c */
        bool is_demand_due;
        Rolling *rolling;          /* a replacement that is under way; rolling.c */
        bool is_rolling_due;
        uint64_t n_reloads;
        RollingOutcome reload;     /* of the last one */
        PoolConfig *config_before; /* counted: what `rollback` returns to; NULL: nothing */
        PoolConfig *config_refused; /* counted: the last that was put back; workers of good batches still have it. NULL: none */

        Worker **workers; /* by slot, ascending */
        size_t n_workers, workers_capacity;
        unsigned n_state[_WORKER_STATE_MAX];
        unsigned n_wanted;
        unsigned n_queued;        /* what waits for a worker */
        unsigned n_elders; /* processes that serve until a younger one is ready, or are on their way out */
        uint64_t n_restarts_gone; /* of workers that are gone; the others have their own count */

        Worker *to_launch;
        Pool *ring_prev, *ring_next;
        bool in_ring;
        Pool *ended_prev, *ended_next; /* `run`: in the order in which they ended */
        bool in_ended;
        unsigned template_restarts, template_failures; /* read, for the template that is made or adopted next */

        /* order-gate.c: neighbours, resolved; valid while the set's is_order_stale is not set */
        OrderNeed *needs;
        Pool **needed_by;
        size_t n_needs, n_needed_by, needed_by_capacity;
        bool is_up;    /* ready, in the sense of order.h */
        bool is_gated; /* a launch waits for another pool */
        bool is_held;  /* a stop waits for another pool */
        uint64_t order_stamp;
        Pool *order_next; /* of leads_to() */

        /* size.c, for workers {min, max}; recycle.c */
        SizeState size_state;
        sd_event_source *size_timer, *recycle_timer;
        usec_t size_arrived_at;    /* somebody came to a socket; 0: not since the queues were empty */
        usec_t recycle_sampled_at; /* memory, the last time */
        bool is_size_due, is_size_watching, is_recycle_due, is_template_due;
        bool has_floor; /* it was scaled: never fewer than `floor` */
        unsigned floor;
};

struct PoolSet {
        PoolWorld world;
        char *log_dir, *notify_socket, *control_socket;
        Pool **pools; /* by name */
        size_t n_pools, pools_capacity;
        size_t walked; /* where pool_next() came to */
        size_t made_at; /* the last one made, or its neighbour */
        Worker *changed;
        Worker *unrecorded; /* what is on record of them is no more true */
        Pool *ring;
        Pool *ended;
        size_t n_ended;
        struct Template *templates; /* pool-template.c */
        bool is_template_due;
        Errand *errands, *errands_waiting;
        unsigned n_checks;    /* of the errands that run */
        bool has_errand_work; /* one waits for its turn, or to be freed */
        sd_event_source *drain_timer; /* worker-drain.c */
        sd_event_source *again; /* when timers are tried again that could not be made */
        size_t n_alive, n_draining; /* processes; ended ones whose output is not written yet */
        bool is_stopping;           /* shutdown: nothing starts any more */
        bool is_rolling_due, is_demand_due, is_size_due, is_recycle_due;
        size_t n_listening;         /* sockets */
        bool is_freeing;
        KeeperTable *inherited;     /* borrowed, while the state of the life before is read */
        char fault[LISTEN_FAULT_MAX]; /* of the last pool that could not be added or changed */
        bool has_leaving;           /* a pool without workers waits to be freed */
        size_t n_needs, n_needs_missing;   /* of all pools */
        char *leaf_base;       /* of recycle.c; NULL: not asked for yet, or there is none */
        bool has_no_leaf_base;
        bool is_order_stale, is_order_due; /* resolve the names anew; look at gates and holds */
        uint64_t order_stamp;
        uint64_t random;
        Text scratch; /* data of one event */
        LastWordsBudget words_budget;
        pool_detail_tail detail_tail; /* NULL: no detail is shown */
        void *detail_userdata;
        PromiseFacts promises;
        uint64_t select_stamp;
        UsageRound usage;
        const struct TaskingHooks *tasking; /* NULL: no pool takes tasks */
        void *tasking_userdata;
};

/* A worker's timer could not be made: its worker is changed a moment later, not in the converge that goes on. */
void pool_set_try_again(PoolSet *s);
void pool_resize(Pool *p, unsigned n_workers); /* as pool_set_size(), by the daemon itself */
bool size_is_automatic(const Pool *p);
void pool_changed(Pool *p, bool is_removed); /* PoolHooks.pool_changed */
/* Another configuration with its sockets, at once; new ones go with what they want. @listen is taken. */
void pool_install_config(Pool *p, PoolConfig *c, ListenSet *listen, ConfigCost cost);
void pool_remember_config(Pool *p, PoolConfig *before); /* for `rollback` */
void pool_enlist(Pool *p); /* its to_launch list is not empty: into the ring */
void pool_delist(Pool *p);
bool pool_wants_new(const Pool *p);
uint64_t pool_n_restarts(const Pool *p);
void pool_fill(Pool *p); /* make the slots that are missing, mark the surplus ones */
Worker *pool_slot(Pool *p, unsigned slot, bool make); /* NULL: there is none, or memory is short */
size_t pool_slot_position(const Pool *p, unsigned slot); /* among the workers, or where it would stand */
void pool_emit(Pool *p, EventKind k);
void pool_drop_worker(Pool *p, Worker *w);
void pool_note_ended(Pool *p, bool is_ended); /* a `run` process ended, or lives again */
Pool *pool_free(Pool *p);
DEFINE_CLEANUP(Pool, pool_free);
int pool_make(PoolSet *s, PoolConfig *c, PoolOrigin origin, Pool **ret); /* into the set; no worker yet, no hook */
size_t pool_set_position(const PoolSet *s, const char *name, bool *ret_found);
void pool_set_forget(PoolSet *s, Pool *p); /* at once, with all that is left of it */
void pool_set_forget_ended(PoolSet *s, Pool *p); /* a `run` process, with its hooks */
/* By a worker's own name, as the keeper has it: "web/0", a `run` process's plain name. */
Pool *pool_set_pool_by_worker_name(PoolSet *s, const char *name, unsigned *ret_slot);
Worker *pool_set_worker_by_name(PoolSet *s, const char *name);
uint64_t pool_set_random(PoolSet *s);

/* order-gate.c */
bool order_has_needs(const PoolConfig *c);
void order_resolve(PoolSet *s); /* names to pools, where the set has changed */
void order_pool_added(Pool *p); /* it is in the set, or has another configuration */
void order_pool_gone(Pool *p);  /* it leaves the set, or is about to get another configuration */
void order_note(Pool *p);       /* something in it moved */
bool order_may_start(Pool *p);  /* false: it will be asked again */
bool order_holds_stop(const Worker *w);
bool order_converge(PoolSet *s); /* false: nothing was due */
const char *order_describe(const Worker *w, char *buf, size_t size); /* "waits for db"; "" */

#endif
