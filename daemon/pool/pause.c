/* pause.c - a process that stands still, and one that gets no more work.
 *
 * Paused: all its processes are frozen by the keeper (cgroup.freeze; without a cgroup SIGSTOP to each), which says so
 * when they stand still (worker_on_frozen). When they cannot, they run on, and the pause is off. The worker stays
 * in its state; neither health nor watchdog counts meanwhile, and a start timeout begins anew. A stop
 * thaws it before the signal goes out; SIGKILL reaches it as it is. Draining: it is given no more tasks, and is idle once
 * it is not busy. Both belong to the present process: the next one begins without. */
#include "pool/health.h"
#include "pool/pool-internal.h"

#include "base/log.h"

static bool may_be_paused(const Worker *w) {
        return (w->state == WORKER_STARTING || w->state == WORKER_RUNNING) && w->pid > 0;
}

static void told(Worker *w) {
        worker_facts_stale(w);
        worker_mark_to_tell(w);
}

static void changed(Worker *w, EventKind k) {
        worker_emit(w, k, NULL, NULL);
        told(w);
}

static int freeze(Worker *w, bool is_frozen) {
        int r = child_freeze(w->child, is_frozen);

        w->is_freezing |= r >= 0;
        return r;
}

int worker_pause(Worker *w) {
        int r;

        if (!may_be_paused(w) || w->restart_due || !w->is_wanted)
                return 0;
        if (w->is_paused)
                return 1;
        r = freeze(w, true);
        if (r < 0)
                return r;
        w->pause_error = 0;
        w->is_paused = true;
        worker_set_unwatched(w, true);
        told(w);
        return 1;
}

void worker_on_frozen(Child *c, bool is_frozen, int error, void *userdata) {
        Worker *w = userdata;
        bool is_news = w->is_frozen != is_frozen;

        if (w->child != c || w->is_paused != is_frozen)
                return; /* asked for before what is asked for now */
        w->is_freezing = false;
        if (error < 0 && is_frozen) {
                w->pause_error = error;
                worker_thaw(w);
                told(w);
                return;
        }
        w->is_frozen = is_frozen;
        if (is_frozen && is_news)
                changed(w, EVENT_WORKER_PAUSED);
        else
                told(w);
}

void worker_describe_pause(const Worker *w, char *buf, size_t size) {
        bool is_late = w->pause_error == -ETIMEDOUT;

        (void) snprintf(buf, size, "it could not be paused and runs on: %s",
                        is_late ? "one of its processes sits in the kernel and does not come to rest" : strerror(-w->pause_error));
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
        r = w->child ? freeze(w, false) : 0;
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
                (void) freeze(w, true);
                worker_set_unwatched(w, true);
        }
}

bool worker_is_paused(const Worker *w) {
        return w->is_paused;
}

bool worker_is_freezing(const Worker *w) {
        return w->is_freezing;
}

int worker_pause_error(const Worker *w) {
        return w->pause_error;
}

bool worker_is_draining(const Worker *w) {
        return w->is_draining;
}

bool worker_is_busy(const Worker *w) {
        return w->is_busy;
}
