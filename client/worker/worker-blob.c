/* worker-blob.c - see worker-blob.h. */
#include "worker/worker-blob.h"

#include "base/alloc.h"
#include "base/fd.h"
#include "base/json.h"
#include "wire/blob-memory.h"
#include "worker/task-call.h"
#include <stdio.h>

#define REPLY "{\"jsonrpc\":\"2.0\",\"id\":\"b"

void taskblobs_init(TaskBlobs *b, TaskIo *io) {
        *b = (TaskBlobs){.io = io};
}

static void blob_done(TaskBlob *b) {
        blob_memory_free(TAKE_PTR(b->memory), b->size);
        b->fd = fd_close(b->fd);
}

static void done_all(TaskBlob *b, size_t *n) {
        while (*n > 0)
                blob_done(&b[--*n]);
}

void taskblobs_done(TaskBlobs *b) {
        done_all(b->came, &b->n_came);
        done_all(b->made, &b->n_made);
        done_all(b->spare, &b->n_spare);
        fd_close_many(b->aside_fds, b->n_aside_fds);
        text_done(&b->aside);
        free(b->pinned);
        *b = (TaskBlobs){0};
}

/* ---- lines ---- */

static bool is_reply(const char *line, size_t length) {
        return length > sizeof REPLY && memcmp(line, REPLY, sizeof REPLY - 1) == 0;
}

/* droverd writes them first in the params, and nothing before has a quote in it. */
static size_t count_descriptors(const char *line, size_t length) {
        static const char params[] = ",\"params\":";
        const char *at = memmem(line, length, params, sizeof params - 1);
        Slice rest = slice_past((Slice){at, at ? (size_t) (line + length - at) : 0}, ",\"params\":{\"descriptors\":");
        uint64_t n;

        return rest.at && slice_past_u64(rest, &n).at ? n : 0;
}

static void drop(TaskBlobs *b, TaskBlob *s) {
        text_appendf(taskio_out(b->io), "{\"jsonrpc\":\"2.0\",\"method\":\"blob.drop\",\"params\":{\"blob\":\"%s\"}}\n", s->id);
        blob_done(s);
}

static void take_reply(TaskBlobs *b, const char *line, size_t length) {
        _cleanup_json_ json_t *reply = json_loadb(line, length, 0, NULL), *result = json_incref(json_object_get(reply, "result"));
        const char *id = json_string_value(json_object_get(result, "blob"));
        const char *why = json_string_value(json_object_get(json_object_get(reply, "error"), "message"));
        int fd = result ? taskio_take_fd(b->io) : -EBADF;
        TaskBlob blob = {.fd = fd, .capacity = (size_t) json_integer_value(json_object_get(result, "size"))};

        b->n_asked -= b->n_asked > 0;
        (void) snprintf(b->error, sizeof b->error, "%s", why ? why : "");
        if (fd < 0 || !id) {
                fd_close(fd);
                return;
        }
        (void) snprintf(blob.id, sizeof blob.id, "%s", id);
        if (b->n_spare < TASKBLOBS_SPARE)
                b->spare[b->n_spare++] = blob;
        else /* asked once, answered twice: droverd died in between */
                drop(b, &blob);
}

/* A request while something else is waited for: its line with its descriptors, for later. */
static int put_aside(TaskBlobs *b, const char *line, size_t length) {
        size_t n = count_descriptors(line, length);

        text_append_n(&b->aside, line, length);
        text_append_char(&b->aside, '\n');
        for (; n > 0; n--) {
                int fd = b->n_aside_fds < ARRAY_SIZE(b->aside_fds) ? taskio_take_fd(b->io) : -EPROTO;

                if (fd < 0)
                        return -EPROTO;
                b->aside_fds[b->n_aside_fds++] = fd;
        }
        return text_check(&b->aside);
}

static int take_came(TaskBlobs *b, size_t n) {
        for (; n > 0; n--) {
                int fd = taskio_take_fd(b->io);

                if (fd < 0 || b->n_came > TASKBLOBS_MAX) {
                        fd_close(fd);
                        return -EPROTO;
                }
                b->came[b->n_came++] = (TaskBlob){.fd = fd};
        }
        return 0;
}

