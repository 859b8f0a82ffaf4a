/* config-load.c - the main file and pools.d beside it, in order of name, into one Config.
 *
 * Every file is read and checked even when an earlier one was faulty, so that one run shows all there is to repair. */
#include "base/alloc.h"
#include "base/text.h"
#include "build-config.h"
#include "config/config-file.h"
#include "config/config-validate.h"
#include "config/resolve.h"
#include <stdio.h>
#include <unistd.h>

#define DROP_IN_DIR "pools.d"

/* One load under way. */
typedef struct Load {
        ConfigCheck check;
        Config *config;
        size_t capacity, n_files, files_capacity;
        json_t *seen; /* "pool.NAME" or "key.NAME" -> file, to name the first of two */
} Load;

char *config_default_path(bool is_system) {
        const char *home = getenv("XDG_CONFIG_HOME");
        const Account *own;

        if (is_system)
                return alloc_strdup(DROVER_SYSCONFDIR "/drover.json");
        if (home && home[0] == '/')
                return alloc_printf("%s/drover/drover.json", home);
        home = getenv("HOME");
        if (!home || home[0] != '/') {
                if (resolve_own(geteuid(), &own) < 0)
                        return NULL;
                home = own->home;
        }
        return alloc_printf("%s/.config/drover/drover.json", home);
}

static int load_read(const Load *l, const char *path, char **ret_data, size_t *ret_size, char *fault, size_t fault_size) {
        const uid_t owners[] = { 0, l->check.ctx->uid };
        return config_file_read(path, CONFIG_FILE_MAX, owners, ARRAY_SIZE(owners), ret_data, ret_size, fault, fault_size);
}

/* Where @at stands in a file read before. Its text was not kept, so it is read again: this is for a fault, which is rare,
 * and keeping the place of every pool would be slow for all. 0 and 0 when the file changed meanwhile. */
static void locate_first(const Load *l, const char *path, const Spot *at, int *ret_line, int *ret_column) {
        _cleanup_config_text_ ConfigText text = { 0 };
        _cleanup_json_ json_t *root = NULL;
        ConfigSyntaxFault fault;
        char words[192], *data;
        size_t size;

        *ret_line = *ret_column = 0;
        if (load_read(l, path, &data, &size, words, sizeof(words)) == 0 &&
            config_text_parse(&text, path, data, size, &root, &fault) == 0)
                spot_locate(&text, at, true, ret_line, ret_column);
}

/* Whether @name was not yet given; else the fault names the place of the first. Twice in one file is a matter of syntax. */
static bool load_is_first(Load *l, const Spot *at, const char *kind, const char *name) {
        _cleanup_free_ char *id = alloc_printf("%s.%s", kind, name);
        int line, column;

        if (!id) {
                l->check.error = -ENOMEM;
                return false;
        }
        const char *first = json_string_value(json_object_get(l->seen, id));
        if (first) {
                locate_first(l, first, at, &line, &column);
                config_fault_key(&l->check, at, "this %s is already given at %s:%d:%d", kind, first, line, column);
                return false;
        }
        if (json_object_set_new_nocheck(l->seen, id, json_string_nocheck(l->check.text->file)) < 0)
                l->check.error = -ENOMEM;
        return true;
}

static void load_pool(Load *l, const Spot *at, const char *name, json_t *v) {
        _cleanup_(pool_config_unrefp) PoolConfig *p = NULL;
        Config *config = l->config;
        bool is_first = load_is_first(l, at, "pool", name);

        if (config_validate_pool(&l->check, at, name, v, &p) < 0 || !is_first)
                return;
        if (alloc_grow(&config->pools, &l->capacity, config->n_pools + 1, sizeof(*config->pools)) < 0)
                l->check.error = -ENOMEM;
        else
                config->pools[config->n_pools++] = TAKE_PTR(p);
}

/* A key of the file. Only pools and hooks may be spread over files. */
static void load_note_key(Load *l, const Spot *at, json_t *v) {
        json_t *source = l->config->source, *hooks = json_object_get(source, "hooks");
        const char *name;
        json_t *item;
        int r = 0;

        if (streq(at->key, "pools") || !config_key_find(CONFIG_SCOPE_TOP, "", at->key))
                return;
        if (!streq(at->key, "hooks"))
                (void) load_is_first(l, at, "key", at->key);
        else
                json_object_foreach(v, name, item) {
                        Spot here = { .up = at, .key = name };
                        (void) load_is_first(l, &here, "hook", name);
                }
        if (streq(at->key, "hooks") && json_is_object(v) && hooks)
                r = json_object_update(hooks, v);
        else
                r = json_object_set_new(source, at->key, json_deep_copy(v));
        if (r < 0)
                l->check.error = -ENOMEM;
}

