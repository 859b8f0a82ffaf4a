/* goal.h - is what a call waits for true of a worker, will it never be, or not yet. Pure: facts in, verdict out. */
#ifndef DROVER_CONTROL_GOAL_H
#define DROVER_CONTROL_GOAL_H

#include "pool/pool.h"

typedef enum Goal {
        GOAL_STARTED,   /* start: it is ready; or its first attempt since then failed */
        GOAL_RESTARTED, /* restart: the same of a process younger than the call */
        GOAL_STOPPED,   /* stop: ended and its output written */
        GOAL_LAUNCHED,  /* run: exec succeeded */
        GOAL_RUN_OVER,  /* run with wait: the same, and then it ended */
        GOAL_EXITED,    /* wait for=exit: at rest now, or its next end */
        GOAL_READY,     /* wait for=ready: ready, however many attempts it takes */
        GOAL_IDLE,      /* wait for=idle: nothing in hand: ready and not busy, or at rest */
        GOAL_AT_REST,   /* wait for=stopped: ended, nothing will start it again */
        GOAL_GONE,      /* pool.remove, scale: its slot is no more */
        GOAL_RELOADED,  /* reload: the replacement of its pool that the call began is over, and was good */
        GOAL_SETTLED,   /* rollback: none is under way, and the one the call may have begun was good; it runs, if it is to */
        GOAL_PAUSED,    /* pause: it stands still; or it has no process, or is paused no more */
        GOAL_RESUMED,   /* resume: it runs on */
        GOAL_NONE,      /* nothing: only to be shown in the answer */
        _GOAL_MAX,
} Goal;
const char *goal_to_string(Goal g); /* what a worker is then: "running", "stopped", ... for "is not ..." */

typedef enum GoalVerdict { GOAL_PENDING, GOAL_MET, GOAL_FAILED } GoalVerdict;

/* What was so when the call came. */
typedef struct GoalBaseline {
        bool was_alive;
        usec_t exit_at; /* of the last end; 0: none */
        uint64_t n_reloads; /* begun so far, of its pool */
        bool was_reloading; /* its pool */
} GoalBaseline;

typedef struct GoalFacts {
        WorkerState state;
        bool is_alive, is_settled, is_wanted;
        bool is_busy;
        bool is_freezing, has_pause_failed;
        bool is_restart_due; /* what runs does not stay */
        bool has_changed; /* since the call, or the wishes of the call have been brought about already */
        bool has_new_end; /* an end later than the baseline's */
        bool is_reloading;        /* its pool */
        const RollingOutcome *reload; /* of the last replacement of its pool that is over */
        bool has_failed_to_start; /* the last end was none of a process */
} GoalFacts;

GoalBaseline goal_baseline(const Worker *w);
GoalFacts goal_facts(const Worker *w, const GoalBaseline *b, bool has_changed);
GoalVerdict goal_check(Goal g, const GoalFacts *f, const GoalBaseline *b);

#endif
