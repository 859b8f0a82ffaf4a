/* worker.c - one slot of a pool: its states, what can happen in each, and the one way from one to another.
 *
 * States
 *   CREATED    never started
 *   LAUNCHING  to be started: waits for pools it needs (order-gate.c) or for its turn (no child yet), or for the keeper's answer (a child without a pid)
 *   STARTING   the process exists and is not ready
 *   RUNNING    ready
 *   STOPPING   the process exists, or is about to, and shall go: signal, timeout, SIGKILL of the tree, again and again
 *   BACKOFF    waits to be started again
 *   STOPPED    ended on request
 *   EXITED     ended by itself, the policy is content
 *   FAILED     given up: too many starts in the window, or it cannot be started and shall not be tried again
 *
 * Events
 *   START         converge: it is wanted (again) and rests
 *   SPAWNED       keeper: exec succeeded, here is the pid
 *   START_FAILED  keeper, or this side already: no process; stage and errno are in w->exit
 *   READY         a newline on the ready pipe, READY=1 from the notify socket, or a probe that was answered
 *   STOP          converge: it is not wanted, or wanted anew
 *   EXITED        keeper: it ended and its tree is gone; w->exit
 *   TIMEOUT       this state's timer: not ready in time, up long enough, stop takes too long, back-off over
 *   FAULT         health or watchdog: it is up, and something is wrong with it; which is in w->fault
 *   SUCCEED       converge: a younger process shall be ready before this one goes (worker-elder.c)
 *
 * Invariants
 *   - Wishes (is_wanted, start_due, restart_due, kill_due) are set from outside at any time and change nothing by
 *     themselves; worker_converge() turns them into START and STOP. The daemon itself
 *     changes is_wanted only where a wanted pool requires one nobody asked for, and of slots that go with a smaller size.
 *   - STARTING, RUNNING and STOPPING hold a child; LAUNCHING holds one from its turn on; no other state does. The
 *     elder that a younger process is to replace is beside all that, in any state (worker-elder.c). What a
 *     new state must not hold is dropped in worker_enter() (worker-state.c) and nowhere else.
 *   - An end is booked once: its event is worker.exited or worker.start-failed, shown after the last line of output
 *     (worker-drain.c); the next start does not wait for that.
 *   - What is wrong with a process (w->fault) is no state: it is stopped like any other, its end books the fault, and
 *     the policy decides.
 *   - Every state with a deadline has exactly one one-shot timer, allocated on entry and freed on leaving. */
#include "pool/pool-internal.h"

#include "base/log.h"
#include <stdio.h>

#define KILL_AGAIN_FIRST (1 * USEC_PER_SEC)
#define KILL_AGAIN_MAX                                                                                       \
        (30 * USEC_PER_SEC) /* unkillable: in the kernel's hands; asking more often helps nobody */

typedef void (*WorkerAction)(Worker *w);

static usec_t in(usec_t span) {
        return usec_add(clock_now(), span);
}

/* ---- actions: one for each cell of the table ---- */

static void act_ignore(Worker *w) {
}

static void act_impossible(Worker *w) {
        log_error("%s: an event that cannot be in state %s", w->name, worker_state_to_string(w->state));
}

static void act_launch(Worker *w) {
        worker_enter(w, WORKER_LAUNCHING, USEC_INFINITY);
}

static void worker_note_spawn(Worker *w) {
        w->pid = child_pid(w->child);
        w->started_at = child_started_usec(w->child);
        w->sampled_at = 0;
        w->is_closing = false;
}

/* That a process of `run` was started, and when, is known of the keeper's table, too. */
static bool is_start_known(const Worker *w) {
        return w->pool->origin == POOL_FROM_RUN && w->config->ready == READY_EXEC && w->state == WORKER_RUNNING;
}

static void act_spawned(Worker *w) {
        const PoolConfig *c = w->config;
        bool has_record = !w->is_unrecorded && !w->is_to_tell;
        bool at_once = w->is_ready_early || (c->ready == READY_EXEC && c->start_for == 0);
        usec_t span = c->ready == READY_EXEC ? c->start_for : c->ready_timeout;

        worker_note_spawn(w);
        worker_enter(w, WORKER_STARTING, at_once ? USEC_INFINITY : MAX(in(span), w->extended_to));
        if (at_once)
                worker_enter(w, WORKER_RUNNING, USEC_INFINITY);
        if (has_record && is_start_known(w))
                worker_unrecord(w);
}

static void act_note_ready(Worker *w) {
        w->is_ready_early = true;
        worker_mark_to_tell(w);
}

static void act_running(Worker *w) {
        worker_enter(w, WORKER_RUNNING, USEC_INFINITY);
}

static void act_stop(Worker *w) {
        worker_enter(w, WORKER_STOPPING, worker_stop_deadline(w));
        worker_send_stop(w);
}

