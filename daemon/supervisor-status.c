/* supervisor-status.c - what systemd is told, through the keeper: READY, RELOADING, STOPPING, STATUS; and the proof of
 * life for the keeper's watchdog.
 *
 * STATUS= follows the pools at most once a second: the first change arms a timer, which tells what is so by then.
 * Without changes no timer runs. */
#include "base/alloc.h"
#include "base/log.h"
#include "priority.h"
#include "supervisor-internal.h"
#include <time.h>

#define STATUS_DELAY USEC_PER_SEC
#define PING_ACCURACY USEC_PER_SEC

static char *status_text(Supervisor *s) {
        unsigned n_pools = 0, n_runs = 0, n_ready = 0, n_wanted = 0;

        for (Pool *p = pool_first(s->pools); p; p = pool_next(p)) {
                if (pool_is_run(p) && pool_n_wanted(p) == 0)
                        continue; /* ended, only remembered */
                n_pools += !pool_is_run(p);
                n_runs += pool_is_run(p);
                n_ready += pool_n_ready(p);
                n_wanted += pool_n_wanted(p);
        }
        if (s->is_stopping)
                return alloc_printf("stopping, %zu processes left", pool_set_n_alive(s->pools));
        if (n_runs > 0)
                return alloc_printf("%u pools and %u single processes, %u of %u workers ready", n_pools, n_runs,
                                    n_ready, n_wanted);
        return alloc_printf("%u pools, %u of %u workers ready", n_pools, n_ready, n_wanted);
}

/* Tell @prefix ("READY=1\n" or "") and the status. Nothing when neither is new. */
static void status_tell(Supervisor *s, const char *prefix) {
        _cleanup_free_ char *status = status_text(s), *message = NULL;
        bool is_same = status && s->status && streq(status, s->status);
        int r;

        if (!status || (is_same && !prefix[0]))
                return;
        message = alloc_printf("%sSTATUS=%s", prefix, status);
        r = message ? keeper_link_notify(s->keeper, message) : -ENOMEM;
        if (r < 0) {
                log_debug("cannot tell the status: %s", strerrordesc_np(-r));
                return;
        }
        free(s->status);
        s->status = TAKE_PTR(status);
}

void status_ready(Supervisor *s) {
        status_tell(s, "READY=1\n");
}

void status_reloading(Supervisor *s) {
        _cleanup_free_ char *prefix =
                alloc_printf("RELOADING=1\nMONOTONIC_USEC=%llu\n", (unsigned long long) clock_now());

        status_tell(s, prefix ? prefix : "RELOADING=1\n");
}

void status_stopping(Supervisor *s) {
        status_tell(s, "STOPPING=1\n");
}

static int status_dispatch(sd_event_source *source, uint64_t usec, void *userdata) {
        status_tell(userdata, "");
        return 0;
}

void status_changed(Supervisor *s) {
        int enabled;

        if (!s->status_timer || sd_event_source_get_enabled(s->status_timer, &enabled) < 0 || enabled != SD_EVENT_OFF)
                return;
        if (sd_event_source_set_time_relative(s->status_timer, STATUS_DELAY) >= 0)
                (void) sd_event_source_set_enabled(s->status_timer, SD_EVENT_ONESHOT);
}

static int ping_dispatch(sd_event_source *source, uint64_t usec, void *userdata) {
        Supervisor *s = userdata;

        (void) keeper_link_ping(s->keeper);
        (void) sd_event_source_set_time_relative(source, keeper_link_hello(s->keeper)->hello.ping_usec);
        (void) sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
        return 0;
}

static int ping_start(Supervisor *s) {
        usec_t period = keeper_link_hello(s->keeper)->hello.ping_usec;
        int r;

        if (period == 0)
                return 0;
        r = sd_event_add_time_relative(s->event, &s->ping, CLOCK_MONOTONIC, 0, MIN(PING_ACCURACY, period / 4),
                                       ping_dispatch, s);
        return r < 0 ? r : sd_event_source_set_priority(s->ping, PRIORITY_WATCHDOG);
}

int status_start(Supervisor *s) {
        int r = sd_event_add_time_relative(s->event, &s->status_timer, CLOCK_MONOTONIC, STATUS_DELAY, 0,
                                           status_dispatch, s);

        if (r >= 0)
                r = sd_event_source_set_priority(s->status_timer, PRIORITY_TIMER);
        if (r >= 0)
                r = sd_event_source_set_enabled(s->status_timer, SD_EVENT_OFF);
        return r < 0 ? r : ping_start(s);
}
