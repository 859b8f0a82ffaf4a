/* child-setup.c - between fork and foreign code. See child-setup.h.
 *
 * The order matters: what needs privilege comes before identity is given up (limits, nice, oom score, mounts), what must
 * be checked as the new user comes after it (directory, stdio). The soft limit of descriptors comes last: the new
 * process still holds copies of all the keeper's, and could open nothing below a small limit. */
#include "keeper/child-setup.h"
#include "keeper/privilege.h"
#include "keeper/isolation.h"
#include "keeper/landlock.h"
#include "keeper/spawn.h"
#include "base/fd.h"
#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define N_SIGNALS 64

/* The kernel's own struct: libc refuses to touch 32 and 33. Same layout on all Linux machines but mips. */
typedef struct KernelSigaction {
        void *handler;
        unsigned long flags;
        void *restorer;
        uint64_t mask;
} KernelSigaction;

void signals_reset(void) {
        static const KernelSigaction by_default = {};

        for (int sig = 1; sig <= N_SIGNALS; sig++)
                if (sig != SIGKILL && sig != SIGSTOP)
                        (void) syscall(SYS_rt_sigaction, sig, &by_default, NULL, sizeof(uint64_t));
}

void signals_unblock(void) {
        uint64_t none = 0;

        (void) syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, NULL, sizeof(none));
}

_noreturn_ static void fail(int report_fd, LaunchStage stage, int error, int detail) {
        ChildReport report = {.stage = stage, .error = -error, .detail = detail};

        (void) send(report_fd, &report, sizeof(report), MSG_NOSIGNAL);
        _exit(126);
}

