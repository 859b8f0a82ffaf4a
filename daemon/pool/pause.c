/* pause.c - a process that stands still, and one that gets no more work.
 *
 * Paused: all its processes are frozen by the keeper (cgroup.freeze; without a cgroup SIGSTOP to each). The worker stays
 * in its state; neither health nor watchdog counts meanwhile, and a start timeout begins anew. A stop
 * thaws it before the signal goes out; SIGKILL reaches it as it is. Draining: it is given no more tasks, and is idle once
 * it is not busy. Both belong to the present process: the next one begins without. */
#include "pool/health.h"
#include "pool/pool-internal.h"

#include "base/log.h"

static bool may_be_paused(const Worker *w) {
        return (w->state == WORKER_STARTING || w->state == WORKER_RUNNING) && w->pid > 0;
}

static void changed(Worker *w, EventKind k) {
        worker_facts_stale(w);
        worker_emit(w, k, NULL, NULL);
        worker_mark_to_tell(w);
}

int worker_pause(Worker *w) {
        int r;

        if (!may_be_paused(w) || w->restart_due || !w->is_wanted)
                return 0;
        if (w->is_paused)
                return 1;
        r = child_freeze(w->child, true);
        if (r < 0)
                return r;
        w->is_paused = true;
        worker_set_unwatched(w, true);
        changed(w, EVENT_WORKER_PAUSED);
        return 1;
}

int worker_drain(Worker *w) {
        if (!may_be_paused(w))
                return 0;
        if (w->is_draining)
                return 1;
        w->is_draining = true;
        changed(w, EVENT_WORKER_DRAINING);
        return 1;
}

void worker_thaw(Worker *w) {
        int r;

        if (!w->is_paused)
                return;
        w->is_paused = false;
        worker_set_unwatched(w, false);
        r = w->child ? child_freeze(w->child, false) : 0;
        if (r < 0 && r != -ESRCH)
                log_warning("%s: cannot be thawed: %s", w->name, strerror(-r));
}

void worker_resume(Worker *w) {
        if (!w->is_paused && !w->is_draining)
                return;
        worker_thaw(w);
        w->is_draining = false;
        changed(w, EVENT_WORKER_RESUMED);
}

/* The request may have been lost with droverd. */
void worker_catch_up_pause(Worker *w) {
        if (!may_be_paused(w)) {
                worker_thaw(w);
                w->is_draining = false;
        } else if (w->is_paused) {
                (void) child_freeze(w->child, true);
                worker_set_unwatched(w, true);
        }
}

bool worker_is_paused(const Worker *w) {
        return w->is_paused;
}

bool worker_is_draining(const Worker *w) {
        return w->is_draining;
}

bool worker_is_busy(const Worker *w) {
        return w->is_busy;
}
