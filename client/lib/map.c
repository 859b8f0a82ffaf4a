/* map.c - drover_map(): task.map with items of any number, results as texts.
 *
 * What fits goes with the call. Else the call is made with "more", and the items follow by task.items, FEED_IN_FLIGHT
 * messages at a time, each answered when the daemon has room. The feed lives as long as the map's call or one of these. */
#include "base/alloc.h"
#include "lib/client.h"
#include "wire/protocol.h"

#define FEED_IN_FLIGHT 2u
#define FEED_BYTES (PROTOCOL_LINE_MAX - 1024) /* of items in one message */
#define REAL_BYTES 26u                        /* of a number that is no integer, at most */

typedef struct Feed {
        uint64_t call; /* 0: over */
        json_t *items;
        size_t next;
        bool is_ended; /* the last ones are on their way */
        unsigned n_users;
        PendingWho who; /* of the user */
} Feed;

static void feed_unuse(Feed *f) {
        if (--f->n_users > 0)
                return;
        json_decref(f->items);
        free(f);
}

/* How long its text is, at most; and a comma. */
static size_t bytes_of(const json_t *item) {
        uint64_t v = (uint64_t) llabs(json_integer_value(item));
        size_t n = 3;

        if (json_is_real(item))
                return REAL_BYTES;
        if (!json_is_integer(item))
                return json_dumpb(item, NULL, 0, JSON_COMPACT | JSON_ENCODE_ANY) + 1;
        while (v >= 10) {
                v /= 10;
                n++;
        }
        return n;
}

/* The next ones that go into one message; one at least. */
static json_t *feed_cut(Feed *f) {
        _cleanup_json_ json_t *some = json_array();
        size_t bytes = 0;

        while (some && f->next < json_array_size(f->items)) {
                json_t *item = json_array_get(f->items, f->next);

                bytes += bytes_of(item);
                if (bytes > FEED_BYTES && json_array_size(some) > 0)
                        break;
                if (json_array_append(some, item) < 0)
                        return NULL;
                f->next++;
        }
        return TAKE_PTR(some);
}

static void on_fed(drover_client *c, json_t *result, const drover_error *error, void *userdata);

static int feed_send(drover_client *c, Feed *f, drover_error **ret_error) {
        const PendingWho who = {.on_reply = on_fed, .userdata = f};
        json_t *some = feed_cut(f);
        _cleanup_json_ json_t *params = some ? json_pack("{s:I,s:o,s:b}", "call", (json_int_t) f->call, "items", some, "more",
                                                         f->next < json_array_size(f->items))
                                             : NULL;
        uint64_t id;
        int r;

        if (!params)
                return lib_failf(ret_error, -ENOMEM, "out of memory");
        r = client_send(c, "task.items", params, &who, &id, ret_error);
        if (r < 0)
                return r;
        f->is_ended = f->next == json_array_size(f->items);
        f->n_users++;
        return 0;
}

/* The map cannot go on: its caller is told, and the daemon that nothing follows. */
static void feed_fail(drover_client *c, Feed *f, const drover_error *error) {
        PendingWho who;

        if (f->call == 0 || pending_take(&c->pending, f->call, &who) < 0)
                return;
        f->next = json_array_size(f->items);
        if (!f->is_ended)
                (void) feed_send(c, f, NULL);
        f->call = 0;
        if (f->who.on_reply)
                f->who.on_reply(c, NULL, error, f->who.userdata);
        feed_unuse(f);
}

static void on_fed(drover_client *c, json_t *result, const drover_error *error, void *userdata) {
        _cleanup_error_ drover_error *why = NULL;
        Feed *f = userdata;

        if (f->call > 0 && error)
                feed_fail(c, f, error);
        else if (f->call > 0 && !f->is_ended && feed_send(c, f, &why) < 0)
                feed_fail(c, f, why);
        feed_unuse(f);
}

static void on_end(drover_client *c, json_t *result, const drover_error *error, void *userdata) {
        Feed *f = userdata;

        f->call = 0;
        if (f->who.on_reply)
                f->who.on_reply(c, result, error, f->who.userdata);
        feed_unuse(f);
}

static void on_results(drover_client *c, drover_results *r, void *userdata) {
        Feed *f = userdata;

        if (f->who.on_results)
                f->who.on_results(c, r, f->who.userdata);
}

static void on_cancel(drover_client *c, void *userdata) {
        Feed *f = userdata;

        f->next = json_array_size(f->items);
        if (!f->is_ended)
                (void) feed_send(c, f, NULL);
        f->call = 0;
        feed_unuse(f);
}

/* Without the items, which follow. */
static int map_with_feed(drover_client *c, json_t *what, const PendingWho *who, uint64_t *ret_id, drover_error **ret_error) {
        _cleanup_json_ json_t *params = json_copy(what);
        Feed *f = NEW0(Feed);
        const PendingWho own = {.on_reply = on_end, .on_results = on_results, .on_cancel = on_cancel, .userdata = f};
        int r = f && params && json_object_del(params, "items") >= 0 && json_object_set_new(params, "more", json_true()) >= 0 ? 0 : -ENOMEM;

        if (r < 0) {
                free(f);
                return lib_failf(ret_error, r, "out of memory");
        }
        f->items = json_incref(json_object_get(what, "items"));
        f->who = *who;
        f->n_users = 1;
        r = client_send(c, "task.map", params, &own, &f->call, ret_error);
        if (r < 0) {
                feed_unuse(f);
                return r;
        }
        *ret_id = f->call;
        for (unsigned i = 0; r >= 0 && i < FEED_IN_FLIGHT && !f->is_ended; i++)
                r = feed_send(c, f, ret_error);
        if (r < 0)
                (void) drover_cancel(c, *ret_id);
        return r;
}

int drover_map(drover_client *client, json_t *what, drover_results_fn *on_some, drover_reply_fn *on_done, void *userdata,
               uint64_t *ret_id, drover_error **ret_error) {
        const PendingWho who = {.on_reply = on_done, .on_results = on_some, .userdata = userdata};
        bool has_items = json_is_array(json_object_get(what, "items"));
        _cleanup_error_ drover_error *error = NULL;
        uint64_t id;
        int r = client_send(client, "task.map", what, &who, &id, &error);

        if (r == -ENOBUFS && has_items)
                r = map_with_feed(client, what, &who, &id, ret_error);
        else if (r < 0 && ret_error)
                *ret_error = TAKE_PTR(error);
        if (r < 0)
                return r;
        client_flush(client);
        if (ret_id)
                *ret_id = id;
        return 0;
}
