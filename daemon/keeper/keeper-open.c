/* keeper-open.c - what a keeper is made of when it starts: what it inherits, what the environment says, its sources, and that
 * nothing of it is left at its end. See keeper.h. */
#include "keeper/keeper.h"
#include "keeper/child-setup.h"
#include "link/logger-protocol.h"
#include "base/alloc.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/log.h"
#include "base/parse.h"
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define WATCHDOG_DEFAULT_USEC (120 * USEC_PER_SEC) /* without systemd: rare, since each ping is a wake-up of an idle machine */

/* Socket activation: the first descriptor becomes the kept "listen"; whatever else was open is closed. */
static void take_inherited(Keeper *k) {
        const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
        uint64_t n_pid = 0, n = 0;
        int fd;

        if (pid && count && parse_u64(pid, &n_pid) >= 0 && parse_u64(count, &n) >= 0 && n_pid == (uint64_t) getpid() &&
            n > 0) {
                fd = fcntl(3, F_DUPFD_CLOEXEC, 4);
                if (fd >= 0 && kept_put(k->kept, "listen", fd) < 0)
                        (void) fd_close(fd);
                if (n > 1)
                        log_warning("%llu sockets were passed; only the first is used", (unsigned long long) n);
        }
        fd = k->kept->top > 0 ? kept_fd(k->kept, 0) : -EBADF;
        if (fd > 3) {
                (void) close_range(3, (unsigned) fd - 1, 0);
                (void) close_range((unsigned) fd + 1, ~0u, 0);
                return;
        }
        (void) close_range(3, ~0u, 0);
}

static usec_t span_from_environment(const char *name) {
        const char *text = getenv(name);
        uint64_t v;

        return text && parse_u64(text, &v) >= 0 && v > 0 ? v : 0;
}

static void read_environment(Keeper *k) {
        const char *pid = getenv("WATCHDOG_PID");
        uint64_t n = 0;

        notify_relay_open(&k->notify, getenv("NOTIFY_SOCKET"));
        if (!pid || (parse_u64(pid, &n) >= 0 && n == (uint64_t) getpid()))
                k->systemd_watchdog_usec = span_from_environment("WATCHDOG_USEC");
        k->watchdog_usec = span_from_environment("DROVER_WATCHDOG_USEC");
        if (k->watchdog_usec == 0)
                k->watchdog_usec = k->systemd_watchdog_usec > 0 ? k->systemd_watchdog_usec : WATCHDOG_DEFAULT_USEC;
        k->ping_usec = k->watchdog_usec / 2;
}

static bool is_protected_from_oom(void) {
        _cleanup_fd_ int fd = open("/proc/self/oom_score_adj", O_RDONLY | O_CLOEXEC);
        char c = 0;

        return fd >= 0 && read(fd, &c, 1) == 1 && c == '-';
}

