/* size.c - see size.h. A pool's memory of its load is not kept over droverd's own death; its size and floor are. */
#include "pool/size.h"
#include "pool/backlog.h"
#include "pool/pool-internal.h"
#include "pool/proc-usage.h"

#include "base/log.h"
#include "priority.h"

#define SIZE_ACCURACY (10 * USEC_PER_MSEC)
#define IDLE_CPU_PART 100u /* a worker is idle that used less than this part of the time */

/* ---- the decision ---- */

static bool is_pressed(const SizeFacts *f) {
        bool all_busy = f->n_ready > 0 && f->n_busy >= f->n_ready;

        return f->n_coming == 0 && f->size < f->max && (all_busy || (f->n_ready > 0 && f->n_waiting > 0));
}

static unsigned grow(const SizeFacts *f, SizeState *s) {
        bool goes_on = s->grown_at > 0 && usec_sub(f->now, s->grown_at) < SIZE_CALM_USEC;

        s->step = goes_on ? MIN(2 * s->step, f->max) : 1;
        s->grown_at = f->now;
        s->pressed_at = 0;
        return MIN(f->size + s->step, f->max);
}

unsigned size_next(const SizeFacts *f, SizeState *s, usec_t *ret_again, const char **ret_reason) {
        usec_t idle_at;

        *ret_again = USEC_INFINITY;
        *ret_reason = NULL;
        if (f->size < f->min || f->size > f->max) {
                *ret_reason = "bounds";
                return f->size < f->min ? f->min : f->max;
        }
        if (f->size == 0 && f->n_waiting > 0 && f->max > 0) {
                *ret_reason = "waiting";
                return grow(f, s);
        }
        if (is_pressed(f)) {
                if (s->pressed_at == 0)
                        s->pressed_at = f->now;
                *ret_again = usec_add(s->pressed_at, SIZE_PRESSURE_USEC);
                if (f->now < *ret_again)
                        return f->size;
                *ret_again = USEC_INFINITY;
                *ret_reason = f->n_waiting > 0 ? "waiting" : "busy";
                return grow(f, s);
        }
        s->pressed_at = 0;
        if (f->size <= f->min || f->idle_since == 0 || f->n_coming > 0)
                return f->size;
        if (f->n_waiting > 0) { /* nobody tells when the queue is empty */
                *ret_again = usec_add(f->now, f->idle_timeout);
                return f->size;
        }
        idle_at = usec_add(MAX(MAX(f->idle_since, s->grown_at), s->shrunk_at), f->idle_timeout);
        if (f->now < idle_at) {
                *ret_again = idle_at;
                return f->size;
        }
        s->shrunk_at = f->now;
        *ret_reason = "idle";
        return f->size - 1;
}

/* ---- the facts ---- */

bool size_is_automatic(const Pool *p) {
        return p->config->workers_max > 0;
}

/* Where a socket could not be opened the last worker stays: nothing could start it again. */
static unsigned least(const Pool *p) {
        const PoolConfig *c = p->config;
        unsigned min = p->has_floor ? p->floor : c->workers_min;

        return min == 0 && !p->has_floor && !c->is_task_pool && !(c->on_demand && p->listen) ? 1 : min;
}

/* Those that say nothing about themselves are judged by their CPU time between two looks. */
static usec_t idle_since(Worker *w, usec_t now) {
        ProcUsage usage;

        if (!w || w->state != WORKER_RUNNING || w->is_busy || w->is_leaving)
                return 0;
        w->idle_since = MAX(w->idle_since, w->ready_at);
        if (usec_add(w->idle_since, w->pool->config->workers_idle) > now || proc_usage_read(w->pid, &usage) < 0)
                return w->idle_since;
        if (w->idle_looked_at < w->ready_at) /* the first look at this process */
                w->idle_looked_at = w->ready_at;
        if (usage.cpu_usec > w->idle_cpu_usec &&
            usage.cpu_usec - w->idle_cpu_usec > usec_sub(now, w->idle_looked_at) / IDLE_CPU_PART)
                w->idle_since = now;
        w->idle_cpu_usec = usage.cpu_usec;
        w->idle_looked_at = now;
        return w->idle_since;
}

