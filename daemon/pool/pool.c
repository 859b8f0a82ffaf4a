/* pool.c - a wanted number of alike workers.
 *
 * Slots are 0 .. size-1. A smaller size marks the highest slots as leaving: they are stopped like any other and go
 * once they rest; growing again before that keeps them. A pool that is removed is one of size 0 for good; it goes
 * with its last worker. A `run` process is a pool of one worker that is never started again by itself; when more than
 * POOL_RUN_ENDED_MAX of them have ended, the one that ended first is forgotten. */
#include "pool/bounds.h"
#include "pool/pool-internal.h"

#include "base/alloc.h"
#include <utlist.h>

static const char *const origin_names[] = {
        [POOL_FROM_CONFIG] = "config",
        [POOL_FROM_CALL] = "call",
        [POOL_FROM_RUN] = "run",
};

const char *pool_origin_to_string(PoolOrigin o) {
        return (unsigned) o < ARRAY_SIZE(origin_names) ? origin_names[o] : NULL;
}

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

/* Position of @slot among the workers, or where it would stand. */
static size_t pool_slot_position(const Pool *p, unsigned slot) {
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

static void pool_emit(Pool *p, EventKind k) {
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

int pool_add_run(PoolSet *s, PoolConfig *c, const RunOptions *run, Pool **ret) {
        Pool *p = pool_find(s, c->name);
        int r;

        if (p && (!p->in_ended || !worker_is_settled(p->workers[0])))
                return -EEXIST;
        if (p)
                pool_set_forget_ended(s, p);
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

/* ---- another configuration ---- */

void pool_install_config(Pool *p, PoolConfig *c, ListenSet *listen, ConfigCost cost) {
        PoolConfig *old = p->config;

        order_pool_gone(p);
        p->config = pool_config_ref(c);
        order_pool_added(p);
        size_unwatch(p);
        demand_end(p); /* the watches are on the old sockets; whether it rests is found anew */
        p->listen = listen;
        for (size_t i = 0; i < p->n_workers; i++)
                worker_reconfigured(p->workers[i], old, cost);
        for (size_t i = 0; i < p->n_workers && cost != CONFIG_RESTART; i++)
                if (p->workers[i]->child)
                        bounds_update(p->workers[i]->child, old, c);
        if (old->workers != c->workers || (old->workers_max > 0) != (c->workers_max > 0)) {
                p->has_floor = false;
                pool_resize(p, c->workers);
        }
        size_mark(p);
        recycle_mark(p);
        pool_config_unref(old);
        pool_changed(p, false);
}

void pool_remember_config(Pool *p, PoolConfig *before) {
        pool_config_ref(before);
        pool_config_unref(p->config_before);
        p->config_before = before;
}

static bool replaces_rolling(const Pool *p, const PoolConfig *c) {
        return p->rolling || c->n_listen > 0 || json_object_get(c->source, "reload");
}

static void restart_all(Pool *p) {
        for (size_t i = 0; i < p->n_workers; i++)
                if (p->workers[i]->is_wanted && !worker_is_resting(p->workers[i]))
                        worker_want_restart(p->workers[i]);
}

int pool_reconfigure(Pool *p, PoolConfig *c, ConfigCost cost) {
        _cleanup_(pool_config_unrefp) PoolConfig *old = pool_config_ref(p->config);
        ListenSet *listen = NULL, *old_listen = p->listen;
        bool was_awaiting = p->is_awaiting;
        int r = listen_set_new(&listen, p->set, c, old_listen, false, p->set->fault);

        if (r < 0)
                return r;
        pool_install_config(p, c, listen, cost);
        if (was_awaiting)
                demand_begin(p);
        if (cost == CONFIG_RESTART && replaces_rolling(p, c))
                return rolling_begin(p, old, old_listen, &c->reload, NULL, 0);
        if (cost == CONFIG_RESTART)
                restart_all(p);
        listen_set_free(old_listen);
        pool_remember_config(p, old);
        pool_changed(p, false);
        return 0;
}

int pool_reload(Pool *p, const ReloadConfig *how, Worker *const *workers, size_t n) {
        return rolling_begin(p, NULL, NULL, how, workers, n);
}

static PoolConfig *rollback_config(const Pool *p) {
        return rolling_former_config(p) != p->config ? rolling_former_config(p) : p->config_before;
}

bool pool_can_roll_back(const Pool *p) {
        return rollback_config(p) != NULL;
}

static int cost_between(PoolConfig *from, PoolConfig *to, ConfigCost *ret) {
        const Config a = {.pools = &from, .n_pools = 1}, b = {.pools = &to, .n_pools = 1};
        _cleanup_(config_diff_done) ConfigDiff d = {0};
        int r = config_diff(&a, &b, &d);

        if (r >= 0)
                *ret = d.n > 0 ? d.items[0].cost : CONFIG_SAME;
        return r;
}

int pool_rollback(Pool *p) {
        _cleanup_(pool_config_unrefp) PoolConfig *before = pool_config_ref(rollback_config(p));
        ConfigCost cost;
        int r;

        p->set->fault[0] = '\0';
        if (!before)
                return -ENODATA;
        r = cost_between(p->config, before, &cost);
        if (r >= 0 && p->rolling)
                cost = CONFIG_RESTART; /* some of it is replaced already */
        if (r >= 0)
                r = pool_reconfigure(p, before, cost);
        if (r >= 0)
                pool_emit(p, EVENT_POOL_ROLLED_BACK);
        return r;
}

/* ---- questions ---- */

const char *pool_name(const Pool *p) {
        return p->config->name;
}

PoolConfig *pool_config(const Pool *p) {
        return p->config;
}

PoolOrigin pool_origin(const Pool *p) {
        return p->origin;
}

bool pool_is_run(const Pool *p) {
        return p->origin == POOL_FROM_RUN;
}

bool pool_is_removing(const Pool *p) {
        return p->is_removing;
}

unsigned pool_size(const Pool *p) {
        return p->is_removing ? 0 : p->size;
}

size_t pool_n_workers(const Pool *p) {
        return p->n_workers;
}

/* A process that serves until a younger one is ready is a ready one. */
unsigned pool_n_ready(const Pool *p) {
        unsigned n = p->n_state[WORKER_RUNNING];

        for (size_t i = 0; p->n_elders > 0 && i < p->n_workers; i++)
                n += worker_elder_serves(p->workers[i]);
        return n;
}

bool pool_is_reloading(const Pool *p) {
        return p->rolling != NULL;
}

uint64_t pool_n_reloads(const Pool *p) {
        return p->n_reloads;
}

const RollingOutcome *pool_reload_outcome(const Pool *p) {
        return &p->reload;
}

unsigned pool_n_wanted(const Pool *p) {
        return p->n_wanted;
}

uint64_t pool_n_restarts(const Pool *p) {
        uint64_t n = p->n_restarts_gone;

        for (size_t i = 0; i < p->n_workers; i++)
                n += p->workers[i]->history.n_restarts;
        return n;
}

Worker *pool_worker(const Pool *p, size_t i) {
        return i < p->n_workers ? p->workers[i] : NULL;
}

Worker *pool_worker_by_slot(const Pool *p, unsigned slot) {
        size_t i = pool_slot_position(p, slot);

        return i < p->n_workers && p->workers[i]->slot == slot ? p->workers[i] : NULL;
}

/* Degraded is: fewer are ready than wanted, and one that is missing is not just on its way. */
static const char *pool_wanted_state(const Pool *p) {
        const unsigned *n = p->n_state;
        unsigned n_coming = n[WORKER_CREATED] + n[WORKER_STOPPED] + n[WORKER_LAUNCHING] + n[WORKER_STARTING] +
                            n[WORKER_STOPPING];
        unsigned n_up = n[WORKER_RUNNING] + n_coming + n[WORKER_BACKOFF];

        if (pool_n_ready(p) >= p->n_wanted)
                return "running";
        if (n_up == 0)
                return n[WORKER_FAILED] > 0 ? "failed" : "exited";
        if (n[WORKER_BACKOFF] + n[WORKER_FAILED] + n[WORKER_EXITED] > 0)
                return "degraded";
        return "starting";
}

const char *pool_state(const Pool *p) {
        const unsigned *n = p->n_state;

        if (p->is_awaiting)
                return "stopped";
        if (p->n_wanted > 0)
                return pool_wanted_state(p);
        if (p->n_elders > 0 || n[WORKER_LAUNCHING] + n[WORKER_STARTING] + n[WORKER_RUNNING] + n[WORKER_STOPPING] > 0)
                return "stopping";
        if (p->n_workers > 0 && n[WORKER_FAILED] == p->n_workers)
                return "failed";
        if (p->n_workers > 0 && n[WORKER_EXITED] == p->n_workers)
                return "exited";
        return "stopped";
}
