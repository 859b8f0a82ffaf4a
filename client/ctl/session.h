/* session.h - droverctl's one connection to droverd, over libdrover.
 *
 * This file alone knows libdrover; all other files of the room speak of sessions. A session is closed or
 * open, and can be opened again after the daemon went away (session_reopen()); calls in flight end with an
 * error named "disconnected" then, and it is their owner who decides whether to repeat them.
 *
 * Owner: Ctl. One thread. */
#ifndef DROVER_CTL_SESSION_H
#define DROVER_CTL_SESSION_H

#include "base/clock.h"
#include "base/macro.h"
#include <jansson.h>
#include <poll.h>

typedef struct Session Session;

/* Why a call failed. `name` is one of the contract's error names, or one of our own: "no-daemon" (nobody
 * listens), "disconnected" (the daemon went away), "protocol" (what it said makes no sense). */
typedef struct CallError {
        int code; /* JSON-RPC; 0 for our own */
        char name[32];
        char *message; /* owned */
        json_t *data;  /* owned; NULL when there is none */
} CallError;
void call_error_done(CallError *e);
#define _cleanup_call_error_ _cleanup_(call_error_done)
void call_error_set(CallError *e, const char *name, const char *fmt, ...) _printf_(3, 4);
bool call_error_is(const CallError *e, const char *name);

/* @result and @error are borrowed; exactly one of them is not NULL. The session may be used, not freed. */
typedef void (*session_reply_cb)(json_t *result, const CallError *error, void *userdata);
typedef void (*session_notify_cb)(const char *method, json_t *params, void *userdata);

/** session_open() - @path NULL: the default place. On failure -errno and @error filled. */
int session_open(Session **ret, const char *path, CallError *error);
Session *session_free(Session *s);
DEFINE_CLEANUP(Session, session_free);
/** session_path() - the socket, for messages. Borrowed. */
const char *session_path(const Session *s);
/**
 * session_call() - blocking call
 * @params: borrowed; NULL or an object
 * Return: 0 with a new reference in *ret; -errno with @error filled.
 */
int session_call(Session *s, const char *method, json_t *params, usec_t timeout, json_t **ret,
                 CallError *error);
/** session_call_async() - @cb is called once, from session_poll() or session_free(). Return: 0 or -errno. */
int session_call_async(Session *s, const char *method, json_t *params, session_reply_cb cb, void *userdata);
/** session_stream() - as session_call_async(), with @on_notify for each message before the reply. */
int session_stream(Session *s, const char *method, json_t *params, session_notify_cb on_notify,
                   session_reply_cb on_end, void *userdata);
typedef struct SessionCall SessionCall;
/** session_stream_start() - as session_stream(), for session_cancel(). *@ret is valid until @on_end is called. */
int session_stream_start(Session *s, const char *method, json_t *params, session_notify_cb on_notify,
                         session_reply_cb on_end, void *userdata, SessionCall **ret);
/* Results of items @first .. of a map, as a JSON array that is not terminated; @errors by place among them, or NULL. */
typedef void (*session_results_cb)(size_t first, const char *array, size_t length, const json_t *errors, void *userdata);
/** session_map_start() - task.map, as session_stream_start(); results are texts, and nothing is made of them. */
int session_map_start(Session *s, json_t *params, session_results_cb on_results, session_reply_cb on_end, void *userdata,
                      SessionCall **ret);
/** session_call_id() - as the daemon knows it: for calls about this one. */
uint64_t session_call_id(const SessionCall *call);
/** session_cancel() - end a stream from our side; its callbacks are not called any more. */
void session_cancel(Session *s, SessionCall *call);
/**
 * session_poll() - wait for the session and for @extra descriptors, then handle what the session has
 * @extra: revents are filled in as by poll(2)
 * @deadline: monotonic µs, USEC_INFINITY: none
 * Return: number of @extra descriptors with revents (0 also when only the session had something or the time
 * is over); -ECONNRESET when the daemon is gone (all calls in flight have been told); other -errno.
 */
int session_poll(Session *s, struct pollfd *extra, size_t n_extra, usec_t deadline);
/** session_is_open() - false after the daemon went away. */
bool session_is_open(const Session *s);
/** session_reopen() - one attempt to connect again. Return: 0 or -errno. */
int session_reopen(Session *s);

#endif
