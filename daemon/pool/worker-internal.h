/* worker-internal.h - Worker from inside the room: its fields, its events, and what the files worker-*.c share. */
#ifndef DROVER_POOL_WORKER_INTERNAL_H
#define DROVER_POOL_WORKER_INTERNAL_H

#include "event/hub.h"
#include "pool/errand.h"
#include "pool/health.h"
#include "pool/watchdog.h"
#include "pool/last-words.h"
#include "pool/worker.h"

typedef struct NotifyMessage NotifyMessage;

/* What can happen to a worker; the essay in worker.c says what each means. */
typedef enum WorkerEvent {
        WORKER_ON_START,
        WORKER_ON_SPAWNED,
        WORKER_ON_START_FAILED,
        WORKER_ON_READY,
        WORKER_ON_STOP,
        WORKER_ON_EXITED,
        WORKER_ON_TIMEOUT,
        WORKER_ON_FAULT,
        WORKER_ON_SUCCEED,
        _WORKER_EVENT_MAX,
} WorkerEvent;
const char *worker_event_to_string(WorkerEvent e);

/* What was found wrong with a process, so that it is stopped: see worker-fault.c. */
typedef enum WorkerFault {
        WORKER_FAULT_NONE,
        WORKER_FAULT_UNREADY,
        WORKER_FAULT_HEALTH,
        WORKER_FAULT_WATCHDOG,
        WORKER_FAULT_TASK,     /* killed for what it did with its tasks, or they with it */
        WORKER_FAULT_RECYCLED, /* nothing was wrong: an elder that gave way to a younger process */
        _WORKER_FAULT_MAX,
} WorkerFault;

typedef struct Faulty {
        WorkerFault kind;
        char *text; /* "watchdog: silent for 10s"; NULL: none, or there was no memory for it */
} Faulty;

/* The last ends of a worker; made with the first one. */
typedef struct WorkerEnds WorkerEnds;
#define WORKER_ENDS_MAX 5u

/* An event that waits for the last line of an earlier process of this worker. */
typedef struct HeldEvent HeldEvent;
struct HeldEvent {
        EventKind kind;
        char *data;
        const Child *until; /* NULL: only for its turn */
        HeldEvent *prev, *next;
};

/* With so many undrained ends a worker is not started again: bounds slots, held events and pipes. */
#define WORKER_UNDRAINED_MAX 2u
/* And the two processes that may end meanwhile. In the struct, not allocated: an end must never fail. */
#define WORKER_DEPARTED_MAX (WORKER_UNDRAINED_MAX + 2)

/* An ended process whose output is not written yet, or which waits to be freed by the converge step. */
typedef struct Departed {
        Child *child;
        usec_t since_usec; /* CLOCK_MONOTONIC */
        bool is_drained;
} Departed;

/* The process before the present one, which serves until that one is ready; worker-elder.c. */
typedef struct Elder {
        Child *child;       /* NULL: there is none */
        PoolConfig *config; /* counted: what it was launched with */
        pid_t pid;
        uint64_t generation;
        uint64_t ended_generation; /* the last elder whose end was booked */
        usec_t started_at;         /* CLOCK_REALTIME */
        usec_t ready_at;           /* CLOCK_MONOTONIC; for the case that it stays, as the next three */
        uint64_t tasks_done;
        char *status_text;
        Faulty fault;      /* what it is being stopped for */
        Watchdog watchdog; /* what it said of it */
        bool is_stopping;
        bool is_signal_due; /* its task channel was ended; the signal follows */
        unsigned n_kills;
        Errand *stop_errand; /* 0..1: its stop command */
        sd_event_source *timer;
        usec_t due; /* CLOCK_MONOTONIC of the timer: soak, stop timeout, next SIGKILL; 0: none */
} Elder;

/* Its part in a rolling replacement of its pool; rolling.c. */
typedef enum RollingPart {
        ROLLING_NONE,
        ROLLING_DUE,   /* to be replaced */
        ROLLING_BATCH, /* is being replaced */
        ROLLING_GOOD,  /* was replaced */
        ROLLING_BACK,  /* is being put back */
        _ROLLING_PART_MAX,
} RollingPart;

