/* rolling.c - a rolling replacement from its beginning to its outcome.
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
#include "priority.h"
#include <stdio.h>

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

static void emit(const Rolling *r, EventKind k) {
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
static void tell_all(Pool *p) {
        for (size_t i = 0; i < p->n_workers; i++) {
                worker_facts_stale(p->workers[i]);
                worker_mark_to_tell(p->workers[i]);
        }
}

static void note_outcome(Rolling *r, bool is_good, const char *reason, unsigned n_put_back) {
        RollingOutcome *o = &r->pool->reload;

        rolling_outcome_done(o);
        *o = (RollingOutcome){.number = r->number, .is_good = is_good, .n_replaced = r->n_replaced, .n_put_back = n_put_back};
        if (!is_good) {
                o->worker = alloc_strdup(r->worker);
                o->reason = alloc_strdup(r->reason ? r->reason : reason);
        }
        emit(r, is_good ? EVENT_POOL_RELOADED : EVENT_POOL_RELOAD_FAILED);
        log_fields(is_good ? LOG_INFO : LOG_ERR, pool_name(r->pool), NULL, "%s: reload %s%s%s%s%s; %u replaced%s",
                   pool_name(r->pool), is_good ? "done" : "failed", r->worker && !is_good ? ": " : "",
                   r->worker && !is_good ? r->worker : "", is_good ? "" : ": ",
                   is_good ? "" : o->reason ? o->reason : "out of memory", r->n_replaced,
                   is_good ? "" : ", the rest as before");
        tell_all(r->pool);
}

static void finish(Rolling *r) {
        Pool *p = r->pool;

        for (size_t i = 0; i < p->n_workers; i++)
                p->workers[i]->rolling = ROLLING_NONE;
        p->rolling = rolling_free(r);
        pool_changed(p, false);
}

/* ---- what has happened ---- */

static void note_bad(Worker *w) {
        Rolling *r = w->pool->rolling;
        char cause[KEEPER_TEXT_MAX];

        w->is_rolling_bad = true;
        if (r->reason || r->is_putting_back)
                return;
        worker_describe_exit(w, cause, sizeof cause);
        r->worker = alloc_strdup(w->name);
        r->reason = alloc_strdup(cause);
}

static bool is_under_way(const Worker *w) {
        return w->pool->rolling && (w->rolling == ROLLING_BATCH || w->rolling == ROLLING_BACK) && w->is_wanted &&
               !w->restart_due && !w->recall_due;
}

void rolling_note_end(Worker *w) {
        if (is_under_way(w) && w->generation != w->rolling_generation)
                note_bad(w);
}

void rolling_note_refusal(Worker *w) {
        if (is_under_way(w))
                note_bad(w);
}

static bool is_ready_anew(const Worker *w) {
        return w->state == WORKER_RUNNING && w->generation != w->rolling_generation && !w->restart_due && !w->succeed_due;
}

static bool is_settled_back(const Worker *w) {
        if (w->is_rolling_bad || worker_is_resting(w))
                return true;
        return w->state == WORKER_RUNNING && !w->restart_due && !w->recall_due;
}

static void count_worker(const Worker *w, RollingFacts *f) {
        switch (w->rolling) {
        case ROLLING_DUE:
                f->n_due++;
                f->n_due_down += w->state != WORKER_RUNNING && !worker_elder_serves(w);
                break;
        case ROLLING_BATCH:
                f->n_batch++;
                f->n_batch_bad += w->is_rolling_bad;
                f->n_batch_ready += is_ready_anew(w);
                break;
        case ROLLING_BACK:
                f->n_back++;
                f->n_back_settled += is_settled_back(w);
                break;
        case ROLLING_GOOD:
                f->n_leaving += w->elder.child != NULL;
                break;
        default:
                break;
        }
}

static RollingFacts gather(Rolling *r) {
        RollingFacts f = {.is_putting_back = r->is_putting_back, .is_soaked = r->is_soaked};

        for (size_t i = 0; i < r->pool->n_workers; i++) {
                Worker *w = r->pool->workers[i];

                if (w->rolling != ROLLING_NONE && (!w->is_wanted || w->is_leaving)) {
                        r->n_dropped += w->rolling != ROLLING_GOOD;
                        w->rolling = ROLLING_NONE;
                }
                count_worker(w, &f);
        }
        return f;
}

/* ---- the steps ---- */

static void end_soak(Rolling *r) {
        r->timer = sd_event_source_disable_unref(r->timer);
        r->is_soaking = r->is_soaked = false;
}

static void take_one(Rolling *r, Worker *w) {
        bool is_surge = r->bounds.max_surge > 0;

        w->rolling = ROLLING_BATCH;
        w->is_rolling_bad = false;
        w->rolling_generation = w->generation;
        worker_mark_to_tell(w);
        /* With an elder of the replacement before this one, only the younger process goes: the elder is held by the batch,
         * so that to wait for its end would be to wait for ever. */
        if (is_surge && !worker_elder_serves_on(w))
                worker_want_succession(w);
        else
                worker_want_restart(w);
}

