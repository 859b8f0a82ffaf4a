/* rolling-handover.c - a rolling replacement over droverd's own death: in the records of the pool and of its workers. */
#include "pool/rolling-internal.h"

#include "base/alloc.h"
#include "base/json.h"

static const char *const part_names[_ROLLING_PART_MAX] = {
        [ROLLING_NONE] = NULL, [ROLLING_DUE] = "due", [ROLLING_BATCH] = "batch", [ROLLING_GOOD] = "good", [ROLLING_BACK] = "back",
};

/* ---- what processes were launched with ---- */

/* The configurations that a pool holds, and what each is called in the records. */
static size_t held_configs(const Pool *p, PoolConfig *configs[static 4], const char *words[static 4]) {
        const struct {
                PoolConfig *config;
                const char *word;
        } all[] = {{p->config, "present"},
                   {p->rolling ? p->rolling->former : NULL, "former"},
                   {p->config_refused, "refused"},
                   {p->config_before, "before"}};
        size_t n = 0;

        for (size_t i = 0; i < ARRAY_SIZE(all); i++)
                if (all[i].config) {
                        configs[n] = all[i].config;
                        words[n++] = all[i].word;
                }
        return n;
}

const char *rolling_config_word(const Pool *p, const PoolConfig *c, const PoolConfig *usual) {
        const char *words[4];
        PoolConfig *configs[4];
        size_t n = held_configs(p, configs, words);

        for (size_t i = 0; c && c != usual && i < n; i++)
                if (configs[i] == c)
                        return words[i];
        return NULL;
}

PoolConfig *rolling_config_of(const Pool *p, const json_t *word) {
        const char *text = json_string_value(word), *words[4];
        PoolConfig *configs[4];
        size_t n = held_configs(p, configs, words);

        for (size_t i = 0; text && i < n; i++)
                if (streq(words[i], text))
                        return configs[i];
        return NULL;
}

static void put_launched_with(const Worker *w, Text *t) {
        const char *word = rolling_config_word(w->pool, w->config, worker_next_config(w));
        const char *live = rolling_config_word(w->pool, w->config_live, NULL);

        if (word)
                json_put_string(t, "config", word);
        if (live)
                json_put_string(t, "config_live", live);
}

static void get_launched_with(Worker *w, const json_t *o) {
        w->config_live = pool_config_ref(rolling_config_of(w->pool, json_object_get(o, "config_live")));
        w->config = pool_config_ref(rolling_config_of(w->pool, json_object_get(o, "config")));
        if (!w->config && w->config_live)
                w->config = pool_config_ref(worker_next_config(w));
}

/* ---- its part ---- */

void rolling_serialize_worker(const Worker *w, Text *t) {
        put_launched_with(w, t);
        if (w->rolling == ROLLING_NONE)
                return;
        json_put_object(t, "rolling");
        json_put_string(t, "part", part_names[w->rolling]);
        json_put_bool(t, "bad", w->is_rolling_bad);
        json_put_bool(t, "recall", w->recall_due);
        json_put_u64(t, "generation", w->rolling_generation);
        json_end_object(t);
}

void rolling_deserialize_worker(Worker *w, const json_t *o) {
        const json_t *v = json_object_get(o, "rolling");
        const char *part = json_string_value(json_object_get(v, "part"));

        w->rolling = ROLLING_NONE;
        for (int i = 0; part && w->pool->rolling && i < _ROLLING_PART_MAX; i++)
                if (part_names[i] && streq(part_names[i], part))
                        w->rolling = (RollingPart) i;
        w->is_rolling_bad = json_is_true(json_object_get(v, "bad"));
        w->recall_due = json_is_true(json_object_get(v, "recall"));
        w->rolling_generation = (uint64_t) json_integer_value(json_object_get(v, "generation"));
        get_launched_with(w, o);
}

static void put_config(Text *t, const char *key, const PoolConfig *c) {
        _cleanup_json_ json_t *packed = c ? pool_config_pack(c) : NULL;
        char *text = packed ? json_dumps(packed, JSON_COMPACT) : NULL;

        if (text)
                json_put_raw(t, key, text);
        else
                t->failed |= c != NULL;
        free(text);
}

void rolling_serialize(const Pool *p, Text *t) {
        const Rolling *r = p->rolling;

        json_put_u64(t, "reloads", p->n_reloads);
        put_config(t, "before", p->config_before);
        put_config(t, "refused", p->config_refused);
        if (!r)
                return;
        json_put_object(t, "rolling");
        json_put_u64(t, "max_unavailable", r->bounds.max_unavailable);
        json_put_u64(t, "max_surge", r->bounds.max_surge);
        json_put_u64(t, "soak", r->bounds.soak);
        json_put_u64(t, "replaced", r->n_replaced);
        json_put_u64(t, "dropped", r->n_dropped);
        json_put_bool(t, "putting_back", r->is_putting_back);
        if (r->reason) {
                json_put_string(t, "worker", r->worker);
                json_put_string(t, "reason", r->reason);
        }
        put_config(t, "former", r->former);
        json_end_object(t);
}

static PoolConfig *get_config(const Pool *p, const json_t *o, const char *key, const ConfigContext *ctx) {
        json_t *v = json_object_get(o, key);
        PoolConfig *c = NULL;

        return v && pool_config_unpack(pool_name(p), v, ctx, &c) >= 0 ? c : NULL;
}

static unsigned get_count(const json_t *o, const char *key) {
        return (unsigned) json_integer_value(json_object_get(o, key));
}

void rolling_deserialize(Pool *p, const json_t *o, const ConfigContext *ctx) {
        const json_t *v = json_object_get(o, "rolling");
        Rolling *r = v ? NEW0(Rolling) : NULL;

        p->n_reloads = (uint64_t) json_integer_value(json_object_get(o, "reloads"));
        p->config_before = get_config(p, o, "before", ctx);
        p->config_refused = get_config(p, o, "refused", ctx);
        if (!r)
                return;
        r->pool = p;
        r->number = p->n_reloads;
        r->bounds = (RollingBounds){.max_unavailable = get_count(v, "max_unavailable"),
                                    .max_surge = get_count(v, "max_surge"),
                                    .soak = (usec_t) json_integer_value(json_object_get(v, "soak"))};
        r->n_replaced = get_count(v, "replaced");
        r->n_dropped = get_count(v, "dropped");
        r->is_putting_back = json_is_true(json_object_get(v, "putting_back"));
        r->worker = alloc_strdup(json_string_value(json_object_get(v, "worker")));
        r->reason = alloc_strdup(json_string_value(json_object_get(v, "reason")));
        r->former = get_config(p, v, "former", ctx);
        if (r->former)
                (void) listen_set_new(&r->listen, p->set, r->former, p->listen, true, p->set->fault);
        p->rolling = r;
        rolling_mark(p);
}
