/* peer-link.h - the keeper's end of a line, with a queue that cannot grow.
 *
 * Nothing is stored per message. What is due is a bit: some bits belong to the line as a whole (a greeting, a
 * shutdown), some to one slot (started, exited ...). The message itself is made from the slot table when the
 * socket has room. So a peer that does not read costs nothing, loses nothing, and never blocks the keeper.
 *
 * Order: head bits (lowest first), then slots in the order in which they became due (each slot's bits lowest
 * first), then tail bits. A line without a socket (fd < 0) drops every bit: its peer gets the whole table anew.
 *
 * Owner: the Keeper, one per program. */
#ifndef DROVER_KEEPER_PEER_LINK_H
#define DROVER_KEEPER_PEER_LINK_H

#include "link/keeper-protocol.h"
#include "base/macro.h"

typedef struct PeerLinkQueue { /* one mapping: linked through the slots' numbers */
        uint32_t next[KEEPER_SLOTS_MAX]; /* slot + 1; 0 ends */
        uint8_t bits[KEEPER_SLOTS_MAX];
} PeerLinkQueue;

typedef struct PeerLinkHooks {
        /* Send the message of this bit now: 0 sent (or moot), -EAGAIN no room, other errors: see peer_link_flush(). */
        int (*send_line)(unsigned bit, void *userdata);
        int (*send_slot)(uint32_t slot, unsigned bit, void *userdata);
} PeerLinkHooks;

typedef struct PeerLink {
        int fd;
        bool is_blocked;   /* wait for EPOLLOUT */
        unsigned head, tail; /* bits due */
        uint32_t first, last; /* slot + 1 */
        PeerLinkQueue *queue;
        const PeerLinkHooks *hooks;
        void *userdata;
} PeerLink;

int peer_link_init(PeerLink *l, const PeerLinkHooks *hooks, void *userdata); /* -ENOMEM */
void peer_link_done(PeerLink *l);
/** peer_link_open() - a new peer at @fd_take: every bit is forgotten. */
void peer_link_open(PeerLink *l, int fd_take);
void peer_link_close(PeerLink *l);

void peer_link_due_head(PeerLink *l, unsigned bit);
void peer_link_due_tail(PeerLink *l, unsigned bit);
void peer_link_due_slot(PeerLink *l, uint32_t slot, unsigned bit); /* bit 0..7 */
void peer_link_forget_slot(PeerLink *l, uint32_t slot);           /* whatever is due for it is moot */
unsigned peer_link_slot_bits(const PeerLink *l, uint32_t slot); /* what is due for it */
bool peer_link_is_idle(const PeerLink *l);
/**
 * peer_link_flush() - send what is due until done or the socket is full (is_blocked)
 * Return: 0; -EAGAIN when the kernel is short of something else than room (ENOBUFS, ENOMEM, too many descriptors in
 * flight): try again later, by the clock. A dead peer is no error: its death comes another way.
 */
int peer_link_flush(PeerLink *l);

#endif
