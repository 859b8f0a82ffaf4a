/* drover.h - libdrover: talk to droverd from C.
 *
 * A complete program; build it with `cc run.c $(pkg-config --cflags --libs drover)`:
 *
 *     #include <drover.h>
 *     #include <stdio.h>
 *
 *     int main(void) {
 *             drover_client *client = NULL;
 *             drover_error *error = NULL;
 *             char *name = NULL;
 *             int exitcode;
 *             json_t *what = json_pack("{s:[s,s]}", "command", "/bin/echo", "hello");
 *
 *             if (drover_connect(&client, NULL, &error) < 0 ||
 *                 drover_run(client, what, 5000, &name, &error) < 0 ||
 *                 drover_wait(client, name, -1, &exitcode, &error) < 0)
 *                     fprintf(stderr, "%s\n", drover_error_message(error));
 *             else
 *                     printf("%s ended with %d\n", name, exitcode);
 *             free(name);
 *             json_decref(what);
 *             drover_error_free(error);
 *             drover_close(client);
 *     }
 *
 * Objects. A drover_client is one connection to one daemon; a drover_error is what went wrong. Both are opaque and
 * belong to whoever received them.
 *
 * Values. Parameters and results are JSON values of jansson. A `json_t *` parameter is borrowed: the caller keeps its
 * reference. A `json_t **` result is a new reference: json_decref() it. In a callback everything is borrowed.
 *
 * Errors. Functions return 0 or a negative errno, and put a drover_error into *ret_error (which may be NULL) on failure
 * only; other outputs are untouched then. Errors of the daemon carry its name and code, e.g. "not-found" and -32001.
 *
 * Two ways to use it. Blocking: drover_call(), drover_run(), drover_wait(), each with a timeout in milliseconds (-1:
 * none). Event-driven: drover_call_async() and drover_subscribe() from any loop that can watch a descriptor, with
 * drover_fd(), drover_events(), drover_process(). They mix: callbacks of other calls may run inside a blocking call.
 *
 * No threads and no global state: different clients may be used in different threads, one client in one thread at a
 * time. After fork() only the process that connected may use a client (-ECHILD); the other may drover_close() it. */
#ifndef DROVER_H
#define DROVER_H

#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct drover_client drover_client;
typedef struct drover_error drover_error;

/** drover_version() - the library's version, as "0.1.0". Static. */
const char *drover_version(void);

/* ---- Errors ------------------------------------------------------------------------------------------------- */

/**
 * drover_error_name() - a stable word for what went wrong. Borrowed from @error.
 *
 * From the daemon: not-found exists denied invalid failed timeout limit worker-died task-failed cancelled unsupported
 * shutting-down. From the library: no-daemon (nobody answers at the socket), disconnected (the daemon ended or dropped
 * us; drover_reconnect() may help), timeout, denied, invalid, limit, no-memory, protocol (the peer does not speak
 * drover's protocol), wrong-process (after fork), cancelled (the client was closed). NULL gives "none".
 */
const char *drover_error_name(const drover_error *error);
/** drover_error_message() - a sentence for people, without newline. Borrowed from @error. NULL gives "no error". */
const char *drover_error_message(const drover_error *error);
/** drover_error_code() - the JSON-RPC code of the daemon, or 0 for an error of the library. */
int drover_error_code(const drover_error *error);
/** drover_error_errno() - the negative errno which the failing function returned; in callbacks this is how to tell. */
int drover_error_errno(const drover_error *error);
/** drover_error_data() - the daemon's "data" object, borrowed, or NULL. */
json_t *drover_error_data(const drover_error *error);
/** drover_error_free() - release; NULL is fine. */
void drover_error_free(drover_error *error);

/* ---- Connection --------------------------------------------------------------------------------------------- */

/**
 * drover_default_socket() - where the daemon's socket is when nobody says otherwise
 * $DROVER_SOCKET; else for root /run/drover/control.sock; else $XDG_RUNTIME_DIR/drover/control.sock, or without that
 * variable /tmp/drover-UID/control.sock.
 *
 * Return: the path, to be released with free(); NULL when memory is short.
 */
