/* rolling.h - the workers of a pool replaced a few at a time, each gated on ready; stopped and put back at the first
 * batch that is not good.
 *
 * Owner: Pool, from rolling_begin() until its outcome is known. It wishes and looks; the workers' own state table does
 * the rest. What follows from the facts is rolling_next(), a pure function. */
#ifndef DROVER_POOL_ROLLING_H
#define DROVER_POOL_ROLLING_H

#include "config/config.h"
#include "base/text.h"

typedef struct Pool Pool;
typedef struct PoolSet PoolSet;
typedef struct Worker Worker;
typedef struct Rolling Rolling;
typedef struct ListenSet ListenSet;

/* How the last replacement of a pool came out. */
typedef struct RollingOutcome {
        uint64_t number; /* of that replacement, from 1; 0: there was none */
        bool is_good;
        char *worker, *reason; /* not good: the worker it stopped at (or NULL), a sentence */
        unsigned n_replaced, n_put_back;
} RollingOutcome;

typedef enum RollingStep {
        ROLLING_WAIT,     /* until a worker changes */
        ROLLING_TAKE,     /* the next *ret_n into the batch */
        ROLLING_SOAK,     /* all of the batch are ready: see whether they stay so */
        ROLLING_COMMIT,   /* the batch is good: old processes may go */
        ROLLING_PUT_BACK, /* one of the batch is not */
        ROLLING_DONE,
        ROLLING_FAILED,   /* the batch is put back as far as that went */
        _ROLLING_STEP_MAX,
} RollingStep;

typedef struct RollingFacts {
        unsigned n_due, n_due_down;              /* not yet replaced; of these without a ready process */
        unsigned n_batch, n_batch_ready, n_batch_bad; /* being replaced; ready anew; ended before they were good */
        unsigned n_back, n_back_settled;         /* being put back; ready, or failed once more */
        unsigned n_leaving;                      /* old processes on their way out */
        bool is_putting_back, is_soaked;
} RollingFacts;

/* How many at a time, resolved: one of the two is not 0. */
typedef struct RollingBounds {
        unsigned max_unavailable; /* old before new */
        unsigned max_surge;       /* not 0: so many, new before old */
        usec_t soak;
} RollingBounds;

/** rolling_next() - pure: what follows. @ret_n: set with ROLLING_TAKE, at least 1. */
RollingStep rolling_next(const RollingFacts *f, const RollingBounds *b, unsigned *ret_n);
/** rolling_bounds() - pure: of a pool of @size. Percentages: unavailable rounded down but 1 at least, surge rounded up. */
RollingBounds rolling_bounds(const ReloadConfig *c, unsigned size);

/**
 * rolling_begin() - replace @workers (n of them; NULL: all) of @p; one that is under way is superseded
 * Those that rest or are not wanted have no part. @former: the configuration to put back, a reference is taken, with its
 * sockets, which are; NULL: it stays the same one. Return: 0; -ENOMEM, and nothing has begun.
 */
int rolling_begin(Pool *p, PoolConfig *former, ListenSet *former_listen_take, const ReloadConfig *how,
                  Worker *const *workers, size_t n);
Rolling *rolling_free(Rolling *r);
void rolling_outcome_done(RollingOutcome *o);
/** rolling_converge() - one look at each pool that is due for one. Return: whether anything was wished. */
bool rolling_converge(PoolSet *s);
void rolling_mark(Pool *p); /* something has changed */

/** worker_next_config() - what the next process of @w is launched with: before its turn, the former one. Borrowed. */
PoolConfig *worker_next_config(const Worker *w);
ListenSet *worker_next_listen(const Worker *w); /* its sockets. Borrowed */
PoolConfig *rolling_former_config(const Pool *p); /* the pool's own when there is no other. Borrowed */
bool rolling_holds_elder(const Worker *w); /* the elder waits for the whole batch */
void rolling_note_end(Worker *w);          /* w->exit is the end of the present process */
void rolling_note_refusal(Worker *w);      /* it could not even be asked for */

/* With what a process was launched, where that is not @usual: a word for its record; NULL: @usual, or one that nobody holds
 * any more. And back: NULL when there is no such word. Borrowed. */
const char *rolling_config_word(const Pool *p, const PoolConfig *c, const PoolConfig *usual);
PoolConfig *rolling_config_of(const Pool *p, const json_t *word);
void rolling_serialize(const Pool *p, Text *t); /* members of the pool's record */
void rolling_deserialize(Pool *p, const json_t *o, const ConfigContext *ctx);
void rolling_serialize_worker(const Worker *w, Text *t);
void rolling_deserialize_worker(Worker *w, const json_t *o);

#endif
