/* method-config-set.c - config.plan, config.set, config.get, enable, disable: what is wanted, looked at and changed. */
#include "control/control-call.h"
#include "control/control-room.h"
#include "control/fault-answer.h"
#include "control/method.h"
#include "control/selection.h"

#include "base/alloc.h"
#include "base/glob.h"

/* ---- config.plan ---- */

static void handle_config_plan(Call *c, const void *params) {
        const ControlWorld *world = &call_control(c)->world;
        _cleanup_config_faults_ ConfigFaults faults = {0};
        _cleanup_json_ json_t *stored = world->hooks.config_overrides(world->userdata), *overrides = json_deep_copy(stored);
        _cleanup_free_ char *changes = NULL, *shown = NULL, *text = NULL;
        int r = world->hooks.config_plan(&faults, &changes, world->userdata);
        Text *t;

        if (r < 0) {
                call_fail_faults(c, ERROR_INVALID, r, &faults);
                return;
        }
        shown = config_mask_changes(changes, selection_hides_secrets, c);
        if (overrides && config_mask_pools(overrides, selection_hides_secrets, c) == 0)
                text = json_dumps(overrides, JSON_COMPACT | JSON_REAL_PRECISION(15));
        if (!shown || !text) {
                call_errno(c, -ENOMEM, "cannot show the plan");
                return;
        }
        t = call_begin(c);
        json_put_object(t, NULL);
        json_put_raw(t, "changes", shown);
        json_put_raw(t, "overrides", text);
        json_end_object(t);
        call_end(c);
}

const Method method_config_plan = {
        .class = ACCESS_OBSERVE,
        .handler = handle_config_plan,
        .result = "{\"changes\": [{\"pool\",\"kind\", \"keys\": [{\"key\",\"from\",\"to\",\"class\"}...], \"class\",\"reason\"}...],\"overrides\":"
                  "{\"POOL\":{\"KEY\":VALUE}}}: what config.apply would do now; kind is add, remove or change, class live, next-start or "
                  "restart; pool is null for the keys of the file; blocked: the name is taken by one made at run time, queued: by one still stopping. "
                  "Values of env are \"***\" for whoever does not administer the pool",
};

/* ---- config.set ---- */

typedef struct ConfigSetParams {
        const char *pool, *key;
        json_t *value;
        bool persist;
} ConfigSetParams;

static const ConfigSetParams config_set_defaults = {.persist = true};

static const JsonField config_set_fields[] = {
        {"pool", JSON_FIELD_STRING, offsetof(ConfigSetParams, pool), .required = true, .help = "its name"},
        {"key", JSON_FIELD_STRING, offsetof(ConfigSetParams, key), .required = true, .help = "a key of drover.json(5), \"restart.delay\""},
        {"value", JSON_FIELD_VALUE, offsetof(ConfigSetParams, value), .required = true,
         .help = "as in the file; null takes the override back"},
        {"persist", JSON_FIELD_BOOL, offsetof(ConfigSetParams, persist), .help = "also over a restart of the machine (true)"},
        {0},
};

static void fail_key(Call *c, const char *key) {
        const char *near = config_path_nearest(key);

        if (near)
                call_fail(c, ERROR_INVALID, "a pool has no key \"%s\"; did you mean \"%s\"?", key, near);
        else
                call_fail(c, ERROR_INVALID, "a pool has no key \"%s\"; drover.json(5) lists them", key);
}

/* NULL: the call was answered. */
static Pool *settable_pool(Call *c, const char *name) {
        Pool *pool = selection_pool(c, name);

        if (pool && pool_is_run(pool))
                call_fail(c, ERROR_INVALID, "%s is one process of `run`; only pools have a configuration to change", name);
        else if (pool && pool_is_removing(pool))
                call_fail(c, ERROR_INVALID, "pool %s was removed and is only stopping", name);
        else
                return pool;
        return NULL;
}

