/* errand.c - see errand.h.
 *
 *   WAITING -> RUNNING -> ENDED -> drained, freed by the converge step
 *
 * A waiting one stands in the set's `errands_waiting`, all others in its `errands`. The verdict is given once: at the
 * end, when the time is up, or when it cannot be launched. */
#include "pool/errand.h"
#include "pool/pool-internal.h"

#include "base/alloc.h"
#include "priority.h"
#include <stdio.h>
#include <utlist.h>

#define ERRAND_TIMER_ACCURACY (10 * USEC_PER_MSEC)

struct Errand {
        PoolSet *set;
        Worker *worker; /* WAITING: for whom */
        ErrandKind kind;
        char **command; /* WAITING: borrowed */
        char *program;  /* command[0], for the sentence */
        usec_t timeout;
        ErrandDone done; /* NULL: said, or nobody waits */
        void *userdata;
        Child *child;
        bool is_ended;
        sd_event_source *timer;
        Errand *prev, *next;
};

static Errand *errand_free(Errand *e) {
        sd_event_source_disable_unref(e->timer);
        child_free(e->child);
        free(e->program);
        free(e);
        return NULL;
}

const char *errand_kind_to_string(ErrandKind k) {
        static const char *const names[] = {[ERRAND_CHECK] = "check", [ERRAND_STOP] = "stop", [ERRAND_STOP_ELDER] = "stop-old"};

        return (unsigned) k < ARRAY_SIZE(names) ? names[k] : NULL;
}

bool errand_is_name(const char *name) {
        return strchr(name, '!') != NULL; /* no pool's name has one */
}

static void errand_say(Errand *e, const char *sentence) {
        ErrandDone done = e->done;

        e->done = NULL;
        if (done)
                done(sentence, e->userdata);
}

int errand_start(Errand **ret, Worker *w, ErrandKind kind, char **command, usec_t timeout, ErrandDone done, void *userdata) {
        Errand *e = NEW0(Errand);

        if (!e)
                return -ENOMEM;
        *e = (Errand){.set = w->pool->set, .worker = w, .kind = kind, .command = command, .timeout = timeout, .done = done,
                      .userdata = userdata, .program = alloc_strdup(command[0])};
        if (!e->program) {
                errand_free(e);
                return -ENOMEM;
        }
        DL_APPEND(e->set->errands_waiting, e);
        e->set->has_errand_work = true;
        *ret = e;
        return 0;
}

Errand *errand_drop(Errand *e) {
        if (!e)
                return NULL;
        e->done = NULL;
        if (!e->child) {
                DL_DELETE(e->set->errands_waiting, e);
                return errand_free(e);
        }
        if (!e->is_ended)
                (void) child_kill_tree(e->child);
        return NULL;
}

/* ---- what the child says ---- */

static int errand_dispatch_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        Errand *e = userdata;
        char sentence[ERRAND_SENTENCE_MAX], span[SPAN_TEXT_MAX];

        e->timer = sd_event_source_disable_unref(e->timer);
        (void) child_kill_tree(e->child);
        (void) snprintf(sentence, sizeof sentence, "%s had not ended after %s", e->program, span_format(span, e->timeout));
        errand_say(e, sentence);
        return 0;
}

static void errand_on_started(Child *c, void *userdata) {
}

static void errand_on_ready(Child *c, void *userdata) {
}

static void errand_on_end(Child *c, const ExitStatus *status, void *userdata) {
        Errand *e = userdata;
        char sentence[ERRAND_SENTENCE_MAX], cause[KEEPER_TEXT_MAX];

        e->timer = sd_event_source_disable_unref(e->timer);
        e->is_ended = true;
        e->set->n_checks -= e->kind == ERRAND_CHECK;
        e->set->has_errand_work = true; /* somebody's turn */
        exit_status_describe(status, NULL, cause, sizeof cause);
        (void) snprintf(sentence, sizeof sentence, "%s%s %s", e->program, status->is_failure_to_start ? ":" : "", cause);
        errand_say(e, exit_status_exitcode(status) == 0 ? NULL : sentence);
}

static void errand_on_drained(Child *c, void *userdata) {
        ((Errand *) userdata)->set->has_errand_work = true;
}

static const ChildHooks errand_hooks = {
        .on_started = errand_on_started,
        .on_ready = errand_on_ready,
        .on_end = errand_on_end,
        .on_drained = errand_on_drained,
};

/* ---- the converge step ---- */

static void errand_arm(Errand *e) {
        if (e->timeout == USEC_INFINITY)
                return;
        if (sd_event_add_time(e->set->world.event, &e->timer, CLOCK_MONOTONIC, usec_add(clock_now(), e->timeout),
                              ERRAND_TIMER_ACCURACY, errand_dispatch_timer, e) >= 0)
                (void) sd_event_source_set_priority(e->timer, PRIORITY_DEADLINE);
        else
                (void) child_kill_tree(e->child); /* what nobody could end must not begin */
}

static void errand_launch(Errand *e) {
        char sentence[ERRAND_SENTENCE_MAX];
        int r = worker_launch_errand(&e->child, e->worker, e->kind, e->command, &errand_hooks, e);

        e->command = NULL;
        e->worker = NULL;
        if (r < 0) {
                (void) snprintf(sentence, sizeof sentence, "%s cannot be started: %s", e->program, strerrordesc_np(-r));
                errand_say(e, sentence);
                errand_free(e);
                return;
        }
        DL_APPEND(e->set->errands, e);
        e->set->n_checks += e->kind == ERRAND_CHECK;
        errand_arm(e);
}

static void launch_waiting(PoolSet *s) {
        Errand *e, *next;

        DL_FOREACH_SAFE(s->errands_waiting, e, next) {
                if (e->kind == ERRAND_CHECK && s->n_checks >= ERRAND_CHECKS_MAX)
                        continue;
                DL_DELETE(s->errands_waiting, e);
                errand_launch(e);
        }
}

static void free_ended(PoolSet *s) {
        Errand *e, *next;

        DL_FOREACH_SAFE(s->errands, e, next) {
                if (!e->is_ended || !child_is_drained(e->child))
                        continue;
                DL_DELETE(s->errands, e);
                errand_free(e);
        }
}

void errand_set_converge(PoolSet *s) {
        if (!s->has_errand_work)
                return;
        s->has_errand_work = false;
        free_ended(s);
        launch_waiting(s);
}

void errand_set_done(PoolSet *s) {
        Errand *e, *next;

        DL_FOREACH_SAFE(s->errands, e, next) {
                DL_DELETE(s->errands, e);
                errand_free(e);
        }
}
