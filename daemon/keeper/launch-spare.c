/* launch-spare.c - processes that a template forks ahead, so that a launch finds one that waits.
 *
 * A spare is asked for together with an earlier launch, in a slot of its own that droverd has chosen; it is claimed like every
 * child of a template, and waits for a packet "launch" with the descriptors of its launch. One that is used before it is
 * claimed, or even born, is sent "request" instead, and begins when it has heard "g", too. It says "begun", and is RUNNING.
 *
 * droverd may do that itself: it says on the quiet line who the spare is from now on, and sends "launch" by a duplicate of our end
 * of the report socket. Nothing wakes us up then but its end, or LOOK.
 *
 *   FREE -> LAUNCHING (awaited, spare) -> LAUNCHING (spare) -> LAUNCHING (launched) -> RUNNING
 *                                      -> ending -> ENDED      it died before it began: ESTALE
 *
 * A spare runs nothing foreign but what its template runs, writes nothing, and dies with its template. It sees itself whether
 * the template's module was replaced since; then it says "stale", and the launch is to be made anew. So it is with all that
 * befalls it before it is asked for anything: to whom it is given meanwhile hears ESTALE, and nothing of a fork that failed. */
#include "keeper/launch-job.h"
#include "base/log.h"
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_TRIES 4 /* ECONNRESET comes once, ahead of what was said, when it died with something unread */

static void fail(Keeper *k, Slot *s, LaunchStage stage, int error, int detail) {
        if (s->is_awaited) {
                template_give_up(k, s, stage, error, detail);
                return;
        }
        s->report_fd = keeper_unwatch_close(k, s->report_fd);
        launch_note_failed(s, stage, error, detail);
        if (s->pid > 0)
                (void) kill(s->pid, SIGKILL);
}

/* Its report socket from now on wakes us up. */
static void watch(Keeper *k, Slot *s) {
        int r = s->report_fd >= 0 ? keeper_watch_slot(k, s->report_fd, EPOLLIN, SOURCE_SLOT_REPORT, s) : 0;

        if (r < 0 && r != -EEXIST) /* it is, when there were too many to be looked at after each turn */
                fail(k, s, LAUNCH_PIPE, -r, 0);
}

static void prepare_one(Keeper *k, const KeeperMessage *m, const KeeperSpare *which) {
        static const LogSpec of_launch = {.kind = LOG_KIND_FILE}; /* it has pipes; where they lead the launch says */
        const Slot *t = slot_find(k->table, m->launch.template_slot, m->launch.template_generation);
        Slot *s = slot_take(k->table, which->slot, which->generation, KEEPER_SPARE_NAME, &of_launch);
        _cleanup_(job_done) Job j = JOB_EMPTY;
        int r;

        if (!s) {
                log_warning("a spare refused: slot %u is taken, or none", which->slot);
                return;
        }
        s->is_spare = s->was_spare = true;
        s->by_slot = m->launch.template_slot;
        s->by_generation = m->launch.template_generation;
        if (!t || !t->can_spare) {
                launch_fail_now(k, s, LAUNCH_TEMPLATE, t ? -EOPNOTSUPP : -ESTALE, 0);
                return;
        }
        r = k->tree.ops->make(&k->tree, s, &j.leaf_fd);
        if (r >= 0)
                r = launch_make_channels(&j, s, false, false);
        if (r < 0) {
                launch_fail_now(k, s, LAUNCH_PIPE, r, 0);
                return;
        }
        template_ask(k, s, &j, m, NULL, 0);
        if (s->is_awaited && k->n_unclaimed < ARRAY_SIZE(k->unclaimed))
                k->unclaimed[k->n_unclaimed++] = which->slot;
        else if (s->is_awaited)
                watch(k, s);
}

void spare_prepare(Keeper *k, const KeeperMessage *m) {
        for (size_t i = 0; i < KEEPER_SPARES_MAX; i++)
                if (m->launch.spares[i].generation > 0)
                        prepare_one(k, m, &m->launch.spares[i]);
}

