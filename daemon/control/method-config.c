/* method-config.c - pool.add, pool.remove, config.check, config.show, config.apply. */
#include "control/control-call.h"
#include "control/control-room.h"
#include "control/fault-answer.h"
#include "control/method.h"
#include "control/own-pool.h"
#include "control/selection.h"
#include "pool/order.h"

#include <stdio.h>

/* ---- pool.add ---- */

typedef struct PoolAddParams {
        const char *name;
} PoolAddParams;

static const JsonField pool_add_fields[] = {
        {"name", JSON_FIELD_STRING, offsetof(PoolAddParams, name), .required = true, .help = "of the new pool; beside it, its keys"},
        {0},
};

static void answer_pool(Call *c, Pool *pool) {
        Text *t = call_begin(c);

        json_put_object(t, NULL);
        json_put_array(t, "pools");
        pool_put_json(pool, t, NULL, NULL, 0);
        json_end_array(t);
        json_end_object(t);
        call_end(c);
}

static void handle_pool_add(Call *c, const void *params) {
        const PoolAddParams *p = params;
        const ControlWorld *world = &call_control(c)->world;
        ConfigContext context = own_pool_context(c);
        _cleanup_(pool_config_unrefp) PoolConfig *config = NULL;
        _cleanup_config_faults_ ConfigFaults faults = {0};
        Pool *pool;
        int r;

        call_set_object(c, p->name);
        if (own_pool_prepare(c) < 0)
                return;
        r = pool_config_from_json(p->name, c->params, false, &context, &config, &faults);
        if (r < 0) {
                call_fail_faults(c, ERROR_PARAMS, r, &faults);
                return;
        }
        if (own_pool_check(c, config, false) < 0)
                return;
        if (!selection_order_is_fine(c, config))
                return;
        r = pool_add(world->pools, config, POOL_FROM_CALL, config->autostart, &pool);
        if (r >= 0)
                answer_pool(c, pool);
        else if (*pool_set_fault(world->pools))
                call_fail(c, ERROR_FAILED, "%s", pool_set_fault(world->pools));
        else if (r == -EEXIST)
                call_fail(c, ERROR_EXISTS, "there is a pool or a process \"%s\" already", p->name);
        else
                call_errno(c, r, "cannot add the pool");
}

const Method method_pool_add = {
        .class = ACCESS_OPERATE, /* others than administrators: as themselves, see own-pool.h */
        .is_changing = true,
        .is_rare = true,
        .takes_config = true,
        .handler = handle_pool_add,
        .fields = pool_add_fields,
        .params_size = sizeof(PoolAddParams),
        .result = "{\"pools\":[POOL]}: the new one",
};

/* ---- pool.remove ---- */

typedef struct PoolRemoveParams {
        const char *pool;
        bool wait;
        usec_t timeout;
} PoolRemoveParams;

static const PoolRemoveParams pool_remove_defaults = {.wait = true, .timeout = USEC_INFINITY};

static const JsonField pool_remove_fields[] = {
        {"pool", JSON_FIELD_STRING, offsetof(PoolRemoveParams, pool), .required = true, .help = "its name"},
        {"wait", JSON_FIELD_BOOL, offsetof(PoolRemoveParams, wait), .help = "answer only when it is gone (true)"},
        {"timeout", JSON_FIELD_SPAN, offsetof(PoolRemoveParams, timeout), .help = "how long to wait for that (for ever)"},
        {0},
};

static void handle_pool_remove(Call *c, const void *params) {
        const PoolRemoveParams *p = params;
        _cleanup_selection_ Selection s = {0};
        const char *unknown;
        Pool *pool;
        const char *requirer;
        int r;

        call_set_object(c, p->pool);
        pool = selection_pool(c, p->pool);
        if (!pool)
                return;
        requirer = order_required_by(pool);
        if (requirer) {
                call_fail(c, ERROR_INVALID, "%s is required by %s: remove that first, or take it out of its \"requires\"",
                          p->pool, selection_sees(c, requirer) ? requirer : "another pool");
                return;
        }
        r = pool_select(call_control(c)->world.pools, NULL, &p->pool, 1, &s.workers, &unknown);
        if (r >= 0) {
                s.n = (size_t) r;
                r = waiter_new(call_control(c)->waiters, c, p->wait ? GOAL_GONE : GOAL_NONE, NULL, s.workers, s.n, p->timeout,
                               waiter_put_workers);
        }
        if (r < 0) {
                call_errno(c, r, "cannot remove the pool");
                return;
        }
        pool_remove(pool);
}

