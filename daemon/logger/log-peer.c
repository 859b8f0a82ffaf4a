/* log-peer.c - see log-peer.h. */
#include "logger/log-peer.h"
#include "base/alloc.h"
#include "base/fd.h"
#include "base/log.h"
#include "logger/log-open.h"
#include <stdio.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define REQUESTS_PER_TURN 32

static int peer_send_raw(LogPeer *p, const LoggerMessage *m, const void *payload, size_t n_bytes) {
        struct iovec iov[2] = {
                {(void *) m, logger_message_size(m->type)},
                {(void *) payload, n_bytes},
        };
        struct msghdr h = {.msg_iov = iov, .msg_iovlen = n_bytes > 0 ? 2 : 1};
        if (sendmsg(p->watch.fd, &h, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
                return 0;
        return errno == ENOBUFS ? -EAGAIN : -errno;
}

static int peer_send_or_wait(LogPeer *p, const LoggerMessage *m, const void *payload, size_t n_bytes) {
        int k = p->is_full ? -EAGAIN : peer_send_raw(p, m, payload, n_bytes);
        if (k == -EAGAIN && !p->is_full) {
                p->is_full = true;
                (void) log_loop_watch(p->sinks->loop, &p->watch, EPOLLOUT);
        }
        return k;
}

static int peer_send(LogRead *r, const LoggerMessage *m, const void *payload, size_t n_bytes) {
        return peer_send_or_wait(r->userdata, m, payload, n_bytes);
}

static void peer_on_end(LogRead *r) {
        LogPeer *p = r->userdata;
        HASH_DELETE(hh, p->reads, r);
        log_read_free(r);
}

static const LogReadHooks peer_hooks = {.send = peer_send, .on_end = peer_on_end};

int log_peer_say(LogPeer *p, const LoggerMessage *m) {
        return peer_send_or_wait(p, m, NULL, 0);
}

/* The answer to a request that is no read, and to one that cannot be. While it waits no request is taken. */
static void peer_answer(LogPeer *p, uint64_t request, int error, const char *text) {
        LoggerMessage m = {.type = LOGGER_END, .request = request};
        m.end.error = error;
        snprintf(m.end.text, sizeof m.end.text, "%s", text);
        p->is_answer_due = peer_send_or_wait(p, &m, NULL, 0) == -EAGAIN;
        if (p->is_answer_due)
                p->answer = m;
}

static void peer_read(LogPeer *p, const LoggerMessage *m) {
        LogRead *r;
        HASH_FIND(hh, p->reads, &m->request, sizeof m->request, r);
        if (r)
                return; /* the number is taken: its answer would be mixed up with the other's */
        if (HASH_COUNT(p->reads) >= LOG_PEER_READS_MAX)
                return peer_answer(p, m->request, EBUSY, "too many logs are being read at once");
        int k = log_read_new(&r, p->sinks, m, &peer_hooks, p);
        if (k < 0)
                return peer_answer(p, m->request, -k, strerror(-k));
        HASH_ADD(hh, p->reads, request, sizeof r->request, r);
}

static int act_on_stream(LogPeer *p, const LogTarget *t, uint32_t stream, bool is_clear) {
        _cleanup_(log_sink_unrefp) LogSink *sink = NULL;
        int r = log_sink_get(p->sinks, t, stream, &sink);
        if (r < 0)
                return r;
        int (*act)(LogSink *s) = is_clear ? sink->ops->clear : sink->ops->rotate;
        return act ? act(sink) : -EOPNOTSUPP;
}

/* ROTATE or CLEAR. Both streams are tried; the first error is told. */
static void peer_act(LogPeer *p, const LoggerMessage *m) {
        static const uint32_t streams[] = {LOG_STREAM_STDOUT, LOG_STREAM_STDERR};
        _cleanup_(log_target_done) LogTarget target = {};
        int r = log_target_init(&target, &m->read.spec), k;
        bool is_one_file = target.kind == LOG_KIND_SHARED;
        for (size_t i = 0; target.path && i < (is_one_file ? 1 : ARRAY_SIZE(streams)); i++) {
                k = m->read.streams & streams[i] || is_one_file
                            ? act_on_stream(p, &target, streams[i], m->type == LOGGER_CLEAR)
                            : 0;
                r = r == 0 ? k : r;
        }
        peer_answer(p, m->request, -r, r < 0 ? log_open_reason(r) : "");
}

static void peer_handle(LogPeer *p, const LoggerMessage *m) {
        LogRead *r;
        if (m->type == LOGGER_READ)
                return peer_read(p, m);
        if (m->type == LOGGER_ROTATE || m->type == LOGGER_CLEAR)
                return peer_act(p, m);
        HASH_FIND(hh, p->reads, &m->request, sizeof m->request, r);
        if (!r)
                return; /* it has ended meanwhile */
        if (m->type == LOGGER_CANCEL)
                peer_on_end(r);
        else if (m->type == LOGGER_CREDIT)
                log_read_add_credit(r, m->credit);
}

static void peer_resume(LogPeer *p) {
        LogRead *r, *tmp;
        p->is_full = false;
        if (p->is_answer_due && peer_send_or_wait(p, &p->answer, NULL, 0) == -EAGAIN)
                return;
        p->is_answer_due = false;
        (void) log_loop_watch(p->sinks->loop, &p->watch, EPOLLIN);
        HASH_ITER(hh, p->reads, r, tmp)
                log_read_resume(r);
        p->hooks->on_room(p, p->userdata);
}

static void on_ready(LoopWatch *w, uint32_t events) {
        LogPeer *p = container_of(w, LogPeer, watch);
        if (events & (EPOLLHUP | EPOLLERR) && p->is_full)
                return p->hooks->on_gone(p, p->userdata);
        if (events & EPOLLOUT)
                peer_resume(p);
        for (int i = 0; i < REQUESTS_PER_TURN && !p->is_full; i++) {
                LoggerMessage m;
                size_t n_fds = 0;
                ssize_t n = packet_recv(w->fd, &m, sizeof m, NULL, 0, &n_fds);
                if (n == -EAGAIN)
                        return;
                if (n == 0 || (n < 0 && n != -EMSGSIZE && n != -EINTR))
                        return p->hooks->on_gone(p, p->userdata);
                if (n >= (ssize_t) sizeof m.type && (size_t) n == logger_message_size(m.type))
                        peer_handle(p, &m);
                else
                        log_debug("a packet of %zd bytes from droverd is none of ours", n);
        }
}

int log_peer_new(LogPeer **ret, LogSinkTable *sinks, int fd_consume, const LogPeerHooks *hooks, void *userdata) {
        _cleanup_fd_ int fd = fd_consume;
        _cleanup_(log_peer_freep) LogPeer *p = NEW0(LogPeer);
        if (!p)
                return -ENOMEM;
        p->sinks = sinks;
        p->hooks = hooks;
        p->userdata = userdata;
        p->watch = (LoopWatch){.fd = TAKE_FD(fd), .on_ready = on_ready};
        int r = fd_set_nonblock(p->watch.fd, true);
        if (r == 0)
                r = log_loop_watch(sinks->loop, &p->watch, EPOLLIN);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(p);
        return 0;
}

LogPeer *log_peer_free(LogPeer *p) {
        LogRead *r, *tmp;
        if (!p)
                return NULL;
        HASH_ITER(hh, p->reads, r, tmp) {
                HASH_DELETE(hh, p->reads, r);
                log_read_free(r);
        }
        (void) log_loop_watch(p->sinks->loop, &p->watch, 0);
        fd_close(p->watch.fd);
        free(p);
        return NULL;
}
