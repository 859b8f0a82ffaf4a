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

/* One turn's worth of the lines that had to wait; each connection puts itself back behind the others if need be. */
static int control_dispatch_more(sd_event_source *s, void *userdata) {
        Control *c = userdata;
        Connection *waiting, *next;
        size_t n = 0;

        DL_COUNT2(c->unhandled, waiting, n, next_unhandled);
        for (waiting = c->unhandled; waiting && n > 0; waiting = next, n--) {
                next = waiting->next_unhandled;
                connection_handle(waiting);
                if (!next)
                        break;
        }
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
        int r;

        r = sd_event_add_defer(event, &c->more_source, control_dispatch_more, c);
        if (r >= 0)
                r = sd_event_source_set_enabled(c->more_source, SD_EVENT_OFF);
        if (r >= 0)
                r = sd_event_source_set_priority(c->more_source, PRIORITY_CONTROL);
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

static void free_closed(Control *c) {
        while (c->closed) {
                Connection *connection = c->closed;

                DL_DELETE(c->closed, connection);
                connection_free(connection);
        }
}

Control *control_free(Control *c) {
        if (!c)
                return NULL;
        listener_free(c->listener);
        while (c->connections)
                connection_close(c->connections);
        free_closed(c);
        sd_event_source_disable_unref(c->more_source);
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

void control_settle(Control *c) {
        if (c->is_access_stale)
                control_review(c);
        waiter_set_settle(c->waiters);
        method_task_settle(c);
        audit_emit(&c->audit, c->world.hub);
}

void control_flush(Control *c) {
        Connection *connection;
        size_t n = 0;

        /* Those that write again because they were flushed (streams) come next time. */
        DL_COUNT2(c->unsent, connection, n, next_unsent);
        for (; n > 0 && c->unsent; n--)
                connection_flush(c->unsent);
        free_closed(c);
        if (c->unsent || audit_is_pending(&c->audit)) /* one more turn */
                (void) sd_event_source_set_enabled(c->more_source, SD_EVENT_ONESHOT);
}

void control_begin_shutdown(Control *c) {
        c->is_shutting_down = true;
}
