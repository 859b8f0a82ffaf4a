/* pool-template-process.c - the life of one template: launched, ready, ended, and what follows from that. See pool-template.c. */
#include "pool/pool-template-internal.h"

#include "base/alloc.h"
#include "base/log.h"
#include "pool/bounds.h"
#include "pool/last-words.h"
#include <jansson.h>
#include <signal.h>
#include <stdio.h>

#define BACKOFF_FIRST (100 * USEC_PER_MSEC)
#define BACKOFF_MAX (30 * USEC_PER_SEC)
#define FAILURES_TOLD 3u /* so many deaths in a row without a fork: those who wait are told */
#define END_TIMEOUT (5 * USEC_PER_SEC)

const char *template_state_to_string(TemplateState s) {
        static const char *const names[_TEMPLATE_STATE_MAX] = {
                [TEMPLATE_RESTING] = "backoff", [TEMPLATE_STARTING] = "starting", [TEMPLATE_READY] = "running",
                [TEMPLATE_ENDING] = "stopping", [TEMPLATE_ENDED] = "backoff",
        };

        return (unsigned) s < ARRAY_SIZE(names) ? names[s] : NULL;
}

/* ---- launch ---- */

static int template_env(const Template *t, LaunchEnv *e) {
        const PoolSet *s = t->set;

        launch_env_add(e, "DROVER_NAME", t->name);
        if (t->owner)
                launch_env_add(e, "DROVER_POOL", t->owner);
        if (s->control_socket)
                launch_env_add(e, "DROVER_SOCKET", s->control_socket);
        launch_env_add(e, "DROVER_START_METHOD", t->config->start_method == START_FORK ? "fork" : "forkserver");
        launch_env_add(e, "DROVER_TEMPLATE_FD", "3");
        return launch_env_join(e, t->config);
}

/* Beside those of its workers. @owner: NULL for `run`. */
static int log_spec(const PoolSet *s, const PoolConfig *c, const char *owner, const char *name, LogSpec *ret) {
        LogSpec spec = {
                .kind = LOG_KIND_FILE,
                .max_files = c->output_max_files,
                .max_size = c->output_max_size,
        };
        int n;

        if (c->output == OUTPUT_INHERIT || c->output == OUTPUT_NULL || c->output == OUTPUT_JOURNAL)
                spec.kind = c->output == OUTPUT_INHERIT ? LOG_KIND_INHERIT : c->output == OUTPUT_NULL ? LOG_KIND_NONE : LOG_KIND_JOURNAL;
        (void) snprintf(spec.worker, sizeof spec.worker, "%s/template", owner ? owner : "run");
        if (owner)
                n = snprintf(spec.path, sizeof spec.path, "%s/%s/template", s->log_dir, owner);
        else
                n = snprintf(spec.path, sizeof spec.path, "%s/run/template%s", s->log_dir, name);
        if (n < 0 || (size_t) n >= sizeof spec.path)
                return -ENAMETOOLONG;
        *ret = spec;
        return 0;
}

static int template_log(const Template *t, LogSpec *ret) {
        return log_spec(t->set, t->config, t->owner, t->name, ret);
}

int template_log_spec(const Pool *p, LogSpec *ret) {
        return p->origin == POOL_FROM_RUN || !config_uses_template(p->config) ? -ENOENT
                                                                              : log_spec(p->set, p->config, pool_name(p), NULL, ret);
}

static int ask_keeper(Template *t) {
        PoolConfig *c = t->config;
        _cleanup_(launch_env_done) LaunchEnv env = {0};
        _cleanup_(strv_freep) char **candidates = NULL;
        _cleanup_(bounds_paths_done) BoundsPaths bounds = {0};
        PoolSet *s = t->set;
        LaunchLimit limits[RLIM_NLIMITS];
        LaunchSpec spec;
        LogSpec log;
        int r;

        launch_spec_fill(c, NULL, &spec);
        r = template_env(t, &env);
        if (r >= 0)
                r = launch_spec_program(c, &env, limits, &candidates, &spec);
        if (r >= 0)
                r = template_log(t, &log);
        if (r < 0)
                return r;
        spec.ready_fd = -1;
        spec.template_fd = TEMPLATE_DESCRIPTOR;
        r = bounds_fill(&spec, c, keeper_link_hello(s->world.keeper), s->notify_socket, &bounds);
        if (r < 0)
                return r;
        return child_launch(&t->child, s->world.keeper, t->name, &spec, NULL, &log, &template_child_hooks, t);
}

