/* worker-end.c - what follows an end that nobody asked for: the facts go to restart_next(), its word is obeyed. */
#include "pool/pool-internal.h"

#include "base/log.h"
#include <stdio.h>

/* One line for people: each end at first, then ever fewer of a crash loop (its 1st to 4th, 8th, 16th, ...). The end
 * of a `run` process is its caller's business. */
static void worker_log_end(const Worker *w, const char *what_next) {
        int level = w->pool->origin == POOL_FROM_RUN ? LOG_DEBUG : LOG_NOTICE;
        unsigned n = w->history.n_failures;
        char cause[KEEPER_TEXT_MAX];

        if ((n > 4 && (n & (n - 1)) != 0) || !log_enabled(level))
                return;
        worker_describe_exit(w, cause, sizeof cause);
        log_fields(level, pool_name(w->pool), w->name, "%s: %s; %s%s", w->name, cause, what_next,
                   n > 4 ? " (told ever more rarely)" : "");
}

static void worker_back_off(Worker *w, usec_t delay) {
        char span[SPAN_TEXT_MAX], text[SPAN_TEXT_MAX + 32];

        (void) snprintf(text, sizeof text, "next try in %s", span_format(span, delay));
        worker_log_end(w, text);
        w->delay = delay;
        worker_enter(w, WORKER_BACKOFF, usec_add(clock_now(), delay));
}

/* The policy's word on an end nobody asked for. */
void worker_follow_policy(Worker *w, const ExitStatus *e) {
        bool has_worked = w->has_worked;
        usec_t now = clock_now(), delay = 0;
        usec_t ran = w->ready_at > 0 ? MAX(usec_sub(now, w->ready_at), (usec_t) 1) : 0;
        RestartVerdict v = restart_next(&w->pool->config->restart, &w->history, e, ran, now,
                                        pool_set_random(w->pool->set), &delay);

        w->has_worked = false;
        if (v == RESTART_LATER && has_worked && ran > 0) { /* a task's doing, most likely: the next ones wait */
                restart_forgive(&w->history);
                v = RESTART_NOW;
        }
        switch (v) {
        case RESTART_NOW:
                worker_log_end(w, "starting again");
                worker_enter(w, WORKER_LAUNCHING, USEC_INFINITY);
                break;
        case RESTART_LATER:
                worker_back_off(w, delay);
                break;
        case RESTART_NEVER:
                worker_log_end(w, "not started again, as its restart policy says");
                worker_enter(w, WORKER_EXITED, USEC_INFINITY);
                break;
        case RESTART_GIVE_UP:
                worker_log_end(w, "given up");
                worker_enter(w, WORKER_FAILED, USEC_INFINITY);
                break;
        }
}
