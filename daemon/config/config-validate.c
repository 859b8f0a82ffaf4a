/* config-validate.c - JSON to PoolConfig, collecting every fault.
 *
 * The members are read one by one through the table; what is bad becomes a fault and the reading goes on, so one run
 * shows all. Contradictions between keys are looked for at the end, by config-finish. */
#include "config/config-validate.h"
#include "base/alloc.h"
#include "base/parse.h"
#include "config/config-reuse.h"

#define READY_TRY_TIMEOUT (2 * USEC_PER_SEC) /* of one try of a probe of `ready` */

/* The table's own words: a value, never an object. */
static const JsonLimits default_limits = { .max_bytes = 64, .max_nodes = 16, .max_depth = 2 };

static void fault_unknown(ConfigCheck *c, const Spot *at, ConfigScope scope, const char *prefix) {
        const char *near = config_key_nearest(scope, prefix, at->key);

        if (near)
                config_fault_key(c, at, "unknown key; did you mean \"%s\"?", near);
        else if (scope == CONFIG_SCOPE_TOP && config_key_find(CONFIG_SCOPE_POOL, "", at->key))
                config_fault_key(c, at, "unknown key; it belongs into a pool: { \"pools\": { \"NAME\": { ... } } }");
        else if (scope == CONFIG_SCOPE_TOP)
                config_fault_key(c, at, "unknown key; pools stand in \"pools\": { \"pools\": { \"NAME\": { ... } } }");
        else
                config_fault_key(c, at, "unknown key");
}

static void read_member(ConfigCheck *c, const Spot *at, json_t *v, const ConfigKey *key, void *object) {
        if (config_key_is_object(key) && json_is_object(v))
                config_validate_members(c, at, v, key->scope, key->path, object);
        else if (key->short_type && json_is_string(v))
                key->short_type->read(c, at, v, key, object);
        else
                key->type->read(c, at, v, key, object);
}

void config_validate_members(ConfigCheck *c, const Spot *at, json_t *o, ConfigScope scope, const char *prefix, void *object) {
        const char *name;
        json_t *v;

        json_object_foreach(o, name, v) {
                Spot here = { .up = at, .key = name };
                const ConfigKey *key = config_key_find(scope, prefix, name);
                if (key)
                        read_member(c, &here, v, key, object);
                else
                        fault_unknown(c, &here, scope, prefix);
        }
}

int config_defaults_read(ConfigScope scope, void *object) {
        ConfigFaults faults = { 0 };
        ConfigContext ctx = { .is_system = true };
        ConfigCheck c = { .ctx = &ctx, .faults = &faults };

        for (size_t i = 0; i < n_config_keys; i++) {
                const ConfigKey *key = &config_keys[i];
                JsonFault fault;
                json_t *v;
                int r;

                if (key->scope != scope || !key->default_json || !key->type->equal)
                        continue;
                r = json_load_bounded(key->default_json, strlen(key->default_json), &default_limits, &v, &fault);
                if (r < 0)
                        return r;
                key->type->read(&c, NULL, v, key, object);
                json_decref(v);
        }
        int r = c.error ? c.error : faults.n > 0 ? -EINVAL : 0;
        config_faults_done(&faults);
        return r;
}

/* Of a pool they are read once. They own no memory, so a pool begins as a copy. */
static int pool_defaults_get(const PoolConfig **ret) {
        static PoolConfig defaults;
        static bool is_ready;
        int r = is_ready ? 0 : config_defaults_read(CONFIG_SCOPE_POOL, &defaults);

        if (r < 0)
                return r;
        is_ready = true;
        defaults.ready_probe.timeout = READY_TRY_TIMEOUT;
        *ret = &defaults;
        return 0;
}

static int compare_keys(const void *a, const void *b) {
        const ConfigKey *const *x = a, *const *y = b;

        return *x < *y ? -1 : *x > *y;
}

/* Exactly the keys given, in the order of the table. */
static json_t *source_of(json_t *o) {
        _cleanup_free_ const ConfigKey **keys = NEW0_ARRAY(const ConfigKey *, json_object_size(o));
        _cleanup_json_ json_t *source = json_object();
        const char *name;
        size_t n = 0;
        json_t *v;

        if (!keys || !source)
                return NULL;
        json_object_foreach(o, name, v) {
                keys[n] = config_key_find(CONFIG_SCOPE_POOL, "", name);
                n += keys[n] != NULL;
        }
        qsort(keys, n, sizeof(*keys), compare_keys);
        for (size_t i = 0; i < n; i++)
                if (json_object_set_new(source, keys[i]->path, json_deep_copy(json_object_get(o, keys[i]->path))) < 0)
                        return NULL;
        return TAKE_PTR(source);
}

static void check_name(ConfigCheck *c, const Spot *at, const char *name) {
        Spot parameter = { .key = "name" };

        if (!name_is_valid(name))
                config_fault_key(c, at ? at : &parameter, "not a name: \"%.64s\"; it must be like [a-z0-9][a-z0-9_.-]*, at most %d characters",
                                 name, NAME_LENGTH_MAX);
}

int config_validate_pool(ConfigCheck *c, const Spot *at, const char *name, json_t *o, PoolConfig **ret) {
        _cleanup_(pool_config_unrefp) PoolConfig *p = NEW0(PoolConfig);
        const PoolConfig *defaults;
        size_t n_before = c->faults->n;
        int r = pool_defaults_get(&defaults);

        if (r < 0 || !p) {
                c->error = r < 0 ? r : -ENOMEM;
                return c->error;
        }
        *p = *defaults;
        p->n_ref = 1;
        p->ready_fd = -1;
        p->is_run = c->is_run;
        if (c->is_run)
                p->restart.policy = RESTART_NEVER_AGAIN;
        p->name = alloc_strdup(name);
        if (!p->name)
                c->error = -ENOMEM;
        check_name(c, at, name);
        if (json_is_object(o)) {
                config_validate_members(c, at, o, CONFIG_SCOPE_POOL, "", p);
                config_pool_finish(c, at, o, p);
                p->source = source_of(o);
                if (!p->source)
                        c->error = -ENOMEM;
        } else
                config_fault_value(c, at, "expected an object: { \"command\": [...] }");
        if (c->error)
                return c->error;
        if (c->faults->n > n_before || c->faults->n > CONFIG_FAULTS_MAX)
                return -EBADMSG;
        *ret = TAKE_PTR(p);
        return 0;
}

int pool_config_from_json(const char *name, json_t *o, bool is_run, const ConfigContext *ctx, PoolConfig **ret,
                          ConfigFaults *faults) {
        ConfigCheck c = { .ctx = ctx, .faults = faults, .is_run = is_run };
        int r = is_run ? config_reuse(&c, name, o, ret) : 0;

        if (r != 0)
                return MIN(r, 0);
        r = config_validate_pool(&c, NULL, name, o, ret);
        if (r == 0 && is_run)
                config_reuse_remember(*ret, ctx);
        return r;
}
