/* logger-line.c - the line to the logger: pipes go out (ATTACH), "written to the end" comes back (DETACHED). Those of which
 * nothing has come stay here: see quiet-output.c.
 *
 * The keeper holds duplicates of every pipe until DETACHED, so a new logger gets the same ones again; so does one
 * that had no room for them (REFUSED), a while later. */
#include "keeper/keeper.h"
#include "link/logger-protocol.h"
#include "base/fd.h"
#include "base/log.h"
#include <signal.h>

#define LINGER_USEC (5 * USEC_PER_SEC) /* for a pipe that somebody outside of the tree still holds */
#define READ_MAX 64
#define AGAIN_USEC (250 * USEC_PER_MSEC) /* for what the logger had no room for */

static int feed(Keeper *k, const LoggerMessage *m, const int *fds, size_t n_fds) {
        return packet_send(k->to_logger.fd, m, logger_message_size(m->type), fds, n_fds);
}

static int feed_scratch(Keeper *k) {
        return feed(k, &(LoggerMessage) {.type = LOGGER_SCRATCH}, &k->scratch_fd, 1);
}

static int feed_peer(Keeper *k) {
        int r;

        if (k->peer_fds[1] < 0)
                return 0;
        r = feed(k, &(LoggerMessage) {.type = LOGGER_PEER, .generation = k->n_peer_lines}, &k->peer_fds[1], 1);
        if (r >= 0)
                k->peer_fds[1] = fd_close(k->peer_fds[1]);
        return r;
}

static int feed_attach(Keeper *k, Slot *s, uint32_t index) {
        LoggerMessage m = {
                .type = LOGGER_ATTACH,
                .slot = index,
                .generation = s->generation,
                .attach = {.is_again = s->was_attached, .spec = s->log},
        };
        int fds[2], r;
        size_t n = 0;

        if (s->out_fds[0] >= 0) {
                m.attach.streams |= LOG_STREAM_STDOUT;
                fds[n++] = s->out_fds[0];
        }
        if (s->out_fds[1] >= 0) {
                m.attach.streams |= LOG_STREAM_STDERR;
                fds[n++] = s->out_fds[1];
        }
        r = n == 0 ? 0 : feed(k, &m, fds, n);
        if (r >= 0)
                s->was_attached = true;
        return r;
}

static int feed_of_line(unsigned bit, void *userdata) {
        Keeper *k = userdata;

        if (k->to_logger.head != 0)
                return feed_scratch(k);
        if (bit == FEED_PEER)
                return feed_peer(k);
        return feed(k, &(LoggerMessage) {.type = bit == FEED_REOPEN ? LOGGER_REOPEN : LOGGER_FINISH}, NULL, 0);
}

static int feed_of_slot(uint32_t index, unsigned bit, void *userdata) {
        Keeper *k = userdata;
        Slot *s = &k->table->slots[index];
        LoggerMessage linger = {
                .type = LOGGER_LINGER,
                .slot = index,
                .generation = s->generation,
                .linger_usec = LINGER_USEC,
        };

        LoggerMessage respec = {
                .type = LOGGER_RESPEC,
                .slot = index,
                .generation = s->generation,
                .respec = {.spec = s->log},
        };

        if (bit == FEED_ATTACH)
                return feed_attach(k, s, index);
        return feed(k, bit == FEED_RESPEC ? &respec : &linger, NULL, 0);
}

const PeerLinkHooks logger_line_hooks = {.send_line = feed_of_line, .send_slot = feed_of_slot};

void logger_line_attach(Keeper *k, const Slot *s) {
        uint32_t index = slot_index(k->table, s);

        if (s->state == KEEPER_SLOT_FREE || s->is_quiet || (s->out_fds[0] < 0 && s->out_fds[1] < 0))
                return;
        peer_link_due_slot(&k->to_logger, index, FEED_ATTACH);
        if (s->state == KEEPER_SLOT_ENDED)
                peer_link_due_slot(&k->to_logger, index, FEED_LINGER);
}

