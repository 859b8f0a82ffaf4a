/* keeper-link.c - the line itself: read notices in batches, deliver them a turn later, notice when it breaks.
 *
 * Why a turn later: a worker that says something on the notify socket and dies at once must be heard first. The
 * datagram is in its socket before the keeper can know of the death, so it is enough to let the loop poll once more
 * between reading a notice and acting on it: the notify source stands before this one in priority.h. The delivering
 * source stands one step before the reading one, so the inbox is empty whenever it is read into.
 *
 * A start, and the last line of one whose end was acted on before, have nothing to be heard first: where no other
 * notice waits, they are acted on at once. */
#include "process/keeper-link-internal.h"
#include "base/alloc.h"
#include "priority.h"
#include <sys/epoll.h>

static void deliver_ran(KeeperLink *l, const KeeperMessage *m) {
        KeeperMessage parts[KEEPER_PARTS_MAX];
        size_t n = keeper_message_parts(m, parts);

        for (size_t i = 0; i < n; i++)
                keeper_slot_on_notice(l, &parts[i]);
}

static void notice_deliver(KeeperLink *l, KeeperNotice *n) {
        const KeeperMessage *m = &n->message;

        switch (m->type) {
        case KEEPER_STARTED:
        case KEEPER_FAILED:
        case KEEPER_READY:
        case KEEPER_FROZEN:
        case KEEPER_EXITED:
        case KEEPER_DRAINED:
                keeper_slot_on_notice(l, m);
                break;
        case KEEPER_RAN:
                deliver_ran(l, m);
                break;
        case KEEPER_SPARE_BORN:
                if (n->fd >= 0)
                        keeper_slot_on_born(l, m, TAKE_FD(n->fd));
                break;
        case KEEPER_SHUTDOWN:
                l->hooks.on_shutdown(l->userdata);
                break;
        case KEEPER_RELOAD:
                l->hooks.on_reload(l->userdata);
                break;
        case KEEPER_LOGGER:
                if (n->fd >= 0)
                        l->hooks.on_logger(TAKE_FD(n->fd), m->logger.pid, l->userdata);
                break;
        default: /* of a later version: nothing we could do with it */
                break;
        }
}

static int deliver_dispatch(sd_event_source *source, void *userdata) {
        KeeperLink *l = userdata;

        child_deliver_late(l);
        for (size_t i = 0; i < l->n_inbox; i++) {
                notice_deliver(l, &l->inbox[i]);
                l->inbox[i].fd = fd_close(l->inbox[i].fd);
        }
        l->n_inbox = 0;
        if (l->is_broken && !l->is_break_told) {
                l->is_break_told = true;
                l->hooks.on_broken(l->userdata);
        }
        return 0;
}

void keeper_link_want_deliver(KeeperLink *l) {
        (void) sd_event_source_set_enabled(l->deliver, SD_EVENT_ONESHOT);
}

void keeper_link_break(KeeperLink *l) {
        if (l->is_broken)
                return;
        l->is_broken = true;
        (void) sd_event_source_set_enabled(l->io, SD_EVENT_OFF);
        keeper_link_want_deliver(l);
}

void keeper_link_set_output(KeeperLink *l, bool wanted) {
        if (l->wants_output == wanted)
                return;
        if (sd_event_source_set_io_events(l->io, wanted ? EPOLLIN | EPOLLOUT : EPOLLIN) >= 0)
                l->wants_output = wanted;
}

static bool needs_no_turn(const KeeperNotice *n) {
        return n->fd < 0 && (n->message.type == KEEPER_STARTED || n->message.type == KEEPER_DRAINED);
}

/* @n, which stands in the inbox at or behind its end, was read with the outcome @k. */
static void inbox_take(KeeperLink *l, KeeperNotice *n, ssize_t k) {
        if (k == -EMSGSIZE) /* of a later version */
                return;
        if (k <= 0) {
                keeper_link_break(l);
                return;
        }
        if ((size_t) k != keeper_message_size(n->message.type))
                fd_close(n->fd);
        else if (l->n_inbox == 0 && !l->late && needs_no_turn(n))
                notice_deliver(l, n);
        else if (n == &l->inbox[l->n_inbox])
                l->n_inbox++;
        else
                l->inbox[l->n_inbox++] = *n;
}

/* Return: true when there may be more. */
static bool inbox_read(KeeperLink *l) {
        KeeperNotice *first = &l->inbox[l->n_inbox];
        size_t room = MIN(KEEPER_INBOX_MAX - l->n_inbox, (size_t) PACKETS_MAX);
        Packet packets[PACKETS_MAX];
        int n;

        for (size_t i = 0; i < room; i++)
                packets[i] = (Packet){.data = &first[i].message, .size = sizeof(first[i].message)};
        n = packet_recv_many(l->fd, packets, room);
        if (n < 0 && n != -EAGAIN)
                keeper_link_break(l);
        for (int i = 0; i < n; i++) {
                first[i].fd = packets[i].fd;
                if (l->is_broken)
                        fd_close(first[i].fd);
                else
                        inbox_take(l, &first[i], packets[i].result);
        }
        return n == (int) room;
}

static int io_dispatch(sd_event_source *source, int fd, uint32_t events, void *userdata) {
        KeeperLink *l = userdata;

        if (events & EPOLLOUT)
                (void) keeper_link_flush(l);
        while (!l->is_broken && l->n_inbox < KEEPER_INBOX_MAX && inbox_read(l))
                ;
        if (l->n_inbox > 0)
                keeper_link_want_deliver(l);
        return 0;
}

static int ack_dispatch(sd_event_source *source, uint64_t usec, void *userdata) {
        (void) keeper_link_flush(userdata);
        return 0;
}

