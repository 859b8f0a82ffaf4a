/* notify.c - what workers say about themselves, believed by the kernel's word on who sent it.
 *
 * A word is received into memory that outlives droverd (notify-ring.h), traced to its worker, heard, and let go when what
 * it changed is on record; so whenever droverd is killed, the next life has heard it, or hears it once more. Saying a thing
 * twice changes nothing: the later word of the same worker is heard twice too, after it.
 *
 * Sender -> worker is notify-sender.c. Where there are no cgroups, a sender may be a process of the keeper that droverd
 * does not know yet: its message overtook the keeper's STARTED (the exec is done, the notice on its way). It waits where
 * it is, and is looked at again after 1, 4, 16, 64, 256 ms; while a launch is under way, for some seconds. Then it counts
 * as ignored. Only descendants of the keeper get that far, EARLY_MAX words in all and EARLY_EACH below one child of it.
 *
 * Descriptors (FDSTORE=1, BARRIER=1) are closed, which is what a barrier waits for; not here where that may take as long
 * as their sender likes (closer.h). While too many wait for that, nothing is read. */
#include "pool/notify-ring.h"
#include "pool/notify-sender.h"
#include "pool/notify.h"
#include "pool/pool-internal.h"

#include "base/alloc.h"
#include "base/fd.h"
#include "priority.h"
#include "process/closer.h"
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define EARLY_MAX (NOTIFY_RING_SLOTS / 2)
#define EARLY_EACH 8u
#define EARLY_TRIES 5u
#define EARLY_TRIES_MAX 20u /* some 4 s: the keeper has a launch under way */
#define EARLY_FIRST USEC_PER_MSEC
#define STUCK_REST (100 * USEC_PER_MSEC)

struct NotifySocket {
        PoolSet *pools;
        sd_event *event;
        Closer *closer;
        NotifyRing *ring;
        sd_event_source *source, *again;
        sd_event_source *rest; /* while it runs, nothing is read */
        bool is_full;          /* nor while the ring has no room */
        usec_t read_at;        /* CLOCK_MONOTONIC: when the last turn was over */
        unsigned n_in_row;     /* datagrams since there was a pause of NOTIFY_REST */
        unsigned n_early;      /* words that are not heard yet */
        int fd;
        char *cgroup_base; /* "/…/drover-KEEPER/"; NULL: no cgroup v2 */
        uint64_t n_ignored;
};

/* ---- words ---- */

static void word_ignore(NotifySocket *n, NotifyWord *word) {
        n->n_ignored++;
        notify_ring_release(n->ring, word);
}

static void origin_note(NotifyOrigin *o, const Worker *w) {
        o->generation = w->generation;
        (void) snprintf(o->worker, sizeof o->worker, "%s", worker_name(w));
}

static Worker *origin_find(NotifySocket *n, const NotifyOrigin *o) {
        Worker *w = pool_set_worker_by_name(n->pools, o->worker);

        return w && w->child && w->generation == o->generation ? w : NULL;
}

/* Return: whose it is; NULL: nobody's, or, with its .top known, nobody's that is known yet. */
static Worker *word_trace(NotifySocket *n, NotifyWord *word) {
        NotifyOrigin *o = word->origin;
        Worker *w;

        if (o->worker[0])
                return origin_find(n, o);
        if (o->top > 0) {
                w = notify_sender_by_pid(n->pools->world.keeper, o->top);
                if (!w && n->cgroup_base) /* who is in a leaf that is used again, its main process's start tells */
                        w = notify_sender_by_leaf(n->pools, n->cgroup_base, word->sender);
        } else
                w = word->sender > 0 ? notify_sender_find(n->pools, n->cgroup_base, word->sender, &o->top) : NULL;
        if (w)
                origin_note(o, w);
        return w;
}

/* false: it is early. Else it was heard, or is gone. */
static bool word_hear(NotifySocket *n, NotifyWord *word) {
        NotifyMessage m;
        Worker *w;

        if (word->size > NOTIFY_MESSAGE_MAX || notify_parse(word->text, word->size, &m) < 0) {
                word_ignore(n, word);
                return true;
        }
        w = word_trace(n, word);
        if (w) {
                worker_hear(w, &m);
                word->is_heard = true;
        } else if (word->origin->worker[0])
                notify_ring_release(n->ring, word); /* of the life before, and its process has ended */
        else if (word->origin->top > 0)
                return false;
        else
                word_ignore(n, word);
        return true;
}

/* ---- early ones ---- */

static int early_dispatch(sd_event_source *source, uint64_t usec, void *userdata);

