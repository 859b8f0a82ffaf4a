/* worker-report.c - a worker for others to see: its JSON, its note, the data of its events.
 *
 * What only changes with the state is kept as JSON text (`facts`) until the next change, so that `status` of a
 * thousand workers is mostly copying. CPU and memory are sampled when asked for (usage-round.h). */
#include "pool/bounds.h"
#include "pool/pool-internal.h"
#include "pool/pool-template.h"

#include "base/alloc.h"
#include <stdio.h>

/* ---- events ---- */

static const struct {
        bool has_event;
        EventKind kind;
} state_events[_WORKER_STATE_MAX] = {
        [WORKER_STARTING] = {true, EVENT_WORKER_STARTING}, [WORKER_RUNNING] = {true, EVENT_WORKER_RUNNING},
        [WORKER_STOPPING] = {true, EVENT_WORKER_STOPPING}, [WORKER_BACKOFF] = {true, EVENT_WORKER_BACKOFF},
        [WORKER_STOPPED] = {true, EVENT_WORKER_STOPPED},   [WORKER_EXITED] = {true, EVENT_WORKER_DONE},
        [WORKER_FAILED] = {true, EVENT_WORKER_FAILED},
};

static void put_exit(const Worker *w, Text *t) {
        char cause[KEEPER_TEXT_MAX];

        worker_describe_exit(w, cause, sizeof cause);
        json_put_i64(t, "exitcode", exit_status_exitcode(&w->exit));
        json_put_string(t, "cause", cause);
}

void worker_emit_state(Worker *w) {
        Text *t = &w->pool->set->scratch;

        if (!state_events[w->state].has_event)
                return;
        text_clear(t);
        json_put_object(t, NULL);
        if (w->pid > 0)
                json_put_i64(t, "pid", w->pid);
        if (w->state == WORKER_BACKOFF) {
                json_put_seconds(t, "delay", w->delay);
                json_put_u64(t, "failures", w->history.n_failures);
        }
        if (w->has_exit && (w->state == WORKER_EXITED || w->state == WORKER_FAILED))
                put_exit(w, t);
        json_end_object(t);
        worker_emit(w, state_events[w->state].kind, text_check(t) < 0 ? NULL : t->data, NULL);
}

void worker_emit_end(Worker *w) {
        Text *t = &w->pool->set->scratch;
        const ExitStatus *e = &w->exit;

        text_clear(t);
        json_put_object(t, NULL);
        if (e->is_failure_to_start) {
                json_put_string(t, "stage", launch_stage_to_string((LaunchStage) e->failure.stage));
                json_put_i64(t, "errno", e->failure.error);
        } else {
                json_put_i64(t, "pid", w->pid);
                json_put_seconds(t, "cpu", e->exit.cpu_usec);
                json_put_u64(t, "memory_max", e->exit.max_rss_bytes);
                json_put_u64(t, "stragglers", e->exit.stragglers);
                json_put_bool(t, "unkillable", e->exit.unkillable);
        }
        put_exit(w, t);
        json_end_object(t);
        worker_emit(w, e->is_failure_to_start ? EVENT_WORKER_START_FAILED : EVENT_WORKER_EXITED,
                    text_check(t) < 0 ? NULL : t->data, w->child);
}

/* ---- the note ---- */

typedef enum EndAge { END_AGE_NONE, END_AGE_SAID } EndAge;

/* "killed by SIGKILL", and on wish " 40s ago" */
static void describe_end(const Worker *w, EndAge age, char *buf, size_t size) {
        char cause[KEEPER_TEXT_MAX], span[SPAN_TEXT_MAX];
        usec_t ago = usec_sub(clock_realtime(), w->exit.at_usec);

        worker_describe_exit(w, cause, sizeof cause);
        if (age == END_AGE_NONE)
                (void) snprintf(buf, size, "%s", cause);
        else if (ago >= USEC_PER_SEC)
                (void) snprintf(buf, size, "%s %s ago", cause,
                                span_format(span, ago / USEC_PER_SEC * USEC_PER_SEC));
        else
                (void) snprintf(buf, size, "%s just now", cause);
}

