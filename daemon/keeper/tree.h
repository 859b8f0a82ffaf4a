/* tree.h - a worker's whole tree of processes: how it is held together, signalled, killed and found empty.
 *
 * Two variants. cgroup: a cgroup v2 leaf per process, from which nobody leaves by forking. sweep (the "none"
 * variant): session, process group, ancestry and orphans known by $DROVER_NAME; weaker, since a process that
 * leaves its session *and* changes its environment is found only at shutdown.
 *
 * Owner: the Keeper. */
#ifndef DROVER_KEEPER_TREE_H
#define DROVER_KEEPER_TREE_H

#include "keeper/controller.h"
#include "keeper/slot.h"
#include "keeper/spawn.h"
#include "base/macro.h"
#include <limits.h>

#define TREE_END_LIMIT_USEC (5 * USEC_PER_SEC) /* a tree not empty after this is called unkillable */

typedef struct Tree Tree;

typedef struct TreeOps {
        KeeperTreeMode mode;
        /* A place for a new process. *ret_fd: the leaf's directory, the caller's; -EBADF where there is none. */
        int (*make)(Tree *t, Slot *s, int *ret_fd);
        void (*discard)(Tree *t, Slot *s); /* no process was made after all */
        int (*enter)(Tree *t, int leaf_fd, pid_t pid); /* a process into a leaf, unless it was born there */
        int (*set)(Tree *t, Slot *s, const KeeperCgroup *values); /* -EOPNOTSUPP where there is no leaf at all */
        void (*account)(Tree *t, Slot *s); /* its main process is dead: what its leaf knows goes to s->exited */
        /* @sig to every process of it; 0, -ESRCH when there was none, or the first other error. */
        int (*send)(Tree *t, Slot *s, int sig);
        /* @what for every process of it; 0 when it was 0 for one, else its first error; -ESRCH when there was none. */
        int (*each)(Tree *t, Slot *s, int (*what)(pid_t pid, void *userdata), void *userdata);
        /* Every process of it stands still, or runs on; 0 or an error. */
        int (*freeze)(Tree *t, Slot *s, bool is_frozen);
        /* 1: every process of it does, 0: not yet, or an error. */
        int (*is_frozen)(Tree *t, Slot *s, bool is_frozen);
        void (*look)(Tree *t); /* before a round of end() or is_frozen() calls */
        /* The main process is gone: 0 when nothing is left; 1 when the rest was killed and is still dying. */
        int (*end)(Tree *t, Slot *s);
} TreeOps;

/* Names of empty leaves that are still to be removed, one after the other, each with its '\0'. */
typedef struct TreeRubbish {
        uint32_t begin, end;
        char names[32768];
} TreeRubbish;

#define SPARE_LEAVES_MAX 32

/* An empty leaf that the next spare of the same template may have. */
typedef struct SpareLeaf {
        TreeLeaf leaf;
        uint32_t by_slot;
        uint64_t by_generation;
} SpareLeaf;

struct Tree {
        const TreeOps *ops;
        SlotTable *table;
        int base_fd;             /* cgroup only */
        int own_fd;              /* cgroup only: the one above it */
        char base[PATH_MAX];     /* cgroup only: its path */
        Controllers controllers; /* cgroup only */
        char reason[128];        /* why it is not cgroup; "" when it is */
        SpawnMethod method;
        pid_t known[2];          /* droverd and the logger: children, but nobody's orphans */
        pid_t orphans[1024];     /* of the last look: children without a slot */
        size_t n_orphans;
        TreeRubbish rubbish;     /* cgroup only */
        SpareLeaf spare_leaves[SPARE_LEAVES_MAX]; /* cgroup only */
        unsigned n_spare_leaves;
};

/** tree_open() - choose the variant by trying it out. Never fails: what remains is sweep with a reason. */
void tree_open(Tree *t, SlotTable *table);
/** tree_close() - remove the keeper's cgroups, as far as they are empty. */
void tree_close(Tree *t);

extern const TreeOps tree_cgroup, tree_sweep;

/** cgroup_open() - find, make and try the base directory. -errno: @reason says what did not work. */
int cgroup_open(Tree *t);
void cgroup_close(Tree *t);
/** cgroup_has_rubbish() - are there empty leaves still to be removed? */
static inline bool cgroup_has_rubbish(const Tree *t) {
        return t->rubbish.begin < t->rubbish.end;
}
/* cgroup-leaf.c */
bool cgroup_leaf_take(Tree *t, Slot *s, int *ret_fd); /* one that was used before. *ret_fd as of make() */
void cgroup_leaf_open(Slot *s, int dir_fd);           /* a new one: it may be used again */
bool cgroup_leaf_give(Tree *t, Slot *s);              /* its process is dead. false: it is to be removed */
void cgroup_leaf_let_go(Slot *s);                     /* it is not to be used again */
void cgroup_leaves_drop(Tree *t, uint32_t by_slot, uint64_t by_generation); /* of a template that is no more */
int cgroup_leaf_has(const Slot *s, pid_t pid);        /* 1, 0; -ENOENT: its files are not open */
/** cgroup_tidy() - remove a few of them. */
void cgroup_tidy(Tree *t);
/** cgroup_own_path() - the directory of the cgroup v2 this process is in. -ENOENT without cgroup v2. */
int cgroup_own_path(char *buf, size_t size);
/** cgroup_remove_stale() - remove the empty directories of keepers that are no more, below @own. */
void cgroup_remove_stale(const char *own);
/** cgroup_kill_below() - SIGKILL to all below the directory but this process; how many there were. Recursive. */
unsigned cgroup_kill_below(int dir_fd, unsigned depth);
/** cgroup_remove_below() - rmdir of every directory below; 0 when none is left. */
int cgroup_remove_below(int dir_fd, unsigned depth);

/** process_is_stopped() - by a signal or a tracer, or it is no more. */
bool process_is_stopped(pid_t pid);
/** sweep_orphans() - SIGKILL to every child of the keeper that has no slot and is no known program, with its
 *  descendants; how many were found alive. */
unsigned sweep_orphans(Tree *t);

#endif
