/* selection.c - selectors of a call, resolved by the pools. */
#include "control/selection.h"
#include "base/alloc.h"
#include "control/control-room.h"
#include "pool/order.h"

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

static void fail_not_found(Call *c, const char *what, const char *name) {
        const char *nearest = pool_nearest_name(call_control(c)->world.pools, name);

        if (nearest)
                call_fail(c, ERROR_NOT_FOUND, "there is no %s \"%.100s\"; did you mean \"%s\"?", what, name, nearest);
        else
                call_fail(c, ERROR_NOT_FOUND, "there is no %s \"%.100s\"; status lists all", what, name);
}

int selection_resolve(Call *c, const json_t *select, Selection *ret) {
        _cleanup_free_ const char **selectors = NULL;
        const char *unknown = NULL;
        Worker **workers = NULL;
        size_t n = 0;
        int r;

        selectors = selection_strings(select, &n);
        r = selectors ? pool_select(call_control(c)->world.pools, selectors, n, &workers, &unknown) : -ENOMEM;
        if (r >= 0) {
                *ret = (Selection){.workers = workers, .n = (size_t) r};
                return 0;
        }
        if (r == -ENOENT && unknown)
                fail_not_found(c, strchr(unknown, '/') ? "worker" : "pool or process", unknown);
        else
                call_errno(c, r, "cannot select workers");
        return r;
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

        if (!p || pool_is_removing(p)) {
                fail_not_found(c, "pool", name);
                return NULL;
        }
        return p;
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
