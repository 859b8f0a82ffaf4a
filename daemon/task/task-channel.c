/* task-channel.c - the line to one process: requests out, and how far it is with them.
 *
 * droverd's end of the socket and the page are kept by the keeper under "task.NAME.GENERATION" and "page.…". Requests are
 * whole lines, at most CHANNEL_BYTES_MAX of them without an answer, which the socket holds; the ledger in the page says
 * before and after each send up to which id. So the next life knows what was sent; when it cannot know (it was killed
 * within the send), the channel is half closed: the worker answers what it has got and ends, and what is left then was
 * never sent.
 *
 *   open         takes requests, when the worker does
 *   closing      nothing more is sent; what it has got is still answered
 *   condemned    its process is being killed
 *   ended        the process is gone: task-death.c settles what is left, and the channel is freed */
#include "task/task-internal.h"

#include "base/alloc.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/log.h"
#include "priority.h"
#include "wire/protocol.h"
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define PREFETCH_MAX 64u
#define SOCKET_BUFFER (1 << 20)

static int on_io(sd_event_source *s, int fd, uint32_t revents, void *userdata) {
        Channel *c = userdata;

        if (revents & EPOLLOUT) {
                (void) sd_event_source_set_io_events(s, EPOLLIN);
                channel_mark(c);
        }
        if (revents & (EPOLLIN | EPOLLHUP | EPOLLERR))
                answer_receive(c);
        return 0;
}

static int channel_map(Channel *c) {
        struct stat st;
        void *m;

        if (fstat(c->page_fd, &st) < 0)
                return -errno;
        if (st.st_size != (off_t) sizeof(TaskPage)) /* of another version */
                return -EPROTO;
        m = mmap(NULL, sizeof(TaskPage), PROT_READ | PROT_WRITE, MAP_SHARED, c->page_fd, 0);

        if (m == MAP_FAILED)
                return -errno;
        c->page = m;
        c->ledger = &c->page->ledger;
        return 0;
}