char *drover_default_socket(void);

/**
 * drover_connect() - connect to a daemon
 * @ret_client: the new client; release it with drover_close()
 * @path:       the socket, or NULL for drover_default_socket()
 *
 * One connect(2), nothing is sent; waits at most 10 s for a daemon that is too busy to accept. The socket is
 * close-on-exec.
 *
 * Return: 0; -ECONNREFUSED (no-daemon), -EACCES (denied), -ETIMEDOUT (timeout), -EINVAL (invalid: a path that
 * cannot be a socket's), -ENOMEM.
 */
int drover_connect(drover_client **ret_client, const char *path, drover_error **ret_error);

/**
 * drover_reconnect() - connect again to the same place, after `disconnected`
 * Calls still in flight end with `disconnected` first. Subscriptions are not renewed. A daemon that was killed and is
 * started again by its keeper accepts at once. A client that is still connected is connected anew as well.
 *
 * Return: as drover_connect(); -ECHILD.
 */
int drover_reconnect(drover_client *client, drover_error **ret_error);

/**
 * drover_close() - end the connection and release @client; NULL is fine
 * Calls in flight end with `cancelled` (their callbacks run). Allowed inside a callback. Processes run with
 * "daemon": true die with the connection.
 */
void drover_close(drover_client *client);

/**
 * drover_info() - daemon.info, after a check that the daemon speaks this library's protocol
 * @ret_info: may be NULL; a new reference
 *
 * Return: 0; -EPROTO (protocol) when the daemon's protocol version differs; else as drover_call().
 */
int drover_info(drover_client *client, int timeout_msec, json_t **ret_info, drover_error **ret_error);

/* ---- Calls -------------------------------------------------------------------------------------------------- */

/**
 * drover_call() - call a method and wait for its result
 * @method:       e.g. "status"; see drover-protocol(7) or the method rpc.discover for the list
 * @params:       an object (by name), an array (by position), or NULL for none; borrowed
 * @timeout_msec: how long to wait at most; -1: for ever
 * @ret_result:   a new reference; NULL when it is of no interest
 *
 * Other calls' callbacks may run meanwhile. After a timeout the daemon may still carry out the call; its reply is
 * dropped. Methods that wait take a "timeout" parameter of their own.
 *
 * Return: 0; -ETIMEDOUT; -ECONNRESET (disconnected); -ENOBUFS (limit: unsent calls of 64 MiB); -EINVAL (@params is
 * neither object nor array); -EPROTO; -ENOMEM; -ECHILD; or the daemon's error: -ENOENT not-found, -EEXIST exists,
 * -EACCES denied, -EINVAL invalid, -EIO failed, -ETIMEDOUT timeout, -ENOBUFS limit, -EOWNERDEAD worker-died,
 * -EREMOTEIO task-failed, -ECANCELED cancelled, -EOPNOTSUPP unsupported, -ESHUTDOWN shutting-down.
 */
int drover_call(drover_client *client, const char *method, json_t *params, int timeout_msec, json_t **ret_result,
                drover_error **ret_error);

/**
 * drover_reply_fn - how a call ended; called exactly once a call, unless drover_cancel() was called for it
 * @result: the result, or NULL
 * @error:  the error, or NULL
 * Both are borrowed. The callback may use @client in any way, also close it.
 */
typedef void drover_reply_fn(drover_client *client, json_t *result, const drover_error *error, void *userdata);
/** drover_notify_fn - one message of a stream: @kind is "log" or "event", @params its content, both borrowed. */
typedef void drover_notify_fn(drover_client *client, const char *kind, json_t *params, void *userdata);

/**
 * drover_call_async() - call a method; @on_reply is told how it ended, never before this function has returned
 * @on_reply: may be NULL
 * @ret_id:   may be NULL; for drover_cancel()
 *
 * Any number may be in flight (the daemon bounds them, at 256, and answers `limit` beyond).
 *
 * Return: 0; on failure as drover_call(), and @on_reply will not be called.
 */
int drover_call_async(drover_client *client, const char *method, json_t *params, drover_reply_fn *on_reply,
                      void *userdata, uint64_t *ret_id, drover_error **ret_error);

