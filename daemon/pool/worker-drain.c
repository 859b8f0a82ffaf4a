/* worker-drain.c - what comes after an end: its output is written to the last line, and only then is it told.
 *
 * An ended child moves from `child` to `departed` at once, so that the next process need not wait. Its end and all
 * later events of this worker stand in `held` until the keeper says DRAINED: readers of the event stream find the
 * last line in the log already, and the order of one worker's events is the order in which they happened. */
#include "pool/pool-internal.h"

#include "base/alloc.h"
#include <utlist.h>

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

static void worker_free_config(Worker *w) {
        w->config = pool_config_unref(w->config);
        w->config_live = pool_config_unref(w->config_live);
}

int worker_take_departed(Worker *w, Child *c) {
        if (w->n_departed >= WORKER_DEPARTED_MAX)
                return -ENOSPC;
        w->departed[w->n_departed++] = (Departed){.child = c};
        w->pool->set->n_draining++;
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
        w->is_paused = w->is_unwatched = w->is_draining = false;
        if (w->config)
                worker_free_config(w);
}

void worker_on_drained(Child *c, void *userdata) {
        Worker *w = userdata;
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
                w->pool->set->n_draining--;
        }
        w->n_departed = kept;
}

void worker_drain_done(Worker *w) {
        HeldEvent *e, *next;

        for (unsigned i = 0; i < w->n_departed; i++) {
                child_free(w->departed[i].child);
                w->pool->set->n_draining--;
        }
        w->n_departed = 0;
        DL_FOREACH_SAFE(w->held, e, next) {
                DL_DELETE(w->held, e);
                held_event_free(e);
        }
}
