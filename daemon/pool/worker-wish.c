/* worker-wish.c - what is wanted of a worker, what may be asked about it, and the step that turns wishes into events.
 *
 * A wish sets a mark and puts the worker into the set's `changed` list; worker_converge(), run from the loop's post
 * source, compares the marks with the state and gives the table in worker.c START or STOP. */
#include "pool/pool-internal.h"
#include "pool/pool-template.h"

#include "base/alloc.h"
#include <utlist.h>

void worker_mark_changed(Worker *w) {
        if (w->is_changed)
                return;
        w->is_changed = true;
        DL_APPEND2(w->pool->set->changed, w, changed_prev, changed_next);
}

void worker_mark_to_tell(Worker *w) {
        w->is_to_tell = true;
        worker_mark_changed(w);
}

void worker_to_record(Worker *w) {
        if (!w->is_unrecorded)
                DL_APPEND2(w->pool->set->unrecorded, w, unrecorded_prev, unrecorded_next);
        w->is_unrecorded = true;
}

void worker_tell(Worker *w) {
        const PoolWorld *world = &w->pool->set->world;

        w->is_to_tell = false;
        worker_to_record(w);
        rolling_mark(w->pool);
        demand_mark(w->pool);
        tasking_changed(w->pool);
        if (world->hooks.worker_changed)
                world->hooks.worker_changed(w, world->userdata);
}

void worker_unrecord(Worker *w) {
        if (!w->is_unrecorded)
                return;
        w->is_unrecorded = false;
        DL_DELETE2(w->pool->set->unrecorded, w, unrecorded_prev, unrecorded_next);
}

Worker *pool_set_next_unrecorded(PoolSet *s) {
        Worker *w = s->unrecorded;

        if (!w)
                return NULL;
        worker_unrecord(w);
        w->has_record = true;
        return w;
}

void worker_queue_launch(Worker *w) {
        if (w->is_to_launch || w->n_departed >= WORKER_UNDRAINED_MAX)
                return; /* in the latter case worker_converge() tries again once one is drained */
        if (!order_may_start(w->pool))
                return; /* order_converge() tries again */
        w->is_to_launch = true;
        DL_APPEND2(w->pool->to_launch, w, launch_prev, launch_next);
        pool_enlist(w->pool);
}

static void worker_unqueue_launch(Worker *w) {
        if (!w->is_to_launch)
                return;
        w->is_to_launch = false;
        DL_DELETE2(w->pool->to_launch, w, launch_prev, launch_next);
        if (!w->pool->to_launch)
                pool_delist(w->pool);
}

void worker_unlist(Worker *w) {
        worker_unqueue_launch(w);
        worker_unrecord(w);
        if (!w->is_changed)
                return;
        w->is_changed = false;
        DL_DELETE2(w->pool->set->changed, w, changed_prev, changed_next);
}

Worker *worker_new(Pool *p, unsigned slot) {
        _cleanup_free_ Worker *w = NEW0(Worker);

        if (!w)
                return NULL;
        w->name = p->origin == POOL_FROM_RUN ? alloc_strdup(p->config->name)
                                             : alloc_printf("%s/%u", p->config->name, slot);
        if (!w->name)
                return NULL;
        w->pool = p;
        w->slot = slot;
        p->n_state[WORKER_CREATED]++;
        return TAKE_PTR(w);
}

Worker *worker_free(Worker *w) {
        Pool *p;

        if (!w)
                return NULL;
        p = w->pool;
        worker_unlist(w);
        template_answered(w, false);
        worker_set_wanted(w, false);
        w->timer = sd_event_source_disable_unref(w->timer);
        w->words = last_words_free(w->words);
        w->ends = worker_ends_free(w->ends);
        w->watchdog.timer = sd_event_source_disable_unref(w->watchdog.timer);
        w->health = health_free(w->health);
        w->stop_errand = errand_drop(w->stop_errand);
        worker_depart(w); /* forgotten, not killed */
        worker_free_config(w);
        worker_elder_done(w);
        worker_drain_done(w);
        p->n_state[w->state]--;
        faulty_clear(&w->fault);
        faulty_clear(&w->ended_fault);
        free(w->facts);
        free(w->refusal);
        free(w->name);
        free(w);
        return NULL;
}

/* ---- wishes ---- */

void worker_set_wanted(Worker *w, bool wanted) {
        if (w->is_wanted == wanted)
                return;
        w->pool->n_wanted += wanted ? 1u : -1u;
        w->is_wanted = wanted;
        order_note(w->pool);
        w->is_to_tell = true; /* whoever wishes marks it as changed, too */
        worker_facts_stale(w);
}

void worker_want_start(Worker *w) {
        if (w->is_leaving)
                return;
        demand_end(w->pool);
        worker_set_wanted(w, true);
        w->start_due = true;
        w->kill_due = w->is_stopped_for_need = false;
        restart_forgive(&w->history);
        worker_mark_changed(w);
}

void worker_want_stop(Worker *w) {
        worker_set_wanted(w, false);
        w->start_due = w->restart_due = w->succeed_due = w->recall_due = w->is_stopped_for_need = false;
        worker_mark_changed(w);
}

