/* event.h - what an event is: its kind, its names, its JSON.
 *
 * Values only. hub.h numbers, keeps and hands them out. */
#ifndef DROVER_EVENT_EVENT_H
#define DROVER_EVENT_EVENT_H

#include "base/clock.h"
#include "base/text.h"

/* One list: name and one line of help. `noun.past`. */
#define EVENT_KINDS(X)                                                                                       \
        X(DAEMON_STARTED, "daemon.started", "droverd is up; data.restart is true after its own death")      \
        X(DAEMON_STOPPING, "daemon.stopping", "an orderly stop has begun")                                  \
        X(CONFIG_APPLIED, "config.applied", "a configuration was applied; data lists what changed")         \
        X(CONFIG_REFUSED, "config.refused", "a configuration had faults and changed nothing")               \
        X(POOL_ADDED, "pool.added", "a pool exists")                                                        \
        X(POOL_REMOVED, "pool.removed", "a pool is gone")                                                   \
        X(POOL_SCALED, "pool.scaled", "its wanted size changed")                                            \
        X(POOL_RELOADING, "pool.reloading", "its workers are being replaced, a few at a time")               \
        X(POOL_RELOADED, "pool.reloaded", "its workers were replaced; data.replaced counts them")            \
        X(POOL_RELOAD_FAILED, "pool.reload-failed", "the replacement stopped at data.worker for data.reason; data.put_back run as before") \
        X(POOL_ROLLED_BACK, "pool.rolled-back", "its earlier configuration is in force again")               \
        X(POOL_WOKEN, "pool.woken", "something arrived at a socket of a pool that rested; it is started")    \
        X(POOL_RESIZED, "pool.resized", "it grew or shrank with its load; data.reason says why")            \
        X(WORKER_STARTING, "worker.starting", "a process was made")                                         \
        X(WORKER_RUNNING, "worker.running", "it is ready")                                                  \
        X(WORKER_UNHEALTHY, "worker.unhealthy", "its health check failed too often: it is stopped; data.cause says why") \
        X(WORKER_WATCHDOG, "worker.watchdog", "it was silent for too long, or said so itself: it is stopped") \
        X(WORKER_STOPPING, "worker.stopping", "it was asked to stop")                                       \
        X(WORKER_EXITED, "worker.exited", "a process ended; its last line is in the log already")           \
        X(WORKER_START_FAILED, "worker.start-failed", "no process could be made; data.stage and data.errno say why") \
        X(WORKER_BACKOFF, "worker.backoff", "it waits to be started again for data.delay seconds")          \
        X(WORKER_STOPPED, "worker.stopped", "it ended on request")                                          \
        X(WORKER_FAILED, "worker.failed", "it is given up")                                                 \
        X(WORKER_DONE, "worker.done", "it ended by itself and is not started again")                        \
        X(WORKER_PAUSED, "worker.paused", "it was frozen with all its processes")                           \
        X(WORKER_RESUMED, "worker.resumed", "it runs on, or takes tasks again")                             \
        X(WORKER_DRAINING, "worker.draining", "it gets no more tasks")                                      \
        X(WORKER_RECYCLED, "worker.recycled", "it is being replaced; data.reason: age, memory or tasks")    \
        X(WORKER_ADOPTED, "worker.adopted", "found running after droverd's own restart")                    \
        X(HOOK_FAILED, "hook.failed", "the command of a hook did not end with 0; data.hook and data.cause")  \
        X(LOG_DROPPED, "log.dropped", "a full disk takes no more and output.on_full is \"drop\"; again with data.is_over when it does") \
        X(LOGGER_RESTARTED, "logger.restarted", "the logger was started again; no line was lost")           \
        X(AUDIT, "audit", "somebody changed something: data has uid, pid, comm, method, object, result, duration, request; for administrators only")

typedef enum EventKind {
#define X(id, name, help) EVENT_##id,
        EVENT_KINDS(X)
#undef X
                _EVENT_KIND_MAX,
} EventKind;
const char *event_kind_to_string(EventKind k);
int event_kind_from_string(const char *s); /* or -EINVAL */
const char *event_kind_help(EventKind k);

typedef struct Event {
        uint64_t seq;
        usec_t time; /* CLOCK_REALTIME */
        EventKind kind;
        const char *pool, *worker; /* NULL when it concerns none */
        const char *data;          /* a JSON object as text */
} Event;

/** event_put() - append the members of the event object: "seq","time","event", "pool" and "worker" if any, "data" */
void event_put(const Event *e, Text *t);
/** event_text() - the whole event object, the caller's; NULL when memory is short. */
char *event_text(const Event *e);

#endif
