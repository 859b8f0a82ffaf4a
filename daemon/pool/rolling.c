/* rolling.c - a rolling replacement: the story, its beginning, what is told of it. Its steps: rolling-step.c.
 *
 *   begin -> [take a batch -> all ready -> soak -> commit]... -> old processes gone -> pool.reloaded
 *                             one ended -> put the batch back -> pool.reload-failed
 *
 * A batch of `max_surge` is replaced new before old: each worker's process is set aside (worker-elder.c) and serves until
 * the whole batch is good; so what is put back never went. Without a surge `max_unavailable` workers at a time are
 * restarted; what is put back is started again with the former configuration. Batches that were good stay as they are.
 *
 * Meanwhile, and all of it defined:
 *   a worker that has not had its turn dies    its restart policy brings it back, with the former configuration
 *   a worker (or all) is stopped               the stop wins: it has no part any more
 *   another reload comes                       it supersedes: everything is due again, the first one is told `failed`
 *   droverd dies                               part, batch and bounds are on record: the next life goes on
 * After a failure the pool's configuration is the former one, so that a crash later does not bring back the bad one. */
#include "pool/rolling-internal.h"

#include "base/alloc.h"
#include "base/log.h"

Rolling *rolling_free(Rolling *r) {
        if (!r)
                return NULL;
        sd_event_source_disable_unref(r->timer);
        listen_set_free(r->listen);
        pool_config_unref(r->former);
        free(r->worker);
        free(r->reason);
        free(r);
        return NULL;
}

void rolling_outcome_done(RollingOutcome *o) {
        free(o->worker);
        free(o->reason);
        *o = (RollingOutcome){0};
}

void rolling_mark(Pool *p) {
        if (!p->rolling)
                return;
        p->is_rolling_due = true;
        p->set->is_rolling_due = true;
}

PoolConfig *rolling_former_config(const Pool *p) {
        return p->rolling && p->rolling->former ? p->rolling->former : p->config;
}

PoolConfig *worker_next_config(const Worker *w) {
        return w->rolling == ROLLING_DUE ? rolling_former_config(w->pool) : w->pool->config;
}

ListenSet *worker_next_listen(const Worker *w) {
        const Rolling *r = w->pool->rolling;

        return w->rolling == ROLLING_DUE && r && r->former ? r->listen : w->pool->listen;
}

bool rolling_holds_elder(const Worker *w) {
        return w->pool->rolling && w->rolling == ROLLING_BATCH;
}

/* ---- what is told ---- */

static void rolling_emit(const Rolling *r, EventKind k) {
        Text *t = &r->pool->set->scratch;

        text_clear(t);
        json_put_object(t, NULL);
        if (k == EVENT_POOL_RELOADING) {
                json_put_u64(t, "max_unavailable", r->bounds.max_unavailable);
                json_put_u64(t, "max_surge", r->bounds.max_surge);
                json_put_seconds(t, "soak", r->bounds.soak);
                json_put_bool(t, "changed", r->former != NULL);
        } else
                json_put_u64(t, "replaced", r->pool->reload.n_replaced);
        if (k == EVENT_POOL_RELOAD_FAILED) {
                json_put_string(t, "worker", r->pool->reload.worker);
                json_put_string(t, "reason", r->pool->reload.reason);
                json_put_u64(t, "put_back", r->pool->reload.n_put_back);
        }
        json_end_object(t);
        hub_emit(r->pool->set->world.hub, k, pool_name(r->pool), NULL, text_check(t) < 0 ? NULL : t->data);
}

/* Those who wait for it look again. */
void rolling_tell_all(Pool *p) {
        for (size_t i = 0; i < p->n_workers; i++) {
                worker_facts_stale(p->workers[i]);
                worker_mark_to_tell(p->workers[i]);
        }
}

void rolling_note_outcome(Rolling *r, bool is_good, const char *reason, unsigned n_put_back) {
        RollingOutcome *o = &r->pool->reload;

        rolling_outcome_done(o);
        *o = (RollingOutcome){.number = r->number, .is_good = is_good, .n_replaced = r->n_replaced, .n_put_back = n_put_back};
        if (!is_good) {
                o->worker = alloc_strdup(r->worker);
                o->reason = alloc_strdup(r->reason ? r->reason : reason);
        }
        rolling_emit(r, is_good ? EVENT_POOL_RELOADED : EVENT_POOL_RELOAD_FAILED);
        log_fields(is_good ? LOG_INFO : LOG_ERR, pool_name(r->pool), NULL, "%s: reload %s%s%s%s%s; %u replaced%s",
                   pool_name(r->pool), is_good ? "done" : "failed", r->worker && !is_good ? ": " : "",
                   r->worker && !is_good ? r->worker : "", is_good ? "" : ": ",
                   is_good ? "" : o->reason ? o->reason : "out of memory", r->n_replaced,
                   is_good ? "" : ", the rest as before");
        rolling_tell_all(r->pool);
}

/* ---- its beginning ---- */

static bool may_take_part(const Worker *w) {
        return w->is_wanted && !w->is_leaving && (!worker_is_resting(w) || w->state == WORKER_FAILED);
}

static void mark_due(Pool *p, Worker *const *workers, size_t n) {
        for (size_t i = 0; i < p->n_workers; i++) {
                Worker *w = p->workers[i];
                bool is_chosen = !workers || w->rolling == ROLLING_DUE || w->rolling == ROLLING_BATCH;

                for (size_t j = 0; workers && j < n && !is_chosen; j++)
                        is_chosen = workers[j] == w;
                w->is_rolling_bad = w->recall_due = false;
                w->rolling = is_chosen && may_take_part(w) ? ROLLING_DUE : ROLLING_NONE;
        }
}

/* What one that is under way would have put back is put back by the next one, should that fail. */
static void supersede(Rolling *old, Rolling *r) {
        if (old->former && !old->is_putting_back) {
                pool_config_unref(r->former);
                listen_set_free(r->listen);
                r->former = TAKE_PTR(old->former);
                r->listen = TAKE_PTR(old->listen);
        }
        free(TAKE_PTR(old->reason));
        free(TAKE_PTR(old->worker));
        rolling_note_outcome(old, false, "another reload came in its place", 0);
        rolling_free(old);
}

int rolling_begin(Pool *p, PoolConfig *former, ListenSet *former_listen_take, const ReloadConfig *how,
                  Worker *const *workers, size_t n) {
        Rolling *r = NEW0(Rolling);

        if (!r) {
                listen_set_free(former_listen_take);
                return -ENOMEM;
        }
        r->pool = p;
        r->former = pool_config_ref(former);
        r->listen = former_listen_take;
        if (p->rolling)
                supersede(p->rolling, r);
        r->bounds = rolling_bounds(how, p->size);
        r->number = ++p->n_reloads;
        p->rolling = r;
        mark_due(p, workers, n);
        rolling_emit(r, EVENT_POOL_RELOADING);
        rolling_tell_all(p);
        rolling_mark(p);
        pool_changed(p, false);
        return 0;
}
