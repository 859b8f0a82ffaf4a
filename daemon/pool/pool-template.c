/* pool-template.c - which templates there are, for whom, and which of them shall live.
 *
 * A template is a process that has everything a worker needs and waits to be forked (client/worker/template.c is its other
 * side). The keeper launches it like a worker, in a slot of its own, named "POOL!tHASH", or "!tHASH" for `run`. The hash is of
 * all it is launched with: whoever is to be launched alike finds the same one, also in the life after droverd's death, where
 * the name in the keeper's table is all that is needed to take it over.
 *
 *   RESTING -> STARTING -> READY -> ENDING -> RESTING, or forgotten
 *                 |          |
 *                 +----------+-> ENDED: by itself; it is started again, at once or after a back-off
 *
 * Whom it serves
 *   - A pool holds the one of its configuration as long as it has workers that live or shall; the one of the configuration
 *     before while a rolling replacement may still put that back.
 *   - `run`: whoever waits for it, and TEMPLATE_LINGER beyond.
 *   - One that has launches without an answer stays until they are answered.
 * When it dies, workers that it forked are not touched. Launches on their way come back with LAUNCH_TEMPLATE and ESRCH: no
 * attempt is counted, they are asked for again of the next one. A template that was never ready, or that died three times
 * without one fork between, is a failed start of all who wait: their restart policy decides when they try again. */
#include "pool/pool-template-internal.h"

#include "base/alloc.h"
#include "base/log.h"
#include "pool/bounds.h"
#include "priority.h"
#include <stdio.h>
#include <utlist.h>

/* ---- one by its hash ---- */

static int hash_spec(PoolSet *s, PoolConfig *c, uint64_t *ret) {
        _cleanup_(launch_env_done) LaunchEnv env = {0};
        _cleanup_(bounds_paths_done) BoundsPaths bounds = {0};
        LaunchLimit limits[RLIM_NLIMITS];
        LaunchSpec spec;
        int r;

        launch_spec_fill(c, NULL, &spec);
        r = launch_env_join(&env, c);
        if (r < 0)
                return r;
        spec.env = env.env;
        spec.candidates = c->command; /* where it is found follows from directory and PATH, which are there */
        spec.limits = limits;
        spec.n_limits = launch_limits(c, limits);
        spec.ready_fd = -1;
        r = bounds_fill(&spec, c, keeper_link_hello(s->world.keeper), s->notify_socket, &bounds);
        if (r >= 0)
                r = launch_request_hash(&spec, ret);
        if (r >= 0)
                *ret = (*ret ^ ((uint64_t) c->start_method << 40)) & UINT64_C(0xffffffffffff);
        return r;
}

/* 0: memory is short. 48 bits, as the name has them. */
uint64_t template_hash_of(PoolSet *s, PoolConfig *c) {
        if (c->template_hash == 0 && hash_spec(s, c, &c->template_hash) < 0)
                c->template_hash = 0;
        return c->template_hash;
}

static bool is_of(const Template *t, const Pool *p) {
        return p->origin == POOL_FROM_RUN ? !t->owner : t->owner && streq(t->owner, pool_name(p));
}

Template *template_find(PoolSet *s, const Pool *owner, uint64_t hash) {
        Template *t;

        DL_FOREACH(s->templates, t) {
                if (t->hash == hash && !t->is_retired && is_of(t, owner))
                        return t;
        }
        return NULL;
}

void template_note(Template *t) {
        t->set->is_template_due = true;
}

static Template *template_new(PoolSet *s, const char *owner, uint64_t hash) {
        Template *t = NEW0(Template);

        if (!t)
                return NULL;
        t->set = s;
        t->hash = hash;
        t->owner = alloc_strdup(owner);
        if (owner && !t->owner) {
                free(t);
                return NULL;
        }
        (void) snprintf(t->name, sizeof t->name, "%s!t%012llx", owner ? owner : "", (unsigned long long) hash);
        t->used_at = clock_now();
        DL_APPEND(s->templates, t);
        template_note(t);
        return t;
}

