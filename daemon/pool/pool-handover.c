/* pool-handover.c - pools over droverd's own death: written, read, and the keeper's table given out. */
#include "pool/pool-internal.h"
#include "pool/pool-template.h"

#include "base/alloc.h"
#include "base/json.h"
#include "base/log.h"
#include "base/parse.h"

void pool_serialize(const Pool *p, Text *t) {
        /* a process of run is short-lived and runs as what droverd is: nothing was looked up for it that could be gone */
        _cleanup_json_ json_t *pack = pool_is_run(p) ? json_incref(p->config->source) : pool_config_pack(p->config);

        json_put_object(t, NULL);
        json_put_string(t, "name", pool_name(p));
        json_put_string(t, "origin", pool_origin_to_string(p->origin));
        json_put_u64(t, "size", p->size);
        json_put_bool(t, "start", pool_wants_new(p));
        json_put_bool(t, "removing", p->is_removing);
        json_put_u64(t, "restarts", p->n_restarts_gone);
        if (p->is_awaiting)
                json_put_bool(t, "awaiting", true);
        rolling_serialize(p, t);
        template_serialize(p, t);
        if (p->is_daemon)
                json_put_bool(t, "daemon", true);
        if (p->is_up)
                json_put_bool(t, "up", true);
        if (p->has_floor)
                json_put_u64(t, "floor", p->floor);
        json_put_array(t, "stdio");
        for (int i = 0; i < 3; i++)
                json_put_string(t, NULL, p->stdio_path[i]);
        json_end_array(t);
        json_put_value(t, pool_is_run(p) ? "config" : "pack", pack);
        json_end_object(t);
}

static int origin_from_string(const char *s) {
        for (int i = POOL_FROM_CONFIG; s && i <= POOL_FROM_RUN; i++)
                if (streq(s, pool_origin_to_string((PoolOrigin) i)))
                        return i;
        return -EBADMSG;
}

static int read_config(const json_t *o, bool is_run, const ConfigContext *ctx, PoolConfig **ret) {
        const char *name = json_string_value(json_object_get(o, "name"));
        json_t *config = json_object_get(o, "config"), *pack = json_object_get(o, "pack");
        _cleanup_config_faults_ ConfigFaults faults = {0};

        if (!name || !name_is_valid(name) || (!pack && !json_is_object(config)))
                return -EBADMSG;
        if (pack)
                return pool_config_unpack(name, pack, ctx, ret);
        return pool_config_from_json(name, config, is_run, ctx, ret, &faults);
}

static int read_members(Pool *p, const json_t *o) {
        const json_t *stdio = json_object_get(o, "stdio");
        json_int_t size = json_integer_value(json_object_get(o, "size"));

        if (p->origin != POOL_FROM_RUN && size >= 0)
                p->size = (unsigned) MIN(size, (json_int_t) KEEPER_SLOTS_MAX);
        p->is_removing = json_is_true(json_object_get(o, "removing"));
        p->is_daemon = json_is_true(json_object_get(o, "daemon"));
        p->is_up = json_is_true(json_object_get(o, "up"));
        p->has_floor = json_is_integer(json_object_get(o, "floor"));
        p->floor = (unsigned) json_integer_value(json_object_get(o, "floor"));
        p->is_awaiting = json_is_true(json_object_get(o, "awaiting"));
        p->is_demand_due = p->set->is_demand_due = true;
        p->n_restarts_gone = (uint64_t) json_integer_value(json_object_get(o, "restarts"));
        for (size_t i = 0; i < 3; i++) {
                const char *path = json_string_value(json_array_get(stdio, i));

                p->stdio_path[i] = alloc_strdup(path);
                if (path && !p->stdio_path[i])
                        return -ENOMEM;
        }
        return 0;
}

int pool_deserialize(PoolSet *s, const json_t *o, const ConfigContext *ctx, Pool **ret) {
        int origin = origin_from_string(json_string_value(json_object_get(o, "origin")));
        _cleanup_(pool_config_unrefp) PoolConfig *c = NULL;
        Pool *p;
        int r;

        if (origin < 0)
                return origin;
        r = read_config(o, origin == POOL_FROM_RUN, ctx, &c);
        if (r < 0)
                return r;
        r = pool_make(s, c, (PoolOrigin) origin, &p);
        if (r < 0)
                return r;
        r = read_members(p, o);
        if (listen_set_new(&p->listen, s, c, NULL, true, s->fault) < 0)
                log_error("%s", s->fault);
        rolling_deserialize(p, o, ctx);
        template_deserialize(p, o);
        if (r >= 0)
                pool_fill(p); /* unwanted: wishes come with the workers' records */
        if (r < 0 || p->n_workers < pool_size(p)) {
                pool_set_forget(s, p);
                return -ENOMEM;
        }
        p->wants_start = json_is_true(json_object_get(o, "start"));
        if (pool_is_run(p) && p->wants_start && !p->is_removing) /* its worker's own record, if there is one, has the last word */
                worker_set_wanted(p->workers[0], true);
        s->has_leaving |= p->is_removing;
        *ret = p;
        return 0;
}

/* The worker an entry of the table belongs to. A slot beyond the pool's size is one that was leaving. */
static Worker *worker_of_entry(PoolSet *s, const KeeperMessage *m) {
        unsigned slot;
        Pool *p = pool_set_pool_by_worker_name(s, m->slot_info.name, &slot);
        Worker *w = p ? pool_slot(p, slot, true) : NULL;

        if (w && slot >= pool_size(p))
                w->is_leaving = true;
        return w;
}

static void pool_set_catch_up(PoolSet *s) {
        for (size_t i = 0; i < s->n_pools; i++) {
                for (size_t j = 0; j < s->pools[i]->n_workers; j++)
                        worker_catch_up(s->pools[i]->workers[j]);
                order_note(s->pools[i]);
                size_mark(s->pools[i]);
                recycle_mark(s->pools[i]);
        }
}

int pool_set_adopt(PoolSet *s, const KeeperMessage *slots, size_t n, const KeeperMessage ***ret_orphans,
                   size_t *ret_n) {
        const KeeperMessage **orphans = NEW0_ARRAY(const KeeperMessage *, n + 1);
        size_t n_orphans = 0;

        if (!orphans)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                Worker *w = worker_of_entry(s, slots + i);

                if (!w && template_adopt(s, slots + i))
                        continue;
                if (!w || worker_adopt(w, slots + i) < 0)
                        orphans[n_orphans++] = slots + i;
        }
        pool_set_catch_up(s);
        *ret_orphans = orphans;
        *ret_n = n_orphans;
        return 0;
}
