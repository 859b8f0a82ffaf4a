/* keeper-queue.c - what waits to be sent to the keeper.
 *
 * Four things wait: descriptors to keep, spares that are used without the keeper, ends to acknowledge (a list through the slots
 * themselves: an acknowledgement needs no memory and so cannot fail), and all other requests. They go in that order: a slot is
 * acknowledged before it is launched again, a spare is used before it is signalled, and nothing is acknowledged or used on the
 * strength of a journal that the keeper does not hold yet. */
#include "process/keeper-link-internal.h"
#include "base/alloc.h"
#include <fcntl.h>
#include <sys/socket.h>
#include <utlist.h>

#define ACKS_WAITING_MAX 32u /* slots that wait to be free */
#define ACK_WAIT_USEC (20 * USEC_PER_MSEC)

static KeeperRequest *request_free(KeeperRequest *r) {
        if (!r)
                return NULL;
        fd_close_many(r->fds, r->n_fds);
        fd_close(r->spare_fd);
        free(r);
        return NULL;
}
DEFINE_CLEANUP(KeeperRequest, request_free);

static int request_new(KeeperRequest **ret, const KeeperLink *l, const KeeperMessage *m, int *fd_take, const int *fds, size_t n_fds) {
        _cleanup_(request_freep) KeeperRequest *r = NULL;
        size_t size = keeper_message_size(m->type);

        if (l->is_broken)
                return -EPIPE;
        if (size == 0 || n_fds + (fd_take != NULL) > PACKET_FDS_MAX)
                return -EINVAL;
        r = alloc_zero(1, sizeof(KeeperRequest) + size);
        if (!r)
                return -ENOMEM;
        r->spare_fd = -EBADF;
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
        *ret = TAKE_PTR(r);
        return 0;
}

/* Queue @m with *fd_take (NULL: none), then duplicates of @fds. Return: 0, *fd_take is -EBADF then; -EPIPE on a broken
 * line; -ENOMEM; -EMFILE and so on of fcntl(2). */
int keeper_queue_taking(KeeperLink *l, const KeeperMessage *m, int *fd_take, const int *fds, size_t n_fds) {
        KeeperRequest *q;
        int r = request_new(&q, l, m, fd_take, fds, n_fds);

        if (r < 0)
                return r;
        if (m->type == KEEPER_KEEP || m->type == KEEPER_DROP)
                DL_APPEND(l->kept, q);
        else
                DL_APPEND(l->requests, q);
        return 0;
}

/* The same for @m, a USE_SPARE, which goes to *fd_take if that can be. In link->n_direct it is on success, whatever becomes of it. */
int keeper_queue_direct(KeeperLink *l, const KeeperMessage *m, int *fd_take, const int *fds, size_t n_fds) {
        KeeperRequest *q;
        int r = request_new(&q, l, m, NULL, fds, n_fds);

        if (r < 0)
                return r;
        q->spare_fd = TAKE_FD(*fd_take);
        DL_APPEND(l->direct, q);
        l->n_direct++;
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

static int tell_used(const KeeperLink *l, const KeeperMessage *use) {
        KeeperMessage m = {.type = KEEPER_SPARE_USED, .slot = use->slot, .generation = use->generation};

        m.spare_used.launch = use->launch;
        m.spare_used.at_usec = clock_realtime();
        return packet_send(l->quiet_fd, &m, keeper_message_size(m.type), NULL, 0);
}

/* A spare that cannot be reached has not begun, and is told to end: then its launch is made anew. */
static void hand_request(const KeeperRequest *r, const KeeperMessage *use) {
        if (launch_hand_to_spare(r->spare_fd, use, false, r->fds, r->n_fds) < 0)
                (void) shutdown(r->spare_fd, SHUT_RDWR);
}

static bool look_later(KeeperLink *l) {
        return sd_event_source_set_time_relative(l->look_timer, KEEPER_BRIEF_USEC) >= 0 &&
                sd_event_source_set_enabled(l->look_timer, SD_EVENT_ONESHOT) >= 0;
}

/* Where the quiet line cannot be used, they go the way of all others. */
static void direct_send(KeeperLink *l) {
        bool can = l->quiet_fd >= 0 && !l->kept && l->direct && look_later(l);
        KeeperRequest *r, *next;

        DL_FOREACH_SAFE(l->direct, r, next) {
                DL_DELETE(l->direct, r);
                if (can && tell_used(l, (const KeeperMessage *) r->message) >= 0) {
                        hand_request(r, (const KeeperMessage *) r->message);
                        request_free(r);
                        continue;
                }
                DL_APPEND(l->requests, r);
        }
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
        direct_send(l);
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
        if (!l->is_broken && !l->kept)
                direct_send(l);
        return !l->is_broken && acks_can_wait(l) ? 0 : keeper_link_flush(l);
}

bool keeper_link_is_flushed(const KeeperLink *l) {
        return !l->kept && !l->direct && !l->first_ack && !l->requests;
}

bool keeper_link_is_safe(const KeeperLink *l) {
        return !l->kept;
}

void keeper_queue_done(KeeperLink *l) {
        KeeperRequest **const queues[] = {&l->kept, &l->direct, &l->requests}, *r, *next;

        for (size_t i = 0; i < ARRAY_SIZE(queues); i++)
                DL_FOREACH_SAFE(*queues[i], r, next) {
                        DL_DELETE(*queues[i], r);
                        request_free(r);
                }
}
