/* worker-elder.c - new before old: the process that a younger one of the same worker is about to replace.
 *
 *   RUNNING, to be succeeded -> the process is set aside and serves on; the worker is LAUNCHING, as from nothing
 *   the younger one ready, and so for `soak`   -> the elder is stopped: command or signal, timeout, SIGKILL of its tree
 *   the younger one ended before that          -> the elder takes its place again, as if nothing had been
 *   the elder ended by itself                  -> its end is booked; all now rests on the younger one
 *   the worker is not wanted any more          -> both are stopped
 *
 * The state of the worker is that of the younger process; the elder has none but "is being stopped". In a rolling
 * replacement of several workers the elder is let go by rolling.c, when the whole batch is good. The elder's config is
 * what it was launched with: its stop signal and timeout. */
#include "pool/pool-internal.h"

#include "base/alloc.h"
#include "base/log.h"
#include "priority.h"
#include <stdio.h>

#define KILL_AGAIN (1 * USEC_PER_SEC) /* doubled five times */

bool worker_has_elder(const Worker *w) {
        return w->elder.child != NULL;
}

/* It serves in place of a younger one that is not ready yet. */
bool worker_elder_serves(const Worker *w) {
        return w->elder.child && !w->elder.is_stopping && w->state != WORKER_RUNNING;
}

/* It can take its place again. */
bool worker_elder_serves_on(const Worker *w) {
        return w->elder.child && !w->elder.is_stopping;
}

pid_t worker_elder_pid(const Worker *w) {
        return w->elder.pid;
}

static void elder_clear(Elder *e) {
        uint64_t ended = e->ended_generation;

        sd_event_source_disable_unref(e->timer);
        errand_drop(e->stop_errand);
        pool_config_unref(e->config);
        free(e->status_text);
        faulty_clear(&e->fault);
        *e = (Elder){.ended_generation = ended};
}

void worker_elder_done(Worker *w) {
        if (w->elder.child) {
                w->pool->set->n_alive--;
                w->pool->n_elders--;
                child_free(w->elder.child); /* forgotten, not killed */
        }
        elder_clear(&w->elder);
}

void worker_set_aside(Worker *w) {
        worker_thaw(w);
        w->is_draining = false;
        elder_clear(&w->elder);
        w->elder.child = TAKE_PTR(w->child);
        w->elder.config = TAKE_PTR(w->config);
        w->config_live = pool_config_unref(w->config_live);
        w->elder.status_text = TAKE_PTR(w->status_text);
        w->elder.fault = w->fault;
        w->fault = (Faulty){0};
        w->elder.pid = w->pid;
        w->elder.generation = w->generation;
        w->elder.started_at = w->started_at;
        w->elder.ready_at = w->ready_at;
        w->elder.tasks_done = w->tasks_done;
        w->elder.watchdog = w->watchdog;
        w->elder.watchdog.timer = NULL; /* it stays the worker's, which is about to leave RUNNING */
        w->pool->n_elders++;
        w->pid = 0;
        w->ready_at = w->sampled_at = 0;
        w->is_closing = false;
        worker_forget_words(w);
}

bool worker_reinstate(Worker *w) {
        Elder *e = &w->elder;
        usec_t ready_at;
        Faulty fault;

        /* Without a pid it ended while there was no droverd: that is about to be heard. */
        if (!e->child || e->pid == 0 || e->is_stopping || !w->is_wanted || w->restart_due)
                return false;
        log_fields(LOG_NOTICE, pool_name(w->pool), w->name, "%s: the younger process ended; pid %d stays", w->name, (int) e->pid);
        worker_depart(w);
        w->child = TAKE_PTR(e->child);
        w->config = TAKE_PTR(e->config);
        w->status_text = TAKE_PTR(e->status_text);
        w->pid = e->pid;
        w->generation = e->generation;
        w->started_at = e->started_at;
        w->watchdog.is_changed = e->watchdog.is_changed;
        w->watchdog.changed = e->watchdog.changed;
        w->pool->n_elders--;
        w->recall_due = false;
        w->tasks_done = e->tasks_done;
        ready_at = e->ready_at;
        fault = e->fault;
        e->fault = (Faulty){0};
        elder_clear(e);
        worker_enter(w, WORKER_RUNNING, USEC_INFINITY);
        w->fault = fault; /* it may be being killed */
        if (ready_at > 0)
                w->ready_at = ready_at; /* as old as it is */
        return true;
}

