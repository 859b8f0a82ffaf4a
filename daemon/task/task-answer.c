/* task-answer.c - lines from a worker: hello, answers, garbage.
 *
 * They are looked at in the socket's own buffer (MSG_PEEK) and taken off it after the journal is written, so that whatever
 * kills droverd in between, the next life finds them. Nothing is parsed beyond the envelope. */
#include "task/task-internal.h"

#include "base/log.h"
#include "wire/protocol.h"
#include <stdio.h>
#include <sys/socket.h>

#define QUOTE_MAX 200
#define GARBAGE_TEXT_MAX (QUOTE_MAX + 256)

/* ---- garbage ---- */

/* What it said, for people: cut, and what cannot be shown replaced. */
static void quote(const char *line, size_t size, char buf[static QUOTE_MAX + 8]) {
        size_t n = MIN(size, (size_t) QUOTE_MAX);

        for (size_t i = 0; i < n; i++)
                buf[i] = line[i] >= 0x20 && line[i] < 0x7f ? line[i] : '?';
        (void) snprintf(buf + n, 8, "%s", size > n ? "..." : "");
}

void piece_fail(Channel *c, Piece *p, int code, const char *message) {
        Piece was = *p;

        channel_answered(c, p, true);
        if (was.task)
                task_fail(was.task, TASK_FAILED, code, message);
        if (was.map) {
                _cleanup_text_ Text error = {0};

                error_plain(&error, NULL, code, message);
                was.map->n_open--;
                map_failed(was.map, was.first, was.n, error_text(&error));
        }
}

/* The first line of several that is no answer. */
typedef struct Garbage {
        const char *what; /* NULL: none */
        Slice line;
} Garbage;

static void garbage_note(Garbage *g, const char *what, const char *line, size_t size) {
        if (!g->what)
                *g = (Garbage){.what = what, .line = {.at = line, .n = size}};
}

/* Whom it is at, as far as that is known. */
static Piece *piece_begun(Channel *c) {
        if (c->n_open == 0 || (c->has_page && channel_n_begun(c) == 0))
                return NULL;
        return channel_piece(c, c->head);
}

static void garbage_describe(const Channel *c, const char *what, const char *line, size_t size, char buf[static GARBAGE_TEXT_MAX]) {
        char said[QUOTE_MAX + 8];

        quote(line, size, said);
        (void) snprintf(buf, GARBAGE_TEXT_MAX, "%s: %s: %s", worker_name(c->worker), what, said);
}

/* The process goes, and what comes behind on the channel is not heard, however soon. But a worker that has a page gathers its
 * answers: what a target itself wrote to the channel may overtake those that were finished before, so they count. */
static void channel_is_spoilt(Channel *c, const char *what) {
        c->is_over |= !c->has_page;
        channel_condemn(c, what);
}

/* ---- hello ---- */

static bool is_true(Slice s) {
        return s.n == 4 && memcmp(s.at, "true", 4) == 0;
}

bool channel_take_hello(Channel *c, Slice params) {
        SliceMember m[] = {{.key = "items"}, {.key = "page"}, {.key = "signal"}, {.key = "blobs"}};

        if (!params.at || slice_object(params.at, params.n, m, ARRAY_SIZE(m), NULL) < 0)
                return false;
        c->ledger->hello = TASK_HELLO_SAID | (is_true(m[0].value) ? TASK_HELLO_ITEMS : 0) |
                           (is_true(m[1].value) ? TASK_HELLO_PAGE | TASK_HELLO_SIGNAL : 0) |
                           (is_true(m[2].value) ? TASK_HELLO_SIGNAL : 0) | (is_true(m[3].value) ? TASK_HELLO_BLOBS : 0);
        channel_hello(c);
        worker_hear_hello(c->worker, c->generation);
        task_pool_mark(c->pool);
        return true;
}

/* ---- answers ---- */

typedef struct Answer {
        Slice id, result, error, method, params, spill, blobs;
} Answer;

/* A request that the worker says it could not read, or a target it does not have, did not run. */
static bool has_run(const Answer *a) {
        SliceMember code[] = {{.key = "code"}};

        if (!a->error.at || slice_object(a->error.at, a->error.n, code, 1, NULL) < 0 || !code[0].value.at)
                return true;
        return !(code[0].value.n == 6 && memcmp(code[0].value.at, "-32", 3) == 0);
}

static void answer_task(Channel *c, Task *t, const Answer *a) {
        _cleanup_text_ Text member = {0};

        if (a->error.at) {
                error_from_worker(&member, "error", a->error);
        } else {
                task_take_claimed(t, c, a->spill.at);
                task_put_result_member(t, &member, a->result);
        }
        if (text_check(&member) < 0)
                task_fail(t, TASK_FAILED, ERROR_INTERNAL, "the daemon is short of memory for the result");
        else
                task_settle(t, a->error.at ? TASK_FAILED : TASK_DONE, member.data);
}

