/* order-wish.c - wishes that concern other pools than the one they name: a pool is added that needs others, a stop takes
 * with it those that need what stops, a start brings these back. */
#include "pool/pool-internal.h"

#include "base/alloc.h"

int order_check(PoolSet *s, const PoolConfig *c, char **ret_text) {
        _cleanup_free_ OrderNode *nodes = NULL;
        _cleanup_free_ char *path = NULL;
        char **lists[] = {c->requires, c->after};
        size_t n = 0, i;
        bool found;

        for (size_t j = 0; j < 2; j++)
                for (char **name = lists[j]; name && *name; name++) {
                        if (pool_find(s, *name) || streq(*name, c->name))
                                continue;
                        *ret_text = alloc_printf("%s: there is no pool \"%s\"; add it first", j == 0 ? "requires" : "after", *name);
                        return *ret_text ? -ENOENT : -ENOMEM;
                }
        if (!order_has_needs(c))
                return 0;
        nodes = NEW0_ARRAY(OrderNode, s->n_pools + 1);
        if (!nodes)
                return -ENOMEM;
        i = pool_set_position(s, c->name, &found);
        for (size_t j = 0; j < s->n_pools + !found; j++) {
                const PoolConfig *o = j == i ? c : s->pools[n - (!found && j > i)]->config;

                nodes[n++] = (OrderNode){.name = o->name, .requires = o->requires, .after = o->after};
        }
        if (order_find_cycle(nodes, n, c->name, &path) < 0)
                return -ENOMEM;
        if (!path)
                return 0;
        *ret_text = alloc_printf("requires and after lead in a circle: %s; take one of them out", path);
        return *ret_text ? -ELOOP : -ENOMEM;
}

static bool requires(const Pool *p, const Pool *other) {
        for (size_t i = 0; i < p->n_needs; i++)
                if (p->needs[i].is_required && p->needs[i].pool == other)
                        return true;
        return false;
}

const char *order_required_by(Pool *p) {
        order_resolve(p->set);
        for (size_t i = 0; i < p->n_needed_by; i++)
                if (!p->needed_by[i]->is_removing && requires(p->needed_by[i], p))
                        return pool_name(p->needed_by[i]);
        return NULL;
}

static int add_worker(Worker ***workers, size_t *n, Worker *w, uint64_t stamp) {
        Worker **more;

        if (w->select_stamp == stamp)
                return 0;
        more = realloc(*workers, (*n + 2) * sizeof(Worker *));
        if (!more)
                return -ENOMEM;
        w->select_stamp = stamp;
        more[(*n)++] = w;
        more[*n] = NULL;
        *workers = more;
        return 1;
}

static bool is_all_chosen(const Pool *p, uint64_t stamp) {
        bool any = false;

        for (size_t i = 0; i < p->n_workers; i++) {
                if (p->workers[i]->select_stamp == stamp)
                        any = true;
                else if (p->workers[i]->is_wanted)
                        return false;
        }
        return any;
}

static bool is_any_chosen(const Pool *p, uint64_t stamp) {
        for (size_t i = 0; i < p->n_workers; i++)
                if (p->workers[i]->select_stamp == stamp)
                        return true;
        return false;
}

static bool goes_too(const Worker *w) {
        return w->is_wanted || w->child;
}

static bool comes_back(const Worker *w) {
        return w->is_stopped_for_need;
}

/* Round by round until nobody is added any more; each round goes one step further along the needs. */
static int add_along(PoolSet *s, Worker ***workers, size_t *n, bool (*is_source)(const Pool *, uint64_t),
                     bool (*is_wanted)(const Worker *)) {
        uint64_t stamp = ++s->select_stamp;
        int again = 1;

        order_resolve(s);
        for (size_t i = 0; i < *n; i++)
                (*workers)[i]->select_stamp = stamp;
        while (again > 0 && s->n_needs > 0) {
                again = 0;
                for (size_t i = 0; i < s->n_pools; i++) {
                        Pool *p = s->pools[i];

                        for (size_t j = 0; j < p->n_needed_by && is_source(p, stamp); j++) {
                                Pool *d = p->needed_by[j];

                                for (size_t k = 0; k < d->n_workers && requires(d, p); k++) {
                                        int r = is_wanted(d->workers[k]) ? add_worker(workers, n, d->workers[k], stamp) : 0;

                                        if (r < 0)
                                                return r;
                                        again |= r;
                                }
                        }
                }
        }
        return 0;
}

int order_add_dependents(PoolSet *s, Worker ***workers, size_t *n) {
        return add_along(s, workers, n, is_all_chosen, goes_too);
}

int order_add_returning(PoolSet *s, Worker ***workers, size_t *n) {
        return add_along(s, workers, n, is_any_chosen, comes_back);
}

void order_want_stop(Worker *w) {
        bool returns = w->is_wanted || w->is_stopped_for_need;

        worker_want_stop(w);
        w->is_stopped_for_need = returns;
}
