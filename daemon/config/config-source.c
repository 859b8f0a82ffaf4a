/* config-source.c - one key of a pool by its dotted path: read as it is in force, or put into the JSON it came from.
 *
 * A short form ("restart": "never") is seen through, and opened into its object where another member is put beside it.
 * Paths are those of the table, and beyond it "env.NAME", "listen.NAME" and "listen.NAME.KEY". */
#include "base/alloc.h"
#include "base/json.h"
#include "base/parse.h"
#include "config/config-validate.h"

static const JsonLimits default_limits = { .max_bytes = 64, .max_nodes = 16, .max_depth = 2 };

static const ConfigKey *find_row(const char *path) {
        for (size_t i = 0; i < n_config_keys; i++)
                if (config_keys[i].scope == CONFIG_SCOPE_POOL && streq(config_keys[i].path, path))
                        return &config_keys[i];
        return NULL;
}

/* The object that a short form of @object stands for: a new reference, NULL when memory is short. */
static json_t *open_short(const ConfigKey *object, json_t *value) {
        for (size_t i = 0; i < n_config_keys; i++)
                if (config_key_parent_is(&config_keys[i], CONFIG_SCOPE_POOL, object->path) &&
                    config_keys[i].type == object->short_type)
                        return json_pack("{s:O}", config_key_name(&config_keys[i]), value);
        if (json_is_string(value) && streq(json_string_value(value), "notify")) /* ready */
                return json_pack("{s:b}", "notify", true);
        return json_object();
}

/* The value of @key as it was written; a new reference or NULL. */
static json_t *written_value(json_t *source, const ConfigKey *key) {
        const char *dot = strchr(key->path, '.');
        _cleanup_free_ char *first = dot ? alloc_strndup(key->path, (size_t) (dot - key->path)) : NULL;
        json_t *top = json_object_get(source, first ? first : key->path);
        const ConfigKey *object;

        if (!dot)
                return json_incref(top);
        if (json_is_object(top))
                return json_incref(json_object_get(top, dot + 1));
        object = top && first ? find_row(first) : NULL;
        if (!object || !object->short_type)
                return NULL;
        _cleanup_json_ json_t *opened = open_short(object, top);
        return json_incref(json_object_get(opened, dot + 1));
}

static json_t *default_value(const ConfigKey *key) {
        JsonFault fault;
        json_t *v;

        if (!key->default_json || json_load_bounded(key->default_json, strlen(key->default_json), &default_limits, &v, &fault) < 0)
                return json_null();
        return v;
}

json_t *config_key_value(json_t *source, const ConfigKey *key) {
        json_t *v = written_value(source, key);

        for (size_t i = 0; !v && i < n_config_keys; i++)
                if (config_keys[i].is_alias && config_keys[i].scope == key->scope && config_keys[i].offset == key->offset)
                        v = written_value(source, &config_keys[i]);
        return v ? v : default_value(key);
}

/* "env.NAME", "listen.NAME", "listen.NAME.KEY": the names in *ret_rest, the row of the object; else NULL. */
static const ConfigKey *find_open_row(const char *path, const char **ret_rest) {
        const char *dot = strchr(path, '.');
        const ConfigKey *key;

        if (!dot || !dot[1])
                return NULL;
        _cleanup_free_ char *first = alloc_strndup(path, (size_t) (dot - path));
        key = first ? find_row(first) : NULL;
        if (!key || (key->type != &config_type_env && key->type != &config_type_listen))
                return NULL;
        *ret_rest = dot + 1;
        return key;
}

/* A dotted name in listen: the last part is a key of a socket, when there is such a key. */
static const char *listen_member(const ConfigKey *key, const char *rest) {
        const char *dot = strrchr(rest, '.');
        bool is_member = key->type == &config_type_listen && dot && config_key_find(CONFIG_SCOPE_LISTEN, "", dot + 1);
        return is_member ? dot + 1 : NULL;
}

json_t *config_source_get(json_t *source, const char *path) {
        const ConfigKey *key = find_row(path);
        const char *rest, *member;
        json_t *v;

        if (key) {
                v = written_value(source, key);
                return v ? v : json_null();
        }
        key = find_open_row(path, &rest);
        if (!key)
                return json_null();
        member = listen_member(key, rest);
        _cleanup_free_ char *name = alloc_strndup(rest, member ? (size_t) (member - rest) - 1 : strlen(rest));
        if (!name)
                return NULL;
        v = json_object_get(json_object_get(source, key->path), name);
        if (member)
                v = json_object_get(v, member);
        return v ? json_incref(v) : json_null();
}

json_t *config_value_get(const PoolConfig *p, const char *path) {
        const ConfigKey *key = find_row(path);
        const char *rest;
        json_t *v;

        if (key && key->type == &config_type_object && !json_object_get(p->source, key->path)) {
                json_t *whole = config_value_all(p);
                v = json_incref(json_object_get(whole, key->path));
                json_decref(whole);
                return v ? v : json_null();
        }
        if (key)
                return config_key_value(p->source, key);
        return find_open_row(path, &rest) ? config_source_get(p->source, path) : NULL;
}