static void early_arm(NotifySocket *n) {
        usec_t due = USEC_INFINITY;

        n->again = sd_event_source_disable_unref(n->again);
        if (n->n_early == 0)
                return;
        for (NotifyWord *w = notify_ring_first(n->ring); w; w = notify_ring_next(w))
                if (!w->is_heard)
                        due = MIN(due, w->again_at);
        if (sd_event_add_time(n->event, &n->again, CLOCK_MONOTONIC, due, EARLY_FIRST, early_dispatch, n) >= 0)
                (void) sd_event_source_set_priority(n->again, PRIORITY_NOTIFY);
}

/* Its turn has come, and once more in vain. */
static void early_delay(NotifySocket *n, NotifyWord *word, usec_t now) {
        bool is_launching = keeper_link_n_launching(n->pools->world.keeper) > 0;

        if (word->n_tries >= (is_launching ? EARLY_TRIES_MAX : EARLY_TRIES)) {
                n->n_early--;
                word_ignore(n, word);
                return;
        }
        word->again_at = usec_add(now, EARLY_FIRST << (2 * MIN(word->n_tries, EARLY_TRIES - 1)));
        word->n_tries++;
}

/* In the order in which they were said, and before anything newer is heard. */
static void early_try(NotifySocket *n) {
        NotifyWord *next;
        usec_t now;

        if (n->n_early == 0)
                return;
        now = clock_now();
        for (NotifyWord *word = notify_ring_first(n->ring); word; word = next) {
                next = notify_ring_next(word);
                if (word->is_heard)
                        continue;
                if (word_hear(n, word))
                        n->n_early--;
                else if (now >= word->again_at)
                        early_delay(n, word, now);
        }
        early_arm(n);
}

static int early_dispatch(sd_event_source *source, uint64_t usec, void *userdata) {
        early_try(userdata);
        return 0;
}

static void early_keep(NotifySocket *n, NotifyWord *word) {
        unsigned n_same = 0;

        for (NotifyWord *w = notify_ring_first(n->ring); w; w = notify_ring_next(w))
                n_same += w != word && !w->is_heard && w->origin->top == word->origin->top;
        if (n->n_early >= EARLY_MAX || n_same >= EARLY_EACH) {
                word_ignore(n, word);
                return;
        }
        n->n_early++;
        early_delay(n, word, clock_now());
        early_arm(n);
}

/* ---- the socket ---- */

/* One datagram. Return: 1; 0 when there is none left; -ENOSPC: there is no room for one; -errno. */
static int notify_receive(NotifySocket *n) {
        struct msghdr m;
        NotifyWord *word;
        int r = notify_ring_receive(n->ring, n->fd, &m, &word);

        if (r <= 0)
                return r;
        (void) closer_collect(n->closer, &m);
        if (!word_hear(n, word))
                early_keep(n, word);
        return 1;
}

static void notify_listen(NotifySocket *n) {
        (void) sd_event_source_set_enabled(n->source, n->rest || n->is_full ? SD_EVENT_OFF : SD_EVENT_ON);
}

static int rest_dispatch(sd_event_source *source, uint64_t usec, void *userdata) {
        NotifySocket *n = userdata;

        n->rest = sd_event_source_disable_unref(n->rest);
        notify_listen(n);
        return 0;
}

/* Its priority is the highest: as long as there is something to read, nobody else would have a turn. Where there is
 * no memory for a timer the flood goes on, at the lowest priority. */
static void notify_rest(NotifySocket *n, usec_t span) {
        usec_t due = usec_add(clock_now(), span);

        if (sd_event_add_time(n->event, &n->rest, CLOCK_MONOTONIC, due, NOTIFY_REST, rest_dispatch, n) < 0) {
                (void) sd_event_source_set_priority(n->source, PRIORITY_IDLE);
                return;
        }
        (void) sd_event_source_set_priority(n->rest, PRIORITY_NOTIFY);
        notify_listen(n);
}

/* The queue of the socket is short (net.unix.max_dgram_qlen), so a flood is many turns with a few datagrams each and no
 * pause in between. */
static void notify_count(NotifySocket *n, unsigned n_read, usec_t began) {
        if (usec_sub(began, n->read_at) >= NOTIFY_REST)
                n->n_in_row = 0; /* others had their time */
        n->n_in_row += n_read;
        if (n->n_in_row >= NOTIFY_BUDGET) {
                n->n_in_row = 0;
                notify_rest(n, NOTIFY_REST);
        } else
                (void) sd_event_source_set_priority(n->source, PRIORITY_NOTIFY);
        n->read_at = clock_now();
}