/**
 * drover_subscribe() - call a method that streams ("logs", "events"): @on_notify for each message, then @on_end once
 * @on_end: as on_reply of drover_call_async(): when the stream ended by itself, failed, or the connection did
 *
 * With {"follow": true} it streams until drover_cancel() or drover_close().
 */
int drover_subscribe(drover_client *client, const char *method, json_t *params, drover_notify_fn *on_notify,
                     drover_reply_fn *on_end, void *userdata, uint64_t *ret_id, drover_error **ret_error);

/**
 * drover_cancel() - forget a call or a subscription: its callbacks will not run
 * The daemon is not told; what it still sends for it is dropped here.
 *
 * Return: 0; -ENOENT when there is none (it may just have ended); -ECHILD.
 */
int drover_cancel(drover_client *client, uint64_t id);

/** drover_in_flight() - how many calls and subscriptions have not ended. */
size_t drover_in_flight(const drover_client *client);

/* ---- In a loop ---------------------------------------------------------------------------------------------- */

/** drover_fd() - the descriptor to watch; it changes with drover_reconnect(). Negative when disconnected. */
int drover_fd(const drover_client *client);
/** drover_events() - what to watch it for now: POLLIN, POLLOUT of poll(2), which are EPOLLIN, EPOLLOUT as well. */
short drover_events(const drover_client *client);
/**
 * drover_process() - receive and send what can be without waiting, and run the callbacks that are due
 *
 * Return: the number of messages handled; -ECONNRESET once the connection is lost, after every call in flight was
 * told; -EPROTO when the peer broke the protocol (the connection is closed then as well); -ENOMEM; -ECHILD.
 */
int drover_process(drover_client *client);
/**
 * drover_poll() - poll(2) for this one client, then drover_process(): a loop for programs that have none
 *
 * Return: as drover_process(); 0 after @timeout_msec (-1: never) as well; -EINTR when a signal handler ran.
 */
int drover_poll(drover_client *client, int timeout_msec);

/* ---- Processes ---------------------------------------------------------------------------------------------- */

/**
 * drover_run() - start one process and wait until it is started
 * @what:     the parameters of the method "run": {"command": ["/bin/echo", "hello"]}, or {"module": "/usr/lib/math.so",
 *            "target": "square", "args": [5]}, and, if wished, "name", "daemon", "env", "directory", ... any key of a pool
 * @ret_name: its name, the caller's to free(); may be NULL
 *
 * Return: 0; as drover_call(). A program that cannot be started is the daemon's error `failed`.
 */
int drover_run(drover_client *client, json_t *what, int timeout_msec, char **ret_name, drover_error **ret_error);

/**
 * drover_wait() - join: wait until a process (or a worker) ended
 * @name:         as drover_run() gave it, or a selector of one worker like "web/0"
 * @ret_exitcode: 0..255, or -N when signal N killed it; may be NULL
 *
 * Return: 0; -ETIMEDOUT when it lives after @timeout_msec; else as drover_call().
 */
int drover_wait(drover_client *client, const char *name, int timeout_msec, int *ret_exitcode, drover_error **ret_error);

/**
 * drover_exit_fn - how a process of drover_run_async() ended
 * @name:     its name, borrowed
 * @exitcode: 0..255, -N for signal N; of no meaning with @error
 * @error:    why it could not be run or waited for, or NULL; borrowed
 */
typedef void drover_exit_fn(drover_client *client, const char *name, int exitcode, const drover_error *error, void *userdata);

/**
 * drover_run_async() - start one process and be told once how it ended
 * One `run` goes out with "wait", so that it costs one round trip; a process without "name" gets a unique one here.
 *
 * Return: 0; on failure as drover_call_async(), and @on_exit will not be called.
 */
int drover_run_async(drover_client *client, json_t *what, drover_exit_fn *on_exit, void *userdata, drover_error **ret_error);

/* ---- Tasks -------------------------------------------------------------------------------------------------- */

/* One task is a call: drover_call(client, "task.submit", {"pool": "math", "target": "square", "args": [5], "wait": true}).
 * Many at once are a map: */

