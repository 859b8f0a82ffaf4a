/* order-gate.c - requires and after among pools that live: who may start now, who may stop now.
 *
 * Names are resolved to pools once after each change of the set (order_resolve), in both directions. What moves in a pool
 * that has neighbours only notes that a look is due; order_converge(), from pool_set_converge(), takes it:
 *   pull     a pool that is required and not wanted is wanted from now on
 *   release  workers go through the gate that has opened; stops go on whose hold has ended
 * A hold lasts as long as the pool that must go first, and that is bounded by its stop.timeout. Processes on which
 * SIGKILL has no effect hold nobody, nor does a pool that itself waits for this one (a cycle that slipped through). */
#include "pool/pool-internal.h"

#include "base/alloc.h"
#include <stdio.h>

#define KILLS_WITHOUT_EFFECT 2u /* from then on a process holds up nobody's stop */

bool order_has_needs(const PoolConfig *c) {
        return (c->requires && *c->requires) || (c->after && *c->after);
}

/* ---- who needs whom ---- */

void order_pool_added(Pool *p) {
        PoolSet *s = p->set;

        if (order_has_needs(p->config) || s->n_needs_missing > 0)
                s->is_order_stale = s->is_order_due = true;
}

void order_pool_gone(Pool *p) {
        PoolSet *s = p->set;

        if (p->n_needs > 0 || p->n_needed_by > 0 || order_has_needs(p->config))
                s->is_order_stale = s->is_order_due = true;
        free(TAKE_PTR(p->needs));
        free(TAKE_PTR(p->needed_by));
        p->n_needs = p->n_needed_by = p->needed_by_capacity = 0;
}

static int note_need(Pool *p, const char *name, bool is_required) {
        Pool *other = pool_find(p->set, name);

        p->needs[p->n_needs++] = (OrderNeed){.pool = other, .name = name, .is_required = is_required};
        p->set->n_needs++;
        p->set->n_needs_missing += !other;
        if (!other)
                return 0;
        if (alloc_grow(&other->needed_by, &other->needed_by_capacity, other->n_needed_by + 1, sizeof(Pool *)) < 0)
                return -ENOMEM;
        other->needed_by[other->n_needed_by++] = p;
        return 0;
}

static int resolve(Pool *p) {
        char **lists[] = {p->config->requires, p->config->after};
        size_t n = 0;
        int r = 0;

        for (size_t i = 0; i < 2; i++)
                for (char **name = lists[i]; name && *name; name++)
                        n++;
        p->needs = n > 0 ? NEW0_ARRAY(OrderNeed, n) : NULL;
        if (n > 0 && !p->needs)
                return -ENOMEM;
        for (size_t i = 0; i < 2; i++)
                for (char **name = lists[i]; name && *name && r >= 0; name++)
                        r = note_need(p, *name, i == 0);
        return r;
}

/* Short of memory: what was resolved counts, the rest is tried again at the next look. */
void order_resolve(PoolSet *s) {
        if (!s->is_order_stale)
                return;
        s->is_order_stale = false;
        s->n_needs = s->n_needs_missing = 0;
        for (size_t i = 0; i < s->n_pools; i++) {
                free(TAKE_PTR(s->pools[i]->needs));
                s->pools[i]->n_needs = s->pools[i]->n_needed_by = 0;
        }
        for (size_t i = 0; i < s->n_pools; i++)
                if (resolve(s->pools[i]) < 0)
                        s->is_order_stale = true;
}

/* ---- ready or not ---- */

static unsigned n_done(const Pool *p) {
        unsigned n = 0;

        for (size_t i = 0; i < p->n_workers && p->n_state[WORKER_EXITED] > 0; i++) {
                const Worker *w = p->workers[i];

                n += w->state == WORKER_EXITED && w->is_wanted && w->has_exit && exit_status_exitcode(&w->exit) == 0;
        }
        return n;
}

/* Those that serve in place of a younger one that is not ready yet. */
static unsigned n_elders_serving(const Pool *p) {
        unsigned n = 0;

        for (size_t i = 0; i < p->n_workers && p->n_elders > 0; i++)
                n += worker_elder_serves(p->workers[i]);
        return n;
}

void order_note(Pool *p) {
        PoolSet *s = p->set;
        unsigned n_up = p->n_state[WORKER_RUNNING] + n_elders_serving(p);
        bool is_up = p->n_wanted > 0 && ((n_up > 0 && (p->is_up || n_up >= p->n_wanted)) || n_up + n_done(p) >= p->n_wanted);

        s->is_order_due |= s->n_needs > 0;
        if (p->is_up == is_up)
                return;
        p->is_up = is_up;
        if (p->n_needed_by > 0 && s->world.hooks.pool_changed)
                s->world.hooks.pool_changed(p, false, s->world.userdata); /* on record */
}

/* It begins with its first connection: its sockets can be connected to. */
static bool is_asleep(const Pool *p) {
        return p->is_awaiting && !p->is_removing;
}

static bool need_is_met(const OrderNeed *n) {
        if (!n->pool || n->pool->is_removing)
                return !n->is_required;
        if (n->pool->is_up || is_asleep(n->pool))
                return true;
        return n->pool->n_wanted == 0 && !n->is_required;
}

static const OrderNeed *obstacle(Pool *p) {
        order_resolve(p->set);
        for (size_t i = 0; i < p->n_needs; i++)
                if (!need_is_met(p->needs + i))
                        return p->needs + i;
        return NULL;
}

/* ---- the gate ---- */

