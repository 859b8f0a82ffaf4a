/* supervisor-wish.c - what people wanted at run time: keys set over the configuration, sizes pools were scaled to.
 *
 * A wish holds at once, and is on record twice: in the journal, which outlives droverd, before any answer goes out; and
 * in STATE_DIR/state.json, which outlives the machine, moments later. `enable` and `disable` are the key autostart. What
 * was set with persist false is in the journal alone. A size holds as long as the configuration asks for the same
 * number as it did when it was scaled.
 *
 * The first life reads the file, when the configuration has said where it is; later ones take the journal's word. */
#include "base/alloc.h"
#include "base/json.h"
#include "base/log.h"
#include "base/parse.h"
#include "handover/state-file.h"
#include "supervisor-internal.h"

#define STATE_VERSION 1

/* ---- the records ---- */

static bool wish_is_empty(const json_t *wish) {
        return json_object_size(json_object_get(wish, "set")) == 0 && json_object_size(json_object_get(wish, "temp")) == 0 &&
               !json_object_get(wish, "size");
}

static json_t *wish_of(Supervisor *s, const char *name) {
        return json_object_get(s->wishes.pools, name);
}

/* The member @kind of the pool's record, an object; made when there is none. NULL: no memory. */
static json_t *wish_part(Supervisor *s, const char *name, const char *kind) {
        json_t *wish, *part;

        if (!s->wishes.pools && !(s->wishes.pools = json_object()))
                return NULL;
        wish = wish_of(s, name);
        if (!wish) {
                wish = json_object();
                if (json_object_set_new(s->wishes.pools, name, wish) < 0)
                        return NULL;
        }
        part = json_object_get(wish, kind);
        if (part)
                return part;
        part = json_object();
        return json_object_set_new(wish, kind, part) < 0 ? NULL : part;
}

/* After a change: the journal, the file, and what lies over the configuration. */
static void wish_changed(Supervisor *s, const char *name) {
        json_t *wish = wish_of(s, name);

        if (wish && wish_is_empty(wish)) {
                (void) json_object_del(s->wishes.pools, name);
                wish = NULL;
        }
        state_put_wish(s, name, wish);
        json_decref(s->wishes.overrides);
        s->wishes.overrides = NULL;
        s->wishes.is_dirty = true;
}

void wish_forget(Supervisor *s, const char *name) {
        if (!wish_of(s, name))
                return;
        (void) json_object_del(s->wishes.pools, name);
        wish_changed(s, name);
}

void wish_restore(Supervisor *s, const char *name, json_t *value) {
        if (!s->wishes.pools)
                s->wishes.pools = json_object();
        if (name_is_valid(name) && json_is_object(value))
                (void) json_object_set(s->wishes.pools, name, value);
}

json_t *wish_lasting(Supervisor *s) {
        json_t *pools = json_object(), *wish;
        const char *name;

        json_object_foreach(s->wishes.pools, name, wish) {
                json_t *copy = json_copy(wish);

                (void) json_object_del(copy, "temp");
                if (copy && wish_is_empty(copy))
                        json_decref(copy);
                else if (json_object_set_new(pools, name, copy) < 0) {
                        json_decref(pools);
                        return NULL;
                }
        }
        return pools;
}

void wish_put_all(Supervisor *s) {
        const char *name;
        json_t *wish;

        json_object_foreach(s->wishes.pools, name, wish)
                state_put_wish(s, name, wish);
}

/* ---- the file ---- */

static void wish_take_file(Supervisor *s, json_t *root, const char *dir) {
        json_t *pools = json_object_get(root, "pools"), *wish;
        json_int_t version = json_integer_value(json_object_get(root, "version"));
        const char *name;

        if (json_object_size(root) > 0 && version != STATE_VERSION)
                log_warning("%s/state.json is of version %lld, this droverd knows %d; taking from it what it understands", dir,
                            (long long) version, STATE_VERSION);
        json_object_foreach(pools, name, wish)
                wish_restore(s, name, wish);
        wish_put_all(s);
        s->wishes.is_dirty = !s->wishes.is_newest_good && json_object_size(s->wishes.pools) > 0; /* heal what is damaged */
}