/* Results of neighbouring items of a map; valid until the callback returns. */
typedef struct drover_results drover_results;

/** drover_results_fn - some results came; the callback may use @client in any way, also close it. */
typedef void drover_results_fn(drover_client *client, drover_results *results, void *userdata);

/**
 * drover_map() - call a target for each of many items, by the workers of a pool; as the method task.map
 * @what:       its parameters: "pool", "target", and "items" or "count"; "ordered", "chunk", "timeout"... as documented there
 * @on_results: some results; may be NULL
 * @on_end:     once, after the last result: {"items": N, "failed": N}, or an error; may be NULL
 * @ret_id:     may be NULL; for drover_cancel()
 *
 * Any number of items: those that do not fit one message follow as the daemon has room for them; they must not be changed
 * before the end. A million results are told in some hundred calls of @on_results, and nothing is made of them that nobody
 * asks for.
 *
 * Return: 0; on failure as drover_call(), and no callback will be called. -ENOBUFS: a single item beyond 64 KiB.
 */
int drover_map(drover_client *client, json_t *what, drover_results_fn *on_results, drover_reply_fn *on_end, void *userdata,
               uint64_t *ret_id, drover_error **ret_error);

/** drover_results_first() - the number of the first item among these; items count from 0. */
size_t drover_results_first(const drover_results *results);
/** drover_results_count() - how many items. */
size_t drover_results_count(const drover_results *results);
/** drover_results_text() - the results as they came, a JSON array; not terminated: @ret_length, in bytes, may be NULL. */
const char *drover_results_text(const drover_results *results, size_t *ret_length);
/** drover_results_values() - the same as values: a new reference to an array, in which an item that failed is null. NULL: memory is
 * short, or jansson cannot hold a number. */
json_t *drover_results_values(const drover_results *results);
/**
 * drover_results_integers() - the same as integers, the fastest way to read them
 * @values: room for drover_results_count() of them; what is in it after a failure is undefined
 *
 * Return: 0; -EINVAL: some are none; -ERANGE: some need more than 64 bits.
 */
int drover_results_integers(const drover_results *results, int64_t *values);
/**
 * drover_results_errors() - what became of items that failed: an object, by their place among these: {"3": {"code", "message",
 * "data"}}. Borrowed; NULL: none failed.
 */
json_t *drover_results_errors(drover_results *results);

/* ---- Blobs -------------------------------------------------------------------------------------------------- */

/* A message has at most 64 KiB. Longer arguments of task.submit, and longer results, travel as text in shared memory all the
 * same, and nothing need be done for it. Bytes that are no text to begin with (a picture, an array of numbers) go as blobs:
 * they are not encoded, and larger ones (256 KiB) not even copied.
 *
 *     drover_blob *image = NULL, *small = NULL;
 *     drover_blob_new(client, size, 1000, &image, &error);
 *     memcpy(drover_blob_data(image), pixels, size);
 *     json_t *what = json_pack("{s:s,s:s,s:[{s:i},i],s:[o],s:b}", "pool", "pictures", "target", "shrink",
 *                              "args", "$blob", 0, 100, "blobs", drover_blob_name(image), "wait", 1);
 *     drover_call(client, "task.submit", what, -1, &outcome, &error);
 *     drover_reply_blob(client, 0, &small, &error);
 *
 * An argument {"$blob": N} is the N-th of "blobs", and in a result it is the N-th that came with the reply. */
typedef struct drover_blob drover_blob;

/**
 * drover_blob_new() - memory for an argument, zeroed; to be written by drover_blob_data()
 * @size: 1 .. 1 GiB
 * The daemon holds it for this connection until a task.submit has used it (method blob.drop gives it back unused).
 *
 * Return: 0; -ENOBUFS (limit: of the user, or of the machine's memory); -ENOMEM; else as drover_call().
 */
int drover_blob_new(drover_client *client, size_t size, int timeout_msec, drover_blob **ret_blob, drover_error **ret_error);
/** drover_blob_data() - its bytes, borrowed until drover_blob_name() or drover_blob_free(); those of a result are not to be
 *  written. NULL when memory is short. */
