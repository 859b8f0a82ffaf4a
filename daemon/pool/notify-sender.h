/* notify-sender.h - which worker a process belongs to, by what the kernel says of it. */
#ifndef DROVER_POOL_NOTIFY_SENDER_H
#define DROVER_POOL_NOTIFY_SENDER_H

#include "pool/pool.h"

/** notify_sender_cgroup_base() - "<own cgroup>/drover-<keeper>/", below which the keeper makes its leaves; the caller
 *  frees. NULL: there is no cgroup v2, or memory is short. */
char *notify_sender_cgroup_base(pid_t keeper_pid);
/**
 * notify_sender_parse_leaf() - from the text of /proc/PID/cgroup to a worker's name and generation
 * Pure. A leaf is "web:0.3.7" (slot 3 of the keeper, generation 7), a process may be in a cgroup below it. Return: 0; -ENOENT when it is none below @base.
 */
int notify_sender_parse_leaf(const char *cgroup, const char *base, char name[static KEEPER_NAME_MAX],
                             uint32_t *ret_slot, uint64_t *ret_generation);
Worker *notify_sender_by_pid(KeeperLink *l, pid_t pid); /* a worker's main process; borrowed or NULL */
/** notify_sender_by_leaf() - whoever has the leaf that @pid is in, of those that are known; borrowed or NULL */
Worker *notify_sender_by_leaf(PoolSet *s, const char *cgroup_base, pid_t pid);
/**
 * notify_sender_find() - the worker in whose tree @pid is
 * @cgroup_base: NULL: only parents are looked at
 * Return: borrowed, or NULL, with *ret_top the keeper's child above it; 0 when it is nobody of ours.
 */
Worker *notify_sender_find(PoolSet *s, const char *cgroup_base, pid_t pid, pid_t *ret_top);

#endif
