/* fuzz-envelope.c - any bytes through the guard, the parser and the classification; what is packed again is read
 * again as the same; the guard never counts less than jansson builds. */
#include "wire/envelope.h"

static const JsonLimits limits = {.max_bytes = 64 * 1024, .max_nodes = 8192, .max_depth = 32};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool is_true) {
        if (!is_true)
                abort();
}

static size_t count(json_t *j) {
        size_t n = 1, i;
        const char *key;
        json_t *v;

        json_array_foreach(j, i, v)
                n += count(v);
        json_object_foreach(j, key, v)
                n += count(v);
        return n;
}

/* A reply under the same id comes back with the same id; a string keeps its text. */
static void reply_round_trip(const Envelope *e) {
        _cleanup_json_ json_t *again = NULL;
        _cleanup_text_ Text t = {0};
        JsonFault fault;
        Envelope reply;

        envelope_begin_reply(&t, e->id);
        json_put_string(&t, NULL, e->method ? e->method : e->message);
        envelope_end(&t);
        require(json_load_bounded(t.data, t.length, &limits, &again, &fault) == 0);
        envelope_unpack(again, &reply);
        require(reply.kind == ENVELOPE_REPLY);
        require(json_equal(reply.id, e->id));
        if (e->method)
                require(streq(json_string_value(reply.result), e->method));
}

static void examine(json_t *message, bool is_in_batch) {
        Envelope e;
        json_t *item;
        size_t i;

        envelope_unpack(message, &e);
        switch (e.kind) {
        case ENVELOPE_BATCH:
                if (!is_in_batch)
                        json_array_foreach(message, i, item)
                                examine(item, true);
                break;
        case ENVELOPE_CALL:
                require(e.id && e.method);
                reply_round_trip(&e);
                break;
        case ENVELOPE_ERROR:
                require(e.id && e.message);
                reply_round_trip(&e);
                break;
        case ENVELOPE_NOTIFICATION:
                require(!e.id && e.method);
                break;
        case ENVELOPE_REPLY:
                require(e.id && e.result);
                break;
        case ENVELOPE_INVALID:
                require(e.fault);
                break;
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_json_ json_t *message = NULL;
        JsonFault fault = {0};

        if (json_load_bounded((const char *) data, size, &limits, &message, &fault) < 0)
                return 0;
        require(count(message) <= limits.max_nodes);
        examine(message, false);
        return 0;
}
