/* worker-say.c - what a worker says about itself, heard by the notify socket.
 *
 * A message may come in any state with a process: the keeper's STARTED may be on its way still (LAUNCHING), or the
 * process be asked to stop already. Its count of tasks and whether it is busy change often: they are put on record, once
 * a turn, and nobody is told but who waits for it. */
#include "pool/notify.h"
#include "pool/pool-internal.h"
#include "pool/watchdog.h"

#include "base/alloc.h"
#include "base/log.h"

static bool worker_may_speak(const Worker *w) {
        return w->child && !child_is_ended(w->child);
}

static void say_status(Worker *w, const char *text, size_t length) {
        char *copy = length > 0 ? alloc_strndup(text, length) : NULL;

        if (length > 0 && !copy)
                return; /* the old one stays */
        free(w->status_text);
        w->status_text = copy;
        worker_mark_to_tell(w);
}

static void say_stage(Worker *w, bool is_closing, bool is_reloading) {
        if (w->is_closing == is_closing && w->is_reloading == is_reloading)
                return;
        w->is_closing = is_closing;
        w->is_reloading = is_reloading;
        worker_mark_to_tell(w);
}

static void say_load(Worker *w, const NotifyMessage *m) {
        if (m->tasks.is_said)
                w->tasks_done = m->tasks.value;
        if (m->busy.is_said)
                w->is_busy = m->busy.value != 0;
        worker_facts_stale(w);
        worker_to_record(w);
        size_note_load(w);
        recycle_mark(w->pool);
        if (w->pool->set->world.hooks.worker_load)
                w->pool->set->world.hooks.worker_load(w, w->pool->set->world.userdata);
}

/* What drover does not do is said once a process, not with each message. */
static void say_refused(Worker *w, const NotifyMessage *m) {
        if (w->has_been_refused)
                return;
        w->has_been_refused = true;
        if (m->main_pid.is_said && m->main_pid.value != (uint64_t) w->pid)
                log_fields(LOG_NOTICE, pool_name(w->pool), w->name,
                           "%s: MAINPID=%llu is not believed: drover watches the process that it launched. A command "
                           "that goes to the background should be told to stay in the foreground",
                           w->name, (unsigned long long) m->main_pid.value);
        if (m->wants_store)
                log_fields(LOG_NOTICE, pool_name(w->pool), w->name,
                           "%s: FDSTORE=1 is refused and the descriptors are closed: sockets that shall outlive a "
                           "worker go into the pool's \"listen\"",
                           w->name);
}

void worker_forget_words(Worker *w) {
        free(TAKE_PTR(w->status_text));
        w->is_reloading = w->is_busy = w->has_been_refused = false;
        w->tasks_done = w->task = 0;
        w->watchdog.is_changed = false;
}

void worker_hear(Worker *w, const NotifyMessage *m) {
        if (!worker_may_speak(w))
                return;
        if (m->status)
                say_status(w, m->status, m->status_length);
        if (m->main_pid.is_said || m->wants_store)
                say_refused(w, m);
        if (m->tasks.is_said || m->busy.is_said)
                say_load(w, m);
        if (m->extend_usec.is_said)
                worker_extend(w, m->extend_usec.value);
        if (m->watchdog_usec.is_said)
                watchdog_change(w, m->watchdog_usec.value);
        if (m->is_alive)
                watchdog_ping(w);
        if (m->is_ready || m->is_reloading || m->is_stopping)
                say_stage(w, m->is_stopping || (w->is_closing && !m->is_ready),
                          m->is_reloading || (w->is_reloading && !m->is_ready));
        if (m->is_ready && w->config->ready == READY_NOTIFY)
                worker_handle(w, WORKER_ON_READY);
        if (m->is_trigger)
                watchdog_trigger(w);
}
