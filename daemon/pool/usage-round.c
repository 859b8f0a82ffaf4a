/* usage-round.c - samples within a budget, and the rest of them in the turns that follow. */
#include "pool/usage-round.h"

#include "pool/pool-internal.h"
#include "pool/proc-usage.h"
#include "priority.h"

static bool may_sample(PoolSet *s, usec_t now) {
        UsageRound *u = &s->usage;
        usec_t turn = 0;

        if (sd_event_now(s->world.event, CLOCK_MONOTONIC, &turn) < 0)
                return false;
        if (turn != u->turn) {
                u->turn = turn;
                u->left = USAGE_ROUND_MAX;
                u->until = usec_add(now, USAGE_ROUND_USEC);
        }
        if (u->left == 0 || now > u->until)
                return false;
        u->left--;
        return true;
}

static bool is_stale(const Worker *w, usec_t now) {
        return w->pid > 0 && (w->sampled_at == 0 || usec_sub(now, w->sampled_at) >= USAGE_AGE_MAX);
}

/* false: the budget of this turn is used up. A process that cannot be read is about to be reaped. */
static bool sample(Worker *w, usec_t now) {
        ProcUsage usage;

        if (!may_sample(w->pool->set, now))
                return false;
        if (proc_usage_read(w->pid, &usage) >= 0) {
                w->cpu_usec = usage.cpu_usec;
                w->memory_bytes = usage.memory_bytes;
                w->sampled_at = now;
        }
        return true;
}

/* All that are stale, from the first on: those of earlier turns are fresh and passed over. */
static int on_rest(sd_event_source *source, void *userdata) {
        PoolSet *s = userdata;

        for (size_t i = 0; i < s->n_pools; i++)
                for (size_t k = 0; k < s->pools[i]->n_workers; k++) {
                        Worker *w = s->pools[i]->workers[k];
                        usec_t now = clock_now();
                        if (is_stale(w, now) && !sample(w, now)) {
                                (void) sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
                                return 0;
                        }
                }
        return 0;
}

/* Without the source the rest waits for the next question. */
static void sample_rest(PoolSet *s) {
        UsageRound *u = &s->usage;

        if (!u->rest) {
                if (sd_event_add_defer(s->world.event, &u->rest, on_rest, s) < 0)
                        return;
                (void) sd_event_source_set_priority(u->rest, PRIORITY_USAGE);
        }
        (void) sd_event_source_set_enabled(u->rest, SD_EVENT_ONESHOT);
}

void usage_round_sample(Worker *w) {
        usec_t now = clock_now();

        if (is_stale(w, now) && !sample(w, now))
                sample_rest(w->pool->set);
}

void usage_round_done(UsageRound *u) {
        u->rest = sd_event_source_disable_unref(u->rest);
}
