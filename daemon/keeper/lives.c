/* lives.c - the two programs' lives, and the end of all three.
 *
 * droverd is started again whenever it dies, with two exceptions: the keeper is quitting, or droverd ended by itself
 * in its first life before it was ever ready: then it has said why (a faulty configuration, a second instance), and
 * the keeper ends with its exit code. The logger is started again until it has finished on request.
 *
 * Between droverd and the logger there is a line of their own. It is made anew with each life of either. */
#include "keeper/keeper.h"
#include "keeper/leftovers.h"
#include "base/fd.h"
#include "base/log.h"
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#define PEER_AGAIN_USEC (1 * USEC_PER_SEC)
#define REST_LIMIT_USEC (2 * USEC_PER_SEC) /* for what dies after the end of everything */

void lives_renew_peer_line(Keeper *k) {
        int r;

        keeper_unset_timer(k, TIMER_PEER);
        fd_close_many(k->peer_fds, 2);
        k->n_peer_lines++;
        r = packet_pair(k->peer_fds);
        if (r < 0) {
                k->peer_fds[0] = k->peer_fds[1] = -EBADF;
                keeper_set_timer(k, TIMER_PEER, PEER_AGAIN_USEC);
                if (!k->is_peer_line_missing)
                        log_error("no line between droverd and the logger: %s", strerror(-r));
        }
        k->is_peer_line_missing = r < 0;
        if (r < 0)
                return;
        peer_link_due_tail(&k->to_logger, FEED_PEER);
        peer_link_due_tail(&k->to_droverd, NOTICE_LOGGER);
}

/* Children that are nobody's orphans, for the sweep. */
static void note_known(Keeper *k) {
        k->tree.known[0] = k->droverd.pid;
        k->tree.known[1] = k->logger.pid;
}

/* One life of a program with a fresh line to it. What holds it up now (processes, descriptors) may pass. */
static int start_life(Keeper *k, Program *p, PeerLink *line, KeeperSource line_source, KeeperSource death_source) {
        int pair[2] = {-EBADF, -EBADF}, r;

        keeper_release_reserve(k);
        r = packet_pair(pair);
        if (r >= 0)
                r = program_start(p, pair[1], k->now_usec);
        pair[1] = fd_close(pair[1]);
        note_known(k);
        if (r >= 0) {
                peer_link_open(line, pair[0]);
                r = keeper_watch(k, line->fd, EPOLLIN, line_source);
                if (r >= 0 && p->pidfd >= 0)
                        r = keeper_watch(k, p->pidfd, EPOLLIN, death_source);
                if (r < 0)
                        program_kill(p, SIGKILL); /* unwatched: SIGCHLD will tell of its end */
        } else
                (void) fd_close(pair[0]);
        if (r < 0)
                log_error("cannot start %s: %s", p->name, strerror(-r));
        return r;
}

void lives_start_droverd(Keeper *k) {
        int r;

        keeper_unset_timer(k, TIMER_DROVERD);
        if (k->droverd.pid > 0 || !k->droverd.is_wanted)
                return;
        r = start_life(k, &k->droverd, &k->to_droverd, SOURCE_DROVERD_LINE, SOURCE_DROVERD_DEATH);
        k->droverd_events = EPOLLIN;
        if (k->droverd.pid > 0) {
                lives_renew_peer_line(k);
                quiet_line_open(k);
                droverd_line_greet(k);
                keeper_set_timer(k, TIMER_WATCHDOG, k->watchdog_usec);
        } else if (r < 0)
                keeper_set_timer(k, TIMER_DROVERD, PROGRAM_DELAY_MIN_USEC);
        keeper_refill_reserve(k);
}

