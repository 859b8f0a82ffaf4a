/* cgroup-leaf.c - leaves of spares, used again. Making and removing a leaf is a third of the keeper's work for a process that
 * ends at once.
 *
 * A leaf goes from one process to the next only where nothing of the first can touch the second: both are of the same template;
 * the first one began, and ended by itself; the leaf is empty, is not frozen, and has no cgroup below; nothing was killed through
 * it, and no value was set or is counted in it. Any other is removed. While it may be used again, and as long as its process has
 * just begun, its files stay open. */
#include "keeper/tree.h"
#include "keeper/cgroup-file.h"
#include "base/fd.h"
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define EVENTS_TEXT_MAX 256

static void leaf_close(TreeLeaf *l) {
        l->fd = fd_close(l->fd);
        l->procs_fd = fd_close(l->procs_fd);
        l->events_fd = fd_close(l->events_fd);
        l->is_open = false;
}

void cgroup_leaf_let_go(Slot *s) {
        if (s->leaf.is_open)
                leaf_close(&s->leaf);
}

void cgroup_leaf_open(Slot *s, int dir_fd) {
        TreeLeaf *l = &s->leaf;

        l->fd = fcntl(dir_fd, F_DUPFD_CLOEXEC, 3);
        l->procs_fd = openat(dir_fd, "cgroup.procs", O_RDWR | O_CLOEXEC);
        l->events_fd = openat(dir_fd, "cgroup.events", O_RDONLY | O_CLOEXEC);
        l->is_open = true;
        if (l->fd < 0 || l->procs_fd < 0 || l->events_fd < 0)
                leaf_close(l);
}

bool cgroup_leaf_take(Tree *t, Slot *s, int *ret_fd) {
        for (unsigned i = 0; i < t->n_spare_leaves; i++) {
                SpareLeaf *l = &t->spare_leaves[i];
                int fd;

                if (l->by_slot != s->by_slot || l->by_generation != s->by_generation)
                        continue;
                fd = fcntl(l->leaf.fd, F_DUPFD_CLOEXEC, 3);
                if (fd < 0)
                        return false;
                s->leaf = l->leaf;
                s->has_leaf = true;
                *l = t->spare_leaves[--t->n_spare_leaves];
                *ret_fd = fd;
                return true;
        }
        return false;
}

static bool is_as_new(const TreeLeaf *l) {
        char text[EVENTS_TEXT_MAX];
        struct stat st;
        ssize_t n = pread(l->events_fd, text, sizeof(text) - 1, 0);

        if (n <= 0)
                return false;
        text[n] = '\0';
        return strstr(text, "populated 0") && !strstr(text, "frozen 1") && fstat(l->fd, &st) == 0 && st.st_nlink == 2;
}

bool cgroup_leaf_give(Tree *t, Slot *s) {
        if (!s->leaf.is_open)
                return false;
        if (s->is_failed || s->exited.code != CLD_EXITED || t->n_spare_leaves == ARRAY_SIZE(t->spare_leaves) ||
            !is_as_new(&s->leaf)) {
                cgroup_leaf_let_go(s);
                return false;
        }
        t->spare_leaves[t->n_spare_leaves++] =
                (SpareLeaf) {.leaf = s->leaf, .by_slot = s->by_slot, .by_generation = s->by_generation};
        s->leaf = (TreeLeaf) {.fd = -EBADF, .procs_fd = -EBADF, .events_fd = -EBADF};
        s->has_leaf = false;
        return true;
}

void cgroup_leaves_drop(Tree *t, uint32_t by_slot, uint64_t by_generation) {
        for (unsigned i = t->n_spare_leaves; i-- > 0;) {
                SpareLeaf *l = &t->spare_leaves[i];
                char name[SLOT_LEAF_MAX];

                if (l->by_slot != by_slot || l->by_generation != by_generation)
                        continue;
                (void) unlinkat(t->base_fd, slot_spare_leaf(l->leaf.slot, l->leaf.generation, name), AT_REMOVEDIR);
                leaf_close(&l->leaf);
                *l = t->spare_leaves[--t->n_spare_leaves];
        }
}

/* 1: it is inside; 0: it is not; -errno. */
int cgroup_leaf_has(const Slot *s, pid_t pid) {
        char text[64], number[16];
        ssize_t n = s->leaf.is_open ? pread(s->leaf.procs_fd, text, sizeof(text) - 1, 0) : -1;

        if (n < 0)
                return -ENOENT;
        text[n] = '\0';
        (void) snprintf(number, sizeof(number), "%d\n", pid);
        return strncmp(text, number, strlen(number)) == 0;
}
