/* slot.h - the fixed table: who runs, what is kept for it, how it ended.
 *
 * Owner: the Keeper. One mapping of KEEPER_SLOTS_MAX slots, made once; only pages in use take memory, and a new
 * process does not get them (MADV_DONTFORK): after a fork nothing of the table may be touched by the child.
 *
 * Life of a slot: FREE -> LAUNCHING -> RUNNING -> ENDED -> FREE. "Ending" is the time between the death of the
 * main process and the end of its tree: the state is still LAUNCHING or RUNNING, is_ending is set, and the slot
 * stands in the table's list of endings. A slot is released when droverd has acknowledged the end and the
 * output is drained. */
#ifndef DROVER_KEEPER_SLOT_H
#define DROVER_KEEPER_SLOT_H

#include "link/keeper-protocol.h"
#include "base/clock.h"
#include "base/macro.h"
#include <sys/types.h>

#define SLOT_NONE UINT32_MAX
#define SLOT_BUCKETS 65536u
#define SLOT_LEAF_MAX (KEEPER_NAME_MAX + 32)

/* Of a spare, where there are leaves: for whom it was made, which is what its name says; and its files, while they are open. */
typedef struct TreeLeaf {
        uint64_t generation;
        uint32_t slot;
        bool is_open;
        int fd, procs_fd, events_fd;
} TreeLeaf;

typedef struct Slot {
        uint64_t generation;
        uint8_t state; /* KeeperSlotState */
        uint8_t last_signal; /* that droverd has had sent to its main process; 0: none */
        bool is_ready, is_failed, is_acked, is_drained, is_ending, has_leaf, was_attached, is_attach_refused, is_template, is_awaited;
        bool is_quiet;       /* of its output nothing has come yet: see quiet-output.c */
        bool says_inside;    /* is_awaited: it was born in its leaf, it says */
        bool is_spare;       /* forked ahead, and no launch wants it so far */
        bool was_spare;      /* it was one, or is: its leaf bears no name */
        bool can_spare;      /* is_template: it can be asked for spares */
        bool is_brief;       /* is_template: the last of its spares that was used ended at once */
        bool is_deferred;    /* was_spare: launched, and neither report nor output are watched so far */
        bool is_direct;      /* was_spare: launched, and its request comes from droverd */
        pid_t pid;      /* 0 when there is no process */
        pid_t leader;   /* the pid it had: number of its session and process group */
        int pidfd;      /* -EBADF where the kernel has none: then SIGCHLD alone tells */
        int report_fd;  /* our end of the go and report socket, until exec */
        int ready_fd;   /* read end of the ready pipe, until the newline */
        int out_fds[2]; /* read ends of stdout and stderr, until DETACHED */
        int template_fd; /* of a template: our end of its socket, while it takes launches */
        int leaf_fd;     /* asked of a template and not born yet: its leaf, where there are leaves */
        pid_t claimed;   /* the same: who says to be it, not our child yet; 0: nobody has */
        uint32_t by_slot; /* by_generation > 0: born of this template */
        uint64_t by_generation;
        usec_t claim_limit_usec; /* CLOCK_MONOTONIC */
        uint32_t next_by_pid;
        uint64_t started_usec;  /* CLOCK_REALTIME */
        bool is_frozen;         /* asked for; whether it is so is told when freeze_limit_usec is 0 again */
        int freeze_error;       /* -errno: it could not be done */
        usec_t freeze_limit_usec; /* CLOCK_MONOTONIC: no more looking after this; 0: nothing to look for */
        usec_t end_limit_usec;  /* CLOCK_MONOTONIC: no more waiting for the tree after this */
        KeeperExit exited;
        KeeperFailure failed;
        char name[KEEPER_NAME_MAX];
        LogSpec log;
        TreeLeaf leaf; /* was_spare */
} Slot;

typedef struct SlotTable {
        uint32_t top;       /* one above the highest slot ever used */
        uint32_t n_used;
        uint32_t n_alive;   /* slots with a process */
        uint32_t n_endings;
        uint32_t endings[KEEPER_SLOTS_MAX];
        uint32_t buckets[SLOT_BUCKETS]; /* by pid: slot + 1, 0 for none */
        Slot slots[KEEPER_SLOTS_MAX];
} SlotTable;

/** slot_table_new() - -ENOMEM or 0; release with slot_table_free(). */
int slot_table_new(SlotTable **ret);
SlotTable *slot_table_free(SlotTable *t);

static inline uint32_t slot_index(const SlotTable *t, const Slot *s) {
        return (uint32_t) (s - t->slots);
}

/** slot_take() - FREE -> LAUNCHING; NULL when @index is no slot or is in use. Every descriptor is -EBADF. */
Slot *slot_take(SlotTable *t, uint32_t index, uint64_t generation, const char *name, const LogSpec *log);
/** slot_set_name() - whose process it is; of a spare when it is used. Texts of another program: they may lack their end. */
void slot_set_name(Slot *s, const char *name, const LogSpec *log);
/** slot_find() - the slot in use that is exactly this process, or NULL. */
Slot *slot_find(SlotTable *t, uint32_t index, uint64_t generation);
Slot *slot_by_pid(SlotTable *t, pid_t pid);
void slot_set_pid(SlotTable *t, Slot *s, pid_t pid); /* > 0: known by it from now on */
void slot_clear_pid(SlotTable *t, Slot *s);          /* reaped: the number may be anybody's */
void slot_add_ending(SlotTable *t, Slot *s);
void slot_remove_ending(SlotTable *t, Slot *s);
/** slot_release() - close what is open and make it FREE. Only without a process and not ending. */
void slot_release(SlotTable *t, Slot *s);
/** slot_has_name_alive() - is there another slot with a process of this name? (an older generation that lingers) */
bool slot_has_name_alive(SlotTable *t, const char *name, const Slot *but);
/** slot_leaf() - the name of its cgroup: "web/0" in slot 3, generation 7 gives "web:0.3.7"; one that was a spare has
 *  KEEPER_SPARE_NAME for a name there. Returns @buf. */
char *slot_leaf(const SlotTable *t, const Slot *s, char buf[static SLOT_LEAF_MAX]);
char *slot_spare_leaf(uint32_t slot, uint64_t generation, char buf[static SLOT_LEAF_MAX]);

#endif
