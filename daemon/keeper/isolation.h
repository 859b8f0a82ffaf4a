/* isolation.h - a new process's own view of the file system, by a mount namespace. Safe between fork and exec.
 *
 * Needs CAP_SYS_ADMIN, so it comes before identity is given up. The namespace is a slave of the machine's: what is
 * mounted there later appears here too, and nothing goes the other way. */
#ifndef DROVER_KEEPER_ISOLATION_H
#define DROVER_KEEPER_ISOLATION_H

#include "link/launch-request.h"

/**
 * isolation_mount() - private /tmp and /var/tmp, read-only, read-write and inaccessible paths as @s says
 *
 * Deeper paths win over those above them. Paths below /tmp and /var/tmp that are listed are carried over into the
 * private ones. An inaccessible path that does not exist needs no hiding; any other that is missing is an error.
 *
 * Return: 0; -errno with LAUNCH_NAMESPACE or LAUNCH_MOUNT in *ret_stage and which path in *ret_detail.
 */
int isolation_mount(const LaunchSpec *s, LaunchStage *ret_stage, int *ret_detail);
/** isolation_try() - the same steps with a private /tmp alone, in a process that ends afterwards. */
int isolation_try(void);

/* One listed path; for both ways of isolation. */
typedef struct IsolatedPath {
        const char *path;
        LaunchPathKind kind;
        int detail; /* kind << 16 | index */
        int fd;     /* of what lies below a directory that is about to be covered, or -EBADF */
} IsolatedPath;

#define ISOLATED_PATHS_MAX (LAUNCH_PATHS_MAX + 3)

/** isolation_list() - all paths of @s, shorter ones first; how many. Where all of "/" is read-only, /dev, /proc and /sys are
 *  not: devices are written to, and the other two are the kernel's own to guard. */
size_t isolation_list(const LaunchSpec *s, IsolatedPath out[static ISOLATED_PATHS_MAX]);
/** isolation_is_below() - is @path @above, or below it? Textually. */
bool isolation_is_below(const char *path, const char *above);

#endif
