/* worker-handover.c - a worker over droverd's own death: written, put back silently, then catching up.
 *
 * Two witnesses: the record (the wish, the state, the history) and the keeper's table (which process there is). Where
 * they differ about a process the table is right. A record is on file before the keeper hears of what follows from it,
 * so that an end is in the table as long as its booking is not on record:
 *   table ENDED, `ended` or one of `departed`    booked before; only the output may still be on its way
 *   table ENDED, another generation              ended in the gap: handled as if just heard
 *   table RUNNING                                goes on in the recorded state, timers with what is left of them
 *   no entry, the record says there is a process the launch never reached the keeper: started again, if wanted
 * A process of `run` has no record before its end, unless something else happens to it: that its pool is there means that
 * it is wanted, all else is in the table.
 * Times are CLOCK_MONOTONIC: record and table do not outlive the boot. */
#include "pool/pool-internal.h"

#include "base/alloc.h"

/* ---- writing ---- */

/* LAUNCHING has a name of its own here. */
static const char *record_state(WorkerState s) {
        return s == WORKER_LAUNCHING ? "launching" : worker_state_to_string(s);
}

static void put_exit_record(const Worker *w, Text *t) {
        const ExitStatus *e = &w->exit;

        json_put_object(t, "exit");
        json_put_u64(t, "at", e->at_usec);
        if (e->is_failure_to_start) {
                json_put_u64(t, "stage", e->failure.stage);
                json_put_i64(t, "errno", e->failure.error);
                json_put_i64(t, "detail", e->failure.detail);
        } else {
                json_put_i64(t, "code", e->exit.code);
                json_put_i64(t, "status", e->exit.status);
                json_put_u64(t, "stragglers", e->exit.stragglers);
                json_put_u64(t, "cpu", e->exit.cpu_usec);
                json_put_u64(t, "memory", e->exit.max_rss_bytes);
                json_put_u64(t, "oom", e->exit.oom);
                json_put_u64(t, "sent", e->exit.sent);
                json_put_u64(t, "limit", e->exit.memory_limit);
                json_put_u64(t, "peak", e->exit.memory_peak);
        }
        json_end_object(t);
}

static void put_starts(const Worker *w, Text *t) {
        const RestartHistory *h = &w->history;

        json_put_array(t, "starts"); /* oldest first */
        for (unsigned i = 0; i < h->n_starts; i++)
                json_put_u64(
                        t, NULL,
                        h->starts[(h->next + RESTART_WINDOW_MAX - h->n_starts + i) % RESTART_WINDOW_MAX]);
        json_end_array(t);
}

void worker_serialize(const Worker *w, Text *t) {
        const struct {
                const char *key;
                bool value;
        } marks[] = {
                {"wanted", w->is_wanted},   {"start_due", w->start_due}, {"restart_due", w->restart_due},
                {"kill_due", w->kill_due},  {"leaving", w->is_leaving},  {"closing", w->is_closing},
                {"reloading", w->is_reloading}, {"busy", w->is_busy}, {"stopped_for_need", w->is_stopped_for_need},
                {"succeed_due", w->succeed_due}, {"overdue", w->is_overdue}, {"ended_overdue", w->has_ended_overdue},
                {"ready_early", w->is_ready_early}, {"paused", w->is_paused}, {"frozen", w->is_frozen}, {"draining", w->is_draining},
        };

        json_put_object(t, NULL);
        json_put_u64(t, "slot", w->slot);
        json_put_string(t, "state", record_state(w->state));
        for (size_t i = 0; i < ARRAY_SIZE(marks); i++)
                if (marks[i].value)
                        json_put_bool(t, marks[i].key, true);
        json_put_u64(t, "generation", w->generation);
        json_put_u64(t, "ended", w->ended_generation);
        json_put_u64(t, "started_at", w->started_at);
        json_put_u64(t, "ready_at", w->ready_at);
        json_put_u64(t, "due", w->due);
        if (w->state == WORKER_LAUNCHING && w->extended_to > 0)
                json_put_u64(t, "extended_to", w->extended_to);
        json_put_u64(t, "delay", w->delay);
        json_put_u64(t, "restarts", w->history.n_restarts);
        json_put_u64(t, "failures", w->history.n_failures);
        if (w->pool->config->restart.limit > 0)
                put_starts(w, t);
        if (w->status_text)
                json_put_string(t, "status_text", w->status_text);
        if (w->tasks_done > 0)
                json_put_u64(t, "tasks_done", w->tasks_done);
        if (w->watchdog.is_changed)
                json_put_u64(t, "watchdog", MIN(w->watchdog.changed, WATCHDOG_USEC_MAX));
        if (w->recycled_generation > 0) {
                json_put_u64(t, "recycled", w->recycled_generation);
                json_put_u64(t, "recycle_retry_at", w->recycle_retry_at);
        }
        faulty_put(&w->fault, t, "fault");
        faulty_put(&w->ended_fault, t, "ended_fault");
        worker_drain_serialize(w, t);
        worker_elder_serialize(w, t);
        rolling_serialize_worker(w, t);
        if (w->has_exit)
                put_exit_record(w, t);
        if (w->ends)
                worker_put_ends(w, t, "ends");
        json_end_object(t);
}

