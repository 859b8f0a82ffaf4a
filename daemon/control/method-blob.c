/* method-blob.c - blob.new, blob.get, blob.drop, and the blobs that a submit names.
 *
 * A blob belongs to the connection that made it until a task takes it; with the connection it is gone. */
#include "control/control-call.h"
#include "control/control-room.h"
#include "control/method-task.h"
#include "control/selection.h"

#include <stdio.h>

static void fail(Call *c, int error) {
        char text[256];
        const char *what = blob_error(error, text, sizeof text);
        bool is_limit = error == -EFBIG || error == -EDQUOT || error == -ENOBUFS || error == -EMFILE;

        if (error == -EDQUOT)
                connection_offend(c->connection, PENALTY_QUOTA);
        call_fail(c, is_limit ? ERROR_LIMIT : error == -ENOENT ? ERROR_NOT_FOUND : error == -ENOMEM ? ERROR_INTERNAL : ERROR_INVALID, "%s", what);
}

/* Whoever may submit anywhere. */
static bool may_make(Call *c) {
        AccessClass best = call_level(c);

        for (Pool *p = pool_first(call_control(c)->world.pools); p && best < ACCESS_SUBMIT; p = pool_next(p))
                best = MAX(best, call_pool_level(c, p));
        return method_may(c, best, NULL);
}

/* ---- blob.new ---- */

typedef struct NewParams {
        json_t *size;
} NewParams;

static const JsonField new_fields[] = {
        {"size", JSON_FIELD_VALUE, offsetof(NewParams, size), .required = true, .help = "bytes: a number, or \"16M\""},
        {0},
};

static void put_blob(Call *c, const Blob *b, int fd_take, bool is_named) {
        char id[BLOB_ID_MAX];
        Text *t;

        call_attach(c, fd_take);
        t = call_begin(c);
        json_put_object(t, NULL);
        json_put_u64(t, "descriptors", 1);
        if (is_named)
                json_put_string(t, "blob", blob_id(b, id));
        json_put_u64(t, "size", blob_size(b));
        json_end_object(t);
        call_end(c);
}

static void handle_new(Call *c, const void *params) {
        const NewParams *p = params;
        Connection *connection = c->connection;
        uint64_t size;
        Blob *b;
        int r = -EDQUOT, fd;

        if (!may_make(c))
                return;
        if (json_size(p->size, &size) < 0 || !call_can_attach(c)) {
                call_fail(c, ERROR_PARAMS, "blob.new: \"size\" is a number of bytes, or like \"16M\"; not in a batch, and not as a notification");
                return;
        }
        if (connection->blobs.n < BLOBS_OPEN_MAX)
                r = blob_new(task_room_blobs(call_control(c)->world.tasks), &connection->blobs, connection->peer.uid, size, 0, &b);
        if (r < 0) {
                fail(c, r);
                return;
        }
        fd = blob_lend(b);
        if (fd < 0) {
                blob_free(b);
                fail(c, fd);
        } else
                put_blob(c, b, fd, true);
}

const Method method_blob_new = {
        .class = ACCESS_SUBMIT,
        .scope = METHOD_OF_POOLS,
        .is_changing = true,
        .is_unaudited = true,
        .handler = handle_new,
        .fields = new_fields,
        .params_size = sizeof(NewParams),
        .result = "{\"descriptors\":1,\"blob\":ID,\"size\":N}: write it, unmap it, and seal it (F_ADD_SEALS, F_SEAL_WRITE) before it is used",
};

/* ---- blob.get ---- */

typedef struct GetParams {
        const char *task;
        int64_t index;
} GetParams;

static const GetParams get_defaults = {.index = -1};

static const JsonField get_fields[] = {
        {"task", JSON_FIELD_STRING, offsetof(GetParams, task), .required = true, .help = "its id"},
        {"index", JSON_FIELD_I64, offsetof(GetParams, index), .min = -1, .max = BLOBS_PER_TASK_MAX, .help = "which of the outcome's blobs (the \"spill\")"},
        {0},
};

static void handle_get(Call *c, const void *params) {
        const GetParams *p = params;
        Task *t = method_task_find(c, p->task);
        const Blob *b;
        bool is_spilled;
        int fd;

        if (!t)
                return;
        is_spilled = task_has_spilled(t);
        b = p->index < 0 ? (is_spilled ? blob_at(task_results(t), 0) : NULL) : blob_at(task_results(t), (size_t) p->index + is_spilled);
        if (!b) {
                call_fail(c, ERROR_NOT_FOUND, "the outcome of %.80s has no such blob", p->task);
                return;
        }
        if (!call_can_attach(c)) {
                call_fail(c, ERROR_PARAMS, "blob.get: not in a batch, and not as a notification");
                return;
        }
        fd = blob_open(b);
        if (fd < 0)
                fail(c, fd);
        else
                put_blob(c, b, fd, false);
}

const Method method_blob_get = {
        .class = ACCESS_SUBMIT,
        .scope = METHOD_OF_POOLS,
        .handler = handle_get,
        .fields = get_fields,
        .params_size = sizeof(GetParams),
        .defaults = &get_defaults,
        .result = "{\"descriptors\":1,\"size\":N}: sealed, to be read or mapped",
};

/* ---- blob.drop ---- */

typedef struct DropParams {
        json_t *blobs;
} DropParams;

static const JsonField drop_fields[] = {
        {"blobs", JSON_FIELD_STRINGS, offsetof(DropParams, blobs), .required = true, .help = "ids, as blob.new gave them"},
        {0},
};

static void handle_drop(Call *c, const void *params) {
        const DropParams *p = params;
        size_t n, n_dropped = 0;
        _cleanup_free_ const char **ids = selection_strings(p->blobs, &n);
        Text *t;

        for (size_t i = 0; ids && i < n; i++) {
                Blob *b = blob_find(&c->connection->blobs, slice_of(ids[i]));

                n_dropped += b != NULL;
                blob_free(b);
        }
        t = call_begin(c);
        json_put_object(t, NULL);
        json_put_u64(t, "dropped", n_dropped);
        json_end_object(t);
        call_end(c);
}

const Method method_blob_drop = {
        .class = ACCESS_SUBMIT,
        .scope = METHOD_OF_POOLS,
        .handler = handle_drop,
        .fields = drop_fields,
        .params_size = sizeof(DropParams),
        .result = "{\"dropped\":N}",
};

/* ---- named by a submit ---- */

static int claim_one(Call *c, const json_t *name, BlobSet *to) {
        Slice id;
        uint64_t size;
        Blob *b;

        if (to->n >= BLOBS_PER_TASK_MAX)
                return -E2BIG;
        if (blob_name_json(name, &id, &size) < 0 || !(b = blob_find(&c->connection->blobs, id)))
                return -ENOENT;
        return blob_use(b, to, c->connection->peer.uid, size);
}

bool method_blob_claim(Call *c, const json_t *spill, const json_t *blobs, BlobSet *to) {
        int r = spill ? claim_one(c, spill, to) : 0;

        for (size_t i = 0; r >= 0 && i < json_array_size(blobs); i++)
                r = claim_one(c, json_array_get(blobs, i), to);
        if (r >= 0)
                return true;
        blob_set_move(&c->connection->blobs, to);
        fail(c, r);
        return false;
}
