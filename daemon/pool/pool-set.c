/* pool-set.c - all pools by name, and the step that brings them to what is wanted.
 *
 * pool_set_converge() first looks at every worker that changed (stops need nobody's leave), then starts workers: at
 * most POOL_LAUNCHES_MAX without an answer, one of each pool in turn, so that a pool of a thousand does not keep a
 * pool of one waiting. It goes on with the next round of the loop, which an answer of the keeper begins. */
#include "pool/pool-internal.h"
#include "pool/pool-template.h"

#include "base/alloc.h"
#include "base/path.h"
#include "priority.h"
#include <sys/random.h>
#include <utlist.h>

#define AGAIN_USEC (100 * USEC_PER_MSEC)

/* ---- the set ---- */

/* The logger follows no link on the way to a file; here it is decided which one may be. What cannot be resolved stays
 * as it is: the logger will say what is wrong with it. */
static char *real_directory(const char *path) {
        char *real = NULL;

        if (path && path_resolve(path, &real) >= 0)
                return real;
        return alloc_strdup(path);
}

/* ---- timers for which memory was short ---- */

static int again_dispatch(sd_event_source *source, uint64_t usec, void *userdata) {
        PoolSet *s = userdata;

        (void) sd_event_source_set_time(source, USEC_INFINITY);
        for (size_t i = 0; i < s->n_pools; i++)
                for (size_t k = 0; k < s->pools[i]->n_workers; k++)
                        if (s->pools[i]->workers[k]->is_timer_due)
                                worker_mark_changed(s->pools[i]->workers[k]);
        return 0;
}

/* Made ahead, at no time at all: to set one later takes no memory. */
static int again_new(PoolSet *s) {
        int r;

        if (!s->world.event)
                return 0;
        r = sd_event_add_time(s->world.event, &s->again, CLOCK_MONOTONIC, USEC_INFINITY, USEC_PER_MSEC, again_dispatch, s);
        if (r >= 0)
                r = sd_event_source_set_enabled(s->again, SD_EVENT_ON);
        return r < 0 ? r : sd_event_source_set_priority(s->again, PRIORITY_DEADLINE);
}

void pool_set_try_again(PoolSet *s) {
        (void) sd_event_source_set_time_relative(s->again, AGAIN_USEC);
}

int pool_set_new(PoolSet **ret, const PoolWorld *world) {
        _cleanup_(pool_set_freep) PoolSet *s = NEW0(PoolSet);
        int r;

        if (!s)
                return -ENOMEM;
        s->world = *world;
        s->log_dir = real_directory(world->log_dir);
        s->notify_socket = alloc_strdup(world->notify_socket);
        s->control_socket = alloc_strdup(world->control_socket);
        if ((world->log_dir && !s->log_dir) || (world->notify_socket && !s->notify_socket) ||
            (world->control_socket && !s->control_socket))
                return -ENOMEM;
        if (getrandom(&s->random, sizeof s->random, GRND_NONBLOCK) < 0)
                s->random = clock_now();
        s->promises = promise_facts(keeper_link_hello(world->keeper));
        s->random |= 1; /* the generator's only forbidden state is 0 */
        r = again_new(s);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(s);
        return 0;
}

PoolSet *pool_set_free(PoolSet *s) {
        if (!s)
                return NULL;
        s->is_freeing = true;
        while (s->n_pools > 0)
                pool_set_forget(s, s->pools[s->n_pools - 1]);
        template_set_done(s);
        errand_set_done(s);
        usage_round_done(&s->usage);
        sd_event_source_disable_unref(s->drain_timer);
        sd_event_source_disable_unref(s->again);
        text_done(&s->scratch);
        free(s->pools);
        free(s->leaf_base);
        free(s->log_dir);
        free(s->notify_socket);
        free(s->control_socket);
        free(s);
        return NULL;
}

void pool_set_set_log_dir(PoolSet *s, const char *log_dir) {
        char *copy = real_directory(log_dir);

        if (!copy)
                return;
        free(s->log_dir);
        s->log_dir = copy;
}

/* xorshift64*: for jitter only. */
uint64_t pool_set_random(PoolSet *s) {
        s->random ^= s->random >> 12;
        s->random ^= s->random << 25;
        s->random ^= s->random >> 27;
        return s->random * UINT64_C(0x2545F4914F6CDD1D);
}

/* ---- pools by name ---- */