static int hand_request(Keeper *k, Slot *s, const KeeperMessage *m, const int *fds, size_t n_fds) {
        size_t n = 0;
        _cleanup_(job_done) Job j = JOB_EMPTY;
        int all[LAUNCH_FDS_MAX + 2], r = 0;

        if (m->launch.flags & KEEPER_LAUNCH_READY_PIPE)
                r = launch_make_ready_pipe(&j);
        if (r < 0)
                return r;
        while (n < n_fds) {
                all[n] = fds[n];
                n++;
        }
        if (j.ready[1] >= 0)
                all[n++] = j.ready[1];
        r = launch_hand_to_spare(s->report_fd, m, s->is_awaited, all, n);
        if (r >= 0 && j.ready[0] >= 0 && !s->is_awaited)
                r = keeper_watch_slot(k, j.ready[0], EPOLLIN, SOURCE_SLOT_READY, s);
        if (r >= 0)
                s->ready_fd = TAKE_FD(j.ready[0]);
        return r;
}

/* From here it can begin. Where the one before ended within KEEPER_BRIEF_USEC, this one is expected to: then its death alone wakes
 * us up, and droverd hears of start and end together, which is half the work for both. */
static void begin(Keeper *k, Slot *s) {
        const Slot *t = slot_find(k->table, s->by_slot, s->by_generation);

        if (t && t->is_brief && s->pidfd >= 0 && k->n_deferred < ARRAY_SIZE(k->deferred)) {
                k->deferred[k->n_deferred++] = slot_index(k->table, s);
                if (k->due[TIMER_DEFERRED] == USEC_INFINITY)
                        keeper_set_timer(k, TIMER_DEFERRED, KEEPER_BRIEF_USEC);
                return;
        }
        s->is_deferred = false;
        output_begin(k, s);
        watch(k, s);
}

static void await_claim(Keeper *k, Slot *s) {
        template_read_claim(k, s); /* spare_claimed() goes on */
        if (s->is_awaited)
                watch(k, s);
}

void spare_claimed(Keeper *k, Slot *s) {
        if (!s->is_spare)
                begin(k, s);
        else if (k->n_born < ARRAY_SIZE(k->born))
                k->born[k->n_born++] = slot_index(k->table, s);
        else
                peer_link_due_slot(&k->to_droverd, slot_index(k->table, s), NOTICE_SPARE_BORN);
}

void spare_tell_births(Keeper *k) {
        while (k->n_born > 0)
                peer_link_due_slot(&k->to_droverd, k->born[--k->n_born], NOTICE_SPARE_BORN);
}

void spare_claim(Keeper *k) {
        for (unsigned i = k->n_unclaimed; i-- > 0;) {
                Slot *s = &k->table->slots[k->unclaimed[i]];

                if (s->is_awaited && s->is_spare)
                        template_read_claim(k, s);
                if (!s->is_awaited || !s->is_spare)
                        k->unclaimed[i] = k->unclaimed[--k->n_unclaimed];
        }
}

/* The spare that @m launches, which is a spare no more. NULL: there is none, or it has ended, which is told as the launch's end. */
static Slot *take(Keeper *k, const KeeperMessage *m, uint64_t at_usec) {
        Slot *s = slot_find(k->table, m->slot, m->generation);

        if (!s || !s->is_spare) {
                log_warning("launch of a spare refused: slot %u is another's", m->slot);
                return NULL;
        }
        if (s->is_failed || s->is_ending || s->state != KEEPER_SLOT_LAUNCHING)
                return NULL;
        s->is_spare = false;
        s->is_deferred = true;
        s->last_signal = 0; /* for the spare, if there was one */
        slot_set_name(s, m->launch.name, &m->launch.log);
        s->started_usec = at_usec;
        return s;
}

void spare_used(Keeper *k, const KeeperMessage *m) {
        Slot *s = take(k, m, m->spare_used.at_usec);

        if (!s)
                return;
        s->is_direct = true;
        begin(k, s);
}

void spare_call_off(Keeper *k, Slot *s) {
        quiet_line_hear(k);
        if (s->is_spare && s->report_fd >= 0) {
                (void) shutdown(s->report_fd, SHUT_RDWR); /* now "begun" can never be said */
                quiet_line_hear(k); /* was it, in the meantime? */
        }
        if (!s->is_spare)
                return;
        s->last_signal = SIGKILL;
        (void) kill(s->pid, SIGKILL);
}

