/* privilege.h - which of root's powers a new process keeps. Safe between fork and exec. */
#ifndef DROVER_KEEPER_PRIVILEGE_H
#define DROVER_KEEPER_PRIVILEGE_H

#include "base/macro.h"
#include <stdint.h>

/** privilege_drop_bounding() - what is not in @kept can never be had again. -EPERM without CAP_SETPCAP. */
int privilege_drop_bounding(uint64_t kept);
/**
 * privilege_set() - exactly @kept, effective and permitted
 * @is_ambient: over exec too, for a user that is not root
 * Return: 0; -EPERM when one of them is not there to be kept.
 */
int privilege_set(uint64_t kept, bool is_ambient);
/** privilege_effective() - those of the calling process. 0 when the kernel does not say. */
uint64_t privilege_effective(void);

#endif
