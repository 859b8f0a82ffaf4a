/* notify-ring.c - see its header. The memfd: one page of RingHead, then NOTIFY_RING_SLOTS of RingSlot.
 *
 * A free slot has no sender and is all zero, but for .seq: so what is found later is what the kernel wrote, and the end of a
 * text is its last byte that is not. To give a slot back is to clear it, the sender last: a kill meanwhile leaves a text
 * that begins with NUL, which says nothing. */
#include "pool/notify-ring.h"
#include "pool/notify.h"

#include "base/alloc.h"
#include "base/fd.h"
#include "base/file.h"
#include "process/closer.h"
#include <stdalign.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>
#include <utlist.h>

#define RING_MAGIC "drover-notify-1"
#define PAGE_MIN 4096u /* bytes; larger ones do as well */
#define RING_HEAD_SIZE PAGE_MIN

typedef struct RingHead {
        char magic[16];
        uint32_t slot_size, n_slots;
        uint32_t n_used; /* slots from here on were never used: reading those would cost a page each */
} RingHead;

typedef struct RingSlot {
        uint64_t seq; /* in the order of receipt; also of a free slot */
        NotifyOrigin origin;
        alignas(struct cmsghdr) char control[CLOSER_CONTROL_SPACE];
        char text[NOTIFY_MESSAGE_MAX + 1]; /* one more: a longer datagram fills it */
} RingSlot;

struct NotifyRing {
        RingHead *head; /* the mapping */
        RingSlot *slots;
        uint64_t last_seq;
        NotifyWord *first; /* taken ones, in the order of .seq */
        NotifyWord words[NOTIFY_RING_SLOTS];
};

#define RING_SIZE (RING_HEAD_SIZE + NOTIFY_RING_SLOTS * sizeof(RingSlot))

_Static_assert(sizeof(RingHead) <= RING_HEAD_SIZE, "the head has its page");

/* The kernel writes it first of all that comes along. */
static pid_t slot_sender(RingSlot *s) {
        struct msghdr m = {.msg_control = s->control, .msg_controllen = sizeof s->control};
        struct cmsghdr *c = CMSG_FIRSTHDR(&m);
        struct ucred sender = {0};

        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_CREDENTIALS && c->cmsg_len == CMSG_LEN(sizeof sender))
                memcpy(&sender, CMSG_DATA(c), sizeof sender);
        return sender.pid;
}

static size_t slot_text_size(const RingSlot *s) {
        size_t n = sizeof s->text;

        while (n > 0 && s->text[n - 1] == 0)
                n--;
        return n;
}

static void slot_clear(RingSlot *s, size_t text_size) {
        memset(s->text, 0, text_size);
        atomic_signal_fence(memory_order_seq_cst);
        memset(&s->origin, 0, sizeof s->origin);
        atomic_signal_fence(memory_order_seq_cst);
        memset(s->control, 0, sizeof s->control);
}

static void word_set(NotifyWord *w, RingSlot *s, pid_t sender, size_t size) {
        s->origin.worker[sizeof s->origin.worker - 1] = 0;
        *w = (NotifyWord){.is_taken = true, .sender = sender, .text = s->text, .size = size, .origin = &s->origin};
}

/* ---- making ---- */