static void load_root(Load *l, json_t *root) {
        Spot pools = { .key = "pools" };
        const char *name;
        json_t *v;

        if (!json_is_object(root)) {
                config_fault_value(&l->check, NULL, "expected an object: { \"pools\": { ... } }");
                return;
        }
        json_object_foreach(root, name, v) {
                Spot here = { .key = name };
                load_note_key(l, &here, v);
        }
        config_validate_members(&l->check, NULL, root, CONFIG_SCOPE_TOP, "", l->config);
        json_object_foreach(json_object_get(root, "pools"), name, v) {
                Spot here = { .up = &pools, .key = name };
                load_pool(l, &here, name, v);
        }
}

static void load_text(Load *l, const char *path, char *data_consume, size_t size) {
        _cleanup_config_text_ ConfigText text = { 0 };
        _cleanup_json_ json_t *root = NULL;
        ConfigSyntaxFault fault;
        size_t first = l->check.faults->n;
        int line, column, r = config_text_parse(&text, path, data_consume, size, &root, &fault);

        if (r == -EBADMSG) {
                config_text_position(&text, fault.offset, &line, &column);
                config_fault_unplaced(&l->check, path, line, column, NULL, "%s", fault.text);
        } else if (r < 0)
                l->check.error = r;
        if (root) {
                l->check.text = &text;
                load_root(l, root);
                l->check.text = NULL;
                config_faults_sort(l->check.faults, first);
        }
}

static void load_note_file(Load *l, const char *path) {
        Config *config = l->config;

        if (alloc_grow(&config->files, &l->files_capacity, l->n_files + 2, sizeof(*config->files)) < 0 ||
            !(config->files[l->n_files] = alloc_strdup(path)))
                l->check.error = -ENOMEM;
        else
                l->n_files++;
}

static void load_file(Load *l, const char *path, bool may_be_missing) {
        char fault[192], *data;
        size_t size;
        int r = load_read(l, path, &data, &size, fault, sizeof(fault));

        if (r == -ENOENT && may_be_missing)
                return;
        if (r == -ENOMEM)
                l->check.error = r;
        else if (r < 0)
                config_fault_unplaced(&l->check, path, 0, 0, NULL, "%s", fault);
        else {
                load_note_file(l, path);
                load_text(l, path, data, size);
        }
}

static void load_drop_ins(Load *l, const char *main_path) {
        const uid_t owners[] = { 0, l->check.ctx->uid };
        const char *slash = strrchr(main_path, '/');
        _cleanup_free_ char *dir = alloc_printf("%.*s%s", slash ? (int) (slash + 1 - main_path) : 0, main_path, DROP_IN_DIR);
        _cleanup_(strv_freep) char **names = NULL;
        char fault[192];
        int r = dir ? config_dir_list(dir, owners, ARRAY_SIZE(owners), &names, fault, sizeof(fault)) : -ENOMEM;

        if (r == -ENOMEM)
                l->check.error = r;
        else if (r < 0)
                config_fault_unplaced(&l->check, dir, 0, 0, NULL, "%s", fault);
        for (char **name = names; r == 0 && *name; name++) {
                _cleanup_free_ char *path = alloc_printf("%s/%s", dir, *name);
                if (path)
                        load_file(l, path, false);
                else
                        l->check.error = -ENOMEM;
        }
}

/* ---- what concerns all of it ---- */

static bool load_is_known(const char *name, void *userdata) {
        _cleanup_free_ char *id = alloc_printf("pool.%s", name);
        return id && json_object_get(((Load *) userdata)->seen, id);
}

/* As locate_first(): the text is read once more, since this is rare. */
static void load_fault_whole(const char *pool, const char *key, const char *text, void *userdata) {
        Load *l = userdata;
        Spot pools = { .key = "pools" }, outer = { .up = &pools, .key = pool }, here = { .up = pool ? &outer : NULL, .key = key };
        _cleanup_free_ char *id = alloc_printf("%s.%s", pool ? "pool" : "key", pool ? pool : key);
        _cleanup_free_ char *path = pool ? alloc_printf("pools.%s.%s", pool, key) : alloc_strdup(key);
        const char *file = id ? json_string_value(json_object_get(l->seen, id)) : NULL;
        int line = 0, column = 0;

        if (!id || !path) {
                l->check.error = -ENOMEM;
                return;
        }
        if (file)
                locate_first(l, file, &here, &line, &column);
        config_fault_unplaced(&l->check, file, line, column, path, "%s", text);
}

static void load_check_whole(Load *l) {
        ConfigWhole whole = { .check = &l->check, .config = l->config, .is_known = load_is_known, .fault = load_fault_whole,
                              .userdata = l };
        Config *config = l->config;

        config_sort(config);
        if (config->socket_group && !json_object_get(config->source, "socket_mode"))
                config->socket_mode = 0660;
        config_validate_whole(&whole);
}

static bool whole_is_known(const char *name, void *userdata) {
        return config_find_pool(((const ConfigWhole *) userdata)->config, name);
}

