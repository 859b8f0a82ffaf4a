/* client.c - one connection to a daemon: its life, and what travels on it.
 *
 * States: connected (stream), disconnected (no stream: every call in flight was told; drover_reconnect()
 * leads back), closed (drover_close() was called; gone as soon as no function of the library uses it any
 * more, for a callback may close its client). Each entry that runs callbacks counts itself in n_users.
 *
 * Everything a peer sends passes the bounds below before memory is spent on it; replies to unknown ids and
 * streams nobody listens to are dropped. A message which is not JSON-RPC, or an error without an id (the
 * daemon could not read one of our lines), ends the connection: no reply can be trusted to come after it. */
#include "lib/client.h"
#include "base/alloc.h"
#include "lib/connect.h"
#include "lib/results.h"
#include "wire/protocol.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#define LINE_MAX_BYTES ((size_t) 64 << 20)
#define SUBMIT_LINE_MAX (PROTOCOL_LINE_MAX - 1024) /* what droverd adds for the worker fits a line of his, too */
#define RECEIVE_ENOUGH 4096 /* a smaller read has emptied the socket */
#define RECEIVES_MAX 64     /* reads in one drover_process(): a flood does not hold a foreign loop for ever */

static const JsonLimits reply_limits = {.max_bytes = LINE_MAX_BYTES, .max_nodes = 2u << 20, .max_depth = 128};
static const StreamLimits stream_limits = {
        .line_max = LINE_MAX_BYTES, .out_high = 1u << 20, .out_max = LINE_MAX_BYTES};

static drover_client *client_free(drover_client *c) {
        if (!c)
                return NULL;
        c->stream = stream_free(c->stream);
        attach_received_done(&c->received);
        reply_blobs_done(&c->reply);
        pending_done(&c->pending);
        free(c->path);
        free(c);
        return NULL;
}
DEFINE_CLEANUP(drover_client, client_free);

void client_unuse(drover_client *c) {
        if (--c->n_users == 0 && c->is_closed)
                (void) client_free(c);
}

static ssize_t read_attached(int fd, void *buf, size_t size, void *userdata) {
        drover_client *c = userdata;
        ssize_t n = attach_receive(&c->received, fd, buf, size, MSG_DONTWAIT);

        if (n >= 0)
                return n;
        errno = (int) -n;
        return -1;
}

static int client_open(drover_client *c, drover_error **ret_error) {
        int fd = -EBADF, r;

        r = connect_socket(c->path, &fd, ret_error);
        if (r < 0)
                return r;
        r = stream_new(&c->stream, fd, &stream_limits);
        if (r < 0) {
                (void) close(fd);
                return lib_failf(ret_error, r, "cannot set up the connection: %s", strerror(-r));
        }
        stream_set_reader(c->stream, read_attached, c);
        c->n_connects++;
        return 0;
}

int drover_connect(drover_client **ret_client, const char *path, drover_error **ret_error) {
        _cleanup_(client_freep) drover_client *c = NEW0(drover_client);
        int r;

        if (!c)
                return lib_failf(ret_error, -ENOMEM, "out of memory");
        c->pid = getpid();
        c->path = path ? alloc_strdup(path) : drover_default_socket();
        if (!c->path)
                return lib_failf(ret_error, -ENOMEM, "out of memory");
        r = client_open(c, ret_error);
        if (r < 0)
                return r;
        *ret_client = TAKE_PTR(c);
        return 0;
}

/* Drop the connection and tell every call made so far. Calls that callbacks make from now on are not touched.
 */
static void client_disconnect(drover_client *c, const drover_error *why) {
        uint64_t last = c->last_id, id;

        c->stream = stream_free(c->stream);
        attach_received_done(&c->received);
        while ((id = pending_after(&c->pending, 0)) > 0 && id <= last) {
                PendingWho who;

                (void) pending_take(&c->pending, id, &who);
                if (who.on_reply)
                        who.on_reply(c, NULL, why, who.userdata);
        }
}