/* ---- reading ---- */

static uint64_t get_u64(const json_t *o, const char *key) {
        json_int_t v = json_integer_value(json_object_get(o, key));

        return v > 0 ? (uint64_t) v : 0;
}

static int32_t get_i32(const json_t *o, const char *key) {
        return (int32_t) json_integer_value(json_object_get(o, key));
}

static bool get_mark(const json_t *o, const char *key) {
        return json_is_true(json_object_get(o, key));
}

static void read_exit_record(Worker *w, const json_t *o) {
        if (!json_is_object(o))
                return;
        w->has_exit = true;
        w->exit = (ExitStatus){.at_usec = get_u64(o, "at"),
                               .is_failure_to_start = json_object_get(o, "stage") != NULL};
        if (w->exit.is_failure_to_start)
                w->exit.failure = (KeeperFailure){
                        .stage = (uint32_t) get_u64(o, "stage"),
                        .error = get_i32(o, "errno"),
                        .detail = get_i32(o, "detail"),
                };
        else
                w->exit.exit = (KeeperExit){
                        .code = get_i32(o, "code"),
                        .status = get_i32(o, "status"),
                        .stragglers = (uint32_t) get_u64(o, "stragglers"),
                        .at_usec = w->exit.at_usec,
                        .cpu_usec = get_u64(o, "cpu"),
                        .max_rss_bytes = get_u64(o, "memory"),
                        .oom = (uint32_t) get_u64(o, "oom"),
                        .sent = (uint32_t) get_u64(o, "sent"),
                        .memory_limit = get_u64(o, "limit"),
                        .memory_peak = get_u64(o, "peak"),
                };
}

static void read_history(Worker *w, const json_t *o) {
        const json_t *starts = json_object_get(o, "starts");
        const json_t *v;
        size_t i;

        w->history.n_restarts = (unsigned) get_u64(o, "restarts");
        w->history.n_failures = (unsigned) get_u64(o, "failures");
        json_array_foreach(starts, i, v) {
                restart_note_start(&w->history, (usec_t) json_integer_value(v));
        }
}

/* What the process said of itself. */
static void read_words(Worker *w, const json_t *o) {
        w->is_reloading = get_mark(o, "reloading");
        w->is_busy = get_mark(o, "busy");
        w->tasks_done = get_u64(o, "tasks_done");
        w->watchdog.is_changed = json_object_get(o, "watchdog") != NULL;
        w->watchdog.changed = get_u64(o, "watchdog");
        free(w->status_text);
        w->status_text = alloc_strdup(json_string_value(json_object_get(o, "status_text")));
}

/* Without the funnel: nothing is told, nothing begins. */
static void worker_put_back(Worker *w, WorkerState state) {
        w->pool->n_state[w->state]--;
        w->pool->n_state[state]++;
        w->state = state;
        worker_facts_stale(w);
}

