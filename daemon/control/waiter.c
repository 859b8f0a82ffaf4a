/* waiter.c - who waits for what.
 *
 * A Waiter has one Watch for each worker, in one allocation. Watches of the same worker hang together in a Watched, found
 * by the worker's address. A waiter is *due* when a verdict is there on all its watches, when its time is up, and once at
 * first, after converge. When a worker goes, what it last was is kept as text in each watch. */
#include "control/waiter-internal.h"
#include "base/alloc.h"
#include "control/control-call.h"
#include "priority.h"

#include <stdio.h>
#include <uthash.h>
#include <utlist.h>

struct Watched {
        const Worker *worker;
        Watch *watches;
        UT_hash_handle hh;
};

struct WaiterSet {
        sd_event *event;
        Watched *watched;
        Waiter *due;
        size_t n_waiters;
};

int waiter_set_new(WaiterSet **ret, sd_event *event) {
        WaiterSet *s = NEW0(WaiterSet);

        if (!s)
                return -ENOMEM;
        s->event = event;
        *ret = s;
        return 0;
}

WaiterSet *waiter_set_free(WaiterSet *s) {
        free(s);
        return NULL;
}

size_t waiter_set_size(const WaiterSet *s) {
        return s->n_waiters;
}

static Watched *watched_find(WaiterSet *s, const Worker *w) {
        Watched *d;

        if (!s->watched)
                return NULL;
        HASH_FIND_PTR(s->watched, &w, d);
        return d;
}

static void watch_detach(WaiterSet *s, Watch *watch) {
        Watched *d = watch->watched;

        if (!d)
                return;
        watch->watched = NULL;
        DL_DELETE(d->watches, watch);
        if (d->watches)
                return;
        HASH_DEL(s->watched, d);
        free(d);
}

static int watch_attach(WaiterSet *s, Watch *watch, Worker *w) {
        Watched *d = watched_find(s, w);

        if (!d) {
                d = NEW0(Watched);
                if (!d)
                        return -ENOMEM;
                d->worker = w;
                HASH_ADD_PTR(s->watched, worker, d);
        }
        watch->worker = w;
        watch->watched = d;
        watch->baseline = goal_baseline(w);
        DL_APPEND(d->watches, watch);
        return 0;
}

static void waiter_set_due(Waiter *w) {
        if (w->is_due)
                return;
        w->is_due = true;
        DL_APPEND(w->set->due, w);
}

static Waiter *waiter_free(Waiter *w) {
        if (!w)
                return NULL;
        if (w->is_due)
                DL_DELETE(w->set->due, w);
        for (size_t i = 0; i < w->n; i++) {
                watch_detach(w->set, &w->watches[i]);
                free(w->watches[i].reason);
                free(w->watches[i].snapshot);
                free(w->watches[i].gone_name);
        }
        sd_event_source_disable_unref(w->timer);
        if (w->n_charged > 0)
                (void) uid_book_charge(w->call->connection->book, UID_WATCHES, w->n_charged, 0);
        w->set->n_waiters--;
        free(w);
        return NULL;
}
DEFINE_CLEANUP(Waiter, waiter_free);

static void waiter_free_state(void *state) {
        waiter_free(state);
}

static const CallOps waiter_ops = {.free_state = waiter_free_state};

static int waiter_dispatch_timeout(sd_event_source *s, uint64_t usec, void *userdata) {
        Waiter *w = userdata;

        w->is_timed_out = true;
        waiter_set_due(w);
        return 0;
}

static int waiter_arm(Waiter *w) {
        int r;

        w->is_timed_out = w->timeout == 0;
        if (w->timeout == 0 || w->timeout == USEC_INFINITY)
                return 0;
        r = sd_event_add_time_relative(w->set->event, &w->timer, CLOCK_MONOTONIC, w->timeout, USEC_PER_MSEC,
                                       waiter_dispatch_timeout, w);
        return r < 0 ? r : sd_event_source_set_priority(w->timer, PRIORITY_TIMER);
}

int waiter_new(WaiterSet *s, Call *call, Goal goal, const Goal *goals, Worker *const *workers, size_t n, usec_t timeout,
               waiter_answer answer) {
        _cleanup_(waiter_freep) Waiter *w = alloc_zero(1, sizeof(Waiter) + n * sizeof(Watch));
        int r;

        if (!w)
                return -ENOMEM;
        *w = (Waiter){.set = s, .call = call, .answer = answer, .n = n, .n_pending = n, .timeout = timeout, .is_fresh = true};
        s->n_waiters++;
        r = uid_book_charge(call->connection->book, UID_WATCHES, 0, n);
        if (r < 0)
                return r;
        w->n_charged = n;
        for (size_t i = 0; i < n; i++) {
                w->watches[i].waiter = w;
                w->watches[i].goal = goals ? goals[i] : goal;
                r = watch_attach(s, &w->watches[i], workers[i]);
                if (r < 0)
                        return r;
        }
        r = waiter_arm(w);
        if (r < 0)
                return r;
        waiter_set_due(w);
        call_keep(call, &waiter_ops, w);
        w = NULL;
        return 0;
}