const Method method_pool_remove = {
        .class = ACCESS_ADMINISTER,
        .scope = METHOD_OF_POOLS,
        .is_changing = true,
        .handler = handle_pool_remove,
        .fields = pool_remove_fields,
        .params_size = sizeof(PoolRemoveParams),
        .defaults = &pool_remove_defaults,
        .result = "{\"workers\":[WORKER...]}: its workers as they last were",
};

/* ---- config.* ---- */

static void handle_config_check(Call *c, const void *params) {
        const ControlWorld *world = &call_control(c)->world;
        _cleanup_config_faults_ ConfigFaults faults = {0};
        int r = world->hooks.config_check(&faults, world->userdata);
        Text *t;

        if (r < 0 && faults.n == 0) {
                call_errno(c, r, "cannot check the configuration");
                return;
        }
        t = call_begin(c);
        json_put_object(t, NULL);
        json_put_bool(t, "ok", faults.n == 0);
        faults_put_json(&faults, t, "faults");
        json_end_object(t);
        call_end(c);
}

const Method method_config_check = {
        .class = ACCESS_OBSERVE,
        .handler = handle_config_check,
        .result = "{\"ok\":BOOL,\"faults\":[{\"file\",\"line\",\"column\",\"key\",\"text\"}...]}",
};

static void handle_config_show(Call *c, const void *params) {
        const ControlWorld *world = &call_control(c)->world;
        _cleanup_json_ json_t *config = world->hooks.config_show(world->userdata);
        _cleanup_json_ json_t *stored = world->hooks.config_overrides(world->userdata), *overrides = json_deep_copy(stored);
        int r = config && overrides ? config_mask_pools(json_object_get(config, "pools"), selection_hides_secrets, c) : -ENOMEM;
        _cleanup_free_ char *text = NULL;

        if (r == 0)
                r = config_mask_pools(overrides, selection_hides_secrets, c);
        if (r == 0 && json_object_size(overrides) > 0)
                r = json_object_set(config, "overrides", overrides);
        if (r == 0)
                text = json_dumps(config, JSON_COMPACT | JSON_REAL_PRECISION(15));
        if (!text) {
                call_fail(c, ERROR_INTERNAL, "the daemon is short of memory");
                return;
        }
        json_put_raw(call_begin(c), NULL, text);
        call_end(c);
}

const Method method_config_show = {
        .class = ACCESS_OBSERVE,
        .handler = handle_config_show,
        .result = "the configuration in force: {\"pools\":{...},...} with exactly what was written; overrides, if any, "
                  "{\"POOL\":{\"KEY\":VALUE}}, are those of config.set, and are among the keys of the pools too. Values of env are "
                  "\"***\" for whoever does not administer the pool",
};

typedef struct ConfigApplyParams {
        bool dry_run;
} ConfigApplyParams;

static const JsonField config_apply_fields[] = {
        {"dry_run", JSON_FIELD_BOOL, offsetof(ConfigApplyParams, dry_run), .help = "only say what would be done (false)"},
        {0},
};

static void handle_config_apply(Call *c, const void *params) {
        const ConfigApplyParams *p = params;
        const ControlWorld *world = &call_control(c)->world;
        _cleanup_config_faults_ ConfigFaults faults = {0};
        _cleanup_free_ char *changes = NULL;
        int r = (p->dry_run ? world->hooks.config_plan : world->hooks.config_apply)(&faults, &changes, world->userdata);
        Text *t;

        if (r < 0) {
                call_fail_faults(c, ERROR_INVALID, r, &faults);
                return;
        }
        t = call_begin(c);
        json_put_object(t, NULL);
        json_put_raw(t, "changes", changes ? changes : "[]");
        json_end_object(t);
        call_end(c);
}

const Method method_config_apply = {
        .class = ACCESS_ADMINISTER,
        .is_changing = true,
        .handler = handle_config_apply,
        .fields = config_apply_fields,
        .params_size = sizeof(ConfigApplyParams),
        .result = "{\"changes\":[...]}: what was done, as config.plan has it; faults give the error \"invalid\" with all of them in data.faults",
};
