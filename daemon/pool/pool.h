/* pool.h - a wanted number of alike workers; a PoolSet holds them all.
 *
 * Owner: PoolSet. All setters only record the wish; pool_set_converge(), run from the loop's post source, brings the
 * actual to it. */
#ifndef DROVER_POOL_POOL_H
#define DROVER_POOL_POOL_H

#include "config/config.h"
#include "event/hub.h"
#include "pool/promise.h"
#include "pool/rolling.h"
#include "pool/worker.h"
#include "process/logger-link.h"

typedef struct PoolSet PoolSet;

/* Upward calls, installed by the supervisor. */
typedef struct PoolHooks {
        /* A worker entered a state, became settled, or a process was launched; never reentrant into pool. What is on record
         * of it is to be renewed: pool_set_next_unrecorded(). */
        void (*worker_changed)(Worker *w, void *userdata);
        /* A slot goes (scaled down, pool removed, an ended run process forgotten): @w dies after the call, forget it.
         * From pool_set_converge(), pool_set_tidy(), or from pool_add_run() for the process that the new one replaces. */
        void (*worker_removed)(Worker *w, void *userdata);
        /* A pool was added, removed (then @p dies after the call), scaled. */
        void (*pool_changed)(Pool *p, bool is_removed, void *userdata);
        /* It said whether it is busy, or how many tasks it has done: nothing that goes on record. */
        void (*worker_load)(Worker *w, void *userdata);
} PoolHooks; /* each may be NULL */

typedef enum PoolOrigin { POOL_FROM_CONFIG, POOL_FROM_CALL, POOL_FROM_RUN } PoolOrigin;
const char *pool_origin_to_string(PoolOrigin o); /* "config" "call" "run" */

/* What only a process of `run` has; copied by pool_add_run(). */
typedef struct RunOptions {
        bool is_daemon;            /* dies with the connection that ran it */
        const char *stdio_path[3]; /* absolute, opened by the process as its own user; NULL: as the configuration says */
} RunOptions;

#define POOL_RUN_ENDED_MAX 1000 /* ended `run` processes that are remembered; the oldest goes first */

/* What a PoolSet needs of the world; all borrowed, outliving it. */
typedef struct PoolWorld {
        sd_event *event;
        KeeperLink *keeper;
        LoggerLink *logger; /* NULL: last lines are not asked for */
        Hub *hub;
        const char *log_dir;       /* absolute */
        const char *notify_socket; /* path for $NOTIFY_SOCKET; NULL when there is none */
        const char *control_socket; /* path for $DROVER_SOCKET; NULL: the variable is not set */
        PoolHooks hooks;
        void *userdata;
} PoolWorld;

int pool_set_new(PoolSet **ret, const PoolWorld *world);
PoolSet *pool_set_free(PoolSet *s);
DEFINE_CLEANUP(PoolSet, pool_set_free);
void pool_set_set_log_dir(PoolSet *s, const char *log_dir);
/** pool_set_next_unrecorded() - take the next of the workers to be written down anew; NULL: that is all for this turn. */
Worker *pool_set_next_unrecorded(PoolSet *s);

/**
 * pool_add() - takes a reference of @c; workers are CREATED; autostart (or pool_want_start) makes them wanted
 * Its sockets are opened. Where that fails a pool of a call is not made; one of the configuration is, and its workers try
 * again with each start.
 * Return: 0; -EEXIST; -ENOMEM; the error of a socket, with a sentence in pool_set_fault(). *ret is set when the pool is there.
 */
int pool_add(PoolSet *s, PoolConfig *c, PoolOrigin origin, bool start, Pool **ret);
/** pool_add_run() - the pool of one `run` process, wanted at once; its worker is pool_worker(*ret, 0). @run may be NULL.
 *  An ended run process of the same name is replaced: it is forgotten at once. -EEXIST when one is not ended, or no run. */
int pool_add_run(PoolSet *s, PoolConfig *c, const RunOptions *run, Pool **ret);
/** pool_remove() - stop all, then forget; the pool disappears when the last worker ended. */
void pool_remove(Pool *p);
void pool_want_start(Pool *p); /* every worker */
void pool_want_stop(Pool *p);
/**
 * pool_reconfigure() - a new configuration of the same name; @cost says what becomes of running workers
 * LIVE, NEXT_START: none is touched; RESTART: each is stopped and started, a few at a time (rolling.h) where the pool has
 * `listen` or `reload`, else all at once.
 * Return: 0; the error of a socket, with a sentence in pool_set_fault(): nothing was changed; -ENOMEM.
 */
int pool_reconfigure(Pool *p, PoolConfig *c, ConfigCost cost);
const char *pool_set_fault(const PoolSet *s); /* why a socket of the last pool added or changed could not be; "" */
/** pool_reload() - replace @workers (of @p; NULL: all) a few at a time. -ENOMEM. */
int pool_reload(Pool *p, const ReloadConfig *how, Worker *const *workers, size_t n);
/** pool_rollback() - to the configuration before the last change. -ENODATA: there is none; as pool_reconfigure(). */
int pool_rollback(Pool *p);
bool pool_can_roll_back(const Pool *p);
bool pool_is_reloading(const Pool *p);
uint64_t pool_n_reloads(const Pool *p); /* begun so far */
const RollingOutcome *pool_reload_outcome(const Pool *p); /* of the last one that is over; .number 0: none */
void pool_set_size(Pool *p, unsigned n_workers); /* siblings untouched; the highest slots go first */

