/* config-validate.h - from JSON to PoolConfig: members by the table, then what needs several of them together. */
#ifndef DROVER_CONFIG_CONFIG_VALIDATE_H
#define DROVER_CONFIG_CONFIG_VALIDATE_H

#include "config/config-key.h"

/**
 * config_validate_members() - read the members of @o by the rows of @scope under @prefix into @object
 * Unknown keys and bad values become faults; the others are stored.
 */
void config_validate_members(ConfigCheck *c, const Spot *at, json_t *o, ConfigScope scope, const char *prefix, void *object);
/**
 * config_validate_pool() - one pool, complete
 * @at: the pool's own spot, NULL for parameters of a call
 * Return: 0 with a new reference in *ret; -EBADMSG when it added faults; -ENOMEM.
 */
int config_validate_pool(ConfigCheck *c, const Spot *at, const char *name, json_t *o, PoolConfig **ret);

/* The steps that look at several keys; each adds its own faults. */
void config_identity_finish(ConfigCheck *c, const Spot *at, json_t *o, PoolConfig *p);
void config_env_finish(ConfigCheck *c, const Spot *at, json_t *o, PoolConfig *p);

#endif
