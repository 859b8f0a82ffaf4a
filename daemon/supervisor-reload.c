/* supervisor-reload.c - from files to pools.
 *
 * Start is a reload from nothing, so there is one sequence: load and check all -> compare with what runs -> refuse what
 * cannot be -> carry out. A fault anywhere before the last step changes nothing. What runs is asked from the pools
 * themselves, never from a remembered file, so it holds after any number of lives. Only pools that came from the
 * configuration are touched; those of pool.add and run are not its business. */
#include "base/alloc.h"
#include "base/log.h"
#include "base/parse.h"
#include "config/config-fault.h"
#include "supervisor-internal.h"
#include <stdio.h>
#include <sysexits.h>

#define FAULTS_LOGGED_MAX 50u /* the rest is counted; `droverd --check` has them all */

int supervisor_load(Supervisor *s, Config **ret, ConfigFaults *faults) {
        return config_load(s->places.config, &s->context, ret, faults);
}

void supervisor_log_faults(const ConfigFaults *faults) {
        for (size_t i = 0; i < MIN(faults->n, FAULTS_LOGGED_MAX); i++) {
                _cleanup_free_ char *text = config_fault_format(&faults->items[i]);

                log_error("%s", text ? text : "a fault, and no memory to say which");
        }
        if (faults->n > FAULTS_LOGGED_MAX)
                log_error("and %zu faults more: droverd --check", faults->n - FAULTS_LOGGED_MAX);
}

void supervisor_use_config(Supervisor *s, Config *c) {
        config_unref(s->config);
        s->config = config_ref(c);
        pool_set_set_log_dir(s->pools, c->log_dir);
        if (hook_set_configure(s->hooks, c) < 0)
                log_error("out of memory: the hooks are those of before");
        if (metrics_set_file(s->metrics, c->metrics_file, c->metrics_interval) < 0)
                log_error("out of memory: no metrics are written to %s", c->metrics_file);
        if (s->control)
                control_access_changed(s->control);
        state_put_config(s);
}

int supervisor_running_config(Supervisor *s, bool with_calls, Config **ret) {
        _cleanup_(config_unrefp) Config *c = config_new();

        if (!c)
                return -ENOMEM;
        c->pools = NEW0_ARRAY(PoolConfig *, pool_count(s->pools) + 1);
        c->files = NEW0_ARRAY(char *, 1);
        c->log_dir = alloc_strdup(s->config ? s->config->log_dir : s->places.log_dir);
        c->state_dir = alloc_strdup(s->config ? s->config->state_dir : s->places.state_dir);
        if (!c->pools || !c->files || !c->log_dir || !c->state_dir)
                return -ENOMEM;
        for (Pool *p = pool_first(s->pools); p; p = pool_next(p)) {
                bool is_ours = pool_origin(p) == POOL_FROM_CONFIG || (with_calls && pool_origin(p) == POOL_FROM_CALL);

                if (is_ours && !pool_is_removing(p))
                        c->pools[c->n_pools++] = pool_config_ref(pool_config(p));
        }
        *ret = TAKE_PTR(c);
        return 0;
}

/* A new pool whose name is taken by one that is not of the configuration, or is still stopping. */
static int check_names(Supervisor *s, const ConfigDiff *d, ConfigFaults *faults) {
        ConfigCheck check = {.ctx = &s->context, .faults = faults};
        size_t n = faults->n;

        for (size_t i = 0; i < d->n; i++) {
                Pool *p = d->items[i].kind == CONFIG_POOL_ADD ? pool_find(s->pools, d->items[i].pool) : NULL;
                char key[16 + NAME_LENGTH_MAX];

                if (!p)
                        continue;
                (void) snprintf(key, sizeof(key), "pools.%s", d->items[i].pool);
                if (pool_is_removing(p))
                        config_fault_unplaced(&check, NULL, 0, 0, key,
                                              "the pool of this name that was removed is still stopping; "
                                              "apply again when it is gone");
                else
                        config_fault_unplaced(&check, NULL, 0, 0, key,
                                              "a %s of this name was made at run time; remove it first "
                                              "(droverctl rm %s), or choose another name",
                                              pool_is_run(p) ? "process" : "pool", d->items[i].pool);
        }
        if (check.error < 0)
                return check.error;
        return faults->n > n ? -EBADMSG : 0;
}

static int carry_out_one(Supervisor *s, const ConfigChange *c) {
        Pool *p = pool_find(s->pools, c->pool);

        switch (c->kind) {
        case CONFIG_POOL_ADD:
                return pool_add(s->pools, c->to, POOL_FROM_CONFIG, c->to->autostart, NULL);
        case CONFIG_POOL_REMOVE:
                if (p)
                        pool_remove(p);
                return 0;
        case CONFIG_POOL_CHANGE:
                if (p)
                        pool_reconfigure(p, c->to, c->cost);
                return 0;
        }
        return -EINVAL;
}

static void put_change(Text *t, const ConfigChange *c, int error) {
        static const char *const kinds[] = {
                [CONFIG_POOL_ADD] = "add", [CONFIG_POOL_REMOVE] = "remove", [CONFIG_POOL_CHANGE] = "change"};

        json_put_object(t, NULL);
        json_put_string(t, "pool", c->pool);
        json_put_string(t, "change", kinds[c->kind]);
        if (c->kind == CONFIG_POOL_CHANGE) {
                json_put_string(t, "cost", config_cost_to_string(c->cost));
                json_put_string(t, "keys", c->keys);
        }
        if (error < 0)
                json_put_string(t, "error", strerrordesc_np(-error));
        json_end_object(t);
}

