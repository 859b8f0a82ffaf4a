/* launch-template.c - launches without exec: a template forks the new process, and the keeper makes it its own.
 *
 * A template is a process in a slot like any other, with a SOCK_SEQPACKET socket to us. Its first packet there means that it
 * is ready. For a launch it gets one packet: words that name the descriptors that came along, "request report stdout stderr
 * cgroup", and behind those the ones of the request. It forks; the new process sets itself up and sends one packet on the
 * report socket. Who sent it the kernel tells (SCM_CREDENTIALS), and that it is our child, wait(2). Then it goes into the
 * table, is watched, moved into its leaf unless it was born there, and hears "g": before that it does nothing of its own.
 * Of one that said "hello inside" it is looked up after the "g" whether that is so, which is where nobody waits for it.
 *
 *   FREE -> LAUNCHING (awaited) -> RUNNING                 as above
 *                               -> ending -> ENDED         it said what failed, hung up, or its template died: ESRCH
 *
 * A new process whose parent was not the template (a second fork, so that its parent may end) becomes ours when that one
 * ends; until then it is asked for again and again, CLAIM_LIMIT_USEC at most. */
#include "keeper/launch-job.h"
#include "base/log.h"
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define CLAIM_AGAIN_USEC (1 * USEC_PER_MSEC)
#define CLAIM_LIMIT_USEC (1 * USEC_PER_SEC)
#define HANG_UP_USEC (5 * USEC_PER_MSEC) /* a template that dies closes its descriptors one after the other */
#define NAMED_FDS_MAX 6 /* the ready pipe among them */

static Slot *template_of(Keeper *k, const Slot *s) {
        return slot_find(k->table, s->by_slot, s->by_generation);
}

/* ---- asking ---- */

static int null_or(int fd, int *ret_opened) {
        if (fd >= 0)
                return fd;
        *ret_opened = open("/dev/null", O_WRONLY | O_CLOEXEC);
        return *ret_opened < 0 ? -errno : *ret_opened;
}

static int send_request(const Slot *t, const Slot *s, const Job *j, const int *fds, size_t n_fds) {
        bool inherits = s->log.kind == LOG_KIND_INHERIT, has_leaf = j->leaf_fd >= 0;
        const char *words = has_leaf ? "request report stdout stderr cgroup" : "request report stdout stderr";
        size_t n = 0;
        _cleanup_fd_ int null_out = -EBADF, null_err = -EBADF;
        int all[NAMED_FDS_MAX + LAUNCH_FDS_MAX];
        int out = null_or(inherits ? STDOUT_FILENO : j->out[1], &null_out);
        int err = null_or(inherits ? STDERR_FILENO : j->err[1], &null_err);

        if (out < 0 || err < 0)
                return -EMFILE;
        if (s->is_spare)
                words += strlen("request ");
        else
                all[n++] = fds[0];
        all[n++] = j->report[1];
        all[n++] = out;
        all[n++] = err;
        if (has_leaf)
                all[n++] = j->leaf_fd;
        for (size_t i = 1; i < n_fds; i++)
                all[n++] = fds[i];
        if (j->ready[1] >= 0)
                all[n++] = j->ready[1];
        return packet_send(t->template_fd, words, strlen(words), all, n);
}

/* From now on it takes an answer, or the end of the template, to end it. */
static void await(Keeper *k, Slot *s, Job *j) {
        s->report_fd = TAKE_FD(j->report[0]);
        s->ready_fd = TAKE_FD(j->ready[0]);
        s->leaf_fd = TAKE_FD(j->leaf_fd);
        s->out_fds[0] = TAKE_FD(j->out[0]);
        s->out_fds[1] = TAKE_FD(j->err[0]);
        s->claim_limit_usec = USEC_INFINITY;
        s->is_awaited = true;
        k->n_awaited++;
        if (!s->is_spare)
                output_begin(k, s);
}

void template_give_up(Keeper *k, Slot *s, LaunchStage stage, int error, int detail) {
        s->report_fd = keeper_unwatch_close(k, s->report_fd);
        s->ready_fd = keeper_unwatch_close(k, s->ready_fd);
        s->leaf_fd = fd_close(s->leaf_fd);
        s->is_awaited = false;
        k->n_awaited--;
        launch_note_failed(s, stage, error, detail);
        s->exited.at_usec = clock_realtime();
        cgroup_leaf_let_go(s); /* somebody may be born into it still */
        reap_begin_ending(k, s); /* whoever was born into its leaf meanwhile ends with it */
        keeper_set_timer(k, TIMER_TREES, 0);
}

