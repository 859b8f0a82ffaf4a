/* control-call.c - answers: where they go and what is written down about them.
 *
 * A changing call is written down (audit.h) when it is answered, and when its peer went before that. */
#include "control/control-call.h"
#include "base/alloc.h"
#include "base/fd.h"
#include "control/audit.h"
#include "control/control-room.h"
#include "control/own-pool.h"
#include "wire/envelope.h"

#include <stdarg.h>
#include <stdio.h>
#include <utlist.h>

int call_new(Call **ret, Connection *connection, ProtocolMethodId method, json_t *id, json_t *params, Batch *batch) {
        Call *c = NEW0(Call);

        if (!c)
                return -ENOMEM;
        c->connection = connection;
        c->method = method;
        c->id = json_incref(id);
        c->params = json_incref(params);
        c->begun = methods[method]->is_changing ? clock_now() : 0;
        c->batch = batch;
        if (batch)
                batch->n_open++;
        DL_APPEND(connection->calls, c);
        connection->n_calls++;
        c->is_charged = uid_book_charge(connection->book, UID_CALLS, 0, 1) >= 0; /* call.cancel goes beyond */
        *ret = c;
        return 0;
}

/* The call is over, answered or not. */
static void call_finish(Call *c) {
        Connection *connection = c->connection;

        DL_DELETE(connection->calls, c);
        connection->n_calls--;
        (void) uid_book_charge(connection->book, UID_CALLS, c->is_charged, 0);
        if (call_control(c)->current == c)
                call_control(c)->current = NULL;
        if (c->ops && c->ops->is_stream) {
                connection->n_streams--;
                (void) uid_book_charge(connection->book, UID_STREAMS, c->is_stream_charged, 0);
        }
        if (c->ops && c->ops->free_state)
                c->ops->free_state(c->state);
        if (c->batch)
                batch_leave(c->batch);
        json_decref(c->id);
        json_decref(c->params);
        json_decref(c->own);
        free(c);
        connection_check_out(connection);
        connection_close_if_done(connection);
}

void call_abandon_all(Connection *c) {
        while (c->calls) {
                audit_call(c->calls, "not waited for");
                call_finish(c->calls);
        }
}

void call_resume_all(Connection *c) {
        Call *call, *next;

        DL_FOREACH_SAFE(c->calls, call, next)
                if (call->ops && call->ops->on_writable && !connection_is_full(c))
                        call->ops->on_writable(call, call->state);
}

Call *call_find(Connection *c, const json_t *id) {
        Call *call;

        DL_FOREACH(c->calls, call)
                if (call->id && json_equal(call->id, id))
                        return call;
        return NULL;
}

Control *call_control(const Call *c) {
        return c->connection->control;
}

AccessClass call_level(const Call *c) {
        AccessRules rules = control_rules(call_control(c));

        return access_level(&rules, &c->connection->peer);
}

AccessClass call_pool_level(const Call *c, const Pool *p) {
        AccessClass level = call_level(c), granted;

        if (level == ACCESS_ADMINISTER || !p)
                return level;
        if (own_pool_is_of(p, c->connection->peer.uid)) /* made at run time, and his own processes */
                return ACCESS_ADMINISTER;
        granted = access_granted(&pool_config(p)->access, &c->connection->peer);
        return MAX(level, granted);
}

void call_keep(Call *c, const CallOps *ops, void *state) {
        c->ops = ops;
        c->state = state;
        if (ops->is_stream) {
                c->connection->n_streams++;
                c->is_stream_charged = uid_book_charge(c->connection->book, UID_STREAMS, 0, 1) >= 0;
        }
}

void call_set_object(Call *c, const char *object) {
        (void) snprintf(c->object, sizeof(c->object), "%s", object);
}

/* Where the answer is written: into the batch, to the peer, or nowhere. */
static Text *answer_out(const Call *c) {
        Control *control = call_control(c);

        if (!c->id) {
                text_clear(&control->nowhere);
                return &control->nowhere;
        }
        return c->batch ? &c->batch->out : connection_out(c->connection);
}

bool call_can_attach(const Call *c) {
        return c->id && !c->batch;
}

void call_attach(Call *c, int fd_take) {
        Stream *s = c->connection->stream;
        int r = fd_take < 0 ? fd_take : stream_n_attached(s) >= CONTROL_ATTACHED_MAX ? -ENOBUFS : stream_attach(s, fd_take);

        if (r >= 0)
                return;
        (void) fd_close(fd_take);
        stream_output(s)->failed = true; /* what the line says would not be true */
}

static void answer_end(Call *c) {
        if (c->id && !c->batch)
                envelope_end_line(stream_output(c->connection->stream));
        call_finish(c);
}

Text *call_begin(Call *c) {
        Text *t = answer_out(c);

        envelope_begin_reply(t, c->id);
        return t;
}

static Text *current_out(const Call *c) {
        return !c->id ? &call_control(c)->nowhere : c->batch ? &c->batch->out : stream_output(c->connection->stream);
}

void call_end(Call *c) {
        envelope_end(current_out(c));
        audit_call(c, "done");
        answer_end(c);
}

Text *call_fail_begin(Call *c, ProtocolError error, const char *message) {
        Text *t = answer_out(c);

        envelope_begin_error(t, c->id, error, message);
        return t;
}

void call_fail_end(Call *c, ProtocolError error) {
        envelope_end_error(current_out(c));
        audit_call(c, protocol_error_name(error));
        answer_end(c);
}

void call_fail(Call *c, ProtocolError error, const char *fmt, ...) {
        char message[1024];
        va_list ap;

        va_start(ap, fmt);
        (void) vsnprintf(message, sizeof(message), fmt, ap);
        va_end(ap);
        (void) call_fail_begin(c, error, message);
        call_fail_end(c, error);
}

void call_errno(Call *c, int error, const char *what) {
        if (error == -EDQUOT) {
                connection_offend(c->connection, PENALTY_QUOTA);
                call_fail(c, ERROR_LIMIT, "%s: calls of your user wait for too many workers already", what);
                return;
        }
        call_fail(c, error == -ENOMEM ? ERROR_INTERNAL : ERROR_FAILED, "%s: %s", what, strerror(-error));
}

Text *call_notify_begin(Call *c, const char *method) {
        Text *t = connection_out(c->connection);

        envelope_begin_notification(t, method);
        json_put_object(t, NULL);
        envelope_put_id_as(t, PROTOCOL_CALL_MEMBER, c->id);
        return t;
}

void call_notify_end(Call *c) {
        Text *t = stream_output(c->connection->stream);

        json_end_object(t);
        envelope_end(t);
        envelope_end_line(t);
        connection_check_out(c->connection);
}

void batch_leave(Batch *b) {
        if (--b->n_open > 0)
                return;
        if (b->out.length > 1) { /* more than the opening bracket: notifications have no answer */
                Text *t = connection_out(b->connection);

                json_end_array(&b->out);
                t->failed |= b->out.failed;
                text_append_n(t, b->out.data, b->out.length);
                envelope_end_line(t);
        }
        text_done(&b->out);
        free(b);
}
