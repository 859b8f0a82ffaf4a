/* quiet-output.c - pipes of which nothing has come yet. The keeper watches them itself: many a process never writes a byte, and
 * for those the logger need not be woken twice.
 *
 *   quiet    both pipes are watched here, nothing was said
 *   -> handed over     a byte is there, or a process outside of the ended tree holds a pipe: FEED_ATTACH, then as ever
 *   -> drained         both are closed and empty */
#include "keeper/keeper.h"
#include <poll.h>
#include <sys/epoll.h>

static void unwatch(Keeper *k, Slot *s) {
        keeper_unwatch(k, s->out_fds[0]);
        keeper_unwatch(k, s->out_fds[1]);
        s->is_quiet = false;
}

static void hand_over(Keeper *k, Slot *s) {
        unwatch(k, s);
        logger_line_attach(k, s);
}

void output_begin(Keeper *k, Slot *s) {
        if (s->out_fds[0] < 0 || s->out_fds[1] < 0)
                return;
        s->is_quiet = true;
        if (keeper_watch_slot(k, s->out_fds[0], EPOLLIN, SOURCE_SLOT_OUTPUT, s) < 0 ||
            keeper_watch_slot(k, s->out_fds[1], EPOLLIN, SOURCE_SLOT_OUTPUT, s) < 0)
                hand_over(k, s);
}

void output_look(Keeper *k, Slot *s) {
        struct pollfd p[2] = {{.fd = s->out_fds[0], .events = POLLIN}, {.fd = s->out_fds[1], .events = POLLIN}};
        unsigned n_closed = 0;

        if (!s->is_quiet || poll(p, 2, 0) <= 0)
                return;
        if ((p[0].revents | p[1].revents) & POLLIN) {
                hand_over(k, s);
                return;
        }
        for (unsigned i = 0; i < 2; i++)
                if (p[i].revents != 0) {
                        keeper_unwatch(k, p[i].fd); /* it would be reported again and again */
                        n_closed++;
                }
        if (n_closed < 2)
                return;
        s->is_quiet = false;
        logger_line_drained(k, s);
}

void output_end(Keeper *k, Slot *s) {
        output_look(k, s);
        if (s->is_quiet)
                hand_over(k, s);
}