static void template_forget(Template *t) {
        DL_DELETE(t->set->templates, t);
        template_spares_drop(t);
        child_free(t->child);
        child_free(t->gone);
        last_words_free(t->words);
        sd_event_source_disable_unref(t->timer);
        pool_config_unref(t->config);
        free(t->owner);
        free(t->fault);
        free(t);
}

/* What is known from droverd's life before. */
static void take_record(Template *t, Pool *p) {
        t->n_restarts = p->template_restarts;
        if (t->state == TEMPLATE_RESTING && p->template_failures > 0) {
                t->n_failures = p->template_failures;
                template_arm(t, usec_add(clock_now(), template_backoff(t)));
        }
        p->template_restarts = p->template_failures = 0;
}

static Template *template_of_config(Pool *p, PoolConfig *c, bool make) {
        uint64_t hash = template_hash_of(p->set, c);
        Template *t = hash == 0 ? NULL : template_find(p->set, p, hash);

        if (!t && make && hash > 0)
                t = template_new(p->set, p->origin == POOL_FROM_RUN ? NULL : pool_name(p), hash);
        if (t && p->template_restarts > 0)
                take_record(t, p);
        if (t && !t->config)
                t->config = pool_config_ref(c);
        return t;
}

/* ---- timers ---- */

static int template_dispatch_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        Template *t = userdata;

        t->timer = sd_event_source_disable_unref(t->timer);
        template_note(t);
        return 0;
}

/* Short of memory it is looked at again with whatever happens next. */
void template_arm(Template *t, usec_t due) {
        t->timer = sd_event_source_disable_unref(t->timer);
        t->due = due;
        if (due == USEC_INFINITY)
                return;
        if (sd_event_add_time(t->set->world.event, &t->timer, CLOCK_MONOTONIC, due, USEC_PER_MSEC, template_dispatch_timer, t) >= 0)
                (void) sd_event_source_set_priority(t->timer, PRIORITY_DEADLINE);
}

/* ---- who wants it ---- */

bool template_serves(const Template *t, const Worker *w) {
        return w->state == WORKER_LAUNCHING && w->template_hash == t->hash && is_of(t, w->pool);
}

static bool is_waited_for(const Template *t) {
        for (size_t i = 0; i < t->set->n_pools; i++) {
                const Pool *p = t->set->pools[i];

                for (size_t j = 0; is_of(t, p) && j < p->n_workers; j++)
                        if (!p->workers[j]->child && template_serves(t, p->workers[j]))
                                return true;
        }
        return false;
}

/* Resting workers alone need nobody who could fork them. */
static bool pool_holds(Pool *p, const Template *t) {
        const unsigned *n = p->n_state;

        if (p->n_wanted == 0 || p->is_awaiting || p->is_removing)
                return false;
        if (n[WORKER_LAUNCHING] + n[WORKER_STARTING] + n[WORKER_RUNNING] + n[WORKER_BACKOFF] + n[WORKER_STOPPING] == 0)
                return false;
        if (config_uses_template(p->config) && template_hash_of(p->set, p->config) == t->hash)
                return true;
        return p->rolling && config_uses_template(rolling_former_config(p)) &&
               template_hash_of(p->set, rolling_former_config(p)) == t->hash;
}

static bool is_wanted(Template *t) {
        Pool *p = t->owner ? pool_find(t->set, t->owner) : NULL;

        if (t->set->is_stopping || t->is_retired)
                return false;
        if (p && p->origin != POOL_FROM_RUN && pool_holds(p, t))
                return true;
        return is_waited_for(t);
}

static size_t n_shared(const PoolSet *s) {
        const Template *t;
        size_t n = 0;

        DL_FOREACH(s->templates, t) {
                n += !t->owner;
        }
        return n;
}