static void watch_decide(Watch *watch, GoalVerdict verdict, const char *reason) {
        if (watch->verdict != GOAL_PENDING || verdict == GOAL_PENDING)
                return;
        watch->verdict = verdict;
        if (verdict == GOAL_FAILED)
                watch->reason = alloc_strdup(reason);
        if (--watch->waiter->n_pending == 0)
                waiter_set_due(watch->waiter);
}

static void watch_look(Watch *watch) {
        char reason[512] = "";
        GoalVerdict verdict;
        GoalFacts facts;

        if (watch->verdict != GOAL_PENDING || !watch->worker)
                return;
        facts = goal_facts(watch->worker, &watch->baseline, watch->has_changed);
        verdict = goal_check(watch->goal, &facts, &watch->baseline);
        if (verdict == GOAL_PENDING || (verdict == GOAL_FAILED && worker_has_output_due(watch->worker)))
                return; /* its last lines belong to the answer */
        watch->pid = worker_pid(watch->worker);
        if (verdict == GOAL_FAILED && watch_is_about_reload(watch))
                watch_describe_reload(watch, reason, sizeof(reason));
        else if (verdict == GOAL_FAILED && watch->goal == GOAL_PAUSED)
                worker_describe_pause(watch->worker, reason, sizeof(reason));
        else if (verdict == GOAL_FAILED)
                (void) worker_reason(watch->worker, reason, sizeof(reason));
        if (verdict == GOAL_FAILED && !*reason)
                (void) snprintf(reason, sizeof(reason), "it is %s and %swanted to run",
                                worker_state_to_string(facts.state), facts.is_wanted ? "" : "not ");
        watch_decide(watch, verdict, reason);
}

void waiter_set_worker_changed(WaiterSet *s, Worker *w) {
        Watched *d = watched_find(s, w);
        Watch *watch;

        if (!d)
                return;
        DL_FOREACH(d->watches, watch) {
                watch->has_changed = true;
                watch_look(watch);
        }
}

/* What a goal is when its worker goes. */
static GoalVerdict verdict_when_gone(Goal g) {
        bool wants_it_up = g == GOAL_STARTED || g == GOAL_RESTARTED || g == GOAL_READY;

        return wants_it_up ? GOAL_FAILED : GOAL_MET;
}

void waiter_set_worker_removed(WaiterSet *s, Worker *w) {
        Watched *d = watched_find(s, w);
        Watch *watch, *next;

        if (!d)
                return;
        DL_FOREACH_SAFE(d->watches, watch, next) {
                _cleanup_text_ Text t = {0};

                watch_look(watch);
                watch_decide(watch, verdict_when_gone(watch->goal), "it was removed");
                if (watch->waiter->answer == waiter_put_brief)
                        worker_put_brief(w, &t, NULL);
                else
                        worker_put_json(w, &t, NULL);
                watch->snapshot = text_take(&t);
                watch_detach(s, watch); /* the last one frees @d */
                watch->gone_name = alloc_strdup(worker_name(w));
                watch->worker = NULL;
        }
}

static bool has_failed(const Waiter *w) {
        for (size_t i = 0; i < w->n; i++)
                if (w->watches[i].verdict == GOAL_FAILED)
                        return true;
        return false;
}

/* The call, and with it the waiter, is gone after an answer. */
static void waiter_settle(Waiter *w) {
        Call *call = w->call;

        for (size_t i = 0; w->is_fresh && i < w->n; i++) {
                w->watches[i].has_changed = true; /* the wishes of the call have had their effect */
                watch_look(&w->watches[i]);
        }
        w->is_fresh = false;
        if (w->n_pending > 0) {
                if (w->is_timed_out)
                        waiter_answer_timeout(w);
                return;
        }
        if (has_failed(w)) {
                waiter_answer_failed(w);
                return;
        }
        w->answer(w, call_begin(call));
        call_end(call);
}

void waiter_set_settle(WaiterSet *s) {
        while (s->due) {
                Waiter *w = s->due;

                DL_DELETE(s->due, w);
                w->is_due = false;
                waiter_settle(w);
        }
}
