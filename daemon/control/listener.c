/* listener.c - accept and refuse.
 *
 * States: watching; resting (REST_USEC after accept failed for want of descriptors or memory; BREATH_USEC after some turns
 * in a row that took all they might, so that those who are in have theirs even while others storm the door).
 * A refusal is one JSON-RPC error line with id null, sent without waiting; then the socket is closed. */
#include "control/listener.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "priority.h"
#include "wire/envelope.h"
#include "wire/protocol.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#define ACCEPTS_PER_TURN 32
#define USEC_PER_TURN (2 * USEC_PER_MSEC) /* after which no further one is accepted in this turn */
#define REST_USEC (100 * USEC_PER_MSEC)
#define FULL_TURNS_MAX 8 /* in a row, before the rest of BREATH_USEC */
#define BREATH_USEC USEC_PER_MSEC

struct Listener {
        int fd, reserve_fd;
        Closer *closer;
        sd_event_source *source, *rest;
        listener_callback callback;
        void *userdata;
        unsigned n_full; /* turns in a row that left somebody waiting */
        bool is_poor;    /* the lack of descriptors is reported once, until it is over */
};

/* What is said to a caller who is not let in. */
static void refuse(int fd, ProtocolError error, const char *message) {
        _cleanup_text_ Text t = {0};

        envelope_put_error(&t, NULL, error, message);
        envelope_end_line(&t);
        if (text_check(&t) == 0)
                (void) send(fd, t.data, t.length, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static const char *refusal_text(int error, ProtocolError *ret) {
        *ret = error == -ENOMEM ? ERROR_FAILED : ERROR_LIMIT;
        switch (error) {
        case -EBUSY:
                return "too many faults by your user: connections are refused for a while";
        case -EDQUOT:
                return "you have too many connections; close some";
        case -EUSERS:
                return "all connections are in use; try again later";
        case -EMFILE:
                return "the daemon has no free descriptor; try again later";
        default:
                return "the daemon is short of memory; try again later";
        }
}

/* One accepted descriptor to its owner, or a refusal. */
static void welcome(Listener *l, int fd_consume) {
        int fd = fd_consume;
        ProtocolError error;
        const char *text;
        Peer peer = {.uid = PEER_NONE};
        int r;

        r = peer_read(fd, &peer);
        if (r < 0) { /* who cannot be told is nobody, never somebody */
                refuse(fd, ERROR_DENIED, "the kernel does not say who you are");
                closer_close(l->closer, fd);
                return;
        }
        r = l->callback(fd, &peer, l->userdata);
        peer_done(&peer);
        if (r >= 0)
                return;
        text = refusal_text(r, &error);
        refuse(fd, error, text);
        closer_close(l->closer, fd);
}

/* No descriptor is left: the reserve makes room for one caller, who hears why. */
static void refuse_one(Listener *l) {
        _cleanup_fd_ int fd = -EBADF;

        l->reserve_fd = fd_close(l->reserve_fd);
        fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0) {
                ProtocolError error;
                const char *text = refusal_text(-EMFILE, &error);

                refuse(fd, error, text);
        }
        closer_close(l->closer, TAKE_FD(fd));
        l->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void rest(Listener *l, usec_t span) {
        if (sd_event_source_set_time_relative(l->rest, span) < 0 ||
            sd_event_source_set_enabled(l->rest, SD_EVENT_ONESHOT) < 0)
                return; /* better busy than deaf */
        (void) sd_event_source_set_enabled(l->source, SD_EVENT_OFF);
}

static void run_short(Listener *l, int error) {
        if (!l->is_poor)
                log_warning("cannot accept control connections: %s", strerror(-error));
        l->is_poor = true;
        if (error == -EMFILE || error == -ENFILE)
                refuse_one(l);
        rest(l, REST_USEC);
}

static int listener_dispatch_rest(sd_event_source *s, uint64_t usec, void *userdata) {
        Listener *l = userdata;

        (void) sd_event_source_set_enabled(l->source, SD_EVENT_ON);
        return 0;
}

static bool is_about_the_peer(int error) {
        return error == ECONNABORTED || error == EINTR || error == EPROTO || error == EPERM;
}

static int listener_dispatch_accept(sd_event_source *s, int fd, uint32_t revents, void *userdata) {
        usec_t until = usec_add(clock_now(), USEC_PER_TURN);
        Listener *l = userdata;

        for (int i = 0; i < ACCEPTS_PER_TURN && (i == 0 || clock_now() < until); i++) {
                int peer = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

                if (peer >= 0) {
                        l->is_poor = false;
                        welcome(l, peer);
                        continue;
                }
                if (is_about_the_peer(errno))
                        continue;
                if (errno != EAGAIN)
                        run_short(l, -errno);
                l->n_full = 0;
                return 0;
        }
        if (++l->n_full < FULL_TURNS_MAX)
                return 0;
        l->n_full = 0;
        rest(l, BREATH_USEC);
        return 0;
}

int listener_new(Listener **ret, sd_event *event, int fd_take, Closer *closer, listener_callback cb,
                 void *userdata) {
        _cleanup_(listener_freep) Listener *l = NEW0(Listener);
        int r;

        if (!l)
                return -ENOMEM;
        *l = (Listener){.fd = -EBADF, .closer = closer, .callback = cb, .userdata = userdata};
        l->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
        if (l->reserve_fd < 0)
                return -errno;
        r = fd_set_nonblock(fd_take, true); /* an inherited one may block */
        if (r < 0)
                return r;
        r = sd_event_add_io(event, &l->source, fd_take, EPOLLIN, listener_dispatch_accept, l);
        if (r < 0)
                return r;
        r = sd_event_add_time_relative(event, &l->rest, CLOCK_MONOTONIC, 0, USEC_PER_MSEC, listener_dispatch_rest, l);
        if (r < 0)
                return r;
        r = sd_event_source_set_enabled(l->rest, SD_EVENT_OFF);
        if (r < 0)
                return r;
        r = sd_event_source_set_priority(l->source, PRIORITY_CONTROL);
        if (r < 0)
                return r;
        closer_guard(closer, fd_take);
        l->fd = fd_take;
        *ret = TAKE_PTR(l);
        return 0;
}

Listener *listener_free(Listener *l) {
        if (!l)
                return NULL;
        sd_event_source_disable_unref(l->source);
        sd_event_source_disable_unref(l->rest);
        fd_close(l->fd);
        fd_close(l->reserve_fd);
        free(l);
        return NULL;
}
