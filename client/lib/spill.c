/* spill.c - a task.submit too long for a message: its args and kwargs go as the text in a blob.
 *
 * The call has its id at once. First blob.new is sent under an id of the library's own; when the blob is there it is written
 * and sealed, and only then the call itself goes out. */
#include "base/alloc.h"
#include "base/fd.h"
#include "lib/reply-blob.h"
#include "lib/client.h"
#include "wire/blob-memory.h"

typedef struct Spill {
        uint64_t id;
        Text content; /* {"args":...,"kwargs":...} */
        Text rest;    /* the other params: an object without its end */
} Spill;

static void spill_free(Spill *s) {
        text_done(&s->content);
        text_done(&s->rest);
        free(s);
}

bool spill_is_for(const char *method, const json_t *params) {
        return strcmp(method, "task.submit") == 0 && json_is_object(params) && !json_object_get(params, "spill") &&
               (json_object_get(params, "args") || json_object_get(params, "kwargs"));
}

static int write_content(int fd, const Text *t) {
        int r = blob_memory_write(fd, t->data, t->length);

        return r < 0 ? r : blob_memory_seal(fd, NULL, t->length);
}

static int send_call(drover_client *c, Spill *s) {
        ReplyBlob *blob = c->reply.n > 0 ? &c->reply.items[0] : NULL;
        Text *out;
        int r = blob ? write_content(blob->fd, &s->content) : -EPROTO;

        if (r < 0)
                return r;
        out = stream_output(c->stream);
        envelope_begin_call(out, s->id, "task.submit");
        text_append_n(out, s->rest.data, s->rest.length);
        json_put_string(out, "spill", blob->id);
        json_end_object(out);
        envelope_end(out);
        envelope_end_line(out);
        r = stream_check_output(c->stream);
        client_flush(c);
        return r;
}

static void on_blob(drover_client *c, json_t *result, const drover_error *error, void *userdata) {
        Spill *s = userdata;
        PendingWho who;
        int r;

        if (pending_find(&c->pending, s->id, &who) >= 0) { /* else it was cancelled, or told that the connection is gone */
                _cleanup_error_ drover_error *own = NULL;

                r = error || !c->stream ? -ECONNRESET : send_call(c, s);
                if (r < 0 && !error)
                        own = lib_error_new(r, "cannot send arguments of %zu bytes: %s", s->content.length, strerror(-r));
                if (r < 0 && pending_take(&c->pending, s->id, &who) >= 0 && who.on_reply)
                        who.on_reply(c, NULL, error ? error : own, who.userdata);
        }
        spill_free(s);
}

static bool put_object(Text *t, json_t *take) {
        bool is_fine = take && json_dump_append(t, take, JSON_COMPACT) >= 0 && text_check(t) >= 0;

        json_decref(take);
        return is_fine;
}

static json_t *parts(json_t *params, bool are_arguments) {
        json_t *o = json_object(), *v;
        const char *key;

        json_object_foreach(params, key, v)
                if ((strcmp(key, "args") == 0 || strcmp(key, "kwargs") == 0) == are_arguments)
                        (void) json_object_set(o, key, v);
        return o;
}

static Spill *spill_new(json_t *params) {
        Spill *s = NEW0(Spill);

        if (s && put_object(&s->content, parts(params, true)) && put_object(&s->rest, parts(params, false))) {
                text_truncate(&s->rest, s->rest.length - 1);
                return s;
        }
        if (s)
                spill_free(s);
        return NULL;
}

int spill_send(drover_client *c, json_t *params, const PendingWho *who, uint64_t *ret_id, drover_error **ret_error) {
        Spill *s = spill_new(params);
        _cleanup_json_ json_t *size = s ? json_pack("{s:I}", "size", (json_int_t) s->content.length) : NULL;
        const PendingWho own = {.on_reply = on_blob, .userdata = s};
        uint64_t id = c->last_id + 1, blob_id;
        int r = size ? pending_add(&c->pending, id, who) : -ENOMEM;
        PendingWho gone;

        if (r < 0) {
                if (s)
                        spill_free(s);
                return lib_failf(ret_error, r, "out of memory");
        }
        s->id = c->last_id = id;
        r = client_send(c, "blob.new", size, &own, &blob_id, ret_error);
        if (r < 0) {
                (void) pending_take(&c->pending, id, &gone);
                spill_free(s);
                return r;
        }
        *ret_id = id;
        return 0;
}
