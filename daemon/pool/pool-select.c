/* pool-select.c - from selectors to workers.
 *
 *   web       every worker of the pool; or the `run` process of that name
 *   web/0     that worker; NAME/0 is the `run` process NAME, too
 *   web/ *    globs, matched against the worker's name where they contain '/', else against the pool's
 *   all       everything
 *
 * No worker twice: a stamp, new with each call, marks those already chosen. What a caller may not see is passed over as
 * if it were not there, by name, by glob and by "all" alike. */
#include "pool/pool-internal.h"

#include "base/alloc.h"
#include "base/glob.h"
#include "base/parse.h"
#include <stdio.h>

#define SELECT_NAME_MAX (NAME_LENGTH_MAX + 16)

typedef struct Selection {
        Worker **items;
        size_t n, capacity;
        uint64_t stamp;
        const PoolView *view;
} Selection;

static bool is_visible(const PoolView *view, const Pool *p) {
        return !view || view->is_visible(p, view->userdata);
}

static Pool *pool_split_name(PoolSet *s, const char *name, unsigned *ret_slot) {
        const char *slash = strrchr(name, '/');
        char pool[NAME_LENGTH_MAX + 1];
        uint64_t slot;

        if (!slash || (size_t) (slash - name) > NAME_LENGTH_MAX)
                return NULL;
        if (parse_u64(slash + 1, &slot) < 0 || slot >= KEEPER_SLOTS_MAX)
                return NULL;
        memcpy(pool, name, (size_t) (slash - name));
        pool[slash - name] = 0;
        *ret_slot = (unsigned) slot;
        return pool_find(s, pool);
}

Pool *pool_set_pool_by_worker_name(PoolSet *s, const char *name, unsigned *ret_slot) {
        Pool *p = pool_find(s, name);

        if (p && p->origin == POOL_FROM_RUN) {
                *ret_slot = 0;
                return p;
        }
        p = pool_split_name(s, name, ret_slot);
        return p && p->origin != POOL_FROM_RUN ? p : NULL;
}

Worker *pool_set_worker_by_name(PoolSet *s, const char *name) {
        unsigned slot;
        Pool *p = pool_set_pool_by_worker_name(s, name, &slot);

        return p ? pool_worker_by_slot(p, slot) : NULL;
}

static int select_add(Selection *sel, Worker *w) {
        int r;

        if (w->select_stamp == sel->stamp)
                return 0;
        r = alloc_grow(&sel->items, &sel->capacity, sel->n + 2, sizeof *sel->items); /* its NULL included */
        if (r < 0)
                return r;
        w->select_stamp = sel->stamp;
        sel->items[sel->n++] = w;
        return 0;
}

static int select_pool(Selection *sel, Pool *p) {
        int r = 0;

        for (size_t i = 0; i < p->n_workers && r >= 0; i++)
                r = select_add(sel, p->workers[i]);
        return r;
}

static int select_all(PoolSet *s, Selection *sel) {
        int r = 0;

        for (size_t i = 0; i < s->n_pools && r >= 0; i++)
                if (is_visible(sel->view, s->pools[i]))
                        r = select_pool(sel, s->pools[i]);
        return r;
}

static int select_glob_workers(PoolSet *s, Selection *sel, const char *glob) {
        char name[SELECT_NAME_MAX];

        for (size_t i = 0; i < s->n_pools; i++)
                for (size_t j = 0; is_visible(sel->view, s->pools[i]) && j < s->pools[i]->n_workers; j++) {
                        Worker *w = s->pools[i]->workers[j];
                        int r;

                        (void) snprintf(name, sizeof name, "%s/%u", pool_name(s->pools[i]), w->slot);
                        r = glob_match(glob, name, GLOB_PATH) ? select_add(sel, w) : 0;
                        if (r < 0)
                                return r;
                }
        return 0;
}

static int select_glob_pools(PoolSet *s, Selection *sel, const char *glob) {
        int r = 0;

        for (size_t i = 0; i < s->n_pools && r >= 0; i++)
                if (is_visible(sel->view, s->pools[i]) && glob_match(glob, pool_name(s->pools[i]), 0))
                        r = select_pool(sel, s->pools[i]);
        return r;
}

/* "pool/slot"; NAME and NAME/0 of a `run` process. */
static Worker *pool_worker_by_selector(PoolSet *s, const char *selector) {
        unsigned slot;
        Pool *p = pool_split_name(s, selector, &slot);

        return p ? pool_worker_by_slot(p, slot) : NULL;
}

static int select_one(PoolSet *s, Selection *sel, const char *selector) {
        Worker *w;
        Pool *p;

        if (streq(selector, "all"))
                return select_all(s, sel);
        if (glob_has_magic(selector))
                return strchr(selector, '/') ? select_glob_workers(s, sel, selector)
                                             : select_glob_pools(s, sel, selector);
        p = pool_find(s, selector);
        if (p && is_visible(sel->view, p))
                return select_pool(sel, p);
        w = pool_worker_by_selector(s, selector);
        return w && is_visible(sel->view, w->pool) ? select_add(sel, w) : -ENOENT;
}

int pool_select(PoolSet *s, const PoolView *view, const char *const *selectors, size_t n, Worker ***ret,
                const char **ret_unknown) {
        Selection sel = {.stamp = ++s->select_stamp, .view = view};
        _cleanup_free_ Worker **items = NULL;

        for (size_t i = 0; i < n; i++) {
                int r = select_one(s, &sel, selectors[i]);

                items = sel.items;
                if (r == -ENOENT)
                        *ret_unknown = selectors[i];
                if (r < 0)
                        return r;
        }
        if (!items && !(items = NEW0_ARRAY(Worker *, 1)))
                return -ENOMEM;
        items[sel.n] = NULL;
        *ret = TAKE_PTR(items);
        return (int) sel.n;
}

const char *pool_nearest_name(PoolSet *s, const PoolView *view, const char *name) {
        _cleanup_free_ const char **names = NEW0_ARRAY(const char *, s->n_pools + 1);
        char pool[NAME_LENGTH_MAX + 1];
        size_t n = 0;

        if (!names)
                return NULL;
        for (size_t i = 0; i < s->n_pools; i++)
                if (is_visible(view, s->pools[i]))
                        names[n++] = pool_name(s->pools[i]);
        (void) snprintf(pool, sizeof pool, "%.*s", (int) MIN(strcspn(name, "/"), sizeof pool - 1), name);
        return name_nearest(pool, names);
}
