/* keeper.c - the keeper's loop and its one timer. See keeper.h. */
#include "keeper/keeper.h"
#include "base/fd.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define EVENTS_MAX 64
#define LATE_USEC USEC_PER_SEC /* a timer later than this: it was the machine that stood still, not droverd */
#define LINES_RETRY_USEC (20 * USEC_PER_MSEC)
#define SCAN_USEC (20 * USEC_PER_MSEC)

static int watch(Keeper *k, int fd, uint32_t events, uint64_t tag) {
        struct epoll_event e = {.events = events, .data.u64 = tag};

        return epoll_ctl(k->epoll_fd, EPOLL_CTL_ADD, fd, &e) < 0 ? -errno : 0;
}

int keeper_watch(Keeper *k, int fd, uint32_t events, KeeperSource source) {
        return watch(k, fd, events, (uint64_t) source << 56);
}

/* source (8 bits), low 24 bits of the generation, slot: an event of a former life of the slot is seen as such. */
static uint64_t slot_tag(const Keeper *k, const Slot *s, KeeperSource source) {
        return (uint64_t) source << 56 | (s->generation & 0xffffff) << 32 | slot_index(k->table, s);
}

int keeper_watch_slot(Keeper *k, int fd, uint32_t events, KeeperSource source, const Slot *s) {
        return watch(k, fd, events, slot_tag(k, s, source));
}