void template_ask(Keeper *k, Slot *s, Job *j, const KeeperMessage *m, const int *fds, size_t n_fds) {
        static const int on = 1;
        Slot *t = slot_find(k->table, m->launch.template_slot, m->launch.template_generation);
        int r;

        if (!t || t->template_fd < 0 || t->pid <= 0) {
                launch_fail_now(k, s, LAUNCH_TEMPLATE, -ESRCH, 0);
                return;
        }
        s->by_slot = m->launch.template_slot;
        s->by_generation = m->launch.template_generation;
        r = setsockopt(j->report[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) < 0 ? -errno : 0;
        if (r >= 0 && !s->is_spare)
                r = keeper_watch_slot(k, j->report[0], EPOLLIN, SOURCE_SLOT_REPORT, s);
        if (r >= 0)
                r = send_request(t, s, j, fds, n_fds);
        if (r >= 0) {
                await(k, s, j);
                return;
        }
        keeper_unwatch(k, j->report[0]);
        launch_fail_now(k, s, LAUNCH_TEMPLATE, r == -EPIPE || r == -ECONNRESET ? -ESRCH : r, 0);
}

/* ---- the answer ---- */

/* It was not born, or not so that it could be ours. A launch that was given a spare is then to be made anew. */
static void miscarry(Keeper *k, Slot *s, LaunchStage stage, int error, int detail) {
        if (s->was_spare)
                template_give_up(k, s, LAUNCH_TEMPLATE, ESTALE, 0);
        else
                template_give_up(k, s, stage, error, detail);
}

/* Is it our child, alive or a zombie? 0; -ECHILD. */
static int look_at_child(pid_t pid) {
        siginfo_t info;

        return waitid(P_PID, (id_t) pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 ? -errno : 0;
}

static bool is_taken(Keeper *k, pid_t pid) {
        return pid <= 1 || pid == k->droverd.pid || pid == k->logger.pid || slot_by_pid(k->table, pid) != NULL;
}

static int watch_new(Keeper *k, Slot *s) {
        int r = 0;

        if (s->pidfd >= 0)
                r = keeper_watch_slot(k, s->pidfd, EPOLLIN, SOURCE_SLOT_DEATH, s);
        else
                keeper_set_timer(k, TIMER_SCAN, 0);
        if (r >= 0 && s->ready_fd >= 0)
                r = keeper_watch_slot(k, s->ready_fd, EPOLLIN, SOURCE_SLOT_READY, s);
        return r;
}

static void adopt(Keeper *k, Slot *s, pid_t pid) {
        int r = s->has_leaf && !s->says_inside ? k->tree.ops->enter(&k->tree, s->leaf_fd, pid) : 0;

        if (r < 0 && r != -ESRCH) { /* ESRCH: it has died already */
                (void) kill(pid, SIGKILL);
                miscarry(k, s, LAUNCH_CGROUP, -r, 0);
                return;
        }
        s->pidfd = (int) syscall(SYS_pidfd_open, pid, 0); /* ours and not reaped: the number is its own */
        s->pidfd = s->pidfd < 0 ? -EBADF : s->pidfd;
        r = watch_new(k, s);
        if (r < 0) {
                s->pidfd = keeper_unwatch_close(k, s->pidfd);
                (void) kill(pid, SIGKILL);
                miscarry(k, s, LAUNCH_PIPE, -r, 0);
                return;
        }
        s->started_usec = clock_realtime();
        slot_set_pid(k->table, s, pid);
        s->is_awaited = false;
        k->n_awaited--;
        if (!s->is_spare) /* that one hears "launch" */
                (void) send(s->report_fd, "g", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (s->was_spare)
                spare_claimed(k, s);
        else {
                s->report_fd = fd_close(s->report_fd); /* unwatched since it spoke */
                launch_note_started(k, s);
        }
        if (s->has_leaf && s->says_inside && cgroup_leaf_has(s, pid) <= 0) { /* is it true? */
                r = k->tree.ops->enter(&k->tree, s->leaf_fd, pid);
                if (r < 0 && r != -ESRCH)
                        (void) kill(pid, SIGKILL);
        }
        s->leaf_fd = fd_close(s->leaf_fd);
}

static void try_claim(Keeper *k, Slot *s, pid_t pid) {
        int r = is_taken(k, pid) ? -EPERM : look_at_child(pid);

        if (r >= 0) {
                adopt(k, s, pid);
                return;
        }
        if (s->claimed != pid) {
                s->claimed = pid;
                s->claim_limit_usec = usec_add(k->now_usec, CLAIM_LIMIT_USEC);
        }
        if (r != -ECHILD || k->now_usec >= s->claim_limit_usec) {
                log_warning("%s: pid %d, which says to be it, is %s", s->name, pid, r == -ECHILD ? "no child of drover-keeper" : "another one");
                miscarry(k, s, LAUNCH_TEMPLATE, -r, 0);
        } else
                keeper_set_timer(k, TIMER_CLAIMS, CLAIM_AGAIN_USEC);
}

/* "failed STAGE ERRNO DETAIL" */
bool template_is_failure(const char *text, LaunchStage *ret_stage, int *ret_error, int *ret_detail) {
        char word[32];
        int stage;

        if (sscanf(text, "failed %31s %d %d", word, ret_error, ret_detail) != 3 || *ret_error <= 0)
                return false;
        stage = launch_stage_from_string(word);
        *ret_stage = stage < 0 || stage == LAUNCH_TEMPLATE ? LAUNCH_FORK : (LaunchStage) stage;
        return true;
}

ssize_t template_receive(int fd, char text[static TEMPLATE_TEXT_MAX], pid_t *ret_pid) {
        union {
                struct cmsghdr header;
                char bytes[CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(8 * sizeof(int))];
        } control;
        struct iovec iov = {text, TEMPLATE_TEXT_MAX - 1};
        struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
        ssize_t n = recvmsg(fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

        *ret_pid = 0;
        if (n < 0)
                return -errno;
        text[n] = '\0';
        for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
                struct ucred who;

                if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_CREDENTIALS && n > 0) {
                        memcpy(&who, CMSG_DATA(c), sizeof(who));
                        *ret_pid = who.pid;
                }
                if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
                        for (size_t i = 0; i < (c->cmsg_len - CMSG_LEN(0)) / sizeof(int); i++)
                                (void) close(((const int *) (const void *) CMSG_DATA(c))[i]);
        }
        return n;
}

static bool is_template_gone(Keeper *k, const Slot *s) {
        const Slot *t = template_of(k, s);
        struct pollfd p = {.fd = t ? t->template_fd : -1};

        return !t || t->pid <= 0 || t->template_fd < 0 || (poll(&p, 1, 0) == 1 && p.revents & (POLLHUP | POLLERR));
}

/* All copies of its end are closed, and nothing was said. Is its template dying? That shows a moment later. */
static void on_hang_up(Keeper *k, Slot *s) {
        if (is_template_gone(k, s))
                template_give_up(k, s, LAUNCH_TEMPLATE, ESRCH, 0);
        else if (s->claim_limit_usec != USEC_INFINITY && k->now_usec >= s->claim_limit_usec)
                miscarry(k, s, LAUNCH_KILLED, ESRCH, 0);
        else if (s->claim_limit_usec == USEC_INFINITY) {
                keeper_unwatch(k, s->report_fd);
                s->claim_limit_usec = usec_add(k->now_usec, HANG_UP_USEC);
                keeper_set_timer(k, TIMER_CLAIMS, HANG_UP_USEC);
        } else
                keeper_set_timer(k, TIMER_CLAIMS, CLAIM_AGAIN_USEC);
}

void template_read_claim(Keeper *k, Slot *s) {
        char text[TEMPLATE_TEXT_MAX];
        LaunchStage stage;
        int error, detail;
        pid_t pid;
        ssize_t n;

        if (s->claimed > 0) {
                try_claim(k, s, s->claimed);
                return;
        }
        n = template_receive(s->report_fd, text, &pid);
        if (n == -EAGAIN || n == -EINTR)
                return;
        if (n <= 0 || pid <= 0)
                on_hang_up(k, s);
        else if (template_is_failure(text, &stage, &error, &detail))
                miscarry(k, s, stage, error, detail);
        else {
                keeper_unwatch(k, s->report_fd);
                s->says_inside = streq(text, "hello inside");
                try_claim(k, s, pid);
        }
}

void template_look_at_claims(Keeper *k) {
        SlotTable *t = k->table;

        for (uint32_t i = 0; i < t->top && k->n_awaited > 0; i++)
                if (t->slots[i].state != KEEPER_SLOT_FREE && t->slots[i].is_awaited &&
                    t->slots[i].claim_limit_usec != USEC_INFINITY)
                        template_read_claim(k, &t->slots[i]);
}

void template_abandon(Keeper *k, Slot *s) {
        template_give_up(k, s, LAUNCH_KILLED, ESRCH, 0);
}

/* ---- the template ---- */

void template_hear(Keeper *k, Slot *s) {
        char text[256];
        ssize_t n = s->template_fd < 0 ? 0 : recv(s->template_fd, text, sizeof(text) - 1, MSG_DONTWAIT);

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return;
        if (n > 0) {
                text[n] = '\0';
                if (!s->is_ready)
                        s->can_spare = streq(text, "ready spare");
                if (!s->is_ready)
                        peer_link_due_slot(&k->to_droverd, slot_index(k->table, s), NOTICE_READY);
                s->is_ready = true;
                return;
        }
        /* It cannot be asked any more: what it does beside that serves nobody. */
        s->template_fd = keeper_unwatch_close(k, s->template_fd);
        if (s->pid > 0 && s->last_signal == 0)
                (void) kill(s->pid, SIGTERM);
}

void template_gone(Keeper *k, Slot *s) {
        uint32_t index = slot_index(k->table, s);
        SlotTable *t = k->table;

        s->template_fd = keeper_unwatch_close(k, s->template_fd);
        cgroup_leaves_drop(&k->tree, index, s->generation);
        for (uint32_t i = 0; i < t->top; i++) {
                Slot *c = &t->slots[i];

                if (c->state == KEEPER_SLOT_FREE || c->by_slot != index || c->by_generation != s->generation)
                        continue;
                if (c->is_awaited)
                        template_read_claim(k, c); /* it may be there already */
                if (c->is_awaited && c->claimed == 0)
                        template_give_up(k, c, LAUNCH_TEMPLATE, ESRCH, 0);
                if (c->was_spare)
                        cgroup_leaf_let_go(c); /* there will be no other of its template */
                if (c->is_spare && c->pid > 0)
                        spare_call_off(k, c);
        }
}
