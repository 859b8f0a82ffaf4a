/* spawn.c - the ladder clone3, clone, fork.
 *
 * clone3 has two traps (both measured): under RestrictNamespaces= and in many containers it does not exist
 * (ENOSYS, sometimes EPERM), and a parent that sits in a cgroup once killed by cgroup.kill gets children that are
 * born dead. The second is found by the trial at start (tree_open), the first here. */
#include "keeper/spawn.h"
#include "base/fd.h"
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

const char *spawn_method_to_string(SpawnMethod m) {
        static const char *const names[_SPAWN_METHOD_MAX] = {
                [SPAWN_INTO_CGROUP] = "clone3 into the cgroup",
                [SPAWN_CLONE] = "clone with a pidfd",
                [SPAWN_FORK] = "fork",
        };

        return (unsigned) m < ARRAY_SIZE(names) ? names[m] : "unknown";
}

static pid_t spawn_into_cgroup(int cgroup_fd, int *ret_pidfd) {
        struct clone_args args = {
                .flags = CLONE_PIDFD | CLONE_INTO_CGROUP,
                .pidfd = (uintptr_t) ret_pidfd,
                .exit_signal = SIGCHLD,
                .cgroup = (uint64_t) cgroup_fd,
        };
        long r = syscall(SYS_clone3, &args, sizeof(args));

        return r < 0 ? -errno : (pid_t) r;
}

static pid_t spawn_clone(int *ret_pidfd) {
        long r;

#if defined(__s390__) || defined(__CRIS__)
        r = syscall(SYS_clone, NULL, CLONE_PIDFD | SIGCHLD, ret_pidfd, NULL, NULL);
#else
        r = syscall(SYS_clone, CLONE_PIDFD | SIGCHLD, NULL, ret_pidfd, NULL, NULL);
#endif
        return r < 0 ? -errno : (pid_t) r;
}

static pid_t spawn_fork(int *ret_pidfd) {
        pid_t pid = fork();

        if (pid < 0)
                return -errno;
        if (pid > 0)
                *ret_pidfd = (int) syscall(SYS_pidfd_open, pid, 0); /* -1: SIGCHLD tells */
        return pid;
}

/* Errors that say "not in this way" rather than "not now". */
static bool is_refused_as_such(int error) {
        return error == -ENOSYS || error == -EINVAL || error == -EPERM || error == -EACCES || error == -EOPNOTSUPP ||
                error == -E2BIG || error == -EBADF;
}

pid_t spawn(SpawnMethod *method, int cgroup_fd, int *ret_pidfd, bool *ret_inside) {
        for (SpawnMethod m = cgroup_fd < 0 && *method == SPAWN_INTO_CGROUP ? SPAWN_CLONE : *method;; m++) {
                int pidfd = -EBADF;
                pid_t pid = m == SPAWN_INTO_CGROUP ? spawn_into_cgroup(cgroup_fd, &pidfd)
                        : m == SPAWN_CLONE ? spawn_clone(&pidfd) : spawn_fork(&pidfd);

                if (pid < 0 && is_refused_as_such(pid) && m != SPAWN_FORK) {
                        if (m == *method)
                                *method = m + 1;
                        continue;
                }
                if (pid == 0)
                        *ret_inside = m == SPAWN_INTO_CGROUP;
                else if (pid > 0)
                        *ret_pidfd = pidfd < 0 ? -EBADF : pidfd;
                return pid;
        }
}

int cgroup_enter(int cgroup_fd) {
        _cleanup_fd_ int fd = openat(cgroup_fd, "cgroup.procs", O_WRONLY | O_CLOEXEC);

        if (fd < 0 || write(fd, "0", 1) != 1)
                return -errno;
        return 0;
}
