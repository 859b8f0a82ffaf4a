/* control-call.h - one request of a peer, from its arrival to its one answer.
 *
 * Owner: its Connection. It ends with its answer (call_end(), call_fail()) or is abandoned when the connection goes; then
 * its state is freed through its ops. A method that answers later keeps it with call_keep(). A notification is a call
 * whose answer goes nowhere. A member of a batch puts its answer into the batch, which is sent when the last is there. */
#ifndef DROVER_CONTROL_CONTROL_CALL_H
#define DROVER_CONTROL_CONTROL_CALL_H

#include "base/text.h"
#include "control/connection.h"
#include "control/method.h"
#include "pool/pool.h"

typedef struct Batch {
        Connection *connection;
        Text out;
        size_t n_open; /* calls without an answer, and one for request.c while it is still at it */
} Batch;

/* What a call that answers later is. Each may be NULL. */
typedef struct CallOps {
        bool is_stream; /* pauses beyond the mark, so the connection may stay there for long */
        void (*free_state)(void *state);
        void (*on_writable)(Call *c, void *state); /* the connection is below its mark again */
        void (*on_cancel)(Call *c, void *state);   /* must answer; NULL: the error "cancelled" */
        bool (*is_permitted)(const Call *c, const void *state); /* may it go on, now that roles have changed; NULL: yes */
} CallOps;

#define CALL_OBJECT_MAX 80

struct Call {
        Connection *connection;
        ProtocolMethodId method;
        json_t *id;     /* a reference; NULL: a notification */
        json_t *params; /* a reference to an object; NULL: none */
        json_t *own;    /* takes_config: the members of the table, parted from the rest */
        Batch *batch;
        bool is_charged, is_stream_charged; /* in the user's book */
        const CallOps *ops;
        void *state;
        char object[CALL_OBJECT_MAX]; /* what it changes, for the audit */
        usec_t begun;                 /* is_changing: when it came */
        bool is_audited;
        Call *prev, *next;
};

/** call_new() - of @connection, its owner. Borrowed by the caller. @id, @params: borrowed, references are taken. */
int call_new(Call **ret, Connection *connection, ProtocolMethodId method, json_t *id, json_t *params, Batch *batch);
void call_abandon_all(Connection *c);
void call_resume_all(Connection *c);
Call *call_find(Connection *c, const json_t *id); /* one in flight with this id, or NULL */

Control *call_control(const Call *c);
/** call_level() - what the caller is to the daemon as a whole. */
AccessClass call_level(const Call *c);
/** call_pool_level() - what the caller is to @p: at least call_level(). @p may be NULL: a pool that is no more. */
AccessClass call_pool_level(const Call *c, const Pool *p);
/** call_keep() - answer later; @state is freed by @ops with the call. */
void call_keep(Call *c, const CallOps *ops, void *state);
/** call_set_object() - name what is changed, for the audit line. */
void call_set_object(Call *c, const char *object);

/** call_can_attach() - may descriptors go with the answer: not in a batch, nor where there is no answer. */
bool call_can_attach(const Call *c);
/**
 * call_attach() - send a descriptor with the answer, whose line comes next; it says how many there are, as "descriptors"
 * @fd_take: gone in any case; a negative errno in its place, and beyond CONTROL_ATTACHED_MAX, drops the connection.
 */
void call_attach(Call *c, int fd_take);
/* A result: exactly one JSON value with key NULL in between. @c is gone after call_end(). */
Text *call_begin(Call *c);
void call_end(Call *c);
/** call_fail() - an error; @c is gone. */
void call_fail(Call *c, ProtocolError error, const char *fmt, ...) _printf_(3, 4);
/* The same with further members of error.data in between. */
Text *call_fail_begin(Call *c, ProtocolError error, const char *message);
void call_fail_end(Call *c, ProtocolError error);
/** call_errno() - an error for a failed operation: "failed", or "internal" when memory was short. */
void call_errno(Call *c, int error, const char *what);

/* A notification of a stream: members of its params in between, "call" stands there already. */
Text *call_notify_begin(Call *c, const char *method);
void call_notify_end(Call *c);

/** batch_leave() - one answer more is there (or none will come); the last one sends and frees the batch. */
void batch_leave(Batch *b);

#endif