static int notify_dispatch(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        NotifySocket *n = userdata;
        usec_t began = clock_now();
        unsigned n_read = 0;
        uint64_t limit;
        int r = 1;

        if (closer_is_stuck(n->closer)) {
                notify_rest(n, STUCK_REST);
                return 0;
        }
        early_try(n);
        limit = closer_open_margin();
        while (n_read < NOTIFY_BUDGET && !closer_is_stuck(n->closer) && (r = notify_receive(n)) > 0) /* an error of one is gone with it */
                n_read++;
        closer_close_margin(limit);
        closer_flush(n->closer);
        n->is_full = r == -ENOSPC;
        notify_count(n, n_read, began);
        notify_listen(n);
        return 0;
}

void notify_on_record(NotifySocket *n) {
        NotifyWord *next;

        if (!n)
                return;
        for (NotifyWord *word = notify_ring_first(n->ring); word; word = next) {
                next = notify_ring_next(word);
                if (word->is_heard)
                        notify_ring_release(n->ring, word);
        }
        if (n->is_full) {
                n->is_full = false;
                notify_listen(n);
        }
}

int notify_bind(const char *path, int *ret_fd) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        _cleanup_fd_ int fd = -EBADF;

        if (strlen(path) >= sizeof address.sun_path)
                return -ENAMETOOLONG;
        memcpy(address.sun_path, path, strlen(path) + 1);
        fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return -errno;
        if (unlink(path) < 0 && errno != ENOENT)
                return -errno;
        if (bind(fd, (struct sockaddr *) &address, sizeof address) < 0)
                return -errno;
        if (chmod(path, 0666) < 0) /* workers of any user; who speaks is checked for each message */
                return -errno;
        *ret_fd = TAKE_FD(fd);
        return 0;
}

static int notify_watch(NotifySocket *n, int fd, sd_event_source **ret) {
        _cleanup_(sd_event_source_disable_unrefp) sd_event_source *source = NULL;
        const int on = 1;
        int r;

        if (setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof on) < 0)
                return -errno;
        r = sd_event_add_io(n->event, &source, fd, EPOLLIN, notify_dispatch, n);
        if (r >= 0)
                r = sd_event_source_set_priority(source, PRIORITY_NOTIFY);
        if (r >= 0)
                *ret = TAKE_PTR(source);
        return MIN(r, 0);
}

/* What the life before did not put on record is heard first of all. */
static void notify_take_up(NotifySocket *n) {
        for (NotifyWord *w = notify_ring_first(n->ring); w; w = notify_ring_next(w))
                n->n_early++;
        early_arm(n);
}

int notify_new(NotifySocket **ret, sd_event *event, PoolSet *pools, int fd_consume, NotifyRing *ring_consume) {
        _cleanup_(notify_freep) NotifySocket *n = NEW0(NotifySocket);
        int r;

        if (!n) {
                fd_close(fd_consume);
                notify_ring_free(ring_consume);
                return -ENOMEM;
        }
        n->fd = fd_consume;
        n->ring = ring_consume;
        n->pools = pools;
        n->event = event;
        n->cgroup_base = notify_sender_cgroup_base(keeper_link_hello(pools->world.keeper)->hello.keeper_pid);
        r = closer_new(&n->closer, event);
        if (r >= 0)
                r = notify_watch(n, n->fd, &n->source);
        if (r < 0)
                return r;
        notify_take_up(n);
        *ret = TAKE_PTR(n);
        return 0;
}

int notify_move(NotifySocket *n, int fd_consume) {
        _cleanup_fd_ int fd = fd_consume;
        sd_event_source *source = NULL;
        int r = notify_watch(n, fd, &source);

        if (r < 0)
                return r;
        (void) notify_dispatch(n->source, n->fd, EPOLLIN, n); /* what waits in the old one */
        sd_event_source_disable_unref(n->source);
        fd_close(n->fd);
        n->source = source;
        n->fd = TAKE_FD(fd);
        notify_listen(n);
        return 0;
}

NotifySocket *notify_free(NotifySocket *n) {
        if (!n)
                return NULL;
        sd_event_source_disable_unref(n->source);
        sd_event_source_disable_unref(n->again);
        sd_event_source_disable_unref(n->rest);
        fd_close(n->fd);
        closer_free(n->closer);
        notify_ring_free(n->ring);
        free(n->cgroup_base);
        free(n);
        return NULL;
}

uint64_t notify_n_ignored(const NotifySocket *n) {
        return n->n_ignored;
}
