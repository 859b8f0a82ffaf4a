/* reap.c - deaths: the main process, then its tree, then the end as droverd hears of it.
 *
 * The status is written into the table while the process is still a zombie (WNOWAIT), and only then is it reaped:
 * what waits first and writes later loses statuses. Then the rest of its tree is killed and waited for, by looking
 * again and again (1 ms, 2 ms ... 50 ms), for TREE_END_LIMIT_USEC at most.
 *
 * Workers are watched by pidfd. SIGCHLD is for the others: orphans that became ours as a subreaper, and everything
 * on kernels without pidfds. A scan for them comes at most every SCAN_USEC, and never without a SIGCHLD. While
 * many known workers die it is put off, up to SCAN_LATEST_USEC: among 1000 children, one waitid(P_ALL) costs 29 us. */
#include "keeper/keeper.h"
#include "link/launch-request.h"
#include "base/fd.h"
#include "base/log.h"
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define SCAN_USEC (20 * USEC_PER_MSEC)
#define SCAN_LATEST_USEC (10 * SCAN_USEC)
#define SCAN_MANY_DEATHS 16
#define SCAN_MAX 256 /* children a turn; the rest in the next one */
#define TREE_DELAY_MIN_USEC (1 * USEC_PER_MSEC)
#define TREE_DELAY_MAX_USEC (50 * USEC_PER_MSEC)

static uint64_t timeval_usec(struct timeval t) {
        return (uint64_t) t.tv_sec * USEC_PER_SEC + (uint64_t) t.tv_usec;
}

/* The bare system call: libc's waitid() keeps the resource usage from us. */
static bool look_at_zombie(pid_t pid, siginfo_t *ret_info, struct rusage *ret_usage) {
        ret_info->si_pid = 0;
        return syscall(SYS_waitid, P_PID, pid, ret_info, WEXITED | WNOHANG | WNOWAIT, ret_usage) == 0 &&
                ret_info->si_pid == pid;
}

static void reap_pid(pid_t pid) {
        siginfo_t info;

        (void) waitid(P_PID, (id_t) pid, &info, WEXITED | WNOHANG);
}

/* Who or what killed it? Its leaf is still there. */
static void note_circumstances(Keeper *k, Slot *s) {
        KeeperExit *e = &s->exited;

        e->sent = s->last_signal;
        k->tree.ops->account(&k->tree, s);
        if (e->oom == KEEPER_OOM_NO && e->code != CLD_EXITED && e->status == SIGKILL && s->last_signal != SIGKILL &&
            oom_watch_look(&k->oom, k->now_usec))
                e->oom = KEEPER_OOM_MACHINE;
}

void reap_begin_ending(Keeper *k, Slot *s) {
        s->end_limit_usec = usec_add(k->now_usec, TREE_END_LIMIT_USEC);
        slot_add_ending(k->table, s);
        k->tree_delay_usec = 0;
}

void reap_slot(Keeper *k, Slot *s) {
        struct rusage usage = {};
        siginfo_t info;
        pid_t pid = s->pid;

        if (pid <= 0 || !look_at_zombie(pid, &info, &usage))
                return;
        if (s->is_spare)
                quiet_line_hear(k); /* it may be a launch, and over */
        s->exited = (KeeperExit) {
                .code = info.si_code,
                .status = info.si_status,
                .at_usec = clock_realtime(),
                .cpu_usec = timeval_usec(usage.ru_utime) + timeval_usec(usage.ru_stime),
                .max_rss_bytes = (uint64_t) usage.ru_maxrss * 1024,
        };
        note_circumstances(k, s);
        launch_read_report(k, s);
        if (s->is_failed && s->failed.stage == LAUNCH_KILLED)
                s->failed.detail = info.si_status;
        launch_read_ready(k, s);
        reap_pid(pid);
        slot_clear_pid(k->table, s);
        s->pidfd = keeper_unwatch_close(k, s->pidfd);
        s->ready_fd = keeper_unwatch_close(k, s->ready_fd);
        if (s->is_template)
                template_gone(k, s);
        if (s->was_spare)
                spare_note_end(k, s);
        reap_begin_ending(k, s);
}

void reap_release(Keeper *k, Slot *s) {
        if (s->state != KEEPER_SLOT_ENDED || !s->is_acked || !s->is_drained)
                return;
        peer_link_forget_slot(&k->to_logger, slot_index(k->table, s));
        slot_release(k->table, s);
}

static void finish(Keeper *k, Slot *s, bool is_unkillable) {
        uint32_t index = slot_index(k->table, s);

        slot_remove_ending(k->table, s);
        if (s->is_spare)
                fd_close_many(s->out_fds, ARRAY_SIZE(s->out_fds)); /* never launched: nobody waits for its output */
        s->is_quiet = s->is_quiet || s->is_deferred;
        output_end(k, s);
        s->exited.unkillable = is_unkillable;
        s->state = KEEPER_SLOT_ENDED;
        peer_link_due_slot(&k->to_droverd, index, NOTICE_END);
        if (is_unkillable)
                log_error("%s: its processes cannot be killed; going on without waiting for them", s->name);
        if (s->out_fds[0] >= 0 || s->out_fds[1] >= 0) {
                peer_link_due_slot(&k->to_logger, index, FEED_LINGER);
                return;
        }
        s->is_drained = true;
        peer_link_due_slot(&k->to_droverd, index, NOTICE_DRAINED);
}

void reap_endings(Keeper *k) {
        SlotTable *t = k->table;

        if (t->n_endings == 0)
                return;
        k->tree.ops->look(&k->tree);
        for (uint32_t i = t->n_endings; i-- > 0;) { /* from the end: finish() fills the gap from there */
                Slot *s = &t->slots[t->endings[i]];
                bool is_late = k->now_usec >= s->end_limit_usec;

                if (k->tree.ops->end(&k->tree, s) == 0)
                        finish(k, s, false);
                else if (is_late)
                        finish(k, s, true);
        }
        if (t->n_endings == 0) {
                k->tree_delay_usec = 0;
                keeper_unset_timer(k, TIMER_TREES);
                return;
        }
        k->tree_delay_usec = k->tree_delay_usec == 0 ? TREE_DELAY_MIN_USEC
                                                     : MIN(2 * k->tree_delay_usec, TREE_DELAY_MAX_USEC);
        keeper_set_timer(k, TIMER_TREES, k->tree_delay_usec);
}

void reap_put_off_scan(Keeper *k) {
        if (k->due[TIMER_SCAN] != USEC_INFINITY && ++k->n_deaths_since_scan_wanted > SCAN_MANY_DEATHS &&
            k->now_usec < usec_add(k->scan_wanted_usec, SCAN_LATEST_USEC))
                keeper_set_timer(k, TIMER_SCAN, SCAN_USEC);
}

void reap_scan(Keeper *k) {
        for (unsigned n = 0; n < SCAN_MAX; n++) {
                siginfo_t info = {};
                Slot *s;

                if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid == 0)
                        return;
                s = slot_by_pid(k->table, info.si_pid);
                if (s)
                        reap_slot(k, s);
                else if (info.si_pid == k->droverd.pid)
                        lives_reap_droverd(k);
                else if (info.si_pid == k->logger.pid)
                        lives_reap_logger(k);
                else
                        reap_pid(info.si_pid);
        }
        keeper_set_timer(k, TIMER_SCAN, 0);
}
