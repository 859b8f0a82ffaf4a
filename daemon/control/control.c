/* control.c - the room as its owner sees it: built, told of changes, run at the end of each turn, taken down.
 *
 * Nothing here has a timer of its own while nobody is late: the sweep runs once a second only as long as a connection has
 * a deadline (a line begun and not finished, output not read, a refusal that lingers). */
#include "control/control.h"
#include "base/alloc.h"
#include "base/log.h"
#include "control/control-call.h"
#include "control/control-room.h"
#include "control/method-task.h"
#include "priority.h"

#include <unistd.h>
#include <utlist.h>

#define SWEEP_USEC USEC_PER_SEC
#define SWEEP_ACCURACY_USEC (100 * USEC_PER_MSEC)

AccessRules control_rules(const Control *c) {
        const Config *config = c->world.hooks.config ? c->world.hooks.config(c->world.userdata) : NULL;

        return (AccessRules){
                .own_uid = c->own_uid,
                .access = config ? &config->access : NULL,
                .has_socket_group = config && config->socket_group,
                .socket_gid = config ? config->socket_gid : 0,
        };
}

bool control_punish(Control *c, const Peer *peer, PenaltyKind kind) {
        AccessRules rules = control_rules(c);
        usec_t now = clock_now();

        if (access_is_privileged(&rules, peer))
                return false;
        if (penalty_table_add(c->penalties, peer->uid, kind, now))
                log_notice("too many faults by uid %u: its connections are refused for %llu s", (unsigned) peer->uid,
                           (unsigned long long) (penalty_table_left(c->penalties, peer->uid, now) / USEC_PER_SEC));
        return penalty_table_left(c->penalties, peer->uid, now) > 0;
}

static int control_on_peer(int fd_take, Peer *peer_take, void *userdata) {
        Control *c = userdata;
        UidEntry *book;
        int r;

        AccessRules rules = control_rules(c);

        if (closer_is_stuck(c->closer) && !access_is_privileged(&rules, peer_take))
                return -EMFILE;
        if (penalty_table_left(c->penalties, peer_take->uid, clock_now()) > 0)
                return -EBUSY;
        r = uid_book_enter(c->books, peer_take->uid, access_is_privileged(&rules, peer_take), &book);
        if (r == -EDQUOT)
                (void) control_punish(c, peer_take, PENALTY_QUOTA);
        if (r < 0)
                return r;
        r = connection_new(c, fd_take, peer_take, book);
        if (r < 0)
                uid_book_leave(book);
        return r;
}

void control_want_more(Control *c, ConnectionRank rank) {
        (void) sd_event_source_set_enabled(c->more[rank], SD_EVENT_ONESHOT);
}

/* Each connection puts itself back behind the others if need be. */
static void handle_more(Control *c, ConnectionRank rank) {
        usec_t until = usec_add(clock_now(), CONTROL_TURN_USEC);
        Connection *waiting;
        size_t n = 0;

        DL_COUNT2(c->unhandled[rank], waiting, n, next_unhandled);
        for (; n > 0 && c->unhandled[rank]; n--) {
                connection_handle(c->unhandled[rank]);
                if (clock_now() >= until)
                        break;
        }
        if (c->unhandled[rank])
                control_want_more(c, rank);
}

/* One turn's worth of the lines that had to wait. */
static int control_dispatch_more(sd_event_source *s, void *userdata) {
        Control *c = userdata;

        handle_more(c, s == c->more[RANK_PRIVILEGED] ? RANK_PRIVILEGED : RANK_OTHERS);
        return 0;
}

static int control_dispatch_sweep(sd_event_source *s, uint64_t usec, void *userdata) {
        Control *c = userdata;
        Connection *connection, *next;
        usec_t now = clock_now();

        DL_FOREACH_SAFE2(c->timed, connection, next, next_timed) {
                if (connection_sweep(connection, now) || !connection->is_timed)
                        continue;
                connection->is_timed = false;
                DL_DELETE2(c->timed, connection, prev_timed, next_timed);
        }
        if (c->timed)
                control_arm_sweep(c);
        return 0;
}

void control_arm_sweep(Control *c) {
        int enabled = SD_EVENT_OFF;

        if (sd_event_source_get_enabled(c->sweep_source, &enabled) >= 0 && enabled != SD_EVENT_OFF)
                return;
        if (sd_event_source_set_time_relative(c->sweep_source, SWEEP_USEC) >= 0)
                (void) sd_event_source_set_enabled(c->sweep_source, SD_EVENT_ONESHOT);
}

static int control_add_sources(Control *c) {
        sd_event *event = c->world.event;
        int r = 0;

        for (ConnectionRank rank = 0; r >= 0 && rank < _RANK_MAX; rank++) {
                r = sd_event_add_defer(event, &c->more[rank], control_dispatch_more, c);
                if (r >= 0)
                        r = sd_event_source_set_enabled(c->more[rank], SD_EVENT_OFF);
                if (r >= 0)
                        r = sd_event_source_set_priority(c->more[rank], connection_priority(rank));
        }
        if (r >= 0)
                r = sd_event_add_time_relative(event, &c->sweep_source, CLOCK_MONOTONIC, SWEEP_USEC, SWEEP_ACCURACY_USEC,
                                               control_dispatch_sweep, c);
        if (r >= 0)
                r = sd_event_source_set_enabled(c->sweep_source, SD_EVENT_OFF);
        if (r >= 0)
                r = sd_event_source_set_priority(c->sweep_source, PRIORITY_TIMER);
        return r;
}

