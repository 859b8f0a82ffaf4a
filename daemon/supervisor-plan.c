/* supervisor-plan.c - a change in words: what, of which class, and why. `config.plan` and `config.apply` show the same. */
#include "base/alloc.h"
#include "base/json.h"
#include "supervisor-internal.h"

PlanFate plan_fate(Supervisor *s, const ConfigChange *c) {
        Pool *p = c->pool ? pool_find(s->pools, c->pool) : NULL;

        if (!p)
                return PLAN_DO;
        if (pool_is_removing(p))
                return PLAN_QUEUE;
        return c->kind == CONFIG_POOL_ADD ? PLAN_TAKEN : PLAN_DO;
}

static void reason_add(Supervisor *s, Text *t, const ConfigChange *c) {
        Pool *p = pool_find(s->pools, c->pool);

        switch (plan_fate(s, c)) {
        case PLAN_TAKEN:
                text_appendf(t, "left alone: a %s of this name was made at run time; remove it (droverctl rm %s) and apply again, or choose "
                                "another name", pool_is_run(p) ? "process" : "pool", c->pool);
                break;
        case PLAN_QUEUE:
                text_append(t, "the pool of this name that was removed is still stopping; this one is added as soon as it is gone");
                break;
        case PLAN_DO:
                if (c->to->autostart)
                        text_appendf(t, "new: %u worker%s started", c->to->workers, c->to->workers == 1 ? " is" : "s are");
                else
                        text_append(t, "new: it is not started, since autostart is off");
        }
}

/* The keys of the dearest class, "command, env.X". */
static void append_dearest(Text *t, const ConfigChange *c) {
        unsigned n = 0;

        for (size_t i = 0; i < c->n_details; i++)
                if (c->details[i].cost == c->cost && ++n <= 5)
                        text_appendf(t, "%s%s", n > 1 ? ", " : "", c->details[i].key);
        if (n > 5)
                text_appendf(t, " and %u more", n - 5);
}

static void reason_change(Supervisor *s, Text *t, const ConfigChange *c) {
        Pool *p = c->pool ? pool_find(s->pools, c->pool) : NULL;
        size_t n = p ? pool_n_workers(p) : 0;

        append_dearest(t, c);
        if (!c->pool)
                text_append(t, c->cost == CONFIG_RESTART ? ": takes effect when droverd is started anew" : ": takes effect at once");
        else if (c->cost == CONFIG_RESTART)
                text_appendf(t, ": only a new process can have it; what runs of its %zu worker%s is restarted", n, n == 1 ? "" : "s");
        else if (c->cost == CONFIG_NEXT_START)
                text_append(t, ": each worker has it when it starts the next time; none is touched now");
        else
                text_append(t, ": takes effect at once; no worker is restarted");
}

static void put_reason(Supervisor *s, Text *t, const ConfigChange *c) {
        _cleanup_text_ Text reason = {0};

        if (c->kind == CONFIG_POOL_ADD)
                reason_add(s, &reason, c);
        else if (c->kind == CONFIG_POOL_REMOVE)
                text_append(&reason, "no longer in the configuration: its workers are stopped, and what was set for it is forgotten");
        else
                reason_change(s, &reason, c);
        json_put_string(t, "reason", text_check(&reason) < 0 ? NULL : reason.data);
}

static void put_value(Text *t, const char *key, const json_t *v) {
        _cleanup_free_ char *text = json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));

        json_put_raw(t, key, text ? text : "null");
}

static void put_keys(Text *t, const ConfigChange *c) {
        json_put_array(t, "keys");
        for (size_t i = 0; i < c->n_details; i++) {
                const ConfigKeyChange *k = &c->details[i];

                json_put_object(t, NULL);
                json_put_string(t, "key", k->key);
                put_value(t, "from", k->from);
                put_value(t, "to", k->to);
                json_put_string(t, "class", config_cost_to_string(k->cost));
                json_end_object(t);
        }
        json_end_array(t);
}

void plan_put_change(Supervisor *s, Text *t, const ConfigChange *c, int error) {
        static const char *const kinds[] = {
                [CONFIG_POOL_ADD] = "add", [CONFIG_POOL_REMOVE] = "remove", [CONFIG_POOL_CHANGE] = "change"};
        PlanFate fate = plan_fate(s, c);

        json_put_object(t, NULL);
        json_put_string(t, "pool", c->pool);
        json_put_string(t, "kind", kinds[c->kind]);
        put_keys(t, c);
        json_put_string(t, "class", config_cost_to_string(c->cost));
        put_reason(s, t, c);
        if (c->kind == CONFIG_POOL_ADD && fate != PLAN_DO)
                json_put_bool(t, fate == PLAN_TAKEN ? "blocked" : "queued", true);
        if (error < 0)
                json_put_string(t, "error", *pool_set_fault(s->pools) ? pool_set_fault(s->pools) : strerrordesc_np(-error));
        json_end_object(t);
}
