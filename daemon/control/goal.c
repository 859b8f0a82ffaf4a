/* goal.c - the rules of goal.h, one small function a goal, so that each can be read by itself. */
#include "control/goal.h"

const char *goal_to_string(Goal g) {
        static const char *const names[_GOAL_MAX] = {
                [GOAL_STARTED] = "running",    [GOAL_RESTARTED] = "restarted", [GOAL_STOPPED] = "stopped",
                [GOAL_LAUNCHED] = "launched",  [GOAL_EXITED] = "ended",        [GOAL_READY] = "ready",
                [GOAL_RUN_OVER] = "ended",
                [GOAL_IDLE] = "idle",
                [GOAL_AT_REST] = "stopped",    [GOAL_GONE] = "gone",           [GOAL_NONE] = "there",
                [GOAL_RELOADED] = "replaced",  [GOAL_SETTLED] = "replaced",
                [GOAL_PAUSED] = "paused",      [GOAL_RESUMED] = "resumed",
        };

        return names[g];
}

GoalBaseline goal_baseline(const Worker *w) {
        const ExitStatus *e = worker_last_exit(w);

        return (GoalBaseline){.was_alive = worker_is_alive(w), .exit_at = e ? e->at_usec : 0,
                              .n_reloads = pool_n_reloads(worker_pool(w)),
                              .was_reloading = pool_is_reloading(worker_pool(w))};
}

GoalFacts goal_facts(const Worker *w, const GoalBaseline *b, bool has_changed) {
        const ExitStatus *e = worker_last_exit(w);

        return (GoalFacts){
                .state = worker_state(w),
                .is_alive = worker_is_alive(w),
                .is_settled = worker_is_settled(w),
                .is_wanted = worker_is_wanted(w),
                .is_busy = worker_is_busy(w),
                .is_freezing = worker_is_freezing(w),
                .has_pause_failed = worker_pause_error(w) < 0,
                .is_restart_due = worker_is_restart_due(w),
                .is_reloading = pool_is_reloading(worker_pool(w)),
                .reload = pool_reload_outcome(worker_pool(w)),
                .has_changed = has_changed,
                .has_new_end = e && e->at_usec != b->exit_at,
                .has_failed_to_start = e && e->is_failure_to_start,
        };
}

static bool is_over(const GoalFacts *f) {
        return f->state == WORKER_STOPPED || f->state == WORKER_EXITED || f->state == WORKER_FAILED;
}

static GoalVerdict check_started(const GoalFacts *f, const GoalBaseline *b) {
        if (f->state == WORKER_RUNNING)
                return f->is_restart_due ? GOAL_PENDING : GOAL_MET;
        if (f->state == WORKER_STOPPED || f->state == WORKER_CREATED) /* wanted: on its way through a restart */
                return f->is_wanted || !f->has_changed ? GOAL_PENDING : GOAL_FAILED;
        if (f->state == WORKER_BACKOFF || is_over(f))
                return f->has_changed ? GOAL_FAILED : GOAL_PENDING;
        return GOAL_PENDING;
}

static GoalVerdict check_restarted(const GoalFacts *f, const GoalBaseline *b) {
        if (b->was_alive && !f->has_new_end)
                return GOAL_PENDING;
        return check_started(f, b);
}

static GoalVerdict check_stopped(const GoalFacts *f, const GoalBaseline *b) {
        if ((is_over(f) || f->state == WORKER_CREATED) && f->is_settled)
                return GOAL_MET;
        if (f->is_wanted && f->has_changed) /* somebody else started it again: the process meant is gone, or spared */
                return f->has_new_end ? GOAL_MET : GOAL_FAILED;
        return GOAL_PENDING;
}

static GoalVerdict check_launched(const GoalFacts *f, const GoalBaseline *b) {
        if (f->is_alive)
                return GOAL_MET;
        if (f->has_new_end)
                return f->has_failed_to_start ? GOAL_FAILED : GOAL_MET;
        return is_over(f) ? GOAL_FAILED : GOAL_PENDING;
}