static void wish_load(Supervisor *s, const char *dir) {
        _cleanup_json_ json_t *root = NULL;
        StateFileReport report;

        s->wishes.is_loaded = true;
        if (!dir || state_file_read(dir, s->context.uid, &root, &report) < 0)
                return;
        if (report.text[0])
                log_warning("%s", report.text);
        s->wishes.is_newest_good = report.is_newest_good;
        wish_take_file(s, root, dir);
}

/* The life before may have died before it wrote the file; that a wish was taken back shows only by comparing. */
void wish_inherit(Supervisor *s) {
        _cleanup_json_ json_t *root = NULL, *mine = wish_lasting(s);
        StateFileReport report;

        s->wishes.is_loaded = true;
        if (!s->config || state_file_read(s->config->state_dir, s->context.uid, &root, &report) < 0)
                return;
        s->wishes.is_newest_good = report.is_newest_good;
        if (json_object_size(mine) > 0)
                s->wishes.is_dirty = !report.is_newest_good || !json_equal(json_object_get(root, "pools"), mine);
        else
                s->wishes.is_dirty = json_object_size(json_object_get(root, "pools")) > 0;
}

static json_t *overrides_make(Supervisor *s) {
        json_t *all = json_object(), *wish;
        const char *name;

        json_object_foreach(s->wishes.pools, name, wish) {
                json_t *one = json_object(), *set = json_object_get(wish, "set"), *temp = json_object_get(wish, "temp");

                if (set)
                        (void) json_object_update(one, set);
                if (temp)
                        (void) json_object_update(one, temp);
                if (json_object_size(one) > 0)
                        (void) json_object_set(all, name, one);
                json_decref(one);
        }
        return all;
}

json_t *wish_overrides(const char *state_dir, void *userdata) {
        Supervisor *s = userdata;

        if (!s->wishes.is_loaded)
                wish_load(s, state_dir);
        if (s->ignores_overrides)
                return NULL;
        if (!s->wishes.overrides)
                s->wishes.overrides = overrides_make(s);
        return s->wishes.overrides;
}

/* ---- sizes ---- */

/* What the configuration asks for; a size is a wish against exactly that. */
static json_t *asked_size(const PoolConfig *c) {
        return config_value_get(c, "workers");
}

bool wish_size(Supervisor *s, const PoolConfig *c, unsigned *ret) {
        json_t *size = json_object_get(wish_of(s, c->name), "size");
        json_int_t n = json_integer_value(json_object_get(size, "workers"));
        _cleanup_json_ json_t *asked = asked_size(c);

        if (!size || !asked || c->workers_max > 0 || n < 0 || n > KEEPER_SLOTS_MAX || !json_equal(asked, json_object_get(size, "of")))
                return false;
        *ret = (unsigned) n;
        return true;
}

void wish_note_size(Supervisor *s, Pool *p) {
        const PoolConfig *c = pool_config(p);
        json_t *wish = wish_of(s, c->name), *size = json_object_get(wish, "size");
        bool is_scaled = pool_size(p) != c->workers;

        if (pool_origin(p) != POOL_FROM_CONFIG || pool_is_removing(p) || c->workers_max > 0)
                return;
        if (!is_scaled && !size)
                return;
        if (is_scaled && size && json_integer_value(json_object_get(size, "workers")) == pool_size(p))
                return;
        if (is_scaled) {
                size = wish_part(s, c->name, "size");
                if (!size || json_object_set_new(size, "workers", json_integer(pool_size(p))) < 0 ||
                    json_object_set_new(size, "of", asked_size(c)) < 0)
                        log_warning("out of memory: the size of pool %s will not survive a restart", c->name);
        } else
                (void) json_object_del(wish, "size");
        wish_changed(s, c->name);
}

