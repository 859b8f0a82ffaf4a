/* config-reuse.c - one configuration is remembered; those like it borrow its words and count it (PoolConfig.base).
 *
 * Like it is: the same keys, all of them of the table below, with the same values but for the arguments. In the command of a
 * start method without template the arguments are words, so that one is never reused. */
#include "config/config-reuse.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/parse.h"

static struct {
        PoolConfig *config; /* counted; NULL: none */
        ConfigContext context;
        usec_t until;
} last;

static bool is_argument(const char *key) {
        return streq(key, "args") || streq(key, "kwargs");
}

/* Nothing that is looked up but the module, the own account and $LANG. */
static bool is_plain_key(const char *key) {
        static const char *const keys[] = {"module", "target", "args", "kwargs", "start_method", "env", "clear_env", "directory", "umask"};

        for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
                if (streq(keys[i], key))
                        return true;
        return false;
}

static bool is_same_context(const ConfigContext *a, const ConfigContext *b) {
        return a->is_system == b->is_system && a->uid == b->uid && a->workers_max == b->workers_max && a->is_blind == b->is_blind &&
               a->host_program == b->host_program && a->module_path == b->module_path;
}

static bool is_alike(json_t *source, json_t *o) {
        const char *key;
        json_t *v;

        if (!json_is_object(o) || json_object_size(o) != json_object_size(source))
                return false;
        json_object_foreach(source, key, v) {
                json_t *other = json_object_get(o, key);

                if (!other || (!is_argument(key) && !json_equal(v, other)))
                        return false;
        }
        return true;
}

/* The values of @source, which never change, and the arguments of @o. */
static json_t *source_with(json_t *source, json_t *o) {
        _cleanup_json_ json_t *result = json_object();
        const char *key;
        json_t *v;

        if (!result)
                return NULL;
        json_object_foreach(source, key, v)
                if (json_object_set_nocheck(result, key, is_argument(key) ? json_object_get(o, key) : v) < 0)
                        return NULL;
        return TAKE_PTR(result);
}

static PoolConfig *config_like(PoolConfig *base, const char *name, json_t *o) {
        _cleanup_(pool_config_unrefp) PoolConfig *p = NEW0(PoolConfig);

        if (!p)
                return NULL;
        *p = *base;
        p->n_ref = 1;
        p->base = pool_config_ref(base);
        p->args = p->kwargs = NULL;
        p->name = alloc_strdup(name);
        p->source = source_with(base->source, o);
        return p->name && p->source ? TAKE_PTR(p) : NULL;
}

static void arguments_read(ConfigCheck *c, json_t *o, PoolConfig *p) {
        const char *name;
        json_t *v;

        json_object_foreach(o, name, v) {
                const ConfigKey *key = is_argument(name) ? config_key_find(CONFIG_SCOPE_POOL, "", name) : NULL;
                Spot here = {.key = name};

                if (key)
                        key->type->read(c, &here, v, key, p);
        }
}

int config_reuse(ConfigCheck *c, const char *name, json_t *o, PoolConfig **ret) {
        _cleanup_(pool_config_unrefp) PoolConfig *p = NULL;
        size_t n_before = c->faults->n;

        if (!last.config || clock_now() >= last.until || !is_same_context(&last.context, c->ctx) || !name_is_valid(name) ||
            !is_alike(last.config->source, o))
                return 0;
        p = config_like(last.config, name, o);
        if (!p)
                return -ENOMEM;
        arguments_read(c, o, p);
        if (c->error)
                return c->error;
        if (c->faults->n > n_before)
                return -EBADMSG;
        *ret = TAKE_PTR(p);
        return 1;
}

void config_reuse_remember(PoolConfig *p, const ConfigContext *ctx) {
        const char *key;
        json_t *v;

        if (!p->module || !p->target || p->start_method == START_SPAWN)
                return;
        json_object_foreach(p->source, key, v)
                if (!is_plain_key(key))
                        return;
        pool_config_unref(last.config);
        last.config = pool_config_ref(p);
        last.context = *ctx;
        last.until = usec_add(clock_now(), CONFIG_REUSE_USEC);
}
