/* rolling-step.c - a rolling replacement on its way: what its workers do is gathered, rolling-next.c says what follows,
 * and that is done, until nothing more follows. See rolling.c. */
#include "pool/rolling-internal.h"
#include "pool/pool-template.h"

#include "base/alloc.h"
#include "priority.h"

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

static void finish(Rolling *r) {
        Pool *p = r->pool;

        for (size_t i = 0; i < p->n_workers; i++)
                p->workers[i]->rolling = ROLLING_NONE;
        p->rolling = rolling_free(r);
        pool_changed(p, false);
}

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
                (void) sd_event_source_set_priority(r->timer, PRIORITY_DEADLINE);
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

                pool_config_unref(p->config_refused);
                p->config_refused = pool_config_ref(p->config);
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
                rolling_note_outcome(r, false, "it was stopped meanwhile", 0);
        else {
                if (r->former)
                        pool_remember_config(p, r->former);
                rolling_note_outcome(r, true, NULL, 0);
        }
        finish(r);
}

static void fail(Rolling *r) {
        unsigned n = 0;

        for (size_t i = 0; i < r->pool->n_workers; i++)
                n += r->pool->workers[i]->rolling == ROLLING_BACK && r->pool->workers[i]->state == WORKER_RUNNING;
        rolling_note_outcome(r, false, "a worker did not get ready", n);
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
                if (template_holds_reload(r->pool))
                        return false; /* its readiness, or its end, is marked */
                if (template_fault(r->pool)) {
                        r->reason = r->reason ? r->reason : alloc_strdup(template_fault(r->pool));
                        put_back(r);
                        return true;
                }
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