bool order_may_start(Pool *p) {
        if (!obstacle(p))
                return true;
        p->is_gated = true;
        return false;
}

static void open_gate(Pool *p) {
        p->is_gated = false;
        for (size_t i = 0; i < p->n_workers; i++) {
                Worker *w = p->workers[i];

                if (w->state == WORKER_LAUNCHING && !w->child)
                        worker_queue_launch(w); /* closes the gate again when it is not open yet */
        }
}

/* Required pools that nobody asked for. One pull may cause another. */
static void pull(PoolSet *s) {
        bool again = true;

        while (again && !s->is_stopping) {
                again = false;
                for (size_t i = 0; i < s->n_pools; i++) {
                        Pool *p = s->pools[i];

                        for (size_t j = 0; j < p->n_needs && p->n_wanted > p->n_state[WORKER_RUNNING]; j++) {
                                Pool *other = p->needs[j].pool;

                                if (!p->needs[j].is_required || !other || other->n_wanted > 0 ||
                                    other->is_removing || pool_is_run(other) || is_asleep(other))
                                        continue;
                                pool_want_start(other);
                                again |= other->n_wanted > 0;
                        }
                }
        }
}

/* ---- the hold ---- */

static bool is_going(const Pool *p) {
        const unsigned *n = p->n_state;

        if (p->n_wanted > 0 || (p->set->n_draining + p->n_elders == 0 && n[WORKER_LAUNCHING] + n[WORKER_STARTING] +
                                                                                   n[WORKER_RUNNING] + n[WORKER_STOPPING] == 0))
                return false;
        for (size_t i = 0; i < p->n_workers; i++) {
                const Worker *w = p->workers[i];

                if (!worker_is_settled(w) && MAX(w->n_kills, w->elder.n_kills) <= KILLS_WITHOUT_EFFECT)
                        return true;
        }
        return false;
}

/* Does a way of needs lead from @p to @goal? What was seen is marked; what was seen and not followed yet is a stack of
 * pools linked by .order_next, so that the longest chain needs no more room than a short one. */
static bool leads_to(Pool *p, const Pool *goal, uint64_t stamp) {
        Pool *stack = p;

        p->order_stamp = stamp;
        p->order_next = NULL;
        while (stack && stack != goal) {
                Pool *here = stack;

                stack = here->order_next;
                for (size_t i = 0; i < here->n_needs; i++) {
                        Pool *next = here->needs[i].pool;

                        if (!next || next->order_stamp == stamp)
                                continue;
                        next->order_stamp = stamp;
                        next->order_next = stack;
                        stack = next;
                }
        }
        return stack != NULL;
}

static const Pool *holder(Pool *p) {
        order_resolve(p->set);
        if (p->n_wanted > 0)
                return NULL;
        for (size_t i = 0; i < p->n_needed_by; i++)
                if (is_going(p->needed_by[i]) && !leads_to(p, p->needed_by[i], ++p->set->order_stamp))
                        return p->needed_by[i];
        return NULL;
}

bool order_holds_stop(const Worker *w) {
        Pool *p = w->pool;

        if (w->kill_due || !worker_holds_process(w->state))
                return false;
        if (!p->is_held)
                p->is_held = holder(p) != NULL;
        return p->is_held;
}

static void look_at_hold(Pool *p) {
        if (holder(p))
                return;
        p->is_held = false;
        for (size_t i = 0; i < p->n_workers; i++)
                worker_mark_changed(p->workers[i]);
}

/* ---- converge ---- */

bool order_converge(PoolSet *s) {
        if (!s->is_order_due)
                return false;
        s->is_order_due = false;
        order_resolve(s);
        pull(s);
        for (size_t i = 0; i < s->n_pools; i++) {
                Pool *p = s->pools[i];

                if (p->is_held)
                        look_at_hold(p);
                if (p->is_gated)
                        open_gate(p);
        }
        return true;
}

/* ---- what people see ---- */

static const char *describe_need(const OrderNeed *n) {
        const Pool *p = n->pool;

        if (!p)
                return ", which does not exist";
        if (p->is_removing)
                return ", which is being removed";
        if (pool_size(p) == 0)
                return ", which has no workers";
        if (p->n_wanted == 0)
                return ", which is not wanted";
        if (p->n_state[WORKER_FAILED] > 0)
                return ", which failed";
        if (p->n_state[WORKER_EXITED] > 0)
                return ", which ended";
        return p->n_state[WORKER_BACKOFF] > 0 ? ", which waits to be started again" : "";
}

const char *order_describe(const Worker *w, char *buf, size_t size) {
        Pool *p = w->pool;
        const OrderNeed *need;

        *buf = 0;
        order_resolve(p->set);
        if (w->state == WORKER_LAUNCHING && !w->child) {
                need = obstacle(p);
                if (need)
                        (void) snprintf(buf, size, "waits for %s%s", need->name, describe_need(need));
        } else if (p->is_held && !w->is_wanted && worker_holds_process(w->state) && w->state != WORKER_STOPPING) {
                const Pool *first = holder(p);

                if (first)
                        (void) snprintf(buf, size, "stops after %s", pool_name(first));
        } else if (w->state == WORKER_RUNNING && w->is_wanted)
                for (size_t i = 0; i < p->n_needs && !*buf; i++)
                        if (p->needs[i].is_required && !need_is_met(p->needs + i))
                                (void) snprintf(buf, size, "runs without %s%s", p->needs[i].name,
                                                describe_need(p->needs + i));
        return buf;
}
