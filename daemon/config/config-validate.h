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

/** config_defaults_read() - the table's defaults of the rows of @scope into @object. 0, -ENOMEM. */
int config_defaults_read(ConfigScope scope, void *object);
/* A configuration that was read, and how to find and tell what is wrong with it. */
typedef struct ConfigWhole {
        ConfigCheck *check;
        const Config *config;
        /* Whether a pool of this name was given, even a faulty one. */
        bool (*is_known)(const char *name, void *userdata);
        /* A fault at pools.POOL.KEY, or, with @pool NULL, at the file's @key. */
        void (*fault)(const char *pool, const char *key, const char *text, void *userdata);
        void *userdata;
} ConfigWhole;
/** config_validate_whole() - what concerns several pools, or several keys of the file. */
void config_validate_whole(const ConfigWhole *w);
/** listen_config_overlaps() - pure; whether both cannot be bound. */
bool listen_config_overlaps(const ListenConfig *a, const ListenConfig *b);

/** config_pool_finish() - everything about one pool that needs several keys. */
void config_pool_finish(ConfigCheck *c, const Spot *at, json_t *o, PoolConfig *p);
/* The steps that look at several keys; each adds its own faults. */
void config_identity_finish(ConfigCheck *c, const Spot *at, json_t *o, PoolConfig *p);
void config_module_finish(ConfigCheck *c, const Spot *at, json_t *o, PoolConfig *p);
void config_env_finish(ConfigCheck *c, const Spot *at, json_t *o, PoolConfig *p);

#endif
