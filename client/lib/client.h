/* client.h - drover_client inside the library. */
#ifndef DROVER_LIB_CLIENT_H
#define DROVER_LIB_CLIENT_H

#include "drover.h"
#include "lib/reply-blob.h"
#include "lib/lib-error.h"
#include "lib/pending.h"
#include "wire/stream.h"

struct drover_client {
        pid_t pid; /* who connected */
        char *path;
        Stream *stream;      /* NULL when disconnected */
        unsigned n_connects; /* tells a loop over lines that a callback reconnected */
        uint64_t last_id;
        PendingSet pending;
        AttachReceived received; /* descriptors, whose messages are still to be read */
        ReplyBlobs reply;
        unsigned n_users; /* functions of the library on the stack; the last one frees a closed client */
        bool is_closed;
        uint64_t name_seed; /* of names made by drover_run_async() */
        uint64_t n_names;
};

/** client_check() - may this process use it, and is it connected: 0, or lib_fail() of why not. */
int client_check(const drover_client *c, drover_error **ret_error);
/**
 * client_send() - queue a call and remember who awaits it; nothing is written yet
 * Return: 0; as drover_call_async(), and then nothing is queued.
 */
int client_send(drover_client *c, const char *method, json_t *params, const PendingWho *who, uint64_t *ret_id,
                drover_error **ret_error);
/** client_unuse() - the counterpart of n_users++; frees a closed client. */
void client_unuse(drover_client *c);
/** client_flush() - write what the socket takes. A failure shows at the next drover_process(). */
void client_flush(drover_client *c);

#endif