static void tell_pool(Template *t) {
        Pool *p = t->owner ? pool_find(t->set, t->owner) : NULL;

        if (p) {
                rolling_mark(p);
                for (size_t i = 0; i < p->n_workers; i++)
                        worker_facts_stale(p->workers[i]);
        }
        template_note(t);
}

static void wake_waiting(Template *t) {
        for (size_t i = 0; i < t->set->n_pools; i++) {
                Pool *p = t->set->pools[i];

                for (size_t j = 0; j < p->n_workers; j++)
                        if (!p->workers[j]->child && template_serves(t, p->workers[j]))
                                worker_mark_changed(p->workers[j]);
        }
}

/* What it says of itself goes with the failure of everyone who waits. */
void template_fail_waiting(Template *t) {
        ExitStatus e = {.is_failure_to_start = true, .failure = {.stage = LAUNCH_TEMPLATE}, .at_usec = clock_realtime()};

        e.failure.detail = t->has_exit && !t->exit.is_failure_to_start ? MAX(exit_status_exitcode(&t->exit), 0) : 0;
        for (size_t i = t->set->n_pools; i > 0; i--) {
                Pool *p = t->set->pools[i - 1];

                for (size_t j = 0; j < p->n_workers; j++)
                        if (!p->workers[j]->child && template_serves(t, p->workers[j]))
                                worker_refuse(p->workers[j], &e.failure, t->fault);
        }
}

usec_t template_backoff(const Template *t) {
        usec_t span = BACKOFF_FIRST;

        for (unsigned i = 1; i < t->n_failures && span < BACKOFF_MAX; i++)
                span *= 2;
        return t->n_failures == 0 ? 0 : MIN(span, BACKOFF_MAX);
}

/* It has no process any more. */
static void rest(Template *t) {
        usec_t now = clock_now();

        t->state = TEMPLATE_RESTING;
        t->pid = 0;
        template_spares_drop(t);
        t->gone = t->child;
        t->child = NULL;
        template_arm(t, usec_add(now, template_backoff(t)));
        tell_pool(t);
        if (t->is_unwanted || t->n_failures == 0) {
                t->is_unwanted = false;
                return;
        }
        if (t->fault) {
                log_fields(LOG_ERR, t->owner, t->name, "%s: %s", t->owner ? t->owner : "run", t->fault);
                template_fail_waiting(t);
        }
}

void template_launch(Template *t) {
        char text[KEEPER_TEXT_MAX];
        int r = ask_keeper(t);

        if (r >= 0) {
                t->state = TEMPLATE_STARTING;
                t->n_forks = 0;
                t->cannot_spare = false;
                t->has_exit = t->is_drained = false;
                free(TAKE_PTR(t->fault));
                template_arm(t, usec_add(clock_now(), t->config->ready_timeout > 0 ? t->config->ready_timeout : TEMPLATE_LINGER));
                return;
        }
        (void) snprintf(text, sizeof text, "its template cannot be launched: %s", strerrordesc_np(-r));
        free(t->fault);
        t->fault = alloc_strdup(text);
        t->n_failures++;
        rest(t);
}

void template_lose(Template *t) {
        if (t->state != TEMPLATE_READY)
                return;
        t->state = TEMPLATE_ENDING;
        (void) child_signal(t->child, SIGTERM, false, true);
        template_arm(t, usec_add(clock_now(), END_TIMEOUT));
        tell_pool(t);
}

void template_end(Template *t) {
        t->is_unwanted = true;
        t->state = TEMPLATE_ENDING;
        (void) child_signal(t->child, SIGTERM, false, true);
        template_arm(t, usec_add(clock_now(), END_TIMEOUT));
        tell_pool(t);
}