static void answer_map(const Piece *p, const Answer *a) {
        _cleanup_text_ Text error = {0};

        p->map->n_open--;
        if (!a->error.at) {
                map_answered(p->map, p->first, a->result);
                return;
        }
        error_from_worker(&error, NULL, a->error);
        map_failed(p->map, p->first, p->n, error_text(&error));
}

static void answer_take(Channel *c, Piece *p, const Answer *a, bool is_kept) {
        Piece was = *p;

        if (p->as_items && a->result.at) {
                chunk_take(c, p, a->result, is_kept);
                return;
        }
        channel_answered(c, p, has_run(a));
        if (was.task)
                answer_task(c, was.task, a);
        else if (was.map)
                answer_map(&was, a);
}

/* With blobs: they are to be its own, and of a map the text is wanted here. */
static void answer_take_blobs(Channel *c, Piece *p, Answer *a, bool is_kept, const char *line, size_t size) {
        uid_t uid = p->task ? p->task->uid : p->map ? p->map->uid : BLOB_UID_NONE;
        int r = channel_claim(c, a->spill, a->blobs, uid);
        _cleanup_text_ Text text = {0};
        char message[GARBAGE_TEXT_MAX];

        if (r == -ENOENT && (p->task || p->map)) {
                garbage_describe(c, "it answered with a blob that is not its own", line, size, message);
                piece_fail(c, p, ERROR_FAILED, message);
                channel_is_spoilt(c, "it answered with a blob that is not its own");
                return;
        }
        if (r < 0)
                piece_fail(c, p, r == -EDQUOT ? ERROR_LIMIT : ERROR_FAILED, blob_error(r, message, sizeof message));
        else if (p->map && !a->error.at && channel_read_claimed(c, &text, message, sizeof message) < 0)
                piece_fail(c, p, ERROR_LIMIT, message);
        else {
                if (p->map && !a->error.at)
                        a->result = (Slice){text.data, text.length};
                answer_take(c, p, a, is_kept);
        }
        blob_set_done(&c->claimed);
}

static void answer_deliver(Channel *c, Piece *p, Answer *a, bool is_kept, const char *line, size_t size) {
        if (a->spill.at || a->blobs.at)
                answer_take_blobs(c, p, a, is_kept, line, size);
        else
                answer_take(c, p, a, is_kept);
}

/* Return: 0; -EBADMSG with @fault (may be NULL), and what was found before it. */
static int answer_read(const char *line, size_t size, Answer *ret, SliceFault *fault) {
        SliceMember m[] = {{.key = "id"},     {.key = "result"}, {.key = "error"}, {.key = "method"},
                           {.key = "params"}, {.key = "spill"},  {.key = "blobs"}};
        int r = slice_object(line, size, m, ARRAY_SIZE(m), fault);

        *ret = (Answer){m[0].value, m[1].value, m[2].value, m[3].value, m[4].value, m[5].value, m[6].value};
        return r;
}

static bool is_either(const Answer *a) {
        return (a->result.at != NULL) != (a->error.at != NULL);
}

/* With id null it could not even tell which: the one that it is at. */
static Piece *answer_piece(Channel *c, const Answer *a) {
        uint64_t id;

        if (a->error.at && a->id.n == 4 && memcmp(a->id.at, "null", 4) == 0)
                return c->n_open > 0 ? channel_piece(c, c->head) : NULL;
        return slice_u64(a->id, &id) < 0 ? NULL : channel_piece(c, id);
}

static bool is_old(const Channel *c, const Answer *a) {
        uint64_t id;

        return slice_u64(a->id, &id) >= 0 && id > 0 && id < c->next_id;
}

void answer_take_kept(Channel *c, const char *line, size_t size) {
        uint64_t id;
        Answer a;
        Piece *p;

        if (answer_read(line, size, &a, NULL) < 0 || slice_u64(a.id, &id) < 0 || !is_either(&a))
                return;
        p = channel_piece(c, id);
        if (p)
                answer_deliver(c, p, &a, true, line, size);
}

