/* tree.c - choose how trees are held: by trying. */
#include "keeper/tree.h"
#include "base/log.h"
#include <stdio.h>

void tree_open(Tree *t, SlotTable *table) {
        const char *wish = getenv("DROVER_TREE");
        bool without = wish && streq(wish, "sweep");

        *t = (Tree) {.ops = &tree_cgroup, .table = table, .base_fd = -EBADF, .own_fd = -EBADF, .method = SPAWN_INTO_CGROUP};
        if (without)
                (void) snprintf(t->reason, sizeof(t->reason), "DROVER_TREE=sweep");
        else if (cgroup_open(t) >= 0) {
                log_debug("trees are held by cgroups in %s (%s)", t->base, spawn_method_to_string(t->method));
                return;
        }
        t->ops = &tree_sweep;
        t->method = SPAWN_CLONE;
        log_info("trees are held by session and ancestry only: %s", t->reason);
}

void tree_close(Tree *t) {
        cgroup_close(t);
}
