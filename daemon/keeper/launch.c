/* launch.c - the order of a launch.
 *
 * leaf -> pipes -> go-and-report socket -> process -> table -> "go". Until "go" the new process runs no foreign
 * code; before it, it is in the table. Then it says {EXEC}, and exec closes its end: the hang-up is our signal, so
 * a launch wakes the keeper once. A hang-up without a word means that it was killed on the way.
 *
 * Whatever fails before there is a process fails the slot at once; whatever fails after that, when it is dead. */
#include "keeper/keeper.h"
#include "keeper/child-setup.h"
#include "keeper/launch-job.h"
#include "base/fd.h"
#include "base/log.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

void launch_note_failed(Slot *s, LaunchStage stage, int error, int detail) {
        s->is_failed = true;
        s->failed = (KeeperFailure) {.stage = stage, .error = error, .detail = detail};
        if (s->is_spare && (stage != LAUNCH_TEMPLATE || error != EOPNOTSUPP))
                s->failed = (KeeperFailure) {.stage = LAUNCH_TEMPLATE, .error = ESTALE};
}

void launch_fail_now(Keeper *k, Slot *s, LaunchStage stage, int error, int detail) {
        uint32_t index = slot_index(k->table, s);

        k->tree.ops->discard(&k->tree, s);
        s->is_drained = true;
        launch_note_failed(s, stage, -error, detail);
        s->exited.at_usec = clock_realtime();
        s->state = KEEPER_SLOT_ENDED;
        peer_link_due_slot(&k->to_droverd, index, NOTICE_END);
        peer_link_due_slot(&k->to_droverd, index, NOTICE_DRAINED);
}

static bool has_pipes(const LogSpec *log) {
        return log->kind == LOG_KIND_FILE || log->kind == LOG_KIND_SHARED || log->kind == LOG_KIND_JOURNAL;
}

static int make_pipe(int ends[2]) {
        int p[2];

        if (pipe2(p, O_CLOEXEC) < 0)
                return -errno;
        ends[0] = p[0];
        ends[1] = p[1];
        return 0;
}

static int make_pair(int ends[2]) {
        int p[2];

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, p) < 0)
                return -errno;
        ends[0] = p[0];
        ends[1] = p[1];
        return 0;
}

int launch_make_ready_pipe(Job *j) {
        int r = make_pipe(j->ready);

        return r < 0 ? r : fd_set_nonblock(j->ready[0], true);
}

int launch_make_channels(Job *j, const Slot *s, bool wants_ready, bool is_template) {
        int r = 0;

        if (has_pipes(&s->log)) {
                r = make_pipe(j->out);
                if (r >= 0)
                        r = make_pipe(j->err);
        }
        if (r >= 0 && wants_ready)
                r = launch_make_ready_pipe(j);
        if (r < 0)
                return r;
        if (is_template) {
                r = make_pair(j->template);
                if (r >= 0)
                        r = fd_set_nonblock(j->template[0], true);
        }
        return r < 0 ? r : make_pair(j->report);
}

static ChildPlan make_plan(const Keeper *k, const Job *j, const Slot *s, const int *fds, size_t n_fds) {
        bool inherits = s->log.kind == LOG_KIND_INHERIT;
        ChildPlan plan = {
                .request_fd = fds[0],
                .report_fd = j->report[1],
                .keeper_end_fd = j->report[0],
                .cgroup_fd = j->leaf_fd,
                .stdio = {-EBADF, inherits ? STDOUT_FILENO : j->out[1], inherits ? STDERR_FILENO : j->err[1]},
                .ready_fd = j->ready[1],
                .template_fd = j->template[1],
                .n_extra = n_fds - 1,
                .n_fds_soft = k->n_fds_soft,
                .reset_oom_score = k->reset_oom_score,
        };

        for (size_t i = 1; i < n_fds; i++)
                plan.extra_fds[i - 1] = fds[i];
        return plan;
}

/* The process exists and is in the table; now it must be watched. Where that fails it may not begin: the closed
 * report socket ends it, SIGCHLD brings it home, and the slot ends as failed. */
static int watch_process(Keeper *k, Slot *s) {
        int r = 0;

        if (s->pidfd >= 0)
                r = keeper_watch_slot(k, s->pidfd, EPOLLIN, SOURCE_SLOT_DEATH, s);
        if (r >= 0)
                r = keeper_watch_slot(k, s->report_fd, 0, SOURCE_SLOT_REPORT, s); /* hang-up only */
        if (r >= 0 && s->ready_fd >= 0)
                r = keeper_watch_slot(k, s->ready_fd, EPOLLIN, SOURCE_SLOT_READY, s);
        if (r >= 0 && s->template_fd >= 0)
                r = keeper_watch_slot(k, s->template_fd, EPOLLIN, SOURCE_SLOT_TEMPLATE, s);
        if (r >= 0 && send(s->report_fd, "g", 1, MSG_NOSIGNAL | MSG_DONTWAIT) != 1)
                r = -errno;
        return r;
}

static void adopt_process(Keeper *k, Slot *s, Job *j, pid_t pid, int pidfd) {
        int r;

        s->pidfd = pidfd;
        s->started_usec = clock_realtime();
        s->report_fd = TAKE_FD(j->report[0]);
        s->ready_fd = TAKE_FD(j->ready[0]);
        s->template_fd = TAKE_FD(j->template[0]);
        s->is_template = s->template_fd >= 0;
        s->out_fds[0] = TAKE_FD(j->out[0]);
        s->out_fds[1] = TAKE_FD(j->err[0]);
        slot_set_pid(k->table, s, pid);
        output_begin(k, s);
        r = watch_process(k, s);
        if (r < 0) {
                s->is_failed = true;
                s->failed = (KeeperFailure) {.stage = LAUNCH_PIPE, .error = -r};
                s->report_fd = keeper_unwatch_close(k, s->report_fd);
                (void) kill(pid, SIGKILL);
                keeper_set_timer(k, TIMER_SCAN, 0);
        }
}

