/* own-pool.h - what somebody who is no administrator may have run: himself, and nothing that he could not do without us. */
#ifndef DROVER_CONTROL_OWN_POOL_H
#define DROVER_CONTROL_OWN_POOL_H

#include "control/control-call.h"

/**
 * own_pool_prepare() - check the keys of run or pool.add in c->params, and set the user
 * Administrators are not held to anything. Others: only the keys of a table that mean nothing but the process itself, and
 * the user is the caller's own uid, whatever account was named. Return: 0; -EACCES when the call was answered.
 */
int own_pool_prepare(Call *c);
/**
 * own_pool_check() - once more on the configuration that came of it, and the quota
 * @is_run: counts as one process, else as a pool with its workers. Return: 0; -EACCES, -EDQUOT: the call was answered.
 */
int own_pool_check(Call *c, const PoolConfig *config, bool is_run);
/** own_pool_context() - what the caller's configuration is made for: who may see less than droverd has no files looked at. */
ConfigContext own_pool_context(const Call *c);
/** own_pool_is_of() - a pool made at run time that runs as @uid. */
bool own_pool_is_of(const Pool *p, uid_t uid);

#endif
