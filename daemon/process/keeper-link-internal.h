/* keeper-link-internal.h - the inside of KeeperLink, for the files of this room only. */
#ifndef DROVER_PROCESS_KEEPER_LINK_INTERNAL_H
#define DROVER_PROCESS_KEEPER_LINK_INTERNAL_H

#include "base/fd.h"
#include "process/child.h"
#include "process/keeper-link.h"

#define KEEPER_INBOX_MAX 64u /* notices read in one go: 50 KiB */

/* A slot as droverd sees it. Used from the LAUNCH until the ACK is sent and the output drained. */
typedef struct KeeperSlot {
        Child *child; /* borrowed; NULL: free, or its child was forgotten */
        uint64_t generation;
        uint32_t next_ack; /* list of ends to acknowledge: slot + 1; 0 ends it */
        bool is_used, is_launching, is_ended, is_ack_queued, is_acked, is_drained;
} KeeperSlot;

typedef struct KeeperRequest {
        struct KeeperRequest *next, *prev;
        int fds[PACKET_FDS_MAX];
        int spare_fd; /* in `direct`: where the request goes */
        size_t n_fds, size;
        _Alignas(KeeperMessage) char message[]; /* only as long as its type wants */
} KeeperRequest;

typedef struct KeeperNotice {
        KeeperMessage message;
        int fd;
} KeeperNotice;

struct KeeperLink {
        int fd;
        sd_event *event;
        sd_event_source *io, *deliver;
        sd_event_source *ack_timer; /* on: acknowledgements wait for company */
        sd_event_source *look_timer; /* on: spares were used without the keeper, which may not have seen them yet */
        KeeperLinkHooks hooks;
        void *userdata;
        bool is_broken, is_break_told, wants_output;

        KeeperMessage hello;
        KeeperTable *table;
        KeeperNotice *inbox;
        size_t n_inbox;

        int quiet_fd; /* -EBADF: the keeper has sent none */
        unsigned n_direct; /* children that it has not told of since they were used so */
        KeeperRequest *kept, *direct, *requests; /* three queues; DL_APPEND */
        uint32_t first_ack, last_ack;   /* slot + 1; 0: none */
        unsigned n_acks;

        KeeperSlot *slots; /* KEEPER_SLOTS_MAX, most of it never touched */
        uint64_t in_use[KEEPER_SLOTS_MAX / 64];
        unsigned first_free_word; /* no free slot below it */
        uint64_t last_generation;
        unsigned n_launching;

        Child *by_pid; /* uthash */
        Child *in_used_leaf; /* utlist: those whose leaf was another one's before */
        Child *late;   /* adopted children whose end was known already; DL */
};

/* keeper-queue.c */
int keeper_queue_taking(KeeperLink *l, const KeeperMessage *m, int *fd_take, const int *fds, size_t n_fds);
int keeper_queue_message(KeeperLink *l, const KeeperMessage *m, const int *fds, size_t n_fds);
int keeper_queue_direct(KeeperLink *l, const KeeperMessage *m, int *fd_take, const int *fds, size_t n_fds);
void keeper_queue_done(KeeperLink *l);

/* keeper-slot.c. Taking says -ENOSPC when all are in use. */
int keeper_slot_take(KeeperLink *l, Child *c, uint32_t *ret_slot, uint64_t *ret_generation);
void keeper_slot_untake(KeeperLink *l, uint32_t slot); /* nothing was sent for it */
void keeper_slot_set_launching(KeeperLink *l, uint32_t slot, bool is_launching); /* is its launch waited for? */
void keeper_slot_disown(KeeperLink *l, uint32_t slot); /* its child is forgotten */
void keeper_slot_restore(KeeperLink *l, const KeeperMessage *slot_info);
void keeper_slot_on_notice(KeeperLink *l, const KeeperMessage *m);
void keeper_slot_on_born(KeeperLink *l, const KeeperMessage *m, int fd_take);
void keeper_slot_ack_sent(KeeperLink *l, uint32_t slot);
KeeperSlot *keeper_slot_find(KeeperLink *l, uint32_t slot, uint64_t generation); /* NULL: not that process */

/* keeper-table.c */
int keeper_table_read(KeeperLink *l);
KeeperTable *keeper_table_free(KeeperTable *t);

/* child.c */
void child_on_notice(Child *c, const KeeperMessage *m);
void child_deliver_late(KeeperLink *l);
void child_on_born(Child *c, int fd_take);

/* keeper-link.c */
void keeper_link_break(KeeperLink *l);         /* the line is dead; on_broken comes from the loop */
void keeper_link_want_deliver(KeeperLink *l);  /* something waits for the next loop turn */
void keeper_link_set_output(KeeperLink *l, bool wanted);

#endif