/* ---- set ---- */

/* The pool as it would be with @key at @value (NULL: as the configuration has it). */
static int set_make(Supervisor *s, Pool *p, const char *key, json_t *value, PoolConfig **ret, ConfigFaults *faults) {
        const PoolConfig *c = pool_config(p);
        _cleanup_json_ json_t *source = json_deep_copy(c->source);
        int r = source ? config_source_set(source, key, value) : -ENOMEM;

        if (r == 0)
                r = pool_config_from_json(c->name, source, false, &s->context, ret, faults);
        return r;
}

/* All pools with this one in the place of what it is. */
static int set_check(Supervisor *s, PoolConfig *c, ConfigFaults *faults) {
        _cleanup_(config_unrefp) Config *all = NULL;
        int r = supervisor_running_config(s, true, &all);

        for (size_t i = 0; r == 0 && i < all->n_pools; i++)
                if (streq(all->pools[i]->name, c->name)) {
                        pool_config_unref(all->pools[i]);
                        all->pools[i] = pool_config_ref(c);
                }
        return r == 0 ? config_check_whole(all, &s->context, faults) : r;
}

static int set_carry_out(Supervisor *s, Pool *p, PoolConfig *to, char **ret_changes) {
        _cleanup_(pool_config_unrefp) PoolConfig *before = pool_config_ref(pool_config(p));
        _cleanup_(config_diff_done) ConfigDiff d = {0};
        _cleanup_text_ Text changes = {0};
        int r = config_diff_pool(before, to, &d);

        if (r == 0)
                r = supervisor_carry_out(s, &d, &changes);
        if (r == 0)
                r = text_check(&changes);
        if (r == 0)
                *ret_changes = text_take(&changes);
        return r;
}

/* What the configuration had before the first override of @key, to come back to: remembered beside it. */
static json_t *set_base(Supervisor *s, Pool *p, const char *key) {
        json_t *base = json_object_get(json_object_get(wish_of(s, pool_name(p)), "base"), key);

        return base && !json_is_null(base) ? base : NULL;
}

static int set_remember(Supervisor *s, Pool *p, const char *key, json_t *value, json_t *before, bool persist) {
        static const char *const parts[] = {"set", "temp"};
        const char *name = pool_name(p);
        json_t *part, *base;
        bool is_new = true;

        for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
                part = json_object_get(wish_of(s, name), parts[i]);
                is_new = is_new && !json_object_get(part, key);
                (void) json_object_del(part, key);
        }
        base = wish_part(s, name, "base");
        part = value ? wish_part(s, name, parts[!persist]) : NULL;
        if (!base || (value && (!part || json_object_set(part, key, value) < 0)) ||
            (value && is_new && json_object_set(base, key, before) < 0))
                return -ENOMEM;
        if (!value)
                (void) json_object_del(base, key);
        wish_changed(s, name);
        return 0;
}

int wish_set(Supervisor *s, Pool *p, const char *key, json_t *value, bool persist, ConfigFaults *faults, char **ret_changes) {
        _cleanup_json_ json_t *before = config_source_get(pool_config(p)->source, key);
        _cleanup_(pool_config_unrefp) PoolConfig *to = NULL;
        json_t *effective = json_is_null(value) ? set_base(s, p, key) : value;
        int r = set_make(s, p, key, effective, &to, faults);

        if (r == 0)
                r = set_check(s, to, faults);
        if (r == 0)
                r = set_carry_out(s, p, to, ret_changes);
        if (r == 0 && pool_origin(p) == POOL_FROM_CONFIG)
                r = set_remember(s, p, key, json_is_null(value) ? NULL : value, before, persist);
        /* a size set in words holds over one that was scaled to */
        if (r == 0 && (streq(key, "workers")) && pool_config(p)->workers_max == 0 && pool_size(p) != pool_config(p)->workers)
                pool_set_size(p, pool_config(p)->workers);
        return r;
}
