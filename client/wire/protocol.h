/* protocol.h - the one list of method and error names, and the protocol's version. Constants only. */
#ifndef DROVER_WIRE_PROTOCOL_H
#define DROVER_WIRE_PROTOCOL_H

#include "base/macro.h"

#define PROTOCOL_VERSION 1
#define PROTOCOL_LINE_MAX (64u * 1024) /* bytes of one message to the daemon; its answers may be longer */

/* Notifications in the course of `logs`, `events` and `task.map`. Each carries in its params, besides its own members, "call":
 * the id of the call it belongs to, so that several streams can share a connection. */
#define PROTOCOL_NOTIFY_LOG "log"
#define PROTOCOL_NOTIFY_EVENT "event"
#define PROTOCOL_NOTIFY_RESULT "result"
#define PROTOCOL_CALL_MEMBER "call"

/* X(SYMBOL, name, help, parameters in positional order...) */
#define PROTOCOL_METHODS(X)                                                                                        \
        X(STATUS, "status", "pools and workers as they are now", "select", "detail")                                          \
        X(START, "start", "start workers, and wait until they are ready", "select", "wait", "timeout")              \
        X(STOP, "stop", "stop workers, and wait until they ended", "select", "wait", "timeout")                     \
        X(RESTART, "restart", "stop and start workers, and wait until they are ready", "select", "wait", "timeout") \
        X(RELOAD, "reload", "replace workers a few at a time, each gated on ready; stops at the first that fails, and puts it back", \
          "select", "max_unavailable", "max_surge", "soak", "wait", "timeout")                                      \
        X(ROLLBACK, "rollback", "return to the configuration of a pool before its last change", "select", "wait", "timeout") \
        X(TERMINATE, "terminate", "send SIGTERM, or another signal", "select", "signal", "tree")                    \
        X(KILL, "kill", "send SIGKILL, or another signal", "select", "signal", "tree")                              \
        X(SCALE, "scale", "change the number of a pool's workers (with min and max: its floor); the others run on", "pool", "workers", "wait",    \
          "timeout")                                                                                                \
        X(PAUSE, "pause", "freeze workers with all their processes", "select", "wait", "timeout")                   \
        X(RESUME, "resume", "let paused and draining workers go on", "select", "wait", "timeout")                   \
        X(DRAIN, "drain", "give workers no more tasks", "select")                                                   \
        X(WAIT, "wait", "join: wait until processes ended or are ready", "select", "process", "for", "timeout", "brief") \
        X(RUN, "run", "start one process from a command, or from a target of a module; takes every pool key besides", "command", \
          "name", "daemon", "stdin", "stdout", "stderr", "module", "target", "args", "kwargs", "wait")                               \
        X(LOGS, "logs", "last lines of workers' output, and those to come", "select", "lines", "follow", "stream", "since") \
        X(LOGS_ROTATE, "logs.rotate", "begin log files anew; the old ones become rotated ones", "select")           \
        X(LOGS_CLEAR, "logs.clear", "empty log files and remove the rotated ones", "select")                        \
        X(LOGS_REOPEN, "logs.reopen", "open all log files anew, after something moved them away")                   \
        X(EVENTS, "events", "what has happened, and what happens", "since", "types", "follow", "select", "snapshot") \
        X(POOL_ADD, "pool.add", "a new pool until the daemon ends; takes every pool key besides", "name")           \
        X(POOL_REMOVE, "pool.remove", "stop a pool and forget it", "pool", "wait", "timeout")                       \
        X(CONFIG_CHECK, "config.check", "read the configuration and report every fault; changes nothing")           \
        X(CONFIG_SHOW, "config.show", "the configuration in force")                                                 \
        X(CONFIG_APPLY, "config.apply", "read the configuration and carry out what changed", "dry_run")                     \
        X(CONFIG_PLAN, "config.plan", "what config.apply would do now, and why; changes nothing")                  \
        X(CONFIG_SET, "config.set", "put a value over a key of a pool's configuration, at once and for good", "pool",\
          "key", "value", "persist")                                                                               \
        X(CONFIG_GET, "config.get", "the value of a key of a pool as it is in force", "pool", "key")               \
        X(ENABLE, "enable", "let pools start with the daemon from now on", "select")                               \
        X(DISABLE, "disable", "let pools not start with the daemon from now on", "select")                         \
        X(DAEMON_INFO, "daemon.info", "version, process ids, uptime, limits")                                       \
        X(DAEMON_PROMISES, "daemon.promises", "what drover promises, and how each promise is kept on this machine")       \
        X(DAEMON_METRICS, "daemon.metrics", "counters and measures as text for Prometheus", "format")                 \
        X(DAEMON_SHUTDOWN, "daemon.shutdown", "stop all workers, then the daemon")                                  \
        X(TASK_SUBMIT, "task.submit", "let a worker call a target, once", "pool", "target", "args", "kwargs", "timeout", "attempts", \
          "priority", "wait", "key", "queue_timeout", "on_disconnect", "blobs", "spill", "attach")                                             \
        X(TASK_MAP, "task.map", "let workers call a target for each of many items", "pool", "target", "items", "count", "chunk", \
          "ordered", "kwargs", "timeout", "attempts", "priority", "more")                                          \
        X(TASK_ITEMS, "task.items", "further items for a task.map of this connection", "call", "items", "more")    \
        X(TASK_WAIT, "task.wait", "wait until tasks are settled", "tasks", "timeout", "attach")                    \
        X(TASK_CANCEL, "task.cancel", "end tasks, queued or running", "tasks")                                     \
        X(TASK_LIST, "task.list", "tasks as they are now, and those settled lately", "pool", "state", "limit", "after")     \
        X(BLOB_NEW, "blob.new", "memory for a large argument; its descriptor comes with the answer", "size")       \
        X(BLOB_GET, "blob.get", "a large result; its descriptor comes with the answer", "task", "index")           \
        X(BLOB_DROP, "blob.drop", "give back what was made by blob.new and is not used", "blobs")                  \
        X(CALL_CANCEL, "call.cancel", "end a call of this connection that is still in flight: a stream or a wait", "id") \
        X(RPC_DISCOVER, "rpc.discover", "this interface as an OpenRPC document")