static int send_plain(KeeperLink *l, KeeperMessageType type) {
        KeeperMessage m = {.type = type};

        return keeper_queue_message(l, &m, NULL, 0);
}

static int look_dispatch(sd_event_source *source, uint64_t usec, void *userdata) {
        KeeperLink *l = userdata;

        if (l->n_direct > 0 && send_plain(l, KEEPER_LOOK) >= 0)
                (void) keeper_link_flush(l);
        return 0;
}

static int watch_time(KeeperLink *l, sd_event_source **ret, usec_t accuracy, sd_event_time_handler_t callback) {
        int r = sd_event_add_time(l->event, ret, CLOCK_MONOTONIC, 0, accuracy, callback, l);

        if (r >= 0)
                r = sd_event_source_set_priority(*ret, PRIORITY_TIMER);
        return r < 0 ? r : sd_event_source_set_enabled(*ret, SD_EVENT_OFF);
}

static int link_watch(KeeperLink *l, sd_event *event, int64_t priority) {
        int r = sd_event_add_io(event, &l->io, l->fd, EPOLLIN, io_dispatch, l);

        if (r >= 0)
                r = sd_event_source_set_priority(l->io, priority);
        if (r >= 0)
                r = sd_event_add_defer(event, &l->deliver, deliver_dispatch, l);
        if (r >= 0)
                r = sd_event_source_set_priority(l->deliver, priority - 1);
        if (r >= 0)
                r = sd_event_source_set_enabled(l->deliver, l->n_inbox > 0 ? SD_EVENT_ONESHOT : SD_EVENT_OFF);
        if (r >= 0)
                r = watch_time(l, &l->ack_timer, USEC_PER_MSEC, ack_dispatch);
        return r < 0 ? r : watch_time(l, &l->look_timer, KEEPER_BRIEF_USEC / 4, look_dispatch);
}

int keeper_link_new(KeeperLink **ret, sd_event *event, int64_t priority, int fd_consume, const KeeperLinkHooks *hooks,
                    void *userdata) {
        _cleanup_fd_ int fd = fd_consume;
        _cleanup_(keeper_link_freep) KeeperLink *l = NEW0(KeeperLink);
        int r;

        if (!l)
                return -ENOMEM;
        l->fd = TAKE_FD(fd);
        l->quiet_fd = -EBADF;
        l->event = sd_event_ref(event);
        l->hooks = *hooks;
        l->userdata = userdata;
        l->slots = NEW0_ARRAY(KeeperSlot, KEEPER_SLOTS_MAX);
        l->inbox = NEW0_ARRAY(KeeperNotice, KEEPER_INBOX_MAX);
        if (!l->slots || !l->inbox)
                return -ENOMEM;
        r = fd_set_nonblock(l->fd, true);
        if (r >= 0)
                r = keeper_table_read(l);
        if (r >= 0)
                r = link_watch(l, event, priority);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(l);
        return 0;
}

KeeperLink *keeper_link_free(KeeperLink *l) {
        if (!l)
                return NULL;
        sd_event_source_disable_unref(l->io);
        sd_event_source_disable_unref(l->deliver);
        sd_event_source_disable_unref(l->ack_timer);
        sd_event_source_disable_unref(l->look_timer);
        for (size_t i = 0; i < l->n_inbox; i++)
                fd_close(l->inbox[i].fd);
        keeper_queue_done(l);
        keeper_table_free(l->table);
        fd_close(l->fd);
        fd_close(l->quiet_fd);
        sd_event_unref(l->event);
        free(l->inbox);
        free(l->slots);
        free(l);
        return NULL;
}

KeeperTable *keeper_link_table(KeeperLink *l) {
        return l->table;
}

void keeper_link_table_done(KeeperLink *l) {
        l->table = keeper_table_free(l->table);
}

const KeeperMessage *keeper_link_hello(const KeeperLink *l) {
        return &l->hello;
}

static int kept_message(KeeperMessage *m, const char *name) {
        if (strlen(name) >= sizeof(m->kept.name))
                return -ENAMETOOLONG;
        memcpy(m->kept.name, name, strlen(name) + 1);
        return 0;
}

int keeper_link_keep(KeeperLink *l, const char *name, int fd) {
        KeeperMessage m = {.type = KEEPER_KEEP};
        int r = kept_message(&m, name);

        return r < 0 ? r : keeper_queue_message(l, &m, &fd, 1);
}

int keeper_link_drop(KeeperLink *l, const char *name) {
        KeeperMessage m = {.type = KEEPER_DROP};
        int r = kept_message(&m, name);

        return r < 0 ? r : keeper_queue_message(l, &m, NULL, 0);
}

int keeper_link_notify(KeeperLink *l, const char *text) {
        KeeperMessage m = {.type = KEEPER_NOTIFY};

        if (strlen(text) >= sizeof(m.text))
                return -EMSGSIZE;
        memcpy(m.text, text, strlen(text) + 1);
        return keeper_queue_message(l, &m, NULL, 0);
}

int keeper_link_ping(KeeperLink *l) {
        return send_plain(l, KEEPER_PING);
}

int keeper_link_reopen(KeeperLink *l) {
        return send_plain(l, KEEPER_REOPEN);
}

int keeper_link_sweep(KeeperLink *l) {
        return send_plain(l, KEEPER_SWEEP);
}

int keeper_link_quit(KeeperLink *l, int code, bool leave_running) {
        KeeperMessage m = {.type = KEEPER_QUIT, .quit = {.code = code, .leave_running = leave_running}};

        return keeper_queue_message(l, &m, NULL, 0);
}
