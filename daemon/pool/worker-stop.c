/* worker-stop.c - how a process is asked to go, and how long it has for it.
 *
 * With `stop.command` the command is run in place of the signal. It has half of stop.timeout; when it fails or takes
 * longer, the signal follows, so that the process still has the other half; after stop.timeout comes SIGKILL of the
 * whole tree, as ever. A command that ended well has done its part: no signal then. A process that did not get ready,
 * or that fell silent, is not talked to: it gets its signal, a silent one SIGABRT, so that it may leave a core. */
#include "pool/pool-internal.h"

#include "base/log.h"
#include "base/parse.h"
#include <signal.h>

#define KILL_AGAIN_FIRST (1 * USEC_PER_SEC)

usec_t worker_stop_deadline(const Worker *w) {
        return usec_add(clock_now(), w->kill_due ? KILL_AGAIN_FIRST : w->pool->config->stop_timeout);
}

int worker_stop_signal(const Worker *w, WorkerFault fault) {
        return fault == WORKER_FAULT_WATCHDOG ? SIGABRT : w->pool->config->stop_signal;
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
        return w->pool->config->stop_command && w->pid > 0 &&
               (w->fault.kind == WORKER_FAULT_NONE || w->fault.kind == WORKER_FAULT_HEALTH);
}

static int run_stop_command(Worker *w) {
        usec_t timeout = w->pool->config->stop_timeout;

        return errand_start(&w->stop_errand, w, ERRAND_STOP, w->pool->config->stop_command,
                            timeout == USEC_INFINITY ? timeout : timeout / 2, stop_command_done, w);
}

void worker_send_stop(Worker *w) {
        w->stop_errand = errand_drop(w->stop_errand);
        if (w->kill_due)
                (void) child_kill_tree(w->child); /* that too is asked again and again */
        else if (!has_to_be_talked_to(w) || run_stop_command(w) < 0)
                send_signal(w);
}

/* ---- EXTEND_TIMEOUT_USEC= ---- */

void worker_extend(Worker *w, usec_t span) {
        usec_t until = usec_add(clock_now(), span);

        if (w->state == WORKER_LAUNCHING)
                w->extended_to = until;
        if (w->state == WORKER_STARTING ? w->config->ready == READY_EXEC : w->state != WORKER_STOPPING)
                return; /* nothing it could be too late for */
        if (w->due == 0 || w->kill_due || w->n_kills > 0)
                return;
        worker_arm(w, MAX(w->due_at_first, until));
        worker_mark_to_tell(w);
}