/* @path in @all; objects are made as needed. What stands there as a single value (a fixed number of workers) has no members. */
static int put_value(json_t *all, const char *path, json_t *value_take) {
        const char *dot = strchr(path, '.');
        _cleanup_free_ char *first = dot ? alloc_strndup(path, (size_t) (dot - path)) : NULL;
        json_t *object = first ? json_object_get(all, first) : NULL;

        if (!dot)
                return json_object_set_new(all, path, value_take);
        if (object && !json_is_object(object)) {
                json_decref(value_take);
                return 0;
        }
        if (first && !object) {
                object = json_object();
                if (json_object_set_new(all, first, object) < 0)
                        object = NULL;
        }
        if (!object) {
                json_decref(value_take);
                return -1;
        }
        return json_object_set_new(object, dot + 1, value_take);
}

json_t *config_value_all(const PoolConfig *p) {
        _cleanup_json_ json_t *all = json_object();

        for (size_t i = 0; all && i < n_config_keys; i++) {
                const ConfigKey *key = &config_keys[i];
                json_t *v;

                if (key->scope != CONFIG_SCOPE_POOL || key->is_alias || key->type == &config_type_object)
                        continue;
                if (key->type->equal == NULL && !json_object_get(p->source, key->path))
                        continue;
                v = config_key_value(p->source, key);
                if (json_is_null(v) || (key->short_type && json_is_object(v))) {
                        json_decref(v);
                        continue; /* its members follow by themselves */
                }
                if (put_value(all, key->path, v) < 0)
                        return NULL;
        }
        return TAKE_PTR(all);
}

/* ---- setting ---- */

/* The object @name of @source as an object: opened from its short form, made when @make. */
static json_t *object_in(json_t *source, const char *name, const ConfigKey *row, bool make) {
        json_t *o = json_object_get(source, name), *opened;

        if (json_is_object(o) || (!o && !make))
                return o;
        opened = o && row && row->short_type ? open_short(row, o) : json_object();
        return json_object_set_new(source, name, opened) < 0 ? NULL : opened;
}

static int set_in(json_t *o, const char *name, json_t *value) {
        if (value)
                return json_object_set_new(o, name, json_deep_copy(value)) < 0 ? -ENOMEM : 0;
        (void) json_object_del(o, name);
        return 0;
}

static int set_member(json_t *source, const char *object, const ConfigKey *row, const char *name, json_t *value) {
        json_t *o = object_in(source, object, row, value != NULL);
        int r;

        if (!o)
                return value ? -ENOMEM : 0;
        r = set_in(o, name, value);
        if (json_object_size(o) == 0)
                (void) json_object_del(source, object);
        return r;
}

static int set_open(json_t *source, const ConfigKey *key, const char *rest, json_t *value) {
        const char *member = listen_member(key, rest);
        _cleanup_free_ char *name = alloc_strndup(rest, member ? (size_t) (member - rest) - 1 : strlen(rest));
        json_t *o, *socket;

        if (!name)
                return -ENOMEM;
        if (!member)
                return set_member(source, key->path, key, name, value);
        o = object_in(source, key->path, key, value != NULL);
        if (!o)
                return value ? -ENOMEM : 0;
        socket = json_object_get(o, name);
        if (socket && !json_is_object(socket)) { /* an address alone */
                const char *s = json_string_value(socket);
                json_t *opened = json_pack("{s:O}", s && strchr(s, '/') ? "unix" : "tcp", socket);
                if (json_object_set_new(o, name, opened) < 0)
                        return -ENOMEM;
        }
        return set_member(o, name, NULL, member, value);
}

int config_source_set(json_t *source, const char *path, json_t *value) {
        const ConfigKey *key = find_row(path);
        const char *rest, *dot = strchr(path, '.');

        if (key && !dot)
                return set_in(source, path, value);
        if (key) {
                _cleanup_free_ char *first = alloc_strndup(path, (size_t) (dot - path));
                return first ? set_member(source, first, find_row(first), dot + 1, value) : -ENOMEM;
        }
        key = find_open_row(path, &rest);
        return key ? set_open(source, key, rest, value) : -ENOENT;
}

const char *config_path_nearest(const char *path) {
        const char *dot = strchr(path, '.'), *near = NULL, *names[256];
        size_t n = 0;

        for (size_t i = 0; i < n_config_keys && n + 1 < ARRAY_SIZE(names); i++)
                if (config_keys[i].scope == CONFIG_SCOPE_POOL)
                        names[n++] = config_keys[i].path;
        names[n] = NULL;
        near = name_nearest(path, names);
        return near ? near : dot ? NULL : config_key_nearest(CONFIG_SCOPE_POOL, "", path);
}