/* What follows the end: nobody gives up what was to be started once only. */
static void append_outlook(const Worker *w, char *buf, size_t size) {
        usec_t left = usec_sub(w->due, clock_now());
        char span[SPAN_TEXT_MAX];
        size_t n = strlen(buf);

        if (w->state == WORKER_BACKOFF)
                (void) snprintf(
                        buf + n, size - n, ", next try in %s",
                        span_format(span, left > USEC_PER_SEC ? left / USEC_PER_SEC * USEC_PER_SEC : left));
        else if (w->state == WORKER_FAILED && w->pool->config->restart.policy != RESTART_NEVER_AGAIN)
                (void) snprintf(buf + n, size - n, ", given up");
}

static bool has_ended_by_itself(const Worker *w) {
        return w->has_exit &&
               (w->state == WORKER_BACKOFF || w->state == WORKER_EXITED || w->state == WORKER_FAILED);
}

const char *worker_reason(const Worker *w, char *buf, size_t size) {
        if (!has_ended_by_itself(w))
                return worker_note(w, buf, size);
        describe_end(w, END_AGE_NONE, buf, size);
        append_outlook(w, buf, size);
        return buf;
}

const char *worker_note(const Worker *w, char *buf, size_t size) {
        *buf = 0;
        if (has_ended_by_itself(w)) {
                describe_end(w, END_AGE_SAID, buf, size);
                append_outlook(w, buf, size);
        } else if (w->state == WORKER_STOPPING && w->n_kills > 0)
                (void) snprintf(buf, size, "did not end in time, killed");
        else if (w->state == WORKER_STOPPING && w->fault.kind != WORKER_FAULT_NONE)
                (void) snprintf(buf, size, "%s", faulty_text(&w->fault));
        else if (w->state == WORKER_RUNNING && w->is_closing)
                (void) snprintf(buf, size, "says it is stopping");
        else if (w->state == WORKER_RUNNING && w->is_reloading)
                (void) snprintf(buf, size, "says it is reloading");
        else if (w->is_paused || w->is_draining)
                (void) snprintf(buf, size, "%s", !w->is_paused ? "draining" : w->is_frozen ? "paused" : "pausing");
        else if (!health_note(w, buf, size) && !template_describe(w, buf, size))
                (void) order_describe(w, buf, size);
        return buf;
}

/* ---- JSON ---- */

void worker_facts_stale(Worker *w) {
        free(TAKE_PTR(w->facts));
        w->facts_length = 0;
}

static void put_pid(Text *t, const char *key, pid_t pid) {
        if (pid > 0)
                json_put_i64(t, key, pid);
        else
                json_put_null(t, key);
}

static void put_time(Text *t, const char *key, usec_t at) {
        char text[TIME_TEXT_MAX];

        json_put_string(t, key, at > 0 ? time_format(text, at) : NULL);
}

static void put_last_exit(const Worker *w, Text *t) {
        if (!w->has_exit) {
                json_put_null(t, "last_exit");
                return;
        }
        json_put_object(t, "last_exit");
        put_exit(w, t);
        put_time(t, "at", w->exit.at_usec);
        json_end_object(t);
}

static void put_task(const Worker *w, Text *t) {
        char id[KEEPER_NAME_MAX + 24];

        (void) snprintf(id, sizeof id, "%s-%llu", pool_name(w->pool), (unsigned long long) w->task);
        json_put_string(t, "task", w->task > 0 ? id : NULL);
}

static void put_exitcode(const Worker *w, Text *t) {
        bool is_up = w->child || w->state == WORKER_LAUNCHING;

        if (w->has_exit && !is_up)
                json_put_i64(t, "exitcode", exit_status_exitcode(&w->exit));
        else
                json_put_null(t, "exitcode");
}

static void worker_put_facts(const Worker *w, Text *t) {
        json_put_string(t, "name", w->name);
        json_put_string(t, "pool", pool_name(w->pool));
        json_put_u64(t, "slot", w->slot);
        put_pid(t, "pid", w->pid);
        if (w->elder.pid > 0)
                put_pid(t, "replaces", w->elder.pid);
        put_pid(t, "ppid", w->pid > 0 ? keeper_link_hello(w->pool->set->world.keeper)->hello.keeper_pid : 0);
        json_put_string(t, "state", worker_state_to_string(w->state));
        json_put_bool(t, "alive", w->pid > 0);
        json_put_bool(t, "ready", worker_is_ready(w));
        json_put_bool(t, "wanted", w->is_wanted);
        put_exitcode(w, t);
        json_put_bool(t, "daemon", w->pool->is_daemon);
        json_put_bool(t, "paused", w->is_paused);
        json_put_bool(t, "draining", w->is_draining);
        put_time(t, "started_at", w->started_at);
        json_put_u64(t, "restarts", w->history.n_restarts);
        put_last_exit(w, t);
        json_put_bool(t, "busy", w->is_busy);
        put_task(w, t);
        json_put_u64(t, "tasks_done", w->tasks_done);
}