/* When it may go, did nobody use it from now on; 0: now. */
static usec_t stays_until(const Template *t) {
        bool is_crowded = n_shared(t->set) > TEMPLATES_SHARED_MAX;

        if (t->n_launching > 0)
                return USEC_INFINITY;
        return t->owner || t->is_retired || t->set->is_stopping || is_crowded ? 0 : usec_add(t->used_at, TEMPLATE_LINGER);
}

/* ---- the converge step ---- */

/* The state's own time is up. */
static void on_due(Template *t) {
        switch (t->state) {
        case TEMPLATE_STARTING:
                free(t->fault);
                t->fault = alloc_strdup("its template was not ready in time");
                (void) child_kill_tree(t->child);
                break;
        case TEMPLATE_READY: /* armed with the first launch; there may have been others since */
                if (t->n_launching == 0 || clock_now() < usec_add(t->used_at, TEMPLATE_ANSWER_TIMEOUT)) {
                        template_arm(t, t->n_launching == 0 ? USEC_INFINITY : usec_add(t->used_at, TEMPLATE_ANSWER_TIMEOUT));
                        return;
                }
                log_fields(LOG_ERR, t->owner, t->name, "%s: it was asked to fork and did not for %u s, killing it", t->name,
                           (unsigned) (TEMPLATE_ANSWER_TIMEOUT / USEC_PER_SEC));
                (void) child_kill_tree(t->child);
                break;
        case TEMPLATE_ENDING:
                (void) child_kill_tree(t->child);
                break;
        default:
                break;
        }
        template_arm(t, USEC_INFINITY);
}

static void converge_one(Template *t) {
        usec_t now = clock_now(), until;

        t->gone = child_free(t->gone);
        template_spares_tidy(t);
        if (t->due > 0 && t->due <= now && t->state != TEMPLATE_RESTING)
                on_due(t);
        /* Of one for `run`, in use: nobody is to be asked who else there is. */
        if (!t->owner && t->state == TEMPLATE_READY && t->n_launching > 0 && !t->set->is_stopping)
                return;
        if (is_wanted(t)) {
                if (t->state == TEMPLATE_RESTING && t->due != USEC_INFINITY && t->due <= now)
                        template_launch(t);
                return;
        }
        until = stays_until(t);
        if (t->state == TEMPLATE_RESTING && (until <= now || (t->n_launching == 0 && t->n_failures == 0)))
                template_forget(t); /* no process to be kept warm, no back-off to be remembered */
        else if (t->state == TEMPLATE_READY || t->state == TEMPLATE_STARTING) {
                if (until <= now)
                        template_end(t);
                else if (until != USEC_INFINITY && t->state == TEMPLATE_READY && t->due == USEC_INFINITY)
                        template_arm(t, until);
        }
}

void template_set_converge(PoolSet *s) {
        Template *t, *next;

        if (!s->is_template_due)
                return;
        s->is_template_due = false;
        for (size_t i = 0; i < s->n_pools; i++) {
                Pool *p = s->pools[i];

                if (!p->is_template_due)
                        continue;
                p->is_template_due = false;
                if (p->n_wanted > 0 && !s->is_stopping && !p->is_awaiting && config_uses_template(p->config) &&
                    p->n_state[WORKER_FAILED] + p->n_state[WORKER_EXITED] < p->n_workers)
                        (void) template_of_config(p, p->config, true);
        }
        DL_FOREACH_SAFE(s->templates, t, next) {
                converge_one(t);
        }
}

void template_set_stop(PoolSet *s) {
        s->is_template_due = true;
}

void template_set_done(PoolSet *s) {
        while (s->templates)
                template_forget(s->templates);
}

/* ---- the pool ---- */

void template_mark(Pool *p) {
        if (p->origin == POOL_FROM_RUN || (!config_uses_template(p->config) && !p->set->templates))
                return;
        p->is_template_due = true;
        p->set->is_template_due = true;
}

void template_renew(Pool *p) {
        Template *t = config_uses_template(p->config) ? template_of_config(p, p->config, false) : NULL;

        if (!t)
                return;
        t->is_retired = true;
        template_note(t);
        (void) template_of_config(p, p->config, true);
}

