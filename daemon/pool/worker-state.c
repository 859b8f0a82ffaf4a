/* worker-state.c - the names of a worker's states and events, and the funnel: the one way into a state, with its timer and its
 * event. What may lead where is in worker.c. */
#include "pool/pool-internal.h"
#include "pool/pool-template.h"

#include "priority.h"

#define TIMER_ACCURACY USEC_PER_MSEC

static const struct {
        const char *name;
        bool holds_process, is_resting;
} state_table[_WORKER_STATE_MAX] = {
        [WORKER_CREATED] = {"created", .is_resting = true},
        [WORKER_LAUNCHING] = {"starting"},
        [WORKER_STARTING] = {"starting", .holds_process = true},
        [WORKER_RUNNING] = {"running", .holds_process = true},
        [WORKER_STOPPING] = {"stopping", .holds_process = true},
        [WORKER_BACKOFF] = {"backoff"},
        [WORKER_STOPPED] = {"stopped", .is_resting = true},
        [WORKER_EXITED] = {"exited", .is_resting = true},
        [WORKER_FAILED] = {"failed", .is_resting = true},
};

static const char *const event_names[_WORKER_EVENT_MAX] = {
        [WORKER_ON_START] = "start",
        [WORKER_ON_SPAWNED] = "spawned",
        [WORKER_ON_START_FAILED] = "start-failed",
        [WORKER_ON_READY] = "ready",
        [WORKER_ON_STOP] = "stop",
        [WORKER_ON_EXITED] = "exited",
        [WORKER_ON_TIMEOUT] = "timeout",
        [WORKER_ON_FAULT] = "fault",
        [WORKER_ON_SUCCEED] = "succeed",
};

const char *worker_state_to_string(WorkerState s) {
        return (unsigned) s < _WORKER_STATE_MAX ? state_table[s].name : NULL;
}

int worker_state_from_string(const char *s) {
        /* "starting" is STARTING: LAUNCHING is a private shade of it. */
        for (int i = _WORKER_STATE_MAX - 1; i >= 0; i--)
                if (streq(s, state_table[i].name))
                        return i;
        return -EINVAL;
}

const char *worker_event_to_string(WorkerEvent e) {
        return (unsigned) e < _WORKER_EVENT_MAX ? event_names[e] : NULL;
}

bool worker_holds_process(WorkerState s) {
        return state_table[s].holds_process;
}

bool worker_is_resting(const Worker *w) {
        return state_table[w->state].is_resting;
}

/* ---- the funnel ---- */

static int worker_dispatch_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        Worker *w = userdata;

        w->timer = sd_event_source_disable_unref(w->timer);
        w->due = 0;
        worker_handle(w, WORKER_ON_TIMEOUT);
        return 0;
}

void worker_arm(Worker *w, usec_t due_usec) {
        sd_event *event = w->pool->set->world.event;

        w->timer = sd_event_source_disable_unref(w->timer);
        w->is_timer_due = false;
        w->due = due_usec == USEC_INFINITY ? 0 : due_usec;
        if (w->due == 0)
                return;
        if (sd_event_add_time(event, &w->timer, CLOCK_MONOTONIC, w->due, TIMER_ACCURACY,
                              worker_dispatch_timer, w) >= 0) {
                (void) sd_event_source_set_priority(w->timer, PRIORITY_DEADLINE);
                return;
        }
        w->is_timer_due = true; /* memory is short */
        pool_set_try_again(w->pool->set);
}

/* What only the state left behind was about. */
static void worker_clear_marks(Worker *w, WorkerState state) {
        w->is_ready_early = false;
        if (state != WORKER_STARTING && state != WORKER_RUNNING)
                worker_thaw(w);
        if (state != WORKER_STOPPING) {
                w->kill_due = w->signal_due = false;
                w->signal_at = 0;
                w->n_kills = 0;
                w->stop_errand = errand_drop(w->stop_errand);
                faulty_clear(&w->fault);
        }
        if (state != WORKER_LAUNCHING)
                w->template_hash = 0;
        if (state == WORKER_LAUNCHING) {
                w->start_due = w->restart_due = w->succeed_due = w->recall_due = false;
                w->extended_to = 0;
        }
        if (state == WORKER_STARTING || state == WORKER_RUNNING)
                w->start_due = false; /* asked for while it was on its way: it is so */
}

void worker_enter(Worker *w, WorkerState state, usec_t due_usec) {
        Pool *p = w->pool;

        if (!worker_holds_process(state))
                worker_depart(w);
        worker_clear_marks(w, state);
        p->n_state[w->state]--;
        p->n_state[state]++;
        w->state = state;
        order_note(p);
        size_mark(p);
        recycle_mark(p);
        template_mark(p);
        if (state == WORKER_RUNNING)
                w->ready_at = MAX(clock_now(), (usec_t) 1);
        worker_arm(w, due_usec);
        w->due_at_first = w->due;
        health_follow(w);
        watchdog_follow(w);
        worker_facts_stale(w);
        worker_emit_state(w);
        if (state == WORKER_LAUNCHING)
                worker_queue_launch(w);
        if (state == WORKER_RUNNING)
                worker_elder_on_ready(w);
        if (worker_is_resting(w))
                worker_mark_changed(w);
        if (p->origin == POOL_FROM_RUN)
                pool_note_ended(p, worker_is_resting(w) && state != WORKER_CREATED);
        worker_tell(w);
}
