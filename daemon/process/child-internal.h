/* child-internal.h - the inside of Child, for child.c and child-launch.c. */
#ifndef DROVER_PROCESS_CHILD_INTERNAL_H
#define DROVER_PROCESS_CHILD_INTERNAL_H

#include "process/keeper-link-internal.h"
#include <uthash.h>

struct Child {
        KeeperLink *link;
        uint32_t slot;
        uint64_t generation;
        pid_t pid;
        usec_t started_usec;
        bool is_ended, is_drained;
        bool has_pid_entry, is_late, is_late_drained;
        bool is_spare;  /* of child_spare(), and not used so far */
        bool is_direct; /* it was used without the keeper, which has not told of it yet: in link->n_direct */
        bool is_brief;  /* a template: the last of its spares that was used ended within KEEPER_BRIEF_USEC */
        int spare_fd;   /* is_spare, and born: where its request goes; else -EBADF */
        uint32_t by_slot; /* by_generation > 0: it was a spare of this template */
        uint64_t by_generation;
        ChildHooks hooks;
        void *userdata;
        ExitStatus late_end;
        UT_hash_handle hh;
        Child *prev, *next; /* in link->late */
        uint64_t leaf;      /* for whose generation it was made; 0: its own */
        Child *leaf_prev, *leaf_next; /* leaf > 0: in link->in_used_leaf */
};

int child_new(Child **ret, KeeperLink *l, const ChildHooks *hooks, void *userdata); /* -ENOMEM */

#endif
