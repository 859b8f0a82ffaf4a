/* hub.h - what has happened: emit to subscribers, keep a bounded ring for late joiners.
 *
 * Owner: Supervisor. Every event has a sequence number that only grows, over restarts of droverd too (the journal
 * reserves numbers ahead). Payloads are kept as JSON text. Subscribers are called from hub_emit() and must only
 * note it (control queues output; it never calls back into a room below). */
#ifndef DROVER_EVENT_HUB_H
#define DROVER_EVENT_HUB_H

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
        X(WORKER_STARTING, "worker.starting", "a process was made")                                         \
        X(WORKER_RUNNING, "worker.running", "it is ready")                                                  \
        X(WORKER_STOPPING, "worker.stopping", "it was asked to stop")                                       \
        X(WORKER_EXITED, "worker.exited", "a process ended; its last line is in the log already")           \
        X(WORKER_START_FAILED, "worker.start-failed", "no process could be made; data.stage and data.errno say why") \
        X(WORKER_BACKOFF, "worker.backoff", "it waits to be started again for data.delay seconds")          \
        X(WORKER_STOPPED, "worker.stopped", "it ended on request")                                          \
        X(WORKER_FAILED, "worker.failed", "it is given up")                                                 \
        X(WORKER_DONE, "worker.done", "it ended by itself and is not started again")                        \
        X(WORKER_ADOPTED, "worker.adopted", "found running after droverd's own restart")                    \
        X(LOGGER_RESTARTED, "logger.restarted", "the logger was started again; no line was lost")

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
        const char *json;          /* the whole event object: {"seq","time","event","pool","worker","data":{...}} */
        size_t json_length;
} Event;

typedef struct Hub Hub;
typedef struct HubSubscriber HubSubscriber;
typedef void (*hub_callback)(const Event *e, void *userdata);

int hub_new(Hub **ret, size_t ring_max_events, size_t ring_max_bytes, uint64_t first_seq);
Hub *hub_free(Hub *h);
DEFINE_CLEANUP(Hub, hub_free);

/** hub_emit() - @data: a JSON object as text, or NULL. Short of memory: the number is used and a gap remains. */
void hub_emit(Hub *h, EventKind k, const char *pool, const char *worker, const char *data);
uint64_t hub_last_seq(const Hub *h); /* 0 before the first */
/**
 * hub_replay() - call @cb for each ring event with seq > @since
 * Return: how many events after @since are no longer (or were never) there: the explicit gap.
 */
uint64_t hub_replay(Hub *h, uint64_t since, hub_callback cb, void *userdata);
int hub_subscribe(HubSubscriber **ret, Hub *h, hub_callback cb, void *userdata);
HubSubscriber *hub_unsubscribe(HubSubscriber *s);

#endif
