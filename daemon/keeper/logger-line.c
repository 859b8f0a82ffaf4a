/* logger-line.c - the line to the logger: pipes go out (ATTACH), "written to the end" comes back (DETACHED).
 *
 * The keeper holds duplicates of every pipe until DETACHED, so a new logger gets the same ones again. */
#include "keeper/keeper.h"
#include "link/logger-protocol.h"
#include "base/fd.h"
#include <signal.h>

#define LINGER_USEC (5 * USEC_PER_SEC) /* for a pipe that somebody outside of the tree still holds */
#define READ_MAX 64

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
        r = feed(k, &(LoggerMessage) {.type = LOGGER_PEER}, &k->peer_fds[1], 1);
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

        return bit == FEED_ATTACH ? feed_attach(k, s, index) : feed(k, &linger, NULL, 0);
}

const PeerLinkHooks logger_line_hooks = {.send_line = feed_of_line, .send_slot = feed_of_slot};

void logger_line_greet(Keeper *k) {
        peer_link_due_head(&k->to_logger, FEED_SCRATCH);
        for (uint32_t i = 0; i < k->table->top; i++) {
                const Slot *s = &k->table->slots[i];

                if (s->state == KEEPER_SLOT_FREE || (s->out_fds[0] < 0 && s->out_fds[1] < 0))
                        continue;
                peer_link_due_slot(&k->to_logger, i, FEED_ATTACH);
                if (s->state == KEEPER_SLOT_ENDED)
                        peer_link_due_slot(&k->to_logger, i, FEED_LINGER);
        }
        peer_link_due_tail(&k->to_logger, FEED_PEER);
}

static void on_detached(Keeper *k, const LoggerMessage *m) {
        Slot *s = slot_find(k->table, m->slot, m->generation);

        if (!s || !s->was_attached || s->is_drained)
                return;
        fd_close_many(s->out_fds, ARRAY_SIZE(s->out_fds));
        s->is_drained = true;
        if (s->state != KEEPER_SLOT_ENDED)
                return; /* it closed both itself and lives on: DRAINED comes after its end */
        peer_link_due_slot(&k->to_droverd, slot_index(k->table, s), NOTICE_DRAINED);
        reap_release(k, s);
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
                if ((size_t) n >= sizeof(m.type) && m.type == LOGGER_DETACHED && (size_t) n == logger_message_size(m.type))
                        on_detached(k, &m);
        }
}
