/* bounds.h - what a worker may use, see and do: from its pool's keys to the keeper's means.
 *
 * What this machine cannot give is left out of a launch and said: by bounds_shortfalls() for a pool, by promise.h for the
 * whole. A worker is started all the same, since a supervisor that refuses to start what ran yesterday, on a kernel
 * that lost a feature, does more harm than a weaker wall does. */
#ifndef DROVER_POOL_BOUNDS_H
#define DROVER_POOL_BOUNDS_H

#include "config/config.h"
#include "process/child.h"

#define BOUNDS_OWN_MAX 6

/* The lists that a LaunchSpec borrows. */
typedef struct BoundsPaths {
        char *read_write[LAUNCH_PATHS_MAX + 1];
        char *own[BOUNDS_OWN_MAX]; /* of these, what is ours to free */
        size_t n_read_write, n_own;
} BoundsPaths;

void bounds_paths_done(BoundsPaths *p);
/**
 * bounds_fill() - capabilities, isolation, cgroup values and stdio paths of a launch
 * @hello: what the keeper could do when it tried; @notify_socket: NULL, or what the worker must reach
 * @room: borrowed by @spec from now on. -ENOMEM; -E2BIG for more than LAUNCH_PATHS_MAX paths.
 */
int bounds_fill(LaunchSpec *spec, const PoolConfig *c, const KeeperMessage *hello, const char *notify_socket, BoundsPaths *room);
/** bounds_update() - a living process gets the limits and cgroup values of @to, as far as they are not those of @from. */
void bounds_update(Child *child, const PoolConfig *from, const PoolConfig *to);

/* One wish of a pool that is not, or not wholly, fulfilled here. */
typedef struct Shortfall {
        const char *key;       /* "cgroup.memory_max" */
        const char *mechanism; /* "none", "Landlock" */
        bool is_off;           /* nothing of it; else weakened */
        const char *why;       /* borrowed from @hello, or constant */
} Shortfall;
#define SHORTFALLS_MAX 12
size_t bounds_shortfalls(const PoolConfig *c, const KeeperMessage *hello, Shortfall out[static SHORTFALLS_MAX]);

#endif
