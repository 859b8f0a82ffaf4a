/* task-blob.c - blobs of tasks: handed to workers with their request, asked for and answered with by them, shown.
 *
 * In a request to a worker "descriptors" stands first in its params: so many came with its line, that of "spill" (the text
 * of args and kwargs) first, then one for each of "blobs". A worker asks for one to write its result into by the request
 * blob.new, with an id that is a string, and names it in its answer; blob.drop gives one back. */
#include "task/task-internal.h"

#include "base/fd.h"
#include "base/log.h"
#include "wire/protocol.h"
#include <stdio.h>

#define NAMES_MAX BLOBS_PER_TASK_MAX

/* ---- with a request ---- */

/* Who has neither said hello nor answered anything yet may still be about to. */
static bool may_say_hello(Channel *c) {
        usec_t due = usec_add(c->bound_at, BLOB_HELLO_USEC);

        if (c->has_hello || c->n_done > 0 || clock_now() >= due)
                return false;
        c->hello_due = due;
        task_room_arm(c->pool->room, due);
        return true;
}

bool task_blobs_fit(const Task *t, Channel *c) {
        return t->blobs.n == 0 || (c->n_fds_open + t->blobs.n <= CHANNEL_FDS_MAX && !may_say_hello(c));
}

usec_t channel_check_blobs(Channel *c, usec_t now) {
        if (c->is_refused)
                channel_mark(c);
        c->is_refused = false;
        if (c->hello_due > now)
                return c->hello_due;
        if (c->hello_due > 0)
                task_pool_mark(c->pool);
        c->hello_due = 0;
        return USEC_INFINITY;
}

/* Return: 0; the task cannot be given: -EOPNOTSUPP, or errors of blob_open(). */
static int attach(const BlobSet *s, Channel *c, size_t at) {
        int r = c->takes_blobs ? 0 : -EOPNOTSUPP;

        for (size_t i = 0; r >= 0 && i < s->n; i++) {
                int fd = blob_open(blob_at(s, i));

                r = fd < 0 ? fd : attach_put(&c->attached, at, fd);
                if (r < 0)
                        (void) fd_close(fd);
        }
        if (r < 0)
                attach_cut(&c->attached, at);
        return r;
}

bool task_blobs_attach(Task *t, Channel *c) {
        int r = attach(&t->blobs, c, c->out.length);
        char message[256];

        if (r >= 0)
                return true;
        if (r == -EOPNOTSUPP)
                (void) snprintf(message, sizeof message,
                                "%s takes no blobs, nor arguments of more than 64 KiB: it has to say so in its hello (\"blobs\": true)",
                                worker_name(c->worker));
        else
                (void) snprintf(message, sizeof message, "its blobs cannot be handed to a worker: %s", strerrordesc_np(-r));
        task_fail(t, TASK_FAILED, ERROR_LIMIT, message);
        return false;
}

void task_blobs_put_params(const Task *t, Channel *c, Piece *p) {
        Text *out = &c->out;

        p->n_fds = (unsigned) t->blobs.n;
        c->n_fds_open += p->n_fds;
        text_appendf(out, "{\"descriptors\":%zu", t->blobs.n);
        if (t->has_spill)
                text_appendf(out, ",\"spill\":{\"size\":%zu}", blob_size(t->blobs.first));
        blob_set_put(&t->blobs, out, "blobs", t->has_spill);
        text_append_char(out, t->has_spill ? '}' : ',');
        if (!t->has_spill)
                text_append(out, t->params + 1);
}

bool channel_has_recorded(const Channel *c) {
        for (size_t i = 0; i < PIECES_MAX; i++)
                if (c->pieces[i].n > 0 && c->pieces[i].task && c->pieces[i].task->is_recorded)
                        return true;
        return false;
}

/* ---- what workers ask for ---- */

static void reply_error(Channel *c, Slice id, int error) {
        char text[256];

        text_append(&c->out, "{\"jsonrpc\":\"2.0\",\"id\":");
        text_append_n(&c->out, id.at, id.n);
        error_plain(&c->out, "error", error == -EINVAL ? ERROR_PARAMS : ERROR_LIMIT, blob_error(error, text, sizeof text));
        text_append(&c->out, "}\n");
}