/* Nothing to signal yet: at SPAWNED. Before its turn there is not even a request. */
static void act_stop_unborn(Worker *w) {
        if (!w->child && worker_reinstate(w))
                return;
        if (!w->child) {
                worker_enter(w, WORKER_STOPPED, USEC_INFINITY);
                return;
        }
        w->signal_due = true;
        worker_enter(w, WORKER_STOPPING, worker_stop_deadline(w));
}

static void act_spawned_unwanted(Worker *w) {
        worker_note_spawn(w);
        worker_facts_stale(w);
        if (w->signal_due)
                worker_send_stop(w);
        w->signal_due = false;
}

static void act_stopped(Worker *w) {
        worker_enter(w, WORKER_STOPPED, USEC_INFINITY);
}

static void act_start_timeout(Worker *w) {
        const PoolConfig *c = w->config;
        const char *word = health_last_word(w);
        char span[SPAN_TEXT_MAX], text[HEALTH_WORD_MAX + 64];

        if (c->ready == READY_EXEC) { /* it was up for start_for: that is ready */
                act_running(w);
                return;
        }
        if (w->is_paused) { /* the time does not count: all of it once more */
                worker_arm(w, in(c->ready_timeout));
                return;
        }
        (void) snprintf(text, sizeof text, "not ready in time%s%s", word ? ": " : "", word ? word : "");
        log_fields(LOG_WARNING, pool_name(w->pool), w->name, "%s: not ready after %s%s%s, stopping it", w->name,
                   span_format(span, c->ready_timeout), word ? ": " : "", word ? word : "");
        faulty_set(&w->fault, WORKER_FAULT_UNREADY, text);
        act_stop(w);
}

static void act_succeed(Worker *w) {
        worker_set_aside(w);
        worker_enter(w, WORKER_LAUNCHING, USEC_INFINITY);
}

static void act_ended(Worker *w) {
        worker_emit_end(w);
        if (worker_reinstate(w))
                return;
        if (!w->is_wanted)
                worker_enter(w, WORKER_STOPPED, USEC_INFINITY);
        else if (w->restart_due)
                worker_enter(w, WORKER_LAUNCHING, USEC_INFINITY);
        else
                worker_follow_policy(w, &w->exit);
}

/* What the policy is told of a process that was stopped because of a fault, however it took its leave: not ready in
 * time is a start that failed, everything else an end that is not clean. */
static ExitStatus faulty_end(const Worker *w) {
        if (w->ended_fault.kind == WORKER_FAULT_UNREADY)
                return (ExitStatus){.is_failure_to_start = true, .failure = {.error = ETIMEDOUT}};
        return w->exit;
}

static void act_stop_ended(Worker *w) {
        ExitStatus e = faulty_end(w);

        worker_emit_end(w);
        if (worker_reinstate(w))
                return;
        if (!w->is_wanted)
                worker_enter(w, WORKER_STOPPED, USEC_INFINITY);
        else if (w->ended_fault.kind != WORKER_FAULT_NONE && !w->restart_due && !w->start_due)
                worker_follow_policy(w, &e);
        else
                worker_enter(w, WORKER_LAUNCHING, USEC_INFINITY);
}

static void act_kill(Worker *w) {
        usec_t again = usec_mul(KILL_AGAIN_FIRST, (double) (1u << MIN(w->n_kills, 5u)));

        if (worker_stop_signal_due(w))
                return;
        if (w->n_kills == 0 && !w->kill_due)
                log_fields(LOG_NOTICE, pool_name(w->pool), w->name,
                           "%s: did not end in time, killing its whole tree", w->name);
        if (w->n_kills == 2) /* once */
                log_fields(LOG_ERR, pool_name(w->pool), w->name,
                           "%s: SIGKILL has no effect on pid %d; trying on", w->name, (int) w->pid);
        w->is_overdue |= w->n_kills == 0 && !w->kill_due;
        w->n_kills++;
        order_note(w->pool);
        w->kill_due = true;
        w->stop_errand = errand_drop(w->stop_errand);
        (void) child_kill_tree(w->child);
        worker_arm(w, in(MIN(again, KILL_AGAIN_MAX)));
}

