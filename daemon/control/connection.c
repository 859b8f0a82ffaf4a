/* connection.c - lines in to request.c, lines out at the end of the turn.
 *
 * At most REQUESTS_PER_TURN requests of one peer, and no further one after CONTROL_TURN_USEC, are handled in a turn of the
 * loop; the rest waits in its stream and in the list `unhandled`, behind those of everybody else of its rank. Only when no
 * line waits is the socket read again, so a peer's input never holds more than one read beyond one line. */
#include "control/connection.h"
#include "base/alloc.h"
#include "control/control-call.h"
#include "control/control-room.h"
#include "control/request.h"
#include "priority.h"
#include "wire/envelope.h"
#include "wire/protocol.h"

#include <sys/epoll.h>
#include <utlist.h>

#define REQUESTS_PER_TURN 32
#define LINGER_USEC (2 * USEC_PER_SEC)
#define LINE_TIMEOUT_USEC (CONTROL_LINE_TIMEOUT_SEC * USEC_PER_SEC)
#define STALL_TIMEOUT_USEC (CONTROL_STALL_TIMEOUT_SEC * USEC_PER_SEC)

static const StreamLimits stream_limits = {
        .line_max = CONTROL_LINE_MAX,
        .out_high = CONTROL_UNREAD_MARK,
        .out_max = CONTROL_UNREAD_MAX,
};

static int connection_dispatch_io(sd_event_source *s, int fd, uint32_t revents, void *userdata);

/* On a kernel that lets descriptors through. */
static ssize_t read_guarded(int fd, void *buf, size_t size, void *userdata) {
        Connection *c = userdata;
        size_t n_fds;
        ssize_t n = closer_receive(c->control->closer, fd, buf, size, &n_fds);

        c->has_passed_fds |= n >= 0 && n_fds > 0;
        return n;
}

int connection_priority(ConnectionRank rank) {
        return rank == RANK_PRIVILEGED ? PRIORITY_CONTROL : PRIORITY_CONTROL_OTHERS;
}

int connection_new(Control *control, int fd_take, Peer *peer_take, UidEntry *book) {
        AccessRules rules = control_rules(control);
        bool is_privileged = access_is_privileged(&rules, peer_take);
        Connection *c = NEW0(Connection);
        int r;

        if (!c)
                return -ENOMEM;
        *c = (Connection){.control = control, .rank = is_privileged ? RANK_PRIVILEGED : RANK_OTHERS, .io_events = EPOLLIN};
        r = sd_event_add_io(control->world.event, &c->io, fd_take, EPOLLIN, connection_dispatch_io, c);
        if (r >= 0)
                r = sd_event_source_set_priority(c->io, connection_priority(c->rank));
        if (r >= 0)
                r = stream_new(&c->stream, fd_take, &stream_limits);
        if (r < 0) {
                sd_event_source_disable_unref(c->io);
                free(c);
                return r;
        }
        if (closer_is_needed(control->closer))
                stream_set_reader(c->stream, read_guarded, c);
        c->book = book;
        c->peer = *peer_take;
        *peer_take = (Peer){.uid = PEER_NONE};
        DL_APPEND(control->connections, c);
        return 0;
}

Connection *connection_free(Connection *c) {
        if (!c)
                return NULL;
        sd_event_source_disable_unref(c->io);
        call_abandon_all(c);
        (void) uid_book_charge(c->book, UID_INPUT, c->n_charged, 0);
        (void) uid_book_charge(c->book, UID_OUTPUT, c->n_out_charged, 0);
        uid_book_leave(c->book);
        for (size_t i = 0; i < c->n_daemons; i++)
                pool_config_unref(c->daemons[i]);
        free(c->daemons);
        closer_close(c->control->closer, stream_take_fd(c->stream));
        stream_free(c->stream);
        peer_done(&c->peer);
        free(c);
        return NULL;
}

static void set_unsent(Connection *c) {
        if (c->is_unsent || c->is_blocked || c->state == CONNECTION_CLOSED)
                return;
        c->is_unsent = true;
        DL_APPEND2(c->control->unsent[c->rank], c, prev_unsent, next_unsent);
}

static void set_unhandled(Connection *c) {
        if (c->is_unhandled || c->state == CONNECTION_CLOSED)
                return;
        c->is_unhandled = true;
        DL_APPEND2(c->control->unhandled[c->rank], c, prev_unhandled, next_unhandled);
        control_want_more(c->control, c->rank);
}

static void set_timed(Connection *c) {
        if (c->is_timed || c->state == CONNECTION_CLOSED)
                return;
        c->is_timed = true;
        DL_APPEND2(c->control->timed, c, prev_timed, next_timed);
        control_arm_sweep(c->control);
}

Text *connection_out(Connection *c) {
        set_unsent(c);
        return stream_output(c->stream);
}

void connection_offend(Connection *c, PenaltyKind kind) {
        if (control_punish(c->control, &c->peer, kind))
                c->is_punished = true;
}

/* What is not read is the user's, too. */
static int charge_out(Connection *c) {
        size_t n = stream_unread(c->stream);
        int r = uid_book_charge(c->book, UID_OUTPUT, c->n_out_charged, n);

        if (r >= 0)
                c->n_out_charged = n;
        return r;
}

