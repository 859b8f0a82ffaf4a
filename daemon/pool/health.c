/* health.c - see health.h.
 *
 * Two uses of one object:
 *   readiness  STARTING, with `ready` by probe: at once, then each interval after a failed try, until the answer is
 *              yes (READY) or the state's own timeout comes
 *   health     RUNNING, with `health`: from ready + grace on; `threshold` failures in a row are a fault
 * One try at a time; the next interval begins when a try is over. A periodic timer exists only here, and only for
 * workers whose pool asks for it. Counters are not kept over droverd's own death. */
#include "pool/health.h"
#include "pool/pool-internal.h"
#include "pool/probe.h"

#include "base/alloc.h"
#include "base/log.h"
#include "priority.h"
#include <stdio.h>

#define HEALTH_JITTER 0.1
#define HEALTH_ACCURACY_MAX (100 * USEC_PER_MSEC)

struct Health {
        Worker *worker;
        PoolConfig *config; /* counted: lends the probe's configuration */
        bool is_readiness;
        sd_event_source *timer;
        Probe *probe;
        unsigned n_failures; /* in a row */
        char word[HEALTH_WORD_MAX]; /* of the last failure */
};

usec_t health_next_check(usec_t interval, usec_t grace, bool is_first, uint64_t random) {
        double unit = (double) (random >> 11) / 9007199254740992.0; /* 53 bits, 0 <= unit < 1 */

        if (is_first)
                return usec_add(grace, usec_mul(interval, unit));
        return usec_mul(interval, 1.0 + HEALTH_JITTER * (2.0 * unit - 1.0));
}

static const ProbeConfig *probe_config(const Health *h) {
        return h->is_readiness ? &h->config->ready_probe : &h->config->health.probe;
}

static void health_ask(Health *h);

static int health_dispatch(sd_event_source *source, uint64_t usec, void *userdata) {
        health_ask(userdata);
        return 0;
}

static void health_arm(Health *h, usec_t span) {
        usec_t accuracy = MAX(MIN(probe_config(h)->interval / 10, HEALTH_ACCURACY_MAX), (usec_t) 1);
        int r;

        h->timer = sd_event_source_disable_unref(h->timer);
        r = sd_event_add_time(h->worker->pool->set->world.event, &h->timer, CLOCK_MONOTONIC,
                              usec_add(clock_now(), span), accuracy, health_dispatch, h);
        if (r >= 0)
                (void) sd_event_source_set_priority(h->timer, PRIORITY_DEADLINE);
        else
                log_fields(LOG_WARNING, pool_name(h->worker->pool), h->worker->name,
                           "%s: is not probed any more: %s", h->worker->name, strerrordesc_np(-r));
}

static void health_arm_next(Health *h, bool is_first) {
        usec_t interval = probe_config(h)->interval;
        uint64_t random = pool_set_random(h->worker->pool->set);

        if (h->is_readiness)
                health_arm(h, is_first ? 0 : interval);
        else
                health_arm(h, health_next_check(interval, h->config->health.grace, is_first, random));
}

/* ---- the answer ---- */

/* Both may free @h: the worker is in another state afterwards. */
static void health_yes(Health *h) {
        Worker *w = h->worker;

        if (h->is_readiness) {
                worker_handle(w, WORKER_ON_READY);
                return;
        }
        if (h->n_failures > 0)
                log_fields(LOG_INFO, pool_name(w->pool), w->name, "%s: its health check succeeds again", w->name);
        h->n_failures = 0;
        health_arm_next(h, false);
}

static void health_no(Health *h, const char *sentence) {
        Worker *w = h->worker;
        char text[HEALTH_WORD_MAX + 64];

        (void) snprintf(h->word, sizeof h->word, "%s", sentence);
        h->n_failures++;
        if (h->is_readiness || h->n_failures < h->config->health.threshold) {
                health_arm_next(h, false);
                return;
        }
        (void) snprintf(text, sizeof text, "health check failed: %s", h->word);
        worker_fault(w, WORKER_FAULT_HEALTH, text);
}

static void health_done(const char *sentence, void *userdata) {
        Health *h = userdata;

        h->probe = probe_free(h->probe);
        if (sentence)
                health_no(h, sentence);
        else
                health_yes(h);
}

static void health_ask(Health *h) {
        int r;

        h->timer = sd_event_source_disable_unref(h->timer);
        r = probe_start(&h->probe, probe_config(h), h->worker->pool->set->world.event, h->worker, health_done, h);
        if (r < 0) /* ours, not the worker's fault */
                health_arm_next(h, false);
}

/* ---- following ---- */

Health *health_free(Health *h) {
        if (!h)
                return NULL;
        sd_event_source_disable_unref(h->timer);
        probe_free(h->probe);
        pool_config_unref(h->config);
        free(h);
        return NULL;
}

static bool wants_readiness(const Worker *w) {
        return w->state == WORKER_STARTING && w->config && w->config->ready == READY_PROBE;
}

static bool wants_health(const Worker *w) {
        return w->state == WORKER_RUNNING && w->config && worker_live_config(w)->health.probe.kind != PROBE_NONE &&
               !w->is_unwatched && !w->pool->set->is_stopping;
}

void health_follow(Worker *w) {
        bool is_readiness = wants_readiness(w), is_wanted = is_readiness || wants_health(w);
        const PoolConfig *config = is_readiness ? w->config : worker_live_config(w);
        Health *h = w->health;

        if (h && is_wanted && h->is_readiness == is_readiness && h->config == config)
                return;
        w->health = health_free(h);
        if (!is_wanted)
                return;
        h = NEW0(Health);
        if (!h) {
                log_fields(LOG_WARNING, pool_name(w->pool), w->name, "%s: is not probed: out of memory", w->name);
                return;
        }
        h->worker = w;
        h->config = pool_config_ref((PoolConfig *) config);
        h->is_readiness = is_readiness;
        w->health = h;
        health_arm_next(h, true);
}

void worker_set_unwatched(Worker *w, bool is_unwatched) {
        w->is_unwatched = is_unwatched;
        health_follow(w);
        watchdog_follow(w);
}

/* ---- for people ---- */

const char *health_last_word(const Worker *w) {
        return w->health && w->health->n_failures > 0 ? w->health->word : NULL;
}

bool health_note(const Worker *w, char *buf, size_t size) {
        const Health *h = w->health;

        if (!h || h->n_failures == 0)
                return false;
        if (h->is_readiness)
                (void) snprintf(buf, size, "not ready yet: %s", h->word);
        else
                (void) snprintf(buf, size, "health check failed (%u of %u): %s", h->n_failures, h->config->health.threshold,
                                h->word);
        return true;
}
