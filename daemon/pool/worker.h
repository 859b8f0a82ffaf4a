/* worker.h - one slot of a pool: its wanted and its actual state.
 *
 * Owner: its Pool. worker.c opens with the essay on states and events. From outside only the wish is set; the pool's
 * converge step does the rest. */
#ifndef DROVER_POOL_WORKER_H
#define DROVER_POOL_WORKER_H

#include "base/text.h"
#include "pool/restart.h"
#include "process/child.h"

typedef struct Pool Pool;
typedef struct Worker Worker;

typedef enum WorkerState {
        WORKER_CREATED,
        WORKER_LAUNCHING, /* waits for its turn or for the keeper's answer: no pid yet; shown as "starting" */
        WORKER_STARTING,
        WORKER_RUNNING,
        WORKER_STOPPING,
        WORKER_BACKOFF,
        WORKER_STOPPED,
        WORKER_EXITED,
        WORKER_FAILED,
        _WORKER_STATE_MAX,
} WorkerState;
const char *worker_state_to_string(WorkerState s);
int worker_state_from_string(const char *s);

const char *worker_name(const Worker *w); /* "web/0"; for a `run` process its own name */
unsigned worker_slot(const Worker *w);
Pool *worker_pool(const Worker *w);
WorkerState worker_state(const Worker *w);
bool worker_is_wanted(const Worker *w);   /* someone wants it to run */
/** worker_is_settled() - the last end is known *and* its output is written: what wait for=exit waits for. */
bool worker_is_settled(const Worker *w);
/** worker_has_output_due() - it has no process, and the last lines of one that ended are still to come. */
bool worker_has_output_due(const Worker *w);
bool worker_is_alive(const Worker *w);    /* a process exists */
bool worker_is_ready(const Worker *w);    /* running */
bool worker_is_resting(const Worker *w);  /* created, stopped, exited, failed: nothing happens without a new wish */
bool worker_is_daemon(const Worker *w);   /* `run` with daemon: true */
bool worker_is_restart_due(const Worker *w); /* what runs is about to be stopped, for a younger process */
bool worker_is_leaving(const Worker *w);  /* its slot goes once it ended */
unsigned worker_n_restarts(const Worker *w);
pid_t worker_pid(const Worker *w);        /* 0: none */
pid_t worker_elder_pid(const Worker *w);  /* of the process that is being replaced; 0: none */
const ExitStatus *worker_last_exit(const Worker *w); /* NULL before the first end */
uint64_t worker_generation(const Worker *w);         /* of the last process, grows */

void worker_want_start(Worker *w);   /* also out of failed and exited; resets the back-off */
void worker_want_stop(Worker *w);
void worker_want_restart(Worker *w); /* stop, then start, however it ends */
/** worker_want_succession() - replace its process, the younger one ready before the old one goes; where there is none that
 *  is ready, as worker_want_restart() */
void worker_want_succession(Worker *w);
void worker_want_kill(Worker *w);    /* as want_stop, but SIGKILL of the tree at once */
/** worker_signal() - a signal now. Return: 1 sent, 0 no process. */
int worker_signal(Worker *w, int sig, bool whole_tree);
/** worker_pause() - freeze every process of it, until worker_resume() or its stop. Over droverd's own death it stays so.
 *  It stands still once worker_is_freezing() says no more; where worker_pause_error() is not 0 then, it could not be had.
 *  Return: 1 it is asked for; 0 there is no process that could be, or it is about to end; -errno. */
int worker_pause(Worker *w);
/** worker_drain() - no more tasks for the present process. Return: 1 it is so; 0 there is none. */
int worker_drain(Worker *w);
void worker_resume(Worker *w); /* it runs on, and takes tasks */
bool worker_is_paused(const Worker *w);
bool worker_is_freezing(const Worker *w); /* on its way to a standstill, or from there */
int worker_pause_error(const Worker *w);  /* -errno, of the last pause */
void worker_describe_pause(const Worker *w, char *buf, size_t size); /* that error as a sentence */
bool worker_is_draining(const Worker *w);
bool worker_is_busy(const Worker *w); /* it has work in hand */
/** worker_note() - one sentence for people about why it is not running; "" when all is well. In @buf. */
const char *worker_note(const Worker *w, char *buf, size_t size);
/** worker_reason() - the same without how long ago it was, for the answer to a call that waited for it. In @buf. */
const char *worker_reason(const Worker *w, char *buf, size_t size);
/** worker_put_json() - the WORKER object of the contract, with @key or NULL. */
void worker_put_json(Worker *w, Text *t, const char *key);
/** worker_put_brief() - {"name","state","exitcode"}, as they are in that. */
void worker_put_brief(Worker *w, Text *t, const char *key);
/* A worker in numbers; of the present process but for restarts and the last exit. */
typedef struct WorkerMetrics {
        bool is_alive, is_ready, is_busy, has_exit, has_usage;
        unsigned n_restarts;
        int exitcode;           /* has_exit */
        uint64_t n_tasks_done;
        usec_t started_usec;    /* CLOCK_REALTIME; is_alive */
        uint64_t cpu_usec, memory_bytes; /* has_usage: the last sample, taken now where it was too old */
} WorkerMetrics;
void worker_metrics(Worker *w, WorkerMetrics *ret);
/** worker_put_last_lines() - the lines it wrote before its last end, an array of strings; nothing when there are none. */
void worker_put_last_lines(const Worker *w, Text *t, const char *key);
int worker_log_spec(const Worker *w, LogSpec *ret); /* where its output goes */

#endif