/* clang-format off */
static const WorkerAction worker_table[_WORKER_STATE_MAX][_WORKER_EVENT_MAX] = {
        [WORKER_CREATED] = {
                [WORKER_ON_START] = act_launch,
                [WORKER_ON_SPAWNED] = act_impossible,
                [WORKER_ON_START_FAILED] = act_impossible,
                [WORKER_ON_READY] = act_ignore,
                [WORKER_ON_STOP] = act_ignore,
                [WORKER_ON_EXITED] = act_impossible,
                [WORKER_ON_TIMEOUT] = act_impossible,
                [WORKER_ON_FAULT] = act_impossible,
                [WORKER_ON_SUCCEED] = act_ignore,
        },
        [WORKER_LAUNCHING] = {
                [WORKER_ON_START] = act_ignore,
                [WORKER_ON_SPAWNED] = act_spawned,
                [WORKER_ON_START_FAILED] = act_ended,
                [WORKER_ON_READY] = act_note_ready,
                [WORKER_ON_STOP] = act_stop_unborn,
                [WORKER_ON_EXITED] = act_ended, /* the keeper said STARTED to the life before */
                [WORKER_ON_TIMEOUT] = act_impossible,
                [WORKER_ON_FAULT] = act_stop_unborn,
                [WORKER_ON_SUCCEED] = act_ignore,
        },
        [WORKER_STARTING] = {
                [WORKER_ON_START] = act_ignore,
                [WORKER_ON_SPAWNED] = act_ignore, /* adopted, and said once more */
                [WORKER_ON_START_FAILED] = act_impossible,
                [WORKER_ON_READY] = act_running,
                [WORKER_ON_STOP] = act_stop,
                [WORKER_ON_EXITED] = act_ended,
                [WORKER_ON_TIMEOUT] = act_start_timeout,
                [WORKER_ON_FAULT] = act_stop,
                [WORKER_ON_SUCCEED] = act_ignore,
        },
        [WORKER_RUNNING] = {
                [WORKER_ON_START] = act_ignore,
                [WORKER_ON_SPAWNED] = act_ignore,
                [WORKER_ON_START_FAILED] = act_impossible,
                [WORKER_ON_READY] = act_ignore, /* said twice */
                [WORKER_ON_STOP] = act_stop,
                [WORKER_ON_EXITED] = act_ended,
                [WORKER_ON_TIMEOUT] = act_impossible,
                [WORKER_ON_FAULT] = act_stop,
                [WORKER_ON_SUCCEED] = act_succeed,
        },
        [WORKER_STOPPING] = {
                [WORKER_ON_START] = act_ignore, /* once it ended: is_wanted says so */
                [WORKER_ON_SPAWNED] = act_spawned_unwanted,
                [WORKER_ON_START_FAILED] = act_stop_ended,
                [WORKER_ON_READY] = act_ignore,
                [WORKER_ON_STOP] = act_ignore,
                [WORKER_ON_EXITED] = act_stop_ended,
                [WORKER_ON_TIMEOUT] = act_kill,
                [WORKER_ON_FAULT] = act_ignore,
                [WORKER_ON_SUCCEED] = act_ignore,
        },
        [WORKER_BACKOFF] = {
                [WORKER_ON_START] = act_launch,
                [WORKER_ON_SPAWNED] = act_impossible,
                [WORKER_ON_START_FAILED] = act_impossible,
                [WORKER_ON_READY] = act_ignore,
                [WORKER_ON_STOP] = act_stopped,
                [WORKER_ON_EXITED] = act_impossible,
                [WORKER_ON_TIMEOUT] = act_launch,
                [WORKER_ON_FAULT] = act_impossible,
                [WORKER_ON_SUCCEED] = act_ignore,
        },
        [WORKER_STOPPED] = {
                [WORKER_ON_START] = act_launch,
                [WORKER_ON_SPAWNED] = act_impossible,
                [WORKER_ON_START_FAILED] = act_impossible,
                [WORKER_ON_READY] = act_ignore,
                [WORKER_ON_STOP] = act_ignore,
                [WORKER_ON_EXITED] = act_impossible,
                [WORKER_ON_TIMEOUT] = act_impossible,
                [WORKER_ON_FAULT] = act_impossible,
                [WORKER_ON_SUCCEED] = act_ignore,
        },
        [WORKER_EXITED] = {
                [WORKER_ON_START] = act_launch,
                [WORKER_ON_SPAWNED] = act_impossible,
                [WORKER_ON_START_FAILED] = act_impossible,
                [WORKER_ON_READY] = act_ignore,
                [WORKER_ON_STOP] = act_ignore,
                [WORKER_ON_EXITED] = act_impossible,
                [WORKER_ON_TIMEOUT] = act_impossible,
                [WORKER_ON_FAULT] = act_impossible,
                [WORKER_ON_SUCCEED] = act_ignore,
        },
        [WORKER_FAILED] = {
                [WORKER_ON_START] = act_launch,
                [WORKER_ON_SPAWNED] = act_impossible,
                [WORKER_ON_START_FAILED] = act_impossible,
                [WORKER_ON_READY] = act_ignore,
                [WORKER_ON_STOP] = act_ignore,
                [WORKER_ON_EXITED] = act_impossible,
                [WORKER_ON_TIMEOUT] = act_impossible,
                [WORKER_ON_FAULT] = act_impossible,
                [WORKER_ON_SUCCEED] = act_ignore,
        },
};
/* clang-format on */

void worker_handle(Worker *w, WorkerEvent e) {
        worker_table[w->state][e](w);
}
