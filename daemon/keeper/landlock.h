/* landlock.h - paths made read-only or inaccessible by Landlock, where there is no mount namespace to be had. Safe
 * between fork and exec.
 *
 * Landlock only ever grants. So everything is granted but the listed paths: a directory with a restricted path below it is
 * opened entry by entry. What is made directly in such a directory later is therefore restricted too, and one above an
 * inaccessible path cannot be listed. No program gains privileges afterwards: it implies no_new_privileges. */
#ifndef DROVER_KEEPER_LANDLOCK_H
#define DROVER_KEEPER_LANDLOCK_H

#include "link/launch-request.h"

/** landlock_abi() - its version, or -errno. */
int landlock_abi(void);
/**
 * landlock_prepare() - the ruleset of @s, while paths can still be looked up with all privileges
 * *ret_fd: close-on-exec. Return: 0; -errno with the path in *ret_detail (-1: the ruleset itself);
 * -E2BIG when a directory on the way has more than LANDLOCK_ENTRIES_MAX entries.
 */
int landlock_prepare(const LaunchSpec *s, int *ret_fd, int *ret_detail);
/** landlock_enforce() - for the calling process from now on. After no_new_privileges. */
int landlock_enforce(int ruleset_fd);

#define LANDLOCK_ENTRIES_MAX 4096u

#endif