static int next_aside(TaskBlobs *b, char **ret_line, size_t *ret_length) {
        char *line = b->aside.data + b->aside_at, *end = memchr(line, '\n', b->aside.length - b->aside_at);
        size_t n = count_descriptors(line, (size_t) (end - line));

        b->pinned = alloc_strndup(line, (size_t) (end - line)); /* more may be put aside while it is carried out */
        if (!b->pinned)
                return -ENOMEM;
        *ret_line = b->pinned;
        *ret_length = (size_t) (end - line);
        b->aside_at += *ret_length + 1;
        if (n > b->n_aside_fds || n > TASKBLOBS_MAX + 1)
                return -EPROTO;
        for (size_t i = 0; i < n; i++)
                b->came[b->n_came++] = (TaskBlob){.fd = b->aside_fds[i]};
        b->n_aside_fds -= n;
        memmove(b->aside_fds, b->aside_fds + n, b->n_aside_fds * sizeof(int));
        return 1;
}

int taskblobs_next(TaskBlobs *b, char **ret_line, size_t *ret_length) {
        int r;

        done_all(b->came, &b->n_came);
        free(TAKE_PTR(b->pinned));
        b->has_spill = false;
        if (b->aside_at < b->aside.length)
                return next_aside(b, ret_line, ret_length);
        if (b->aside_at > 0) {
                text_done(&b->aside);
                b->aside_at = 0;
        }
        while ((r = taskio_next(b->io, ret_line, ret_length)) > 0 && is_reply(*ret_line, *ret_length))
                take_reply(b, *ret_line, *ret_length);
        if (r > 0 && b->io->received.n > 0 && take_came(b, count_descriptors(*ret_line, *ret_length)) < 0)
                return -EPROTO;
        return r;
}

/* ---- that came ---- */

static size_t size_of(Slice object) {
        SliceMember m[] = {{.key = "size"}};
        uint64_t n;

        return slice_object(object.at, object.n, m, 1, NULL) >= 0 && m[0].value.at && slice_u64(m[0].value, &n) >= 0 ? n : 0;
}

int taskblobs_open(TaskBlobs *b, Slice spill, Slice blobs) {
        uint32_t ends[TASKBLOBS_MAX];
        size_t at = 0;
        ssize_t n = blobs.at ? slice_array(blobs.at, blobs.n, ends, TASKBLOBS_MAX, &at, NULL) : 0;

        b->has_spill = spill.at;
        if (n < 0 || (size_t) n + b->has_spill != b->n_came)
                return -EPROTO;
        if (b->has_spill)
                b->came[0].size = size_of(spill);
        for (ssize_t i = 0; i < n; i++) {
                b->came[(size_t) i + b->has_spill].size = size_of((Slice){blobs.at + at, ends[i] - at});
                at = slice_next(blobs.at, ends[i]);
        }
        return 0;
}

static int read_came(TaskBlob *c) {
        if (!c->memory)
                c->memory = blob_memory_read(c->fd, c->size);
        return c->memory ? 0 : -errno;
}

Slice taskblobs_spill(TaskBlobs *b) {
        if (!b->has_spill || read_came(&b->came[0]) < 0)
                return (Slice){0};
        return (Slice){b->came[0].memory, b->came[0].size};
}

int taskblobs_read(TaskBlobs *b, size_t i, const void **ret_data, size_t *ret_size) {
        int r;

        if (i >= b->n_came - b->has_spill)
                return -ENOENT;
        i += b->has_spill;
        r = read_came(&b->came[i]);
        if (r < 0)
                return r;
        *ret_data = b->came[i].memory;
        *ret_size = b->came[i].size;
        return 0;
}

/* ---- to be made ---- */

static void ask(TaskBlobs *b, size_t size) {
        text_appendf(taskio_out(b->io), "{\"jsonrpc\":\"2.0\",\"id\":\"b%llu\",\"method\":\"blob.new\",\"params\":{\"size\":%zu}}\n",
                     (unsigned long long) ++b->last_id, size);
        b->n_asked++;
}

static bool take_spare(TaskBlobs *b, size_t size, TaskBlob *ret) {
        for (size_t i = 0; i < b->n_spare; i++) {
                if (b->spare[i].capacity < size || b->spare[i].capacity / 4 > MAX(size, (size_t) 65536))
                        continue;
                *ret = b->spare[i];
                b->spare[i] = b->spare[--b->n_spare];
                return true;
        }
        return false;
}

/* One answer more. The request at hand stays where it is. */
static int await(TaskBlobs *b) {
        size_t before = b->n_asked, length;
        char *line;
        int r = b->pinned ? 0 : taskio_pin(b->io, &b->pinned);

        while (r >= 0 && b->n_asked == before) {
                r = taskio_next(b->io, &line, &length);
                if (r == 0)
                        r = -ECONNRESET;
                else if (r > 0 && is_reply(line, length))
                        take_reply(b, line, length);
                else if (r > 0)
                        r = put_aside(b, line, length);
        }
        return r < 0 ? r : 0;
}