static void handle_config_set(Call *c, const void *params) {
        const ConfigSetParams *p = params;
        const ControlWorld *world = &call_control(c)->world;
        _cleanup_config_faults_ ConfigFaults faults = {0};
        _cleanup_free_ char *changes = NULL;
        Pool *pool;
        Text *t;
        int r;

        call_set_object(c, p->pool);
        pool = settable_pool(c, p->pool);
        if (!pool)
                return;
        r = world->hooks.config_set(pool, p->key, p->value, p->persist, &faults, &changes, world->userdata);
        if (r == -ENOENT) {
                fail_key(c, p->key);
                return;
        }
        if (r < 0 && faults.n == 0 && *pool_set_fault(world->pools)) {
                call_fail(c, ERROR_FAILED, "%s", pool_set_fault(world->pools));
                return;
        }
        if (r < 0) {
                call_fail_faults(c, ERROR_INVALID, r, &faults);
                return;
        }
        t = call_begin(c);
        json_put_object(t, NULL);
        json_put_raw(t, "changes", changes);
        json_end_object(t);
        call_end(c);
}

const Method method_config_set = {
        .class = ACCESS_ADMINISTER,
        .is_changing = true,
        .handler = handle_config_set,
        .fields = config_set_fields,
        .params_size = sizeof(ConfigSetParams),
        .defaults = &config_set_defaults,
        .result = "{\"changes\":[...]}: what was done, as config.plan has it; empty when it was so already. The value lies over the "
                  "configuration from now on, whatever the files say; of a pool made at run time it is simply changed",
};

/* ---- config.get ---- */

typedef struct ConfigGetParams {
        const char *pool, *key;
} ConfigGetParams;

static const JsonField config_get_fields[] = {
        {"pool", JSON_FIELD_STRING, offsetof(ConfigGetParams, pool), .required = true, .help = "its name"},
        {"key", JSON_FIELD_STRING, offsetof(ConfigGetParams, key), .help = "a key of drover.json(5) (all)"},
        {0},
};

/* Values of the configuration are shared with it, so a copy is masked. */
static bool mask_value(json_t **value, const char *key) {
        _cleanup_json_ json_t *holder = json_object(), *copy = json_deep_copy(*value);
        int r;

        if (!holder || !copy || json_object_set(holder, key ? key : "", copy) < 0)
                return false;
        r = !key ? config_mask_pool(copy) : config_path_is_secret(key) ? config_mask_member(holder, key) : 0;
        json_decref(*value);
        *value = json_incref(json_object_get(holder, key ? key : ""));
        return r == 0;
}

static void handle_config_get(Call *c, const void *params) {
        const ConfigGetParams *p = params;
        const ControlWorld *world = &call_control(c)->world;
        Pool *pool = selection_pool(c, p->pool);
        _cleanup_json_ json_t *value = NULL, *overrides = NULL;
        _cleanup_free_ char *text = NULL;
        Text *t;

        if (!pool)
                return;
        value = p->key ? config_value_get(pool_config(pool), p->key) : config_value_all(pool_config(pool));
        if (!value && p->key) {
                fail_key(c, p->key);
                return;
        }
        if (selection_hides_secrets(p->pool, c) && !mask_value(&value, p->key)) {
                call_errno(c, -ENOMEM, "cannot show the value");
                return;
        }
        overrides = world->hooks.config_overrides(world->userdata);
        text = value ? json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15)) : NULL;
        if (!text) {
                call_errno(c, -ENOMEM, "cannot show the value");
                return;
        }
        t = call_begin(c);
        json_put_object(t, NULL);
        json_put_raw(t, "value", text);
        if (p->key)
                json_put_bool(t, "overridden", json_object_get(json_object_get(overrides, p->pool), p->key) != NULL);
        json_end_object(t);
        call_end(c);
}

const Method method_config_get = {
        .class = ACCESS_OBSERVE,
        .scope = METHOD_OF_POOLS,
        .handler = handle_config_get,
        .fields = config_get_fields,
        .params_size = sizeof(ConfigGetParams),
        .result = "{\"value\",\"overridden\"}: as it is in force; null for a key that is not given and has no default one could write; "
                  "\"***\" for values of env, unless the caller administers the pool",
};

/* ---- enable, disable ---- */

typedef struct EnableParams {
        json_t *select;
} EnableParams;

static const JsonField enable_fields[] = {
        {"select", JSON_FIELD_STRINGS, offsetof(EnableParams, select), .required = true, .help = "pools, globs, \"all\""},
        {0},
};

static bool is_enablable(Pool *p) {
        return pool_origin(p) == POOL_FROM_CONFIG && !pool_is_removing(p);
}

static bool is_meant(const Pool *p, const char *const *selectors, size_t n) {
        for (size_t i = 0; i < n; i++)
                if (streq(selectors[i], "all") || glob_match(selectors[i], pool_name(p), 0))
                        return true;
        return false;
}

