/* keeper-slot.c - who has which slot of the keeper.
 *
 *   free -> launching -> running -> ended -> ACK sent and output drained -> free
 *
 * A child that is freed before that leaves its slot behind; its end is then acknowledged here, by itself. The lowest
 * free slot is given out, so that the keeper's table stays dense. Generations are counted in one row for all slots and
 * begin, in each life of droverd, above every one of the lives before: (life << 32), or the highest in the table. */
#include "base/alloc.h"
#include "process/keeper-link-internal.h"

#define BITS_PER_WORD 64u

static void slot_mark(KeeperLink *l, uint32_t slot, bool used) {
        uint64_t bit = UINT64_C(1) << (slot % BITS_PER_WORD);

        if (used)
                l->in_use[slot / BITS_PER_WORD] |= bit;
        else
                l->in_use[slot / BITS_PER_WORD] &= ~bit;
        if (!used)
                l->first_free_word = MIN(l->first_free_word, slot / BITS_PER_WORD);
}

static int slot_find_free(KeeperLink *l, uint32_t *ret) {
        uint32_t n_max = MIN(l->hello.hello.n_slots_max, KEEPER_SLOTS_MAX);

        for (unsigned w = l->first_free_word; w * BITS_PER_WORD < n_max; w++) {
                uint32_t slot;

                l->first_free_word = w;
                if (l->in_use[w] == UINT64_MAX)
                        continue;
                slot = w * BITS_PER_WORD + (uint32_t) __builtin_ctzll(~l->in_use[w]);
                if (slot >= n_max)
                        break;
                *ret = slot;
                return 0;
        }
        return -ENOSPC;
}

int keeper_slot_take(KeeperLink *l, Child *c, uint32_t *ret_slot, uint64_t *ret_generation) {
        uint32_t slot;
        int r = slot_find_free(l, &slot);

        if (r < 0)
                return r;
        slot_mark(l, slot, true);
        l->slots[slot] = (KeeperSlot){
                .child = c, .generation = ++l->last_generation, .is_used = true, .is_launching = true};
        l->n_launching++;
        *ret_slot = slot;
        *ret_generation = l->last_generation;
        return 0;
}

static void slot_launch_answered(KeeperLink *l, KeeperSlot *s) {
        if (s->is_launching)
                l->n_launching--;
        s->is_launching = false;
}

void keeper_slot_set_launching(KeeperLink *l, uint32_t slot, bool is_launching) {
        KeeperSlot *s = &l->slots[slot];

        slot_launch_answered(l, s);
        s->is_launching = is_launching;
        l->n_launching += is_launching;
}

static void slot_release(KeeperLink *l, uint32_t slot) {
        slot_launch_answered(l, &l->slots[slot]);
        l->slots[slot] = (KeeperSlot){0};
        slot_mark(l, slot, false);
}

void keeper_slot_untake(KeeperLink *l, uint32_t slot) {
        slot_release(l, slot);
}

static void slot_queue_ack(KeeperLink *l, uint32_t slot) {
        KeeperSlot *s = &l->slots[slot];

        if (s->is_acked || s->is_ack_queued)
                return;
        s->is_ack_queued = true;
        if (l->last_ack)
                l->slots[l->last_ack - 1].next_ack = slot + 1;
        else
                l->first_ack = slot + 1;
        l->last_ack = slot + 1;
        l->n_acks++;
}

static void slot_settle(KeeperLink *l, uint32_t slot) {
        KeeperSlot *s = &l->slots[slot];

        if (!s->child && s->is_ended)
                slot_queue_ack(l, slot);
        if (!s->child && s->is_acked && s->is_drained)
                slot_release(l, slot);
}

void keeper_slot_disown(KeeperLink *l, uint32_t slot) {
        l->slots[slot].child = NULL;
        slot_settle(l, slot);
}

void keeper_slot_ack_sent(KeeperLink *l, uint32_t slot) {
        l->slots[slot].is_acked = true;
        slot_settle(l, slot);
}

/* One KEEPER_SLOT message of the table, checked by the caller to be within it. */
void keeper_slot_restore(KeeperLink *l, const KeeperMessage *m) {
        KeeperSlot *s = &l->slots[m->slot];

        slot_mark(l, m->slot, true);
        *s = (KeeperSlot){
                .generation = m->generation,
                .is_used = true,
                .is_launching = m->slot_info.state == KEEPER_SLOT_LAUNCHING,
                .is_ended = m->slot_info.state == KEEPER_SLOT_ENDED,
                .is_acked = m->slot_info.is_acked,
                .is_drained = m->slot_info.is_drained,
        };
        if (s->is_launching)
                l->n_launching++;
        l->last_generation = MAX(l->last_generation, m->generation);
}

KeeperSlot *keeper_slot_find(KeeperLink *l, uint32_t slot, uint64_t generation) {
        KeeperSlot *s = slot < KEEPER_SLOTS_MAX ? &l->slots[slot] : NULL;

        return s && s->is_used && s->generation == generation ? s : NULL;
}

void keeper_slot_on_notice(KeeperLink *l, const KeeperMessage *m) {
        KeeperSlot *s = keeper_slot_find(l, m->slot, m->generation);

        if (!s)
                return;
        if (m->type == KEEPER_STARTED || m->type == KEEPER_FAILED || m->type == KEEPER_EXITED)
                slot_launch_answered(l, s);
        if (m->type == KEEPER_FAILED || m->type == KEEPER_EXITED)
                s->is_ended = true;
        if (m->type == KEEPER_DRAINED)
                s->is_drained = true;
        if (s->child)
                child_on_notice(s->child, m);
        slot_settle(l, m->slot);
}

void keeper_slot_on_born(KeeperLink *l, const KeeperMessage *m, int fd_take) {
        const KeeperSlot *s = keeper_slot_find(l, m->slot, m->generation);

        if (s && s->child)
                child_on_born(s->child, fd_take);
        else
                fd_close(fd_take);
}

unsigned keeper_link_n_launching(const KeeperLink *l) {
        return l->n_launching;
}

int keeper_link_abandon(KeeperLink *l, const KeeperMessage *slot_info) {
        KeeperMessage m = {.type = KEEPER_KILL_TREE, .slot = slot_info->slot, .generation = slot_info->generation};
        KeeperSlot *s = keeper_slot_find(l, m.slot, m.generation);

        if (!s || s->child)
                return 0;
        slot_settle(l, m.slot);
        return s->is_ended ? 0 : keeper_queue_message(l, &m, NULL, 0);
}
