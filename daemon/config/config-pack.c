/* config-pack.c - one pool with what was looked up for it, to survive droverd's own death.
 *
 * Accounts, files and the number of CPUs may be others by then, or gone; the workers that run shall be kept all the same. */
#include "base/alloc.h"
#include "base/json.h"
#include "config/config-validate.h"

/* Keys whose values depend on the world outside: not looked up again when a pool is put back. */
static const char *const looked_up[] = { "workers",   "user",      "group", "groups", "env", "env_file",
                                         "clear_env", "no_new_privileges", "access" };

static const char *const role_names[_ROLE_MAX] = { "observe", "submit", "operate", "administer" };

static json_t *pack_ids(const uint32_t *ids, size_t n) {
        json_t *array = json_array();
        for (size_t i = 0; array && i < n; i++)
                (void) json_array_append_new(array, json_integer(ids[i]));
        return array;
}

static json_t *pack_env(const PoolConfig *p) {
        json_t *env = json_array();
        for (char **v = p->env; env && *v; v++)
                (void) json_array_append_new(env, json_string(*v));
        return env;
}

static json_t *pack_owners(const PoolConfig *p) {
        json_t *owners = json_array();
        for (size_t i = 0; owners && i < p->n_listen; i++)
                (void) json_array_append_new(owners, json_pack("[b, I, I]", p->listen[i].has_owner, (json_int_t) p->listen[i].uid,
                                                               (json_int_t) p->listen[i].gid));
        return owners;
}

json_t *access_config_pack(const AccessConfig *a) {
        json_t *access = json_object();
        for (size_t i = 0; access && i < _ROLE_MAX; i++) {
                const AccessList *l = &a->roles[i];
                if (l->is_given)
                        (void) json_object_set_new(access, role_names[i], json_pack("{s:b, s:o, s:o}", "all", l->everybody, "uids",
                                                                                   pack_ids(l->uids, l->n_uids), "gids", pack_ids(l->gids, l->n_gids)));
        }
        return access;
}

static json_t *pack_size(const PoolConfig *p) {
        return json_pack("{s:i, s:s*, s:i, s:i, s:I}", "number", (int) p->workers, "text", p->workers_text, "min", (int) p->workers_min,
                         "max", (int) p->workers_max, "idle", (json_int_t) p->workers_idle);
}

json_t *pool_config_pack(const PoolConfig *p) {
        return json_pack("{s:O, s:b, s:{s:o, s:b, s:I, s:I, s:o, s:s*, s:b, s:o, s:o, s:o, s:s*}}", "source", p->source, "is_run", p->is_run,
                         "resolved", "workers", pack_size(p), "identity", p->has_identity, "uid", (json_int_t) p->uid, "gid",
                         (json_int_t) p->gid, "groups", pack_ids(p->groups, p->n_groups), "user", p->user_name,
                         "no_new_privileges", p->no_new_privs, "env", pack_env(p), "owners", pack_owners(p), "access", access_config_pack(&p->access),
                         "module", p->module);
}

/* ---- back ---- */

static int unpack_ids(json_t *array, uint32_t **ids, size_t *n_ids) {
        size_t n = json_array_size(array);
        uint32_t *copy = NEW0_ARRAY(uint32_t, n + 1);

        if (!copy)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++)
                copy[i] = (uint32_t) json_integer_value(json_array_get(array, i));
        free(*ids);
        *ids = copy;
        *n_ids = n;
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

int access_config_unpack(json_t *o, AccessConfig *ret) {
        int r = 0;

        for (size_t i = 0; r == 0 && i < _ROLE_MAX; i++) {
                json_t *role = json_object_get(o, role_names[i]);
                AccessList *l = &ret->roles[i];
                if (!role)
                        continue;
                l->is_given = true;
                l->everybody = json_is_true(json_object_get(role, "all"));
                r = unpack_ids(json_object_get(role, "uids"), &l->uids, &l->n_uids);
                if (r == 0)
                        r = unpack_ids(json_object_get(role, "gids"), &l->gids, &l->n_gids);
        }
        return r;
}