int drover_reconnect(drover_client *client, drover_error **ret_error) {
        _cleanup_error_ drover_error *why = NULL;
        int r;

        if (client->pid != getpid())
                return client_check(client, ret_error);
        why = lib_error_new(-ECONNRESET, "the connection to %s was given up for a new one", client->path);
        client->n_users++;
        client_disconnect(client, why);
        if (client->is_closed)
                r = lib_failf(ret_error, -ECANCELED, "the client was closed");
        else if (client->stream) /* a callback was faster */
                r = 0;
        else
                r = client_open(client, ret_error);
        client_unuse(client);
        return r;
}

void drover_close(drover_client *client) {
        if (!client || client->is_closed)
                return;
        client->n_users++;
        client->is_closed = true;
        if (client->pid == getpid()) {
                _cleanup_error_ drover_error *why = lib_error_new(-ECANCELED, "the client was closed");

                client_disconnect(client, why);
        }
        client_unuse(client);
}

int client_check(const drover_client *c, drover_error **ret_error) {
        if (c->pid != getpid())
                return lib_failf(ret_error, -ECHILD,
                                 "this connection belongs to process %d: connect anew after fork()",
                                 (int) c->pid);
        if (c->is_closed)
                return lib_failf(ret_error, -ECANCELED, "the client was closed");
        if (!c->stream)
                return lib_failf(ret_error, -ECONNRESET, "not connected to %s any more", c->path);
        return 0;
}

/* Whose outcome may come with descriptors: this library takes them. A new reference, or NULL: as it is. */
static json_t *with_attach(const char *method, json_t *params) {
        const json_t *tasks = json_object_get(params, "tasks");
        bool is_submit = strcmp(method, "task.submit") == 0 && json_is_true(json_object_get(params, "wait"));
        bool is_wait = strcmp(method, "task.wait") == 0 && (json_is_string(tasks) || json_array_size(tasks) == 1);
        json_t *copy;

        if ((!is_submit && !is_wait) || json_object_get(params, "attach"))
                return NULL;
        copy = json_copy(params);
        if (copy)
                (void) json_object_set_new(copy, "attach", json_true());
        return copy;
}

/* The whole line, or nothing. */
static int call_put(Stream *stream, uint64_t id, const char *method, json_t *params) {
        Text *out = stream_output(stream);
        size_t before = out->length, most = spill_is_for(method, params) ? SUBMIT_LINE_MAX : PROTOCOL_LINE_MAX;
        int r;

        envelope_begin_call(out, id, method);
        if (!params)
                text_append(out, "{}");
        else if (json_dump_append(out, params, JSON_COMPACT) < 0)
                out->failed = true;
        envelope_end(out);
        envelope_end_line(out);
        r = stream_check_output(stream);
        if (r >= 0 && out->length - before > most)
                r = -ENOBUFS;
        if (r < 0)
                text_truncate(out, before);
        return r;
}

int client_send(drover_client *c, const char *method, json_t *params, const PendingWho *who, uint64_t *ret_id,
                drover_error **ret_error) {
        _cleanup_json_ json_t *attached = with_attach(method, params);
        uint64_t id = c->last_id + 1;
        Text *out;
        size_t before;
        int r = client_check(c, ret_error);

        if (r < 0)
                return r;
        if (params && !json_is_object(params) && !json_is_array(params))
                return lib_failf(ret_error, -EINVAL, "parameters must be an object or an array");
        out = stream_output(c->stream);
        before = out->length;
        params = attached ? attached : params;
        r = call_put(c->stream, id, method, params);
        if (r == -ENOBUFS && spill_is_for(method, params))
                return spill_send(c, params, who, ret_id, ret_error);
        if (r == -ENOBUFS)
                return lib_failf(ret_error, r,
                                 "too much to send: a call has at most %u bytes, all unsent ones %zu",
                                 PROTOCOL_LINE_MAX, stream_limits.out_max);
        if (r >= 0) {
                r = pending_add(&c->pending, id, who);
                if (r < 0)
                        text_truncate(out, before);
        }
        if (r < 0)
                return lib_failf(ret_error, r, "out of memory");
        c->last_id = id;
        *ret_id = id;
        return 0;
}

