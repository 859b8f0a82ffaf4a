/* order.c - the graph of pools: is there a way from one back to itself? Pure; depth-first, without recursion. */
#include "pool/order.h"

#include "base/alloc.h"

typedef struct Search {
        const OrderNode *nodes;
        size_t n;
        size_t *stack, *from; /* from[i]: the node that led to i; SIZE_MAX: not seen */
        size_t n_stack;
} Search;

static int compare_name(const void *name, const void *node) {
        return strcmp(name, ((const OrderNode *) node)->name);
}

static size_t node_position(const Search *s, const char *name) {
        const OrderNode *node = s->n > 0 ? bsearch(name, s->nodes, s->n, sizeof *node, compare_name) : NULL;

        return node ? (size_t) (node - s->nodes) : SIZE_MAX;
}

/* Walks on to all of @names; true when @goal is one of them. */
static bool search_step(Search *s, size_t here, char *const *names, size_t goal) {
        for (; names && *names; names++) {
                size_t next = node_position(s, *names);

                if (next == SIZE_MAX)
                        continue;
                if (next == goal) {
                        s->from[goal] = here;
                        return true;
                }
                if (s->from[next] != SIZE_MAX)
                        continue;
                s->from[next] = here;
                s->stack[s->n_stack++] = next;
        }
        return false;
}

static bool search_run(Search *s, size_t goal) {
        s->stack[s->n_stack++] = goal;
        while (s->n_stack > 0) {
                size_t here = s->stack[--s->n_stack];

                if (search_step(s, here, s->nodes[here].requires, goal) ||
                    search_step(s, here, s->nodes[here].after, goal))
                        return true;
        }
        return false;
}

/* The way was noted backwards: it is turned round on the stack, which is empty or of no more use. */
static char *path_text(Search *s, size_t goal) {
        _cleanup_text_ Text t = {0};
        size_t n = 0;

        for (size_t i = s->from[goal]; i != goal; i = s->from[i])
                s->stack[n++] = i;
        text_append(&t, s->nodes[goal].name);
        while (n > 0)
                text_appendf(&t, " -> %s", s->nodes[s->stack[--n]].name);
        text_appendf(&t, " -> %s", s->nodes[goal].name);
        return text_check(&t) < 0 ? NULL : text_take(&t);
}

int order_find_cycle(const OrderNode *nodes, size_t n, const char *name, char **ret) {
        _cleanup_free_ size_t *stack = NEW0_ARRAY(size_t, n + 1), *from = NEW0_ARRAY(size_t, n + 1);
        Search s = {.nodes = nodes, .n = n, .stack = stack, .from = from};
        size_t goal = node_position(&s, name);
        char *path = NULL;

        if (!stack || !from)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++)
                from[i] = SIZE_MAX;
        if (goal != SIZE_MAX && search_run(&s, goal)) {
                path = path_text(&s, goal);
                if (!path)
                        return -ENOMEM;
        }
        *ret = path;
        return 0;
}
