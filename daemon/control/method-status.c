/* method-status.c - status: pools and workers as they are. */
#include "base/alloc.h"
#include "base/glob.h"
#include "control/control-call.h"
#include "control/control-room.h"
#include "control/method.h"
#include "control/selection.h"
#include "control/tails.h"

typedef struct StatusParams {
        json_t *select;
        bool detail;
} StatusParams;

static const JsonField status_fields[] = {
        {"select", JSON_FIELD_STRINGS, offsetof(StatusParams, select), .help = "pools, workers, globs; absent: everything"},
        {"detail", JSON_FIELD_BOOL, offsetof(StatusParams, detail),
         .help = "each worker's last five ends with the lines before them, its last lines (of at most 16 selected), and which of its pool's wishes this machine cannot fulfil (false)"},
        {0},
};

static void put_all_pools(PoolSet *pools, const PoolView *view, Text *t) {
        for (Pool *p = pool_first(pools); p; p = pool_next(p))
                if (!view || view->is_visible(p, view->userdata))
                        pool_put_json(p, t, NULL, NULL, 0);
}

/* Workers come in order of their pools: a run of the same pool becomes one pool object. */
static void put_selected(const Selection *s, Text *t) {
        size_t i = 0, begin;

        while (i < s->n) {
                Pool *p = worker_pool(s->workers[i]);

                begin = i;
                while (i < s->n && worker_pool(s->workers[i]) == p)
                        i++;
                if (i - begin == pool_n_workers(p))
                        pool_put_json(p, t, NULL, NULL, 0);
                else
                        pool_put_json(p, t, NULL, s->workers + begin, i - begin);
        }
}

/* A pool without workers is selected by its name or a glob, though no worker is. */
static void put_empty_pools(PoolSet *pools, const PoolView *view, const json_t *select, Text *t) {
        _cleanup_free_ const char **selectors = NULL;
        size_t n = 0;

        for (Pool *p = pool_first(pools); p; p = pool_next(p)) {
                if (pool_n_workers(p) > 0 || (view && !view->is_visible(p, view->userdata)))
                        continue;
                if (!selectors)
                        selectors = selection_strings(select, &n);
                for (size_t i = 0; selectors && i < n; i++)
                        if (streq(selectors[i], "all") || glob_match(selectors[i], pool_name(p), 0)) {
                                pool_put_json(p, t, NULL, NULL, 0);
                                break;
                        }
        }
}

static void answer_status(Call *c, const json_t *select, const Selection *s, bool detail, Tails *tails) {
        PoolSet *pools = call_control(c)->world.pools;
        const PoolView *view;
        PoolView buf;
        Text *t;

        view = selection_view(c, &buf);
        t = call_begin(c);
        pool_set_show_detail(pools, detail ? tails_find : NULL, tails);
        json_put_object(t, NULL);
        json_put_array(t, "pools");
        if (select) {
                put_selected(s, t);
                put_empty_pools(pools, view, select, t);
        } else
                put_all_pools(pools, view, t);
        pool_set_show_detail(pools, NULL, NULL);
        json_end_array(t);
        json_put_u64(t, "weakened", promises_n_weakened(pool_set_promises(pools)));
        json_end_object(t);
        call_end(c);
}

/* Meanwhile workers may have come and gone. */
static void on_tails(Call *c, const json_t *select, Tails *tails) {
        _cleanup_selection_ Selection s = {0};

        if (selection_resolve(c, select, &s) >= 0)
                answer_status(c, select, &s, true, tails);
}

static void handle_status(Call *c, const void *params) {
        const StatusParams *p = params;
        _cleanup_selection_ Selection s = {0};

        if (p->select && selection_resolve(c, p->select, &s) < 0)
                return;
        if (!p->detail || !tails_ask(c, p->select, &s, on_tails))
                answer_status(c, p->select, &s, p->detail, NULL);
}

const Method method_status = {
        .class = ACCESS_OBSERVE,
        .scope = METHOD_OF_POOLS,
        .handler = handle_status,
        .fields = status_fields,
        .params_size = sizeof(StatusParams),
        .result = "{\"pools\":[{\"name\",\"state\",\"wanted\",\"ready\",...,\"workers\":[WORKER...]}],\"weakened\":promises not wholly kept here}",
};