static void take(Rolling *r, unsigned n, bool only_down) {
        end_soak(r);
        for (size_t i = 0; i < r->pool->n_workers && n > 0; i++) {
                Worker *w = r->pool->workers[i];
                bool is_down = w->state != WORKER_RUNNING && !worker_elder_serves(w);

                if (w->rolling != ROLLING_DUE || (only_down && !is_down))
                        continue;
                take_one(r, w);
                n--;
        }
}

static int soak_dispatch(sd_event_source *source, uint64_t usec, void *userdata) {
        Rolling *r = userdata;

        r->timer = sd_event_source_disable_unref(r->timer);
        r->is_soaking = false;
        r->is_soaked = true;
        rolling_mark(r->pool);
        return 0;
}

/* Short of memory it is taken for soaked: a reload that hangs for ever is worse. */
static void soak(Rolling *r) {
        if (r->is_soaking)
                return;
        r->is_soaking = true;
        if (sd_event_add_time_relative(r->pool->set->world.event, &r->timer, CLOCK_MONOTONIC, r->bounds.soak, USEC_PER_MSEC,
                                       soak_dispatch, r) < 0)
                (void) soak_dispatch(NULL, 0, r);
        else
                (void) sd_event_source_set_priority(r->timer, PRIORITY_TIMER);
}

static void commit(Rolling *r) {
        end_soak(r);
        for (size_t i = 0; i < r->pool->n_workers; i++) {
                Worker *w = r->pool->workers[i];

                if (w->rolling != ROLLING_BATCH)
                        continue;
                w->rolling = ROLLING_GOOD;
                worker_elder_release(w);
                worker_mark_to_tell(w);
                r->n_replaced++;
        }
        pool_changed(r->pool, false);
}

static void put_back_one(Worker *w) {
        bool was_spared = w->state == WORKER_RUNNING && w->generation == w->rolling_generation && !w->restart_due;

        w->rolling = ROLLING_BACK;
        w->is_rolling_bad = false;
        if (was_spared) {
                w->succeed_due = false; /* it had not begun, or has its elder back already */
                return;
        }
        if (worker_elder_serves_on(w)) {
                w->recall_due = true;
                w->restart_due = w->succeed_due = false;
                worker_mark_changed(w);
                return;
        }
        w->rolling_generation = w->generation;
        worker_want_restart(w);
}

static void put_back(Rolling *r) {
        Pool *p = r->pool;

        end_soak(r);
        r->is_putting_back = true;
        if (r->former) {
                ListenSet *refused = p->listen;

                pool_install_config(p, r->former, TAKE_PTR(r->listen), CONFIG_RESTART);
                listen_set_free(refused);
        }
        for (size_t i = 0; i < p->n_workers; i++) {
                Worker *w = p->workers[i];

                if (w->rolling == ROLLING_BATCH)
                        put_back_one(w);
                else if (w->rolling == ROLLING_DUE)
                        w->rolling = ROLLING_NONE;
                worker_mark_to_tell(w);
        }
        pool_changed(p, false);
}

static void done(Rolling *r) {
        Pool *p = r->pool;

        if (r->n_dropped > 0 && p->n_wanted == 0)
                note_outcome(r, false, "it was stopped meanwhile", 0);
        else {
                if (r->former)
                        pool_remember_config(p, r->former);
                note_outcome(r, true, NULL, 0);
        }
        finish(r);
}

static void fail(Rolling *r) {
        unsigned n = 0;

        for (size_t i = 0; i < r->pool->n_workers; i++)
                n += r->pool->workers[i]->rolling == ROLLING_BACK && r->pool->workers[i]->state == WORKER_RUNNING;
        note_outcome(r, false, "a worker did not get ready", n);
        finish(r);
}

/* Return: whether anything was wished. */
static bool step(Rolling *r) {
        RollingFacts f = gather(r);
        unsigned n = 0;

        if (f.n_batch_ready < f.n_batch)
                end_soak(r);
        switch (rolling_next(&f, &r->bounds, &n)) {
        case ROLLING_TAKE:
                take(r, n, f.n_due_down > 0);
                return true;
        case ROLLING_SOAK:
                soak(r);
                return false;
        case ROLLING_COMMIT:
                commit(r);
                return true;
        case ROLLING_PUT_BACK:
                put_back(r);
                return true;
        case ROLLING_DONE:
                done(r);
                return true;
        case ROLLING_FAILED:
                fail(r);
                return true;
        default:
                return false;
        }
}

bool rolling_converge(PoolSet *s) {
        bool has_wished = false;

        if (!s->is_rolling_due)
                return false;
        s->is_rolling_due = false;
        for (size_t i = 0; i < s->n_pools; i++) {
                Pool *p = s->pools[i];

                if (!p->is_rolling_due)
                        continue;
                p->is_rolling_due = false;
                while (p->rolling && step(p->rolling))
                        has_wished = true;
        }
        return has_wished;
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
        note_outcome(old, false, "another reload came in its place", 0);
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
        emit(r, EVENT_POOL_RELOADING);
        tell_all(p);
        rolling_mark(p);
        pool_changed(p, false);
        return 0;
}
