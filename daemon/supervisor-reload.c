/* supervisor-reload.c - from files to pools.
 *
 * Start is a reload from nothing, so there is one sequence: load and check all -> compare with what runs -> carry out.
 * A pool whose name is that of one still stopping waits for it; one whose name is taken is left out. A fault anywhere
 * before the last step changes nothing. What runs is asked from the pools themselves, never from a remembered file, so it
 * holds after any number of lives. Only pools that came from the configuration are touched; those of pool.add and run are
 * not its business. */
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
        socket_apply_access(s);
        state_put_config(s);
}

int supervisor_running_config(Supervisor *s, bool with_calls, Config **ret) {
        _cleanup_(config_unrefp) Config *c = NULL;
        _cleanup_json_ json_t *none = json_object();
        int r = none ? config_top_unpack(s->config ? s->config->source : none, &s->context, &c) : -ENOMEM;

        if (r < 0)
                return r;
        free(c->log_dir);
        free(c->state_dir);
        c->pools = NEW0_ARRAY(PoolConfig *, pool_count(s->pools) + s->n_pending + 1);
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
        for (size_t i = 0; i < s->n_pending; i++)
                c->pools[c->n_pools++] = pool_config_ref(s->pending[i]);
        config_sort(c);
        *ret = TAKE_PTR(c);
        return 0;
}

/* ---- pools that wait for their name ---- */

static size_t pending_find(const Supervisor *s, const char *name) {
        size_t i = 0;

        while (i < s->n_pending && !streq(s->pending[i]->name, name))
                i++;
        return i;
}

static void pending_drop(Supervisor *s, const char *name) {
        size_t i = pending_find(s, name);

        if (i == s->n_pending)
                return;
        state_delete_pending(s, name);
        pool_config_unref(s->pending[i]);
        s->pending[i] = s->pending[--s->n_pending];
}

int supervisor_add_later(Supervisor *s, PoolConfig *c) {
        pending_drop(s, c->name);
        if (alloc_grow(&s->pending, &s->pending_capacity, s->n_pending + 1, sizeof(*s->pending)) < 0)
                return -ENOMEM;
        s->pending[s->n_pending++] = pool_config_ref(c);
        state_put_pending(s, c);
        return 0;
}

/* With the size it was scaled to before. One that lacks a socket is there all the same, and its workers try again. */
static int add_pool(Supervisor *s, PoolConfig *c) {
        unsigned size = 0;
        bool is_scaled = wish_size(s, c, &size);
        Pool *p = NULL;
        int r = pool_add(s->pools, c, POOL_FROM_CONFIG, c->autostart, &p);

        if (p && is_scaled)
                pool_set_size(p, size);
        return r;
}

bool supervisor_add_pending(Supervisor *s) {
        bool is_any = false;

        for (size_t i = s->n_pending; i-- > 0 && !s->is_stopping;) {
                _cleanup_(pool_config_unrefp) PoolConfig *c = pool_config_ref(s->pending[i]);
                int r;

                if (pool_find(s->pools, c->name))
                        continue;
                r = add_pool(s, c);
                if (r < 0)
                        log_error("pool %s, which waited for its name: %s", c->name,
                                  *pool_set_fault(s->pools) ? pool_set_fault(s->pools) : strerrordesc_np(-r));
                pending_drop(s, c->name);
                is_any = true;
        }
        return is_any;
}

/* ---- carrying out ---- */

static int carry_out_one(Supervisor *s, const ConfigChange *c) {
        Pool *p = c->pool ? pool_find(s->pools, c->pool) : NULL;
        PlanFate fate = plan_fate(s, c);

        if (!c->pool || fate == PLAN_TAKEN)
                return 0; /* the keys of the file are in the Config that is used from now on */
        if (fate == PLAN_QUEUE && c->kind != CONFIG_POOL_REMOVE)
                return supervisor_add_later(s, c->to);
        switch (c->kind) {
        case CONFIG_POOL_ADD:
                return add_pool(s, c->to);
        case CONFIG_POOL_REMOVE:
                pending_drop(s, c->pool);
                wish_forget(s, c->pool);
                if (p)
                        pool_remove(p);
                return 0;
        case CONFIG_POOL_CHANGE:
                return p ? pool_reconfigure(p, c->to, c->cost) : 0;
        }
        return -EINVAL;
}

