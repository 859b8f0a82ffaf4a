/* means.c - try what is not certain to be there. Versions of the kernel are never asked: distributions backport,
 * containers forbid. */
#include "keeper/means.h"
#include "keeper/privilege.h"
#include "keeper/isolation.h"
#include "keeper/landlock.h"
#include "keeper/oom.h"
#include "keeper/spawn.h"
#include "base/fd.h"
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* The whole way of a worker with a private /tmp, in a process of its own. */
static int try_mount_namespace(void) {
        SpawnMethod method = SPAWN_CLONE;
        _cleanup_fd_ int pidfd = -EBADF;
        bool inside = false;
        int status = 0;
        pid_t pid = spawn(&method, -1, &pidfd, &inside);

        if (pid < 0)
                return pid;
        if (pid == 0)
                _exit(-isolation_try());
        while (waitpid(pid, &status, __WALL) < 0 && errno == EINTR)
                ;
        return WIFEXITED(status) ? -WEXITSTATUS(status) : -EPERM; /* killed: by a seccomp filter */
}

static bool has_pidfd_open(void) {
        _cleanup_fd_ int fd = (int) syscall(SYS_pidfd_open, getpid(), 0);

        return fd >= 0;
}

static bool has_cgroup_kill(const Tree *t) {
        return t->base_fd >= 0 && faccessat(t->base_fd, "cgroup.kill", W_OK, 0) == 0;
}

static bool has_capability(int cap) {
        return privilege_effective() & UINT64_C(1) << cap;
}

void means_probe(Means *m, const Tree *t) {
        int r = try_mount_namespace(), abi = landlock_abi();
        OomWatch oom;

        oom_watch_open(&oom);
        *m = (Means) {.landlock_abi = abi > 0 ? (uint32_t) abi : 0};
        m->bits |= t->method != SPAWN_FORK || has_pidfd_open() ? KEEPER_CAN_PIDFD : 0;
        m->bits |= t->base_fd >= 0 && t->method == SPAWN_INTO_CGROUP ? KEEPER_CAN_CLONE_INTO : 0;
        m->bits |= has_cgroup_kill(t) ? KEEPER_CAN_CGROUP_KILL : 0;
        m->bits |= r >= 0 ? KEEPER_CAN_MOUNT : 0;
        m->bits |= has_capability(CAP_SETPCAP) ? KEEPER_CAN_SETPCAP : 0;
        m->bits |= has_capability(CAP_SETUID) ? KEEPER_CAN_SETUID : 0;
        m->bits |= oom.is_there ? KEEPER_CAN_MACHINE_OOM : 0;
        if (r < 0)
                (void) snprintf(m->mount_reason, sizeof(m->mount_reason), "%s", strerror(-r));
}