/* Sockets are sorted by name on both sides. */
static void unpack_owners(json_t *array, PoolConfig *p) {
        for (size_t i = 0; i < p->n_listen; i++) {
                json_t *owner = json_array_get(array, i);
                p->listen[i].has_owner = json_is_true(json_array_get(owner, 0));
                p->listen[i].uid = (uid_t) json_integer_value(json_array_get(owner, 1));
                p->listen[i].gid = (gid_t) json_integer_value(json_array_get(owner, 2));
        }
}

static int unpack_size(json_t *o, PoolConfig *p) {
        const char *text = NULL;
        int number, min, max;
        json_int_t idle;

        if (json_unpack(o, "{s:i, s?s, s:i, s:i, s:I}", "number", &number, "text", &text, "min", &min, "max", &max, "idle", &idle) < 0)
                return -EBADMSG;
        p->workers = (unsigned) number;
        p->workers_min = (unsigned) min;
        p->workers_max = (unsigned) max;
        p->workers_idle = (usec_t) idle;
        return replace_string(&p->workers_text, text);
}

static int unpack_resolved(json_t *o, PoolConfig *p) {
        json_t *size, *groups, *env, *owners, *access;
        int has_identity, no_new_privs, r;
        const char *user = NULL;
        json_int_t uid, gid;

        if (json_unpack(o, "{s:o, s:b, s:I, s:I, s:o, s?s, s:b, s:o, s:o, s:o}", "workers", &size, "identity", &has_identity, "uid", &uid,
                        "gid", &gid, "groups", &groups, "user", &user, "no_new_privileges", &no_new_privs, "env", &env, "owners",
                        &owners, "access", &access) < 0)
                return -EBADMSG;
        p->has_identity = has_identity;
        p->no_new_privs = no_new_privs;
        p->uid = (uid_t) uid;
        p->gid = (gid_t) gid;
        unpack_owners(owners, p);
        r = unpack_size(size, p);
        if (r == 0)
                r = replace_string(&p->user_name, user);
        if (r == 0)
                r = unpack_ids(groups, &p->groups, &p->n_groups);
        if (r == 0)
                r = access_config_unpack(access, &p->access);
        return r == 0 ? unpack_env(env, p) : r;
}

/* What is left of @source when nothing has to be looked up: a new reference. @module: where it was found. */
static json_t *without_looked_up(json_t *source, json_t *module) {
        _cleanup_json_ json_t *rest = json_deep_copy(source);
        const char *name;
        json_t *item;

        if (!rest)
                return NULL;
        for (size_t i = 0; i < ARRAY_SIZE(looked_up); i++)
                (void) json_object_del(rest, looked_up[i]);
        if (module && json_object_set(rest, "module", module) < 0)
                return NULL;
        json_object_foreach(json_object_get(rest, "listen"), name, item) {
                (void) json_object_del(item, "user");
                (void) json_object_del(item, "group");
        }
        return TAKE_PTR(rest);
}

int pool_config_unpack(const char *name, json_t *o, const ConfigContext *ctx, PoolConfig **ret) {
        _cleanup_(pool_config_unrefp) PoolConfig *p = NULL;
        _cleanup_config_faults_ ConfigFaults faults = { 0 };
        json_t *source = json_object_get(o, "source"), *resolved = json_object_get(o, "resolved");
        _cleanup_json_ json_t *rest = NULL;
        ConfigContext blind = *ctx;
        int r;

        if (!json_is_object(source))
                return -EBADMSG;
        rest = without_looked_up(source, json_object_get(resolved, "module"));
        if (!rest)
                return -ENOMEM;
        blind.is_blind = true;
        r = pool_config_from_json(name, rest, json_is_true(json_object_get(o, "is_run")), &blind, &p, &faults);
        if (r == 0)
                r = unpack_resolved(resolved, p);
        if (r < 0)
                return r;
        json_decref(p->source);
        p->source = json_incref(source);
        *ret = TAKE_PTR(p);
        return 0;
}
