/* probe.c - see probe.h.
 *
 *   tcp   CONNECTING -> yes
 *   http  CONNECTING -> SENDING -> READING -> yes or no by the status
 *   exec  an errand; its own time-out
 *
 * A verdict that is known before probe_start() returns waits for the loop: the timer is then set to now. A probe reads
 * one piece each turn of the loop, and few of them: a server that floods, or sends a byte now and then, is ended by
 * the bound or by the timer. */
#include "pool/probe.h"
#include "pool/errand.h"
#include "pool/probe-http.h"

#include "base/alloc.h"
#include "base/fd.h"
#include "config/address.h"
#include "priority.h"
#include <stdio.h>
#include <sys/epoll.h>
#include <unistd.h>

#define PROBE_READ_MAX 1024u
#define PROBE_TIMER_ACCURACY (10 * USEC_PER_MSEC)

typedef enum ProbeState { PROBE_CONNECTING, PROBE_SENDING, PROBE_READING } ProbeState;

struct Probe {
        const ProbeConfig *config;
        ProbeDone done;
        void *userdata;
        ProbeState state;
        int fd;
        sd_event_source *io, *timer;
        int error; /* of connect(), known at once: errno; 0: none */
        char *request;
        size_t sent;
        HttpAnswer answer;
        Errand *errand;
};

Probe *probe_free(Probe *p) {
        if (!p)
                return NULL;
        sd_event_source_disable_unref(p->io);
        sd_event_source_disable_unref(p->timer);
        fd_close(p->fd);
        errand_drop(p->errand);
        free(p->request);
        free(p);
        return NULL;
}

/* ---- the verdict; @p may be gone afterwards ---- */

static void probe_say(Probe *p, const char *sentence) {
        p->io = sd_event_source_disable_unref(p->io);
        p->timer = sd_event_source_disable_unref(p->timer);
        p->done(sentence, p->userdata);
}

/* "connect to 127.0.0.1:8080: @what", "GET http://127.0.0.1:8080/healthz: @what" */
static void probe_say_no(Probe *p, const char *what) {
        const ProbeConfig *c = p->config;
        char sentence[PROBE_SENTENCE_MAX];

        if (p->state == PROBE_CONNECTING)
                (void) snprintf(sentence, sizeof sentence, "connect to %s: %s", c->address, what);
        else if (*c->address == '/')
                (void) snprintf(sentence, sizeof sentence, "GET %s at %s: %s", c->path, c->address, what);
        else
                (void) snprintf(sentence, sizeof sentence, "GET http://%s%s: %s", c->address, c->path, what);
        probe_say(p, sentence);
}

static void probe_say_error(Probe *p, int error) {
        /* A socket of AF_UNIX with a full queue says so at once. */
        probe_say_no(p, error == EAGAIN ? "its queue of connections is full" : strerrordesc_np(error) ?: "unknown error");
}

static int probe_dispatch_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        Probe *p = userdata;
        char span[SPAN_TEXT_MAX], what[SPAN_TEXT_MAX + 32];

        if (p->error != 0) {
                probe_say_error(p, p->error);
                return 0;
        }
        (void) snprintf(what, sizeof what, "no answer within %s", span_format(span, p->config->timeout));
        probe_say_no(p, what);
        return 0;
}

/* ---- http ---- */

static void probe_read(Probe *p) {
        char bytes[PROBE_READ_MAX];
        ssize_t n = recv(p->fd, bytes, sizeof bytes, MSG_DONTWAIT);
        int r;

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return;
        if (n < 0) {
                probe_say_error(p, errno);
                return;
        }
        r = http_answer_feed(&p->answer, bytes, (size_t) n);
        if (r == 1 && http_status_is_well(p->answer.status))
                probe_say(p, NULL);
        else if (r == 1)
                probe_say_no(p, p->answer.line);
        else if (r < 0)
                probe_say_no(p, "the answer is not HTTP");
        else if (n == 0)
                probe_say_no(p, "the connection was closed without an answer");
}

