/* tree-memory.h - how much memory a worker's whole tree holds. */
#ifndef DROVER_POOL_TREE_MEMORY_H
#define DROVER_POOL_TREE_MEMORY_H

#include "base/macro.h"
#include <sys/types.h>

#define TREE_MEMORY_PROCESSES_MAX 256u /* more of one tree are not counted */

/**
 * tree_memory_read() - bytes of the process @pid and all below it
 * @leaf_base: what a leaf of the keeper's begins with, as of notify_sender_cgroup_base(); NULL: there are no leaves
 * In a leaf that counts memory: memory.current less inactive_file, which the kernel takes back when it needs it. In one that
 * does not: the resident memory of its processes, added up; without a leaf that of @pid and its descendants. What several
 * processes share counts for each of them there.
 * Return: 0; -errno when @pid is gone.
 */
int tree_memory_read(pid_t pid, const char *leaf_base, uint64_t *ret);

/** tree_memory_inactive() - the value of inactive_file in the text of a memory.stat; pure. 0 when there is none. */
uint64_t tree_memory_inactive(const char *stat);

#endif
