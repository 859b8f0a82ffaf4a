/* waiter-answer.c - what a waiter tells its call: the workers as they are, who is missing, who failed and why. */
#include "control/waiter-internal.h"

#include "control/control-call.h"
#include <stdio.h>

#define NAMES_MAX WAITER_REASONS_MAX
#define NAMES_IN_MESSAGE_MAX 3

static const char *watch_name(const Watch *watch) {
        if (watch->worker)
                return worker_name(watch->worker);
        return watch->watched && watch->watched->name ? watch->watched->name : "a worker";
}

/* ---- reload: the fate of a worker is that of its pool ---- */

bool watch_is_about_reload(const Watch *watch) {
        Pool *p = watch->worker ? worker_pool(watch->worker) : NULL;

        if (watch->goal == GOAL_SETTLED)
                return p && watch->baseline.was_reloading && !pool_reload_outcome(p)->is_good;
        return watch->goal == GOAL_RELOADED && p && !pool_reload_outcome(p)->is_good;
}

void watch_describe_reload(const Watch *watch, char *buf, size_t size) {
        const RollingOutcome *o = pool_reload_outcome(worker_pool(watch->worker));

        (void) snprintf(buf, size, "%s: the reload stopped%s%s: %s (%u replaced, %u put back)",
                        pool_name(worker_pool(watch->worker)), o->worker ? " at " : "", o->worker ? o->worker : "",
                        o->reason ? o->reason : "it did not succeed", o->n_replaced, o->n_put_back);
}

static void put_reload(const Watch *watch, Text *t) {
        const RollingOutcome *o = pool_reload_outcome(worker_pool(watch->worker));

        json_put_string(t, "pool", pool_name(worker_pool(watch->worker)));
        json_put_string(t, "worker", o->worker);
        json_put_string(t, "reason", o->reason);
        json_put_u64(t, "replaced", o->n_replaced);
        json_put_u64(t, "put_back", o->n_put_back);
}

/* ---- all of them ---- */

typedef void (*worker_put)(Worker *w, Text *t, const char *key);

static const char *gone_text(const Watch *watch, worker_put put) {
        const Watched *d = watch->watched;

        return put == worker_put_brief ? d->brief : d->full;
}

static void put_workers(Waiter *w, Text *t, worker_put put, bool with_gone) {
        json_put_object(t, NULL);
        json_put_array(t, "workers");
        for (size_t i = 0; i < w->n; i++) {
                const Watch *watch = &w->watches[i];

                if (watch->worker)
                        put(watch->worker, t, NULL);
                else if (with_gone && gone_text(watch, put))
                        json_put_raw(t, NULL, gone_text(watch, put));
        }
        json_end_array(t);
        json_end_object(t);
}

void waiter_put_workers(Waiter *w, Text *t) {
        put_workers(w, t, worker_put_json, true);
}

void waiter_put_brief(Waiter *w, Text *t) {
        put_workers(w, t, worker_put_brief, true);
}

void waiter_put_present(Waiter *w, Text *t) {
        put_workers(w, t, worker_put_json, false);
}

pid_t waiter_pid(const Waiter *w, size_t i) {
        return w->watches[i].pid;
}

const char *waiter_worker_name(const Waiter *w, size_t i) {
        return watch_name(&w->watches[i]);
}

/* At rest, and still pending: its last output is on the way into the log, and comes before the end. */
static const char *missing_state(const Watch *watch) {
        const Worker *w = watch->worker;

        if (!w)
                return "gone";
        if (!worker_is_alive(w) && !worker_is_settled(w))
                return "waiting for the rest of its output";
        return worker_state_to_string(worker_state(w));
}

