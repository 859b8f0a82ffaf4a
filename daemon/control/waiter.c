/* waiter.c - who waits for what.
 *
 * A Waiter has one Watch for each worker, in one allocation. Watches of the same worker hang together in a Watched, found
 * by the worker's address. A waiter is *due* when a verdict is there on all its watches, when its time is up, and once at
 * first, after converge. When a worker goes, what it last was is kept as text in its Watched, once for all of them. */
#include "control/waiter-internal.h"
#include "base/alloc.h"
#include "control/control-call.h"
#include "priority.h"

#include <stdio.h>
#include <utlist.h>

struct WaiterSet {
        sd_event *event;
        Watched *watched;
        Waiter *due[_RANK_MAX];
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
        if (d->worker)
                HASH_DEL(s->watched, d);
        free(d->name);
        free(d->full);
        free(d->brief);
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

static Waiter **due_list(Waiter *w) {
        return &w->set->due[w->call->connection->rank];
}

static void waiter_set_due(Waiter *w) {
        if (w->is_due)
                return;
        w->is_due = true;
        DL_APPEND(*due_list(w), w);
}

static Waiter *waiter_free(Waiter *w) {
        if (!w)
                return NULL;
        if (w->is_due)
                DL_DELETE(*due_list(w), w);
        for (size_t i = 0; i < w->n; i++) {
                watch_detach(w->set, &w->watches[i]);
                free(w->watches[i].reason);
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

/* @reason may be NULL: one too many. */
static void watch_decide(Watch *watch, GoalVerdict verdict, const char *reason) {
        if (watch->verdict != GOAL_PENDING || verdict == GOAL_PENDING)
                return;
        watch->verdict = verdict;
        if (verdict == GOAL_FAILED && reason && watch->waiter->n_reasons++ < WAITER_REASONS_MAX)
                watch->reason = alloc_strdup(reason);
        if (--watch->waiter->n_pending == 0)
                waiter_set_due(watch->waiter);
}

static void describe_failure(const Watch *watch, const GoalFacts *facts, char *buf, size_t size) {
        *buf = '\0';
        if (watch_is_about_reload(watch))
                watch_describe_reload(watch, buf, size);
        else if (watch->goal == GOAL_PAUSED)
                worker_describe_pause(watch->worker, buf, size);
        else
                (void) worker_reason(watch->worker, buf, size);
        if (!*buf)
                (void) snprintf(buf, size, "it is %s and %swanted to run", worker_state_to_string(facts->state),
                                facts->is_wanted ? "" : "not ");
}

static void watch_look(Watch *watch) {
        char reason[512];
        GoalVerdict verdict;
        GoalFacts facts;

        if (watch->verdict != GOAL_PENDING || !watch->worker)
                return;
        facts = goal_facts(watch->worker, &watch->baseline, watch->has_changed);
        verdict = goal_check(watch->goal, &facts, &watch->baseline);
        if (verdict == GOAL_PENDING || (verdict == GOAL_FAILED && worker_has_output_due(watch->worker)))
                return; /* its last lines belong to the answer */
        watch->pid = worker_pid(watch->worker);
        if (verdict == GOAL_MET || watch->waiter->n_reasons >= WAITER_REASONS_MAX) {
                watch_decide(watch, verdict, NULL);
                return;
        }
        describe_failure(watch, &facts, reason, sizeof(reason));
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

static char *take_snapshot(Worker *w, void (*put)(Worker *w, Text *t, const char *key)) {
        _cleanup_text_ Text t = {0};

        put(w, &t, NULL);
        return text_take(&t);
}

void waiter_set_worker_removed(WaiterSet *s, Worker *w) {
        Watched *d = watched_find(s, w);
        bool wants_brief = false, wants_full = false;
        Watch *watch;

        if (!d)
                return;
        DL_FOREACH(d->watches, watch) {
                bool is_brief = watch->waiter->answer == waiter_put_brief;

                watch_look(watch);
                watch_decide(watch, verdict_when_gone(watch->goal), "it was removed");
                watch->worker = NULL;
                wants_brief |= is_brief;
                wants_full |= !is_brief;
        }
        d->name = alloc_strdup(worker_name(w));
        d->full = wants_full ? take_snapshot(w, worker_put_json) : NULL;
        d->brief = wants_brief ? take_snapshot(w, worker_put_brief) : NULL;
        HASH_DEL(s->watched, d);
        d->worker = NULL;
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

static void settle_rank(WaiterSet *s, ConnectionRank rank, usec_t span) {
        usec_t until = s->due[rank] ? usec_add(clock_now(), span) : 0;

        while (s->due[rank]) {
                Waiter *w = s->due[rank];

                DL_DELETE(s->due[rank], w);
                w->is_due = false;
                waiter_settle(w);
                if (s->due[rank] && clock_now() >= until)
                        return;
        }
}

void waiter_set_settle(WaiterSet *s, usec_t span) {
        for (ConnectionRank rank = 0; rank < _RANK_MAX; rank++)
                settle_rank(s, rank, span);
}

bool waiter_set_is_due(const WaiterSet *s, ConnectionRank rank) {
        return s->due[rank];
}
