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

/* One changed key; takes over the values. */
static int add_detail(ConfigChange *c, const char *key, size_t key_length, json_t *from_take, json_t *to_take, ConfigCost cost) {
        _cleanup_json_ json_t *from = from_take, *to = to_take;
        _cleanup_free_ char *name = alloc_strndup(key, key_length);

        if (!from || !to || !name || alloc_grow(&c->details, &c->details_capacity, c->n_details + 1, sizeof(*c->details)) < 0)
                return -ENOMEM;
        c->details[c->n_details++] = (ConfigKeyChange){ .key = TAKE_PTR(name), .from = TAKE_PTR(from), .to = TAKE_PTR(to), .cost = cost };
        c->cost = MAX(c->cost, cost);
        return 0;
}

static json_t *variable_value(const char *variable) {
        return variable ? json_string_nocheck(strchr(variable, '=') + 1) : json_null();
}

static int add_variable(ConfigChange *c, const char *from, const char *to, ConfigCost cost) {
        const char *any = from ? from : to;
        _cleanup_free_ char *name = alloc_printf("env.%.*s", (int) strcspn(any, "="), any);

        return name ? add_detail(c, name, strlen(name), variable_value(from), variable_value(to), cost) : -ENOMEM;
}

/* The variables that differ; both arrays are sorted. */
static int add_env(ConfigChange *c, char **a, char **b, ConfigCost cost) {
        int r = 0;

        while (r == 0 && (*a || *b)) {
                int order = !*a ? 1 : !*b ? -1 : strcmp(*a, *b);
                size_t name = *a ? strcspn(*a, "=") + 1 : 0;
                /* the same variable with another value is one difference */
                bool is_both = *a && *b && strncmp(*a, *b, name) == 0;
                if (order != 0)
                        r = add_variable(c, order < 0 || is_both ? *a : NULL, order > 0 || is_both ? *b : NULL, cost);
                if (order <= 0 || is_both)
                        a++;
                if (order >= 0 || is_both)
                        b++;
        }
        return r;
}

/* "workers, env.X, 2 more variables". */
static char *format_keys(const ConfigChange *c) {
        _cleanup_text_ Text t = { 0 };
        unsigned n_variables = 0;

        for (size_t i = 0; i < c->n_details; i++) {
                if (strncmp(c->details[i].key, "env.", 4) == 0 && ++n_variables > VARIABLES_SHOWN)
                        continue;
                text_appendf(&t, "%s%s", t.length > 0 ? ", " : "", c->details[i].key);
        }
        if (n_variables > VARIABLES_SHOWN)
                text_appendf(&t, ", %u more variables", n_variables - VARIABLES_SHOWN);
        return text_take(&t);
}

/* @from and @to are PoolConfigs or Configs, as @scope says. */
static int compare_members(ConfigChange *c, ConfigScope scope, const void *from, json_t *from_source, const void *to, json_t *to_source) {
        int r = 0;

        for (size_t i = 0; r == 0 && i < n_config_keys; i++) {
                const ConfigKey *key = &config_keys[i];
                json_t *a, *b;
                if (key->scope != scope || !key->type->equal || key->is_alias || key->type->equal(key, from, to))
                        continue;
                if (key->type == &config_type_env) {
                        r = add_env(c, ((const PoolConfig *) from)->env, ((const PoolConfig *) to)->env, key->cost);
                        continue;
                }
                a = config_key_value(from_source, key);
                b = config_key_value(to_source, key);
                if (key->type == &config_type_workers && json_equal(a, b)) { /* "cpus" of another number of CPUs */
                        json_decref(a);
                        json_decref(b);
                        a = json_integer(((const PoolConfig *) from)->workers);
                        b = json_integer(((const PoolConfig *) to)->workers);
                }
                r = add_detail(c, key->path, strlen(key->path), a, b, key->type->cost ? key->type->cost(key, from, to) : key->cost);
        }
        return r;
}

static void change_done(ConfigChange *c) {
        for (size_t i = 0; i < c->n_details; i++) {
                free(c->details[i].key);
                json_decref(c->details[i].from);
                json_decref(c->details[i].to);
        }
        free(c->details);
        free(c->keys);
        *c = (ConfigChange){ 0 };
}

/* Takes @change over, also on failure. */
static int diff_add(ConfigDiff *d, ConfigChange change) {
        int r = alloc_grow(&d->items, &d->capacity, d->n + 1, sizeof(*d->items));

        if (r == 0)
                d->items[d->n++] = change;
        else
                change_done(&change);
        return r;
}

/* What was found by compare_members(), if it was anything. */
static int diff_add_compared(ConfigDiff *d, ConfigChange change, int r) {
        if (r == 0 && change.n_details > 0 && !(change.keys = format_keys(&change)))
                r = -ENOMEM;
        if (r < 0 || change.n_details == 0) {
                change_done(&change);
                return r;
        }
        return diff_add(d, change);
}

static int diff_pool(ConfigDiff *d, PoolConfig *from, PoolConfig *to) {
        ConfigChange change = { .kind = CONFIG_POOL_CHANGE, .pool = to->name, .from = from, .to = to };
        int r = compare_members(&change, CONFIG_SCOPE_POOL, from, from->source, to, to->source);

        return diff_add_compared(d, change, r);
}

static int diff_file(ConfigDiff *d, const Config *from, const Config *to) {
        ConfigChange change = { .kind = CONFIG_POOL_CHANGE };
        int r = compare_members(&change, CONFIG_SCOPE_TOP, from, from->source, to, to->source);

        return diff_add_compared(d, change, r);
}

void config_diff_done(ConfigDiff *d) {
        for (size_t i = 0; i < d->n; i++)
                change_done(&d->items[i]);
        free(d->items);
        *d = (ConfigDiff){ 0 };
}

static int diff_fill(ConfigDiff *d, const Config *from, const Config *to) {
        int r = from ? diff_file(d, from, to) : 0;

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

int config_diff_pool(PoolConfig *from, PoolConfig *to, ConfigDiff *ret) {
        ConfigDiff d = { 0 };
        int r = diff_pool(&d, from, to);

        if (r < 0)
                config_diff_done(&d);
        else
                *ret = d;
        return r;
}