static int lend(Channel *c, uint64_t size, Blob **ret) {
        int r = c->blobs.n >= BLOBS_WORKER_MAX || size + c->blobs.bytes > BLOBS_WORKER_BYTES_MAX ? -EDQUOT : 0, fd;

        if (r >= 0)
                r = blob_new(c->pool->room->blobs, &c->blobs, BLOB_UID_NONE, size, c->generation, ret);
        if (r < 0)
                return r;
        if (channel_has_recorded(c))
                (void) blob_keep(*ret); /* where no place is left, its result does not outlive droverd */
        fd = blob_lend(*ret);
        r = fd < 0 ? fd : attach_put(&c->attached, c->out.length, fd);
        if (r < 0) {
                (void) fd_close(fd);
                *ret = blob_free(*ret);
        }
        return r;
}

static void blob_new_for(Channel *c, Slice id, Slice params) {
        SliceMember m[] = {{.key = "size"}};
        uint64_t size;
        char name[BLOB_ID_MAX];
        Blob *b = NULL;
        int r = -EINVAL;

        if (params.at && slice_object(params.at, params.n, m, 1, NULL) >= 0 && m[0].value.at && slice_u64(m[0].value, &size) >= 0)
                r = lend(c, size, &b);
        if (r < 0)
                reply_error(c, id, r);
        else {
                text_append(&c->out, "{\"jsonrpc\":\"2.0\",\"id\":");
                text_append_n(&c->out, id.at, id.n);
                text_appendf(&c->out, ",\"result\":{\"descriptors\":1,\"blob\":\"%s\",\"size\":%zu}}\n", blob_id(b, name), blob_size(b));
        }
        c->has_reply = true;
        channel_mark(c);
}

static void blob_drop_by(Channel *c, Slice params) {
        SliceMember m[] = {{.key = "blob"}};
        uint64_t size;
        Slice id;

        if (params.at && slice_object(params.at, params.n, m, 1, NULL) >= 0 && m[0].value.at && blob_name_text(m[0].value, &id, &size) >= 0)
                blob_free(blob_find(&c->blobs, id));
}

static bool is_word(Slice s, const char *quoted) {
        return s.n == strlen(quoted) && memcmp(s.at, quoted, s.n) == 0;
}

bool channel_blob_request(Channel *c, Slice method, Slice id, Slice params) {
        if (is_word(method, "\"blob.drop\"") && !id.at)
                blob_drop_by(c, params);
        else if (is_word(method, "\"blob.new\"") && id.at && id.at[0] == '"' && id.n <= 64)
                blob_new_for(c, id, params);
        else
                return false;
        return true;
}

/* ---- with an answer ---- */

static int claim_one(Channel *c, Slice name, uid_t uid) {
        uint64_t size;
        Slice id;
        Blob *b;
        int r;

        if (c->claimed.n >= NAMES_MAX)
                return -E2BIG;
        if (blob_name_text(name, &id, &size) < 0 || !(b = blob_find(&c->blobs, id)))
                return -ENOENT;
        r = blob_use(b, &c->claimed, uid, size);
        if (r == -EDQUOT && task_user_make_room(c->pool->room, uid, b))
                r = blob_use(b, &c->claimed, uid, size);
        return r;
}

int channel_claim(Channel *c, Slice spill, Slice blobs, uid_t uid) {
        uint32_t ends[NAMES_MAX];
        size_t at = 0;
        ssize_t n = blobs.at ? slice_array(blobs.at, blobs.n, ends, NAMES_MAX, &at, NULL) : 0;
        int r = n < 0 ? (n == -E2BIG ? -E2BIG : -ENOENT) : 0;

        if (r >= 0 && spill.at)
                r = claim_one(c, spill, uid);
        for (ssize_t i = 0; r >= 0 && i < n; i++) {
                Slice name;

                while (at < ends[i] && strchr(" \t\r\n,", blobs.at[at]))
                        at++;
                r = slice_value(blobs.at + at, ends[i] - at, &name, NULL) < 0 ? -ENOENT : claim_one(c, name, uid);
                at = ends[i];
        }
        if (r < 0)
                blob_set_done(&c->claimed);
        return r;
}

