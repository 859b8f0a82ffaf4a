/* selection.c - selectors of a call, resolved by the pools. */
#include "control/selection.h"
#include "base/alloc.h"
#include "base/glob.h"
#include "base/parse.h"
#include "control/control-room.h"

#include <stdio.h>
#include "pool/order.h"

#define GLOB_MAX 256         /* bytes of one pattern: four times the longest name */
#define GLOBS_MAX 256        /* patterns in one call */
#define GLOB_WORK_MAX 100000 /* patterns times pools */

void selection_done(Selection *s) {
        free(s->workers);
        *s = (Selection){0};
}

const char **selection_strings(const json_t *v, size_t *ret_n) {
        size_t n = json_is_array(v) ? json_array_size(v) : 1;
        const char **strings = NEW0_ARRAY(const char *, n + 1);

        if (!strings)
                return NULL;
        if (json_is_string(v))
                strings[0] = json_string_value(v);
        for (size_t i = 0; json_is_array(v) && i < n; i++)
                strings[i] = json_string_value(json_array_get(v, i));
        *ret_n = n;
        return strings;
}

static bool view_is_visible(const Pool *p, void *userdata) {
        return call_pool_level(userdata, p) >= ACCESS_OBSERVE;
}

const PoolView *selection_view(Call *c, PoolView *ret) {
        if (call_level(c) >= ACCESS_OBSERVE)
                return NULL;
        *ret = (PoolView){.is_visible = view_is_visible, .userdata = c};
        return ret;
}

bool selection_sees(const Call *c, const char *name) {
        if (call_level(c) >= ACCESS_OBSERVE)
                return true;
        return name && call_pool_level(c, pool_find(call_control(c)->world.pools, name)) >= ACCESS_OBSERVE;
}

bool selection_sees_worker(const Call *c, const char *name) {
        char pool[NAME_LENGTH_MAX + 1];

        (void) snprintf(pool, sizeof(pool), "%.*s", (int) MIN(strcspn(name, "/"), sizeof(pool) - 1), name);
        return selection_sees(c, pool);
}

bool selection_hides_secrets(const char *pool, void *call) {
        const Call *c = call;

        return call_pool_level(c, pool_find(call_control(c)->world.pools, pool)) < ACCESS_ADMINISTER;
}

/* Pools are called "NAME.something". */
static bool is_group(Call *c, const char *name, size_t n) {
        PoolView view;
        const PoolView *v = selection_view(c, &view);

        for (Pool *p = pool_first(call_control(c)->world.pools); p && n > 0; p = pool_next(p))
                if (strncmp(pool_name(p), name, n) == 0 && pool_name(p)[n] == '.' && (!v || v->is_visible(p, v->userdata)))
                        return true;
        return false;
}

static void fail_not_found(Call *c, const char *what, const char *name) {
        PoolView view;
        const char *nearest = pool_nearest_name(call_control(c)->world.pools, selection_view(c, &view), name);
        size_t group = strcspn(name, ":"); /* site, or as supervisord has it site:web and site:* */

        if (is_group(c, name, group))
                call_fail(c, ERROR_NOT_FOUND, "there is no %s \"%.100s\"; did you mean \"%.*s.*\"?", what, name, (int) group, name);
        else if (nearest)
                call_fail(c, ERROR_NOT_FOUND, "there is no %s \"%.100s\"; did you mean \"%s\"?", what, name, nearest);
        else
                call_fail(c, ERROR_NOT_FOUND, "there is no %s \"%.100s\"; status lists all", what, name);
}

/* Nothing is done to some of them when another one is refused. */
static bool may_all(Call *c, const Selection *s) {
        AccessClass needed = methods[c->method]->class;
        const Pool *last = NULL;

        if (call_level(c) >= needed)
                return true;
        for (size_t i = 0; i < s->n; i++) {
                const Pool *p = worker_pool(s->workers[i]);

                if (p != last && !method_may(c, call_pool_level(c, p), pool_name(p)))
                        return false;
                last = p;
        }
        return true;
}

/* Patterns times names is what a call costs: within what a turn of the loop can bear. */
static bool is_affordable(Call *c, const char *const *selectors, size_t n) {
        size_t n_globs = 0, n_names = pool_count(call_control(c)->world.pools);

        for (size_t i = 0; i < n; i++) {
                bool is_glob = glob_has_magic(selectors[i]);

                n_globs += is_glob;
                if (is_glob && strlen(selectors[i]) > GLOB_MAX) {
                        call_fail(c, ERROR_LIMIT, "a pattern may have at most %d bytes", GLOB_MAX);
                        return false;
                }
        }
        if (n_globs <= GLOBS_MAX && n_globs * n_names <= GLOB_WORK_MAX)
                return true;
        call_fail(c, ERROR_LIMIT, "%zu patterns in one call are too many: use fewer, or \"all\"", n_globs);
        return false;
}

