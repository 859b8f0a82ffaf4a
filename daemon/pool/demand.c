/* demand.c - start on the first connection, rest again when nobody is left.
 *
 *   RESTING   is_awaiting: the pool is wanted, no process of it is there, droverd watches its sockets
 *   AWAKE     its workers start, run, fail and are started again like those of any pool; nothing is watched, so a
 *             connection that nobody accepts yet costs nothing: it waits in the socket's queue and is not lost
 *
 * It wakes when something arrives at a socket, or when somebody starts it. It goes to rest when it has no workers (min 0),
 * or when all have ended by themselves and their restart policy is content. A pool that failed for good stays awake: it
 * would only fail again with each connection; `start` begins anew. */
#include "pool/demand.h"
#include "pool/pool-internal.h"

#include "base/log.h"

static void on_arrival(void *userdata) {
        Pool *p = userdata;

        log_fields(LOG_INFO, pool_name(p), NULL, "%s: somebody connects; starting it", pool_name(p));
        hub_emit(p->set->world.hub, EVENT_POOL_WOKEN, pool_name(p), NULL, NULL);
        if (p->size == 0)
                pool_resize(p, 1);
        demand_end(p);
        pool_want_start(p);
}

static void pool_facts_stale(Pool *p) {
        for (size_t i = 0; i < p->n_workers; i++) {
                worker_facts_stale(p->workers[i]);
                worker_mark_to_tell(p->workers[i]);
        }
        pool_changed(p, false);
}

void demand_begin(Pool *p) {
        if (p->is_awaiting || !p->config->on_demand || !p->listen)
                return;
        p->is_awaiting = true;
        demand_mark(p);
        pool_facts_stale(p);
}

void demand_end(Pool *p) {
        if (!p->is_awaiting)
                return;
        p->is_awaiting = false;
        listen_set_unwatch(p->listen);
        pool_facts_stale(p);
}

void demand_mark(Pool *p) {
        if (!p->config->on_demand && !p->is_awaiting)
                return;
        p->is_demand_due = true;
        p->set->is_demand_due = true;
}

static bool is_wanted(const Pool *p) {
        bool has_workers = p->n_workers > 0 && !p->workers[0]->is_leaving;

        if (!p->config->on_demand || !p->listen || p->is_removing || p->set->is_stopping)
                return false;
        return has_workers ? p->n_wanted > 0 : p->wants_start;
}

static bool has_come_to_rest(const Pool *p) {
        for (size_t i = 0; i < p->n_workers; i++)
                if (p->workers[i]->state != WORKER_EXITED || p->workers[i]->start_due)
                        return false;
        return true;
}

static void look(Pool *p) {
        int r;

        if (!is_wanted(p)) {
                demand_end(p);
                return;
        }
        if (has_come_to_rest(p))
                demand_begin(p);
        if (!p->is_awaiting)
                return;
        r = listen_set_watch(p->listen, p->set->world.event, on_arrival, p);
        if (r >= 0)
                return;
        /* The start says what is wrong, and tries again as the restart policy has it. */
        log_warning("pool %s: cannot watch its sockets: %s; starting it at once", pool_name(p), strerrordesc_np(-r));
        demand_end(p);
        pool_want_start(p);
}

void demand_converge(PoolSet *s) {
        if (!s->is_demand_due)
                return;
        s->is_demand_due = false;
        for (size_t i = 0; i < s->n_pools; i++) {
                if (!s->pools[i]->is_demand_due)
                        continue;
                s->pools[i]->is_demand_due = false;
                look(s->pools[i]);
        }
}