/* ---- its stop ---- */

static void elder_kill(Worker *w) {
        Elder *e = &w->elder;
        usec_t again = usec_mul(KILL_AGAIN, (double) (1u << MIN(e->n_kills, 5u)));

        if (e->n_kills++ == 0)
                log_fields(LOG_NOTICE, pool_name(w->pool), w->name, "%s: pid %d, which was replaced, did not end in time, "
                           "killing its whole tree", w->name, (int) e->pid);
        order_note(w->pool); /* one on which it has no effect holds up nobody */
        e->stop_errand = errand_drop(e->stop_errand);
        (void) child_kill_tree(e->child);
        worker_elder_arm(w, usec_add(clock_now(), again));
}

static int elder_dispatch(sd_event_source *source, uint64_t usec, void *userdata) {
        Worker *w = userdata;

        w->elder.timer = sd_event_source_disable_unref(w->elder.timer);
        w->elder.due = 0;
        if (!w->elder.child)
                return 0;
        if (w->elder.is_signal_due) {
                w->elder.is_signal_due = false;
                worker_send_elder_stop(w);
                worker_elder_arm(w, usec_add(clock_now(), w->elder.config->stop_timeout / 2));
        } else if (w->elder.is_stopping)
                elder_kill(w);
        else
                worker_elder_release(w);
        return 0;
}

void worker_elder_arm(Worker *w, usec_t due) {
        Elder *e = &w->elder;

        e->timer = sd_event_source_disable_unref(e->timer);
        e->due = due == USEC_INFINITY ? 0 : due;
        if (e->due == 0)
                return;
        if (sd_event_add_time(w->pool->set->world.event, &e->timer, CLOCK_MONOTONIC, e->due, USEC_PER_MSEC, elder_dispatch,
                              w) >= 0)
                (void) sd_event_source_set_priority(e->timer, PRIORITY_DEADLINE);
        else /* memory is short: better now than never */
                (void) child_kill_tree(e->child);
}

/* Replaced by drover's own decision, not at somebody's request. */
static void note_recycled(const Worker *w, Elder *e) {
        char text[64];

        if (e->generation != w->recycled_generation || e->fault.kind != WORKER_FAULT_NONE || !w->is_wanted)
                return;
        (void) snprintf(text, sizeof text, "replaced for its %s", w->recycled_for);
        faulty_set(&e->fault, WORKER_FAULT_RECYCLED, w->recycled_for ? text : NULL);
}

void worker_elder_release(Worker *w) {
        Elder *e = &w->elder;
        usec_t timeout;

        if (!e->child || e->is_stopping)
                return;
        note_recycled(w, e);
        timeout = e->config->stop_timeout;
        e->is_stopping = true;
        if (timeout != USEC_INFINITY && tasking_close(w, e->generation))
                e->is_signal_due = true; /* it ends by itself when it has done what it has in hand */
        else
                worker_send_elder_stop(w);
        timeout = e->is_signal_due ? timeout / 2 : timeout;
        worker_elder_arm(w, timeout == USEC_INFINITY ? USEC_INFINITY : usec_add(clock_now(), timeout));
        worker_facts_stale(w);
        worker_mark_to_tell(w);
}

/* ---- what happens ---- */

void worker_elder_on_end(Worker *w, const ExitStatus *exit) {
        Elder *e = &w->elder;
        Child *young = w->child;
        pid_t pid = w->pid;
        uint64_t generation = w->generation;
        usec_t started_at = w->started_at;

        w->exit = *exit;
        w->has_exit = true;
        faulty_clear(&w->ended_fault);
        w->ended_fault = e->fault;
        e->fault = (Faulty){0};
        w->has_ended_overdue = e->n_kills > 0 && !w->kill_due;
        w->child = e->child; /* the event and the entry among the ends are about this one */
        w->pid = e->pid;
        w->generation = e->generation;
        w->started_at = e->started_at;
        worker_note_end(w);
        worker_emit_end(w);
        w->child = young;
        w->pid = pid;
        w->generation = generation;
        w->started_at = started_at;
        w->pool->set->n_alive--;
        w->pool->n_elders--;
        if (worker_take_departed(w, e->child) < 0)
                child_free(e->child); /* cannot be: worker_queue_launch() leaves room for it */
        e->child = NULL;
        e->ended_generation = e->generation;
        elder_clear(e);
        order_note(w->pool);
        recycle_mark(w->pool);
        worker_facts_stale(w);
        worker_mark_to_tell(w);
}