int selection_resolve(Call *c, const json_t *select, Selection *ret) {
        _cleanup_free_ const char **selectors = NULL;
        const char *unknown = NULL;
        _cleanup_selection_ Selection s = {0};
        PoolView view;
        size_t n = 0;
        int r;

        selectors = selection_strings(select, &n);
        if (selectors && !is_affordable(c, selectors, n))
                return -E2BIG;
        for (size_t i = 0; selectors && i < n; i++)
                if (strchr(selectors[i], ':')) { /* in no name: a glob with it would silently match nothing */
                        fail_not_found(c, "pool or process", selectors[i]);
                        return -ENOENT;
                }
        r = selectors ? pool_select(call_control(c)->world.pools, selection_view(c, &view), selectors, n, &s.workers, &unknown)
                      : -ENOMEM;
        if (r >= 0) {
                s.n = (size_t) r;
                if (!may_all(c, &s))
                        return -EACCES;
                *ret = s;
                s = (Selection){0};
                return 0;
        }
        if (r == -ENOENT && unknown)
                fail_not_found(c, strchr(unknown, '/') ? "worker" : "pool or process", unknown);
        else
                call_errno(c, r, "cannot select workers");
        return r;
}

static void refuse_along(Call *c, const Pool *p) {
        const char *role = access_class_to_string(methods[c->method]->class);

        if (call_pool_level(c, p) >= ACCESS_OBSERVE)
                call_fail(c, ERROR_DENIED, "%s requires what would be stopped and would be stopped, too, which needs the role %s for it", pool_name(p), role);
        else
                call_fail(c, ERROR_DENIED, "other pools need what would be stopped and would be stopped, too; the role %s for them is missing", role);
}

int selection_admit(Call *c, Selection *s, size_t n_chosen, bool is_all_or_nothing) {
        AccessClass needed = methods[c->method]->class;
        size_t n = n_chosen;

        if (call_level(c) >= needed)
                return 0;
        for (size_t i = n_chosen; i < s->n; i++) {
                const Pool *p = worker_pool(s->workers[i]);

                if (call_pool_level(c, p) >= needed)
                        s->workers[n++] = s->workers[i];
                else if (is_all_or_nothing) {
                        refuse_along(c, p);
                        return -EACCES;
                }
        }
        s->n = n;
        s->workers[n] = NULL;
        return 0;
}

static bool is_staying(const Worker *w) {
        return !worker_is_leaving(w) && !pool_is_removing(worker_pool(w));
}

void selection_drop_leaving(Selection *s) {
        size_t n = 0;

        for (size_t i = 0; i < s->n; i++)
                n += is_staying(s->workers[i]);
        if (n == 0)
                return;
        for (size_t i = n = 0; i < s->n; i++)
                if (is_staying(s->workers[i]))
                        s->workers[n++] = s->workers[i];
        s->n = n;
}

Pool *selection_pool(Call *c, const char *name) {
        Pool *p = pool_find(call_control(c)->world.pools, name);

        if (!p || pool_is_removing(p) || call_pool_level(c, p) < ACCESS_OBSERVE) {
                fail_not_found(c, "pool", name);
                return NULL;
        }
        return method_may(c, call_pool_level(c, p), name) ? p : NULL;
}

bool selection_order_is_fine(Call *c, const PoolConfig *config) {
        _cleanup_free_ char *text = NULL;
        int r = order_check(call_control(c)->world.pools, config, &text);

        if (r < 0 && text)
                call_fail(c, ERROR_PARAMS, "%s: %s", config->name, text);
        else if (r < 0)
                call_errno(c, r, "cannot look at the order of pools");
        return r >= 0;
}

void selection_object(Call *c, const json_t *select) {
        _cleanup_text_ Text t = {0};
        size_t i;
        json_t *v;

        if (json_is_string(select)) {
                call_set_object(c, json_string_value(select));
                return;
        }
        json_array_foreach(select, i, v)
                if (t.length < CALL_OBJECT_MAX)
                        text_appendf(&t, "%s%s", i > 0 ? "," : "", json_string_value(v));
        if (t.data)
                call_set_object(c, t.data);
}