struct Worker {
        Pool *pool;
        char *name;
        unsigned slot;
        WorkerState state;

        bool is_wanted;     /* the wish; never changed by the daemon itself */
        bool start_due;     /* somebody asked: also out of back-off, exited, failed */
        bool restart_due;   /* stop what is there, then start */
        bool recall_due;    /* stop the younger process: its elder stays */
        bool succeed_due;   /* start a younger process beside the one that runs, then stop that */
        bool kill_due;      /* SIGKILL instead of the stop signal */
        bool is_leaving;    /* the slot goes once it rests */
        bool signal_due;    /* STOPPING before its process had a pid */
        bool is_ready_early;/* READY=1 overtook the keeper's STARTED */
        bool is_closing;    /* it said STOPPING=1 */
        bool is_reloading;  /* it said RELOADING=1, and not READY=1 since */
        bool is_busy;       /* X_DROVER_BUSY= of the present process */
        bool is_unwatched;  /* frozen: neither probed nor waited for; see worker_set_unwatched() */
        bool has_been_refused; /* it was told so, once a process */
        bool is_to_tell;    /* a wish or a word of its own is new: worker_changed at the next converge */
        bool is_unrecorded; /* in the set's list */
        bool has_record;    /* it was on record at least once */
        bool is_paused;     /* the present process is to be frozen */
        bool is_frozen;     /* it is, as the keeper has seen */
        bool is_freezing;   /* the keeper was asked to freeze or to thaw it and has not said yet that it is so */
        int pause_error;    /* -errno: the last pause could not be had */
        bool is_draining;   /* the present process gets no more tasks */
        bool is_stopped_for_need; /* stopped with a pool that it requires: comes back with it */
        bool is_overdue;    /* STOPPING, and SIGKILL had to follow */
        bool has_ended_overdue; /* so it was with the last end */
        bool is_timer_due;  /* memory was short: arm it at the next converge of this worker */
        unsigned n_kills;

        Child *child;       /* 0..1; in LAUNCHING the asked-for one, or none before its turn */
        PoolConfig *config; /* counted: what the present process was launched with; else NULL */
        PoolConfig *config_live; /* counted: a later one whose live keys it follows, the others waiting for its next start; NULL: .config */
        uint64_t template_hash; /* LAUNCHING: the template it waits for, or that was asked to fork it; 0: none */
        struct Template *forker; /* was asked to fork it and has not answered; NULL: none */
        bool is_relaunch;       /* its next launch is one more try of the last one */
        char *refusal;          /* why its template could not be had, the last time; NULL */
        Departed departed[WORKER_DEPARTED_MAX];
        unsigned n_departed;
        uint64_t booked[WORKER_DEPARTED_MAX]; /* over droverd's own death: generations of those that were departed */
        HeldEvent *held;
        Elder elder;

        RollingPart rolling;
        bool is_rolling_bad;         /* the process it got in the batch did not last until it was good */
        uint64_t rolling_generation; /* of the process before the batch */