void lives_start_logger(Keeper *k) {
        int r;

        keeper_unset_timer(k, TIMER_LOGGER);
        if (k->logger.pid > 0 && k->to_logger.fd < 0)
                program_kill(&k->logger, SIGKILL); /* it left its line a while ago and lives on, deaf */
        if (k->logger.pid > 0 || !k->logger.is_wanted)
                return;
        r = start_life(k, &k->logger, &k->to_logger, SOURCE_LOGGER_LINE, SOURCE_LOGGER_DEATH);
        k->logger_events = EPOLLIN;
        if (k->logger.pid > 0) {
                lives_renew_peer_line(k);
                logger_line_greet(k);
                if (k->quit >= QUIT_LOGGER)
                        peer_link_due_tail(&k->to_logger, FEED_FINISH);
        } else if (r < 0)
                keeper_set_timer(k, TIMER_LOGGER, PROGRAM_DELAY_MIN_USEC);
        keeper_refill_reserve(k);
}

static void describe(const siginfo_t *info, char *buf, size_t size) {
        if (info->si_code == CLD_EXITED)
                (void) snprintf(buf, size, "exited with code %d", info->si_status);
        else
                (void) snprintf(buf, size, "was killed by signal %d", info->si_status);
}

static bool reap(const Program *p, siginfo_t *ret) {
        ret->si_pid = 0;
        return p->pid > 0 && waitid(P_PID, (id_t) p->pid, ret, WEXITED | WNOHANG) == 0 && ret->si_pid == p->pid;
}

void lives_reap_droverd(Keeper *k) {
        char how[64];
        siginfo_t info;
        usec_t delay;

        if (!reap(&k->droverd, &info))
                return;
        droverd_line_read(k, true); /* its last words count */
        quiet_line_end(k);
        keeper_unwatch(k, k->to_droverd.fd);
        keeper_unwatch(k, k->droverd.pidfd);
        peer_link_close(&k->to_droverd);
        delay = program_ended(&k->droverd, k->now_usec);
        note_known(k);
        keeper_unset_timer(k, TIMER_WATCHDOG);
        if (k->quit != QUIT_NOT)
                return;
        if (info.si_code == CLD_EXITED && k->droverd.n_lives == 1 && !k->is_ready) {
                lives_quit(k, info.si_status, false);
                return;
        }
        describe(&info, how, sizeof(how));
        log_warning("droverd %s; starting it again", how);
        if (k->shutdown_wanted && delay >= PROGRAM_DELAY_MAX_USEC)
                lives_quit(k, EXIT_FAILURE, false); /* it cannot even stop us in order */
        else if (delay == 0)
                lives_start_droverd(k);
        else
                keeper_set_timer(k, TIMER_DROVERD, delay);
}

void lives_reap_logger(Keeper *k) {
        char how[64];
        siginfo_t info;
        usec_t delay;

        if (!reap(&k->logger, &info))
                return;
        logger_line_read(k); /* DETACHED it had said already */
        keeper_unwatch(k, k->to_logger.fd);
        keeper_unwatch(k, k->logger.pidfd);
        peer_link_close(&k->to_logger);
        delay = program_ended(&k->logger, k->now_usec);
        note_known(k);
        if (k->quit >= QUIT_LOGGER && info.si_code == CLD_EXITED && info.si_status == 0)
                k->logger.is_wanted = false;
        if (!k->logger.is_wanted)
                return;
        describe(&info, how, sizeof(how));
        log_warning("drover-logger %s; starting it again", how);
        if (delay == 0)
                lives_start_logger(k);
        else
                keeper_set_timer(k, TIMER_LOGGER, delay);
}

void lives_watchdog(Keeper *k) {
        if (k->to_droverd.fd < 0)
                log_error("droverd has left its line and lives on; killing it");
        else
                log_error("droverd has not said that it lives for %llu ms; killing it",
                          (unsigned long long) (k->watchdog_usec / USEC_PER_MSEC));
        program_kill(&k->droverd, SIGKILL);
}

void lives_shutdown(Keeper *k) {
        if (!k->shutdown_wanted)
                notify_relay_send(&k->notify, "STOPPING=1");
        k->shutdown_wanted = true;
        peer_link_due_tail(&k->to_droverd, NOTICE_SHUTDOWN);
        if (k->quit == QUIT_NOT)
                lives_start_droverd(k); /* where it is waiting for its next start */
}

static void kill_slot(Keeper *k, Slot *s) {
        (void) k->tree.ops->send(&k->tree, s, SIGKILL);
        (void) kill(s->pid, SIGKILL);
}

