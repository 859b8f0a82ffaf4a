/* logger-link.c - reads and follows of logs.
 *
 *   asked -> LINES... -> END          each LINES is a chunk, delivered line by line
 *                  \-> paused -> resumed (from the loop)
 *
 * What has to be sent is noted in the read itself (ask, credit, cancel) and sent when the socket takes it, so that
 * nothing here needs a queue. A read freed by its owner lives on, unseen, until its CANCEL is sent and no hook of its
 * own is on the stack. */
#include "process/logger-link.h"
#include "base/alloc.h"
#include "base/fd.h"
#include <sys/epoll.h>
#include <utlist.h>

#define LOGGER_BUDGET 16 /* packets a loop turn, 48 KiB each at most */

typedef struct LogChunk {
        struct LogChunk *next, *prev;
        size_t size, offset;
        bool has_dropped;   /* tell n_dropped before its first line */
        uint64_t n_dropped;
        char data[];
} LogChunk;

struct LogRead {
        LoggerLink *link;
        LogRead *next, *prev;
        uint64_t id;
        LoggerMessage ask;
        LogReadHooks hooks;
        void *userdata;
        LogChunk *chunks;
        uint64_t credit_due;
        bool is_ask_due, is_cancel_due;
        bool has_delivered, is_paused, is_ended, is_end_told, is_freed, is_busy;
        int end_error;
        char end_text[128];
};

struct LoggerLink {
        sd_event *event;
        int64_t priority;
        int fd;
        sd_event_source *io, *deliver;
        LogRead *reads;
        uint64_t last_id;
        void (*on_dropped)(const LogDropped *d, void *userdata);
        void *userdata;
        char *packet; /* LoggerMessage + LOGGER_LINES_MAX */
        bool wants_output;
};

static void chunks_done(LogRead *r) {
        LogChunk *c, *next;

        DL_FOREACH_SAFE(r->chunks, c, next) {
                DL_DELETE(r->chunks, c);
                free(c);
        }
}

static void read_destroy(LogRead *r) {
        DL_DELETE(r->link->reads, r);
        chunks_done(r);
        free(r);
}

static void want_deliver(LoggerLink *l) {
        (void) sd_event_source_set_enabled(l->deliver, SD_EVENT_ONESHOT);
}

static void link_lost(LoggerLink *l) {
        LogRead *r;

        DL_FOREACH(l->reads, r)
                r->is_cancel_due = false;
        l->io = sd_event_source_disable_unref(l->io);
        l->fd = fd_close(l->fd);
        l->wants_output = false;
}

static int read_send(LogRead *r, LoggerMessageType type) {
        LoggerMessage m = r->ask;

        m.type = type;
        m.request = r->id;
        if (type == LOGGER_CREDIT)
                m.credit = r->credit_due;
        return packet_send(r->link->fd, &m, logger_message_size(type), NULL, 0);
}

/* Send what @r has due. Return: 0, or -errno: it stays due. */
static int read_send_due(LogRead *r) {
        int k = 0;

        if (r->is_cancel_due) {
                k = read_send(r, LOGGER_CANCEL);
                if (k >= 0)
                        r->is_cancel_due = false;
                return k;
        }
        if (r->is_ask_due) {
                k = read_send(r, r->ask.type);
                if (k >= 0)
                        r->is_ask_due = false;
        }
        if (k >= 0 && r->credit_due >= LOG_READ_CREDIT / 4) {
                k = read_send(r, LOGGER_CREDIT);
                if (k >= 0)
                        r->credit_due = 0;
        }
        return k;
}

static void link_set_output(LoggerLink *l, bool wanted) {
        if (l->wants_output == wanted || !l->io)
                return;
        if (sd_event_source_set_io_events(l->io, wanted ? EPOLLIN | EPOLLOUT : EPOLLIN) >= 0)
                l->wants_output = wanted;
}

static void link_send_due(LoggerLink *l) {
        LogRead *r, *next;
        bool is_full = l->fd < 0;

        DL_FOREACH_SAFE(l->reads, r, next) {
                /* Errors other than a full socket show up as its end, in io_dispatch(). */
                if (!is_full && read_send_due(r) == -EAGAIN)
                        is_full = true;
                if (r->is_freed && !r->is_cancel_due && !r->is_busy)
                        read_destroy(r);
        }
        link_set_output(l, is_full && l->fd >= 0);
}

