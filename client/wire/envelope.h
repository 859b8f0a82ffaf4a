/* envelope.h - JSON-RPC 2.0: pack and unpack calls, replies, errors, notifications and batches. No I/O.
 *
 * Unpacking works on one parsed value and borrows from it. Packing appends to a Text, without the newline that ends
 * a message: envelope_end_line() puts it. Inside an open JSON array (a batch) commas come by themselves. */
#ifndef DROVER_WIRE_ENVELOPE_H
#define DROVER_WIRE_ENVELOPE_H

#include "base/json.h"
#include "base/text.h"

#define ENVELOPE_ID_MAX 128 /* bytes of an id that is a string */

typedef enum EnvelopeKind {
        ENVELOPE_CALL,         /* method, params, id */
        ENVELOPE_NOTIFICATION, /* method, params */
        ENVELOPE_REPLY,        /* id, result */
        ENVELOPE_ERROR,        /* id, code, message, data */
        ENVELOPE_INVALID,      /* none of these: fault says why; id when it could be told, else NULL */
        ENVELOPE_BATCH,        /* a non-empty array: unpack each item */
} EnvelopeKind;

/* All pointers borrow from the message. */
typedef struct Envelope {
        EnvelopeKind kind;
        json_t *id;         /* string, number or null (a json_null(), not NULL); NULL when there is none */
        const char *method; /* CALL, NOTIFICATION */
        json_t *params;     /* object, array, or NULL when absent */
        json_t *result;     /* REPLY */
        int code;           /* ERROR */
        const char *message;/* ERROR */
        json_t *data;       /* ERROR; NULL when absent */
        const char *fault;  /* INVALID: a sentence, static */
} Envelope;

/** envelope_unpack() - what @message is. Pure. A server answers INVALID, REPLY and ERROR with -32600 and the id (or null). */
void envelope_unpack(json_t *message, Envelope *ret);

/* `{"jsonrpc":"2.0","id":ID,"result":` - then one JSON value with key NULL, then envelope_end(). @id NULL is null. */
void envelope_begin_reply(Text *t, const json_t *id);
/* `{"jsonrpc":"2.0","method":METHOD,"params":` - then one object or array with key NULL, then envelope_end(). */
void envelope_begin_notification(Text *t, const char *method);
/* `{"jsonrpc":"2.0","id":N,"method":METHOD,"params":` - then one object or array with key NULL, then envelope_end(). */
void envelope_begin_call(Text *t, uint64_t id, const char *method);
void envelope_end(Text *t);
void envelope_end_line(Text *t); /* the newline after a message or a batch */
/**
 * envelope_begin_error() - `{"jsonrpc":"2.0","id":ID,"error":{"code":CODE,"message":MESSAGE,"data":{"name":NAME`
 * More members of data may follow (json_put_...), then envelope_end_error(). NAME comes from @code.
 */
void envelope_begin_error(Text *t, const json_t *id, int code, const char *message);
void envelope_end_error(Text *t);
/** envelope_put_error() - the whole of an error whose data is only the name. */
void envelope_put_error(Text *t, const json_t *id, int code, const char *message);
/** envelope_put_id() - the member "id" as it came. @id NULL is null. */
void envelope_put_id(Text *t, const json_t *id);
void envelope_put_id_as(Text *t, const char *key, const json_t *id); /* under another key: "call" of a stream's notification */

#endif
