/* reply-blob.c - see reply-blob.h, and "Blobs" in drover.h. */
#include "lib/reply-blob.h"

#include "base/alloc.h"
#include "base/fd.h"
#include "lib/client.h"
#include "wire/blob-memory.h"
#include "wire/protocol.h"
#include <stdio.h>

#define TEXT_MAX_BYTES ((size_t) 1 << 30)

struct drover_blob {
        int fd;
        size_t size;
        void *memory; /* NULL: nobody asked for it yet */
        bool is_own; /* made here: to be written until it is sealed */
        char id[BLOB_ID_MAX];
};

static const JsonLimits text_limits = {.max_bytes = TEXT_MAX_BYTES, .max_nodes = 16u << 20, .max_depth = 128};

/* ---- what came with a reply ---- */

void reply_blobs_done(ReplyBlobs *b) {
        while (b->n > 0)
                (void) fd_close(b->items[--b->n].fd);
}

static size_t size_in(const json_t *object) {
        json_int_t n = json_integer_value(json_object_get(object, "size"));

        return n > 0 ? (size_t) n : 0;
}

static json_t *error_of(int code, const char *message) {
        return json_pack("{s:i,s:s,s:{s:s}}", "code", code, "message", message, "data", "name", protocol_error_name(code));
}

/* The text of a result, in place of its size. */
static void read_text(json_t *outcome, size_t size, int fd_take) {
        _cleanup_fd_ int fd = fd_take;
        void *memory = blob_memory_read(fd, size);
        json_t *value = NULL;
        JsonFault fault = {.text = "no memory for it"};
        char message[256];

        if (memory)
                (void) json_load_bounded(memory, size, &text_limits, &value, &fault);
        blob_memory_free(memory, size);
        if (value)
                (void) json_object_set_new(outcome, "result", value);
        else {
                (void) snprintf(message, sizeof message, "the result of %zu bytes cannot be read: %s", size, fault.text);
                (void) json_object_set_new(outcome, "error", error_of(ERROR_LIMIT, message));
        }
        (void) json_object_del(outcome, "spill");
}

static int take_outcome(ReplyBlobs *b, AttachReceived *received, json_t *o) {
        json_int_t n = json_integer_value(json_object_get(o, "descriptors"));
        const json_t *blobs = json_object_get(o, "blobs");
        const char *id = json_string_value(json_object_get(o, "blob"));
        size_t n_named = 0;

        for (json_int_t i = 0; i < n; i++) {
                const json_t *spill = json_object_get(o, "spill");
                int fd = attach_take(received);

                if (fd < 0 || b->n == ATTACH_FDS_MAX) {
                        (void) fd_close(fd);
                        return -EPROTO;
                }
                if (spill) {
                        read_text(o, size_in(spill), fd);
                        continue;
                }
                b->items[b->n] = (ReplyBlob){.fd = fd, .size = size_in(blobs ? json_array_get(blobs, n_named++) : o)};
                (void) snprintf(b->items[b->n++].id, BLOB_ID_MAX, "%s", id ? id : "");
        }
        (void) json_object_del(o, "descriptors");
        return 0;
}

int reply_blobs_take(ReplyBlobs *b, AttachReceived *received, json_t *result) {
        const json_t *tasks = json_object_get(result, "tasks");
        int r = json_object_get(result, "descriptors") ? take_outcome(b, received, result) : 0;

        for (size_t i = 0; r >= 0 && i < json_array_size(tasks); i++)
                if (json_object_get(json_array_get(tasks, i), "descriptors"))
                        r = take_outcome(b, received, json_array_get(tasks, i));
        return r;
}

/* ---- for the user ---- */

int drover_reply_blob(drover_client *client, size_t index, drover_blob **ret_blob, drover_error **ret_error) {
        ReplyBlob *from = index < client->reply.n && client->reply.items[index].fd >= 0 ? &client->reply.items[index] : NULL;
        drover_blob *b = from ? NEW0(drover_blob) : NULL;

        if (!from)
                return lib_failf(ret_error, -ENOENT, "the reply came without a blob %zu, or it was taken before", index);
        if (!b)
                return lib_failf(ret_error, -ENOMEM, "out of memory");
        *b = (drover_blob){.fd = TAKE_FD(from->fd), .size = from->size, .is_own = *from->id};
        memcpy(b->id, from->id, sizeof b->id);
        *ret_blob = b;
        return 0;
}

int drover_blob_new(drover_client *client, size_t size, int timeout_msec, drover_blob **ret_blob, drover_error **ret_error) {
        _cleanup_json_ json_t *params = json_pack("{s:I}", "size", (json_int_t) size);
        drover_blob *b = NULL;
        int r;

        if (!params)
                return lib_failf(ret_error, -ENOMEM, "out of memory");
        r = drover_call(client, "blob.new", params, timeout_msec, NULL, ret_error);
        if (r >= 0)
                r = drover_reply_blob(client, 0, &b, ret_error);
        if (r < 0)
                return r;
        if (!drover_blob_data(b)) {
                drover_blob_free(b);
                return lib_failf(ret_error, -ENOMEM, "no memory for a blob of %zu bytes", size);
        }
        *ret_blob = b;
        return 0;
}

void *drover_blob_data(drover_blob *blob) {
        if (!blob->memory)
                blob->memory = blob->is_own ? blob_memory_new(blob->fd, blob->size) : blob_memory_read(blob->fd, blob->size);
        return blob->memory;
}

size_t drover_blob_size(const drover_blob *blob) {
        return blob->size;
}

json_t *drover_blob_name(drover_blob *blob) {
        if (!*blob->id)
                return NULL;
        if (blob->is_own) {
                int r = blob_memory_seal(blob->fd, TAKE_PTR(blob->memory), blob->size);

                if (r < 0) {
                        errno = -r;
                        return NULL;
                }
                blob->is_own = false;
        }
        return json_string(blob->id);
}

void drover_blob_free(drover_blob *blob) {
        if (!blob)
                return;
        blob_memory_free(blob->memory, blob->size);
        (void) fd_close(blob->fd);
        free(blob);
}