bool template_holds_reload(Pool *p) {
        Template *t = config_uses_template(p->config) ? template_of_config(p, p->config, true) : NULL;

        return t && t->state != TEMPLATE_READY && !t->fault;
}

const char *template_fault(Pool *p) {
        Template *t = config_uses_template(p->config) ? template_of_config(p, p->config, false) : NULL;

        return t && t->state != TEMPLATE_READY ? t->fault : NULL;
}

/* ---- launches ---- */

bool template_admits(Worker *w) {
        PoolConfig *c = worker_next_config(w);
        Template *t;

        if (!config_uses_template(c))
                return true;
        t = template_of_config(w->pool, c, true);
        if (!t)
                return true; /* memory is short: template_fork() says so */
        w->template_hash = t->hash;
        if (t->state == TEMPLATE_READY && !t->is_unwanted)
                return true;
        t->used_at = clock_now();
        template_note(t);
        return false;
}

bool template_is_to_blame(Worker *w, const ExitStatus *e) {
        int error = e->is_failure_to_start && e->failure.stage == LAUNCH_TEMPLATE ? e->failure.error : 0;

        if (error != ESRCH && error != ESTALE && error != EOPNOTSUPP)
                return false;
        if (w->forker && error == ESRCH)
                template_lose(w->forker);
        else if (w->forker) {
                w->forker->cannot_spare = w->forker->cannot_spare || error == EOPNOTSUPP;
                template_spares_drop(w->forker);
        }
        return w->state == WORKER_LAUNCHING;
}

/* ---- over droverd's own death ---- */

void template_serialize(const Pool *p, Text *t) {
        const Template *of = p->config->template_hash > 0 ? template_find(p->set, p, p->config->template_hash) : NULL;
        unsigned n_restarts = of ? of->n_restarts : p->template_restarts;

        if (n_restarts == 0 || p->origin == POOL_FROM_RUN)
                return;
        json_put_object(t, "template");
        json_put_u64(t, "restarts", n_restarts);
        json_put_u64(t, "failures", of ? of->n_failures : p->template_failures);
        json_end_object(t);
}

void template_deserialize(Pool *p, const json_t *pool) {
        const json_t *o = json_object_get(pool, "template");

        p->template_restarts = (unsigned) json_integer_value(json_object_get(o, "restarts"));
        p->template_failures = (unsigned) json_integer_value(json_object_get(o, "failures"));
}

bool template_adopt(PoolSet *s, const KeeperMessage *m) {
        const char *mark = strrchr(m->slot_info.name, '!');
        size_t n = mark ? (size_t) (mark - m->slot_info.name) : 0;
        _cleanup_free_ char *owner = n > 0 ? alloc_strndup(m->slot_info.name, n) : NULL;
        char *end;
        uint64_t hash = mark && mark[1] == 't' ? strtoull(mark + 2, &end, 16) : 0;
        Pool *p = owner ? pool_find(s, owner) : NULL;
        Template *t;

        if (hash == 0 || *end != '\0' || strlen(mark + 2) != 12 || m->slot_info.state == KEEPER_SLOT_ENDED)
                return false;
        if (n > 0 && (!p || p->origin == POOL_FROM_RUN))
                return false;
        t = template_new(s, owner, hash);
        if (!t)
                return false;
        if (child_adopt(&t->child, s->world.keeper, m, &template_child_hooks, t) < 0) {
                template_forget(t);
                return false;
        }
        t->pid = m->slot_info.state == KEEPER_SLOT_RUNNING ? m->slot_info.pid : 0;
        t->started_at = m->slot_info.started_usec;
        t->state = m->slot_info.state == KEEPER_SLOT_RUNNING && m->slot_info.is_ready ? TEMPLATE_READY : TEMPLATE_STARTING;
        template_arm(t, t->state == TEMPLATE_STARTING ? usec_add(clock_now(), TEMPLATE_ANSWER_TIMEOUT) : USEC_INFINITY);
        if (p)
                template_mark(p);
        return true;
}
