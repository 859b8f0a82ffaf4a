/* config-validate.c - JSON to PoolConfig, collecting every fault.
 *
 * The members are read one by one through the table; what is bad becomes a fault and the reading goes on, so one run
 * shows all. Contradictions between keys are looked for at the end, and only between values that were given. */
#include "config/config-validate.h"
#include "base/alloc.h"
#include "base/parse.h"

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
        if (key->type != &config_type_object)
                key->type->read(c, at, v, key, object);
        else if (json_is_object(v))
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

/* The table's defaults, read once by the table's own readers. They own no memory, so a pool begins as a copy. */
static int defaults_get(const PoolConfig **ret) {
        static PoolConfig defaults;
        static bool is_ready;
        ConfigFaults faults = { 0 };
        ConfigContext ctx = { .is_system = true };
        ConfigCheck c = { .ctx = &ctx, .faults = &faults };

        for (size_t i = 0; i < n_config_keys && !is_ready; i++) {
                const ConfigKey *key = &config_keys[i];
                if (key->scope != CONFIG_SCOPE_POOL || !key->default_json || !key->type->equal)
                        continue;
                _cleanup_json_ json_t *v = json_loads(key->default_json, JSON_DECODE_ANY, NULL);
                if (!v)
                        return -ENOMEM;
                key->type->read(&c, NULL, v, key, &defaults);
        }
        int r = c.error ? c.error : faults.n > 0 ? -EINVAL : 0;
        config_faults_done(&faults);
        if (r == 0) {
                is_ready = true;
                *ret = &defaults;
        }
        return r;
}

static json_t *member_of(json_t *o, const char *object, const char *name) {
        return json_object_get(json_object_get(o, object), name);
}

static void restart_finish(ConfigCheck *c, const Spot *at, json_t *o, PoolConfig *p) {
        bool gave_delay = member_of(o, "restart", "delay"), gave_max = member_of(o, "restart", "max_delay");
        Spot object = { .up = at, .key = "restart" }, max = { .up = &object, .key = "max_delay" };

        if (p->restart.max_delay >= p->restart.delay)
                return;
        /* against a default, what was written wins */
        if (!gave_max)
                p->restart.max_delay = p->restart.delay;
        else if (!gave_delay)
                p->restart.delay = p->restart.max_delay;
        else
                config_fault_value(c, &max, "max_delay is shorter than delay");
}

static void ready_finish(ConfigCheck *c, const Spot *at, json_t *o, PoolConfig *p) {
        json_t *ready = json_object_get(o, "ready");
        Spot object = { .up = at, .key = "ready" }, fd = { .up = &object, .key = "fd" };
        Spot timeout = { .up = &object, .key = "timeout" }, inner = { .up = &object, .key = "start_for" };
        Spot outer = { .up = at, .key = "start_for" };
        bool gave_fd = json_object_get(ready, "fd"), gave_inner = json_object_get(ready, "start_for");
        bool gave_outer = json_object_get(o, "start_for");

        if (gave_fd && json_is_true(json_object_get(ready, "notify")))
                config_fault_key(c, &fd, "notify and fd exclude each other");
        if (json_object_get(ready, "timeout") && p->ready == READY_EXEC && !gave_fd)
                config_fault_key(c, &timeout, "a timeout needs notify or fd beside it");
        if (gave_inner && gave_outer)
                config_fault_key(c, &inner, "start_for is also given for the pool itself");
        else if ((gave_inner || gave_outer) && p->ready != READY_EXEC)
                config_fault_key(c, gave_inner ? &inner : &outer, "start_for is only for a pool whose ready is \"exec\"");
        if (p->ready == READY_FD && p->has_limit[RLIMIT_NOFILE] && (rlim_t) p->ready_fd >= p->limits[RLIMIT_NOFILE].rlim_cur)
                config_fault_value(c, &fd, "this descriptor is beyond limits.nofile");
        /* between readings of the same kind the descriptor means nothing */
        if (p->ready != READY_FD)
                p->ready_fd = -1;
}

static void output_finish(ConfigCheck *c, const Spot *at, json_t *o, PoolConfig *p) {
        static const char *const names[] = { "max_size", "max_files" };
        Spot object = { .up = at, .key = "output" };

        for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
                Spot here = { .up = &object, .key = names[i] };
                if (member_of(o, "output", names[i]) && p->output != OUTPUT_LOG && p->output != OUTPUT_PATH)
                        config_fault_key(c, &here, "only \"log\" and a path are files of a size");
        }
}

/* Exactly the keys given, in the order of the table. */
static json_t *source_of(json_t *o) {
        _cleanup_json_ json_t *source = json_object();

        for (size_t i = 0; source && i < n_config_keys; i++) {
                const ConfigKey *key = &config_keys[i];
                json_t *v = json_object_get(o, key->path);
                if (key->scope != CONFIG_SCOPE_POOL || !v)
                        continue;
                if (json_object_set_new(source, key->path, json_deep_copy(v)) < 0)
                        return NULL;
        }
        return TAKE_PTR(source);
}

static void pool_finish(ConfigCheck *c, const Spot *at, json_t *o, PoolConfig *p) {
        if (!json_object_get(o, "command"))
                config_fault_key(c, at, "a pool needs a command: \"command\": [\"/usr/bin/program\", \"argument\"]");
        config_identity_finish(c, at, o, p);
        if (!json_object_get(o, "no_new_privileges"))
                p->no_new_privs = (p->has_identity ? p->uid : c->ctx->uid) != 0;
        config_env_finish(c, at, o, p);
        restart_finish(c, at, o, p);
        ready_finish(c, at, o, p);
        output_finish(c, at, o, p);
        p->source = source_of(o);
        if (!p->source)
                c->error = -ENOMEM;
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
        int r = defaults_get(&defaults);

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
                pool_finish(c, at, o, p);
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
        return config_validate_pool(&c, NULL, name, o, ret);
}
