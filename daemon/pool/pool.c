/* pool.c - a wanted number of alike workers.
 *
 * Slots are 0 .. size-1. A smaller size marks the highest slots as leaving: they are stopped like any other and go
 * once they rest; growing again before that keeps them. A pool that is removed is one of size 0 for good; it goes
 * with its last worker. A `run` process is a pool of one worker that is never started again by itself; when more than
 * POOL_RUN_ENDED_MAX of them have ended, the one that ended first is forgotten. */
#include "pool/pool-internal.h"

#include "base/alloc.h"
#include <utlist.h>

/* ---- lists ---- */

void pool_enlist(Pool *p) {
        if (p->in_ring)
                return;
        p->in_ring = true;
        DL_APPEND2(p->set->ring, p, ring_prev, ring_next);
}

void pool_delist(Pool *p) {
        if (!p->in_ring)
                return;
        p->in_ring = false;
        DL_DELETE2(p->set->ring, p, ring_prev, ring_next);
}

void pool_note_ended(Pool *p, bool is_ended) {
        PoolSet *s = p->set;

        if (p->in_ended == is_ended)
                return;
        p->in_ended = is_ended;
        if (is_ended) {
                DL_APPEND2(s->ended, p, ended_prev, ended_next);
                s->n_ended++;
        } else {
                DL_DELETE2(s->ended, p, ended_prev, ended_next);
                s->n_ended--;
        }
}

/* ---- slots ---- */

size_t pool_slot_position(const Pool *p, unsigned slot) {
        size_t i = MIN((size_t) slot, p->n_workers);

        if (i < p->n_workers && p->workers[i]->slot == slot)
                return i;
        for (i = 0; i < p->n_workers && p->workers[i]->slot < slot; i++)
                ;
        return i;
}

Worker *pool_slot(Pool *p, unsigned slot, bool make) {
        size_t i = pool_slot_position(p, slot);
        Worker *w;

        if (i < p->n_workers && p->workers[i]->slot == slot)
                return p->workers[i];
        if (!make || alloc_grow(&p->workers, &p->workers_capacity, p->n_workers + 1, sizeof *p->workers) < 0)
                return NULL;
        w = worker_new(p, slot);
        if (!w)
                return NULL;
        memmove(p->workers + i + 1, p->workers + i, (p->n_workers - i) * sizeof *p->workers);
        p->workers[i] = w;
        p->n_workers++;
        return w;
}

void pool_drop_worker(Pool *p, Worker *w) {
        PoolSet *s = p->set;
        size_t i = pool_slot_position(p, w->slot);

        p->n_restarts_gone += w->history.n_restarts;
        listen_set_forget_slot(p->listen, w->slot);
        if (s->world.hooks.worker_removed)
                s->world.hooks.worker_removed(w, s->world.userdata);
        memmove(p->workers + i, p->workers + i + 1, (p->n_workers - i - 1) * sizeof *p->workers);
        p->n_workers--;
        worker_free(w);
        s->has_leaving |= p->is_removing && p->n_workers == 0;
        size_mark(p);
}

/* A new slot does what its siblings are told: if any of them is wanted, so is it. Those that leave are the highest. */
bool pool_wants_new(const Pool *p) {
        bool has_siblings = p->n_workers > 0 && !p->workers[0]->is_leaving;

        return has_siblings ? p->n_wanted > 0 : p->wants_start;
}

void pool_fill(Pool *p) {
        unsigned size = p->is_removing ? 0 : p->size;
        bool wanted = pool_wants_new(p), is_awaiting = p->is_awaiting;

        p->is_awaiting = false; /* a slot that is made wakes nobody */

        for (unsigned slot = 0; slot < size; slot++) {
                bool is_new = slot >= p->n_workers || p->workers[slot]->slot != slot ||
                              p->workers[slot]->is_leaving;
                Worker *w = is_new ? pool_slot(p, slot, true) : NULL;

                if (!w)
                        continue; /* there already; or short of memory: the next scale makes it */
                w->is_leaving = false;
                if (wanted)
                        worker_want_start(w);
        }
        for (size_t i = 0; i < p->n_workers; i++) {
                Worker *w = p->workers[i];

                if (w->slot < size || w->is_leaving)
                        continue;
                w->is_leaving = true;
                worker_want_stop(w);
        }
        p->is_awaiting = is_awaiting;
}

/* ---- wishes ---- */