static int compare_at(const PoolSet *s, size_t i, const char *name) {
        return strcmp(pool_name(s->pools[i]), name);
}

/* The name of one `run` follows that of the one before most often: two looks in place of ten. */
static bool is_behind_last(const PoolSet *s, const char *name) {
        size_t i = s->made_at;

        return i < s->n_pools && compare_at(s, i, name) < 0 && (i + 1 == s->n_pools || compare_at(s, i + 1, name) > 0);
}

size_t pool_set_position(const PoolSet *s, const char *name, bool *ret_found) {
        size_t low = 0, high = s->n_pools;

        *ret_found = false;
        if (is_behind_last(s, name))
                return s->made_at + 1;
        while (low < high) {
                size_t middle = low + (high - low) / 2;
                int order = compare_at(s, middle, name);

                if (order == 0) {
                        *ret_found = true;
                        return middle;
                }
                if (order < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

Pool *pool_free(Pool *p) {
        if (!p)
                return NULL;
        order_pool_gone(p);
        size_end(p);
        recycle_end(p);
        while (p->n_workers > 0)
                worker_free(p->workers[--p->n_workers]);
        pool_delist(p);
        pool_note_ended(p, false);
        for (int i = 0; i < 3; i++)
                free(p->stdio_path[i]);
        free(p->workers);
        p->rolling = rolling_free(p->rolling);
        rolling_outcome_done(&p->reload);
        listen_set_free(p->listen);
        pool_config_unref(p->config_before);
        pool_config_unref(p->config_refused);
        pool_config_unref(p->config);
        free(p);
        return NULL;
}

int pool_make(PoolSet *s, PoolConfig *c, PoolOrigin origin, Pool **ret) {
        bool found;
        size_t i = pool_set_position(s, c->name, &found);
        Pool *p;

        if (found)
                return -EEXIST;
        if (alloc_grow(&s->pools, &s->pools_capacity, s->n_pools + 1, sizeof(Pool *)) < 0)
                return -ENOMEM;
        p = NEW0(Pool);
        if (!p)
                return -ENOMEM;
        p->set = s;
        p->config = pool_config_ref(c);
        p->origin = origin;
        p->size = origin == POOL_FROM_RUN ? 1 : c->workers;
        memmove(s->pools + i + 1, s->pools + i, (s->n_pools - i) * sizeof(Pool *));
        s->pools[i] = p;
        s->made_at = i;
        s->n_pools++;
        order_pool_added(p);
        *ret = p;
        return 0;
}

void pool_set_forget(PoolSet *s, Pool *p) {
        bool found;
        size_t i = pool_set_position(s, pool_name(p), &found);

        memmove(s->pools + i, s->pools + i + 1, (s->n_pools - i - 1) * sizeof(Pool *));
        s->n_pools--;
        s->made_at -= s->made_at > 0 && i <= s->made_at;
        pool_free(p);
}

Pool *pool_find(PoolSet *s, const char *name) {
        bool found;
        size_t i = pool_set_position(s, name, &found);

        return found ? s->pools[i] : NULL;
}

size_t pool_count(const PoolSet *s) {
        return s->n_pools;
}

Pool *pool_first(PoolSet *s) {
        s->walked = 0;
        return s->n_pools > 0 ? s->pools[0] : NULL;
}

Pool *pool_next(Pool *p) {
        PoolSet *s = p->set;
        bool found;
        size_t i = s->walked; /* most often it goes on from where it was */

        if (i >= s->n_pools || s->pools[i] != p)
                i = pool_set_position(s, pool_name(p), &found);
        s->walked = ++i;
        return i < s->n_pools ? s->pools[i] : NULL;
}

/* ---- convergence ---- */

static void pool_set_look(PoolSet *s) {
        while (s->changed) {
                Worker *w = s->changed;

                DL_DELETE2(s->changed, w, changed_prev, changed_next);
                w->is_changed = false;
                worker_converge(w);
                if (w->is_leaving && worker_is_resting(w) && worker_is_settled(w))
                        pool_drop_worker(w->pool, w);
        }
}

/* The next worker whose turn it is; its pool goes to the end of the ring. */
static Worker *pool_set_next_launch(PoolSet *s) {
        Pool *p = s->ring;
        Worker *w = p->to_launch;

        DL_DELETE2(p->to_launch, w, launch_prev, launch_next);
        w->is_to_launch = false;
        pool_delist(p);
        if (p->to_launch)
                pool_enlist(p);
        return w;
}

static void pool_set_launch(PoolSet *s) {
        while (s->ring && keeper_link_n_launching(s->world.keeper) < POOL_LAUNCHES_MAX) {
                Worker *w = pool_set_next_launch(s);

                if (w->state == WORKER_LAUNCHING && !w->child && template_admits(w))
                        worker_launch(w);
        }
}

static void pool_set_drop(PoolSet *s, Pool *p) {
        hub_emit(s->world.hub, EVENT_POOL_REMOVED, pool_name(p), NULL, NULL);
        if (s->world.hooks.pool_changed)
                s->world.hooks.pool_changed(p, true, s->world.userdata);
        pool_set_forget(s, p);
}

void pool_set_forget_ended(PoolSet *s, Pool *p) {
        if (s->world.hooks.worker_removed)
                s->world.hooks.worker_removed(p->workers[0], s->world.userdata);
        if (s->world.hooks.pool_changed)
                s->world.hooks.pool_changed(p, true, s->world.userdata);
        pool_set_forget(s, p);
}

static void pool_set_reap(PoolSet *s) {
        for (size_t i = s->has_leaving ? s->n_pools : 0; i > 0; i--)
                if (s->pools[i - 1]->is_removing && s->pools[i - 1]->n_workers == 0)
                        pool_set_drop(s, s->pools[i - 1]);
        s->has_leaving = false;
}

static void pool_set_settle(PoolSet *s) {
        do
                pool_set_look(s);
        while (order_converge(s));
}

void pool_set_converge(PoolSet *s) {
        (void) order_converge(s);
        do {
                pool_set_settle(s);
                demand_converge(s);
                size_converge(s);
                recycle_converge(s);
        } while (rolling_converge(s) || s->changed || s->is_size_due || s->is_demand_due);
        if (!s->is_stopping)
                pool_set_launch(s);
        template_set_converge(s);
        errand_set_converge(s);
        if (s->changed || s->is_order_due) /* launches that were refused on this side, errands that could not be run */
                pool_set_settle(s);
        errand_set_converge(s);
        pool_set_reap(s);
}

bool pool_set_tidy(PoolSet *s) {
        size_t n_before = s->n_ended;

        while (s->n_ended > POOL_RUN_ENDED_MAX && worker_is_settled(s->ended->workers[0]))
                pool_set_forget_ended(s, s->ended);
        return s->n_ended < n_before;
}

/* ---- shutdown ---- */

static void pool_follow_health(Pool *p) {
        for (size_t i = 0; i < p->n_workers; i++)
                health_follow(p->workers[i]);
}

static bool pool_is_kept(const Pool *p) {
        return p->config->on_daemon_exit == ON_DAEMON_EXIT_KEEP && !p->is_daemon;
}

void pool_set_want_stop_all(PoolSet *s) {
        s->is_stopping = true;
        template_set_stop(s);
        for (size_t i = 0; i < s->n_pools; i++)
                if (!pool_is_kept(s->pools[i]))
                        pool_want_stop(s->pools[i]);
                else
                        pool_follow_health(s->pools[i]); /* no command is run for them any more */
}

/* SIGKILL was sent at 0, 1, 3, 7, 15 and 31 s: it hangs in the kernel, and the end of everything does not wait for that. */
static bool is_past_killing(const Worker *w) {
        return MAX(w->n_kills, w->elder.n_kills) > 5;
}

bool pool_set_is_quiet(const PoolSet *s) {
        if (s->n_alive == 0 && s->n_draining == 0)
                return true;
        for (size_t i = 0; i < s->n_pools; i++) {
                const Pool *p = s->pools[i];

                for (size_t j = 0; j < p->n_workers && !pool_is_kept(p); j++)
                        if (!worker_is_settled(p->workers[j]) && !is_past_killing(p->workers[j]))
                                return false;
        }
        return true;
}

bool pool_set_keeps_any(const PoolSet *s) {
        for (size_t i = 0; i < s->n_pools; i++)
                for (size_t j = 0; pool_is_kept(s->pools[i]) && j < s->pools[i]->n_workers; j++)
                        if (s->pools[i]->workers[j]->child || worker_has_elder(s->pools[i]->workers[j]))
                                return true;
        return false;
}

size_t pool_set_n_alive(const PoolSet *s) {
        return s->n_alive;
}