/* The younger one is ready. */
void worker_elder_on_ready(Worker *w) {
        usec_t soak = w->pool->config->reload.soak;

        if (!w->elder.child || w->elder.is_stopping || rolling_holds_elder(w))
                return;
        if (soak == 0)
                worker_elder_release(w);
        else
                worker_elder_arm(w, usec_add(clock_now(), soak));
}

void worker_elder_converge(Worker *w) {
        Elder *e = &w->elder;

        if (!e->child)
                return;
        if (!w->is_wanted)
                worker_elder_release(w);
        if (!w->is_wanted && w->kill_due && e->n_kills == 0)
                elder_kill(w);
}

/* ---- over droverd's own death ---- */

void worker_elder_serialize(const Worker *w, Text *t) {
        const Elder *e = &w->elder;

        if (!e->child && e->ended_generation == 0)
                return;
        json_put_object(t, "elder");
        json_put_u64(t, "generation", e->generation);
        json_put_u64(t, "ended", e->ended_generation);
        json_put_bool(t, "stopping", e->is_stopping);
        json_put_u64(t, "due", e->due);
        json_put_u64(t, "ready_at", e->ready_at);
        json_put_u64(t, "tasks_done", e->tasks_done);
        if (e->status_text)
                json_put_string(t, "status_text", e->status_text);
        if (e->watchdog.is_changed)
                json_put_u64(t, "watchdog", MIN(e->watchdog.changed, WATCHDOG_USEC_MAX));
        faulty_put(&e->fault, t, "fault");
        json_put_string(t, "config", rolling_config_word(w->pool, e->config, rolling_former_config(w->pool)));
        json_end_object(t);
}

static uint64_t get_u64(const json_t *o, const char *key) {
        return (uint64_t) MAX(json_integer_value(json_object_get(o, key)), (json_int_t) 0);
}

void worker_elder_deserialize(Worker *w, const json_t *o) {
        const json_t *elder = json_object_get(o, "elder");

        elder_clear(&w->elder);
        w->elder.generation = get_u64(elder, "generation");
        w->elder.ended_generation = get_u64(elder, "ended");
        w->elder.is_stopping = json_is_true(json_object_get(elder, "stopping"));
        w->elder.due = get_u64(elder, "due");
        w->elder.ready_at = get_u64(elder, "ready_at");
        w->elder.tasks_done = get_u64(elder, "tasks_done");
        w->elder.status_text = alloc_strdup(json_string_value(json_object_get(elder, "status_text")));
        w->elder.watchdog.is_changed = json_object_get(elder, "watchdog") != NULL;
        w->elder.watchdog.changed = get_u64(elder, "watchdog");
        faulty_read(&w->elder.fault, json_object_get(elder, "fault"));
        w->elder.config = pool_config_ref(rolling_config_of(w->pool, json_object_get(elder, "config")));
}

bool worker_elder_adopt(Worker *w, Child *c, const KeeperMessage *m) {
        Elder *e = &w->elder;

        if (e->child || e->generation == 0 || m->generation != e->generation)
                return false;
        e->child = c;
        if (!e->config)
                e->config = pool_config_ref(rolling_former_config(w->pool));
        w->pool->set->n_alive++;
        w->pool->n_elders++;
        if (m->slot_info.state == KEEPER_SLOT_RUNNING) {
                e->pid = m->slot_info.pid;
                e->started_at = m->slot_info.started_usec;
        }
        return true;
}

/* The signal may have been lost with droverd, its stop command was ended: once more. */
void worker_elder_catch_up(Worker *w) {
        Elder *e = &w->elder;

        if (!e->child) {
                elder_clear(e);
                return;
        }
        if (e->pid == 0) /* its end is about to be heard */
                return;
        if (e->is_stopping)
                worker_send_elder_stop(w);
        if (e->is_stopping || e->due > 0)
                worker_elder_arm(w, e->due > 0 ? e->due : usec_add(clock_now(), e->config->stop_timeout));
        else if (w->state == WORKER_RUNNING)
                worker_elder_on_ready(w);
}
