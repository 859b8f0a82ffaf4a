/* pool-report.c - a pool for others to see: the pool object of `status`. */
#include "pool/pool-internal.h"
#include "pool/pool-template.h"

#include <stdio.h>

/* Most of many workers: nothing is to be said of them, told without a look at anything else. */
static bool is_plainly_running(const Worker *w) {
        return w->state == WORKER_RUNNING && w->is_wanted && !w->is_closing && !w->is_reloading && !w->is_paused &&
               !w->is_draining && !w->health && w->pool->n_needs == 0;
}

/* The first worker that has something to say, by name. */
static void pool_put_note(Pool *p, Text *t) {
        char note[KEEPER_TEXT_MAX + 128], text[sizeof note + KEEPER_NAME_MAX];

        if (p->is_awaiting) {
                json_put_string(t, "note", "rests until somebody connects");
                return;
        }
        for (size_t i = 0; i < p->n_workers; i++) {
                const Worker *w = p->workers[i];

                if (is_plainly_running(w) || *worker_note(w, note, sizeof note) == 0)
                        continue;
                (void) snprintf(text, sizeof text, "%s: %s", w->name, note);
                json_put_string(t, "note", text);
                return;
        }
        json_put_string(t, "note", "");
}

unsigned pool_n_busy(const Pool *p) {
        unsigned n = 0;

        for (size_t i = 0; i < p->n_workers; i++)
                n += p->workers[i]->is_busy;
        return n;
}

unsigned pool_n_queued(const Pool *p) {
        return p->n_queued;
}

void pool_put_json(Pool *p, Text *t, const char *key, Worker *const *workers, size_t n) {
        json_put_object(t, key);
        json_put_string(t, "name", pool_name(p));
        json_put_string(t, "state", pool_state(p));
        json_put_u64(t, "wanted", p->n_wanted);
        json_put_u64(t, "ready", pool_n_ready(p));
        json_put_u64(t, "busy", pool_n_busy(p));
        json_put_u64(t, "queued", pool_n_queued(p));
        json_put_u64(t, "restarts", pool_n_restarts(p));
        json_put_u64(t, "size", pool_size(p));
        json_put_string(t, "origin", pool_origin_to_string(p->origin));
        json_put_bool(t, "enabled", p->config->autostart);
        json_put_bool(t, "removing", p->is_removing);
        json_put_bool(t, "reloading", p->rolling != NULL);
        template_put_json(p, t);
        pool_put_note(p, t);
        json_put_array(t, "workers");
        if (!workers)
                n = p->n_workers;
        for (size_t i = 0; i < n; i++)
                worker_put_json(workers ? workers[i] : p->workers[i], t, NULL);
        json_end_array(t);
        json_end_object(t);
}
