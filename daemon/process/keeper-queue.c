/* keeper-queue.c - what waits to be sent to the keeper.
 *
 * Three things wait: descriptors to keep, ends to acknowledge (a list through the slots themselves: an
 * acknowledgement needs no memory and so cannot fail), and all other requests. They go in that order: a slot is
 * acknowledged before it is launched again, and nothing is acknowledged on the strength of a journal that the keeper
 * does not hold yet. */
#include "base/alloc.h"
#include "process/keeper-link-internal.h"
#include <fcntl.h>
#include <utlist.h>

#define ACKS_WAITING_MAX 32u /* slots that wait to be free */
#define ACK_WAIT_USEC (20 * USEC_PER_MSEC)

static KeeperRequest *request_free(KeeperRequest *r) {
        if (!r)
                return NULL;
        fd_close_many(r->fds, r->n_fds);
        free(r);
        return NULL;
}
DEFINE_CLEANUP(KeeperRequest, request_free);

/* Queue @m with *fd_take (NULL: none), then duplicates of @fds. Return: 0, *fd_take is -EBADF then; -EPIPE on a broken
 * line; -ENOMEM; -EMFILE and so on of fcntl(2). */
int keeper_queue_taking(KeeperLink *l, const KeeperMessage *m, int *fd_take, const int *fds, size_t n_fds) {
        _cleanup_(request_freep) KeeperRequest *r = NULL;
        size_t size = keeper_message_size(m->type);

        if (l->is_broken)
                return -EPIPE;
        if (size == 0 || n_fds + (fd_take != NULL) > PACKET_FDS_MAX)
                return -EINVAL;
        r = alloc_zero(1, sizeof(KeeperRequest) + size);
        if (!r)
                return -ENOMEM;
        if (fd_take)
                r->fds[r->n_fds++] = -EBADF;
        for (size_t i = 0; i < n_fds; i++) {
                int fd = fcntl(fds[i], F_DUPFD_CLOEXEC, 3);

                if (fd < 0)
                        return -errno;
                r->fds[r->n_fds++] = fd;
        }
        if (fd_take)
                r->fds[0] = TAKE_FD(*fd_take);
        r->size = size;
        memcpy(r->message, m, size);
        if (m->type == KEEPER_KEEP || m->type == KEEPER_DROP)
                DL_APPEND(l->kept, r);
        else
                DL_APPEND(l->requests, r);
        r = NULL;
        return 0;
}

int keeper_queue_message(KeeperLink *l, const KeeperMessage *m, const int *fds, size_t n_fds) {
        return keeper_queue_taking(l, m, NULL, fds, n_fds);
}

static int queue_send(KeeperLink *l, KeeperRequest **queue) {
        while (*queue) {
                KeeperRequest *r = *queue;
                int k = packet_send(l->fd, r->message, r->size, r->fds, r->n_fds);

                if (k < 0)
                        return k;
                DL_DELETE(*queue, r);
                request_free(r);
        }
        return 0;
}

static int acks_send(KeeperLink *l) {
        while (l->first_ack) {
                uint32_t slot = l->first_ack - 1;
                KeeperSlot *s = &l->slots[slot];
                KeeperMessage m = {.type = KEEPER_ACK, .slot = slot, .generation = s->generation};
                int k = packet_send(l->fd, &m, keeper_message_size(m.type), NULL, 0);

                if (k < 0)
                        return k;
                l->first_ack = s->next_ack;
                l->n_acks--;
                if (!l->first_ack)
                        l->last_ack = 0;
                s->next_ack = 0;
                keeper_slot_ack_sent(l, slot);
        }
        return 0;
}

int keeper_link_flush(KeeperLink *l) {
        int r;

        if (l->is_broken)
                return -EPIPE;
        r = queue_send(l, &l->kept);
        if (r >= 0)
                r = acks_send(l);
        if (r >= 0)
                r = queue_send(l, &l->requests);
        /* Short of room or of the kernel's memory for this moment: the rest goes when the socket is writable. */
        if (r == -EAGAIN || r == -ENOBUFS || r == -ENOMEM || r == -ETOOMANYREFS) {
                keeper_link_set_output(l, true);
                return 0;
        }
        if (r < 0) {
                keeper_link_break(l);
                return -EPIPE;
        }
        keeper_link_set_output(l, false);
        return 0;
}

/* Acknowledgements alone do not wake the keeper: they go with the next request, or are late by this much. */
static bool acks_can_wait(KeeperLink *l) {
        int enabled = SD_EVENT_OFF;

        if (l->kept || l->requests || l->n_acks == 0 || l->n_acks > ACKS_WAITING_MAX)
                return false;
        if (sd_event_source_get_enabled(l->ack_timer, &enabled) >= 0 && enabled != SD_EVENT_OFF)
                return true;
        return sd_event_source_set_time_relative(l->ack_timer, ACK_WAIT_USEC) >= 0 &&
               sd_event_source_set_enabled(l->ack_timer, SD_EVENT_ONESHOT) >= 0;
}

int keeper_link_flush_soon(KeeperLink *l) {
        return !l->is_broken && acks_can_wait(l) ? 0 : keeper_link_flush(l);
}

bool keeper_link_is_flushed(const KeeperLink *l) {
        return !l->kept && !l->first_ack && !l->requests;
}

bool keeper_link_is_safe(const KeeperLink *l) {
        return !l->kept;
}

void keeper_queue_done(KeeperLink *l) {
        KeeperRequest *r, *next;

        DL_FOREACH_SAFE(l->kept, r, next) {
                DL_DELETE(l->kept, r);
                request_free(r);
        }
        DL_FOREACH_SAFE(l->requests, r, next) {
                DL_DELETE(l->requests, r);
                request_free(r);
        }
}