/* ---- what its process says ---- */

static void on_started(Child *c, void *userdata) {
        Template *t = userdata;

        t->pid = child_pid(c);
        t->started_at = child_started_usec(c);
        if (t->state == TEMPLATE_ENDING) /* the signal was for nobody yet */
                (void) child_signal(c, SIGTERM, false, true);
        tell_pool(t);
}

static void on_ready(Child *c, void *userdata) {
        Template *t = userdata;

        if (c != t->child || t->state != TEMPLATE_STARTING)
                return;
        t->state = TEMPLATE_READY;
        t->used_at = clock_now();
        free(TAKE_PTR(t->fault));
        template_arm(t, USEC_INFINITY);
        wake_waiting(t);
        tell_pool(t);
}

static void set_fault(Template *t, const char *line) {
        char cause[KEEPER_TEXT_MAX], text[2 * KEEPER_TEXT_MAX];
        LaunchSpec spec;

        launch_spec_fill(t->config, NULL, &spec);
        exit_status_describe(&t->exit, &spec, cause, sizeof cause);
        (void) snprintf(text, sizeof text, "%s%s%s%s", t->exit.is_failure_to_start ? "its template: " : "its template ", cause,
                        line ? ": " : "", line ? line : "");
        free(t->fault);
        t->fault = alloc_strdup(text);
}

static void on_words(LastWords *l, const char *json, void *userdata) {
        Template *t = userdata;
        json_t *lines = json ? json_loads(json, 0, NULL) : NULL;

        set_fault(t, json_string_value(json_array_get(lines, json_array_size(lines) - 1)));
        json_decref(lines);
        t->words = last_words_free(l);
        rest(t);
}

static void ask_last_words(Template *t) {
        PoolSet *s = t->set;
        LogSpec log;

        if (t->exit.is_failure_to_start || template_log(t, &log) < 0 ||
            last_words_ask(&t->words, s->world.logger, s->world.event, &log, t->started_at, on_words, t) < 0) {
                set_fault(t, NULL);
                rest(t);
        }
}

static void log_end(const Template *t, bool was_ready) {
        char cause[KEEPER_TEXT_MAX];

        if (t->is_unwanted || !was_ready || t->set->is_stopping)
                return;
        exit_status_describe(&t->exit, NULL, cause, sizeof cause);
        log_fields(LOG_NOTICE, t->owner, t->name, "%s: its template %s; its workers are not touched", t->owner ? t->owner : "run", cause);
}

void template_put_on_record(const Template *t) {
        Pool *p = t->owner ? pool_find(t->set, t->owner) : NULL;

        if (p)
                pool_changed(p, false);
}

static void on_end(Child *c, const ExitStatus *e, void *userdata) {
        Template *t = userdata;
        bool was_ready = t->state == TEMPLATE_READY || (t->state == TEMPLATE_ENDING && !t->is_unwanted);
        bool is_killed = !e->is_failure_to_start && e->exit.code != CLD_EXITED; /* by whom is not known: it is tried again */

        if (c != t->child)
                return;
        t->exit = *e;
        t->has_exit = true;
        t->pid = 0;
        t->n_restarts += !t->is_unwanted;
        t->n_failures = t->is_unwanted || t->n_forks > 0 ? 0 : t->n_failures + 1;
        template_arm(t, USEC_INFINITY);
        log_end(t, was_ready);
        template_put_on_record(t);
        if (!t->config || t->is_unwanted || ((was_ready || is_killed) && t->n_failures < FAILURES_TOLD && !t->fault)) {
                rest(t);
                return;
        }
        if (t->fault) { /* said already: it was not in time */
                rest(t);
                return;
        }
        t->state = TEMPLATE_ENDED; /* on_drained goes on */
}

static void on_drained(Child *c, void *userdata) {
        Template *t = userdata;

        if (c == t->child && t->state == TEMPLATE_ENDED && !t->words)
                ask_last_words(t);
}

const ChildHooks template_child_hooks = {
        .on_started = on_started,
        .on_ready = on_ready,
        .on_end = on_end,
        .on_drained = on_drained,
};
