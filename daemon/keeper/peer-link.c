/* peer-link.c - due bits and their flushing. See peer-link.h. */
#include "keeper/peer-link.h"
#include "base/fd.h"
#include <sys/mman.h>

int peer_link_init(PeerLink *l, const PeerLinkHooks *hooks, void *userdata) {
        void *queue = mmap(NULL, sizeof(PeerLinkQueue), PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

        if (queue == MAP_FAILED)
                return -ENOMEM;
        (void) madvise(queue, sizeof(PeerLinkQueue), MADV_DONTFORK);
        *l = (PeerLink) {.fd = -EBADF, .queue = queue, .hooks = hooks, .userdata = userdata};
        return 0;
}

void peer_link_done(PeerLink *l) {
        l->fd = fd_close(l->fd);
        if (l->queue)
                (void) munmap(l->queue, sizeof(PeerLinkQueue));
        l->queue = NULL;
}

static void forget_all(PeerLink *l) {
        while (l->first != 0) {
                uint32_t slot = l->first - 1;

                l->first = l->queue->next[slot];
                l->queue->bits[slot] = 0;
        }
        l->last = 0;
        l->head = l->tail = 0;
        l->is_blocked = false;
}

void peer_link_open(PeerLink *l, int fd_take) {
        forget_all(l);
        (void) fd_close(l->fd);
        l->fd = fd_take;
}

void peer_link_close(PeerLink *l) {
        forget_all(l);
        l->fd = fd_close(l->fd);
}

void peer_link_due_head(PeerLink *l, unsigned bit) {
        if (l->fd >= 0)
                l->head |= 1u << bit;
}

void peer_link_due_tail(PeerLink *l, unsigned bit) {
        if (l->fd >= 0)
                l->tail |= 1u << bit;
}

/* A slot stands in the list from its first bit on until it is taken off at the front; forgotten ones stay there
 * without bits, so next[] of a listed slot is never used twice. */
#define LISTED 0x80u
_Static_assert(LISTED == 1u << 7, "bit 7 marks a listed slot: slots have bits 0..6");

void peer_link_due_slot(PeerLink *l, uint32_t slot, unsigned bit) {
        uint8_t *bits = &l->queue->bits[slot];

        if (l->fd < 0)
                return;
        if (!(*bits & LISTED)) {
                l->queue->next[slot] = 0;
                if (l->last != 0)
                        l->queue->next[l->last - 1] = slot + 1;
                else
                        l->first = slot + 1;
                l->last = slot + 1;
        }
        *bits |= (uint8_t) (LISTED | 1u << bit);
}

void peer_link_forget_slot(PeerLink *l, uint32_t slot) {
        l->queue->bits[slot] &= LISTED;
}

unsigned peer_link_slot_bits(const PeerLink *l, uint32_t slot) {
        return l->queue->bits[slot] & ~LISTED;
}

bool peer_link_is_idle(const PeerLink *l) {
        return l->head == 0 && l->tail == 0 && l->first == 0;
}

static int flush_line(PeerLink *l, unsigned *bits) {
        while (*bits != 0) {
                unsigned bit = (unsigned) __builtin_ctz(*bits);
                int r = l->hooks->send_line(bit, l->userdata);

                if (r < 0)
                        return r;
                *bits &= ~(1u << bit);
        }
        return 0;
}

static int flush_slots(PeerLink *l) {
        while (l->first != 0) {
                uint32_t slot = l->first - 1;
                uint8_t *bits = &l->queue->bits[slot];

                while (*bits != LISTED) {
                        unsigned bit = (unsigned) __builtin_ctz(*bits);
                        int r = l->hooks->send_slot(slot, bit, l->userdata);

                        if (r < 0)
                                return r;
                        *bits &= (uint8_t) ~(1u << bit);
                }
                *bits = 0;
                l->first = l->queue->next[slot];
                if (l->first == 0)
                        l->last = 0;
        }
        return 0;
}

int peer_link_flush(PeerLink *l) {
        int r;

        if (l->fd < 0 || l->is_blocked)
                return 0;
        r = flush_line(l, &l->head);
        if (r >= 0)
                r = flush_slots(l);
        if (r >= 0)
                r = flush_line(l, &l->tail);
        if (r == -EAGAIN)
                l->is_blocked = true;
        else if (r == -ENOBUFS || r == -ENOMEM || r == -ETOOMANYREFS || r == -EMFILE || r == -ENFILE)
                return -EAGAIN;
        else if (r < 0)
                forget_all(l); /* EPIPE, ECONNRESET: nobody reads any more */
        return 0;
}
