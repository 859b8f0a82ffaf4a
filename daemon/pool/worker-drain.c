/* worker-drain.c - what comes after an end: its output is written to the last line, and only then is it told.
 *
 * An ended child moves from `child` to `departed` at once, so that the next process need not wait. Its end and all
 * later events of this worker stand in `held` until the keeper says DRAINED: readers of the event stream find the
 * last line in the log already, and the order of one worker's events is the order in which they happened.
 *
 * A logger that hangs (a dead disk, SIGSTOP) must not keep a stop from being answered: DRAIN_USEC after the end it is told all
 * the same, with "undrained": true in the event. The keeper still has the pipes, and the logger writes them when it can. */
#include "pool/pool-internal.h"

#include "base/alloc.h"
#include "base/log.h"
#include "priority.h"
#include <utlist.h>

#define DRAIN_USEC (6 * USEC_PER_SEC) /* the keeper's linger time, and a second for the way */
#define DRAIN_ACCURACY (100 * USEC_PER_MSEC)

static void worker_show(Worker *w, EventKind k, const char *data) {
        hub_emit(w->pool->set->world.hub, k, pool_name(w->pool), w->name, data);
}

static HeldEvent *held_event_free(HeldEvent *e) {
        free(e->data);
        free(e);
        return NULL;
}

static void worker_show_held(Worker *w) {
        while (w->held && !w->held->until) {
                HeldEvent *e = w->held;

                DL_DELETE(w->held, e);
                worker_show(w, e->kind, e->data);
                held_event_free(e);
        }
}

void worker_emit(Worker *w, EventKind k, const char *data, const Child *until) {
        HeldEvent *e;

        if (!w->held && !until) {
                worker_show(w, k, data);
                return;
        }
        e = NEW0(HeldEvent);
        if (!e || !(e->data = alloc_strdup(data ? data : "{}"))) {
                free(e); /* short of memory: told early rather than not at all */
                worker_show(w, k, data);
                return;
        }
        e->kind = k;
        e->until = until;
        DL_APPEND(w->held, e);
}

void worker_free_config(Worker *w) {
        w->config = pool_config_unref(w->config);
        w->config_live = pool_config_unref(w->config_live);
}

/* The end is told although its output is not written. */
static void held_event_mark(HeldEvent *e) {
        size_t n = strlen(e->data);
        char *marked = n >= 2 ? alloc_printf("%.*s%s\"undrained\":true}", (int) n - 1, e->data, n > 2 ? "," : "") : NULL;

        if (!marked)
                return;
        free(e->data);
        e->data = marked;
}

static void worker_drain_overdue(Worker *w, Departed *d) {
        HeldEvent *e;

        log_warning("%s ended, and its output is not written yet: the logger does not answer; told without waiting for it",
                    w->name);
        DL_FOREACH(w->held, e) {
                if (e->until == d->child)
                        held_event_mark(e);
        }
        worker_on_drained(d->child, w);
}

/* The first that is due after those that are overdue now. */
static usec_t worker_drain_check(Worker *w, usec_t now) {
        usec_t next = USEC_INFINITY;

        for (unsigned i = 0; i < w->n_departed; i++) {
                usec_t due = usec_add(w->departed[i].since_usec, DRAIN_USEC);

                if (w->departed[i].is_drained)
                        continue;
                if (due <= now)
                        worker_drain_overdue(w, &w->departed[i]);
                else
                        next = MIN(next, due);
        }
        return next;
}

static void drain_arm(PoolSet *s, usec_t due);

static int drain_dispatch(sd_event_source *source, uint64_t usec, void *userdata) {
        PoolSet *s = userdata;
        usec_t next = USEC_INFINITY, now = clock_now();

        for (size_t i = 0; i < s->n_pools; i++)
                for (size_t k = 0; k < s->pools[i]->n_workers; k++) {
                        usec_t due = worker_drain_check(s->pools[i]->workers[k], now);

                        next = MIN(next, due);
                }
        if (next != USEC_INFINITY)
                drain_arm(s, next);
        return 0;
}

