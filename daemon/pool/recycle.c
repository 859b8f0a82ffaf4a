/* recycle.c - see recycle.h. A pool is looked at when a worker of it changed or counted a task, when the oldest process
 * reaches its age, and for memory each RECYCLE_SAMPLE_USEC as long as a worker is ready. How much of the jitter a process
 * gets follows from its generation, so that it is the same after droverd's own death. */
#include "pool/recycle.h"
#include "pool/pool-internal.h"
#include "pool/notify-sender.h"
#include "pool/tree-memory.h"

#include "base/log.h"
#include "priority.h"

#define RECYCLE_ACCURACY (100 * USEC_PER_MSEC)

/* ---- the decision ---- */

bool recycle_is_on(const RecycleConfig *c) {
        return c->age > 0 || c->memory > 0 || c->tasks > 0;
}

/* @limit less the part of the jitter that is taken off; at least 1. */
static uint64_t bound(uint64_t limit, const RecycleConfig *c, const RecycleFacts *f) {
        uint64_t off = (uint64_t) ((double) limit * c->jitter * f->share);

        return limit > off ? limit - off : 1;
}

const char *recycle_due(const RecycleConfig *c, const RecycleFacts *f, usec_t *ret_left) {
        usec_t age = c->age > 0 && c->age != USEC_INFINITY ? bound(c->age, c, f) : USEC_INFINITY;

        *ret_left = age == USEC_INFINITY ? USEC_INFINITY : usec_sub(age, f->age);
        if (f->age >= age)
                return "age";
        if (c->tasks > 0 && f->tasks >= bound(c->tasks, c, f))
                return "tasks";
        if (c->memory > 0 && f->memory > bound(c->memory, c, f))
                return "memory";
        return NULL;
}

/* ---- the glue ---- */

/* A share of its own for each process: the generation, stirred (splitmix64). */
static double share_of(uint64_t generation) {
        uint64_t x = generation + UINT64_C(0x9E3779B97F4A7C15);

        x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
        x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
        return (double) ((x ^ (x >> 31)) >> 11) / 9007199254740992.0; /* 53 bits */
}

/* What the leaves begin with: asked for once, as it stays the same as long as droverd lives. */
static const char *leaf_base(PoolSet *s) {
        if (!s->leaf_base && !s->has_no_leaf_base) {
                s->leaf_base = notify_sender_cgroup_base(keeper_link_hello(s->world.keeper)->hello.keeper_pid);
                s->has_no_leaf_base = !s->leaf_base;
        }
        return s->leaf_base;
}

static RecycleFacts facts_of(const Worker *w, usec_t now, bool with_memory) {
        RecycleFacts f = {.age = usec_sub(now, w->ready_at), .tasks = w->tasks_done, .share = share_of(w->generation)};

        if (with_memory)
                (void) tree_memory_read(w->pid, leaf_base(w->pool->set), &f.memory); /* else unknown: 0 */
        return f;
}

static bool may_be_recycled(const Worker *w) {
        return w->state == WORKER_RUNNING && w->is_wanted && !w->is_leaving && !w->is_paused && !w->restart_due &&
               !w->succeed_due && !worker_has_elder(w);
}

/* Under way: a younger process is coming, or the old one is still leaving. */
static unsigned n_under_way(const Pool *p) {
        unsigned n = 0;

        for (size_t i = 0; i < p->n_workers; i++)
                n += p->workers[i]->succeed_due || worker_has_elder(p->workers[i]);
        return n;
}

uint64_t worker_tasks_allowed(const Worker *w, uint64_t generation) {
        const RecycleConfig *c = &w->pool->config->recycle;
        RecycleFacts f = {.share = share_of(generation)};
        bool was_put_back = w->recycled_generation == generation && w->generation == generation && may_be_recycled(w);

        return c->tasks == 0 || was_put_back ? UINT64_MAX : bound(c->tasks, c, &f);
}

