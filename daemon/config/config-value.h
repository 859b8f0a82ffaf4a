/* config-value.h - the kinds of values a key may hold: how each is read, compared and described in the schema.
 *
 * A ConfigType is a constant vtable. `read` stores into the object (a Config or PoolConfig) or adds faults and leaves it
 * alone; it checks everything that can be said of the value alone. What needs several keys together (the environment,
 * the identity, contradictions) is done afterwards by config-validate. */
#ifndef DROVER_CONFIG_CONFIG_VALUE_H
#define DROVER_CONFIG_CONFIG_VALUE_H

#include "base/text.h"
#include "config/address.h"
#include "config/config-fault.h"

typedef struct ConfigKey ConfigKey;

typedef struct ConfigType {
        const char *name; /* for people: "duration" */
        void (*read)(ConfigCheck *c, const Spot *at, json_t *v, const ConfigKey *key, void *object);
        /* NULL: never a difference of its own */
        bool (*equal)(const ConfigKey *key, const void *a, const void *b);
        /* members of a JSON Schema object, through json_put_* */
        void (*schema)(const ConfigKey *key, Text *t);
        /* What a change from @a to @b costs, where it is not always the key's own; may be NULL. */
        ConfigCost (*cost)(const ConfigKey *key, const void *a, const void *b);
        const struct ConfigList *list; /* arrays of strings without an order: what their items are; else NULL */
} ConfigType;

/* config-value.c: single values */
extern const ConfigType config_type_bool, config_type_integer, config_type_optional_integer, config_type_number,
        config_type_span, config_type_size, config_type_word, config_type_path, config_type_umask, config_type_mode,
        config_type_signal;
/* config-value-amount.c: how many and how much */
extern const ConfigType config_type_workers, config_type_workers_bound, config_type_count, config_type_part,
        config_type_cgroup_bytes, config_type_cgroup_count, config_type_cgroup_cpu;
/* config-value-list.c: arrays of strings */
extern const ConfigType config_type_argv, config_type_command, config_type_names, config_type_paths, config_type_globs, config_type_events;
/* config-value-module.c: what a worker runs, when it is not simply a program */
extern const ConfigType config_type_module, config_type_target, config_type_args, config_type_kwargs,
        config_type_prefetch;
#define TASK_PREFETCH_MAX 1024
/* config-value-process.c: how a process is set up */
extern const ConfigType config_type_cpus, config_type_limit, config_type_codes;
/* config-value-probe.c: questions put to a worker */
extern const ConfigType config_type_probe_tcp, config_type_probe_http, config_type_probe_exec;
/* config-value-listen.c: sockets of a pool */
extern const ConfigType config_type_listen, config_type_listen_address, config_type_listen_user, config_type_listen_group;
/* config-value-access.c: who may do what, in the control socket and in the kernel */
extern const ConfigType config_type_access, config_type_capabilities, config_type_socket_group;
/* config-value-hook.c */
extern const ConfigType config_type_hooks;
/* config-value-io.c: readiness and output */
extern const ConfigType config_type_ready_fd, config_type_ready_notify, config_type_output;
/* config-identity.c */
extern const ConfigType config_type_user, config_type_group, config_type_groups;
/* config-env.c */
extern const ConfigType config_type_env, config_type_env_file, config_type_clear_env;
/* config-value.c: objects whose members are rows of their own, and the object of pools */
extern const ConfigType config_type_object, config_type_pools;

/* PATH_MAX of the kernel; one string of argv or the environment (MAX_ARG_STRLEN). */
#define CONFIG_PATH_MAX 4095u
#define CONFIG_STRING_MAX 131071u
#define CONFIG_LOG_PATH_MAX 440u /* leaves room in LogSpec.path for what rotation appends */

/** config_store_string() - a copy of @s (NULL: none) takes the place of what is in @slot. 0, or -ENOMEM, also in c->error. */
int config_store_string(ConfigCheck *c, char **slot, const char *s);
/** config_read_argv() - a new array; NULL after a fault. */
char **config_read_argv(ConfigCheck *c, const Spot *at, json_t *v);
/** config_read_address() - an address; a port alone is one of @host. false after a fault. */
bool config_read_address(ConfigCheck *c, const Spot *at, json_t *v, const char *host, Address *ret);
/** config_read_user(), config_read_group() - resolved; false after a fault. In user mode only the own ones are taken. */
bool config_read_user(ConfigCheck *c, const Spot *at, json_t *v, uid_t *ret);
bool config_read_group(ConfigCheck *c, const Spot *at, json_t *v, gid_t *ret);
/** config_slot() - where @key is stored in @object. */
void *config_slot(const ConfigKey *key, void *object);
const void *config_slot_const(const ConfigKey *key, const void *object);
/** config_read_path() - an absolute, normalised path of at most @max bytes, borrowed from @v; NULL after a fault. */
const char *config_read_path(ConfigCheck *c, const Spot *at, json_t *v, size_t max);
/** config_bounds_format() - "0 to 10000", "0s to 1h", as the key's type shows its bounds; "" without bounds. */
const char *config_bounds_format(const ConfigKey *key, char *buf, size_t size);

#endif