        RestartHistory history;
        bool has_exit;
        Faulty fault;        /* STOPPING because of it, or being killed */
        Faulty ended_fault;  /* the last end came because of it */
        ExitStatus exit;     /* the last end */
        WorkerEnds *ends;    /* NULL: none yet */
        LastWords *words;    /* 0..1: being asked for, of .words_of, which is not drained for anybody until then */
        const Child *words_of;
        uint64_t words_generation;
        usec_t ended_started_at; /* CLOCK_REALTIME: when the one that ended last had been started */
        uint64_t generation; /* of the last process */
        uint64_t ended_generation; /* the last whose end was booked */
        pid_t pid;           /* 0: none */
        usec_t started_at;   /* CLOCK_REALTIME, of the last process; 0: never */
        usec_t ready_at;     /* CLOCK_MONOTONIC; 0: it is not, or never was */
        sd_event_source *timer;
        usec_t due;          /* CLOCK_MONOTONIC of the timer; 0: none */
        usec_t due_at_first; /* .due when the state was entered, before EXTEND_TIMEOUT_USEC= */
        usec_t extended_to;  /* LAUNCHING: what it asked for before its STARTED */
        usec_t delay;        /* the last back-off */
        usec_t idle_since, idle_looked_at; /* CLOCK_MONOTONIC; size.c */
        uint64_t idle_cpu_usec;            /* at idle_looked_at */
        uint64_t recycled_generation;      /* the process that recycle.c had replaced last */
        const char *recycled_for;          /* static: "age", "memory", "tasks"; NULL: the life before knew */
        usec_t recycle_retry_at;           /* not before, when that did not succeed */
        uint64_t tasks_done; /* X_DROVER_TASKS= of the present process, or counted at its task channel */
        uint64_t task;       /* number of the task that the present process is at; 0: none */
        bool has_worked;     /* the present process had a task */
        usec_t signal_at;    /* STOPPING: when the stop signal is due, had the end of its task channel no effect; 0: sent */
        Watchdog watchdog;
        Health *health;      /* 0..1: probes, of readiness while STARTING, of health while RUNNING */
        Errand *stop_errand; /* 0..1: the stop command, while STOPPING */
        char *status_text;   /* STATUS= of the present process, or NULL */

        uint64_t cpu_usec, memory_bytes; /* last sample */
        usec_t sampled_at;               /* CLOCK_MONOTONIC; 0: none of this process */

        char *facts; /* cached JSON of all that changes only with the state; NULL: stale */
        size_t facts_length;

        bool is_changed, is_to_launch; /* in the set's, in the pool's list */
        Worker *changed_prev, *changed_next, *launch_prev, *launch_next, *unrecorded_prev, *unrecorded_next;
        uint64_t select_stamp;
};

/* worker.c */
Worker *worker_new(Pool *p, unsigned slot); /* NULL: memory is short */
Worker *worker_free(Worker *w);
DEFINE_CLEANUP(Worker, worker_free);
void worker_handle(Worker *w, WorkerEvent e);

/* worker-state.c: the funnel. @due_usec: CLOCK_MONOTONIC of this state's timeout, or USEC_INFINITY. */
void worker_enter(Worker *w, WorkerState state, usec_t due_usec);
void worker_arm(Worker *w, usec_t due_usec);
/* EXTEND_TIMEOUT_USEC=: this state's timeout comes not before @span from now, nor before it would have come at first. */
void worker_extend(Worker *w, usec_t span);
bool worker_holds_process(WorkerState s); /* STARTING, RUNNING, STOPPING */

/* worker-end.c */
void worker_follow_policy(Worker *w, const ExitStatus *e); /* enters LAUNCHING, BACKOFF, EXITED or FAILED */

/* worker-wish.c */
void worker_set_wanted(Worker *w, bool wanted);
void worker_mark_changed(Worker *w);
void worker_mark_to_tell(Worker *w);
void worker_tell(Worker *w); /* PoolHooks.worker_changed; and it is to be recorded */
void worker_to_record(Worker *w); /* no more than that */
void worker_unrecord(Worker *w); /* what is on record is as good */
void worker_queue_launch(Worker *w);
void worker_converge(Worker *w); /* one look: free, stop, start; never frees @w itself */
void worker_unlist(Worker *w);

/* The pool has another configuration than @old; a process launched with @old takes what can be taken LIVE. */
const PoolConfig *worker_live_config(const Worker *w); /* for keys that change in life; NULL without a process */
void worker_reconfigured(Worker *w, PoolConfig *old, ConfigCost cost);

/* worker-launch.c */
extern const ChildHooks worker_child_hooks;
/* It cannot be launched for want of a template: START_FAILED. @text may be NULL. */
void worker_refuse(Worker *w, const KeeperFailure *f, const char *text);
void worker_launch(Worker *w); /* its turn: asks the keeper; a refusal is START_FAILED at once */
int worker_launch_errand(Child **ret, const Worker *w, ErrandKind kind, char **command, const ChildHooks *hooks,
                         void *userdata);
void worker_describe_exit(const Worker *w, char *buf, size_t size);