/* What cannot be done (no memory, a socket that is taken) is in the list with its error, and is done by the next apply. */
int supervisor_carry_out(Supervisor *s, const ConfigDiff *d, Text *changes) {
        int first_error = 0;

        json_put_array(changes, NULL);
        for (size_t i = 0; i < d->n; i++) {
                _cleanup_text_ Text one = {0};
                int r;

                plan_put_change(s, &one, &d->items[i], 0); /* in the words of before */
                r = carry_out_one(s, &d->items[i]);
                if (r < 0) {
                        const char *why = pool_set_fault(s->pools);

                        log_error("cannot carry out the change of pool %s: %s", d->items[i].pool, *why ? why : strerrordesc_np(-r));
                        text_clear(&one);
                        plan_put_change(s, &one, &d->items[i], r);
                        first_error = first_error ? first_error : r;
                }
                json_put_raw(changes, NULL, text_check(&one) < 0 ? "{}" : one.data);
        }
        json_end_array(changes);
        return first_error;
}

/* Whoever observes hears of it, and hooks have it in their environment: so without secrets. */
static void emit_applied(Supervisor *s, const char *changes) {
        _cleanup_free_ char *masked = config_mask_changes(changes, NULL, NULL);
        _cleanup_text_ Text t = {0};

        json_put_object(&t, NULL);
        json_put_raw(&t, "changes", masked ? masked : "[]");
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

static void warn_taken(Supervisor *s, const ConfigDiff *d) {
        for (size_t i = 0; i < d->n; i++)
                if (d->items[i].kind == CONFIG_POOL_ADD && plan_fate(s, &d->items[i]) == PLAN_TAKEN)
                        log_warning("pool %s of the configuration is left out: its name belongs to one that was made at run time", d->items[i].pool);
}

static int apply_config(Supervisor *s, Config *to, char **ret_changes) {
        _cleanup_(config_unrefp) Config *from = NULL;
        _cleanup_(config_diff_done) ConfigDiff d = {0};
        _cleanup_text_ Text changes = {0};
        int r = supervisor_running_config(s, false, &from);

        if (r >= 0)
                r = config_diff(from, to, &d);
        if (r < 0)
                return r;
        warn_taken(s, &d);
        supervisor_use_config(s, to);
        (void) supervisor_carry_out(s, &d, &changes);
        if (text_check(&changes) < 0)
                return -ENOMEM;
        emit_applied(s, changes.data);
        log_at(d.n > 0 ? LOG_INFO : LOG_DEBUG, "configuration applied: %zu changes", d.n);
        *ret_changes = text_take(&changes);
        return 0;
}

int supervisor_apply(Supervisor *s, ConfigFaults *faults, char **ret_changes) {
        _cleanup_(config_unrefp) Config *to = NULL;
        int r = supervisor_load(s, &to, faults);

        if (r >= 0)
                r = apply_config(s, to, ret_changes);
        if (r < 0)
                emit_refused(s, faults);
        return r;
}

int supervisor_plan(Supervisor *s, ConfigFaults *faults, char **ret_changes) {
        _cleanup_(config_unrefp) Config *from = NULL, *to = NULL;
        _cleanup_(config_diff_done) ConfigDiff d = {0};
        _cleanup_text_ Text changes = {0};
        int r = supervisor_load(s, &to, faults);

        if (r >= 0)
                r = supervisor_running_config(s, false, &from);
        if (r >= 0)
                r = config_diff(from, to, &d);
        if (r < 0)
                return r;
        json_put_array(&changes, NULL);
        for (size_t i = 0; i < d.n; i++)
                plan_put_change(s, &changes, &d.items[i], 0);
        json_end_array(&changes);
        if (text_check(&changes) < 0)
                return -ENOMEM;
        *ret_changes = text_take(&changes);
        return 0;
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

        if (r == -EBADMSG && json_object_size(s->wishes.pools) > 0) { /* nobody is there to take them back */
                _cleanup_config_faults_ ConfigFaults without = {0};

                s->ignores_overrides = true;
                r = supervisor_apply(s, &without, &changes);
                if (r >= 0) {
                        supervisor_log_faults(&faults);
                        log_warning("what was set at run time does not fit the configuration any more; starting without it");
                }
                s->ignores_overrides = false;
        }
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