/* What cannot be done for want of memory is in the list, and is done by the next apply. */
static void carry_out(Supervisor *s, const ConfigDiff *d, Text *changes) {
        json_put_array(changes, NULL);
        for (size_t i = 0; i < d->n; i++) {
                int r = carry_out_one(s, &d->items[i]);

                if (r < 0)
                        log_error("cannot carry out the change of pool %s: %s", d->items[i].pool, strerrordesc_np(-r));
                put_change(changes, &d->items[i], r);
        }
        json_end_array(changes);
}

static void emit_applied(Supervisor *s, const char *changes) {
        _cleanup_text_ Text t = {0};

        json_put_object(&t, NULL);
        json_put_raw(&t, "changes", changes);
        json_end_object(&t);
        hub_emit(s->hub, EVENT_CONFIG_APPLIED, NULL, NULL, text_check(&t) < 0 ? NULL : t.data);
}

static void emit_refused(Supervisor *s, const ConfigFaults *faults) {
        _cleanup_text_ Text t = {0};

        json_put_object(&t, NULL);
        json_put_array(&t, "faults");
        for (size_t i = 0; i < MIN(faults->n, FAULTS_LOGGED_MAX); i++) {
                _cleanup_free_ char *text = config_fault_format(&faults->items[i]);

                json_put_string(&t, NULL, text);
        }
        json_end_array(&t);
        json_end_object(&t);
        hub_emit(s->hub, EVENT_CONFIG_REFUSED, NULL, NULL, text_check(&t) < 0 ? NULL : t.data);
}

static int apply_config(Supervisor *s, Config *to, ConfigFaults *faults, char **ret_changes) {
        _cleanup_(config_unrefp) Config *from = NULL;
        _cleanup_(config_diff_done) ConfigDiff d = {0};
        _cleanup_text_ Text changes = {0};
        int r = supervisor_running_config(s, false, &from);

        if (r >= 0)
                r = config_diff(from, to, &d);
        if (r >= 0)
                r = check_names(s, &d, faults);
        if (r < 0)
                return r;
        supervisor_use_config(s, to);
        carry_out(s, &d, &changes);
        if (text_check(&changes) < 0)
                return -ENOMEM;
        emit_applied(s, changes.data);
        log_at(d.n > 0 ? LOG_INFO : LOG_DEBUG, "configuration applied: %zu pools changed", d.n);
        *ret_changes = text_take(&changes);
        return 0;
}

int supervisor_apply(Supervisor *s, ConfigFaults *faults, char **ret_changes) {
        _cleanup_(config_unrefp) Config *to = NULL;
        int r = supervisor_load(s, &to, faults);

        if (r >= 0)
                r = apply_config(s, to, faults, ret_changes);
        if (r < 0)
                emit_refused(s, faults);
        return r;
}

void supervisor_reload(Supervisor *s) {
        _cleanup_config_faults_ ConfigFaults faults = {0};
        _cleanup_free_ char *changes = NULL;
        int r;

        if (s->is_stopping)
                return;
        status_reloading(s);
        r = supervisor_apply(s, &faults, &changes);
        if (r < 0) {
                supervisor_log_faults(&faults);
                log_error("the configuration was refused and changed nothing%s%s", r == -EBADMSG ? "" : ": ",
                          r == -EBADMSG ? "" : strerrordesc_np(-r));
        }
        (void) keeper_link_reopen(s->keeper);
        status_ready(s);
}

/* ---- start ---- */

int supervisor_first_config(Supervisor *s) {
        _cleanup_config_faults_ ConfigFaults faults = {0};
        _cleanup_free_ char *changes = NULL;
        int r = supervisor_apply(s, &faults, &changes);

        if (r >= 0)
                return 0;
        supervisor_log_faults(&faults);
        log_error("the configuration is faulty, not starting%s%s", r == -EBADMSG ? "" : ": ",
                  r == -EBADMSG ? "" : strerrordesc_np(-r));
        return r == -EBADMSG ? EX_CONFIG : EX_OSERR;
}

/* The pools came from the journal. The files are looked at only to say what is wrong with them. */
void supervisor_later_config(Supervisor *s) {
        _cleanup_config_faults_ ConfigFaults faults = {0};
        _cleanup_(config_unrefp) Config *c = NULL;

        if (supervisor_load(s, &c, &faults) >= 0)
                return;
        supervisor_log_faults(&faults);
        log_error("the configuration has become faulty; going on with the pools of before");
        emit_refused(s, &faults);
}

int supervisor_check(const Options *o) {
        Supervisor s = {0};
        _cleanup_config_faults_ ConfigFaults faults = {0};
        _cleanup_(config_unrefp) Config *c = NULL;
        int r = places_init(&s, o);

        if (r >= 0)
                r = supervisor_load(&s, &c, &faults);
        for (size_t i = 0; i < faults.n; i++) {
                _cleanup_free_ char *text = config_fault_format(&faults.items[i]);

                (void) printf("%s\n", text ? text : "out of memory");
        }
        if (r < 0 && faults.n == 0)
                (void) printf("cannot check the configuration: %s\n", strerrordesc_np(-r));
        if (r >= 0 && c->files && c->files[0])
                (void) printf("%s: fine, %zu pools\n", c->files[0], c->n_pools);
        else if (r >= 0)
                (void) printf("there is no configuration; droverd starts with no pools\n");
        places_done(&s.places);
        return r < 0 ? 2 : EXIT_SUCCESS;
}