void keeper_unwatch(Keeper *k, int fd) {
        if (fd >= 0)
                (void) epoll_ctl(k->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
}

int keeper_unwatch_close(Keeper *k, int fd) {
        keeper_unwatch(k, fd);
        return fd_close(fd);
}

void keeper_set_timer(Keeper *k, KeeperTimer timer, usec_t in_usec) {
        k->due[timer] = usec_add(k->now_usec, in_usec);
}

void keeper_unset_timer(Keeper *k, KeeperTimer timer) {
        k->due[timer] = USEC_INFINITY;
}

void keeper_release_reserve(Keeper *k) {
        fd_close_many(k->reserve, ARRAY_SIZE(k->reserve));
}

void keeper_refill_reserve(Keeper *k) {
        for (size_t i = 0; i < ARRAY_SIZE(k->reserve); i++)
                if (k->reserve[i] < 0)
                        k->reserve[i] = fcntl(k->signal_fd, F_DUPFD_CLOEXEC, 3);
}

static void arm_timer(Keeper *k) {
        usec_t first = USEC_INFINITY;
        struct itimerspec spec = {};

        for (unsigned i = 0; i < _TIMER_MAX; i++)
                first = MIN(first, k->due[i]);
        if (first == k->armed_usec)
                return;
        if (first != USEC_INFINITY) {
                spec.it_value.tv_sec = (time_t) (first / USEC_PER_SEC);
                spec.it_value.tv_nsec = (long) (first % USEC_PER_SEC) * 1000 + 1; /* never 0: that would disarm */
        }
        if (timerfd_settime(k->timer_fd, TFD_TIMER_ABSTIME, &spec, NULL) == 0)
                k->armed_usec = first;
}

static void on_timer(Keeper *k, KeeperTimer timer, bool is_late) {
        switch (timer) {
        case TIMER_SCAN:
                reap_scan(k);
                break;
        case TIMER_DROVERD:
                lives_start_droverd(k);
                break;
        case TIMER_LOGGER:
                lives_start_logger(k);
                break;
        case TIMER_WATCHDOG:
                if (is_late)
                        keeper_set_timer(k, TIMER_WATCHDOG, k->ping_usec);
                else
                        lives_watchdog(k);
                break;
        case TIMER_SYSTEMD:
                notify_relay_send(&k->notify, "WATCHDOG=1");
                keeper_set_timer(k, TIMER_SYSTEMD, k->systemd_watchdog_usec / 2);
                break;
        case TIMER_ATTACH:
                logger_line_attach_again(k);
                break;
        case TIMER_PEER:
                lives_renew_peer_line(k);
                break;
        case TIMER_FREEZE:
                freeze_look(k);
                break;
        case TIMER_QUIT:
                lives_quit_step(k, true);
                break;
        case TIMER_DEFERRED:
                spare_look_at_deferred(k);
                break;
        case TIMER_CLAIMS:
                template_look_at_claims(k);
                break;
        default: /* TREES, LINES: waking up was all, see the end of the turn */
                break;
        }
}

static void run_timers(Keeper *k) {
        for (unsigned i = 0; i < _TIMER_MAX; i++) {
                usec_t due = k->due[i];

                if (due > k->now_usec)
                        continue;
                k->due[i] = USEC_INFINITY;
                on_timer(k, i, k->now_usec - due > LATE_USEC);
        }
}

static void on_signals(Keeper *k) {
        struct signalfd_siginfo info[16];
        ssize_t n = read(k->signal_fd, info, sizeof(info));

        for (ssize_t i = 0; i < n / (ssize_t) sizeof(info[0]); i++)
                switch (info[i].ssi_signo) {
                case SIGCHLD:
                        if (k->due[TIMER_SCAN] != USEC_INFINITY)
                                break;
                        k->scan_wanted_usec = k->now_usec;
                        k->n_deaths_since_scan_wanted = 0;
                        keeper_set_timer(k, TIMER_SCAN, k->tree.method == SPAWN_FORK ? 0 : SCAN_USEC);
                        break;
                case SIGHUP:
                        peer_link_due_tail(&k->to_droverd, NOTICE_RELOAD);
                        break;
                case SIGUSR1:
                        peer_link_due_tail(&k->to_logger, FEED_REOPEN);
                        break;
                default:
                        lives_shutdown(k);
                }
}

static void on_slot(Keeper *k, KeeperSource source, uint64_t tag) {
        Slot *s = &k->table->slots[(uint32_t) tag % KEEPER_SLOTS_MAX];

        if (s->state == KEEPER_SLOT_FREE || slot_tag(k, s, source) != tag)
                return;
        if (source == SOURCE_SLOT_DEATH) {
                reap_slot(k, s);
                reap_put_off_scan(k);
        } else if (source == SOURCE_SLOT_TEMPLATE)
                template_hear(k, s);
        else if (source == SOURCE_SLOT_OUTPUT)
                output_look(k, s);
        else if (source == SOURCE_SLOT_REPORT)
                launch_read_report(k, s);
        else
                launch_read_ready(k, s);
}

static void on_event(Keeper *k, const struct epoll_event *e) {
        KeeperSource source = (KeeperSource) (e->data.u64 >> 56);
        uint64_t expirations;

        switch (source) {
        case SOURCE_SIGNAL:
                on_signals(k);
                break;
        case SOURCE_TIMER:
                k->armed_usec = USEC_INFINITY;
                if (read(k->timer_fd, &expirations, sizeof(expirations)) < 0)
                        break;
                break;
        case SOURCE_DROVERD_LINE:
                if (e->events & EPOLLOUT)
                        k->to_droverd.is_blocked = false;
                if (e->events & ~(uint32_t) EPOLLOUT)
                        droverd_line_read(k, false);
                break;
        case SOURCE_LOGGER_LINE:
                if (e->events & EPOLLOUT)
                        k->to_logger.is_blocked = false;
                if (e->events & ~(uint32_t) EPOLLOUT)
                        logger_line_read(k);
                break;
        case SOURCE_DROVERD_DEATH:
                lives_reap_droverd(k);
                break;
        case SOURCE_LOGGER_DEATH:
                lives_reap_logger(k);
                break;
        default:
                on_slot(k, source, e->data.u64);
        }
}

static void flush_line(Keeper *k, PeerLink *line, uint32_t *events, KeeperSource source) {
        struct epoll_event e = {.events = EPOLLIN, .data.u64 = (uint64_t) source << 56};

        if (line->fd < 0)
                return;
        if (peer_link_flush(line) == -EAGAIN)
                keeper_set_timer(k, TIMER_LINES, LINES_RETRY_USEC);
        if (line->is_blocked)
                e.events |= EPOLLOUT;
        if (e.events != *events && epoll_ctl(k->epoll_fd, EPOLL_CTL_MOD, line->fd, &e) == 0)
                *events = e.events;
}

static void turn(Keeper *k) {
        struct epoll_event events[EVENTS_MAX];
        int n = epoll_wait(k->epoll_fd, events, EVENTS_MAX, cgroup_has_rubbish(&k->tree) ? 0 : -1);

        k->now_usec = clock_now();
        for (int i = 0; i < n; i++)
                on_event(k, &events[i]);
        run_timers(k);
        reap_endings(k);
        if (n == 0)
                cgroup_tidy(&k->tree);
        lives_quit_step(k, false);
        flush_line(k, &k->to_logger, &k->logger_events, SOURCE_LOGGER_LINE);
        spare_tell_births(k);
        flush_line(k, &k->to_droverd, &k->droverd_events, SOURCE_DROVERD_LINE);
        spare_claim(k);
        arm_timer(k);
}

int keeper_run(Keeper *k) {
        k->now_usec = clock_now();
        lives_start_logger(k);
        lives_start_droverd(k);
        keeper_set_timer(k, TIMER_LINES, 0); /* a first turn, for the greetings */
        if (k->systemd_watchdog_usec > 0)
                keeper_set_timer(k, TIMER_SYSTEMD, 0);
        arm_timer(k);
        while (k->quit != QUIT_DONE)
                turn(k);
        lives_sweep_rest(k);
        return k->exit_code;
}
