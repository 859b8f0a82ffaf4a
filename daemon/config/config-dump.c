/* config-dump.c - a Config as JSON, and one pool with what was looked up for it, to survive droverd's own death. */
#include "base/alloc.h"
#include "base/json.h"
#include "config/config-validate.h"

json_t *config_dump(const Config *c) {
        _cleanup_json_ json_t *root = json_object(), *pools = json_object();
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

/* Keys whose values depend on the world outside: not looked up again when a pool is put back. */
static const char *const looked_up[] = { "workers", "user", "group", "groups", "env", "env_file", "clear_env", "no_new_privileges" };

static json_t *pack_groups(const PoolConfig *p) {
        json_t *groups = json_array();
        for (size_t i = 0; groups && i < p->n_groups; i++)
                (void) json_array_append_new(groups, json_integer(p->groups[i]));
        return groups;
}

static json_t *pack_env(const PoolConfig *p) {
        json_t *env = json_array();
        for (char **v = p->env; env && *v; v++)
                (void) json_array_append_new(env, json_string(*v));
        return env;
}

json_t *pool_config_pack(const PoolConfig *p) {
        return json_pack("{s:O, s:b, s:{s:i, s:s*, s:b, s:I, s:I, s:o, s:s*, s:b, s:o}}", "source", p->source, "is_run", p->is_run,
                         "resolved", "workers", (int) p->workers, "workers_text", p->workers_text, "identity",
                         p->has_identity, "uid", (json_int_t) p->uid, "gid", (json_int_t) p->gid, "groups", pack_groups(p),
                         "user", p->user_name, "no_new_privileges", p->no_new_privs, "env", pack_env(p));
}

static int unpack_groups(json_t *groups, PoolConfig *p) {
        size_t n = json_array_size(groups);

        free(p->groups);
        p->n_groups = 0;
        p->groups = NEW0_ARRAY(gid_t, n + 1);
        if (!p->groups)
                return -ENOMEM;
        for (; p->n_groups < n; p->n_groups++)
                p->groups[p->n_groups] = (gid_t) json_integer_value(json_array_get(groups, p->n_groups));
        return 0;
}

static int unpack_env(json_t *array, PoolConfig *p) {
        size_t n = json_array_size(array);
        _cleanup_(strv_freep) char **env = NEW0_ARRAY(char *, n + 1);

        if (!env)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                const char *s = json_string_value(json_array_get(array, i));
                env[i] = alloc_strdup(s ? s : "");
                if (!env[i])
                        return -ENOMEM;
        }
        strv_free(p->env);
        p->env = TAKE_PTR(env);
        return 0;
}

static int replace_string(char **target, const char *s) {
        char *copy = alloc_strdup(s);
        if (s && !copy)
                return -ENOMEM;
        free(*target);
        *target = copy;
        return 0;
}

static int unpack_resolved(json_t *o, PoolConfig *p) {
        const char *user = NULL, *workers_text = NULL;
        int workers, has_identity, no_new_privs, r;
        json_t *groups, *env;
        json_int_t uid, gid;

        if (json_unpack(o, "{s:i, s?s, s:b, s:I, s:I, s:o, s?s, s:b, s:o}", "workers", &workers, "workers_text",
                        &workers_text, "identity", &has_identity, "uid", &uid, "gid", &gid, "groups", &groups, "user", &user,
                        "no_new_privileges", &no_new_privs, "env", &env) < 0)
                return -EBADMSG;
        p->workers = (unsigned) workers;
        p->has_identity = has_identity;
        p->no_new_privs = no_new_privs;
        p->uid = (uid_t) uid;
        p->gid = (gid_t) gid;
        r = replace_string(&p->user_name, user);
        if (r == 0)
                r = replace_string(&p->workers_text, workers_text);
        if (r == 0)
                r = unpack_groups(groups, p);
        return r == 0 ? unpack_env(env, p) : r;
}

int pool_config_unpack(const char *name, json_t *o, const ConfigContext *ctx, PoolConfig **ret) {
        _cleanup_(pool_config_unrefp) PoolConfig *p = NULL;
        _cleanup_config_faults_ ConfigFaults faults = { 0 };
        json_t *source = json_object_get(o, "source");
        _cleanup_json_ json_t *rest = json_copy(source);
        int r;

        if (!json_is_object(source))
                return -EBADMSG;
        if (!rest)
                return -ENOMEM;
        for (size_t i = 0; i < ARRAY_SIZE(looked_up); i++)
                (void) json_object_del(rest, looked_up[i]);
        r = pool_config_from_json(name, rest, json_is_true(json_object_get(o, "is_run")), ctx, &p, &faults);
        if (r == 0)
                r = unpack_resolved(json_object_get(o, "resolved"), p);
        if (r < 0)
                return r;
        json_decref(p->source);
        p->source = json_incref(source);
        *ret = TAKE_PTR(p);
        return 0;
}
