/* config-reuse.h - the configuration of a `run` made of that of the run before, which differs in name and arguments alone.
 *
 * Hundreds of runs a second call the same target of the same module. What was looked up for one (the file of the module, the
 * account, the environment) is good for the next within CONFIG_REUSE_USEC. */
#ifndef DROVER_CONFIG_CONFIG_REUSE_H
#define DROVER_CONFIG_CONFIG_REUSE_H

#include "config/config-key.h"

#define CONFIG_REUSE_USEC (100 * USEC_PER_MSEC)

/** config_reuse() - 1 with a new reference in *ret; 0: it has to be made; -EBADMSG with faults of the arguments; -ENOMEM. */
int config_reuse(ConfigCheck *c, const char *name, json_t *o, PoolConfig **ret);
/** config_reuse_remember() - @p was made a moment ago with @ctx; the next ones may be like it. */
void config_reuse_remember(PoolConfig *p, const ConfigContext *ctx);

#endif
