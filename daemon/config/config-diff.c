/* config-diff.c - what has to be done to come from one Config to another.
 *
 * What is compared is what was understood, row by row of the key table, never the text: another order, another unit or a
 * default written out is no change; a changed env_file, account or number of CPUs is one. */
#include "base/alloc.h"
#include "base/text.h"
#include "config/config-key.h"

#define VARIABLES_SHOWN 5u

const char *config_cost_to_string(ConfigCost c) {
        static const char *const names[] = {
                [CONFIG_SAME] = "same",
                [CONFIG_LIVE] = "live",
                [CONFIG_NEXT_START] = "next-start",
                [CONFIG_RESTART] = "restart",
        };
        return (size_t) c < ARRAY_SIZE(names) ? names[c] : NULL;
}

static void append_separator(Text *keys) {
        if (keys->length > 0)
                text_append(keys, ", ");
}

static void append_variable(Text *keys, const char *variable, unsigned *n) {
        if (++*n > VARIABLES_SHOWN)
                return;
        append_separator(keys);
        text_append(keys, "env.");
        text_append_n(keys, variable, strcspn(variable, "="));
}

/* Names of the variables that differ; both arrays are sorted. */
static void append_env(Text *keys, char **a, char **b) {
        unsigned n = 0;

        while (*a || *b) {
                int order = !*a ? 1 : !*b ? -1 : strcmp(*a, *b);
                size_t name = *a ? strcspn(*a, "=") + 1 : 0;
                if (order != 0)
                        append_variable(keys, order < 0 ? *a : *b, &n);
                /* the same variable with another value is one difference */
                bool is_both = *a && *b && strncmp(*a, *b, name) == 0;
                if (order <= 0 || is_both)
                        a++;
                if (order >= 0 || is_both)
                        b++;
        }
        if (n > VARIABLES_SHOWN)
                text_appendf(keys, ", %u more variables", n - VARIABLES_SHOWN);
}

static bool is_compared(const ConfigKey *key) {
        return key->scope == CONFIG_SCOPE_POOL && key->type->equal && !key->is_alias;
}

static ConfigCost compare_pools(const PoolConfig *from, const PoolConfig *to, Text *keys) {
        ConfigCost cost = CONFIG_SAME;

        for (size_t i = 0; i < n_config_keys; i++) {
                const ConfigKey *key = &config_keys[i];
                if (!is_compared(key) || key->type->equal(key, from, to))
                        continue;
                if (key->type == &config_type_env)
                        append_env(keys, from->env, to->env);
                else {
                        append_separator(keys);
                        text_append(keys, key->path);
                }
                cost = MAX(cost, key->cost);
        }
        return cost;
}

static int diff_add(ConfigDiff *d, ConfigChange change) {
        int r = alloc_grow(&d->items, &d->capacity, d->n + 1, sizeof(*d->items));
        if (r == 0)
                d->items[d->n++] = change;
        return r;
}

static int diff_pool(ConfigDiff *d, PoolConfig *from, PoolConfig *to) {
        _cleanup_text_ Text keys = { 0 };
        ConfigChange change = { .kind = CONFIG_POOL_CHANGE, .pool = to->name, .from = from, .to = to };
        int r;

        change.cost = compare_pools(from, to, &keys);
        if (change.cost == CONFIG_SAME)
                return 0;
        change.keys = text_take(&keys);
        if (!change.keys)
                return -ENOMEM;
        r = diff_add(d, change);
        if (r < 0)
                free(change.keys);
        return r;
}

void config_diff_done(ConfigDiff *d) {
        for (size_t i = 0; i < d->n; i++)
                free(d->items[i].keys);
        free(d->items);
        *d = (ConfigDiff){ 0 };
}

static int diff_fill(ConfigDiff *d, const Config *from, const Config *to) {
        int r = 0;

        for (size_t i = 0; from && r == 0 && i < from->n_pools; i++) {
                PoolConfig *p = from->pools[i];
                if (!config_find_pool(to, p->name))
                        r = diff_add(d, (ConfigChange){ .kind = CONFIG_POOL_REMOVE, .pool = p->name, .from = p, .cost = CONFIG_RESTART });
        }
        for (size_t i = 0; from && r == 0 && i < to->n_pools; i++) {
                PoolConfig *old = config_find_pool(from, to->pools[i]->name);
                if (old)
                        r = diff_pool(d, old, to->pools[i]);
        }
        for (size_t i = 0; r == 0 && i < to->n_pools; i++) {
                PoolConfig *p = to->pools[i];
                if (!from || !config_find_pool(from, p->name))
                        r = diff_add(d, (ConfigChange){ .kind = CONFIG_POOL_ADD, .pool = p->name, .to = p, .cost = CONFIG_LIVE });
        }
        return r;
}

int config_diff(const Config *from, const Config *to, ConfigDiff *ret) {
        ConfigDiff d = { 0 };
        int r = diff_fill(&d, from, to);

        if (r < 0)
                config_diff_done(&d);
        else
                *ret = d;
        return r;
}
