/* config-key.h - the one table of configuration keys.
 *
 * Reading, checking, defaults, comparing, the JSON Schema and the key list of drover.json(5) all come from it. A new key
 * is a new row (and, when it holds something no other key holds, a new ConfigType). Constant. */
#ifndef DROVER_CONFIG_CONFIG_KEY_H
#define DROVER_CONFIG_CONFIG_KEY_H

#include "config/config-value.h"

typedef enum ConfigScope {
        CONFIG_SCOPE_TOP,  /* members of the file; stored in Config */
        CONFIG_SCOPE_POOL, /* members of a pool; stored in PoolConfig */
        CONFIG_SCOPE_LISTEN, /* members of a socket in a pool's listen; stored in ListenConfig */
        CONFIG_SCOPE_HOOK,   /* members of a hook; stored in HookConfig */
} ConfigScope;

/* One allowed word. */
typedef struct ConfigWord {
        const char *text;
        unsigned value;
        const char *help;
} ConfigWord;

struct ConfigKey {
        ConfigScope scope;
        const char *path;             /* "restart.delay": dots lead into objects */
        const ConfigType *type;
        const ConfigType *short_type; /* objects: what may stand in the object's place; NULL: nothing */
        size_t offset;                /* of the value in Config or PoolConfig */
        size_t offset_has;            /* of its bool, for those that may be absent; 0: none */
        const char *default_json;     /* read by the type; NULL: the zero of the type */
        const char *default_text;     /* for people where default_json does not tell it */
        double min, max;              /* in the unit of the stored value; both 0: no bounds */
        bool may_be_infinite;
        const ConfigWord *words;      /* ends with .text == NULL */
        int detail;                   /* limits: RLIMIT_*; listen: ListenKind; ready's probes: 1 */
        bool is_size;                 /* limits: counted in bytes */
        bool is_alias;                /* another spelling of an earlier row; not compared, no default */
        ConfigCost cost;              /* what a change needs; CONFIG_SAME: nothing by itself */
        const char *help;             /* one sentence */
};

extern const ConfigKey config_keys[];
extern const size_t n_config_keys;

/** config_key_find() - the row of member @name of the object @prefix ("" for the scope's own members), or NULL. */
const ConfigKey *config_key_find(ConfigScope scope, const char *prefix, const char *name);
/**
 * config_key_nearest() - the key that was probably meant, or NULL
 * The name of a neighbour when one is close; else the full path of a key of that very name in another object.
 */
const char *config_key_nearest(ConfigScope scope, const char *prefix, const char *name);
/** config_key_is_object() - whether its members are rows of their own. */
bool config_key_is_object(const ConfigKey *key);
/** config_key_parent_is() - whether @key is a direct member of object @prefix. */
bool config_key_parent_is(const ConfigKey *key, ConfigScope scope, const char *prefix);
/** config_key_value() - of a pool's source: as written, also in a short form, else the default or JSON null. A new reference. */
json_t *config_key_value(json_t *source, const ConfigKey *key);
/** config_key_name() - the last part of its path. */
const char *config_key_name(const ConfigKey *key);

#endif