void logger_line_greet(Keeper *k) {
        peer_link_due_head(&k->to_logger, FEED_SCRATCH);
        for (uint32_t i = 0; i < k->table->top; i++)
                logger_line_attach(k, &k->table->slots[i]);
        peer_link_due_tail(&k->to_logger, FEED_PEER);
}

void logger_line_drained(Keeper *k, Slot *s) {
        fd_close_many(s->out_fds, ARRAY_SIZE(s->out_fds));
        s->is_drained = true;
        if (s->state != KEEPER_SLOT_ENDED)
                return; /* it closed both itself and lives on: DRAINED comes after its end */
        peer_link_due_slot(&k->to_droverd, slot_index(k->table, s), NOTICE_DRAINED);
        reap_release(k, s);
}

static void on_detached(Keeper *k, const LoggerMessage *m) {
        Slot *s = slot_find(k->table, m->slot, m->generation);

        if (s && s->was_attached && !s->is_drained)
                logger_line_drained(k, s);
}

static void refused(Keeper *k, Slot *s) {
        if (s->state == KEEPER_SLOT_FREE || s->is_drained || !s->was_attached)
                return;
        /* An end is not kept secret for ever because its last lines have no room. */
        if (s->state == KEEPER_SLOT_ENDED && k->now_usec >= s->end_limit_usec) {
                log_error("%s: its last output is given up, since the logger cannot take it", s->name);
                logger_line_drained(k, s);
                return;
        }
        s->is_attach_refused = true;
        if (k->due[TIMER_ATTACH] == USEC_INFINITY)
                keeper_set_timer(k, TIMER_ATTACH, AGAIN_USEC);
}

static void on_refused(Keeper *k, const LoggerMessage *m) {
        Slot *s = m->slot == LOGGER_ALL_SLOTS ? NULL : slot_find(k->table, m->slot, m->generation);

        if (s)
                refused(k, s);
        for (uint32_t i = 0; m->slot == LOGGER_ALL_SLOTS && i < k->table->top; i++)
                refused(k, &k->table->slots[i]);
}

void logger_line_attach_again(Keeper *k) {
        for (uint32_t i = 0; i < k->table->top; i++) {
                Slot *s = &k->table->slots[i];

                if (s->state == KEEPER_SLOT_FREE || !s->is_attach_refused)
                        continue;
                s->is_attach_refused = false;
                logger_line_attach(k, &k->table->slots[i]);
        }
}

static void on_no_peer(Keeper *k, const LoggerMessage *m) {
        if (m->generation == k->n_peer_lines && k->due[TIMER_PEER] == USEC_INFINITY)
                keeper_set_timer(k, TIMER_PEER, AGAIN_USEC);
}

static void on_message(Keeper *k, const LoggerMessage *m) {
        if (m->type == LOGGER_DETACHED)
                on_detached(k, m);
        else if (m->type == LOGGER_REFUSED)
                on_refused(k, m);
        else if (m->type == LOGGER_NO_PEER)
                on_no_peer(k, m);
}

void logger_line_read(Keeper *k) {
        for (unsigned i = 0; k->to_logger.fd >= 0 && i < READ_MAX; i++) {
                LoggerMessage m;
                size_t n_fds = 0;
                int fd;
                ssize_t n = packet_recv(k->to_logger.fd, &m, sizeof(m), &fd, 1, &n_fds);

                fd_close_many(&fd, n_fds);
                if (n == -EMSGSIZE)
                        continue;
                if (n == 0) {
                        /* It is about to exit; while it is wanted it gets a moment for that. */
                        keeper_unwatch(k, k->to_logger.fd);
                        peer_link_close(&k->to_logger);
                        if (k->quit < QUIT_LOGGER)
                                keeper_set_timer(k, TIMER_LOGGER, PROGRAM_LINE_GRACE_USEC);
                }
                if (n <= 0)
                        return;
                if ((size_t) n >= sizeof(m.type) && (size_t) n == logger_message_size(m.type))
                        on_message(k, &m);
        }
}
