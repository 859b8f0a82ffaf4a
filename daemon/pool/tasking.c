/* tasking.c - see tasking.h. */
#include "pool/tasking.h"
#include "pool/pool-internal.h"

#include "base/log.h"
#include <signal.h>
#include <stdio.h>

void pool_set_use_tasking(PoolSet *s, const TaskingHooks *hooks, void *userdata) {
        s->tasking = hooks;
        s->tasking_userdata = userdata;
}

/* ---- upward ---- */

int tasking_open(Worker *w, int ret_fds[static 2]) {
        PoolSet *s = w->pool->set;
        int r;

        if (!s->tasking || !worker_next_config(w)->is_task_pool)
                return 0;
        r = s->tasking->open(w, ret_fds, s->tasking_userdata);
        return r < 0 ? r : 2;
}

void tasking_launched(Worker *w, uint64_t generation) {
        PoolSet *s = w->pool->set;

        if (s->tasking)
                s->tasking->launched(w, generation, s->tasking_userdata);
}

void tasking_adopted(Worker *w, uint64_t generation) {
        PoolSet *s = w->pool->set;

        if (s->tasking)
                s->tasking->adopted(w, generation, s->tasking_userdata);
}

bool tasking_close(Worker *w, uint64_t generation) {
        PoolSet *s = w->pool->set;

        return s->tasking && s->tasking->close(w, generation, s->tasking_userdata);
}

void tasking_ended(Worker *w, uint64_t generation, const ExitStatus *e) {
        PoolSet *s = w->pool->set;

        if (s->tasking)
                s->tasking->ended(w, generation, e, s->tasking_userdata);
}

void tasking_words(Worker *w, uint64_t generation, const char *json) {
        PoolSet *s = w->pool->set;

        if (s->tasking)
                s->tasking->words(generation, json, s->tasking_userdata);
}

void tasking_changed(Pool *p) {
        if (p->set->tasking && p->config->is_task_pool)
                p->set->tasking->changed(p, p->set->tasking_userdata);
}

/* ---- downward ---- */

static Child *child_of(const Worker *w, uint64_t generation) {
        if (w->child && w->generation == generation)
                return w->child;
        return w->elder.child && w->elder.generation == generation ? w->elder.child : NULL;
}

bool worker_takes_tasks(const Worker *w, uint64_t generation) {
        if (!w->is_wanted || w->is_leaving || w->restart_due || w->is_draining || w->is_paused || !child_of(w, generation))
                return false;
        if (w->child && w->generation == generation)
                return w->state == WORKER_RUNNING;
        return worker_elder_serves(w);
}

void worker_hear_hello(Worker *w, uint64_t generation) {
        if (w->child && w->generation == generation && !child_is_ended(w->child) && worker_next_config(w)->ready == READY_HELLO)
                worker_handle(w, WORKER_ON_READY);
}

void worker_set_load(Worker *w, uint64_t generation, bool is_busy, uint64_t task, uint64_t n_done) {
        const PoolWorld *world = &w->pool->set->world;

        if (!w->child || w->generation != generation)
                return;
        if (w->is_busy != is_busy)
                size_note_load(w);
        w->has_worked |= task > 0;
        w->is_busy = is_busy;
        w->task = task;
        w->tasks_done = n_done;
        worker_facts_stale(w);
        recycle_mark(w->pool);
        if (world->hooks.worker_load)
                world->hooks.worker_load(w, world->userdata);
}

int worker_signal_process(Worker *w, uint64_t generation, int sig) {
        Child *c = child_of(w, generation);

        return c && !child_is_ended(c) ? child_signal(c, sig, false, false) : -ESRCH;
}

int worker_kill_process(Worker *w, uint64_t generation, const char *why) {
        Child *c = child_of(w, generation);
        Faulty *f = c && c == w->child ? &w->fault : &w->elder.fault;

        if (!c || child_is_ended(c))
                return -ESRCH;
        if (f->kind == WORKER_FAULT_NONE)
                faulty_set(f, WORKER_FAULT_TASK, why);
        worker_mark_to_tell(w); /* and on record */
        return child_kill_tree(c);
}

void pool_set_queued(Pool *p, size_t n) {
        unsigned queued = (unsigned) MIN(n, (size_t) UINT32_MAX / 2);

        if (p->n_queued == queued)
                return;
        p->n_queued = queued;
        size_mark(p);
}

bool pool_has_given_up(const Pool *p, char *why, size_t size) {
        const unsigned *n = p->n_state;
        char cause[KEEPER_TEXT_MAX];

        if (p->is_removing || p->n_workers == 0 || p->n_elders > 0 || n[WORKER_FAILED] + n[WORKER_EXITED] < p->n_workers)
                return false;
        worker_describe_exit(p->workers[0], cause, sizeof cause);
        (void) snprintf(why, size, "%s: %s", p->workers[0]->name, cause);
        return true;
}
