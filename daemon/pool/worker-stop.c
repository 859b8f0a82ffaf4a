/* worker-stop.c - how a process is asked to go, and how long it has for it.
 *
 * With `stop.command` the command is run in place of the signal. It has half of stop.timeout; when it fails or takes
 * longer, the signal follows, so that the process still has the other half; after stop.timeout comes SIGKILL of the
 * whole tree, as ever. A command that ended well has done its part: no signal then. A process that did not get ready,
 * or that fell silent, is not talked to: it gets its signal, a silent one SIGABRT, so that it may leave a core.
 *
 * A worker of a task pool first finds the end of its channel, behind the tasks that it has; when it is still there after
 * half of stop.timeout, all the above follows. */
#include "pool/pool-internal.h"

#include "base/log.h"
#include "base/parse.h"
#include <signal.h>

#define KILL_AGAIN_FIRST (1 * USEC_PER_SEC)

/* What the process was launched with, as far as that has not been changed since: another command may want another signal. */
static const PoolConfig *stop_config(const Worker *w) {
        const PoolConfig *c = worker_live_config(w);

        return c ? c : w->pool->config;
}

/* Of a process with a task channel the end of that is the first word; the signal follows after half the time. */
static bool ends_by_channel(Worker *w) {
        return stop_config(w)->stop_timeout != USEC_INFINITY && w->fault.kind == WORKER_FAULT_NONE && tasking_close(w, w->generation);
}

usec_t worker_stop_deadline(const Worker *w) {
        return usec_add(clock_now(), w->kill_due ? KILL_AGAIN_FIRST : stop_config(w)->stop_timeout);
}

int worker_stop_signal(const Worker *w, WorkerFault fault) {
        return fault == WORKER_FAULT_WATCHDOG ? SIGABRT : stop_config(w)->stop_signal;
}

static int stop_signal(const Worker *w) {
        return worker_stop_signal(w, w->fault.kind);
}

/* And let it run, should it be stopped. */
static void send_signal(Worker *w) {
        int r = child_signal(w->child, stop_signal(w), false, true);

        if (r < 0) /* the timeout sends SIGKILL */
                log_warning("%s: cannot send the stop signal: %s", w->name, strerror(-r));
}

static void stop_command_done(const char *sentence, void *userdata) {
        Worker *w = userdata;

        w->stop_errand = NULL;
        if (!sentence || w->state != WORKER_STOPPING || w->n_kills > 0)
                return;
        log_fields(LOG_WARNING, pool_name(w->pool), w->name, "%s: stop command: %s; sending %s", w->name, sentence,
                   signal_to_string(stop_signal(w)));
        send_signal(w);
}

static bool has_to_be_talked_to(const Worker *w) {
        return stop_config(w)->stop_command && w->pid > 0 &&
               (w->fault.kind == WORKER_FAULT_NONE || w->fault.kind == WORKER_FAULT_HEALTH);
}

/* The other half is for the signal. */
static usec_t command_time(const PoolConfig *c) {
        return c->stop_timeout == USEC_INFINITY ? USEC_INFINITY : c->stop_timeout / 2;
}

static int run_stop_command(Worker *w) {
        const PoolConfig *c = stop_config(w);

        return errand_start(&w->stop_errand, w, ERRAND_STOP, c->stop_command, command_time(c), stop_command_done, w);
}

void worker_send_stop(Worker *w) {
        w->stop_errand = errand_drop(w->stop_errand);
        w->signal_at = 0;
        if (w->kill_due)
                (void) child_kill_tree(w->child); /* that too is asked again and again */
        else if (ends_by_channel(w)) {
                w->signal_at = MAX(w->due, (usec_t) 1);
                worker_arm(w, usec_add(clock_now(), stop_config(w)->stop_timeout / 2));
        } else if (!has_to_be_talked_to(w) || run_stop_command(w) < 0)
                send_signal(w);
}

bool worker_stop_signal_due(Worker *w) {
        usec_t due = w->signal_at;

        if (due == 0 || w->kill_due)
                return false;
        w->signal_at = 0;
        if (!has_to_be_talked_to(w) || run_stop_command(w) < 0)
                send_signal(w);
        worker_arm(w, due);
        return true;
}

/* ---- the elder: the same, by what it was launched with ---- */

static void send_elder_signal(Worker *w) {
        int r = child_signal(w->elder.child, w->elder.config->stop_signal, false, true);

        if (r < 0 && r != -ESRCH)
                log_warning("%s: cannot send the stop signal: %s", w->name, strerrordesc_np(-r));
}

static void elder_command_done(const char *sentence, void *userdata) {
        Worker *w = userdata;
        Elder *e = &w->elder;

        e->stop_errand = NULL;
        if (!sentence || !e->child || e->n_kills > 0)
                return;
        log_fields(LOG_WARNING, pool_name(w->pool), w->name, "%s: stop command for pid %d: %s; sending %s", w->name,
                   (int) e->pid, sentence, signal_to_string(e->config->stop_signal));
        send_elder_signal(w);
}

void worker_send_elder_stop(Worker *w) {
        Elder *e = &w->elder;
        const PoolConfig *c = e->config;

        e->stop_errand = errand_drop(e->stop_errand);
        if (!c->stop_command || e->pid <= 0 ||
            errand_start(&e->stop_errand, w, ERRAND_STOP_ELDER, c->stop_command, command_time(c), elder_command_done, w) < 0)
                send_elder_signal(w);
}

/* ---- EXTEND_TIMEOUT_USEC= ---- */

void worker_extend(Worker *w, usec_t span) {
        usec_t until = usec_add(clock_now(), span);

        if (w->state == WORKER_LAUNCHING) {
                w->extended_to = until;
                worker_mark_to_tell(w);
        }
        if (w->state == WORKER_STARTING ? w->config->ready == READY_EXEC : w->state != WORKER_STOPPING)
                return; /* nothing it could be too late for */
        if (w->due == 0 || w->kill_due || w->n_kills > 0)
                return;
        worker_arm(w, MAX(w->due_at_first, until));
        worker_mark_to_tell(w);
}