static int make_page(Channel *c) {
        c->page_fd = memfd_new("drover-task-page");
        if (c->page_fd < 0)
                return c->page_fd;
        if (ftruncate(c->page_fd, (off_t) sizeof(TaskPage)) < 0 ||
            fcntl(c->page_fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
                return -errno;
        return channel_map(c);
}

static int make_socket(Channel *c) {
        int fds[2], size = SOCKET_BUFFER;

        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
                return -errno;
        c->fd = fds[0];
        c->worker_fd = fds[1];
        for (size_t i = 0; i < 2; i++) /* by force only for root; what others get is enough */
                if (setsockopt(fds[i], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size) < 0)
                        (void) setsockopt(fds[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
        return fd_set_nonblock(c->fd, true);
}

static Channel *channel_blank(TaskPool *p, Worker *w) {
        Channel *c = NEW0(Channel);

        if (!c)
                return NULL;
        *c = (Channel){.pool = p, .worker = w, .fd = -EBADF, .page_fd = -EBADF, .worker_fd = -EBADF, .head = 1, .next_id = 1};
        c->bound_at = clock_now();
        DL_APPEND(p->channels, c);
        return c;
}

int channel_new(Channel **ret, TaskPool *p, Worker *w) {
        Channel *c = channel_blank(p, w);
        int r = c ? make_page(c) : -ENOMEM;

        if (r >= 0)
                r = make_socket(c);
        if (r < 0) {
                channel_free(c);
                return r;
        }
        *ret = c;
        return 0;
}

Channel *channel_free(Channel *c) {
        TaskRoom *r;

        if (!c)
                return NULL;
        r = c->pool->room;
        DL_DELETE(c->pool->channels, c);
        if (c->is_dirty)
                DL_DELETE2(r->dirty, c, dirty_prev, dirty_next);
        if (c->generation > 0)
                HASH_DEL(r->channels, c);
        sd_event_source_disable_unref(c->io);
        if (c->page)
                (void) munmap(c->page, sizeof(TaskPage));
        fd_close(c->fd);
        fd_close(c->page_fd);
        fd_close(c->worker_fd);
        text_done(&c->out);
        attach_done(&c->attached);
        blob_set_done(&c->blobs);
        blob_set_done(&c->claimed);
        free(c);
        return NULL;
}

static int channel_watch(Channel *c) {
        int r = sd_event_add_io(c->pool->room->world.event, &c->io, c->fd, EPOLLIN, on_io, c);

        return r < 0 ? r : sd_event_source_set_priority(c->io, PRIORITY_TASKS);
}

static void channel_name(Channel *c) {
        (void) snprintf(c->name, sizeof c->name, "%s.%llu", worker_name(c->worker), (unsigned long long) c->generation);
}

/* "task.NAME.GENERATION", "page.NAME.GENERATION" */
static void kept_name(const Channel *c, const char *what, char buf[static KEEPER_KEPT_NAME_MAX]) {
        (void) snprintf(buf, KEEPER_KEPT_NAME_MAX, "%s.%s", what, c->name);
}

void channel_bind(Channel *c, uint64_t generation) {
        KeeperLink *keeper = c->pool->room->world.keeper;
        char name[KEEPER_KEPT_NAME_MAX];
        int r;

        c->worker_fd = fd_close(c->worker_fd);
        c->generation = generation;
        HASH_ADD(hh, c->pool->room->channels, generation, sizeof c->generation, c);
        channel_name(c);
        kept_name(c, "task", name);
        r = keeper_link_keep(keeper, name, c->fd);
        kept_name(c, "page", name);
        if (r >= 0)
                r = keeper_link_keep(keeper, name, c->page_fd);
        if (r >= 0)
                r = channel_watch(c);
        if (r < 0)
                log_warning("%s: its task channel cannot be kept: %s", worker_name(c->worker), strerrordesc_np(-r));
}

void channel_hello(Channel *c) {
        c->has_hello = c->ledger->hello & TASK_HELLO_SAID;
        c->takes_items = c->ledger->hello & TASK_HELLO_ITEMS;
        c->has_page = c->ledger->hello & TASK_HELLO_PAGE;
        c->takes_blobs = c->ledger->hello & TASK_HELLO_BLOBS;
        c->has_signal = c->ledger->hello & TASK_HELLO_SIGNAL;
}

/* What the life before had sent and not seen answered. */
static void inherit_ledger(Channel *c) {
        const TaskLedger *l = c->ledger;
        uint64_t begun = l->n_begun, sent = l->n_sent;

        c->next_id = begun + 1;
        c->head = c->next_id;
        c->n_calls_answered = c->n_done = c->n_given = l->n_calls_answered;
        channel_hello(c);
        for (uint64_t id = begun > PIECES_MAX ? begun - PIECES_MAX + 1 : 1; id <= begun; id++) {
                const TaskLedgerEntry *e = &l->entries[id % PIECES_MAX];

                if (e->id != id || e->n_calls == 0 || e->n_calls > UINT32_MAX || e->n_gone > UINT32_MAX)
                        continue;
                c->pieces[id % PIECES_MAX] = (Piece){
                        .id = id, .n = (uint32_t) e->n_calls, .n_gone = (uint32_t) e->n_gone, .as_items = e->n_calls + e->n_gone > 1};
                c->n_open++;
                c->n_given += e->n_calls;
                c->head = MIN(c->head, id);
        }
        if (begun != sent)
                c->is_closing = c->is_torn = true;
}

int channel_inherit(TaskRoom *r, Worker *w, uint64_t generation) {
        TaskPool *p = task_pool_get(r, worker_pool(w));
        Channel *c = p && r->inherited ? channel_blank(p, w) : NULL;
        char name[KEEPER_KEPT_NAME_MAX];
        int error = c ? 0 : -ENOENT;

        if (!c)
                return error;
        c->generation = generation;
        channel_name(c);
        kept_name(c, "task", name);
        c->generation = 0; /* not in the table yet */
        c->fd = keeper_table_take_fd(r->inherited, name);
        kept_name(c, "page", name);
        c->page_fd = keeper_table_take_fd(r->inherited, name);
        if (c->fd < 0 || c->page_fd < 0)
                error = -ENOENT;
        if (error >= 0)
                error = channel_map(c);
        if (error >= 0)
                error = channel_watch(c);
        if (error < 0) {
                channel_free(c);
                return error;
        }
        c->generation = generation;
        HASH_ADD(hh, r->channels, generation, sizeof c->generation, c);
        inherit_ledger(c);
        return 0;
}

void channel_drop_kept(Channel *c) {
        char name[KEEPER_KEPT_NAME_MAX];

        kept_name(c, "task", name);
        (void) keeper_link_drop(c->pool->room->world.keeper, name);
        kept_name(c, "page", name);
        (void) keeper_link_drop(c->pool->room->world.keeper, name);
}

/* ---- requests ---- */

uint64_t channel_n_left(const Channel *c) {
        uint64_t allowed = worker_tasks_allowed(c->worker, c->generation);

        return allowed - MIN(allowed, c->n_given);
}

bool channel_takes(const Channel *c) {
        return !c->is_closing && !c->is_condemned && !c->is_over && c->generation > 0 && c->next_id - c->head < PIECES_MAX - 1 &&
               c->bytes_open < CHANNEL_BYTES_MAX && channel_n_left(c) > 0 && worker_takes_tasks(c->worker, c->generation);
}

unsigned channel_depth(const Channel *c) {
        unsigned prefetch = pool_config(c->pool->pool)->tasks.prefetch;
        double usec = c->pool->usec_per_piece;

        if (prefetch != TASK_PREFETCH_AUTO)
                return 1 + MIN(prefetch, PREFETCH_MAX);
        if (!c->has_hello || usec <= 0)
                return 1;
        return 1 + (unsigned) MIN((double) PREFETCH_MAX, (double) ROUND_USEC / usec);
}

Piece *channel_piece(Channel *c, uint64_t id) {
        Piece *p = &c->pieces[id % PIECES_MAX];

        return id > 0 && p->id == id && p->n > 0 ? p : NULL;
}

/* Whose turn it is now: its time begins. */
static void head_begins(Channel *c) {
        Piece *p = channel_piece(c, c->head);

        c->head_since = p ? clock_now() : 0;
        c->warned_at = 0;
        c->is_load_new = true;
        if (p && p->timeout > 0)
                task_room_arm(c->pool->room, usec_add(c->head_since, p->timeout));
        if (p && p->is_unwanted)
                task_room_arm(c->pool->room, c->head_since);
        if (p && p->orphaned_at > 0)
                task_room_arm(c->pool->room, usec_add(c->head_since, TASK_GRACE_USEC));
}

Piece *channel_add(Channel *c, uint32_t n, usec_t timeout) {
        Piece *p = &c->pieces[c->next_id % PIECES_MAX];

        *p = (Piece){.id = c->next_id++, .n = n, .timeout = timeout};
        c->n_given += n;
        if (c->n_open++ == 0) {
                c->head = p->id;
                c->measured_at = clock_now();
                head_begins(c);
        }
        return p;
}

void channel_added(Channel *c, Piece *p, size_t out_before) {
        p->bytes = c->out.length - out_before;
        c->bytes_open += p->bytes;
        channel_mark(c);
}

/* How long a request takes, as a moving average over the pool; of a map, how long an item. */
static void measure(Channel *c, const Piece *p, uint32_t n_calls) {
        usec_t now = clock_now();
        double usec = (double) usec_sub(now, c->measured_at);
        TaskPool *pool = c->pool;

        c->measured_at = now;
        if (n_calls == p->n)
                pool->usec_per_piece = pool->usec_per_piece > 0 ? pool->usec_per_piece * 0.9 + usec * 0.1 : usec;
        if (p->map) {
                double each = usec / n_calls, *of = &p->map->usec_per_item;

                *of = *of > 0 ? *of * 0.7 + each * 0.3 : each;
        }
}

void channel_answered(Channel *c, Piece *p, bool has_run) {
        bool was_head = p->id == c->head;

        measure(c, p, p->n);
        if (has_run)
                c->n_calls_answered += p->n;
        c->n_done += has_run ? p->n : 0;
        c->bytes_open -= p->bytes;
        c->n_fds_open -= p->n_fds;
        c->n_open--;
        p->n = 0;
        c->is_ledger_old = true;
        while (c->head < c->next_id && !channel_piece(c, c->head))
                c->head++;
        if (was_head)
                head_begins(c);
        channel_look_later(c, c->measured_at);
        task_pool_mark(c->pool);
        channel_mark(c);
}

void channel_part_answered(Channel *c, Piece *p, uint32_t n) {
        measure(c, p, n);
        c->n_calls_answered += n;
        c->n_done += n;
        p->first += n;
        p->n -= n;
        p->n_gone += n;
        c->is_ledger_old = true;
        c->is_load_new = true;
        channel_mark(c);
}

void channel_mark(Channel *c) {
        if (c->is_dirty)
                return;
        c->is_dirty = true;
        DL_APPEND2(c->pool->room->dirty, c, dirty_prev, dirty_next);
}

/* ---- after the journal ---- */

/* Take off what was handled: byte by byte what was seen before. */
static void consume(Channel *c) {
        while (c->n_consume > 0) {
                ssize_t n = recv(c->fd, c->pool->room->peek, MIN(c->n_consume, (size_t) PEEK_MAX), MSG_DONTWAIT);

                if (n <= 0)
                        break;
                c->n_consume -= (size_t) n;
        }
        c->n_consume = 0;
}

static void note_ledger(Channel *c) {
        TaskLedger *l = c->ledger;

        for (uint64_t id = l->n_begun + 1; id < c->next_id; id++)
                l->entries[id % PIECES_MAX] = (TaskLedgerEntry){.id = id, .n_calls = c->pieces[id % PIECES_MAX].n};
        __atomic_store_n(&l->n_begun, c->next_id - 1, __ATOMIC_RELEASE);
}

static void send_out(Channel *c) {
        ssize_t n = 0;
        size_t done = 0;

        note_ledger(c);
        while (done < c->out.length && (n = attach_send(&c->attached, c->fd, c->out.data + done, c->out.length - done)) > 0)
                done += (size_t) n;
        if (n < 0 && n != -EAGAIN && n != -ETOOMANYREFS) { /* it closed its end; its death settles the rest */
                text_clear(&c->out);
                attach_done(&c->attached);
                c->is_closing = true;
                return;
        }
        if (done > 0 && done < c->out.length)
                memmove(c->out.data, c->out.data + done, c->out.length - done + 1);
        text_truncate(&c->out, c->out.length - done);
        if (c->out.length == 0)
                __atomic_store_n(&c->ledger->n_sent, c->next_id - 1, __ATOMIC_RELEASE);
        else if (n == -ETOOMANYREFS) {
                c->is_refused = true;
                task_room_arm(c->pool->room, usec_add(clock_now(), CHANNEL_REFUSED_USEC));
        } else
                (void) sd_event_source_set_io_events(c->io, EPOLLIN | EPOLLOUT);
}

/* A worker that asked for something gets no answer twice, and never none: what it asked is taken off after it is sent. */
static bool must_reply_first(Channel *c) {
        if (c->has_reply && c->out.length > 0)
                send_out(c);
        c->has_reply = c->has_reply && c->out.length > 0;
        return c->has_reply;
}

void channel_flush(Channel *c) {
        bool is_waiting = must_reply_first(c);

        if (c->is_ledger_old) {
                c->is_ledger_old = false;
                for (size_t i = 0; i < PIECES_MAX; i++)
                        if (c->ledger->entries[i].id == c->pieces[i].id) {
                                c->ledger->entries[i].n_calls = c->pieces[i].n;
                                c->ledger->entries[i].n_gone = c->pieces[i].n_gone;
                        }
                c->ledger->n_calls_answered = c->n_calls_answered;
        }
        if (c->n_consume > 0 && !is_waiting)
                consume(c);
        if (c->out.length > 0)
                send_out(c);
        if (c->is_closing && c->out.length == 0 && !c->is_half_closed &&
            (!c->takes_blobs || c->is_torn || c->n_open == 0)) { /* until then it may ask for a blob */
                (void) shutdown(c->fd, SHUT_WR);
                c->is_half_closed = true;
        }
        channel_tell_load(c);
}

void channel_half_close(Channel *c) {
        c->is_closing = true;
        channel_mark(c);
}

void channel_condemn(Channel *c, const char *why) {
        if (c->is_condemned)
                return;
        c->is_condemned = true;
        log_fields(LOG_NOTICE, c->pool->name, worker_name(c->worker), "%s: killed: %s", worker_name(c->worker), why);
        (void) worker_signal_process(c->worker, c->generation, SIGKILL, true);
}

/* ---- what others see ---- */

static uint64_t current_task(const Channel *c) {
        const Piece *p = &c->pieces[c->head % PIECES_MAX];

        if (c->n_open == 0 || p->id != c->head || p->n == 0)
                return 0;
        return p->task ? p->task->number : p->map ? p->map->number : 0;
}

void channel_tell_load(Channel *c) {
        if (!c->is_load_new || c->generation == 0)
                return;
        c->is_load_new = false;
        worker_set_load(c->worker, c->generation, c->n_open > 0, current_task(c), c->n_done);
}

/* ---- too long ---- */

static void time_out(Channel *c, Piece *p) {
        char message[160], span[SPAN_TEXT_MAX];
        _cleanup_text_ Text error = {0};

        (void) snprintf(message, sizeof message, "it lasted longer than %s; %s was killed", span_format(span, p->timeout),
                        worker_name(c->worker));
        if (p->task)
                task_fail(p->task, TASK_TIMEOUT, ERROR_TIMEOUT, message);
        error_plain(&error, NULL, ERROR_TIMEOUT, message);
        if (p->map && text_check(&error) >= 0) {
                TaskMap *m = TAKE_PTR(p->map);
                uint64_t done = c->page && c->has_page ? c->page->n_started - MIN(c->page->n_started, c->n_calls_answered) : p->n;
                size_t n = MAX(MIN(done, (uint64_t) p->n), (uint64_t) 1);

                m->n_open--;
                if (n < p->n)
                        map_redo(m, p->first + n, p->n - n, p->n_deaths);
                map_failed(m, p->first, n, error.data);
        }
        p->task = NULL;
        channel_condemn(c, message);
}

static usec_t check_timeout(Channel *c, Piece *p, usec_t now) {
        usec_t due;

        if (p->timeout == 0 || (!p->task && !p->map))
                return USEC_INFINITY;
        due = c->warned_at > 0 ? usec_add(c->warned_at, TASK_GRACE_USEC) : usec_add(c->head_since, p->timeout);
        if (now < due)
                return due;
        if (c->warned_at > 0 || !c->has_signal) { /* which kills those who do not know it */
                channel_take_kept(c); /* finished, and not told yet? */
                if (channel_piece(c, c->head) != p || !channel_piece(c, p->id))
                        return now;
                time_out(c, p);
                return USEC_INFINITY;
        }
        c->warned_at = now;
        (void) worker_signal_process(c->worker, c->generation, SIGUSR2, false);
        return usec_add(now, TASK_GRACE_USEC);
}

/* Items that nobody waits for any more, and that take long, are not to keep the pool from others. */
static usec_t check_orphan(Channel *c, const Piece *p, usec_t now) {
        usec_t due = usec_add(MAX(c->head_since, p->orphaned_at), TASK_GRACE_USEC);

        if (now < due)
                return due;
        channel_condemn(c, "nobody waits for the items that it is at");
        return USEC_INFINITY;
}

usec_t channel_check(Channel *c, usec_t now) {
        usec_t due, look = USEC_INFINITY;
        Piece *p;

        if (c->closed_at > 0 && !c->is_condemned) {
                due = usec_add(c->closed_at, CHANNEL_CLOSED_USEC);
                if (now < due)
                        return due;
                channel_condemn(c, "it closed its task channel");
        }
        if (c->look_at > 0 && c->look_at <= now) {
                c->look_at = 0;
                channel_take_kept(c);
        }
        if (c->look_at > 0)
                look = c->look_at;
        p = c->n_open > 0 ? channel_piece(c, c->head) : NULL;
        if (!p || c->is_condemned)
                return look;
        if (p->is_unwanted) {
                channel_condemn(c, "the task that it is at was cancelled");
                return USEC_INFINITY;
        }
        due = p->orphaned_at > 0 ? check_orphan(c, p, now) : check_timeout(c, p, now);
        return MIN(due, look);
}