/* The pools of the selection in order of name, those without workers too. -errno: the call was answered. */
static int select_pools(Call *c, const json_t *select, Pool ***ret, size_t *ret_n) {
        const ControlWorld *world = &call_control(c)->world;
        _cleanup_selection_ Selection s = {0};
        size_t n_selectors = 0, n = 0;
        _cleanup_free_ const char **selectors = selection_strings(select, &n_selectors);
        _cleanup_free_ Pool **pools = NEW0_ARRAY(Pool *, pool_count(world->pools) + 1);
        int r = selection_resolve(c, select, &s);

        if (r < 0)
                return r;
        if (!selectors || !pools) {
                call_errno(c, -ENOMEM, "cannot look at the selection");
                return -ENOMEM;
        }
        for (size_t i = 0; i < n_selectors; i++)
                if (strchr(selectors[i], '/')) {
                        call_fail(c, ERROR_INVALID, "\"%.100s\" is a worker; only whole pools start with the daemon or do not", selectors[i]);
                        return -EINVAL;
                }
        for (Pool *p = pool_first(world->pools); p; p = pool_next(p)) {
                if (pool_is_removing(p) || call_pool_level(c, p) < ACCESS_OBSERVE || !is_meant(p, selectors, n_selectors))
                        continue;
                if (!method_may(c, call_pool_level(c, p), pool_name(p)))
                        return -EACCES;
                pools[n++] = p;
        }
        *ret = TAKE_PTR(pools);
        *ret_n = n;
        return 0;
}

/* What a wildcard matches besides is passed over; what is named must be of the configuration. */
static bool refuse_named(Call *c, Pool **pools, size_t n) {
        for (size_t i = 0; i < n; i++)
                if (is_enablable(pools[i]))
                        return false;
        if (n == 0)
                return false;
        call_fail(c, ERROR_INVALID, "%s was made at run time and ends with the daemon; to have it started with the daemon, put it into the "
                                    "configuration", pool_name(pools[0]));
        return true;
}

static int enable_one(Call *c, Pool *p, bool enable) {
        const ControlWorld *world = &call_control(c)->world;
        _cleanup_config_faults_ ConfigFaults faults = {0};
        _cleanup_json_ json_t *value = json_boolean(enable);
        _cleanup_free_ char *changes = NULL;
        int r = world->hooks.config_set(p, "autostart", value, true, &faults, &changes, world->userdata);

        if (r < 0)
                call_fail_faults(c, ERROR_FAILED, r, &faults);
        return r;
}

static void enable(Call *c, const EnableParams *p, bool is_enabled) {
        _cleanup_free_ Pool **pools = NULL;
        size_t n;
        Text *t;

        selection_object(c, p->select);
        if (select_pools(c, p->select, &pools, &n) < 0 || refuse_named(c, pools, n))
                return;
        for (size_t i = 0; i < n; i++)
                if (is_enablable(pools[i]) && enable_one(c, pools[i], is_enabled) < 0)
                        return;
        t = call_begin(c);
        json_put_object(t, NULL);
        json_put_array(t, "pools");
        for (size_t i = 0; i < n; i++) {
                if (!is_enablable(pools[i]))
                        continue;
                json_put_object(t, NULL);
                json_put_string(t, "name", pool_name(pools[i]));
                json_put_bool(t, "enabled", is_enabled);
                json_end_object(t);
        }
        json_end_array(t);
        json_end_object(t);
        call_end(c);
}

static void handle_enable(Call *c, const void *params) {
        enable(c, params, true);
}

static void handle_disable(Call *c, const void *params) {
        enable(c, params, false);
}

#define ENABLE_METHOD(name)                                                                                          \
        const Method method_##name = {                                                                               \
                .class = ACCESS_OPERATE,                                                                             \
                .scope = METHOD_OF_POOLS,                                                                            \
                .is_changing = true,                                                                                 \
                .handler = handle_##name,                                                                            \
                .fields = enable_fields,                                                                             \
                .params_size = sizeof(EnableParams),                                                                 \
                .result = "{\"pools\":[{\"name\",\"enabled\"}...]}; what runs, or does not, is left as it is",       \
        }
ENABLE_METHOD(enable);
ENABLE_METHOD(disable);
