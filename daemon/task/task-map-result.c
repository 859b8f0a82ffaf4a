/* task-map-result.c - results of a map on their way out: in order, or as they come. See task-map.c. */
#include "task/task-internal.h"

#include "base/alloc.h"
#include "wire/protocol.h"
#include <stdio.h>

void map_check_done(TaskMap *m) {
        if (m->is_done || !m->is_ended || m->n_done < m->n_items)
                return;
        m->is_done = true;
        m->sink.on_done(m, m->userdata);
}

static void emit(TaskMap *m, size_t first, size_t n, Slice results, Slice errors) {
        m->emitted += n;
        m->sink.on_results(m, first, n, results, errors, m->userdata);
}

static void emit_held(TaskMap *m) {
        while (m->held && m->held->first == m->emitted) {
                MapHeld *h = m->held;

                DL_DELETE(m->held, h);
                m->held_bytes -= h->results_length;
                emit(m, h->first, h->n, (Slice){.at = h->results, .n = h->results_length}, slice_of(h->errors));
                free(h->results);
                free(h->errors);
                free(h);
        }
}

static int hold(TaskMap *m, size_t first, size_t n, Slice results, Slice errors) {
        MapHeld *h = NEW0(MapHeld), *before = NULL, *i;

        if (!h)
                return -ENOMEM;
        *h = (MapHeld){.first = first, .n = n, .results_length = results.n};
        h->results = alloc_strndup(results.at, results.n);
        h->errors = errors.at ? alloc_strndup(errors.at, errors.n) : NULL;
        if (!h->results || (errors.at && !h->errors)) {
                free(h->results);
                free(h);
                return -ENOMEM;
        }
        m->held_bytes += results.n;
        DL_FOREACH(m->held, i) {
                if (i->first > first)
                        break;
                before = i;
        }
        if (before)
                DL_APPEND_ELEM(m->held, before, h);
        else
                DL_PREPEND(m->held, h);
        return 0;
}

/* Items that are over, whatever came of them. */
static void deliver(TaskMap *m, size_t first, size_t n, Slice results, Slice errors) {
        m->n_done += n;
        map_items_done(m, first, n);
        if (!m->is_ordered || first == m->emitted)
                emit(m, first, n, results, errors);
        else if (hold(m, first, n, results, errors) < 0)
                emit(m, first, n, results, errors); /* out of order rather than not at all: it has its number */
        if (m->is_ordered)
                emit_held(m);
        task_pool_mark(m->pool);
        map_check_done(m);
}

void map_failed(TaskMap *m, size_t first, size_t n, const char *error) {
        _cleanup_text_ Text results = {0}, errors = {0};
        char key[24];

        json_put_object(&errors, NULL);
        for (size_t i = 0; i < n; i++) {
                text_append(&results, i > 0 ? ",null" : "null");
                (void) snprintf(key, sizeof key, "%zu", i);
                json_put_raw(&errors, key, error);
        }
        json_end_object(&errors);
        m->n_failed += n;
        if (text_check(&results) < 0 || text_check(&errors) < 0)
                deliver(m, first, n, slice_of("null"), (Slice){0});
        else
                deliver(m, first, n, (Slice){.at = results.data, .n = results.length},
                        (Slice){.at = errors.data, .n = errors.length});
}

void map_abandon(TaskMap *m, int code, const char *message) {
        MapRange *r, *after;

        if (m->is_done)
                return;
        m->fault = alloc_strdup(message);
        m->fault_code = m->fault ? code : 0;
        m->pool->n_queued -= map_n_waiting(m);
        m->next = m->n_items;
        DL_FOREACH_SAFE(m->redo, r, after)
                free(r);
        m->redo = NULL;
        queue_remove(m->pool, &m->node);
        words_forget(m->pool->room, NULL, m);
        m->is_ended = m->is_done = true;
        m->sink.on_done(m, m->userdata);
}

/* {"0":{ERROR},...} of a worker, counted from @skip items before the first: how many, and as errors of ours. */
static size_t take_errors(Slice errors, size_t skip, size_t n, Text *t) {
        size_t count = 0;

        json_put_object(t, NULL);
        for (size_t i = 0; i < n; i++) {
                char key[24], own[24];
                SliceMember m[] = {{.key = key}};

                (void) snprintf(key, sizeof key, "%zu", i + skip);
                if (!memmem(errors.at, errors.n, key, strlen(key)) || slice_object(errors.at, errors.n, m, 1, NULL) < 0 || !m[0].value.at)
                        continue;
                (void) snprintf(own, sizeof own, "%zu", i);
                error_from_worker(t, own, m[0].value);
                count++;
        }
        json_end_object(t);
        return count;
}

void map_answered_items(TaskMap *m, size_t first, const ChunkAnswer *a) {
        _cleanup_text_ Text errors = {0};
        Slice items = {.at = a->items.at + 1, .n = a->items.n - 2};

        if (a->errors.at)
                m->n_failed += take_errors(a->errors, a->skip, a->n, &errors);
        deliver(m, first, a->n, items,
                errors.length > 2 && text_check(&errors) >= 0 ? (Slice){.at = errors.data, .n = errors.length} : (Slice){0});
}

void map_answered(TaskMap *m, size_t item, Slice result) {
        deliver(m, item, 1, result, (Slice){0});
}
