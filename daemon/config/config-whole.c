/* config-whole.c - what concerns several pools together: order and its cycles, addresses, descriptors; and keys of the
 * file that need each other. */
#include "base/alloc.h"
#include "base/parse.h"
#include "base/text.h"
#include "config/config-validate.h"
#include <stdio.h>

#define TEXT_MAX 512

bool listen_config_overlaps(const ListenConfig *a, const ListenConfig *b) {
        bool is_udp = a->kind == LISTEN_UDP;
        Address x, y;

        if (is_udp != (b->kind == LISTEN_UDP) || !a->address || !b->address)
                return false;
        return address_parse(a->address, &x) == 0 && address_parse(b->address, &y) == 0 && address_overlaps(&x, &y);
}

/* ---- order ---- */

/* The name that was probably meant, of a pool that is whole. */
static const char *nearest_pool(const ConfigWhole *w, const char *name) {
        const Config *c = w->config;
        _cleanup_free_ const char **names = NEW0_ARRAY(const char *, c->n_pools + 1);

        for (size_t i = 0; names && i < c->n_pools; i++)
                names[i] = c->pools[i]->name;
        return names ? name_nearest(name, names) : NULL;
}

static void check_known(const ConfigWhole *w, const PoolConfig *p, const char *key, char **names) {
        char text[TEXT_MAX];

        for (char **s = names; s && *s; s++) {
                if (w->is_known(*s, w->userdata))
                        continue;
                const char *near = nearest_pool(w, *s);
                if (near && !streq(near, p->name))
                        (void) snprintf(text, sizeof(text), "there is no pool \"%s\"; did you mean \"%s\"?", *s, near);
                else
                        (void) snprintf(text, sizeof(text), "there is no pool \"%s\"", *s);
                w->fault(p->name, key, text, w->userdata);
        }
}

/* A walk in depth: 0 not seen, 1 on the way, 2 done. The way is kept to name a cycle. */
typedef struct Walk {
        const ConfigWhole *w;
        unsigned char *marks;
        size_t *way, *next; /* indices of pools; of each the number of the next neighbour */
        size_t depth;
} Walk;

static int compare_name(const void *name, const void *pool) {
        return strcmp(name, (*(PoolConfig *const *) pool)->name);
}

static size_t index_of(const Config *c, const char *name) {
        PoolConfig **p = c->n_pools > 0 ? bsearch(name, c->pools, c->n_pools, sizeof *p, compare_name) : NULL;

        return p ? (size_t) (p - c->pools) : SIZE_MAX;
}

/* The @n-th pool that @p waits for; *ret_key is the key that says so. NULL at the end. */
static const char *neighbour(const PoolConfig *p, size_t n, const char **ret_key) {
        size_t n_requires = p->requires ? strv_length((const char *const *) p->requires) : 0;

        *ret_key = n < n_requires ? "requires" : "after";
        if (n < n_requires)
                return p->requires[n];
        n -= n_requires;
        return p->after && n < strv_length((const char *const *) p->after) ? p->after[n] : NULL;
}

static void fault_cycle(const Walk *k, size_t back_to, const char *key) {
        const Config *c = k->w->config;
        _cleanup_text_ Text t = { 0 };
        size_t i = 0;

        while (k->way[i] != back_to)
                i++;
        text_append(&t, "a cycle; none of them could ever start: ");
        for (; i < k->depth; i++)
                text_appendf(&t, "%s -> ", c->pools[k->way[i]]->name);
        text_append(&t, c->pools[back_to]->name);
        if (text_check(&t) < 0)
                k->w->check->error = -ENOMEM;
        else
                k->w->fault(c->pools[k->way[k->depth - 1]]->name, key, t.data, k->w->userdata);
}

/* Without recursion: a chain of 10 000 pools is no reason to run out of stack. */
static void walk_from(Walk *k, size_t first) {
        const Config *c = k->w->config;

        k->way[0] = first;
        k->depth = 1;
        k->marks[first] = 1;
        while (k->depth > 0) {
                size_t here = k->way[k->depth - 1], there;
                const char *key, *name = neighbour(c->pools[here], k->next[here]++, &key);

                if (!name) {
                        k->marks[here] = 2;
                        k->depth--;
                        continue;
                }
                there = index_of(c, name);
                if (there == SIZE_MAX || there == here)
                        continue;
                if (k->marks[there] == 1)
                        fault_cycle(k, there, key);
                else if (k->marks[there] == 0) {
                        k->marks[there] = 1;
                        k->way[k->depth++] = there;
                }
        }
}

static void check_cycles(const ConfigWhole *w) {
        const Config *c = w->config;
        _cleanup_free_ unsigned char *marks = alloc_zero(c->n_pools + 1, 1);
        _cleanup_free_ size_t *way = NEW0_ARRAY(size_t, c->n_pools + 1), *next = NEW0_ARRAY(size_t, c->n_pools + 1);
        Walk k = { .w = w, .marks = marks, .way = way, .next = next };

        if (!marks || !way || !next) {
                w->check->error = -ENOMEM;
                return;
        }
        for (size_t i = 0; i < c->n_pools; i++)
                if (marks[i] == 0)
                        walk_from(&k, i);
}