void *drover_blob_data(drover_blob *blob);
/** drover_blob_size() - in bytes. */
size_t drover_blob_size(const drover_blob *blob);
/**
 * drover_blob_name() - it is written: the value for "blobs" of one task.submit
 * From now on nobody can change it, and drover_blob_data() begins anew.
 *
 * Return: a new reference; NULL for a result's, when another process has it mapped for writing (errno EBUSY), or memory is short.
 */
json_t *drover_blob_name(drover_blob *blob);
/**
 * drover_reply_blob() - the @index-th blob that came with a reply: in its callback, or after drover_call(), before the next call
 * Each is there once. Those that nobody takes are closed.
 *
 * Return: 0, *ret_blob is the caller's, drover_blob_free() it; -ENOENT; -ENOMEM.
 */
int drover_reply_blob(drover_client *client, size_t index, drover_blob **ret_blob, drover_error **ret_error);
/** drover_blob_free() - release; NULL is fine. A task that uses it is not concerned. */
void drover_blob_free(drover_blob *blob);

/* ---- Workers ------------------------------------------------------------------------------------------------ */

/* A worker carries out tasks: calls of its targets by name, with arguments and a result. There are two ways to make one:
 *
 *   - a module, a shared object that exports one `drover_module` and is loaded by drover's own host program:
 *         {"pools": {"math": {"module": "/usr/lib/math.so", "workers": "cpus"}}}
 *   - a program of its own that hands the same table to drover_worker_run():
 *         {"pools": {"math": {"command": ["/usr/bin/math"], "protocol": "tasks"}}}
 *
 * A complete module; build it with `cc -shared -fPIC -o math.so math.c $(pkg-config --cflags --libs drover)`:
 *
 *     #include <drover.h>
 *
 *     static json_t *square(drover_task *task, json_t *args, json_t *kwargs) {
 *             json_t *x = json_array_get(args, 0);
 *
 *             if (!json_is_integer(x))
 *                     return drover_raise(task, "TypeError", "square() takes an integer");
 *             return json_integer(json_integer_value(x) * json_integer_value(x));
 *     }
 *
 *     static const drover_target targets[] = {
 *             {"square", square, "the square of an integer"},
 *             {NULL},
 *     };
 *     const drover_module drover_module_table = {.abi = DROVER_MODULE_ABI, .name = "math", .targets = targets};
 *
 * Called by the workers of a pool, and once in a process of its own (here drover_call() and drover_run() do the same):
 *
 *     droverctl targets ./math.so
 *     droverctl add math --module ./math.so --workers cpus
 *     droverctl submit --wait math square 5
 *     droverctl run --module ./math.so --target square 5
 *
 * A worker does one task after the other, all in its main thread; more at once is what more workers are for. What a target prints
 * goes to the log of its worker. When a task lasts longer than its "timeout", SIGUSR2 has the worker write to stderr where it
 * is, unless init() has set a handler of its own; a second later the worker is killed, and a new one takes its place. A target may
 * fork, may end its process, and may crash: its caller hears of that as the error `worker-died`.
 */

#define DROVER_MODULE_ABI 1

/* One call in progress; valid until the target returns. */
typedef struct drover_task drover_task;

/**
 * drover_target_fn - carry out one task
 * @args:   an array, borrowed
 * @kwargs: an object, borrowed
 *
 * Return: a new reference, the result; what JSON cannot hold (NaN, an infinity, a cycle) is an error of the caller's
 * task. Or NULL, after drover_raise(). NULL without it raises "RuntimeError". A result of json_null() is None.
 */
typedef json_t *drover_target_fn(drover_task *task, json_t *args, json_t *kwargs);

typedef struct drover_target {
        const char *name; /* as tasks call it; NULL ends the table */
        drover_target_fn *run;
        const char *help; /* one line for people; may be NULL */
} drover_target;