static void start_process(Keeper *k, Slot *s, Job *j, const int *fds, size_t n_fds) {
        ChildPlan plan = make_plan(k, j, s, fds, n_fds);
        bool is_inside = false;
        int pidfd = -EBADF;
        pid_t pid;

        pid = spawn(&k->tree.method, j->leaf_fd, &pidfd, &is_inside);
        if (pid == 0) {
                plan.is_inside = is_inside;
                child_setup(&plan);
        }
        if (pid < 0)
                launch_fail_now(k, s, LAUNCH_FORK, pid, 0);
        else
                adopt_process(k, s, j, pid, pidfd);
}

static void begin_launch(Keeper *k, const KeeperMessage *m, const int *fds, size_t n_fds) {
        _cleanup_(job_done) Job j = JOB_EMPTY;
        char name[KEEPER_NAME_MAX];
        Slot *s;
        int r;

        memcpy(name, m->launch.name, sizeof(name));
        name[sizeof(name) - 1] = '\0';
        s = slot_take(k->table, m->slot, m->generation, name, &m->launch.log);
        if (!s) {
                log_warning("launch of %s refused: slot %u is taken, or none", name, m->slot);
                return;
        }
        /* Descriptors that did not arrive are descriptors that we had no room for. */
        if (n_fds == 0 || n_fds - 1 != m->launch.n_fds || m->launch.n_fds > LAUNCH_FDS_MAX) {
                launch_fail_now(k, s, LAUNCH_PIPE, m->launch.n_fds > LAUNCH_FDS_MAX ? -EBADMSG : -EMFILE, 0);
                return;
        }
        r = k->tree.ops->make(&k->tree, s, &j.leaf_fd);
        if (r < 0) {
                launch_fail_now(k, s, LAUNCH_CGROUP, r, 0);
                return;
        }
        r = controller_has_values(&m->launch.cgroup) ? k->tree.ops->set(&k->tree, s, &m->launch.cgroup) : 0;
        if (r < 0 && r != -EOPNOTSUPP) {
                launch_fail_now(k, s, LAUNCH_CGROUP, r, 1);
                return;
        }
        r = launch_make_channels(&j, s, m->launch.flags & KEEPER_LAUNCH_READY_PIPE, m->launch.flags & KEEPER_LAUNCH_TEMPLATE);
        if (r < 0) {
                launch_fail_now(k, s, LAUNCH_PIPE, r, 0);
                return;
        }
        if (m->launch.flags & KEEPER_LAUNCH_FROM_TEMPLATE) {
                template_ask(k, s, &j, m, fds, n_fds);
                return;
        }
        start_process(k, s, &j, fds, n_fds);
}

void launch(Keeper *k, const KeeperMessage *m, const int *fds, size_t n_fds) {
        if (m->type == KEEPER_USE_SPARE)
                spare_use(k, m, fds, n_fds);
        else
                begin_launch(k, m, fds, n_fds);
        if (m->launch.flags & KEEPER_LAUNCH_FROM_TEMPLATE)
                spare_prepare(k, m); /* whatever has become of the launch: droverd counts on their slots */
}

void launch_note_started(Keeper *k, Slot *s) {
        s->state = KEEPER_SLOT_RUNNING;
        peer_link_due_slot(&k->to_droverd, slot_index(k->table, s), NOTICE_STARTED);
}

void launch_read_report(Keeper *k, Slot *s) {
        ChildReport report;
        bool will_exec = false;

        if (s->is_awaited) {
                template_read_claim(k, s);
                return;
        }
        if (s->was_spare) {
                spare_read_report(k, s);
                return;
        }
        if (s->state != KEEPER_SLOT_LAUNCHING || s->report_fd < 0)
                return;
        for (unsigned tries = 0; tries < 4 && !s->is_failed; tries++) {
                ssize_t n = recv(s->report_fd, &report, sizeof(report), MSG_DONTWAIT);

                /* ECONNRESET comes once, ahead of what was said, when the child died with "go" unread. */
                if (n < 0 && (errno == ECONNRESET || errno == EINTR))
                        continue;
                if (n != sizeof(report))
                        break;
                if (report.stage == CHILD_REPORT_EXEC)
                        will_exec = true;
                else
                        launch_note_failed(s, report.stage, report.error, report.detail);
        }
        s->report_fd = keeper_unwatch_close(k, s->report_fd);
        if (!s->is_failed && will_exec)
                launch_note_started(k, s);
        else if (!s->is_failed)
                launch_note_failed(s, LAUNCH_KILLED, ESRCH, 0);
}

void launch_read_ready(Keeper *k, Slot *s) {
        char text[256];
        ssize_t n;

        if (s->ready_fd < 0)
                return;
        n = read(s->ready_fd, text, sizeof(text)); /* once a turn: a worker may write without end */
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return;
        if (n > 0 && !memchr(text, '\n', (size_t) n))
                return;
        if (n > 0) {
                if (s->was_spare)
                        spare_read_report(k, s); /* that it has begun comes first, and may not be looked at yet */
                s->is_ready = true;
                peer_link_due_slot(&k->to_droverd, slot_index(k->table, s), NOTICE_READY);
        }
        s->ready_fd = keeper_unwatch_close(k, s->ready_fd);
}
