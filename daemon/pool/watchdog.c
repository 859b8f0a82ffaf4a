/* watchdog.c - see watchdog.h.
 *
 * Off but in RUNNING. A ping only notes the time: the timer stands where it stood, and when it fires looks whether the
 * worker has been silent for so long, and if not goes to where that would be. So a worker costs one wake-up each span
 * and not one each ping, and the timers of many fall together (WATCHDOG_ACCURACY). After droverd's own death every
 * worker has a full span again: what it said in the gap waits in the notify socket. */
#include "pool/watchdog.h"
#include "pool/pool-internal.h"

#include "base/log.h"
#include "priority.h"
#include <stdio.h>

#define WATCHDOG_ACCURACY (250 * USEC_PER_MSEC)

usec_t watchdog_left(usec_t heard_at, usec_t span, usec_t now) {
        return usec_sub(usec_add(heard_at, span), now);
}

static usec_t wanted_span(const Worker *w) {
        usec_t span = w->watchdog.is_changed ? w->watchdog.changed : w->config ? w->config->watchdog : 0;

        return span > WATCHDOG_USEC_MAX ? 0 : span;
}

static int watchdog_dispatch(sd_event_source *source, uint64_t usec, void *userdata) {
        Worker *w = userdata;
        Watchdog *d = &w->watchdog;
        char span[SPAN_TEXT_MAX], text[SPAN_TEXT_MAX + 32];

        if (watchdog_left(d->heard_at, d->span, clock_now()) > 0) {
                (void) sd_event_source_set_time(source, usec_add(d->heard_at, d->span));
                (void) sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
                return 0;
        }
        (void) snprintf(text, sizeof text, "watchdog: silent for %s", span_format(span, d->span));
        worker_fault(w, WORKER_FAULT_WATCHDOG, text);
        return 0;
}

static void watchdog_stop(Watchdog *d) {
        d->timer = sd_event_source_disable_unref(d->timer);
        d->span = 0;
}

static void watchdog_start(Worker *w, usec_t span) {
        Watchdog *d = &w->watchdog;
        int r;

        d->span = span;
        d->heard_at = clock_now();
        r = sd_event_add_time(w->pool->set->world.event, &d->timer, CLOCK_MONOTONIC, usec_add(d->heard_at, span),
                              MAX(MIN(span / 16, WATCHDOG_ACCURACY), (usec_t) 1), watchdog_dispatch, w);
        if (r < 0)
                log_fields(LOG_WARNING, pool_name(w->pool), w->name, "%s: runs without its watchdog: %s", w->name,
                           strerrordesc_np(-r));
        else
                (void) sd_event_source_set_priority(d->timer, PRIORITY_DEADLINE);
}

void watchdog_follow(Worker *w) {
        Watchdog *d = &w->watchdog;
        usec_t span = w->state == WORKER_RUNNING && !w->is_unwatched ? wanted_span(w) : 0;

        if (d->span == span && (d->timer || span == 0))
                return;
        watchdog_stop(d);
        if (span > 0)
                watchdog_start(w, span);
}

void watchdog_ping(Worker *w) {
        w->watchdog.heard_at = clock_now();
}

void watchdog_trigger(Worker *w) {
        worker_fault(w, WORKER_FAULT_WATCHDOG, "watchdog: triggered by the worker itself");
}

void watchdog_change(Worker *w, usec_t span) {
        w->watchdog.is_changed = true;
        w->watchdog.changed = span;
        watchdog_stop(&w->watchdog);
        watchdog_follow(w);
        worker_mark_to_tell(w);
}