int worker_deserialize(Worker *w, const json_t *o) {
        const char *name = json_string_value(json_object_get(o, "state"));
        int state = !name                      ? -EINVAL
                    : streq(name, "launching") ? WORKER_LAUNCHING
                                               : worker_state_from_string(name);

        if (state < 0)
                return -EBADMSG;
        worker_put_back(w, (WorkerState) state);
        w->has_record = true;
        worker_set_wanted(w, get_mark(o, "wanted"));
        w->start_due = get_mark(o, "start_due");
        w->restart_due = get_mark(o, "restart_due");
        w->succeed_due = get_mark(o, "succeed_due");
        w->kill_due = get_mark(o, "kill_due");
        w->is_leaving |= get_mark(o, "leaving");
        w->is_closing = get_mark(o, "closing");
        w->is_paused = get_mark(o, "paused");
        w->is_frozen = get_mark(o, "frozen");
        w->is_draining = get_mark(o, "draining");
        w->is_overdue = get_mark(o, "overdue");
        w->has_ended_overdue = get_mark(o, "ended_overdue");
        w->is_stopped_for_need = get_mark(o, "stopped_for_need");
        read_words(w, o);
        faulty_read(&w->fault, json_object_get(o, "fault"));
        faulty_read(&w->ended_fault, json_object_get(o, "ended_fault"));
        w->generation = get_u64(o, "generation");
        w->ended_generation = get_u64(o, "ended");
        w->started_at = get_u64(o, "started_at");
        w->ready_at = get_u64(o, "ready_at");
        w->due = get_u64(o, "due");
        w->is_ready_early = get_mark(o, "ready_early");
        w->extended_to = get_u64(o, "extended_to");
        w->delay = get_u64(o, "delay");
        w->recycled_generation = get_u64(o, "recycled");
        w->recycle_retry_at = get_u64(o, "recycle_retry_at");
        worker_drain_deserialize(w, o);
        worker_elder_deserialize(w, o);
        rolling_deserialize_worker(w, o);
        read_history(w, o);
        read_exit_record(w, json_object_get(o, "exit"));
        w->exit.is_faulty = w->ended_fault.kind != WORKER_FAULT_NONE;
        worker_read_ends(w, json_object_get(o, "ends"));
        if (w->pool->origin == POOL_FROM_RUN)
                pool_note_ended(w->pool, worker_is_resting(w) && w->state != WORKER_CREATED);
        return 0;
}

/* ---- the keeper's table ---- */

static WorkerState adopted_state(const Worker *w, const KeeperMessage *m) {
        bool is_known = m->generation == w->generation; /* the record is about this very process */

        if (is_known && w->state == WORKER_STOPPING)
                return WORKER_STOPPING;
        if (m->slot_info.state == KEEPER_SLOT_LAUNCHING)
                return WORKER_LAUNCHING;
        if (m->slot_info.state == KEEPER_SLOT_ENDED)
                return is_known && worker_holds_process(w->state) ? w->state : WORKER_LAUNCHING;
        if (is_known && w->state == WORKER_RUNNING)
                return WORKER_RUNNING;
        return WORKER_STARTING; /* worker_catch_up() sees whether that is enough */
}

/* The record says with what the present process was launched; of another one it says nothing. */
static void adopt_config(Worker *w, uint64_t generation) {
        if (w->config && generation == w->generation)
                return;
        worker_free_config(w);
        w->config = pool_config_ref(worker_next_config(w));
}

static void adopt_process(Worker *w, Child *c, const KeeperMessage *m) {
        WorkerState state = adopted_state(w, m);

        w->child = c;
        adopt_config(w, m->generation);
        w->pool->set->n_alive++;
        if (m->generation != w->generation) { /* what is on record is about an earlier one */
                w->is_ready_early = false;
                w->ready_at = w->due = w->extended_to = 0;
                worker_forget_words(w);
                faulty_clear(&w->fault);
        }
        w->is_ready_early |= m->slot_info.is_ready && w->config->ready == READY_FD;
        w->generation = m->generation;
        if (m->slot_info.state == KEEPER_SLOT_RUNNING)
                w->pid = m->slot_info.pid;
        if (m->slot_info.state != KEEPER_SLOT_LAUNCHING)
                w->started_at = m->slot_info.started_usec;
        if (w->ready_at == 0 && state == WORKER_RUNNING)
                w->ready_at = clock_now();
        worker_put_back(w, state);
        pool_note_ended(w->pool, false);
}