Pool *pool_find(PoolSet *s, const char *name);
size_t pool_count(const PoolSet *s);
Pool *pool_first(PoolSet *s); /* in order of name */
Pool *pool_next(Pool *p);
const char *pool_name(const Pool *p);
PoolConfig *pool_config(const Pool *p); /* borrowed */
PoolOrigin pool_origin(const Pool *p);
bool pool_is_removing(const Pool *p);
bool pool_is_run(const Pool *p); /* origin is POOL_FROM_RUN */
unsigned pool_n_ready(const Pool *p);
unsigned pool_n_wanted(const Pool *p);
unsigned pool_n_busy(const Pool *p);   /* workers with work in hand */
unsigned pool_n_queued(const Pool *p); /* what waits for a worker */
const char *pool_state(const Pool *p);  /* running starting degraded stopping stopped failed exited */
unsigned pool_size(const Pool *p);      /* wanted size */
size_t pool_n_workers(const Pool *p);   /* slots that exist now */
Worker *pool_worker(const Pool *p, size_t i);
Worker *pool_worker_by_slot(const Pool *p, unsigned slot);
const PromiseFacts *pool_set_promises(const PoolSet *s); /* found out when the set was made */
/* The last lines of a worker that runs: an array of strings as text, borrowed; NULL: unknown. */
typedef const char *(*pool_detail_tail)(const Worker *w, void *userdata);
/** pool_set_show_detail() - the WORKER objects that are put from now on have "ends", "tail" and "promises" too; NULL: no longer. */
void pool_set_show_detail(PoolSet *s, pool_detail_tail tail, void *userdata);
/** pool_put_json() - the pool object of `status`; only @workers (n pointers) of it, or all when @workers is NULL. */
void pool_put_json(Pool *p, Text *t, const char *key, Worker *const *workers, size_t n);

/* What one caller sees of the pools; NULL stands for a view of everything. */
typedef struct PoolView {
        bool (*is_visible)(const Pool *p, void *userdata);
        void *userdata;
} PoolView;

/**
 * pool_select() - resolve selectors: "pool", "pool/0", "pool/ *", globs over both, "all"
 * *ret is a NULL-terminated array, in order, without doubles; the caller frees it. What @view hides is not there.
 * Return: number of workers; -ENOENT with *ret_unknown (borrowed from @selectors) when one matches nothing
 * (a glob, a pool without workers, and "all" may match nothing without being wrong).
 */
int pool_select(PoolSet *s, const PoolView *view, const char *const *selectors, size_t n, Worker ***ret,
                const char **ret_unknown);
/** pool_nearest_name() - for "did you mean"; NULL when nothing is close. */
const char *pool_nearest_name(PoolSet *s, const PoolView *view, const char *name);

/** pool_set_converge() - start and stop until actual = wanted, as far as it goes now. From the post source only. */
void pool_set_converge(PoolSet *s);
/** pool_set_tidy() - what nobody waits for: `run` processes beyond the number that is remembered are forgotten. Once a turn,
 *  after its answers have gone out. Return: whether any was. */
bool pool_set_tidy(PoolSet *s);
void pool_set_want_stop_all(PoolSet *s); /* shutdown: nothing starts any more (on_daemon_exit keep: left alone) */
/** pool_set_is_quiet() - no process is left that should end, but for those on which SIGKILL has no effect, and every end is
 *  settled. Checks and stop commands do not count: those of workers that ended have been killed. */
bool pool_set_is_quiet(const PoolSet *s);
bool pool_set_keeps_any(const PoolSet *s); /* a process that on_daemon_exit leaves alone */
size_t pool_set_n_alive(const PoolSet *s);

/* Handover: JSON text of what must survive droverd's own death, and back. In the life after: pool_deserialize() each
 * pool, worker_deserialize() each worker (pool_worker_by_slot() of its record's slot), pool_set_adopt() once. */
void pool_serialize(const Pool *p, Text *t);     /* {"config":{...},"origin":...,"size":n,...} */
void worker_serialize(const Worker *w, Text *t); /* {"wanted":bool,"restarts":n,"exit":...} */
int pool_deserialize(PoolSet *s, const json_t *o, const ConfigContext *ctx, Pool **ret);
int worker_deserialize(Worker *w, const json_t *o);
/** pool_set_adopt() - coldplug: give each entry of the keeper's table to its worker; unknown ones are returned in
 *  *ret_orphans (array of pointers into @slots, caller frees) for the supervisor to end. */
int pool_set_adopt(PoolSet *s, const KeeperMessage *slots, size_t n, const KeeperMessage ***ret_orphans, size_t *ret_n);

#endif
