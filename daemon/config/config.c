/* config.c - the counted value objects: references, look-up. */
#include "config/config.h"
#include "base/alloc.h"
#include "config/config-validate.h"

PoolConfig *pool_config_ref(PoolConfig *c) {
        if (c)
                c->n_ref++;
        return c;
}

static void probe_done(ProbeConfig *p) {
        free(p->address);
        free(p->path);
        free(p->host);
        strv_free(p->command);
}

static void access_done(AccessConfig *a) {
        for (size_t i = 0; i < ARRAY_SIZE(a->roles); i++)
                access_list_done(&a->roles[i]);
}

static void listen_done(PoolConfig *c) {
        for (size_t i = 0; i < c->n_listen; i++) {
                free(c->listen[i].name);
                free(c->listen[i].address);
        }
        free(c->listen);
}

static void words_done(PoolConfig *c) {
        strv_free(c->command);
        free(c->module);
        free(c->target);
        free(c->workers_text);
        free(c->directory);
        strv_free(c->env);
        free(c->groups);
        free(c->user_name);
        free(c->output_path);
        strv_free(c->requires);
        strv_free(c->after);
        strv_free(c->stop_command);
        strv_free(c->isolation.read_only_paths);
        strv_free(c->isolation.read_write_paths);
        strv_free(c->isolation.inaccessible_paths);
        probe_done(&c->ready_probe);
        probe_done(&c->health.probe);
        listen_done(c);
        access_done(&c->access);
}

PoolConfig *pool_config_unref(PoolConfig *c) {
        if (!c || --c->n_ref > 0)
                return NULL;
        free(c->name);
        json_decref(c->args);
        json_decref(c->kwargs);
        json_decref(c->source);
        if (c->base)
                pool_config_unref(c->base);
        else
                words_done(c);
        free(c);
        return NULL;
}

Config *config_new(void) {
        _cleanup_(config_unrefp) Config *c = NEW0(Config);

        if (!c)
                return NULL;
        c->n_ref = 1;
        c->socket_mode = 0600;
        c->source = json_object();
        if (!c->source || config_defaults_read(CONFIG_SCOPE_TOP, c) < 0)
                return NULL;
        return TAKE_PTR(c);
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
        access_done(&c->access);
        for (size_t i = 0; i < c->n_hooks; i++)
                hook_config_done(&c->hooks[i]);
        free(c->hooks);
        free(c->metrics_file);
        free(c->socket_group);
        json_decref(c->source);
        free(c);
        return NULL;
}

static int compare_pools(const void *a, const void *b) {
        return strcmp((*(PoolConfig *const *) a)->name, (*(PoolConfig *const *) b)->name);
}

void config_sort(Config *c) {
        if (c->n_pools > 0)
                qsort(c->pools, c->n_pools, sizeof(*c->pools), compare_pools);
}

static int compare_to_name(const void *name, const void *pool) {
        return strcmp(name, (*(PoolConfig *const *) pool)->name);
}

PoolConfig *config_find_pool(const Config *c, const char *name) {
        PoolConfig **found = c->n_pools > 0 ? bsearch(name, c->pools, c->n_pools, sizeof(*c->pools), compare_to_name) : NULL;
        return found ? *found : NULL;
}