/* One line of the first chunk. Return: false when there is none left, or the owner paused. */
static bool chunk_deliver_line(LogRead *r) {
        LogChunk *c = r->chunks;
        LoggerLine line;

        if (c->has_dropped) {
                c->has_dropped = false;
                r->hooks.on_dropped(r, c->n_dropped, r->userdata);
                return !r->is_freed;
        }
        if (c->size - c->offset < sizeof(line))
                return false;
        memcpy(&line, c->data + c->offset, sizeof(line));
        if (line.n_bytes > c->size - c->offset - sizeof(line))
                return false;
        if (!r->hooks.on_line(r, &line, c->data + c->offset + sizeof(line), r->userdata)) {
                r->is_paused = true;
                return false;
        }
        r->has_delivered = true;
        c->offset += sizeof(line) + line.n_bytes;
        return !r->is_freed;
}

static void read_deliver(LogRead *r) {
        r->is_busy = true;
        while (r->chunks && !r->is_paused && !r->is_freed) {
                LogChunk *c = r->chunks;

                while (chunk_deliver_line(r))
                        ;
                if (r->is_paused || r->is_freed)
                        break;
                r->credit_due += c->size;
                DL_DELETE(r->chunks, c);
                free(c);
        }
        if (!r->chunks && r->is_ended && !r->is_end_told && !r->is_freed) {
                r->is_end_told = true;
                r->hooks.on_end(r, r->end_error, r->end_text, r->userdata);
        }
        r->is_busy = false;
}

static int deliver_dispatch(sd_event_source *source, void *userdata) {
        LoggerLink *l = userdata;
        LogRead *r;

        /* Hooks may free any read: freed ones stay in the list until link_send_due(). */
        DL_FOREACH(l->reads, r)
                read_deliver(r);
        link_send_due(l);
        return 0;
}

static LogRead *read_find(LoggerLink *l, uint64_t id) {
        LogRead *r;

        DL_FOREACH(l->reads, r)
                if (r->id == id && !r->is_freed && !r->is_ended)
                        return r;
        return NULL;
}

static void read_end(LogRead *r, int error, const char *text) {
        r->is_ended = true;
        r->is_ask_due = false;
        r->credit_due = 0;
        r->end_error = error;
        memcpy(r->end_text, text, strnlen(text, sizeof(r->end_text) - 1));
        want_deliver(r->link);
}

static LogChunk *read_add_chunk(LogRead *r, const char *payload, size_t size) {
        LogChunk *c = alloc_zero(1, sizeof(LogChunk) + size);

        if (!c)
                return NULL;
        c->size = size;
        if (size > 0)
                memcpy(c->data, payload, size);
        DL_APPEND(r->chunks, c);
        want_deliver(r->link);
        return c;
}

static void on_lines(LogRead *r, const LoggerMessage *m, const char *payload, size_t size) {
        LogChunk *c = read_add_chunk(r, payload, size);

        if (!c) { /* these lines are gone and the logger cannot know: better no read than a silent hole */
                read_end(r, -ENOMEM, "");
                return;
        }
        c->n_dropped = m->lines.n_dropped;
        c->has_dropped = m->lines.n_dropped > 0;
}

static void add_gap(LogRead *r) {
        LogChunk *c = read_add_chunk(r, NULL, 0);

        if (c)
                c->has_dropped = true;
}

static void on_dropped(LoggerLink *l, const LoggerMessage *m) {
        char worker[LOG_WORKER_MAX];
        LogDropped d = {
                .worker = worker,
                .stream = m->dropped.stream == LOG_STREAM_STDERR ? "stderr" : "stdout",
                .n_lines = m->dropped.n_lines,
                .n_bytes = m->dropped.n_bytes,
                .error = m->dropped.error,
                .is_over = m->dropped.is_over != 0,
        };

        memcpy(worker, m->dropped.worker, sizeof(worker));
        worker[sizeof(worker) - 1] = '\0';
        if (l->on_dropped)
                l->on_dropped(&d, l->userdata);
}

static void on_packet(LoggerLink *l, size_t size) {
        const LoggerMessage *m = (const LoggerMessage *) l->packet;
        size_t head = size >= sizeof(m->type) ? logger_message_size(m->type) : 0;
        LogRead *r = head > 0 && size >= head ? read_find(l, m->request) : NULL;

        if (head > 0 && size == head && m->type == LOGGER_DROPPED)
                on_dropped(l, m);
        if (!r || m->type == LOGGER_DROPPED)
                return;
        if (m->type == LOGGER_LINES && m->lines.n_bytes == size - head)
                on_lines(r, m, l->packet + head, size - head);
        else if (m->type == LOGGER_END)
                read_end(r, -m->end.error, m->end.text);
}

static int io_dispatch(sd_event_source *source, int fd, uint32_t events, void *userdata) {
        LoggerLink *l = userdata;

        for (int i = 0; i < LOGGER_BUDGET; i++) {
                size_t n_fds = 0;
                ssize_t n = packet_recv(l->fd, l->packet, sizeof(LoggerMessage) + LOGGER_LINES_MAX, NULL, 0, &n_fds);

                if (n == -EAGAIN)
                        break;
                if (n == -EMSGSIZE)
                        continue;
                if (n <= 0) { /* the keeper brings a new line */
                        link_lost(l);
                        return 0;
                }
                on_packet(l, (size_t) n);
        }
        link_send_due(l);
        return 0;
}