static void whole_fault(const char *pool, const char *key, const char *text, void *userdata) {
        const ConfigWhole *w = userdata;
        _cleanup_free_ char *path = pool ? alloc_printf("pools.%s.%s", pool, key) : alloc_strdup(key);

        config_fault_unplaced(w->check, NULL, 0, 0, path, "%s", text);
}

int config_check_whole(Config *c, const ConfigContext *ctx, ConfigFaults *faults) {
        ConfigCheck check = { .ctx = ctx, .faults = faults };
        ConfigWhole whole = { .check = &check, .config = c, .is_known = whole_is_known, .fault = whole_fault };
        size_t n = faults->n;

        whole.userdata = &whole;
        config_validate_whole(&whole);
        return check.error < 0 ? check.error : faults->n > n ? -EBADMSG : 0;
}

int config_top_unpack(json_t *source, const ConfigContext *ctx, Config **ret) {
        _cleanup_config_faults_ ConfigFaults faults = { 0 };
        ConfigCheck check = { .ctx = ctx, .faults = &faults };
        _cleanup_(config_unrefp) Config *c = config_new();

        if (!c)
                return -ENOMEM;
        config_validate_members(&check, NULL, source, CONFIG_SCOPE_TOP, "", c);
        if (json_object_update(c->source, source) < 0 || check.error < 0)
                return -ENOMEM;
        if (c->socket_group && !json_object_get(source, "socket_mode"))
                c->socket_mode = 0660;
        *ret = TAKE_PTR(c);
        return 0;
}

/* ---- what was set at run time ---- */

static void fault_overrides(Load *l, const char *pool, json_t *overrides) {
        _cleanup_free_ char *path = alloc_printf("pools.%s", pool);
        _cleanup_text_ Text keys = { 0 };
        const char *key;
        json_t *v;

        json_object_foreach(overrides, key, v)
                text_appendf(&keys, "%s%s", keys.length > 0 ? ", " : "", key);
        if (path && text_check(&keys) == 0)
                config_fault_unplaced(&l->check, NULL, 0, 0, path, "this comes of what was set at run time: %s; droverctl set --unset takes it back",
                                      keys.length > 0 ? keys.data : "");
}

static void load_override(Load *l, PoolConfig **slot, json_t *overrides) {
        _cleanup_json_ json_t *source = json_deep_copy((*slot)->source);
        Spot pools = { .key = "pools" }, at = { .up = &pools, .key = (*slot)->name };
        PoolConfig *p = NULL;
        const char *key;
        json_t *v;

        if (!source) {
                l->check.error = -ENOMEM;
                return;
        }
        json_object_foreach(overrides, key, v)
                if (config_source_set(source, key, v) == -ENOMEM)
                        l->check.error = -ENOMEM;
        if (config_validate_pool(&l->check, &at, (*slot)->name, source, &p) < 0) {
                fault_overrides(l, (*slot)->name, overrides);
                return;
        }
        pool_config_unref(*slot);
        *slot = p;
}

static void load_overrides(Load *l) {
        const ConfigContext *ctx = l->check.ctx;
        Config *config = l->config;
        json_t *all = ctx->overrides ? ctx->overrides(config->state_dir ? config->state_dir : ctx->state_dir, ctx->userdata) : NULL;

        for (size_t i = 0; all && i < config->n_pools; i++) {
                json_t *overrides = json_object_get(all, config->pools[i]->name);
                if (json_object_size(overrides) > 0)
                        load_override(l, &config->pools[i], overrides);
        }
}

static int load_finish(Load *l) {
        const ConfigContext *ctx = l->check.ctx;
        Config *config = l->config;

        if (!config->log_dir && ctx->log_dir && !(config->log_dir = alloc_strdup(ctx->log_dir)))
                return -ENOMEM;
        if (!config->state_dir && ctx->state_dir && !(config->state_dir = alloc_strdup(ctx->state_dir)))
                return -ENOMEM;
        if (!config->files && !(config->files = NEW0_ARRAY(char *, 1)))
                return -ENOMEM;
        if (l->check.error)
                return l->check.error;
        if (l->check.faults->n > 0)
                return -EBADMSG;
        return 0;
}

int config_load(const char *path, const ConfigContext *ctx, Config **ret, ConfigFaults *faults) {
        _cleanup_(config_unrefp) Config *config = config_new();
        _cleanup_free_ char *default_path = path ? NULL : config_default_path(ctx->is_system);
        _cleanup_json_ json_t *seen = json_object();
        Load l = { .check = { .ctx = ctx, .faults = faults }, .config = config, .seen = seen };
        const char *main_path = path ? path : default_path;
        int r;

        if (!config || !main_path || !seen)
                return -ENOMEM;
        resolve_forget();
        resolve_remember(true);
        load_file(&l, main_path, !path);
        load_drop_ins(&l, main_path);
        load_overrides(&l);
        load_check_whole(&l);
        resolve_remember(false);
        r = load_finish(&l);
        if (r == 0)
                *ret = TAKE_PTR(config);
        return r;
}