static GoalVerdict check_exited(const GoalFacts *f, const GoalBaseline *b) {
        if (is_over(f))
                return f->is_settled ? GOAL_MET : GOAL_PENDING;
        if (f->has_new_end && (f->is_settled || f->is_alive))
                return GOAL_MET;
        return f->state == WORKER_CREATED && !f->is_wanted ? GOAL_FAILED : GOAL_PENDING;
}

static GoalVerdict check_run_over(const GoalFacts *f, const GoalBaseline *b) {
        return check_launched(f, b) == GOAL_FAILED ? GOAL_FAILED : check_exited(f, b);
}

static GoalVerdict check_ready(const GoalFacts *f, const GoalBaseline *b) {
        if (f->state == WORKER_RUNNING)
                return f->is_restart_due ? GOAL_PENDING : GOAL_MET;
        if (f->state == WORKER_EXITED || f->state == WORKER_FAILED)
                return GOAL_FAILED;
        if (f->state == WORKER_STOPPED || f->state == WORKER_CREATED)
                return f->is_wanted ? GOAL_PENDING : GOAL_FAILED;
        return GOAL_PENDING;
}

static GoalVerdict check_idle(const GoalFacts *f, const GoalBaseline *b) {
        if (f->state == WORKER_RUNNING)
                return f->is_busy || f->is_restart_due ? GOAL_PENDING : GOAL_MET;
        if (is_over(f) || f->state == WORKER_CREATED)
                return f->is_settled && !(f->is_wanted && (f->state == WORKER_STOPPED || f->state == WORKER_CREATED))
                               ? GOAL_MET
                               : GOAL_PENDING;
        return GOAL_PENDING;
}

static GoalVerdict check_at_rest(const GoalFacts *f, const GoalBaseline *b) {
        return (is_over(f) || f->state == WORKER_CREATED) && f->is_settled ? GOAL_MET : GOAL_PENDING;
}

/* A number beyond the baseline's is of the call's own, or of one that came in its place. */
static GoalVerdict check_reloaded(const GoalFacts *f, const GoalBaseline *b) {
        if (f->reload->number <= b->n_reloads)
                return GOAL_PENDING;
        return f->reload->is_good ? GOAL_MET : GOAL_FAILED;
}

/* The call's own is the one that the baseline counted last, if it was over only after that. */
static GoalVerdict check_settled(const GoalFacts *f, const GoalBaseline *b) {
        if (f->is_reloading || f->is_restart_due)
                return GOAL_PENDING;
        if (b->was_reloading)
                return f->reload->is_good ? GOAL_MET : GOAL_FAILED;
        return f->is_wanted ? check_started(f, b) : GOAL_MET;
}

static GoalVerdict check_gone(const GoalFacts *f, const GoalBaseline *b) {
        return GOAL_PENDING;
}

static GoalVerdict check_resumed(const GoalFacts *f, const GoalBaseline *b) {
        return f->is_alive && f->is_freezing ? GOAL_PENDING : GOAL_MET;
}

static GoalVerdict check_paused(const GoalFacts *f, const GoalBaseline *b) {
        return f->is_alive && f->has_pause_failed ? GOAL_FAILED : check_resumed(f, b);
}

static GoalVerdict check_none(const GoalFacts *f, const GoalBaseline *b) {
        return GOAL_MET;
}

GoalVerdict goal_check(Goal g, const GoalFacts *f, const GoalBaseline *b) {
        static GoalVerdict (*const checks[_GOAL_MAX])(const GoalFacts *, const GoalBaseline *) = {
                [GOAL_STARTED] = check_started,
                [GOAL_RESTARTED] = check_restarted,
                [GOAL_STOPPED] = check_stopped,
                [GOAL_LAUNCHED] = check_launched,
                [GOAL_RUN_OVER] = check_run_over,
                [GOAL_EXITED] = check_exited,
                [GOAL_READY] = check_ready,
                [GOAL_IDLE] = check_idle,
                [GOAL_AT_REST] = check_at_rest,
                [GOAL_GONE] = check_gone,
                [GOAL_RELOADED] = check_reloaded,
                [GOAL_SETTLED] = check_settled,
                [GOAL_PAUSED] = check_paused,
                [GOAL_RESUMED] = check_resumed,
                [GOAL_NONE] = check_none,
        };

        return checks[g](f, b);
}