typedef struct drover_module {
        unsigned abi;     /* DROVER_MODULE_ABI */
        const char *name; /* for people */
        /* Once in each worker, before its first task: make the state that the targets share. 0, or a negative errno and
         * the worker ends. May be NULL. With start_method "forkserver", the default of a pool with a module, it is called once
         * in the template, and all workers are forked with the state it made: memory is shared until somebody writes to it,
         * descriptors stay open; threads do not come along, and handlers of pthread_atfork(3) may not run. With "fork" the
         * template has loaded the module, its constructors included, and each worker calls init() for itself. */
        int (*init)(void **ret_state);
        void (*exit)(void *state); /* once, when the worker ends in order; may be NULL */
        const drover_target *targets;
} drover_module;

/* What a module exports, under this very name. */
#define DROVER_MODULE_SYMBOL "drover_module_table"

/** drover_task_state() - what init() made, or NULL. */
void *drover_task_state(const drover_task *task);
/** drover_task_target() - the name it was called by. Borrowed. */
const char *drover_task_target(const drover_task *task);
/**
 * drover_task_blob() - the bytes of an argument that is a blob
 * @value: an argument, {"$blob": INDEX}, or NULL
 * @ret_data: borrowed until the target returns; not to be written
 *
 * Return: 0; -ENOENT: @value is no blob of this task; -ENOMEM.
 */
int drover_task_blob(drover_task *task, const json_t *value, const void **ret_data, size_t *ret_size);
/**
 * drover_task_blob_new() - memory for a large result: write it, and return the value, or put it into what is returned
 * @size: 1 .. 1 GiB
 * @ret_data: zeroed; borrowed until the target returns, then sealed. No process may have it mapped by then: whoever forks
 *            leaves it alone
 *
 * Results of more than 64 KiB without it travel in the same way, as text. Not for the items of a map.
 *
 * Return: a new reference to {"$blob": INDEX}; NULL, and an exception is raised: `if (!value) return NULL;`
 */
json_t *drover_task_blob_new(drover_task *task, size_t size, void **ret_data);
/**
 * drover_raise() - the task fails: `return drover_raise(task, "ValueError", "%d is odd", n);`
 * The caller gets the type, the message and a traceback: this function, file and line, then the other frames of the
 * thread with their symbols (functions that the module does not export have an offset instead). The last call counts.
 *
 * Return: NULL.
 */
#define drover_raise(task, ...)                                                                                   \
        __extension__({                                                                                               \
                json_t *drover_null = drover_raise_at(task, __func__, __FILE__, __LINE__, __VA_ARGS__);               \
                __asm__ volatile(""); /* no tail call: the frame of this function is to be seen */                    \
                drover_null;                                                                                          \
        })
/** drover_raise_at() - what drover_raise() calls; for other languages' bindings. @function, @file: borrowed during the call. */
json_t *drover_raise_at(drover_task *task, const char *function, const char *file, int line, const char *type,
                        const char *format, ...) __attribute__((format(printf, 6, 7)));

/**
 * drover_worker_run() - be a worker until drover wants no more of it
 * Serves the channel at the descriptor $DROVER_TASKS_FD. In a pool with start_method "fork" or "forkserver" the program is
 * started once, as a template ($DROVER_TEMPLATE_FD), and this function forks the workers and returns in each of them when it
 * ends. A program that drover did not start as a worker of a pool with "protocol": "tasks" gets an error.
 *
 * Return: what main() shall return: 0 at the channel's end; 1 after a failed init() or a broken channel; 2 without a
 * channel or with a faulty table. It is said on stderr.
 */
int drover_worker_run(const drover_module *module);

/**
 * drover_integer() - an integer of any size up to 128 bits as a value
 * JSON integers of jansson have 64 bits. A larger one travels as a string of its decimal digits, "-170141183460469231731687303715884105728",
 * which drover_integer_value() takes as well; so does drover everywhere it is asked for an integer.
 *
 * Return: a new reference: an integer where it fits, else a string; NULL when memory is short.
 */
json_t *drover_integer(__int128 value);
/** drover_integer_value() - the opposite: an integer, or a string of decimal digits. -EINVAL for anything else, -ERANGE. */
int drover_integer_value(const json_t *value, __int128 *ret);

#ifdef __cplusplus
}
#endif

#endif
