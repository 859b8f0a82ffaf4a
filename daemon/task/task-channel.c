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
#include "base/log.h"
#include "priority.h"
#include "wire/protocol.h"
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define PREFETCH_MAX 64u

uint64_t channel_n_left(const Channel *c) {
        uint64_t allowed = worker_tasks_allowed(c->worker, c->generation);

        return allowed - MIN(allowed, c->n_given);
}

bool channel_takes(const Channel *c) {
        return !c->is_closing && !c->is_unsendable && !c->is_condemned && !c->is_over && c->generation > 0 &&
               c->next_id - c->head < PIECES_MAX - 1 && c->bytes_open < CHANNEL_BYTES_MAX && channel_n_left(c) > 0 &&
               worker_takes_tasks(c->worker, c->generation);
}

unsigned channel_depth(const Channel *c) {
        unsigned prefetch = pool_config(c->pool->pool)->tasks.prefetch;
        double usec = c->pool->usec_per_piece;

        if (c->is_slow)
                return 1;
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

        c->head_since = c->ledger->head_since = p ? clock_now() : 0;
        c->warned_at = 0;
        c->is_load_new = true;
        if (p && p->timeout > 0)
                task_room_arm(c->pool->room, usec_add(c->head_since, p->timeout));
        if (p && p->is_unwanted)
                task_room_arm(c->pool->room, usec_add(c->head_since, TASK_CANCELLED_USEC));
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
        if (c->n_open > 1 && c->look_at == 0)
                channel_look_later(c, clock_now());
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
        c->pool->n_unread_deaths = 0;
        if (has_run)
                c->n_calls_answered += p->n;
        c->n_done += has_run ? p->n : 0;
        c->bytes_open -= p->bytes;
        c->n_fds_open -= p->n_fds;
        c->n_open--;
        c->is_slow = false;
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
        c->is_slow = false;
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
        if (n < 0 && n != -EAGAIN && n != -ETOOMANYREFS) { /* it closed its end: reading comes to that, too, after what it said */
                text_clear(&c->out);
                attach_done(&c->attached);
                c->has_unread |= n == -ECONNRESET;
                c->is_unsendable = true;
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
                c->ledger->recall_to = 0; /* it is in the journal where that belongs */
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
        c->condemned_for = alloc_strdup(why);
        log_fields(LOG_NOTICE, c->pool->name, worker_name(c->worker), "%s: killed: %s", worker_name(c->worker), why);
        (void) worker_kill_process(c->worker, c->generation, why);
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