static int ring_map(NotifyRing *r, int fd) {
        void *m = mmap(NULL, RING_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

        if (m == MAP_FAILED)
                return -errno;
        r->head = m;
        r->slots = (RingSlot *) ((char *) m + RING_HEAD_SIZE);
        return 0;
}

static bool ring_is_ours(const NotifyRing *r) {
        return memcmp(r->head->magic, RING_MAGIC, sizeof r->head->magic) == 0 && r->head->slot_size == sizeof(RingSlot) &&
                r->head->n_slots == NOTIFY_RING_SLOTS && r->head->n_used <= NOTIFY_RING_SLOTS;
}

static void ring_unmap(NotifyRing *r) {
        if (r->head)
                (void) munmap(r->head, RING_SIZE);
        r->head = NULL;
}

static int ring_begin(NotifyRing *r, int *ret_fd) {
        _cleanup_fd_ int fd = memfd_new("drover-notify");
        int e;

        if (fd < 0)
                return fd;
        if (ftruncate(fd, (off_t) RING_SIZE) < 0)
                return -errno;
        e = ring_map(r, fd);
        if (e < 0)
                return e;
        *ret_fd = TAKE_FD(fd);
        *r->head = (RingHead){.magic = RING_MAGIC, .slot_size = sizeof(RingSlot), .n_slots = NOTIFY_RING_SLOTS};
        return 0;
}

/* false: there is nothing of use in it. */
static bool ring_take_over(NotifyRing *r, int fd) {
        struct stat st;

        if (fd < 0 || fstat(fd, &st) < 0 || (size_t) st.st_size != RING_SIZE || ring_map(r, fd) < 0)
                return false;
        if (!ring_is_ours(r))
                ring_unmap(r);
        return r->head;
}

static RingSlot *word_slot(const NotifyRing *r, const NotifyWord *w) {
        return r->slots + (w - r->words);
}

/* Into the row, which is short: what the life before left is put in order once. */
static void ring_insert(NotifyRing *r, NotifyWord *w) {
        NotifyWord *later;

        DL_FOREACH(r->first, later)
                if (word_slot(r, later)->seq > word_slot(r, w)->seq)
                        break;
        if (later)
                DL_PREPEND_ELEM(r->first, later, w);
        else
                DL_APPEND(r->first, w);
}

static void ring_load(NotifyRing *r) {
        for (uint32_t i = 0; i < r->head->n_used; i++) {
                RingSlot *s = r->slots + i;
                pid_t sender = slot_sender(s);

                r->last_seq = MAX(r->last_seq, s->seq);
                if (sender <= 0) {
                        slot_clear(s, sizeof s->text);
                        continue;
                }
                word_set(r->words + i, s, sender, slot_text_size(s));
                ring_insert(r, r->words + i);
        }
}

int notify_ring_new(NotifyRing **ret, int fd_consume, int *ret_fd_to_keep) {
        _cleanup_(notify_ring_freep) NotifyRing *r = NEW0(NotifyRing);
        _cleanup_fd_ int given = fd_consume, fresh = -EBADF;
        int e = 0;

        if (!r)
                return -ENOMEM;
        if (ring_take_over(r, given))
                ring_load(r);
        else
                e = ring_begin(r, &fresh);
        if (e < 0)
                return e;
        *ret_fd_to_keep = TAKE_FD(fresh);
        *ret = TAKE_PTR(r);
        return 0;
}

NotifyRing *notify_ring_free(NotifyRing *r) {
        if (!r)
                return NULL;
        ring_unmap(r);
        free(r);
        return NULL;
}

/* ---- words ---- */

/* All its pages are there when this returns. */
static RingSlot *slot_prepare(NotifyRing *r) {
        for (uint32_t i = 0; i < NOTIFY_RING_SLOTS; i++) {
                RingSlot *s = r->slots + i;

                if (r->words[i].is_taken)
                        continue;
                r->head->n_used = MAX(r->head->n_used, i + 1);
                *(volatile uint64_t *) &s->seq = ++r->last_seq;
                *(volatile char *) s->control = 0;
                *(volatile char *) s->text = 0;
                *(volatile char *) (s->text + sizeof s->text - 1) = 0;
                return s;
        }
        return NULL;
}

_Static_assert(offsetof(RingSlot, text) <= PAGE_MIN && NOTIFY_MESSAGE_MAX <= PAGE_MIN, "no page between the touched bytes");

int notify_ring_receive(NotifyRing *r, int socket, struct msghdr *ret_control, NotifyWord **ret) {
        RingSlot *s = slot_prepare(r);
        struct iovec iov;
        ssize_t size;
        int e;

        if (!s)
                return -ENOSPC;
        iov = (struct iovec){.iov_base = s->text, .iov_len = sizeof s->text};
        *ret_control = (struct msghdr){
                .msg_iov = &iov, .msg_iovlen = 1, .msg_control = s->control, .msg_controllen = sizeof s->control};
        do
                size = recvmsg(socket, ret_control, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        while (size < 0 && errno == EINTR);
        e = -errno;
        ret_control->msg_iov = NULL;
        ret_control->msg_iovlen = 0;
        if (size < 0 && e == -EAGAIN)
                return 0;
        if (size < 0) {
                slot_clear(s, sizeof s->text);
                return e;
        }
        *ret = r->words + (s - r->slots);
        word_set(*ret, s, slot_sender(s), (size_t) size);
        DL_APPEND(r->first, *ret);
        return 1;
}

NotifyWord *notify_ring_first(const NotifyRing *r) {
        return r->first;
}

NotifyWord *notify_ring_next(const NotifyWord *w) {
        return w->next;
}

void notify_ring_release(NotifyRing *r, NotifyWord *w) {
        DL_DELETE(r->first, w);
        slot_clear(word_slot(r, w), w->size);
        *w = (NotifyWord){0};
}