void worker_want_kill(Worker *w) {
        worker_want_stop(w);
        w->kill_due = true;
}

void worker_want_restart(Worker *w) {
        if (w->is_leaving)
                return;
        worker_want_start(w);
        w->restart_due = w->child != NULL;
}

void worker_want_succession(Worker *w) {
        if (w->state != WORKER_RUNNING || w->restart_due) {
                worker_want_restart(w);
                return;
        }
        worker_want_start(w);
        w->succeed_due = !w->is_leaving;
}

static int signal_child(Child *c, int sig, bool whole_tree) {
        return sig == SIGKILL && whole_tree ? child_kill_tree(c) : child_signal(c, sig, whole_tree, false);
}

int worker_signal(Worker *w, int sig, bool whole_tree) {
        int r = 0;

        if (w->pid <= 0 && w->elder.pid <= 0)
                return 0;
        if (w->elder.pid > 0)
                r = signal_child(w->elder.child, sig, whole_tree);
        if (w->pid > 0)
                r = signal_child(w->child, sig, whole_tree);
        return r < 0 ? r : 1;
}

const PoolConfig *worker_live_config(const Worker *w) {
        return w->config_live ? w->config_live : w->config;
}

void worker_reconfigured(Worker *w, PoolConfig *old, ConfigCost cost) {
        LogSpec log;

        if (w->config && worker_live_config(w) == old && cost <= CONFIG_NEXT_START) {
                PoolConfig **follows = w->config_live || cost == CONFIG_NEXT_START ? &w->config_live : &w->config;
                PoolConfig *before = *follows;

                *follows = pool_config_ref(w->pool->config);
                pool_config_unref(before);
                health_follow(w);
                if (w->child && worker_log_spec(w, &log) >= 0)
                        (void) child_respec_log(w->child, &log);
        }
        worker_facts_stale(w);
}

/* ---- convergence ---- */

static bool worker_has_to_stop(const Worker *w) {
        bool is_up =
                w->state == WORKER_LAUNCHING || w->state == WORKER_STARTING || w->state == WORKER_RUNNING;

        if (w->state == WORKER_BACKOFF)
                return !w->is_wanted;
        return is_up && (w->restart_due || (w->recall_due && worker_elder_serves_on(w)) ||
                         (!w->is_wanted && !order_holds_stop(w)));
}

static bool worker_has_to_start(const Worker *w) {
        if (!w->is_wanted || w->pool->set->is_stopping || w->pool->is_awaiting)
                return false;
        switch (w->state) {
        case WORKER_CREATED:
        case WORKER_STOPPED:
                return true;
        case WORKER_BACKOFF:
        case WORKER_EXITED:
        case WORKER_FAILED:
                return w->start_due;
        default:
                return false;
        }
}

void worker_converge(Worker *w) {
        worker_free_drained(w);
        if (w->is_timer_due)
                worker_arm(w, w->due);
        worker_elder_converge(w);
        if (worker_has_to_stop(w))
                worker_handle(w, WORKER_ON_STOP);
        else if (worker_has_to_start(w))
                worker_handle(w, WORKER_ON_START);
        else if (w->state == WORKER_STOPPING && w->kill_due && w->n_kills == 0)
                worker_handle(w, WORKER_ON_TIMEOUT);
        else if (w->state == WORKER_LAUNCHING && !w->child)
                worker_queue_launch(w);
        else if (w->succeed_due && w->state == WORKER_RUNNING && !w->elder.child)
                worker_handle(w, WORKER_ON_SUCCEED); /* not before the last one's elder is gone */
        if (w->state == WORKER_RUNNING || w->state == WORKER_STARTING)
                w->start_due = false; /* it is so */
        if (w->is_to_tell)
                worker_tell(w);
}

/* ---- questions ---- */

const char *worker_name(const Worker *w) {
        return w->name;
}

unsigned worker_slot(const Worker *w) {
        return w->slot;
}

Pool *worker_pool(const Worker *w) {
        return w->pool;
}

WorkerState worker_state(const Worker *w) {
        return w->state;
}

bool worker_is_wanted(const Worker *w) {
        return w->is_wanted;
}

bool worker_is_settled(const Worker *w) {
        if (w->child || w->elder.child)
                return false;
        for (unsigned i = 0; i < w->n_departed; i++)
                if (!w->departed[i].is_drained)
                        return false;
        return true;
}

bool worker_has_output_due(const Worker *w) {
        return !w->child && !worker_is_settled(w);
}

bool worker_is_restart_due(const Worker *w) {
        return w->restart_due;
}

bool worker_is_alive(const Worker *w) {
        return w->pid > 0;
}

bool worker_is_ready(const Worker *w) {
        return w->state == WORKER_RUNNING;
}

bool worker_is_daemon(const Worker *w) {
        return w->pool->is_daemon;
}

bool worker_is_leaving(const Worker *w) {
        return w->is_leaving;
}

unsigned worker_n_restarts(const Worker *w) {
        return w->history.n_restarts;
}

pid_t worker_pid(const Worker *w) {
        return w->pid;
}

const ExitStatus *worker_last_exit(const Worker *w) {
        return w->has_exit ? &w->exit : NULL;
}

uint64_t worker_generation(const Worker *w) {
        return w->generation;
}