static void kill_workers(Keeper *k) {
        for (uint32_t i = 0; i < k->table->top; i++) {
                Slot *s = &k->table->slots[i];

                if (s->state != KEEPER_SLOT_FREE && s->pid > 0)
                        kill_slot(k, s);
        }
        (void) sweep_orphans(&k->tree);
}

/* A template and what it has forked ahead live for launches alone, and what is being killed is on its way out: none of them
 * stays behind where workers do. With a template go those of its spares that are not born yet. */
static bool is_to_stay(const Slot *s) {
        return s->state == KEEPER_SLOT_FREE || (s->pid <= 0 && !s->is_awaited) ||
                (!s->is_template && !s->is_spare && s->last_signal != SIGKILL);
}

/* Return: whether all of them are gone. */
static bool kill_helpers(Keeper *k) {
        bool is_over = k->table->n_endings == 0;

        for (uint32_t i = 0; i < k->table->top; i++) {
                Slot *s = &k->table->slots[i];

                if (is_to_stay(s))
                        continue;
                is_over = false;
                if (s->pid <= 0 || s->last_signal == SIGKILL)
                        continue;
                s->last_signal = SIGKILL;
                kill_slot(k, s);
        }
        return is_over;
}

void lives_quit(Keeper *k, int exit_code, bool leave_running) {
        if (k->quit != QUIT_NOT)
                return;
        k->exit_code = exit_code & 0xff;
        k->quit = QUIT_WORKERS;
        k->droverd.is_wanted = false;
        k->leave_running = leave_running;
        keeper_unset_timer(k, TIMER_DROVERD);
        if (leave_running)
                leftovers_protect(k->tree.base_fd);
        else
                kill_workers(k);
        keeper_set_timer(k, TIMER_QUIT, KEEPER_QUIT_STEP_USEC);
}

static bool step_is_over(Keeper *k, bool is_late) {
        switch (k->quit) {
        case QUIT_WORKERS:
                return is_late || (k->leave_running ? kill_helpers(k) : k->table->n_alive == 0 && k->table->n_endings == 0);
        case QUIT_LOGGER:
                if (is_late) {
                        log_warning("drover-logger does not end; killing it");
                        k->logger.is_wanted = false;
                        program_kill(&k->logger, SIGKILL);
                }
                return is_late || (k->logger.pid == 0 && !k->logger.is_wanted);
        case QUIT_DROVERD:
                if (is_late)
                        program_kill(&k->droverd, SIGKILL);
                return is_late || k->droverd.pid == 0;
        default:
                return false;
        }
}

void lives_quit_step(Keeper *k, bool is_late) {
        while (k->quit != QUIT_NOT && k->quit != QUIT_DONE && step_is_over(k, is_late)) {
                k->quit++;
                is_late = false;
                keeper_set_timer(k, TIMER_QUIT, KEEPER_QUIT_STEP_USEC);
                if (k->quit == QUIT_LOGGER)
                        peer_link_due_tail(&k->to_logger, FEED_FINISH);
        }
}

void lives_sweep_rest(Keeper *k) {
        usec_t limit = usec_add(clock_now(), REST_LIMIT_USEC);

        if (k->leave_running)
                return;
        k->tree.known[0] = k->tree.known[1] = 0;
        while (clock_now() < limit) {
                siginfo_t info;

                while (waitid(P_ALL, 0, (info.si_pid = 0, &info), WEXITED | WNOHANG) == 0 && info.si_pid > 0) {
                        Slot *s = slot_by_pid(k->table, info.si_pid);

                        if (s)
                                slot_clear_pid(k->table, s);
                }
                if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 && errno == ECHILD)
                        break;
                (void) sweep_orphans(&k->tree);
                if (k->tree.base_fd >= 0)
                        (void) cgroup_kill_below(k->tree.base_fd, 0);
                (void) poll(NULL, 0, 5);
        }
        if (k->tree.base_fd >= 0)
                (void) cgroup_kill_below(k->tree.base_fd, 0);
}
