/* worker-fault.c - a worker that is stopped because something is wrong with it, not because somebody wishes it.
 *
 * The fault goes with the process: it is noted when it is found (worker_fault()), stays while the process is STOPPING,
 * and belongs to the end that follows, whatever signal that end names. */
#include "pool/pool-internal.h"

#include "base/alloc.h"
#include "base/log.h"

static const struct {
        const char *name;  /* in the record */
        const char *plain; /* when there is no memory for the sentence */
        bool has_event;
        EventKind event;
} faults[_WORKER_FAULT_MAX] = {
        [WORKER_FAULT_UNREADY] = {"unready", "not ready in time", false, 0},
        [WORKER_FAULT_HEALTH] = {"health", "health check failed", true, EVENT_WORKER_UNHEALTHY},
        [WORKER_FAULT_WATCHDOG] = {"watchdog", "watchdog", true, EVENT_WORKER_WATCHDOG},
        [WORKER_FAULT_TASK] = {"task", "its tasks went wrong", false, 0},
        [WORKER_FAULT_RECYCLED] = {"recycled", "it was replaced", false, 0},
};

const char *faulty_text(const Faulty *f) {
        return f->text ? f->text : f->kind == WORKER_FAULT_NONE ? "" : faults[f->kind].plain;
}

void faulty_clear(Faulty *f) {
        free(f->text);
        *f = (Faulty){0};
}

void faulty_set(Faulty *f, WorkerFault kind, const char *text) {
        char *copy = alloc_strdup(text);

        faulty_clear(f);
        *f = (Faulty){.kind = kind, .text = copy};
}

void faulty_put(const Faulty *f, Text *t, const char *key) {
        if (f->kind == WORKER_FAULT_NONE)
                return;
        json_put_object(t, key);
        json_put_string(t, "kind", faults[f->kind].name);
        json_put_string(t, "text", faulty_text(f));
        json_end_object(t);
}

static WorkerFault fault_from_name(const char *s) {
        for (int f = WORKER_FAULT_NONE + 1; s && f < _WORKER_FAULT_MAX; f++)
                if (streq(s, faults[f].name))
                        return (WorkerFault) f;
        return WORKER_FAULT_NONE;
}

void faulty_read(Faulty *f, const json_t *o) {
        WorkerFault kind = fault_from_name(json_string_value(json_object_get(o, "kind")));

        if (kind != WORKER_FAULT_NONE)
                faulty_set(f, kind, json_string_value(json_object_get(o, "text")));
}

void worker_book_fault(Worker *w) {
        faulty_clear(&w->ended_fault);
        w->ended_fault = w->fault;
        w->fault = (Faulty){0};
        w->exit.is_faulty = w->ended_fault.kind != WORKER_FAULT_NONE;
        w->has_ended_overdue = w->is_overdue;
        w->is_overdue = false;
}

static void emit_fault(Worker *w, EventKind kind) {
        Text *t = &w->pool->set->scratch;

        text_clear(t);
        json_put_object(t, NULL);
        if (w->pid > 0)
                json_put_i64(t, "pid", w->pid);
        json_put_string(t, "cause", faulty_text(&w->fault));
        json_end_object(t);
        worker_emit(w, kind, text_check(t) < 0 ? NULL : t->data, NULL);
}

void worker_fault(Worker *w, WorkerFault kind, const char *text) {
        if (!w->child || w->state == WORKER_STOPPING)
                return; /* on its way out already */
        faulty_set(&w->fault, kind, text);
        log_fields(LOG_WARNING, pool_name(w->pool), w->name, "%s: %s; stopping it", w->name, faulty_text(&w->fault));
        if (faults[kind].has_event)
                emit_fault(w, faults[kind].event);
        worker_handle(w, WORKER_ON_FAULT);
}
