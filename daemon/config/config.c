/* config.c - the counted value objects: references, look-up. */
#include "config/config.h"
#include "base/alloc.h"

PoolConfig *pool_config_ref(PoolConfig *c) {
        if (c)
                c->n_ref++;
        return c;
}

PoolConfig *pool_config_unref(PoolConfig *c) {
        if (!c || --c->n_ref > 0)
                return NULL;
        free(c->name);
        strv_free(c->command);
        free(c->workers_text);
        free(c->directory);
        strv_free(c->env);
        free(c->groups);
        free(c->user_name);
        free(c->output_path);
        json_decref(c->source);
        free(c);
        return NULL;
}

Config *config_ref(Config *c) {
        if (c)
                c->n_ref++;
        return c;
}

Config *config_unref(Config *c) {
        if (!c || --c->n_ref > 0)
                return NULL;
        for (size_t i = 0; i < c->n_pools; i++)
                pool_config_unref(c->pools[i]);
        free(c->pools);
        free(c->log_dir);
        free(c->state_dir);
        strv_free(c->files);
        free(c);
        return NULL;
}

static int compare_to_name(const void *name, const void *pool) {
        return strcmp(name, (*(PoolConfig *const *) pool)->name);
}

PoolConfig *config_find_pool(const Config *c, const char *name) {
        PoolConfig **found = c->n_pools > 0 ? bsearch(name, c->pools, c->n_pools, sizeof(*c->pools), compare_to_name) : NULL;
        return found ? *found : NULL;
}
