/* session.c - sessions over libdrover. */
#include "ctl/session.h"

#include "base/alloc.h"
#include "base/json.h"
#include "drover.h"
#include <stdarg.h>
#include <stdio.h>

#define SESSION_EXTRA_MAX 8 /* descriptors watched beside the session's own */

struct Session {
        drover_client *client;
        char *path;
};

/* A call on its way: libdrover's callbacks turned into ours. Freed by the reply, which always comes, or by
 * session_cancel(). */
struct SessionCall {
        uint64_t id;
        session_notify_cb on_notify;
        session_results_cb on_results;
        session_reply_cb on_reply;
        void *userdata;
};
typedef struct SessionCall Pending;

void call_error_done(CallError *e) {
        free(e->message);
        json_decref(e->data);
        *e = (CallError){};
}

void call_error_set(CallError *e, const char *name, const char *fmt, ...) {
        char buf[4096];
        va_list ap;

        va_start(ap, fmt);
        vsnprintf(buf, sizeof(buf), fmt, ap);
        va_end(ap);
        call_error_done(e);
        snprintf(e->name, sizeof(e->name), "%s", name);
        e->message = alloc_strdup(buf);
}

bool call_error_is(const CallError *e, const char *name) {
        return streq(e->name, name);
}

/* A sentence for each failure that is ours, with what to do; the daemon's are sentences already. */
static void error_from(const Session *s, const drover_error *from, CallError *e) {
        const char *name = drover_error_name(from), *message = drover_error_message(from);

        if (streq(name, "no-daemon"))
                call_error_set(
                        e, name,
                        "no droverd answers at %s; start one with `droverd` or `systemctl start droverd`, or "
                        "choose another socket with -S",
                        s->path);
        else if (streq(name, "denied") && !drover_error_code(from))
                call_error_set(e, name, "%s: permission denied; only root and droverd's own user may use it",
                               s->path);
        else
                call_error_set(e, name, "%s", message);
        e->code = drover_error_code(from);
        e->data = json_incref(drover_error_data(from));
}

int session_open(Session **ret, const char *path, CallError *error) {
        _cleanup_(session_freep) Session *s = NEW0(Session);
        drover_error *e = NULL;

        if (s)
                s->path = path ? alloc_strdup(path) : drover_default_socket();
        if (!s || !s->path) {
                call_error_set(error, "failed", "out of memory");
                return -ENOMEM;
        }
        int r = drover_connect(&s->client, s->path, &e);
        if (r < 0) {
                error_from(s, e, error);
                drover_error_free(e);
                return r;
        }
        *ret = TAKE_PTR(s);
        return 0;
}

Session *session_free(Session *s) {
        if (!s)
                return NULL;
        drover_close(s->client);
        free(s->path);
        free(s);
        return NULL;
}

const char *session_path(const Session *s) {
        return s->path;
}

static int to_msec(usec_t span) {
        usec_t msec = span / USEC_PER_MSEC + (span % USEC_PER_MSEC != 0);

        return span == USEC_INFINITY ? -1 : (int) MIN(msec, (usec_t) INT32_MAX);
}

int session_call(Session *s, const char *method, json_t *params, usec_t timeout, json_t **ret,
                 CallError *error) {
        drover_error *e = NULL;
        int r = drover_call(s->client, method, params, to_msec(timeout), ret, &e);

        if (r < 0) {
                error_from(s, e, error);
                drover_error_free(e);
        }
        return r;
}

static void on_reply(_unused_ drover_client *client, json_t *result, const drover_error *error,
                     void *userdata) {
        _cleanup_free_ Pending *p = userdata;
        _cleanup_call_error_ CallError e = {};

        if (error) {
                call_error_set(&e, drover_error_name(error), "%s", drover_error_message(error));
                e.code = drover_error_code(error);
                e.data = json_incref(drover_error_data(error));
        }
        p->on_reply(result, error ? &e : NULL, p->userdata);
}

