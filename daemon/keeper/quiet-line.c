/* quiet-line.c - the line from droverd that wakes nobody: see keeper-protocol.h.
 *
 * A spare that is used goes straight from droverd to its work, and most often the keeper hears of it when it has ended. What
 * makes that safe is the order of things: droverd says here whose the spare is, and only then gives it the request; nothing of
 * the launch runs before the spare has told us "begun". Whoever acts on a spare listens here first.
 *
 * When droverd dies between the two, the request never comes. Then our half of the report socket is shut: what came before is
 * still read and done, and one that waits for more ends, has not begun, and its launch is made anew by the next droverd. */
#include "keeper/keeper.h"
#include "base/fd.h"
#include <sys/socket.h>

void quiet_line_open(Keeper *k) {
        int pair[2];

        quiet_line_close(k);
        if (packet_pair(pair) < 0) /* droverd sends all its launches to us then */
                return;
        k->quiet_fd = pair[0];
        k->quiet_peer_fd = pair[1];
}

void quiet_line_close(Keeper *k) {
        k->quiet_fd = fd_close(k->quiet_fd);
        k->quiet_peer_fd = fd_close(k->quiet_peer_fd);
}

void quiet_line_hear(Keeper *k) {
        while (k->quiet_fd >= 0) {
                int fds[PACKET_FDS_MAX];
                size_t n_fds = 0;
                KeeperMessage m;
                ssize_t n = packet_recv(k->quiet_fd, &m, sizeof(m), fds, ARRAY_SIZE(fds), &n_fds);

                fd_close_many(fds, n_fds);
                if (n == -EMSGSIZE || n == -EINTR)
                        continue;
                if (n <= 0)
                        return;
                if (n == (ssize_t) keeper_message_size(KEEPER_SPARE_USED) && m.type == KEEPER_SPARE_USED)
                        spare_used(k, &m);
        }
}

void quiet_line_end(Keeper *k) {
        quiet_line_hear(k);
        quiet_line_close(k);
        for (uint32_t i = 0; i < k->table->top; i++) {
                const Slot *s = &k->table->slots[i];

                if (s->state == KEEPER_SLOT_LAUNCHING && s->is_direct && s->report_fd >= 0)
                        (void) shutdown(s->report_fd, SHUT_WR);
        }
        spare_look_at_deferred(k);
}