/* "web/0 is stopping, web/1 is stopping (and 5 more)" */
static void put_missing(const Waiter *w, Text *t) {
        size_t n = 0;

        for (size_t i = 0; i < w->n; i++) {
                const Watch *watch = &w->watches[i];
                char why[512] = "";

                if (watch->verdict != GOAL_PENDING || ++n > NAMES_IN_MESSAGE_MAX)
                        continue;
                if (watch->worker)
                        (void) worker_reason(watch->worker, why, sizeof(why));
                text_appendf(t, "%s%s is %s%s%s%s", n > 1 ? ", " : "", watch_name(watch), missing_state(watch),
                             *why ? " (" : "", why, *why ? ")" : "");
        }
        if (n > NAMES_IN_MESSAGE_MAX)
                text_appendf(t, " (and %zu more)", n - NAMES_IN_MESSAGE_MAX);
}

static const Watch *first_pending(const Waiter *w) {
        size_t i = 0;

        while (w->watches[i].verdict != GOAL_PENDING)
                i++;
        return &w->watches[i];
}

void waiter_answer_timeout(Waiter *w) {
        _cleanup_text_ Text message = {0};
        char span[SPAN_TEXT_MAX];
        size_t n = 0;
        Text *t;

        text_appendf(&message, "not %s within %s: ", goal_to_string(first_pending(w)->goal), span_format(span, w->timeout));
        put_missing(w, &message);
        t = call_fail_begin(w->call, ERROR_TIMEOUT, text_check(&message) < 0 ? "not in time" : message.data);
        json_put_array(t, "missing");
        for (size_t i = 0; i < w->n && n < NAMES_MAX; i++)
                if (w->watches[i].verdict == GOAL_PENDING && ++n <= NAMES_MAX)
                        json_put_string(t, NULL, watch_name(&w->watches[i]));
        json_end_array(t);
        call_fail_end(w->call, ERROR_TIMEOUT);
}

static const char *watch_reason(const Watch *watch) {
        return watch->reason ? watch->reason : "it did not succeed";
}

static void put_failed(const Waiter *w, Text *t) {
        size_t n = 0;

        json_put_array(t, "failed");
        for (size_t i = 0; i < w->n && n < NAMES_MAX; i++) {
                const Watch *watch = &w->watches[i];

                if (watch->verdict != GOAL_FAILED || !watch->reason)
                        continue;
                n++;
                json_put_object(t, NULL);
                json_put_string(t, "worker", watch_name(watch));
                json_put_string(t, "reason", watch_reason(watch));
                if (watch->worker && worker_last_exit(watch->worker))
                        json_put_i64(t, "exitcode", exit_status_exitcode(worker_last_exit(watch->worker)));
                if (watch->worker)
                        worker_put_last_lines(watch->worker, t, "lines");
                json_end_object(t);
        }
        json_end_array(t);
}

void waiter_answer_failed(Waiter *w) {
        char message[768], more[48] = "";
        const Watch *first = NULL;
        size_t n = 0, length;
        Text *t;

        for (size_t i = 0; i < w->n; i++)
                if (w->watches[i].verdict == GOAL_FAILED) {
                        n++;
                        if (!first || (!first->reason && w->watches[i].reason))
                                first = &w->watches[i];
                }
        if (n > 1)
                (void) snprintf(more, sizeof(more), " (and %zu more)", n - 1);
        length = strlen(watch_name(first)); /* a note may begin with the name already */
        if (watch_is_about_reload(first))
                (void) snprintf(message, sizeof(message), "%s", watch_reason(first));
        else if (strncmp(watch_reason(first), watch_name(first), length) == 0 && watch_reason(first)[length] == ':')
                (void) snprintf(message, sizeof(message), "%s%s", watch_reason(first), more);
        else
                (void) snprintf(message, sizeof(message), "%s: %s%s", watch_name(first), watch_reason(first), more);
        t = call_fail_begin(w->call, ERROR_FAILED, message);
        if (watch_is_about_reload(first))
                put_reload(first, t);
        put_failed(w, t);
        call_fail_end(w->call, ERROR_FAILED);
}
