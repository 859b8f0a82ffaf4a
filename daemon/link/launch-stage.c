/* launch-stage.c - names of the stages of a launch, as they travel in errors and events. Pure. */
#include "link/launch-request.h"

static const char *const names[_LAUNCH_STAGE_MAX] = {
        [LAUNCH_FORK] = "fork",
        [LAUNCH_CGROUP] = "cgroup",
        [LAUNCH_PIPE] = "pipe",
        [LAUNCH_REQUEST] = "request",
        [LAUNCH_SESSION] = "session",
        [LAUNCH_SIGNALS] = "signals",
        [LAUNCH_OOM_SCORE] = "oom-score",
        [LAUNCH_NICE] = "nice",
        [LAUNCH_AFFINITY] = "affinity",
        [LAUNCH_LIMIT] = "limit",
        [LAUNCH_NAMESPACE] = "namespace",
        [LAUNCH_MOUNT] = "mount",
        [LAUNCH_GROUPS] = "groups",
        [LAUNCH_GID] = "gid",
        [LAUNCH_UID] = "uid",
        [LAUNCH_CAPABILITIES] = "capabilities",
        [LAUNCH_NO_NEW_PRIVS] = "no-new-privileges",
        [LAUNCH_LANDLOCK] = "landlock",
        [LAUNCH_UMASK] = "umask",
        [LAUNCH_DIRECTORY] = "directory",
        [LAUNCH_STDIO] = "stdio",
        [LAUNCH_DESCRIPTOR] = "descriptor",
        [LAUNCH_EXEC] = "exec",
        [LAUNCH_KILLED] = "killed",
        [LAUNCH_LISTEN] = "listen",
        [LAUNCH_TEMPLATE] = "template",
};

int launch_stage_from_string(const char *s) {
        for (int i = 0; i < _LAUNCH_STAGE_MAX; i++)
                if (streq(s, names[i]))
                        return i;
        return -EINVAL;
}

const char *launch_stage_to_string(LaunchStage s) {
        return (unsigned) s < ARRAY_SIZE(names) ? names[s] : "unknown";
}