void connection_check_out(Connection *c) {
        if (c->state == CONNECTION_CLOSED)
                return;
        if (stream_check_output(c->stream) >= 0 && charge_out(c) >= 0)
                return;
        connection_offend(c, PENALTY_QUOTA);
        connection_close(c);
}

static void note_stall(Connection *c) {
        size_t unread = stream_unread(c->stream);

        if (!c->is_full) {
                c->stall_since = 0;
        } else if (c->stall_since == 0 || unread < c->stall_unread) {
                c->stall_since = clock_now();
                c->stall_unread = unread;
                set_timed(c);
        }
}

void connection_hold(Connection *c) {
        c->is_full = true;
}

bool connection_is_full(Connection *c) {
        if (!stream_is_congested(c->stream))
                return false;
        c->is_full = true; /* whoever holds back now is told by the flush that ends it */
        note_stall(c);
        return true;
}

/* What to watch follows from the state alone. That the peer is gone (EPOLLHUP) is always told. */
static void update_events(Connection *c) {
        bool wants_lines = c->state == CONNECTION_OPEN && !c->is_unhandled && !c->is_full;
        uint32_t events = 0;

        if (wants_lines || c->state == CONNECTION_LINGERING)
                events |= EPOLLIN;
        if (c->is_blocked)
                events |= EPOLLOUT;
        if (events != c->io_events && sd_event_source_set_io_events(c->io, events) >= 0)
                c->io_events = events;
}

/* The pool of a process that dies with the connection, unless it ended and its name is another's now. */
static Pool *daemon_find(const Connection *c, const PoolConfig *config) {
        Pool *p = pool_find(c->control->world.pools, config->name);

        return p && pool_config(p) == config ? p : NULL;
}

static void end_daemons(Connection *c) {
        for (size_t i = 0; i < c->n_daemons; i++) {
                Pool *p = daemon_find(c, c->daemons[i]);

                if (p)
                        pool_want_stop(p);
        }
}

void connection_close(Connection *c) {
        Control *control = c->control;

        if (c->state == CONNECTION_CLOSED)
                return;
        c->state = CONNECTION_CLOSED;
        (void) sd_event_source_set_enabled(c->io, SD_EVENT_OFF);
        if (c->is_unsent)
                DL_DELETE2(control->unsent[c->rank], c, prev_unsent, next_unsent);
        if (c->is_unhandled)
                DL_DELETE2(control->unhandled[c->rank], c, prev_unhandled, next_unhandled);
        if (c->is_timed)
                DL_DELETE2(control->timed, c, prev_timed, next_timed);
        c->is_unsent = c->is_unhandled = c->is_timed = false;
        DL_DELETE(control->connections, c);
        DL_APPEND(control->closed, c);
        blob_set_done(&c->blobs);
        end_daemons(c);
}

/* Forget those that ended. */
static void prune_daemons(Connection *c) {
        size_t kept = 0;

        for (size_t i = 0; i < c->n_daemons; i++) {
                Pool *p = daemon_find(c, c->daemons[i]);

                if (p && pool_n_wanted(p) > 0 && !worker_is_resting(pool_worker(p, 0)))
                        c->daemons[kept++] = c->daemons[i];
                else
                        pool_config_unref(c->daemons[i]);
        }
        c->n_daemons = kept;
}

int connection_own(Connection *c, PoolConfig *config) {
        int r;

        if (c->n_daemons == c->daemons_capacity)
                prune_daemons(c);
        r = alloc_grow(&c->daemons, &c->daemons_capacity, c->n_daemons + 1, sizeof(*c->daemons));
        if (r < 0)
                return r;
        c->daemons[c->n_daemons++] = pool_config_ref(config);
        return 0;
}

static void give_up(Connection *c, ProtocolError error, const char *text) {
        Text *t = connection_out(c);

        if (c->state == CONNECTION_CLOSED || c->state == CONNECTION_LINGERING)
                return;
        envelope_put_error(t, NULL, error, text);
        envelope_end_line(t);
        c->state = CONNECTION_LINGERING;
        c->linger_since = clock_now();
        c->line_since = 0;
        set_timed(c);
        update_events(c);
}

/* A line was begun and has not ended: it has a deadline and its bytes are the user's. */
static void note_partial(Connection *c) {
        size_t n = c->state == CONNECTION_OPEN ? stream_partial(c->stream) : 0;

        if (n != c->n_charged) {
                if (uid_book_charge(c->book, UID_INPUT, c->n_charged, n) < 0) {
                        connection_offend(c, PENALTY_QUOTA);
                        give_up(c, ERROR_LIMIT, "your connections hold too many bytes of unfinished messages");
                        return;
                }
                c->n_charged = n;
        }
        if (n == 0) {
                c->line_since = 0;
        } else if (c->line_since == 0) {
                c->line_since = clock_now();
                set_timed(c);
        }
}

void connection_close_if_done(Connection *c) {
        if (c->state == CONNECTION_HALF && !c->is_unhandled && !c->is_handling && c->n_calls == 0 && stream_unread(c->stream) == 0)
                connection_close(c);
}