static void probe_send(Probe *p) {
        size_t length = strlen(p->request);
        ssize_t n = send(p->fd, p->request + p->sent, length - p->sent, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return;
        if (n < 0) {
                probe_say_error(p, errno);
                return;
        }
        p->sent += (size_t) n;
        if (p->sent < length)
                return;
        p->state = PROBE_READING;
        (void) sd_event_source_set_io_events(p->io, EPOLLIN);
}

/* ---- connecting ---- */

/* A connect to a port of the ephemeral range where nobody listens may, by chance, get that very port as its own, and
 * then talks to itself. */
static bool is_own_echo(int fd) {
        struct sockaddr_storage here = {0}, there = {0};
        socklen_t n = sizeof here, m = sizeof there;

        if (getsockname(fd, (struct sockaddr *) &here, &n) < 0 || getpeername(fd, (struct sockaddr *) &there, &m) < 0)
                return false;
        return here.ss_family != AF_UNIX && n == m && memcmp(&here, &there, n) == 0;
}

static void probe_connected(Probe *p) {
        int error = 0;
        socklen_t n = sizeof error;

        if (getsockopt(p->fd, SOL_SOCKET, SO_ERROR, &error, &n) < 0)
                error = errno;
        if (error == 0 && is_own_echo(p->fd))
                error = ECONNREFUSED;
        if (error != 0) {
                probe_say_error(p, error);
                return;
        }
        if (p->config->kind == PROBE_TCP) {
                probe_say(p, NULL);
                return;
        }
        p->state = PROBE_SENDING;
        probe_send(p);
}

static int probe_dispatch_io(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        Probe *p = userdata;

        switch (p->state) {
        case PROBE_CONNECTING:
                probe_connected(p);
                break;
        case PROBE_SENDING:
                probe_send(p);
                break;
        case PROBE_READING:
                probe_read(p);
                break;
        }
        return 0;
}

/* Return: 0: it goes on; else a positive errno: the verdict. */
static int probe_connect(Probe *p, sd_event *event) {
        Address a;
        int r = address_parse(p->config->address, &a);

        if (r < 0)
                return -r;
        p->fd = socket(a.sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (p->fd < 0)
                return errno;
        if (connect(p->fd, &a.sa, a.size) < 0 && errno != EINPROGRESS)
                return errno;
        r = sd_event_add_io(event, &p->io, p->fd, EPOLLOUT, probe_dispatch_io, p);
        return r < 0 ? -r : 0;
}

static int probe_start_socket(Probe *p, sd_event *event) {
        int r;

        if (p->config->kind == PROBE_HTTP) {
                p->request = http_request_make(p->config->path, p->config->host);
                if (!p->request)
                        return -ENOMEM;
        }
        p->error = probe_connect(p, event);
        r = sd_event_add_time(event, &p->timer, CLOCK_MONOTONIC,
                              p->error != 0 ? 0 : usec_add(clock_now(), p->config->timeout), PROBE_TIMER_ACCURACY,
                              probe_dispatch_timer, p);
        return r < 0 ? r : sd_event_source_set_priority(p->timer, PRIORITY_TIMER);
}

static void probe_errand_done(const char *sentence, void *userdata) {
        Probe *p = userdata;

        p->errand = NULL;
        probe_say(p, sentence);
}

int probe_start(Probe **ret, const ProbeConfig *config, sd_event *event, Worker *worker, ProbeDone done, void *userdata) {
        _cleanup_(probe_freep) Probe *p = NEW0(Probe);
        int r;

        if (!p)
                return -ENOMEM;
        *p = (Probe){.config = config, .done = done, .userdata = userdata, .fd = -EBADF};
        if (config->kind == PROBE_EXEC)
                r = errand_start(&p->errand, worker, ERRAND_CHECK, config->command, config->timeout, probe_errand_done, p);
        else
                r = config->kind == PROBE_NONE ? -EINVAL : probe_start_socket(p, event);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(p);
        return 0;
}