/* pause.c */
void worker_thaw(Worker *w);          /* before a signal must reach it; no event */
void worker_on_frozen(Child *c, bool is_frozen, int error, void *userdata);
void worker_catch_up_pause(Worker *w); /* after droverd's own death */

/* worker-drain.c */
void worker_free_config(Worker *w);
void worker_depart(Worker *w); /* the child, if any, goes to the departed ones */
int worker_take_departed(Worker *w, Child *c); /* -ENOSPC: @c stays the caller's */
void worker_on_drained(Child *c, void *userdata);
void worker_release(Worker *w, const Child *c); /* all of its output is written, and its last lines are known */
void worker_free_drained(Worker *w);
/* Show an event after all earlier ones of this worker, and after the last line of @until (NULL: no such wait). */
void worker_emit(Worker *w, EventKind k, const char *data, const Child *until);
void worker_drain_done(Worker *w);
void worker_drain_serialize(const Worker *w, Text *t);
void worker_drain_deserialize(Worker *w, const json_t *o);
bool worker_was_departed(const Worker *w, uint64_t generation); /* in the life before: its end is booked */

/* worker-ends.c */
void worker_note_end(Worker *w);      /* w->exit is new */
void worker_put_ends(const Worker *w, Text *t, const char *key);
void worker_read_ends(Worker *w, const json_t *array);
WorkerEnds *worker_ends_free(WorkerEnds *ends);
/* @c is drained: true when its last lines are being asked for; worker_release() follows. */
bool worker_ask_last_words(Worker *w, const Child *c);

/* worker-report.c */
void worker_emit_state(Worker *w); /* the one event of the state just entered, if it has one */
void worker_emit_end(Worker *w);
void worker_facts_stale(Worker *w);

/* worker-say.c: what notify hears */
void worker_hear(Worker *w, const NotifyMessage *m);
void worker_forget_words(Worker *w); /* of a process that is gone */

/* worker-fault.c */
void worker_fault(Worker *w, WorkerFault kind, const char *text); /* WORKER_ON_FAULT, unless it is on its way out */
void worker_book_fault(Worker *w);                                /* it ended: its fault is the end's */
const char *faulty_text(const Faulty *f);                         /* "": none */
void faulty_set(Faulty *f, WorkerFault kind, const char *text);
void faulty_clear(Faulty *f);
void faulty_put(const Faulty *f, Text *t, const char *key); /* on record, where there is one */
void faulty_read(Faulty *f, const json_t *o);               /* NULL: there is none */

/* worker-stop.c */
void worker_send_elder_stop(Worker *w);     /* stop command or signal */
void worker_send_stop(Worker *w);           /* end of the channel, stop command or signal; with kill_due SIGKILL of the tree */
bool worker_stop_signal_due(Worker *w);     /* the signal follows the end of the task channel; false: it was sent */
usec_t worker_stop_deadline(const Worker *w); /* CLOCK_MONOTONIC */
int worker_stop_signal(const Worker *w, WorkerFault fault);

/* worker-elder.c */
void worker_set_aside(Worker *w); /* the child becomes the elder */
bool worker_reinstate(Worker *w); /* the elder, if there is one to stay, is RUNNING again; false: there is none */
bool worker_has_elder(const Worker *w);
bool worker_elder_serves(const Worker *w);
bool worker_elder_serves_on(const Worker *w);
void worker_elder_arm(Worker *w, usec_t due);
void worker_elder_release(Worker *w); /* it may go */
void worker_elder_on_end(Worker *w, const ExitStatus *exit);
void worker_elder_on_ready(Worker *w);
void worker_elder_converge(Worker *w);
void worker_elder_done(Worker *w);
void worker_elder_serialize(const Worker *w, Text *t);
void worker_elder_deserialize(Worker *w, const json_t *o);
bool worker_elder_adopt(Worker *w, Child *c, const KeeperMessage *m); /* false: it is not the elder */
void worker_elder_catch_up(Worker *w);

/* worker-handover.c */
int worker_adopt(Worker *w, const KeeperMessage *slot_info); /* silently */
void worker_catch_up(Worker *w);                             /* timers, events */

#endif
