/* pool-config.c - another configuration for a pool that lives: put in force at once, by a rolling replacement where
 * workers must go for it, or the one before it again. */
#include "pool/bounds.h"
#include "pool/pool-internal.h"
#include "pool/pool-template.h"

void pool_install_config(Pool *p, PoolConfig *c, ListenSet *listen, ConfigCost cost) {
        PoolConfig *old = p->config;

        order_pool_gone(p);
        p->config = pool_config_ref(c);
        order_pool_added(p);
        size_unwatch(p);
        demand_end(p); /* the watches are on the old sockets; whether it rests is found anew */
        p->listen = listen;
        for (size_t i = 0; i < p->n_workers; i++)
                worker_reconfigured(p->workers[i], old, cost);
        for (size_t i = 0; i < p->n_workers && cost != CONFIG_RESTART; i++)
                if (p->workers[i]->child)
                        bounds_update(p->workers[i]->child, old, c);
        if (old->workers != c->workers || (old->workers_max > 0) != (c->workers_max > 0)) {
                p->has_floor = false;
                pool_resize(p, c->workers);
        }
        size_mark(p);
        recycle_mark(p);
        p->is_template_due = p->set->is_template_due = true; /* the old one's may go */
        pool_config_unref(old);
        pool_changed(p, false);
}

void pool_remember_config(Pool *p, PoolConfig *before) {
        pool_config_ref(before);
        pool_config_unref(p->config_before);
        p->config_before = before;
}

static bool replaces_rolling(const Pool *p, const PoolConfig *c) {
        return p->rolling || c->n_listen > 0 || json_object_get(c->source, "reload");
}

static void restart_all(Pool *p) {
        for (size_t i = 0; i < p->n_workers; i++)
                if (p->workers[i]->is_wanted && !worker_is_resting(p->workers[i]))
                        worker_want_restart(p->workers[i]);
}

int pool_reconfigure(Pool *p, PoolConfig *c, ConfigCost cost) {
        _cleanup_(pool_config_unrefp) PoolConfig *old = pool_config_ref(p->config);
        ListenSet *listen = NULL, *old_listen = p->listen;
        bool was_awaiting = p->is_awaiting;
        int r = listen_set_new(&listen, p->set, c, old_listen, false, p->set->fault);

        if (r < 0)
                return r;
        pool_install_config(p, c, listen, cost);
        if (was_awaiting)
                demand_begin(p);
        if (cost == CONFIG_RESTART && replaces_rolling(p, c))
                return rolling_begin(p, old, old_listen, &c->reload, NULL, 0);
        if (cost == CONFIG_RESTART)
                restart_all(p);
        listen_set_free(old_listen);
        pool_remember_config(p, old);
        pool_changed(p, false);
        return 0;
}

int pool_reload(Pool *p, const ReloadConfig *how, Worker *const *workers, size_t n) {
        template_renew(p);
        return rolling_begin(p, NULL, NULL, how, workers, n);
}

static PoolConfig *rollback_config(const Pool *p) {
        return rolling_former_config(p) != p->config ? rolling_former_config(p) : p->config_before;
}

bool pool_can_roll_back(const Pool *p) {
        return rollback_config(p) != NULL;
}

static int cost_between(PoolConfig *from, PoolConfig *to, ConfigCost *ret) {
        const Config a = {.pools = &from, .n_pools = 1}, b = {.pools = &to, .n_pools = 1};
        _cleanup_(config_diff_done) ConfigDiff d = {0};
        int r = config_diff(&a, &b, &d);

        if (r >= 0)
                *ret = d.n > 0 ? d.items[0].cost : CONFIG_SAME;
        return r;
}

int pool_rollback(Pool *p) {
        _cleanup_(pool_config_unrefp) PoolConfig *before = pool_config_ref(rollback_config(p));
        ConfigCost cost;
        int r;

        p->set->fault[0] = '\0';
        if (!before)
                return -ENODATA;
        r = cost_between(p->config, before, &cost);
        if (r >= 0 && p->rolling)
                cost = CONFIG_RESTART; /* some of it is replaced already */
        if (r >= 0)
                r = pool_reconfigure(p, before, cost);
        if (r >= 0)
                pool_emit(p, EVENT_POOL_ROLLED_BACK);
        return r;
}