/* ---- addresses ---- */

typedef struct Bound {
        Address address;
        bool is_udp;
        const PoolConfig *pool;
        const ListenConfig *listen;
} Bound;

static unsigned port_of(const Bound *b) {
        switch (b->address.sa.sa_family) {
        case AF_INET:
                return ntohs(b->address.in.sin_port);
        case AF_INET6:
                return ntohs(b->address.in6.sin6_port);
        default:
                return 0;
        }
}

/* Neighbours in this order are the only ones that may overlap: one kind and one port, paths by name. */
static int compare_bounds(const void *a, const void *b) {
        const Bound *x = a, *y = b;
        unsigned p = port_of(x), q = port_of(y);

        if (x->is_udp != y->is_udp)
                return x->is_udp ? 1 : -1;
        if (p != q)
                return p < q ? -1 : 1;
        return p == 0 ? strcmp(x->address.un.sun_path, y->address.un.sun_path) : strcmp(x->pool->name, y->pool->name);
}

static bool may_overlap(const Bound *a, const Bound *b) {
        return a->is_udp == b->is_udp && port_of(a) == port_of(b) &&
               (port_of(a) != 0 || streq(a->address.un.sun_path, b->address.un.sun_path));
}

static void check_pair(const ConfigWhole *w, const Bound *a, const Bound *b) {
        char text[TEXT_MAX];

        if (a->pool == b->pool || !address_overlaps(&a->address, &b->address))
                return;
        (void) snprintf(text, sizeof(text), "\"%s\": %s is taken by \"%s\" of pool %s (%s)", b->listen->name, b->listen->address,
                        a->listen->name, a->pool->name, a->listen->address);
        w->fault(b->pool->name, "listen", text, w->userdata);
}

static void check_addresses(const ConfigWhole *w) {
        const Config *c = w->config;
        _cleanup_free_ Bound *all = NULL;
        size_t n = 0, total = 0;

        for (size_t i = 0; i < c->n_pools; i++)
                total += c->pools[i]->n_listen;
        all = NEW0_ARRAY(Bound, total + 1);
        if (!all) {
                w->check->error = -ENOMEM;
                return;
        }
        for (size_t i = 0; i < c->n_pools; i++)
                for (size_t k = 0; k < c->pools[i]->n_listen; k++) {
                        const ListenConfig *l = &c->pools[i]->listen[k];
                        all[n] = (Bound){ .is_udp = l->kind == LISTEN_UDP, .pool = c->pools[i], .listen = l };
                        if (address_parse(l->address, &all[n].address) == 0)
                                n++;
                }
        if (n > 1)
                qsort(all, n, sizeof(*all), compare_bounds);
        for (size_t i = 1; i < n; i++)
                for (size_t k = i; k-- > 0 && may_overlap(&all[k], &all[i]);)
                        check_pair(w, &all[k], &all[i]);
}

/* ---- descriptors and slots ---- */

static void check_number(const ConfigWhole *w) {
        const Config *c = w->config;
        const PoolConfig *biggest = NULL;
        unsigned long total = 0;
        char text[TEXT_MAX];

        for (size_t i = 0; i < c->n_pools; i++) {
                const PoolConfig *p = c->pools[i];
                total += MAX(p->workers, p->workers_max);
                if (!biggest || MAX(p->workers, p->workers_max) > MAX(biggest->workers, biggest->workers_max))
                        biggest = p;
        }
        if (w->check->ctx->workers_max == 0 || total <= w->check->ctx->workers_max ||
            MAX(biggest->workers, biggest->workers_max) > w->check->ctx->workers_max) /* said already */
                return;
        (void) snprintf(text, sizeof(text), "all pools together want %lu workers, and there is room for %u: %s", total,
                        w->check->ctx->workers_max, w->check->ctx->workers_max_reason);
        w->fault(biggest->name, "workers", text, w->userdata);
}

/* ---- keys of the file ---- */

static void check_file_keys(const ConfigWhole *w) {
        const Config *c = w->config;

        if (json_object_get(c->source, "metrics_interval") && !c->metrics_file)
                w->fault(NULL, "metrics_interval", "an interval without a metrics_file", w->userdata);
        if (c->socket_group && json_object_get(c->source, "socket_mode") && (c->socket_mode & 0060) != 0060)
                w->fault(NULL, "socket_mode", "with a socket_group the mode must let the group in: \"0660\"", w->userdata);
}

void config_validate_whole(const ConfigWhole *w) {
        const Config *c = w->config;

        for (size_t i = 0; i < c->n_pools; i++) {
                check_known(w, c->pools[i], "requires", c->pools[i]->requires);
                check_known(w, c->pools[i], "after", c->pools[i]->after);
        }
        check_cycles(w);
        check_addresses(w);
        check_number(w);
        check_file_keys(w);
}