typedef enum ProtocolMethodId {
#define X(symbol, ...) METHOD_##symbol,
        PROTOCOL_METHODS(X)
#undef X
                _METHOD_MAX,
        _METHOD_INVALID = -EINVAL,
} ProtocolMethodId;

#define PROTOCOL_PARAMS_MAX 16

typedef struct ProtocolMethod {
        const char *name, *help;
        const char *params[PROTOCOL_PARAMS_MAX + 1]; /* in positional order, ends with NULL */
} ProtocolMethod;

/* Indexed by ProtocolMethodId. */
extern const ProtocolMethod protocol_methods[_METHOD_MAX];
/** protocol_method_find() - its id, or _METHOD_INVALID. */
ProtocolMethodId protocol_method_find(const char *name);
/** protocol_method_nearest() - the method that may have been meant, or NULL. */
const char *protocol_method_nearest(const char *name);

/* X(SYMBOL, code, name, what it means) */
#define PROTOCOL_ERRORS(X)                                                                                     \
        X(PARSE, -32700, "invalid", "the line is not JSON")                                                    \
        X(REQUEST, -32600, "invalid", "the line is not a JSON-RPC 2.0 request")                                \
        X(METHOD, -32601, "not-found", "there is no such method")                                              \
        X(PARAMS, -32602, "invalid", "a parameter is wrong")                                                   \
        X(INTERNAL, -32603, "failed", "the daemon could not, for a reason of its own")                         \
        X(NOT_FOUND, -32001, "not-found", "there is no such pool, worker or process")                          \
        X(EXISTS, -32002, "exists", "the name is taken")                                                       \
        X(DENIED, -32003, "denied", "you may not")                                                             \
        X(INVALID, -32004, "invalid", "what was asked makes no sense")                                         \
        X(FAILED, -32005, "failed", "it was tried and did not succeed")                                        \
        X(TIMEOUT, -32006, "timeout", "it was not so in time")                                                 \
        X(LIMIT, -32007, "limit", "a bound was reached")                                                       \
        X(WORKER_DIED, -32008, "worker-died", "the worker died")                                               \
        X(TASK_FAILED, -32009, "task-failed", "the task ended with an exception")                              \
        X(CANCELLED, -32010, "cancelled", "it was cancelled")                                                  \
        X(UNSUPPORTED, -32011, "unsupported", "this system cannot do it")                                      \
        X(SHUTTING_DOWN, -32012, "shutting-down", "the daemon is about to end")

typedef enum ProtocolError {
#define X(symbol, code, name, meaning) ERROR_##symbol = (code),
        PROTOCOL_ERRORS(X)
#undef X
} ProtocolError;

/** protocol_error_name() - "not-found"; "failed" for a code that is none of ours. */
const char *protocol_error_name(int code);
/** protocol_error_from_name() - the code of ours (-32001 and below), or ERROR_FAILED. */
ProtocolError protocol_error_from_name(const char *name);

#endif