void pool_changed(Pool *p, bool is_removed) {
        PoolSet *s = p->set;

        demand_mark(p);
        if (s->world.hooks.pool_changed)
                s->world.hooks.pool_changed(p, is_removed, s->world.userdata);
}

void pool_emit(Pool *p, EventKind k) {
        Text *t = &p->set->scratch;

        text_clear(t);
        json_put_object(t, NULL);
        json_put_u64(t, "workers", p->size);
        json_put_string(t, "origin", pool_origin_to_string(p->origin));
        json_end_object(t);
        hub_emit(p->set->world.hub, k, pool_name(p), NULL, text_check(t) < 0 ? NULL : t->data);
}

int pool_add(PoolSet *s, PoolConfig *c, PoolOrigin origin, bool start, Pool **ret) {
        Pool *p;
        int r = pool_make(s, c, origin, &p), k;

        s->fault[0] = '\0';
        if (r < 0)
                return r;
        k = listen_set_new(&p->listen, s, c, NULL, origin == POOL_FROM_CONFIG, s->fault);
        if (k < 0 && !p->listen) {
                pool_set_forget(s, p);
                return k;
        }
        p->wants_start = start;
        pool_fill(p);
        if (p->n_workers < p->size) {
                pool_set_forget(s, p);
                return -ENOMEM;
        }
        if (start)
                demand_begin(p);
        pool_emit(p, EVENT_POOL_ADDED);
        pool_changed(p, false);
        if (ret)
                *ret = p;
        return k;
}

const char *pool_set_fault(const PoolSet *s) {
        return s->fault;
}

static int pool_copy_run(Pool *p, const RunOptions *run) {
        p->is_daemon = run->is_daemon;
        for (int i = 0; i < 3; i++) {
                p->stdio_path[i] = alloc_strdup(run->stdio_path[i]);
                if (run->stdio_path[i] && !p->stdio_path[i])
                        return -ENOMEM;
        }
        return 0;
}

/* Whether the pool of this name was an ended `run` process, which is forgotten now. */
static bool pool_give_way(PoolSet *s, const char *name) {
        Pool *p = pool_find(s, name);

        if (!p->in_ended || !worker_is_settled(p->workers[0]))
                return false;
        pool_set_forget_ended(s, p);
        return true;
}

int pool_add_run(PoolSet *s, PoolConfig *c, const RunOptions *run, Pool **ret) {
        Pool *p = NULL;
        int r = pool_make(s, c, POOL_FROM_RUN, &p);

        if (r == -EEXIST && pool_give_way(s, c->name))
                r = pool_make(s, c, POOL_FROM_RUN, &p);
        if (r < 0)
                return r;
        p->wants_start = true;
        r = run ? pool_copy_run(p, run) : 0;
        if (r >= 0)
                pool_fill(p);
        if (r < 0 || p->n_workers < 1) {
                pool_set_forget(s, p);
                return -ENOMEM;
        }
        pool_changed(p, false);
        *ret = p;
        return 0;
}

void pool_remove(Pool *p) {
        if (p->is_removing)
                return;
        p->is_removing = true;
        pool_fill(p);
        p->set->has_leaving |= p->n_workers == 0;
        pool_changed(p, false);
}

void pool_want_start(Pool *p) {
        p->wants_start = true;
        for (size_t i = 0; i < p->n_workers; i++)
                worker_want_start(p->workers[i]);
}

void pool_want_stop(Pool *p) {
        p->wants_start = false;
        for (size_t i = 0; i < p->n_workers; i++)
                worker_want_stop(p->workers[i]);
}

void pool_resize(Pool *p, unsigned n_workers) {
        if (p->is_removing || p->size == n_workers)
                return;
        p->wants_start = pool_wants_new(p); /* remembered over a size of 0 */
        p->size = n_workers;
        pool_fill(p);
        size_mark(p);
        pool_changed(p, false);
}

void pool_set_size(Pool *p, unsigned n_workers) {
        bool has_new_floor = size_is_automatic(p) && !p->is_removing && (!p->has_floor || p->floor != n_workers);
        unsigned before = p->size;

        p->has_floor |= has_new_floor;
        p->floor = has_new_floor ? n_workers : p->floor;
        pool_resize(p, n_workers);
        if (p->size != before)
                pool_emit(p, EVENT_POOL_SCALED);
        else if (has_new_floor)
                pool_changed(p, false);
        size_mark(p);
}