static int load_request(int fd, LaunchSpec *ret) {
        size_t arena_size;
        void *data, *arena;
        struct stat st;

        if (fstat(fd, &st) < 0)
                return -errno;
        if (st.st_size <= 0 || st.st_size > LAUNCH_REQUEST_MAX)
                return -EBADMSG;
        data = mmap(NULL, (size_t) st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (data == MAP_FAILED)
                return -errno;
        /* A pointer for each byte is the most that its strings can need; only what is used takes memory. */
        arena_size = (size_t) st.st_size * (sizeof(char *) + 1) + 16384;
        arena = mmap(NULL, arena_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (arena == MAP_FAILED)
                return -errno;
        return launch_request_unpack(data, (size_t) st.st_size, arena, arena_size, ret);
}

/* What the environment can only say here: its own number. Also no snprintf: it may allocate. */
void child_fill_pids(const LaunchSpec *s, pid_t pid) {
        static const char *const names[] = {"LISTEN_PID=", "WATCHDOG_PID="};
        static char texts[ARRAY_SIZE(names)][32];

        for (size_t k = 0; k < ARRAY_SIZE(names); k++) {
                char digits[16], *p = digits + sizeof(digits) - 1, *end = stpcpy(texts[k], names[k]);

                *p = '\0';
                for (pid_t n = pid; n > 0; n /= 10)
                        *--p = (char) ('0' + n % 10);
                (void) stpcpy(end, p);
                for (char **e = s->env; *e; e++)
                        if (streq(*e, names[k]))
                                *e = texts[k];
        }
}

/* No instruction of foreign code runs in a process that is in nobody's table. */
static void wait_for_go(const ChildPlan *plan) {
        char go;
        ssize_t n;

        do
                n = recv(plan->report_fd, &go, 1, 0);
        while (n < 0 && errno == EINTR);
        if (n != 1)
                _exit(126);
}

static int write_oom_score(int score) {
        char text[16], *p = text + sizeof(text);
        unsigned n = (unsigned) (score < 0 ? -score : score);
        _cleanup_fd_ int fd = -EBADF;
        ssize_t k;

        do
                *--p = (char) ('0' + n % 10);
        while ((n /= 10) > 0);
        if (score < 0)
                *--p = '-';
        /* /proc/self belongs to root while the keeper's "not dumpable" is inherited. exec sets it anew. */
        (void) prctl(PR_SET_DUMPABLE, 1);
        fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
        k = fd < 0 ? -1 : write(fd, p, (size_t) (text + sizeof(text) - p));
        k = k < 0 ? -errno : 0;
        (void) prctl(PR_SET_DUMPABLE, 0);
        return (int) k;
}

/* Needs privilege to raise a hard limit, so it comes before identity. Descriptors: only the hard part if it must
 * go up; see child_apply_last_limit(). */
int child_apply_limits(const LaunchSpec *s, int *ret_detail) {
        for (size_t i = 0; i < s->n_limits; i++) {
                const LaunchLimit *l = &s->limits[i];
                struct rlimit now, value = l->value;

                if (l->resource == RLIMIT_NOFILE) {
                        if (getrlimit(RLIMIT_NOFILE, &now) < 0)
                                return -errno;
                        if (value.rlim_max <= now.rlim_max)
                                continue;
                        value.rlim_cur = now.rlim_cur;
                }
                *ret_detail = l->resource;
                if (setrlimit((__rlimit_resource_t) l->resource, &value) < 0)
                        return -errno;
        }
        return 0;
}

int child_apply_last_limit(const LaunchSpec *s, uint64_t n_fds_soft) {
        struct rlimit value;

        if (getrlimit(RLIMIT_NOFILE, &value) < 0)
                return -errno;
        value.rlim_cur = MIN((rlim_t) n_fds_soft, value.rlim_max);
        for (size_t i = 0; i < s->n_limits; i++)
                if (s->limits[i].resource == RLIMIT_NOFILE)
                        value = s->limits[i].value;
        return setrlimit(RLIMIT_NOFILE, &value) < 0 ? -errno : 0;
}

/* Given up for good? Whoever can take it back has not given it up. */
static int check_identity(const LaunchSpec *s) {
        if (getuid() != s->uid || geteuid() != s->uid || getgid() != s->gid || getegid() != s->gid)
                return -EPERM;
        if (s->uid != 0 && (setuid(0) == 0 || seteuid(0) == 0))
                return -EPERM;
        if (s->uid != 0 && s->gid != 0 && (setgid(0) == 0 || setegid(0) == 0))
                return -EPERM;
        return 0;
}

static void take_identity(const LaunchSpec *s, int report_fd) {
        int r;

        /* An ordinary user's keeper can only be asked for what it is already. */
        if (geteuid() != 0 && s->uid == geteuid() && s->gid == getegid())
                return;
        if (setgroups(s->n_groups, s->groups) < 0)
                fail(report_fd, LAUNCH_GROUPS, -errno, 0);
        if (setresgid(s->gid, s->gid, s->gid) < 0)
                fail(report_fd, LAUNCH_GID, -errno, (int) s->gid);
        if (setresuid(s->uid, s->uid, s->uid) < 0)
                fail(report_fd, LAUNCH_UID, -errno, (int) s->uid);
        r = check_identity(s);
        if (r < 0)
                fail(report_fd, LAUNCH_UID, r, (int) s->uid);
}

/* What may never be had again goes while we still may say so. The rest goes with the identity, but for what is to be
 * kept over it. */
static void limit_capabilities(const LaunchSpec *s, int report_fd) {
        int r = s->set_capabilities ? privilege_drop_bounding(s->capabilities) : 0;

        if (r < 0 && r != -EPERM) /* without CAP_SETPCAP: a weakened promise, said elsewhere */
                fail(report_fd, LAUNCH_CAPABILITIES, r, 0);
        if (s->set_capabilities && s->capabilities && prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
                fail(report_fd, LAUNCH_CAPABILITIES, -errno, 0);
}

static void take_capabilities(const LaunchSpec *s, int report_fd) {
        bool is_other_user = s->set_identity && s->uid != 0;
        int r = 0;

        if (s->set_capabilities && s->capabilities)
                r = privilege_set(s->capabilities, is_other_user);
        else if (is_other_user || s->set_capabilities)
                r = privilege_set(0, false);
        if (r < 0)
                fail(report_fd, LAUNCH_CAPABILITIES, r, 0);
}

/* Returns the Landlock ruleset that is still to be enforced, or -EBADF. */
static int apply_isolation(const LaunchSpec *s, int report_fd) {
        LaunchStage stage = LAUNCH_LANDLOCK;
        int detail = 0, fd = -EBADF, r = 0;

        if (s->isolation == LAUNCH_ISOLATION_MOUNT)
                r = isolation_mount(s, &stage, &detail);
        else if (s->isolation == LAUNCH_ISOLATION_LANDLOCK)
                r = landlock_prepare(s, &fd, &detail);
        if (r < 0)
                fail(report_fd, stage, r, detail);
        return fd;
}

static void apply_privileges(const LaunchSpec *s, int report_fd) {
        int ruleset = apply_isolation(s, report_fd), r;

        limit_capabilities(s, report_fd);
        if (s->set_identity)
                take_identity(s, report_fd);
        take_capabilities(s, report_fd);
        if (s->no_new_privs && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
                fail(report_fd, LAUNCH_NO_NEW_PRIVS, -errno, 0);
        r = ruleset >= 0 ? landlock_enforce(ruleset) : 0;
        if (r < 0)
                fail(report_fd, LAUNCH_LANDLOCK, r, -1);
        (void) fd_close(ruleset);
}

/* @path NULL: /dev/null. */
static int open_stdio(const char *path, int number) {
        /* O_NONBLOCK: a FIFO without its other end must not stop us here (for writing it is ENXIO). */
        int flags = O_CLOEXEC | O_NOCTTY | O_NONBLOCK | (number == 0 ? O_RDONLY : O_WRONLY | O_CREAT | O_APPEND);
        int fd, r;

        if (!path)
                fd = open("/dev/null", O_CLOEXEC | (number == 0 ? O_RDONLY : O_WRONLY));
        else
                fd = open(path, flags, 0666);
        if (fd < 0 || !path)
                return fd < 0 ? -errno : fd;
        r = fd_set_nonblock(fd, false);
        if (r < 0) {
                (void) fd_close(fd);
                return r;
        }
        return fd;
}

static int place_stdio(const LaunchSpec *s, const ChildPlan *plan, int *ret_detail) {
        for (int i = 0; i < 3; i++) {
                const char *path = s->stdio_path[i];
                int fd = plan->stdio[i];

                *ret_detail = i;
                if (path && i == 2 && s->stdio_path[1] && streq(path, s->stdio_path[1]))
                        fd = 1;
                else if (path || fd < 0)
                        fd = open_stdio(path, i);
                if (fd < 0)
                        return fd;
                /* The same number already: only close-on-exec is to go. */
                if (fd == i ? fd_set_cloexec(fd, false) < 0 : dup2(fd, i) < 0)
                        return -errno;
        }
        return 0;
}

/* To numbers above every target, so that no dup2() below hits a source still needed. */
static int lift(int fd, int above) {
        int lifted = fcntl(fd, F_DUPFD_CLOEXEC, above);

        return lifted < 0 ? -errno : lifted;
}

int child_place_descriptors(const LaunchSpec *s, const ChildPlan *plan, int *report_fd, int *ret_detail) {
        int sources[LAUNCH_FDS_MAX], ready = -EBADF, template = -EBADF, report, above = MAX(s->ready_fd, s->template_fd);

        *ret_detail = -1;
        if (close_range(3, ~0u, CLOSE_RANGE_CLOEXEC) < 0 && errno != ENOSYS && errno != EINVAL)
                return -errno;
        for (size_t i = 0; i < s->n_fds; i++)
                above = MAX(above, s->fd_targets[i]);
        if (above <= 0 && s->n_fds == 0)
                return 0;
        *ret_detail = above;
        report = lift(*report_fd, above + 1);
        if (report < 0)
                return report;
        *report_fd = report;
        for (size_t i = 0; i < s->n_fds; i++) {
                sources[i] = lift(plan->extra_fds[i], above + 1);
                if (sources[i] < 0)
                        return sources[i];
        }
        if (s->ready_fd >= 0) {
                ready = lift(plan->ready_fd, above + 1);
                if (ready < 0)
                        return ready;
        }
        if (s->template_fd > 0) {
                template = lift(plan->template_fd, above + 1);
                if (template < 0)
                        return template;
        }
        for (size_t i = 0; i < s->n_fds; i++) {
                *ret_detail = s->fd_targets[i];
                if (dup2(sources[i], s->fd_targets[i]) < 0)
                        return -errno;
        }
        *ret_detail = s->template_fd;
        if (s->template_fd > 0 && dup2(template, s->template_fd) < 0)
                return -errno;
        *ret_detail = s->ready_fd;
        return s->ready_fd >= 0 && dup2(ready, s->ready_fd) < 0 ? -errno : 0;
}

/* As execvp() does over $PATH: an unusable candidate gives way to the next, and what is said in the end is
 * "denied" rather than "no such file" when anything was there. */
_noreturn_ static void exec_candidates(const LaunchSpec *s, int report_fd) {
        int error = ENOENT, detail = 0;

        for (int i = 0; s->candidates[i]; i++) {
                (void) execve(s->candidates[i], s->argv, s->env);
                if (errno != ENOENT && errno != ENOTDIR && errno != EACCES)
                        fail(report_fd, LAUNCH_EXEC, -errno, i);
                if (errno == EACCES && error != EACCES) {
                        error = EACCES;
                        detail = i;
                }
        }
        fail(report_fd, LAUNCH_EXEC, -error, detail);
}

static void apply_scheduling(const LaunchSpec *s, const ChildPlan *plan) {
        int r, detail = 0;

        if (s->has_oom_score_adj || plan->reset_oom_score) {
                r = write_oom_score(s->has_oom_score_adj ? s->oom_score_adj : 0);
                if (r < 0)
                        fail(plan->report_fd, LAUNCH_OOM_SCORE, r, s->oom_score_adj);
        }
        if (s->has_nice && setpriority(PRIO_PROCESS, 0, s->nice) < 0)
                fail(plan->report_fd, LAUNCH_NICE, -errno, s->nice);
        if (s->has_affinity && sched_setaffinity(0, sizeof(s->affinity), &s->affinity) < 0)
                fail(plan->report_fd, LAUNCH_AFFINITY, -errno, 0);
        r = child_apply_limits(s, &detail);
        if (r < 0)
                fail(plan->report_fd, LAUNCH_LIMIT, r, detail);
}

static void apply_files(const LaunchSpec *s, const ChildPlan *plan, int *report_fd) {
        int r, detail = 0;

        (void) umask(s->umask);
        if (chdir(s->directory ? s->directory : "/") < 0)
                fail(*report_fd, LAUNCH_DIRECTORY, -errno, 0);
        r = place_stdio(s, plan, &detail);
        if (r < 0)
                fail(*report_fd, LAUNCH_STDIO, r, detail);
        r = child_place_descriptors(s, plan, report_fd, &detail);
        if (r < 0)
                fail(*report_fd, LAUNCH_DESCRIPTOR, r, detail);
}

void child_setup(const ChildPlan *plan) {
        static const ChildReport done = {.stage = CHILD_REPORT_EXEC};
        int report_fd = plan->report_fd, r;
        LaunchSpec s;

        (void) fd_close(plan->keeper_end_fd);
        r = plan->cgroup_fd < 0 || plan->is_inside ? 0 : cgroup_enter(plan->cgroup_fd);
        if (r < 0)
                fail(report_fd, LAUNCH_CGROUP, r, 0);
        r = load_request(plan->request_fd, &s);
        if (r >= 0 && (s.n_fds != plan->n_extra || (s.ready_fd >= 0) != (plan->ready_fd >= 0) ||
                       (s.template_fd > 0) != (plan->template_fd >= 0)))
                r = -EBADMSG;
        if (r < 0)
                fail(report_fd, LAUNCH_REQUEST, r, 0);
        child_fill_pids(&s, getpid());
        wait_for_go(plan);
        if (setsid() < 0)
                fail(report_fd, LAUNCH_SESSION, -errno, 0);
        /* Dispositions are the defaults already: the keeper reset its own at its start and never changes one. */
        apply_scheduling(&s, plan);
        apply_privileges(&s, report_fd);
        apply_files(&s, plan, &report_fd);
        r = child_apply_last_limit(&s, plan->n_fds_soft);
        if (r < 0)
                fail(report_fd, LAUNCH_LIMIT, r, RLIMIT_NOFILE);
        (void) send(report_fd, &done, sizeof(done), MSG_NOSIGNAL);
        signals_unblock();
        exec_candidates(&s, report_fd);
}