void client_flush(drover_client *c) {
        if (c->stream)
                (void) stream_flush(c->stream);
}

/* A message of a stream. Without the member that says to which call it belongs it is for every stream. */
static void handle_notification(drover_client *c, const Envelope *e) {
        json_t *call = json_object_get(e->params, PROTOCOL_CALL_MEMBER);
        unsigned n_connects = c->n_connects;
        PendingWho who;
        uint64_t id = 0;

        if (json_is_integer(call)) {
                id = (uint64_t) json_integer_value(call);
                (void) json_object_del(e->params, PROTOCOL_CALL_MEMBER);
                if (pending_find(&c->pending, id, &who) >= 0 && who.on_notify)
                        who.on_notify(c, e->method, e->params, who.userdata);
                return;
        }
        while ((id = pending_after(&c->pending, id)) > 0 && c->stream && c->n_connects == n_connects)
                if (pending_find(&c->pending, id, &who) >= 0 && who.on_notify)
                        who.on_notify(c, e->method, e->params, who.userdata);
}

/* Return: 0; or an error of the connection as a whole. */
static drover_error *handle_reply(drover_client *c, const Envelope *e) {
        _cleanup_error_ drover_error *error = e->kind == ENVELOPE_ERROR ? lib_error_from_reply(e) : NULL;
        PendingWho who;

        reply_blobs_done(&c->reply);
        if (e->result && reply_blobs_take(&c->reply, &c->received, e->result) < 0)
                return lib_error_new(-EPROTO, "the peer at %s announced descriptors and sent none", c->path);
        if (error && json_is_null(e->id))
                return TAKE_PTR(error);
        if (!json_is_integer(e->id) ||
            pending_take(&c->pending, (uint64_t) json_integer_value(e->id), &who) < 0)
                return NULL;
        if (who.on_reply)
                who.on_reply(c, e->result, error, who.userdata);
        return NULL;
}

/* Results for somebody who takes them as they are? */
static bool handle_results(drover_client *c, const char *line, size_t length) {
        struct drover_results results;
        PendingWho who;

        if (results_read(line, length, &results) < 0 || pending_find(&c->pending, results.call, &who) < 0 || !who.on_results)
                return false;
        who.on_results(c, &results, who.userdata);
        results_done(&results);
        return true;
}

/* JSON that jansson cannot hold: an integer beyond 64 bits, \u0000, half a surrogate pair. Workers of other languages may put
 * it into results, and that is no reason to lose the connection: the call it answers fails. */
static bool handle_unheld(drover_client *c, const char *line, size_t length, const JsonFault *fault) {
        SliceMember whole[] = {{.key = "id"}, {.key = "params"}, {.key = "method"}}, params[] = {{.key = PROTOCOL_CALL_MEMBER}};
        _cleanup_error_ drover_error *error = NULL;
        Slice number;
        PendingWho who;
        uint64_t id;

        if (slice_object(line, length, whole, ARRAY_SIZE(whole), NULL) < 0)
                return false;
        number = whole[0].value;
        if (whole[2].value.at && whole[1].value.at && slice_object(whole[1].value.at, whole[1].value.n, params, 1, NULL) >= 0)
                number = params[0].value;
        if (slice_u64(number, &id) < 0 || pending_take(&c->pending, id, &who) < 0)
                return false;
        error = lib_error_new(-EPROTO, "the answer has a value that cannot be held here: %s", fault->text);
        if (who.on_reply)
                who.on_reply(c, NULL, error, who.userdata);
        return true;
}

