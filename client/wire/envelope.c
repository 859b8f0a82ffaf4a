/* envelope.c - JSON-RPC 2.0 messages.
 *
 * What the specification leaves open is decided so: an id may be a string of at most ENVELOPE_ID_MAX bytes, any number,
 * or null; a request whose id is fine and whose rest is not is answered with that id, so that its caller learns of it;
 * unknown members are ignored. */
#include "wire/envelope.h"
#include "wire/protocol.h"

#define NUMBER_TEXT_MAX 64

static bool id_is_valid(const json_t *id) {
        if (json_is_string(id))
                return json_string_length(id) <= ENVELOPE_ID_MAX;
        return json_is_number(id) || json_is_null(id);
}

static void invalid(Envelope *e, const char *fault) {
        *e = (Envelope){.kind = ENVELOPE_INVALID, .id = e->id, .fault = fault};
}

static void unpack_request(json_t *message, json_t *method, Envelope *e) {
        e->method = json_string_value(method);
        e->params = json_object_get(message, "params");
        if (!e->method)
                invalid(e, "\"method\" must be a string");
        else if (e->params && !json_is_object(e->params) && !json_is_array(e->params))
                invalid(e, "\"params\" must be an object or an array");
        else
                e->kind = e->id ? ENVELOPE_CALL : ENVELOPE_NOTIFICATION;
}

static void unpack_error(json_t *error, Envelope *e) {
        json_t *code = json_object_get(error, "code"), *message = json_object_get(error, "message");

        if (!e->id || !json_is_integer(code) || !json_is_string(message)) {
                invalid(e, "an error needs an \"id\", a \"code\" and a \"message\"");
                return;
        }
        e->kind = ENVELOPE_ERROR;
        e->code = (int) json_integer_value(code);
        e->message = json_string_value(message);
        e->data = json_object_get(error, "data");
}

void envelope_unpack(json_t *message, Envelope *ret) {
        json_t *method, *version;

        *ret = (Envelope){.kind = ENVELOPE_BATCH};
        if (json_is_array(message) && json_array_size(message) > 0)
                return;
        if (!json_is_object(message)) {
                invalid(ret, json_is_array(message) ? "the batch is empty" : "a message is an object");
                return;
        }
        ret->id = json_object_get(message, "id");
        if (ret->id && !id_is_valid(ret->id)) {
                ret->id = NULL;
                invalid(ret, "\"id\" must be a string of at most 128 bytes, a number or null");
                return;
        }
        method = json_object_get(message, "method");
        version = json_object_get(message, "jsonrpc");
        if (!json_is_string(version) || !streq(json_string_value(version), "2.0"))
                invalid(ret, "\"jsonrpc\" must be \"2.0\"");
        else if (method)
                unpack_request(message, method, ret);
        else if (json_object_get(message, "error"))
                unpack_error(json_object_get(message, "error"), ret);
        else if (ret->id && (ret->result = json_object_get(message, "result")))
                ret->kind = ENVELOPE_REPLY;
        else
                invalid(ret, "\"method\" is missing");
}

void envelope_put_id_as(Text *t, const char *key, const json_t *id) {
        char number[NUMBER_TEXT_MAX];
        size_t n;

        if (json_is_string(id)) {
                json_put_string_n(t, key, json_string_value(id), json_string_length(id));
        } else if (json_is_integer(id)) {
                json_put_i64(t, key, json_integer_value(id));
        } else if (json_is_real(id)) {
                n = json_dumpb(id, number, sizeof(number) - 1, JSON_ENCODE_ANY);
                number[MIN(n, sizeof(number) - 1)] = 0;
                json_put_raw(t, key, n > 0 && n < sizeof(number) ? number : "null");
        } else {
                json_put_null(t, key);
        }
}

void envelope_put_id(Text *t, const json_t *id) {
        envelope_put_id_as(t, "id", id);
}

static void begin(Text *t) {
        json_put_object(t, NULL);
        json_put_raw(t, "jsonrpc", "\"2.0\"");
}

void envelope_begin_reply(Text *t, const json_t *id) {
        begin(t);
        envelope_put_id(t, id);
        json_put_raw(t, "result", "");
}

void envelope_begin_notification(Text *t, const char *method) {
        begin(t);
        json_put_string(t, "method", method);
        json_put_raw(t, "params", "");
}

void envelope_begin_call(Text *t, uint64_t id, const char *method) {
        begin(t);
        json_put_u64(t, "id", id);
        json_put_string(t, "method", method);
        json_put_raw(t, "params", "");
}

void envelope_end(Text *t) {
        json_end_object(t);
}

void envelope_end_line(Text *t) {
        text_append_char(t, '\n');
}

void envelope_begin_error(Text *t, const json_t *id, int code, const char *message) {
        begin(t);
        envelope_put_id(t, id);
        json_put_object(t, "error");
        json_put_i64(t, "code", code);
        json_put_string(t, "message", message);
        json_put_object(t, "data");
        json_put_string(t, "name", protocol_error_name(code));
}

void envelope_end_error(Text *t) {
        json_end_object(t);
        json_end_object(t);
        json_end_object(t);
}

void envelope_put_error(Text *t, const json_t *id, int code, const char *message) {
        envelope_begin_error(t, id, code, message);
        envelope_end_error(t);
}