int logger_link_new(LoggerLink **ret, sd_event *event, int64_t priority) {
        _cleanup_(logger_link_freep) LoggerLink *l = NEW0(LoggerLink);
        int r;

        if (!l)
                return -ENOMEM;
        l->fd = -EBADF;
        l->event = sd_event_ref(event);
        l->priority = priority;
        l->packet = alloc_zero(1, sizeof(LoggerMessage) + LOGGER_LINES_MAX);
        if (!l->packet)
                return -ENOMEM;
        r = sd_event_add_defer(event, &l->deliver, deliver_dispatch, l);
        if (r >= 0)
                r = sd_event_source_set_priority(l->deliver, priority);
        if (r >= 0)
                r = sd_event_source_set_enabled(l->deliver, SD_EVENT_OFF);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(l);
        return 0;
}

LoggerLink *logger_link_free(LoggerLink *l) {
        LogRead *r, *next;

        if (!l)
                return NULL;
        DL_FOREACH_SAFE(l->reads, r, next)
                read_destroy(r);
        link_lost(l);
        sd_event_source_disable_unref(l->deliver);
        sd_event_unref(l->event);
        free(l->packet);
        free(l);
        return NULL;
}

/* What becomes of @r with a new life of the logger. */
static void read_reconnect(LogRead *r) {
        if (r->is_freed || r->is_ended)
                return;
        r->credit_due = 0;
        if (!r->has_delivered) {
                chunks_done(r);
                r->is_ask_due = true;
        } else if (r->ask.read.follow) {
                r->ask.read.n_lines = 0;
                r->is_ask_due = true;
                add_gap(r);
        } else {
                read_end(r, -ECONNRESET, "the logger was started again");
        }
}

int logger_link_set_fd(LoggerLink *l, int fd_take) {
        LogRead *r;
        int k;

        link_lost(l);
        k = fd_set_nonblock(fd_take, true);
        if (k >= 0)
                k = sd_event_add_io(l->event, &l->io, fd_take, EPOLLIN, io_dispatch, l);
        if (k < 0)
                return k;
        (void) sd_event_source_set_priority(l->io, l->priority);
        l->fd = fd_take;
        DL_FOREACH(l->reads, r)
                read_reconnect(r);
        link_send_due(l);
        return 0;
}

void logger_link_on_dropped(LoggerLink *l, void (*hook)(const LogDropped *d, void *userdata), void *userdata) {
        l->on_dropped = hook;
        l->userdata = userdata;
}

static LogRead *read_make(LoggerLink *l, LoggerMessageType type, const LogSpec *spec, const LogReadHooks *hooks,
                          void *userdata) {
        LogRead *r = NEW0(LogRead);

        if (!r)
                return NULL;
        r->link = l;
        r->id = ++l->last_id;
        r->hooks = *hooks;
        r->userdata = userdata;
        r->ask.type = type;
        r->ask.read.spec = *spec;
        r->is_ask_due = true;
        DL_APPEND(l->reads, r);
        want_deliver(l); /* which sends it */
        return r;
}

int logger_read_new(LogRead **ret, LoggerLink *l, const LogSpec *spec, const LogReadAsk *ask, const LogReadHooks *hooks,
                    void *userdata) {
        LogRead *r = read_make(l, LOGGER_READ, spec, hooks, userdata);

        if (!r)
                return -ENOMEM;
        r->ask.read.streams = ask->streams;
        r->ask.read.follow = ask->follow;
        r->ask.read.n_lines = ask->n_lines;
        r->ask.read.since_usec = ask->since_usec;
        r->ask.read.credit = LOG_READ_CREDIT;
        *ret = r;
        return 0;
}

int logger_act_new(LogRead **ret, LoggerLink *l, LoggerMessageType act, const LogSpec *spec, const LogReadHooks *hooks,
                   void *userdata) {
        LogRead *r = read_make(l, act, spec, hooks, userdata);

        if (!r)
                return -ENOMEM;
        r->ask.read.streams = LOG_STREAM_STDOUT | LOG_STREAM_STDERR;
        *ret = r;
        return 0;
}

LogRead *logger_read_free(LogRead *r) {
        if (!r)
                return NULL;
        r->is_cancel_due = !r->is_ask_due && !r->is_ended && r->link->fd >= 0;
        r->is_ask_due = false;
        r->credit_due = 0;
        r->is_freed = true;
        want_deliver(r->link); /* which sends the CANCEL and lets it go */
        return NULL;
}

void logger_read_resume(LogRead *r) {
        r->is_paused = false;
        want_deliver(r->link);
}