void spare_use(Keeper *k, const KeeperMessage *m, const int *fds, size_t n_fds) {
        Slot *s;
        int r = 0;

        if (!slot_find(k->table, m->slot, m->generation) &&
            (s = slot_take(k->table, m->slot, m->generation, m->launch.name, &m->launch.log))) {
                launch_fail_now(k, s, LAUNCH_TEMPLATE, -ESTALE, 0);
                return;
        }
        s = take(k, m, clock_realtime());
        if (!s)
                return;
        if (controller_has_values(&m->launch.cgroup))
                r = k->tree.ops->set(&k->tree, s, &m->launch.cgroup);
        if (r < 0 && r != -EOPNOTSUPP) {
                fail(k, s, LAUNCH_CGROUP, -r, 1);
                return;
        }
        if (n_fds != m->launch.n_fds + (m->use_spare.n_text == 0) || m->launch.n_fds > LAUNCH_FDS_MAX)
                r = m->launch.n_fds > LAUNCH_FDS_MAX ? -EBADMSG : -EMFILE;
        else
                r = hand_request(k, s, m, fds, n_fds);
        if (r == -EPIPE || r == -ECONNRESET)
                fail(k, s, LAUNCH_TEMPLATE, ESTALE, 0);
        else if (r < 0)
                fail(k, s, LAUNCH_PIPE, -r, 0);
        else if (s->is_awaited)
                await_claim(k, s);
        else
                begin(k, s);
}

/* It is dead, or deaf, and nothing foreign has run: unless that was asked for, the launch is to be made anew. */
static void hang_up(Keeper *k, Slot *s) {
        if (s->last_signal > 0)
                fail(k, s, LAUNCH_KILLED, ESRCH, 0);
        else
                fail(k, s, LAUNCH_TEMPLATE, ESTALE, 0);
}

void spare_look_at_deferred(Keeper *k) {
        for (unsigned i = 0; i < k->n_deferred; i++) {
                Slot *s = &k->table->slots[k->deferred[i]];

                s->is_deferred = false; /* it may have said by itself that it is ready: its output is not watched all the same */
                output_begin(k, s);
                watch(k, s);
        }
        k->n_deferred = 0;
}

/* A turn in which all of them end needs no timer. */
static void forget_deferred(Keeper *k, const Slot *s) {
        for (unsigned i = k->n_deferred; i-- > 0;)
                if (k->deferred[i] == slot_index(k->table, s))
                        k->deferred[i] = k->deferred[--k->n_deferred];
        if (k->n_deferred == 0)
                keeper_unset_timer(k, TIMER_DEFERRED);
}

void spare_note_end(Keeper *k, const Slot *s) {
        Slot *t = slot_find(k->table, s->by_slot, s->by_generation);

        forget_deferred(k, s);
        if (t && !s->is_spare)
                t->is_brief = s->exited.at_usec < usec_add(s->started_usec, KEEPER_BRIEF_USEC);
}

void spare_read_report(Keeper *k, Slot *s) {
        bool is_dead = s->exited.at_usec > 0;
        char text[TEMPLATE_TEXT_MAX];
        int error, detail;
        LaunchStage stage;
        ssize_t n = 0;
        pid_t pid;

        if (s->state != KEEPER_SLOT_LAUNCHING || s->report_fd < 0)
                return;
        for (unsigned i = 0; i < READ_TRIES; i++) {
                n = template_receive(s->report_fd, text, &pid);
                if (n != -ECONNRESET && n != -EINTR)
                        break;
        }
        if (n == -EAGAIN && !is_dead)
                return;
        if (n > 0 && streq(text, "begun") && !s->is_spare) {
                s->report_fd = keeper_unwatch_close(k, s->report_fd);
                launch_note_started(k, s);
                if (!is_dead)
                        cgroup_leaf_let_go(s); /* it may run for long */
        } else if (n > 0 && streq(text, "stale"))
                fail(k, s, LAUNCH_TEMPLATE, ESTALE, 0);
        else if (n > 0 && template_is_failure(text, &stage, &error, &detail))
                fail(k, s, stage, error, detail);
        else
                hang_up(k, s);
}