/* One timer for all, which is on only while an end waits for its output. */
static void drain_arm(PoolSet *s, usec_t due) {
        int enabled = SD_EVENT_OFF;

        if (!s->world.event)
                return;
        if (s->drain_timer) {
                if (sd_event_source_get_enabled(s->drain_timer, &enabled) >= 0 && enabled == SD_EVENT_OFF &&
                    sd_event_source_set_time(s->drain_timer, due) >= 0)
                        (void) sd_event_source_set_enabled(s->drain_timer, SD_EVENT_ONESHOT);
                return;
        }
        if (sd_event_add_time(s->world.event, &s->drain_timer, CLOCK_MONOTONIC, due, DRAIN_ACCURACY, drain_dispatch, s) >= 0)
                (void) sd_event_source_set_priority(s->drain_timer, PRIORITY_DEADLINE);
}

static void drain_left(PoolSet *s) {
        if (--s->n_draining == 0)
                (void) sd_event_source_set_enabled(s->drain_timer, SD_EVENT_OFF);
}

int worker_take_departed(Worker *w, Child *c) {
        if (w->n_departed >= WORKER_DEPARTED_MAX)
                return -ENOSPC;
        w->departed[w->n_departed++] = (Departed){.child = c, .since_usec = clock_now()};
        w->pool->set->n_draining++;
        drain_arm(w->pool->set, usec_add(clock_now(), DRAIN_USEC));
        return 0;
}

void worker_depart(Worker *w) {
        if (!w->child)
                return;
        w->pool->set->n_alive--;
        if (worker_take_departed(w, w->child) < 0)
                w->child = child_free(w->child); /* cannot be: worker_queue_launch() waits for room */
        w->child = NULL;
        w->pid = 0;
        w->ready_at = 0;
        w->sampled_at = 0;
        worker_forget_words(w);
        w->is_paused = w->is_frozen = w->is_freezing = w->is_unwatched = w->is_draining = false;
        if (w->config)
                worker_free_config(w);
}

void worker_on_drained(Child *c, void *userdata) {
        Worker *w = userdata;

        if (worker_ask_last_words(w, c))
                return;
        tasking_words(w, child_generation(c), NULL);
        worker_release(w, c);
}

void worker_release(Worker *w, const Child *c) {
        HeldEvent *e;

        for (unsigned i = 0; i < w->n_departed; i++)
                if (w->departed[i].child == c)
                        w->departed[i].is_drained = true;
        DL_FOREACH(w->held, e) {
                if (e->until == c)
                        e->until = NULL;
        }
        worker_show_held(w);
        order_note(w->pool);
        worker_mark_changed(w); /* to be freed, perhaps started */
        worker_tell(w);
}

void worker_free_drained(Worker *w) {
        unsigned kept = 0;

        for (unsigned i = 0; i < w->n_departed; i++) {
                if (!w->departed[i].is_drained) {
                        w->departed[kept++] = w->departed[i];
                        continue;
                }
                child_free(w->departed[i].child);
                drain_left(w->pool->set);
        }
        w->n_departed = kept;
}

void worker_drain_done(Worker *w) {
        HeldEvent *e, *next;

        for (unsigned i = 0; i < w->n_departed; i++) {
                child_free(w->departed[i].child);
                drain_left(w->pool->set);
        }
        w->n_departed = 0;
        DL_FOREACH_SAFE(w->held, e, next) {
                DL_DELETE(w->held, e);
                held_event_free(e);
        }
}

/* ---- over droverd's own death: several ends may be booked and not yet written ---- */

void worker_drain_serialize(const Worker *w, Text *t) {
        if (w->n_departed == 0)
                return;
        json_put_array(t, "departed");
        for (unsigned i = 0; i < w->n_departed; i++)
                json_put_u64(t, NULL, child_generation(w->departed[i].child));
        json_end_array(t);
}

void worker_drain_deserialize(Worker *w, const json_t *o) {
        const json_t *departed = json_object_get(o, "departed");

        for (size_t i = 0; i < WORKER_DEPARTED_MAX; i++)
                w->booked[i] = (uint64_t) json_integer_value(json_array_get(departed, i));
}

bool worker_was_departed(const Worker *w, uint64_t generation) {
        for (size_t i = 0; i < WORKER_DEPARTED_MAX; i++)
                if (w->booked[i] == generation && generation > 0)
                        return true;
        return false;
}
