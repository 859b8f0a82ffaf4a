/* spawn.h - make a process: the ladder of system calls from best to plainest. */
#ifndef DROVER_KEEPER_SPAWN_H
#define DROVER_KEEPER_SPAWN_H

#include "base/macro.h"
#include <sys/types.h>

typedef enum SpawnMethod {
        SPAWN_INTO_CGROUP, /* clone3(CLONE_PIDFD | CLONE_INTO_CGROUP): born in its leaf. Linux 5.7 */
        SPAWN_CLONE,       /* clone(CLONE_PIDFD); the child moves itself. Also where seccomp hides clone3. Linux 5.2 */
        SPAWN_FORK,        /* fork, then pidfd_open if there is one */
        _SPAWN_METHOD_MAX,
} SpawnMethod;

const char *spawn_method_to_string(SpawnMethod m);

/**
 * spawn() - fork semantics: returns twice
 * @method:     in/out: the best one that may work; lowered for good when the kernel refuses it as such
 * @cgroup_fd:  a cgroup v2 directory (O_PATH will do), or -1
 * @ret_pidfd:  parent only: close-on-exec, -EBADF where the kernel has none
 * @ret_inside: child only: it is in the cgroup already
 *
 * The child runs in a copy made by the bare system call: only async-signal-safe calls there.
 * Return: 0 in the child, the pid in the parent, -errno (no process).
 */
pid_t spawn(SpawnMethod *method, int cgroup_fd, int *ret_pidfd, bool *ret_inside);

/** cgroup_enter() - move the calling process into the cgroup of this directory. */
int cgroup_enter(int cgroup_fd);

#endif