/* Return: NULL, or why the connection cannot go on. */
static drover_error *handle_line(drover_client *c, const char *line, size_t length) {
        _cleanup_json_ json_t *message = NULL;
        JsonFault fault = {0};
        Envelope e;
        int r;

        if (handle_results(c, line, length))
                return NULL;
        r = json_load_bounded(line, length, &reply_limits, &message, &fault);
        if (r == -ENOMEM)
                return lib_error_new(r, "out of memory");
        if (r < 0 && handle_unheld(c, line, length, &fault))
                return NULL;
        if (r < 0)
                return lib_error_new(-EPROTO, "the peer at %s sent what is not a message: %s", c->path,
                                     fault.text);
        envelope_unpack(message, &e);
        switch (e.kind) {
        case ENVELOPE_REPLY:
        case ENVELOPE_ERROR:
                return handle_reply(c, &e);
        case ENVELOPE_NOTIFICATION:
                handle_notification(c, &e);
                return NULL;
        case ENVELOPE_INVALID:
                return lib_error_new(-EPROTO, "the peer at %s does not speak JSON-RPC: %s", c->path, e.fault);
        case ENVELOPE_CALL:
        case ENVELOPE_BATCH:
                break; /* nothing here serves calls, and none was made in a batch */
        }
        return NULL;
}

/* Every whole line that was received. Return: NULL, or why the connection cannot go on. */
static drover_error *handle_lines(drover_client *c, int *n_handled) {
        unsigned n_connects = c->n_connects;
        drover_error *why = NULL;

        while (!why && c->stream && c->n_connects == n_connects) {
                size_t length;
                char *line;
                int r = stream_next_line(c->stream, &line, &length);

                if (r == 0)
                        break;
                if (r < 0)
                        return lib_error_new(-EPROTO, "the peer at %s sent a message of more than %zu bytes",
                                             c->path, LINE_MAX_BYTES);
                (*n_handled)++;
                why = handle_line(c, line, length);
        }
        return why;
}

static drover_error *receive_error(const drover_client *c, int r) {
        if (r == -ENOMEM)
                return lib_error_new(r, "out of memory");
        return lib_error_new(-ECONNRESET,
                             "the daemon at %s closed the connection: it ended, or is being restarted",
                             c->path);
}

/* Return: NULL, or why the connection cannot go on. */
static drover_error *client_transfer(drover_client *c, int *n_handled) {
        unsigned n_connects = c->n_connects;
        int flushed = stream_flush(c->stream), received = RECEIVE_ENOUGH;

        /* A peer that closed may have said why before, so a failed write waits until all is read. */
        for (int i = 0; i < RECEIVES_MAX && received >= RECEIVE_ENOUGH; i++) {
                drover_error *why;

                received = stream_receive(c->stream);
                why = handle_lines(c, n_handled);
                if (why || !c->stream || c->n_connects != n_connects)
                        return why;
        }
        if (received < 0 || flushed < 0)
                return receive_error(c, received < 0 ? received : flushed);
        return NULL;
}

int drover_process(drover_client *client) {
        _cleanup_error_ drover_error *why = NULL;
        unsigned n_connects = client->n_connects;
        int n_handled = 0, r = client_check(client, NULL);

        if (r < 0)
                return r;
        client->n_users++;
        why = client_transfer(client, &n_handled);
        if (why) {
                r = drover_error_errno(why);
                r = r == -EPROTO || r == -ENOMEM ? r : -ECONNRESET;
                if (client->n_connects == n_connects)
                        client_disconnect(client, why);
        } else
                r = n_handled;
        client_unuse(client);
        return r;
}

int drover_fd(const drover_client *client) {
        return client->stream ? stream_fd(client->stream) : -EBADF;
}

short drover_events(const drover_client *client) {
        return client->stream ? (short) stream_events(client->stream) : 0;
}

int drover_poll(drover_client *client, int timeout_msec) {
        struct pollfd p = {.fd = drover_fd(client), .events = drover_events(client)};
        int r = client_check(client, NULL);

        if (r < 0)
                return r;
        r = poll(&p, 1, timeout_msec);
        if (r <= 0)
                return r < 0 ? -errno : 0;
        return drover_process(client);
}