int worker_adopt(Worker *w, const KeeperMessage *m) {
        bool is_booked = m->slot_info.state == KEEPER_SLOT_ENDED &&
                         (m->generation == w->ended_generation || m->generation == w->elder.ended_generation ||
                          worker_was_departed(w, m->generation));
        Child *c;
        int r = child_adopt(&c, w->pool->set->world.keeper, m, &worker_child_hooks, w);

        if (r < 0)
                return r;
        if (!is_booked && worker_elder_adopt(w, c, m))
                return 0;
        if (!is_booked && !w->child) {
                adopt_process(w, c, m);
                if (w->pool->is_daemon && m->slot_info.state != KEEPER_SLOT_ENDED)
                        worker_want_kill(w); /* the connection that ran it is gone */
                return 0;
        }
        r = worker_take_departed(w, c);
        if (r < 0)
                child_free(c);
        return 0;
}

/* ---- catching up ---- */

static void catch_up_starting(Worker *w) {
        const PoolConfig *c = w->config;
        usec_t span = c->ready == READY_EXEC ? c->start_for : c->ready_timeout;

        if (w->is_ready_early || (c->ready == READY_EXEC && c->start_for == 0))
                worker_enter(w, WORKER_RUNNING, USEC_INFINITY);
        else if (w->due > 0 || span != USEC_INFINITY)
                worker_arm(w, w->due > 0 ? w->due : MAX(usec_add(clock_now(), span), w->extended_to));
}

/* The signal may have been lost with droverd, and its stop command was ended: once more does less harm than a stop that waits for its timeout. */
static void catch_up_stopping(Worker *w) {
        if (w->kill_due || w->pid > 0)
                worker_send_stop(w);
        else
                w->signal_due = true;
        worker_arm(w, w->due > 0 ? w->due : usec_add(clock_now(), w->config->stop_timeout));
}

static void worker_emit_adopted(Worker *w) {
        Text *t = &w->pool->set->scratch;

        text_clear(t);
        json_put_object(t, NULL);
        json_put_i64(t, "pid", w->pid);
        json_put_string(t, "state", worker_state_to_string(w->state));
        json_end_object(t);
        worker_emit(w, EVENT_WORKER_ADOPTED, text_check(t) < 0 ? NULL : t->data, NULL);
}

void worker_catch_up(Worker *w) {
        if (!w->child)
                worker_free_config(w);
        if (!w->child && (w->state == WORKER_LAUNCHING || worker_holds_process(w->state))) {
                w->is_ready_early = false;
                w->ready_at = w->due = w->extended_to = 0;
                worker_forget_words(w);
                faulty_clear(&w->fault);
                worker_put_back(w, WORKER_CREATED); /* a wanted one is started by the next converge */
        }
        if (w->child)
                tasking_adopted(w, w->generation);
        if (w->elder.child)
                tasking_adopted(w, w->elder.generation);
        worker_elder_catch_up(w);
        if (w->pid > 0)
                worker_emit_adopted(w);
        worker_catch_up_pause(w);
        if (w->pool->is_daemon && w->state == WORKER_CREATED)
                worker_want_stop(w);
        if (w->state == WORKER_STARTING && w->pid > 0)
                catch_up_starting(w);
        else if (w->state == WORKER_STOPPING && !child_is_ended(w->child))
                catch_up_stopping(w);
        else if (w->state == WORKER_BACKOFF)
                worker_arm(w, MAX(w->due, (usec_t) 1));
        w->due_at_first = w->due;
        health_follow(w);
        watchdog_follow(w);
        worker_mark_to_tell(w);
}
