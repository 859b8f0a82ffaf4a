/* config-value-hook.c - commands that run when something has happened: an object of names, each with rows of its own.
 *
 * They may be spread over files, as pools are; that a name comes twice is found out by config-load. */
#include "base/alloc.h"
#include "base/parse.h"
#include "config/config-validate.h"

#define HOOKS_MAX 64u

void hook_config_done(HookConfig *h) {
        free(h->name);
        strv_free(h->events);
        strv_free(h->pools);
        strv_free(h->command);
        *h = (HookConfig){ 0 };
}

static void hook_finish(ConfigCheck *c, const Spot *at, json_t *o) {
        if (!json_object_get(o, "events"))
                config_fault_key(c, at, "a hook needs events: \"events\": [\"worker.failed\"]");
        if (!json_object_get(o, "command"))
                config_fault_key(c, at, "a hook needs a command: \"command\": [\"/usr/bin/program\", \"argument\"]");
}

static void hook_read_one(ConfigCheck *c, const Spot *at, json_t *v, HookConfig *h) {
        if (!name_is_valid(at->key))
                config_fault_key(c, at, "not a name: it must be like [a-z0-9][a-z0-9_.-]*");
        if (config_defaults_read(CONFIG_SCOPE_HOOK, h) < 0)
                c->error = -ENOMEM;
        if (config_store_string(c, &h->name, at->key) < 0)
                return;
        if (!json_is_object(v)) {
                config_fault_value(c, at, "expected an object: { \"events\": [\"worker.failed\"], \"command\": [...] }");
                return;
        }
        config_validate_members(c, at, v, CONFIG_SCOPE_HOOK, "", h);
        hook_finish(c, at, v);
}

static int compare_hooks(const void *a, const void *b) {
        return strcmp(((const HookConfig *) a)->name, ((const HookConfig *) b)->name);
}

static void hooks_read(ConfigCheck *c, const Spot *at, json_t *v, const ConfigKey *key, void *object) {
        Config *config = object;
        size_t capacity = config->n_hooks, n = config->n_hooks + json_object_size(v);
        const char *name;
        json_t *item;

        if (!json_is_object(v) || n > HOOKS_MAX) {
                config_fault_value(c, at, "expected an object of at most %u hooks: { \"mail\": { \"events\": [\"worker.failed\"], "
                                          "\"command\": [...] } }", HOOKS_MAX);
                return;
        }
        if (n == 0)
                return;
        if (alloc_grow(&config->hooks, &capacity, n, sizeof(*config->hooks)) < 0) {
                c->error = -ENOMEM;
                return;
        }
        json_object_foreach(v, name, item) {
                Spot here = { .up = at, .key = name };
                hook_read_one(c, &here, item, &config->hooks[config->n_hooks++]);
                if (c->error)
                        return;
        }
        qsort(config->hooks, config->n_hooks, sizeof(*config->hooks), compare_hooks);
}

static bool hook_equal(const HookConfig *x, const HookConfig *y) {
        if (!streq(x->name, y->name))
                return false;
        for (size_t i = 0; i < n_config_keys; i++)
                if (config_keys[i].scope == CONFIG_SCOPE_HOOK && !config_keys[i].type->equal(&config_keys[i], x, y))
                        return false;
        return true;
}

static bool hooks_equal(const ConfigKey *key, const void *a, const void *b) {
        const Config *x = a, *y = b;

        if (x->n_hooks != y->n_hooks)
                return false;
        for (size_t i = 0; i < x->n_hooks; i++)
                if (!hook_equal(&x->hooks[i], &y->hooks[i]))
                        return false;
        return true;
}

static void hooks_schema(const ConfigKey *key, Text *t) {
        json_put_string(t, "type", "object");
        json_put_i64(t, "maxProperties", HOOKS_MAX);
        json_put_raw(t, "additionalProperties", "{\"$ref\":\"#/$defs/hook\"}");
}

const ConfigType config_type_hooks = { "object of hooks", hooks_read, hooks_equal, hooks_schema };