/* Of a size that fits the next one, too. */
static size_t round_up(size_t size) {
        size_t n = 4096;

        if (size > TASKBLOBS_SPARE_SIZE)
                return size;
        while (n < size)
                n *= 2;
        return n;
}

static int acquire(TaskBlobs *b, size_t size, TaskBlob *ret) {
        size_t capacity = round_up(size);
        int r = 0;

        while (r >= 0 && !take_spare(b, size, ret)) {
                if (b->n_asked > 0) { /* it may be of the right size */
                        r = await(b);
                        continue;
                }
                while (b->n_spare > 0)
                        drop(b, &b->spare[--b->n_spare]);
                ask(b, capacity);
                r = await(b);
                if (r >= 0 && b->n_spare == 0)
                        r = -ENOBUFS;
        }
        if (r == -ECONNRESET)
                (void) snprintf(b->error, sizeof b->error, "the daemon is away");
        else if (r < 0 && r != -ENOBUFS)
                (void) snprintf(b->error, sizeof b->error, "no blob can be had: %s", strerror(-r));
        if (r >= 0 && capacity <= TASKBLOBS_SPARE_SIZE && b->n_spare + b->n_asked < TASKBLOBS_SPARE)
                ask(b, capacity);
        return r < 0 ? r : 0;
}

int taskblobs_make(TaskBlobs *b, size_t size, void **ret_data) {
        TaskBlob *m = &b->made[b->n_made];
        int r = 0;

        (void) snprintf(b->error, sizeof b->error, "an answer has at most %u blobs of at least one byte", TASKBLOBS_MAX);
        if (b->n_made == TASKBLOBS_MAX || size == 0)
                return -E2BIG;
        (void) snprintf(b->error, sizeof b->error, "the result of an item of a map has no blobs; use task.submit");
        if (b->is_in_items)
                return -EOPNOTSUPP;
        r = acquire(b, size, m);
        if (r < 0)
                return r;
        m->size = size;
        m->memory = blob_memory_new(m->fd, size);
        if (!m->memory) {
                (void) snprintf(b->error, sizeof b->error, "no memory for a blob of %zu bytes: %s", size, strerror(errno));
                drop(b, m);
                return -ENOMEM;
        }
        *ret_data = m->memory;
        return (int) b->n_made++;
}

static int seal(TaskBlob *m) {
        return blob_memory_seal(m->fd, TAKE_PTR(m->memory), m->size);
}

static void put_name(Text *t, const char *key, const TaskBlob *m) {
        json_put_object(t, key);
        json_put_string(t, "blob", m->id);
        json_put_u64(t, "size", m->size);
        json_end_object(t);
}

int taskblobs_put(TaskBlobs *b, Text *t) {
        for (size_t i = 0; i < b->n_made; i++) {
                int r = seal(&b->made[i]);

                if (r < 0)
                        return r;
        }
        if (b->n_made == 0)
                return 0;
        json_put_array(t, "blobs");
        for (size_t i = 0; i < b->n_made; i++)
                put_name(t, NULL, &b->made[i]);
        json_end_array(t);
        done_all(b->made, &b->n_made);
        return 0;
}

void taskblobs_give_back(TaskBlobs *b) {
        while (b->n_made > 0)
                drop(b, &b->made[--b->n_made]);
}

int taskblobs_put_spill(TaskBlobs *b, Slice text, Text *t) {
        TaskBlob m = {.fd = -EBADF};
        int r = acquire(b, text.n, &m);

        if (r < 0)
                return r;
        m.size = text.n;
        r = blob_memory_write(m.fd, text.at, text.n);
        if (r >= 0)
                r = seal(&m);
        if (r < 0) {
                (void) snprintf(b->error, sizeof b->error, "no memory for the result: %s", strerror(-r));
                drop(b, &m);
                return r;
        }
        text_append(t, "null");
        put_name(t, "spill", &m);
        blob_done(&m);
        return 0;
}

/* ---- for targets ---- */

int drover_task_blob(drover_task *task, const json_t *value, const void **ret_data, size_t *ret_size) {
        const json_t *index = json_object_get(value, "$blob");

        if (!task->blobs || !json_is_integer(index) || json_integer_value(index) < 0)
                return -ENOENT;
        return taskblobs_read(task->blobs, (size_t) json_integer_value(index), ret_data, ret_size);
}

json_t *drover_task_blob_new(drover_task *task, size_t size, void **ret_data) {
        int i = task->blobs ? taskblobs_make(task->blobs, size, ret_data) : -EOPNOTSUPP;

        if (i >= 0)
                return json_pack("{s:i}", "$blob", i);
        task_raise(task, "MemoryError", task->blobs ? task->blobs->error : "blobs are for tasks of a pool");
        return NULL;
}