/* What a worker wrote as the text of its result is not ours to believe. */
static int read_result(const BlobSet *s, Text *t) {
        int r = s->first ? blob_read(s->first, t) : -ENOENT;
        Slice value;

        if (r < 0)
                return r;
        if (slice_value(t->data, t->length, &value, NULL) < 0)
                return -EBADMSG;
        for (size_t i = 0; i < t->length; i++)
                if (t->data[i] == '\n') /* white space between values: a message is one line */
                        t->data[i] = ' ';
        return 0;
}

int channel_read_claimed(Channel *c, Text *ret, char *message, size_t size) {
        int r = c->claimed.n > 1 ? -EOPNOTSUPP : read_result(&c->claimed, ret);

        if (r == -EFBIG)
                (void) snprintf(message, size, "the result of an item of a map has at most %u bytes; use task.submit", BLOB_INLINE_MAX);
        else if (r == -EOPNOTSUPP)
                (void) snprintf(message, size, "the result of an item of a map has no blobs; use task.submit");
        else if (r < 0)
                (void) snprintf(message, size, "%s answered with a blob that has no JSON in it", worker_name(c->worker));
        return r;
}

void task_take_claimed(Task *t, Channel *c, bool is_spilled) {
        blob_set_move(&t->results, &c->claimed);
        t->is_result_spilled = is_spilled && t->results.n > 0;
}

void task_put_result_member(const Task *t, Text *out, Slice result) {
        if (t->is_result_spilled)
                text_appendf(out, "\"spill\":{\"size\":%zu}", blob_size(t->results.first));
        else {
                text_append(out, "\"result\":");
                slice_append(out, result);
        }
        if (t->results.n > t->is_result_spilled)
                blob_set_put(&t->results, out, "blobs", t->is_result_spilled);
}

/* ---- shown ---- */

bool task_is_shown_whole(const Task *t) {
        return t->results.n == 0 || (t->is_result_spilled && t->results.n == 1 && blob_size(t->results.first) <= BLOB_INLINE_MAX);
}

/* For those who take no descriptors. */
void task_put_inline(const Task *t, Text *out) {
        _cleanup_text_ Text text = {0};
        char message[256];
        int r = read_result(&t->results, &text);

        if (r >= 0) {
                text_append(out, ",\"result\":");
                slice_append(out, (Slice){text.data, text.length});
        } else if (r == -EFBIG) {
                (void) snprintf(message, sizeof message,
                                "the result has %zu bytes, more than a message takes: get it by blob.get, or ask with \"attach\": true",
                                blob_size(t->results.first));
                error_plain(out, "error", ERROR_LIMIT, message);
        } else
                error_plain(out, "error", ERROR_FAILED, "the worker's result is no JSON");
        json_put_object(out, "spill");
        json_put_u64(out, "size", blob_size(t->results.first));
        json_end_object(out);
        if (t->results.n > 1)
                blob_set_put(&t->results, out, "blobs", 1);
}

const BlobSet *task_results(const Task *t) {
        return &t->results;
}

bool task_has_spilled(const Task *t) {
        return t->is_result_spilled;
}

void task_attach_results(Task *t) {
        t->is_attached = true;
}

BlobRoom *task_room_blobs(TaskRoom *r) {
        return r->blobs;
}

/* ---- over droverd's death ---- */

static BlobSet *set_of_channel(uint64_t generation, void *userdata) {
        TaskRoom *r = userdata;
        Channel *c;

        HASH_FIND(hh, r->channels, &generation, sizeof generation, c);
        return c ? &c->blobs : NULL;
}

void task_room_restore_blobs(TaskRoom *r) {
        blob_room_restore_rest(r->blobs, r->inherited, set_of_channel, r);
}