/* The facts as text without braces; NULL when memory is short. */
static const char *worker_facts(Worker *w) {
        Text *t = &w->pool->set->scratch;

        if (w->facts)
                return w->facts;
        text_clear(t);
        json_put_object(t, NULL);
        worker_put_facts(w, t);
        if (text_check(t) < 0)
                return NULL;
        w->facts_length = t->length - 1;
        w->facts = alloc_strndup(t->data + 1, w->facts_length);
        return w->facts;
}

void worker_metrics(Worker *w, WorkerMetrics *ret) {
        usage_round_sample(w);
        *ret = (WorkerMetrics){
                .is_alive = w->pid > 0,
                .is_ready = worker_is_ready(w),
                .is_busy = w->is_busy,
                .has_exit = w->has_exit,
                .has_usage = w->pid > 0 && w->sampled_at > 0,
                .n_restarts = w->history.n_restarts,
                .exitcode = w->has_exit ? exit_status_exitcode(&w->exit) : 0,
                .n_tasks_done = w->tasks_done,
                .started_usec = w->started_at,
                .cpu_usec = w->cpu_usec,
                .memory_bytes = w->memory_bytes,
        };
}

static void put_usage(Worker *w, Text *t) {
        usage_round_sample(w);
        if (w->pid > 0 && w->sampled_at > 0) {
                json_put_seconds(t, "cpu", w->cpu_usec);
                json_put_u64(t, "memory", w->memory_bytes);
                json_put_seconds(t, "usage_age", usec_sub(clock_now(), w->sampled_at));
        } else {
                json_put_null(t, "cpu");
                json_put_null(t, "memory");
                json_put_null(t, "usage_age");
        }
}

/* What `status` has with detail: true. */
static void worker_put_detail(const Worker *w, Text *t) {
        const char *tail;
        Shortfall missing[SHORTFALLS_MAX];
        size_t n = bounds_shortfalls(w->pool->config, keeper_link_hello(w->pool->set->world.keeper), missing);

        worker_put_ends(w, t, "ends");
        tail = w->child ? w->pool->set->detail_tail(w, w->pool->set->detail_userdata) : NULL;
        if (tail)
                json_put_raw(t, "tail", tail);
        else if (!w->child)
                worker_put_last_lines(w, t, "tail");
        json_put_array(t, "promises");
        for (size_t i = 0; i < n; i++) {
                json_put_object(t, NULL);
                json_put_string(t, "name", missing[i].key);
                json_put_string(t, "mechanism", missing[i].mechanism);
                json_put_string(t, "state", missing[i].is_off ? "off" : "weakened");
                json_put_string(t, "why", missing[i].why);
                json_end_object(t);
        }
        json_end_array(t);
}

const PromiseFacts *pool_set_promises(const PoolSet *s) {
        return &s->promises;
}

void pool_set_show_detail(PoolSet *s, pool_detail_tail tail, void *userdata) {
        s->detail_tail = tail;
        s->detail_userdata = userdata;
}

void worker_put_json(Worker *w, Text *t, const char *key) {
        char note[KEEPER_TEXT_MAX + 128];

        json_put_object(t, key);
        if (worker_facts(w))
                text_append_n(t, w->facts, w->facts_length);
        else
                worker_put_facts(w, t);
        if (w->pid > 0)
                json_put_seconds(t, "uptime", usec_sub(clock_realtime(), w->started_at));
        else
                json_put_null(t, "uptime");
        put_usage(w, t);
        json_put_string(t, "status_text", w->status_text);
        json_put_string(t, "note", worker_note(w, note, sizeof note));
        if (w->pool->set->detail_tail)
                worker_put_detail(w, t);
        json_end_object(t);
}

void worker_put_brief(Worker *w, Text *t, const char *key) {
        json_put_object(t, key);
        json_put_string(t, "name", w->name);
        json_put_string(t, "state", worker_state_to_string(w->state));
        put_exitcode(w, t);
        json_end_object(t);
}
