/* call.c - calls as the user makes them: asynchronous, streaming, blocking; daemon.info. */
#include "base/clock.h"
#include "lib/client.h"
#include "wire/protocol.h"

#include <limits.h>
#include <unistd.h>

int drover_subscribe(drover_client *client, const char *method, json_t *params, drover_notify_fn *on_notify,
                     drover_reply_fn *on_end, void *userdata, uint64_t *ret_id, drover_error **ret_error) {
        const PendingWho who = {.on_reply = on_end, .on_notify = on_notify, .userdata = userdata};
        uint64_t id;
        int r = client_send(client, method, params, &who, &id, ret_error);

        if (r < 0)
                return r;
        client_flush(client);
        if (ret_id)
                *ret_id = id;
        return 0;
}

int drover_call_async(drover_client *client, const char *method, json_t *params, drover_reply_fn *on_reply,
                      void *userdata, uint64_t *ret_id, drover_error **ret_error) {
        return drover_subscribe(client, method, params, NULL, on_reply, userdata, ret_id, ret_error);
}

int drover_cancel(drover_client *client, uint64_t id) {
        PendingWho who;
        int r;

        if (client->pid != getpid())
                return -ECHILD;
        r = pending_take(&client->pending, id, &who);
        if (r >= 0 && who.on_cancel)
                who.on_cancel(client, who.userdata);
        return r;
}

size_t drover_in_flight(const drover_client *client) {
        return pending_count(&client->pending);
}

/* A blocking call: on the stack of drover_call(), which does not leave before is_done or after
 * drover_cancel(). */
typedef struct Waiter {
        bool is_done;
        json_t *result;
        drover_error *error;
        ReplyBlobs reply;
} Waiter;

static void waiter_on_reply(drover_client *client, json_t *result, const drover_error *error,
                            void *userdata) {
        Waiter *w = userdata;

        w->is_done = true;
        w->result = json_incref(result);
        w->reply = client->reply;
        client->reply.n = 0;
        w->error = error ? lib_error_copy(error) : NULL;
}

/* Until @w is done or the time is over. The client outlives this (n_users), though a callback may close it.
 */
static int waiter_wait(drover_client *client, Waiter *w, usec_t deadline) {
        while (!w->is_done) {
                usec_t left = deadline == USEC_INFINITY ? USEC_INFINITY : usec_sub(deadline, clock_now());
                int timeout = left == USEC_INFINITY ? -1
                                                    : (int) MIN((left + USEC_PER_MSEC - 1) / USEC_PER_MSEC,
                                                                (usec_t) INT_MAX);
                int r = drover_poll(client, timeout);

                if (w->is_done)
                        break;
                if (r < 0 && r != -EINTR)
                        return r;
                if (deadline != USEC_INFINITY && clock_now() >= deadline)
                        return -ETIMEDOUT;
        }
        return 0;
}

int drover_call(drover_client *client, const char *method, json_t *params, int timeout_msec,
                json_t **ret_result, drover_error **ret_error) {
        usec_t deadline = timeout_msec < 0 ? USEC_INFINITY
                                           : usec_add(clock_now(), (usec_t) timeout_msec * USEC_PER_MSEC);
        Waiter w = {0};
        uint64_t id;
        int r = drover_call_async(client, method, params, waiter_on_reply, &w, &id, ret_error);

        if (r < 0)
                return r;
        client->n_users++;
        r = waiter_wait(client, &w, deadline);
        if (r < 0)
                (void) drover_cancel(client, id);
        reply_blobs_done(&client->reply);
        client->reply = w.reply;
        client_unuse(client);
        if (r == -ETIMEDOUT)
                return lib_failf(ret_error, r, "no answer to \"%s\" within %d ms", method, timeout_msec);
        if (r < 0)
                return lib_failf(ret_error, r, "cannot wait for the answer to \"%s\": %s", method,
                                 strerror(-r));
        if (w.error)
                return lib_fail(ret_error, w.error);
        if (ret_result)
                *ret_result = w.result;
        else
                json_decref(w.result);
        return 0;
}

int drover_info(drover_client *client, int timeout_msec, json_t **ret_info, drover_error **ret_error) {
        _cleanup_json_ json_t *info = NULL;
        json_t *protocol;
        int r = drover_call(client, "daemon.info", NULL, timeout_msec, &info, ret_error);

        if (r < 0)
                return r;
        protocol = json_object_get(info, "protocol");
        if (!json_is_integer(protocol) || json_integer_value(protocol) != PROTOCOL_VERSION)
                return lib_failf(ret_error, -EPROTO,
                                 "the daemon at %s speaks protocol %lld, this library (%s) speaks %d",
                                 client->path, (long long) json_integer_value(protocol), drover_version(),
                                 PROTOCOL_VERSION);
        if (ret_info)
                *ret_info = TAKE_PTR(info);
        return 0;
}
