/* config-dump.c - a Config as JSON: exactly what was written. */
#include "base/json.h"
#include "config/config-validate.h"

json_t *config_dump(const Config *c) {
        _cleanup_json_ json_t *root = c->source ? json_deep_copy(c->source) : json_object(), *pools = json_object();
        int r = 0;

        if (!root || !pools)
                return NULL;
        for (size_t i = 0; r == 0 && i < c->n_pools; i++)
                r = json_object_set_new(pools, c->pools[i]->name, json_deep_copy(c->pools[i]->source));
        if (r == 0 && c->log_dir)
                r = json_object_set_new(root, "log_dir", json_string(c->log_dir));
        if (r == 0 && c->state_dir)
                r = json_object_set_new(root, "state_dir", json_string(c->state_dir));
        if (r == 0)
                r = json_object_set(root, "pools", pools);
        return r == 0 ? TAKE_PTR(root) : NULL;
}