static void on_notify(_unused_ drover_client *client, const char *kind, json_t *params, void *userdata) {
        Pending *p = userdata;

        p->on_notify(kind, params, p->userdata);
}

int session_stream_start(Session *s, const char *method, json_t *params, session_notify_cb notify,
                         session_reply_cb on_end, void *userdata, SessionCall **ret) {
        Pending *p = NEW0(Pending);
        int r;

        if (!p)
                return -ENOMEM;
        *p = (Pending){.on_notify = notify, .on_reply = on_end, .userdata = userdata};
        if (notify)
                r = drover_subscribe(s->client, method, params, on_notify, on_reply, p, &p->id, NULL);
        else
                r = drover_call_async(s->client, method, params, on_reply, p, &p->id, NULL);
        if (r < 0)
                free(p);
        else if (ret)
                *ret = p;
        return r;
}

int session_stream(Session *s, const char *method, json_t *params, session_notify_cb notify,
                   session_reply_cb on_end, void *userdata) {
        return session_stream_start(s, method, params, notify, on_end, userdata, NULL);
}

static void on_results(_unused_ drover_client *client, drover_results *results, void *userdata) {
        Pending *p = userdata;
        size_t length;
        const char *array = drover_results_text(results, &length);

        p->on_results(drover_results_first(results), array, length, drover_results_errors(results), p->userdata);
}

int session_map_start(Session *s, json_t *params, session_results_cb on_some, session_reply_cb on_end, void *userdata,
                      SessionCall **ret) {
        Pending *p = NEW0(Pending);
        int r;

        if (!p)
                return -ENOMEM;
        *p = (Pending){.on_results = on_some, .on_reply = on_end, .userdata = userdata};
        r = drover_map(s->client, params, on_results, on_reply, p, &p->id, NULL);
        if (r < 0)
                free(p);
        else
                *ret = p;
        return r;
}

uint64_t session_call_id(const SessionCall *call) {
        return call->id;
}

void session_cancel(Session *s, SessionCall *call) {
        _cleanup_json_ json_t *params = json_pack("{s:I}", "id", (json_int_t) call->id);

        (void) drover_cancel(s->client, call->id);
        if (params && session_is_open(s))
                (void) drover_call_async(s->client, "call.cancel", params, NULL, NULL, NULL, NULL);
        free(call);
}

int session_call_async(Session *s, const char *method, json_t *params, session_reply_cb cb, void *userdata) {
        return session_stream(s, method, params, NULL, cb, userdata);
}

static int poll_until(struct pollfd *fds, size_t n, usec_t deadline) {
        for (;;) {
                int r = poll(fds, n,
                             to_msec(usec_sub(deadline, deadline == USEC_INFINITY ? 0 : clock_now())));
                if (r >= 0 || errno != EINTR)
                        return r < 0 ? -errno : r;
        }
}

int session_poll(Session *s, struct pollfd *extra, size_t n_extra, usec_t deadline) {
        struct pollfd fds[SESSION_EXTRA_MAX + 1] = {
                {.fd = drover_fd(s->client), .events = drover_events(s->client)}};
        int n_ready = 0;

        if (fds[0].fd < 0)
                return -ECONNRESET;
        if (n_extra > SESSION_EXTRA_MAX)
                return -E2BIG;
        memcpy(fds + 1, extra, n_extra * sizeof(*extra));
        int r = poll_until(fds, n_extra + 1, deadline);
        if (r < 0)
                return r;
        for (size_t i = 0; i < n_extra; i++) {
                extra[i].revents = fds[i + 1].revents;
                n_ready += extra[i].revents != 0;
        }
        if (fds[0].revents) {
                r = drover_process(s->client);
                if (r < 0)
                        return r == -ENOMEM ? r : -ECONNRESET;
        }
        return n_ready;
}

bool session_is_open(const Session *s) {
        return drover_fd(s->client) >= 0;
}

int session_reopen(Session *s) {
        return drover_reconnect(s->client, NULL);
}