void connection_handle(Connection *c) {
        usec_t until = usec_add(clock_now(), CONTROL_TURN_USEC);
        unsigned left = REQUESTS_PER_TURN, n;
        size_t length;
        char *line;

        if (c->is_unhandled)
                DL_DELETE2(c->control->unhandled[c->rank], c, prev_unhandled, next_unhandled);
        c->is_unhandled = false;
        c->is_handling = true;
        while (c->state == CONNECTION_OPEN || c->state == CONNECTION_HALF) {
                int r;

                if (connection_is_full(c))
                        break; /* its flush goes on with this */
                if (left == 0) {
                        set_unhandled(c);
                        break;
                }
                r = stream_next_line(c->stream, &line, &length);
                if (r == 0)
                        break;
                if (r < 0) {
                        connection_offend(c, PENALTY_PROTOCOL);
                        give_up(c, ERROR_LIMIT, "a message may have at most 65536 bytes");
                        break;
                }
                c->line_since = 0; /* the next one has its own time */
                n = request_handle(c, line, length); /* MIN() would call it twice */
                left = clock_now() >= until ? 0 : left - MIN(left, n);
                connection_check_out(c);
                if (c->is_punished)
                        give_up(c, ERROR_LIMIT, "too many faults by your user; mend the client, and connect again later");
        }
        c->is_handling = false;
        if (!c->is_unhandled && !c->is_full)
                note_partial(c);
        if (c->state != CONNECTION_CLOSED)
                update_events(c);
        connection_close_if_done(c);
}

/* What a lingering peer still sends is of no interest, only that it stops. */
static void discard(Connection *c) {
        char *line;
        size_t length;
        int r = stream_receive(c->stream);

        while (r > 0 && stream_next_line(c->stream, &line, &length) != 0)
                ;
        if (r < 0 || c->has_passed_fds)
                connection_close(c);
}

/* Once is enough: whoever sends more of them has none to read it. */
static void refuse_fds(Connection *c) {
        connection_offend(c, PENALTY_DESCRIPTOR);
        give_up(c, ERROR_INVALID, "this socket takes no descriptors");
        c->has_passed_fds = false;
}

static void receive(Connection *c) {
        int r = stream_receive(c->stream);

        if (c->has_passed_fds) {
                refuse_fds(c);
                return;
        }

        if (r == -ENODATA)
                c->state = CONNECTION_HALF;
        else if (r < 0) {
                connection_close(c);
                return;
        }
        connection_handle(c);
}

static int connection_dispatch_io(sd_event_source *s, int fd, uint32_t revents, void *userdata) {
        Connection *c = userdata;
        bool is_gone = revents & (EPOLLHUP | EPOLLERR);

        if (c->state == CONNECTION_CLOSED)
                return 0;
        if (revents & EPOLLOUT) {
                c->is_blocked = false;
                set_unsent(c);
                update_events(c); /* or it would be told again and again before the flush, which comes last in a turn */
        }
        if (c->state == CONNECTION_LINGERING)
                discard(c);
        else if (c->state == CONNECTION_OPEN && !c->is_unhandled && !c->is_full && (is_gone || (revents & EPOLLIN)))
                receive(c);
        /* Nobody will read an answer, but what was sent before the end is still carried out. */
        if (is_gone && c->state != CONNECTION_OPEN && !c->is_unhandled)
                connection_close(c);
        else if (is_gone && c->is_full)
                connection_close(c);
        return 0;
}

void connection_flush(Connection *c) {
        bool was_full = c->is_full;
        int r;

        if (c->is_unsent)
                DL_DELETE2(c->control->unsent[c->rank], c, prev_unsent, next_unsent);
        c->is_unsent = false;
        r = stream_flush(c->stream);
        if (r < 0) {
                connection_close(c);
                return;
        }
        (void) charge_out(c); /* it is less than before */
        c->is_blocked = r > 0;
        c->is_full = stream_is_congested(c->stream);
        note_stall(c);
        if (was_full && !c->is_full) {
                call_resume_all(c);
                c->line_since = 0; /* its deadline did not run while it was not read */
                set_unhandled(c);
        }
        update_events(c);
        connection_close_if_done(c);
}

static bool is_past(usec_t since, usec_t span, usec_t now) {
        return since != 0 && now >= usec_add(since, span);
}

bool connection_sweep(Connection *c, usec_t now) {
        if (is_past(c->linger_since, LINGER_USEC, now)) {
                connection_close(c);
                return false;
        }
        if (is_past(c->stall_since, STALL_TIMEOUT_USEC, now) && c->n_streams == 0) {
                connection_offend(c, PENALTY_TIMEOUT);
                connection_close(c);
                return false;
        }
        if (is_past(c->line_since, LINE_TIMEOUT_USEC, now) && !c->is_full) {
                connection_offend(c, PENALTY_TIMEOUT);
                give_up(c, ERROR_TIMEOUT, "a message was begun and not finished within 10 s");
        }
        return c->linger_since != 0 || c->stall_since != 0 || c->line_since != 0;
}
