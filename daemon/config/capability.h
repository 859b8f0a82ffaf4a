/* capability.h - names of the kernel's capabilities. Values only. */
#ifndef DROVER_CONFIG_CAPABILITY_H
#define DROVER_CONFIG_CAPABILITY_H

#include "base/macro.h"

#define CAPABILITY_LAST 40 /* CAP_CHECKPOINT_RESTORE, since Linux 5.9 */

/** capability_from_string() - "cap_net_bind_service", also without "cap_" and in capitals: its number; else -EINVAL, and
 *  *ret_near (may be NULL) is the one that was probably meant, or NULL. */
int capability_from_string(const char *s, const char **ret_near);
/** capability_to_string() - "cap_chown" of 0; NULL beyond CAPABILITY_LAST. */
const char *capability_to_string(int capability);

#endif
