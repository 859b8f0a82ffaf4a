/* request.c - one line in, its calls begun, its faults answered.
 *
 * The text is counted (bytes, depth, values) before the parser sees it. What is no JSON, or too much of it, is answered
 * with id null; the connection stays, since the framing is not lost. */
#include "control/request.h"
#include "base/alloc.h"
#include "control/control-call.h"
#include "control/control-room.h"
#include "control/control.h"
#include "wire/envelope.h"

#include <stdio.h>

static const JsonLimits request_limits = {
        .max_bytes = CONTROL_LINE_MAX,
        .max_nodes = CONTROL_NODES_MAX,
        .max_depth = CONTROL_DEPTH_MAX,
};

/* An answer outside of any call. */
static void answer_error(Connection *c, Batch *b, const json_t *id, ProtocolError error, const char *message) {
        Text *t = b ? &b->out : connection_out(c);

        envelope_put_error(t, id, error, message);
        if (!b)
                envelope_end_line(t);
}

/* No request at all, or one beyond a bound: counted against the user, not against a single typing error. */
static void offend(Connection *c) {
        connection_offend(c, PENALTY_PROTOCOL);
}

static void answer_limit(Connection *c, Batch *b, const json_t *id, const char *what, unsigned max) {
        char message[128];

        (void) snprintf(message, sizeof(message), "too many %s: at most %u", what, max);
        answer_error(c, b, id, ERROR_LIMIT, message);
}

static void answer_fault(Connection *c, int error, const JsonFault *fault) {
        char message[256];

        if (error != -ENOMEM)
                offend(c);
        if (error == -ENOMEM) {
                answer_error(c, NULL, NULL, ERROR_INTERNAL, "the daemon is short of memory");
                return;
        }
        (void) snprintf(message, sizeof(message), "%s at line %d column %d: %s",
                        error == -EBADMSG ? "the message is not JSON" : "the message is too large", fault->line, fault->column,
                        fault->text);
        answer_error(c, NULL, NULL, error == -EBADMSG ? ERROR_PARSE : ERROR_LIMIT, message);
}

static void unknown_method(Connection *c, Batch *b, const Envelope *e) {
        const char *nearest = protocol_method_nearest(e->method);
        char message[256];

        if (!e->id)
                return;
        if (nearest)
                (void) snprintf(message, sizeof(message), "there is no method \"%.80s\"; did you mean \"%s\"?", e->method,
                                nearest);
        else
                (void) snprintf(message, sizeof(message), "there is no method \"%.80s\"; rpc.discover lists them", e->method);
        answer_error(c, b, e->id, ERROR_METHOD, message);
}

static bool has_room(Connection *c, Batch *b, const Envelope *e) {
        bool is_own = c->n_calls >= CONTROL_CALLS_MAX;

        if (!is_own && uid_book_has_room(c->book, UID_CALLS, 1))
                return true;
        connection_offend(c, PENALTY_QUOTA);
        if (e->id)
                answer_limit(c, b, e->id, is_own ? "calls in flight on this connection" : "calls in flight of your user",
                             is_own ? CONTROL_CALLS_MAX : CONTROL_CALLS_PER_UID_MAX);
        return false;
}

static void request_begin(Connection *c, Batch *b, const Envelope *e) {
        ProtocolMethodId method = protocol_method_find(e->method);
        Call *call;

        if (method < 0) {
                unknown_method(c, b, e);
                return;
        }
        if (method != METHOD_CALL_CANCEL && !has_room(c, b, e)) /* the one way out of too many is open */
                return;
        if (call_new(&call, c, method, e->id, e->params, b) < 0) {
                if (e->id)
                        answer_error(c, b, e->id, ERROR_INTERNAL, "the daemon is short of memory");
                return;
        }
        method_call(call);
}

static void message_handle(Connection *c, Batch *b, json_t *message) {
        Envelope e;

        envelope_unpack(message, &e);
        if (b && b->out.length > CONTROL_BATCH_OUTPUT_MAX) {
                if (e.kind == ENVELOPE_CALL)
                        answer_limit(c, b, e.id, "bytes of answers to one batch", CONTROL_BATCH_OUTPUT_MAX);
                return;
        }
        if (e.kind != ENVELOPE_CALL && e.kind != ENVELOPE_NOTIFICATION)
                offend(c);
        if (e.kind == ENVELOPE_CALL || e.kind == ENVELOPE_NOTIFICATION)
                request_begin(c, b, &e);
        else if (e.kind == ENVELOPE_BATCH)
                answer_error(c, b, NULL, ERROR_REQUEST, "a batch cannot hold a batch");
        else
                answer_error(c, b, e.id, ERROR_REQUEST, e.fault ? e.fault : "a reply is not a request");
}

static unsigned batch_handle(Connection *c, json_t *messages) {
        size_t n = json_array_size(messages), i;
        json_t *message;
        Batch *b;

        if (n > CONTROL_BATCH_MAX) {
                offend(c);
                answer_limit(c, NULL, NULL, "requests in one batch", CONTROL_BATCH_MAX);
                return 1;
        }
        b = NEW0(Batch);
        if (!b) {
                answer_error(c, NULL, NULL, ERROR_INTERNAL, "the daemon is short of memory");
                return 1;
        }
        b->connection = c;
        b->n_open = 1;
        json_put_array(&b->out, NULL);
        json_array_foreach(messages, i, message)
                message_handle(c, b, message);
        batch_leave(b);
        return (unsigned) n;
}

static unsigned line_handle(Connection *c, const char *line, size_t length) {
        _cleanup_json_ json_t *message = NULL;
        JsonFault fault = {0};
        Envelope e;
        int r = json_load_bounded(line, length, &request_limits, &message, &fault);

        if (r < 0) {
                answer_fault(c, r, &fault);
                return 1;
        }
        envelope_unpack(message, &e);
        if (e.kind == ENVELOPE_BATCH)
                return batch_handle(c, message);
        message_handle(c, NULL, message);
        return 1;
}

unsigned request_handle(Connection *c, const char *line, size_t length) {
        _cleanup_text_ Text rest = {0};
        Payload *payload = &c->control->payload;
        unsigned n;

        if (length > CONTROL_LINE_MAX || !payload_cut(line, length, payload, &rest))
                return line_handle(c, line, length);
        n = line_handle(c, rest.data, rest.length);
        *payload = (Payload){0};
        return n;
}
