/* resolve.h - names of users and groups, and the number of CPUs: looked up here, before any fork.
 *
 * droverd's own account is remembered until resolve_forget() (each load of a configuration calls it), since every
 * `run` needs it. Everything else is asked from the system each time, but for the time of one load, in which many pools
 * may have the same user (resolve_remember). One thread. */
#ifndef DROVER_CONFIG_RESOLVE_H
#define DROVER_CONFIG_RESOLVE_H

#include "base/macro.h"
#include <sys/types.h>

#define RESOLVE_GROUPS_MAX 256 /* LAUNCH_GROUPS_MAX: what one launch carries */

typedef struct Account {
        uid_t uid;
        gid_t gid;
        char *name, *home, *shell;
} Account;

void account_done(Account *a);
#define _cleanup_account_ _cleanup_(account_done)

/**
 * resolve_user() - a user by name or decimal number
 * Strict, because a name that means two things has made services run as root: a name begins with a letter or '_', a
 * number is decimal without sign or leading zero, below 2^32-1, and belongs to an account.
 * Return: 0 with an owned *ret; -EINVAL (neither name nor number), -ESRCH (no such account), -ENOMEM, errors of NSS.
 */
int resolve_user(const char *text, Account *ret);
/** resolve_uid() - the account of a number; -ESRCH. */
int resolve_uid(uid_t uid, Account *ret);
/** resolve_own() - borrowed, until resolve_forget(); without an account "/" is home and the number the name. */
int resolve_own(uid_t uid, const Account **ret);
void resolve_forget(void);
/** resolve_remember() - forget all named accounts; when @on, remember those found from now on. */
void resolve_remember(bool on);

/** resolve_group() - as resolve_user(), for groups. */
int resolve_group(const char *text, gid_t *ret);
/**
 * resolve_groups() - the supplementary groups of an account, sorted, @gid among them; *ret is the caller's
 * Return: 0; -E2BIG beyond RESOLVE_GROUPS_MAX; -ENOMEM.
 */
int resolve_groups(const char *user, gid_t gid, gid_t **ret, size_t *ret_n);
/** resolve_sort_groups() - in place, doubles removed; the new number. */
size_t resolve_sort_groups(gid_t *groups, size_t n);

/**
 * resolve_cpus() - CPUs this process may really use, at least 1
 * The smaller of the affinity mask and the CPU quota of the own cgroup and all above it (v2 cpu.max, v1
 * cpu.cfs_quota_us), rounded up.
 */
unsigned resolve_cpus(void);
/** resolve_cpus_at() - the same with a given root instead of "/" (tests); @affinity is the mask's count. */
unsigned resolve_cpus_at(const char *root, unsigned affinity);

#endif