static void take_line(Channel *c, const char *line, size_t size, Garbage *g) {
        SliceFault fault;
        Answer a;
        int r = answer_read(line, size, &a, &fault);
        Piece *p = a.id.at ? answer_piece(c, &a) : NULL;
        char what[160];

        if (r < 0 && p) { /* what it meant is known, and the next line begins anew */
                (void) snprintf(what, sizeof what, "the answer of the worker is not JSON: %s at byte %zu", fault.text, fault.offset);
                piece_fail(c, p, ERROR_TASK_FAILED, what);
        } else if (r < 0) {
                garbage_note(g, "it said on its task channel what is not JSON", line, size);
        } else if (a.method.at) {
                if (!channel_blob_request(c, a.method, a.id, a.params) &&
                    (a.method.n != 7 || memcmp(a.method.at, "\"hello\"", 7) != 0 || !channel_take_hello(c, a.params)))
                        garbage_note(g, "it said on its task channel what is no answer", line, size);
        } else if (p && is_either(&a)) {
                answer_deliver(c, p, &a, false, line, size);
        } else if (p) {
                garbage_note(g, "an answer has a result or an error", line, size);
        } else if (!a.id.at || !is_old(c, &a)) {
                garbage_note(g, "it answered what it was not asked", line, size);
        } else if (channel_claim(c, a.spill, a.blobs, BLOB_UID_NONE) >= 0)
                blob_set_done(&c->claimed); /* answered before, or in the life before: once is enough */
}

static bool is_blank(const char *line, size_t size) {
        for (size_t i = 0; i < size; i++)
                if (line[i] != ' ' && line[i] != '\t' && line[i] != '\r')
                        return false;
        return true;
}

/* Lines from @at on. Return: where the first one begins that was not looked at. */
static size_t take_whole_lines(Channel *c, const char *data, size_t at, size_t size, Garbage *g) {
        while (at < size) {
                const char *end = memchr(data + at, '\n', size - at);
                size_t n = end ? (size_t) (end - data) - at : size - at;

                if (n > TASK_LINE_MAX) { /* where the next one begins is not known */
                        garbage_note(g, "its answer is larger than 65536 bytes, for which there are blobs", data + at, n);
                        c->is_over = true;
                        break;
                }
                if (!end)
                        break;
                if (!is_blank(data + at, n) && !chunk_take_plain(c, data + at, n))
                        take_line(c, data + at, n, g);
                at += n + 1;
                if (c->is_over || (g->what && !c->has_page))
                        break;
        }
        return at;
}

/* A worker that was just sending what it had gathered has it in its page no more, and had not in the socket when that was
 * looked into, up to @at. Return: up to where it is by now. */
static size_t take_what_came(Channel *c, size_t at) {
        char *data = c->pool->room->peek;
        ssize_t n = c->is_over ? 0 : recv(c->fd, data, PEEK_MAX, MSG_PEEK | MSG_DONTWAIT);
        Garbage more = {.what = NULL}; /* the first garbage is enough */

        return n > (ssize_t) at ? take_whole_lines(c, data, at, (size_t) n, &more) : at;
}

/* The task that it is at fails with what it said. Of the lines so far, up to @at, none is needed any more. Return: up to where
 * there is nothing more to hear. */
static size_t channel_garbage(Channel *c, const Garbage *g, size_t at) {
        char message[GARBAGE_TEXT_MAX];
        Piece *p;

        garbage_describe(c, g->what, g->line.at, g->line.n, message);
        channel_take_kept(c); /* what it has finished and not told is not to blame */
        if (c->has_page)
                at = take_what_came(c, at);
        p = c->is_condemned ? NULL : piece_begun(c); /* of one that is being killed anyway, that says why */
        if (p)
                piece_fail(c, p, ERROR_FAILED, message);
        channel_is_spoilt(c, g->what);
        return at;
}

static void take_lines(Channel *c, const char *data, size_t size) {
        Garbage g = {.what = NULL};
        size_t at = take_whole_lines(c, data, 0, size, &g);

        if (g.what)
                at = channel_garbage(c, &g, at);
        c->n_consume = c->is_over ? MAX(at, size) : at;
        if (c->n_consume > 0)
                channel_mark(c);
}

static void channel_at_end(Channel *c) {
        c->is_over = true;
        (void) sd_event_source_set_enabled(c->io, SD_EVENT_OFF);
        if (c->is_closing)
                return; /* its end is on the way */
        c->closed_at = clock_now(); /* most likely it is ending, and its end says more than this */
        task_room_arm(c->pool->room, usec_add(c->closed_at, CHANNEL_CLOSED_USEC));
}

void answer_receive(Channel *c) {
        TaskRoom *r = c->pool->room;
        ssize_t n;

        if (c->n_consume > 0) /* handled already, and not taken off yet */
                return;
        n = recv(c->fd, r->peek, PEEK_MAX, MSG_PEEK | MSG_DONTWAIT);
        c->has_unread |= n < 0 && errno == ECONNRESET; /* unix(7) says so when it is closed with unread data */
        if (n < 0 && errno != EAGAIN && errno != EINTR)
                n = 0;
        if (n < 0)
                return;
        if (n == 0)
                channel_at_end(c);
        else if (c->is_over) { /* nobody listens any more */
                c->n_consume = (size_t) n;
                channel_mark(c);
        } else
                take_lines(c, r->peek, (size_t) n);
}