static SizeFacts facts_of(Pool *p, usec_t now) {
        const unsigned *n = p->n_state;
        SizeFacts f = {
                .size = p->size,
                .min = least(p),
                .n_ready = n[WORKER_RUNNING],
                .n_coming = n[WORKER_CREATED] + n[WORKER_LAUNCHING] + n[WORKER_STARTING] + n[WORKER_BACKOFF] + n[WORKER_STOPPED],
                .n_waiting = p->n_queued + (p->listen && n[WORKER_RUNNING] > 0 ? listen_set_backlog(p->listen) : 0),
                .idle_timeout = p->config->workers_idle,
                .now = now,
        };

        f.max = MAX(p->config->workers_max, f.min);
        for (size_t i = 0; i < p->n_workers; i++)
                f.n_busy += p->workers[i]->state == WORKER_RUNNING && p->workers[i]->is_busy;
        f.idle_since = idle_since(p->size > 0 ? pool_worker_by_slot(p, p->size - 1) : NULL, now);
        return f;
}

/* ---- the glue ---- */

static void emit_resized(Pool *p, unsigned from, const char *reason) {
        Text *t = &p->set->scratch;

        text_clear(t);
        json_put_object(t, NULL);
        json_put_u64(t, "from", from);
        json_put_u64(t, "to", p->size);
        json_put_string(t, "reason", reason);
        json_end_object(t);
        hub_emit(p->set->world.hub, EVENT_POOL_RESIZED, pool_name(p), NULL, text_check(t) < 0 ? NULL : t->data);
}

static int on_time(sd_event_source *source, uint64_t usec, void *userdata) {
        Pool *p = userdata;

        p->size_timer = sd_event_source_disable_unref(p->size_timer);
        size_mark(p);
        return 0;
}

static void look_again(Pool *p, usec_t at) {
        int r;

        p->size_timer = sd_event_source_disable_unref(p->size_timer);
        if (at == USEC_INFINITY)
                return;
        r = sd_event_add_time(p->set->world.event, &p->size_timer, CLOCK_MONOTONIC, at, SIZE_ACCURACY, on_time, p);
        if (r < 0)
                log_warning("pool %s: its size does not follow its load for now: %s", pool_name(p), strerrordesc_np(-r));
        else
                (void) sd_event_source_set_priority(p->size_timer, PRIORITY_DEADLINE);
}

static void on_arrival(void *userdata) {
        Pool *p = userdata;

        size_unwatch(p);
        p->size_arrived_at = clock_now();
        size_mark(p);
}

void size_unwatch(Pool *p) {
        if (!p->is_size_watching)
                return;
        p->is_size_watching = false;
        if (!p->is_awaiting) /* else demand.c has the watch by now */
                listen_set_unwatch(p->listen);
}

/* Nothing waits: whoever comes next wakes us once. */
static void watch(Pool *p, const SizeFacts *f) {
        bool is_wanted = p->listen && !p->is_awaiting && f->n_ready > 0 && f->n_coming == 0 && f->size < f->max;

        if (!is_wanted) {
                size_unwatch(p);
                return;
        }
        if (!p->is_size_watching)
                p->is_size_watching = listen_set_watch(p->listen, p->set->world.event, on_arrival, p) >= 0;
}

static void look(Pool *p) {
        usec_t now = clock_now(), again, arrival = usec_add(p->size_arrived_at, SIZE_LOOK_USEC);
        unsigned from = p->size, to;
        const char *reason;
        SizeFacts f;

        if (!size_is_automatic(p) || p->is_removing || p->is_awaiting || p->n_wanted + !p->size == 0 || p->set->is_stopping) {
                size_end(p);
                return;
        }
        f = facts_of(p, now);
        to = size_next(&f, &p->size_state, &again, &reason);
        if (to != from) {
                pool_resize(p, to);
                emit_resized(p, from, reason);
                demand_mark(p);
                size_mark(p);
                return;
        }
        if (p->size_arrived_at > 0 && now < arrival)
                again = MIN(again, arrival);
        else if (f.n_waiting == 0) {
                p->size_arrived_at = 0;
                watch(p, &f);
        }
        look_again(p, again);
}

void size_mark(Pool *p) {
        if (!size_is_automatic(p))
                return;
        p->is_size_due = true;
        p->set->is_size_due = true;
}

void size_note_load(Worker *w) {
        if (!size_is_automatic(w->pool))
                return;
        w->idle_since = clock_now();
        size_mark(w->pool);
}

void size_end(Pool *p) {
        p->size_timer = sd_event_source_disable_unref(p->size_timer);
        size_unwatch(p);
}

void size_converge(PoolSet *s) {
        if (!s->is_size_due)
                return;
        s->is_size_due = false;
        for (size_t i = 0; i < s->n_pools; i++) {
                Pool *p = s->pools[i];

                if (!p->is_size_due)
                        continue;
                p->is_size_due = false;
                look(p);
        }
}
