/* config-mask.c - configurations as those may see them who do not administer a pool. Values of environment variables are
 * often passwords; that there is a variable is no secret. Values change, so these work on copies. */
#include "base/json.h"
#include "config/config.h"

static int mask(json_t *holder, const char *key) {
        return json_object_set_new(holder, key, json_string(CONFIG_MASK));
}

static int mask_members(json_t *o) {
        const char *key;
        json_t *value;
        void *next;
        int r = 0;

        json_object_foreach_safe(o, next, key, value)
                if (mask(o, key) < 0)
                        r = -ENOMEM;
        return r;
}

bool config_path_is_secret(const char *path) {
        return path && (streq(path, "env") || strncmp(path, "env.", 4) == 0);
}

/* null stays: it says that there is nothing. */
int config_mask_member(json_t *holder, const char *key) {
        json_t *value = json_object_get(holder, key);

        if (!value || json_is_null(value))
                return 0;
        return json_is_object(value) ? mask_members(value) : mask(holder, key);
}

int config_mask_pool(json_t *pool) {
        const char *key;
        json_t *value;
        void *next;
        int r = 0;

        json_object_foreach_safe(pool, next, key, value)
                if (config_path_is_secret(key) && config_mask_member(pool, key) < 0)
                        r = -ENOMEM;
        return r;
}

int config_mask_pools(json_t *pools, config_mask_filter is_meant, void *userdata) {
        const char *name;
        json_t *pool;
        int r = 0;

        json_object_foreach(pools, name, pool)
                if ((!is_meant || is_meant(name, userdata)) && config_mask_pool(pool) < 0)
                        r = -ENOMEM;
        return r;
}

static int mask_change(json_t *change) {
        json_t *detail;
        size_t i;
        int r = 0;

        json_array_foreach(json_object_get(change, "keys"), i, detail)
                if (config_path_is_secret(json_string_value(json_object_get(detail, "key"))) &&
                    (config_mask_member(detail, "from") < 0 || config_mask_member(detail, "to") < 0))
                        r = -ENOMEM;
        return r;
}

char *config_mask_changes(const char *changes, config_mask_filter is_meant, void *userdata) {
        _cleanup_json_ json_t *all = json_loads(changes, 0, NULL);
        json_t *change;
        size_t i;

        json_array_foreach(all, i, change) {
                const char *pool = json_string_value(json_object_get(change, "pool"));

                if (pool && (!is_meant || is_meant(pool, userdata)) && mask_change(change) < 0)
                        return NULL;
        }
        return all ? json_dumps(all, JSON_COMPACT | JSON_REAL_PRECISION(15)) : NULL;
}
