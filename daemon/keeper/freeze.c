/* freeze.c - trees that stand still, or run on, and the word to droverd when they do.
 *
 * The kernel freezes a tree in its own time: what sits in the kernel comes to rest when it leaves it. So after the
 * request the trees are looked at again and again (at once, 1 ms, 2 ms ... 50 ms), all of them in one round, until
 * each is as it was asked for or FREEZE_LIMIT_USEC has gone by. Where trees have no cgroup each look stops, too, what
 * was forked since the last one. Nothing is looked at when nothing was asked for. */
#include "keeper/keeper.h"
#include "base/log.h"

#define FREEZE_LIMIT_USEC (5 * USEC_PER_SEC)
#define FREEZE_DELAY_MIN_USEC (1 * USEC_PER_MSEC)
#define FREEZE_DELAY_MAX_USEC (50 * USEC_PER_MSEC)

static void tell(Keeper *k, Slot *s, int error) {
        s->freeze_limit_usec = 0;
        s->freeze_error = error;
        peer_link_due_slot(&k->to_droverd, slot_index(k->table, s), NOTICE_FROZEN);
        if (error < 0)
                log_error("%s: cannot %s its processes: %s", s->name, s->is_frozen ? "freeze" : "thaw", strerror(-error));
}

void freeze_begin(Keeper *k, Slot *s, bool is_frozen) {
        int r = k->tree.ops->freeze(&k->tree, s, is_frozen);

        s->is_frozen = is_frozen;
        if (r < 0 && r != -ESRCH) {
                tell(k, s, r);
                return;
        }
        s->freeze_limit_usec = usec_add(k->now_usec, FREEZE_LIMIT_USEC);
        k->freeze_delay_usec = 0;
        keeper_set_timer(k, TIMER_FREEZE, 0);
}

/* Whether @s is still to be looked at. */
static bool look(Keeper *k, Slot *s) {
        int r;

        if (s->freeze_limit_usec == 0)
                return false;
        if (s->pid <= 0 || s->is_ending) { /* its end is told */
                s->freeze_limit_usec = 0;
                return false;
        }
        r = k->tree.ops->is_frozen(&k->tree, s, s->is_frozen);
        if ((r == 0 || r == -ESRCH) && k->now_usec < s->freeze_limit_usec) {
                (void) k->tree.ops->freeze(&k->tree, s, s->is_frozen);
                return true;
        }
        tell(k, s, r > 0 ? 0 : r < 0 ? r : -ETIMEDOUT);
        return false;
}

void freeze_look(Keeper *k) {
        unsigned n = 0;

        k->tree.ops->look(&k->tree);
        for (uint32_t i = 0; i < k->table->top; i++)
                n += look(k, &k->table->slots[i]);
        if (n == 0)
                return;
        k->freeze_delay_usec = k->freeze_delay_usec == 0 ? FREEZE_DELAY_MIN_USEC
                                                         : MIN(2 * k->freeze_delay_usec, FREEZE_DELAY_MAX_USEC);
        keeper_set_timer(k, TIMER_FREEZE, k->freeze_delay_usec);
}