/* Processes of `run` with daemon: true whose connection ended together with the droverd before this one. */
static void end_ownerless(Control *c) {
        for (Pool *p = pool_first(c->world.pools); p; p = pool_next(p)) {
                Worker *w = pool_is_run(p) ? pool_worker(p, 0) : NULL;

                if (w && worker_is_daemon(w) && !worker_is_resting(w))
                        pool_want_stop(p);
        }
}

int control_new(Control **ret, const ControlWorld *world, int listen_fd_take) {
        _cleanup_(control_freep) Control *c = NEW0(Control);
        int r;

        if (!c)
                return -ENOMEM;
        c->world = *world;
        c->own_uid = geteuid();
        r = uid_book_new(&c->books);
        if (r >= 0)
                r = penalty_table_new(&c->penalties);
        if (r >= 0)
                r = closer_new(&c->closer, world->event);
        if (r >= 0)
                r = waiter_set_new(&c->waiters, world->event);
        if (r >= 0)
                r = control_add_sources(c);
        if (r >= 0)
                r = listener_new(&c->listener, world->event, listen_fd_take, c->closer, control_on_peer, c);
        if (r < 0)
                return r;
        end_ownerless(c);
        *ret = TAKE_PTR(c);
        return 0;
}

int control_listen_again(Control *c, int listen_fd_take) {
        Listener *l;
        int r = listener_new(&l, c->world.event, listen_fd_take, c->closer, control_on_peer, c);

        if (r < 0)
                return r;
        listener_free(c->listener);
        c->listener = l;
        return 0;
}

/* At least one, until @span is over. */
static void free_closed(Control *c, usec_t span) {
        usec_t until = c->closed ? usec_add(clock_now(), span) : 0;

        while (c->closed) {
                Connection *connection = c->closed;

                DL_DELETE(c->closed, connection);
                connection_free(connection);
                if (clock_now() >= until)
                        return;
        }
}

Control *control_free(Control *c) {
        if (!c)
                return NULL;
        listener_free(c->listener);
        while (c->connections)
                connection_close(c->connections);
        free_closed(c, USEC_INFINITY);
        for (ConnectionRank rank = 0; rank < _RANK_MAX; rank++)
                sd_event_source_disable_unref(c->more[rank]);
        sd_event_source_disable_unref(c->sweep_source);
        waiter_set_free(c->waiters);
        uid_book_free(c->books);
        penalty_table_free(c->penalties);
        closer_free(c->closer);
        text_done(&c->nowhere);
        audit_done(&c->audit);
        free(c);
        return NULL;
}

void control_worker_changed(Control *c, Worker *w) {
        waiter_set_worker_changed(c->waiters, w);
}

void control_worker_removed(Control *c, Worker *w) {
        waiter_set_worker_removed(c->waiters, w);
}

void control_pool_changed(Control *c, Pool *p, bool is_removed) {
        control_access_changed(c);
        if (!is_removed)
                return;
        for (size_t i = 0; i < pool_n_workers(p); i++)
                waiter_set_worker_removed(c->waiters, pool_worker(p, i));
}

void control_access_changed(Control *c) {
        c->is_access_stale = true;
}

/* Who has lost the right to a call in flight has lost the call. Only streams go on telling things. */
static void control_review(Control *c) {
        Connection *connection;
        Call *call, *next;

        c->is_access_stale = false;
        DL_FOREACH(c->connections, connection)
                DL_FOREACH_SAFE(connection->calls, call, next)
                        if (call->ops && call->ops->is_permitted && !call->ops->is_permitted(call, call->state))
                                call_fail(call, ERROR_DENIED, "the right to %s was withdrawn", protocol_methods[call->method].name);
}

static void settle(Control *c, usec_t span) {
        if (c->is_access_stale)
                control_review(c);
        waiter_set_settle(c->waiters, span);
        method_task_settle(c);
        audit_emit(&c->audit, c->world.hub);
}

/* Those that write again because they were flushed (streams) come next time. */
static void flush_rank(Control *c, ConnectionRank rank, usec_t span) {
        usec_t until = c->unsent[rank] ? usec_add(clock_now(), span) : 0;
        Connection *connection;
        size_t n = 0;

        DL_COUNT2(c->unsent[rank], connection, n, next_unsent);
        for (; n > 0 && c->unsent[rank]; n--) {
                connection_flush(c->unsent[rank]);
                if (n > 1 && clock_now() >= until)
                        break;
        }
}

void control_note_due(Control *c) {
        for (ConnectionRank rank = 0; rank < _RANK_MAX; rank++)
                if (c->unsent[rank] || waiter_set_is_due(c->waiters, rank))
                        control_want_more(c, rank);
}

static void flush(Control *c, usec_t span) {
        for (ConnectionRank rank = 0; rank < _RANK_MAX; rank++)
                flush_rank(c, rank, span);
        control_note_due(c);
        free_closed(c, span);
        if (c->closed || audit_is_pending(&c->audit))
                control_want_more(c, RANK_OTHERS);
}

void control_settle(Control *c) {
        settle(c, CONTROL_TURN_USEC);
}

void control_flush(Control *c) {
        flush(c, CONTROL_TURN_USEC);
}

void control_finish(Control *c) {
        settle(c, USEC_INFINITY);
        flush(c, USEC_INFINITY);
}

void control_begin_shutdown(Control *c) {
        c->is_shutting_down = true;
}