static int open_scratch(Keeper *k) {
        k->scratch_fd = memfd_new("drover-scratch");
        if (k->scratch_fd < 0)
                return k->scratch_fd;
        if (ftruncate(k->scratch_fd, LOGGER_SCRATCH_BYTES) < 0 ||
            fcntl(k->scratch_fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
                return -errno;
        return 0;
}

static int open_sources(Keeper *k) {
        sigset_t heard, all;

        (void) sigfillset(&all);
        (void) sigemptyset(&heard);
        (void) sigaddset(&heard, SIGTERM);
        (void) sigaddset(&heard, SIGINT);
        (void) sigaddset(&heard, SIGHUP);
        (void) sigaddset(&heard, SIGUSR1);
        (void) sigaddset(&heard, SIGCHLD);
        if (sigprocmask(SIG_SETMASK, &all, NULL) < 0)
                return -errno;
        k->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
        k->signal_fd = signalfd(-1, &heard, SFD_CLOEXEC | SFD_NONBLOCK);
        k->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
        if (k->epoll_fd < 0 || k->signal_fd < 0 || k->timer_fd < 0)
                return -errno;
        if (keeper_watch(k, k->signal_fd, EPOLLIN, SOURCE_SIGNAL) < 0)
                return -errno;
        return keeper_watch(k, k->timer_fd, EPOLLIN, SOURCE_TIMER);
}

static int open_programs(Keeper *k, const KeeperOptions *o) {
        static char *logger_argv[] = {(char *) "drover-logger", NULL};
        char **env = program_environment(o->env);

        if (!env)
                return -ENOMEM;
        k->droverd = (Program) {
                .name = "droverd", .path = o->droverd, .argv = o->droverd_argv, .env = env,
                .n_fds_soft = k->n_fds_soft, .is_wanted = true, .pidfd = -EBADF,
        };
        k->logger = (Program) {
                .name = "drover-logger", .path = o->logger, .argv = logger_argv, .env = env,
                .n_fds_soft = k->n_fds_soft, .is_wanted = true, .pidfd = -EBADF,
        };
        return 0;
}

static void keeper_init(Keeper *k) {
        *k = (Keeper) {
                .epoll_fd = -EBADF, .signal_fd = -EBADF, .timer_fd = -EBADF, .scratch_fd = -EBADF,
                .peer_fds = {-EBADF, -EBADF}, .armed_usec = USEC_INFINITY, .started_usec = clock_realtime(),
                .to_droverd = {.fd = -EBADF}, .to_logger = {.fd = -EBADF}, .notify = {.fd = -EBADF}, .quiet_fd = -EBADF,
                .quiet_peer_fd = -EBADF,
                .tree = {.base_fd = -EBADF, .own_fd = -EBADF},
        };
        for (unsigned i = 0; i < _TIMER_MAX; i++)
                k->due[i] = USEC_INFINITY;
        for (size_t i = 0; i < ARRAY_SIZE(k->reserve); i++)
                k->reserve[i] = -EBADF;
}

int keeper_open(Keeper *k, const KeeperOptions *o) {
        int r;

        keeper_init(k);
        r = kept_table_new(&k->kept);
        if (r < 0)
                return r;
        take_inherited(k);
        read_environment(k);
        r = fd_raise_limit(&k->n_fds_soft, NULL);
        if (r < 0)
                return r;
        /* Nobody may trace the one who holds everybody's ends, and what dies below us comes back to us. */
        if (prctl(PR_SET_DUMPABLE, 0) < 0 || prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
                return -errno;
        k->reset_oom_score = is_protected_from_oom();
        signals_reset();
        r = open_sources(k);
        if (r >= 0)
                r = slot_table_new(&k->table);
        if (r >= 0)
                r = peer_link_init(&k->to_droverd, &droverd_line_hooks, k);
        if (r >= 0)
                r = peer_link_init(&k->to_logger, &logger_line_hooks, k);
        if (r >= 0)
                r = open_scratch(k);
        if (r >= 0)
                r = open_programs(k, o);
        if (r < 0)
                return r;
        tree_open(&k->tree, k->table);
        oom_watch_open(&k->oom);
        means_probe(&k->means, &k->tree);
        keeper_refill_reserve(k);
        return 0;
}

void keeper_close(Keeper *k) {
        tree_close(&k->tree);
        peer_link_done(&k->to_droverd);
        peer_link_done(&k->to_logger);
        notify_relay_done(&k->notify);
        keeper_release_reserve(k);
        k->table = slot_table_free(k->table);
        fd_close_many(k->peer_fds, 2);
        quiet_line_close(k);
        k->kept = kept_table_free(k->kept);
        k->scratch_fd = fd_close(k->scratch_fd);
        k->timer_fd = fd_close(k->timer_fd);
        k->signal_fd = fd_close(k->signal_fd);
        k->epoll_fd = fd_close(k->epoll_fd);
        if (k->droverd.env) {
                for (char **v = k->droverd.env; *v; v++)
                        if (!v[1])
                                free(*v);
                free(k->droverd.env);
        }
}
