/* waiter-internal.h - a waiter from inside: shared by who waits (waiter.c) and what is answered (waiter-answer.c). */
#ifndef DROVER_CONTROL_WAITER_INTERNAL_H
#define DROVER_CONTROL_WAITER_INTERNAL_H

#include "control/goal.h"
#include "control/waiter.h"
#include <uthash.h>

typedef struct Watched Watched;
typedef struct Watch Watch;

#define WAITER_REASONS_MAX 100 /* of workers listed in error.data: what is known of further ones is that they failed */

/* One worker, or what is left of it for those that still have to answer. */
struct Watched {
        const Worker *worker; /* in the hash by this; NULL once it is gone */
        Watch *watches;
        char *name, *full, *brief; /* gone: as it was shown last, in the forms that are asked for; NULL: memory was short */
        UT_hash_handle hh;
};

struct Watch {
        Worker *worker; /* NULL once it is gone */
        Watched *watched;
        Watch *prev, *next;
        Waiter *waiter;
        Goal goal;
        GoalBaseline baseline;
        GoalVerdict verdict;
        bool has_changed;
        pid_t pid;
        char *reason; /* FAILED, of the first WAITER_REASONS_MAX to do so: a sentence; NULL: memory was short, too */
};

struct Waiter {
        WaiterSet *set;
        Call *call;
        waiter_answer answer;
        size_t n, n_pending, n_reasons;
        size_t n_charged; /* in the user's book */
        bool is_due, is_fresh, is_timed_out;
        usec_t timeout;
        sd_event_source *timer;
        Waiter *prev, *next; /* in the set's `due` */
        Watch watches[];
};

/** watch_is_about_reload() - a failure that is one of the whole pool's replacement; its words are watch_describe_reload()'s. */
bool watch_is_about_reload(const Watch *watch);
void watch_describe_reload(const Watch *watch, char *buf, size_t size);
/** Errors as answers; the call, and with it @w, is gone afterwards. */
void waiter_answer_timeout(Waiter *w);
void waiter_answer_failed(Waiter *w);

#endif