static void recycle(Worker *w, const char *reason) {
        Text *t = &w->pool->set->scratch;

        text_clear(t);
        json_put_object(t, NULL);
        json_put_string(t, "reason", reason);
        json_put_i64(t, "pid", w->pid);
        json_put_u64(t, "tasks", w->tasks_done);
        json_end_object(t);
        worker_emit(w, EVENT_WORKER_RECYCLED, text_check(t) < 0 ? NULL : t->data, NULL);
        log_fields(LOG_INFO, pool_name(w->pool), w->name, "%s: replaced for its %s", w->name, reason);
        w->recycled_generation = w->generation;
        w->recycled_for = reason;
        w->recycle_retry_at = usec_add(clock_now(), RECYCLE_RETRY_USEC);
        worker_want_succession(w);
}

static int on_time(sd_event_source *source, uint64_t usec, void *userdata) {
        Pool *p = userdata;

        p->recycle_timer = sd_event_source_disable_unref(p->recycle_timer);
        recycle_mark(p);
        return 0;
}

static void look_again(Pool *p, usec_t at) {
        int r;

        p->recycle_timer = sd_event_source_disable_unref(p->recycle_timer);
        if (at == USEC_INFINITY)
                return;
        r = sd_event_add_time(p->set->world.event, &p->recycle_timer, CLOCK_MONOTONIC, at, RECYCLE_ACCURACY, on_time, p);
        if (r < 0)
                log_warning("pool %s: nothing is recycled for now: %s", pool_name(p), strerrordesc_np(-r));
        else
                (void) sd_event_source_set_priority(p->recycle_timer, PRIORITY_DEADLINE);
}

static void look(Pool *p) {
        const RecycleConfig *c = &p->config->recycle;
        unsigned bound = MAX(rolling_bounds(&p->config->reload, p->size).max_surge, 1u), n = n_under_way(p);
        usec_t now = clock_now(), again = USEC_INFINITY;
        bool with_memory = c->memory > 0 && now >= usec_add(p->recycle_sampled_at, RECYCLE_SAMPLE_USEC);

        if (with_memory)
                p->recycle_sampled_at = now;
        for (size_t i = 0; i < p->n_workers && n < bound; i++) {
                Worker *w = p->workers[i];
                const char *reason;
                RecycleFacts f;
                usec_t left;

                if (!may_be_recycled(w))
                        continue;
                if (w->generation == w->recycled_generation && now < w->recycle_retry_at) { /* put back */
                        again = MIN(again, w->recycle_retry_at);
                        continue;
                }
                f = facts_of(w, now, with_memory);
                reason = recycle_due(c, &f, &left);
                if (reason) {
                        recycle(w, reason);
                        n++;
                } else if (left != USEC_INFINITY)
                        again = MIN(again, usec_add(now, left));
        }
        if (c->memory > 0 && p->n_state[WORKER_RUNNING] > 0)
                again = MIN(again, usec_add(p->recycle_sampled_at, RECYCLE_SAMPLE_USEC));
        look_again(p, n < bound ? again : USEC_INFINITY); /* else the end of one of them brings the next look */
}

void recycle_mark(Pool *p) {
        if (!recycle_is_on(&p->config->recycle))
                return;
        p->is_recycle_due = true;
        p->set->is_recycle_due = true;
}

void recycle_end(Pool *p) {
        p->recycle_timer = sd_event_source_disable_unref(p->recycle_timer);
}

void recycle_converge(PoolSet *s) {
        if (!s->is_recycle_due)
                return;
        s->is_recycle_due = false;
        for (size_t i = 0; i < s->n_pools; i++) {
                Pool *p = s->pools[i];

                if (!p->is_recycle_due)
                        continue;
                p->is_recycle_due = false;
                if (p->rolling || p->is_removing || s->is_stopping)
                        recycle_end(p); /* all are replaced anyhow; its end is a change */
                else
                        look(p);
        }
}
