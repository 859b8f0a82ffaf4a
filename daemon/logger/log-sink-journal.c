/* log-sink-journal.c - lines as entries of the systemd journal, by its native protocol.
 *
 * One datagram a line, one socket for all sinks, never blocking. sd_journal_sendv() is not used: it blocks when journald
 * is slow and says nothing when there is no journald; here both make the worker wait and nothing is lost. A
 * logger that dies repeats at most the line it was sending. */
#include "base/alloc.h"
#include "base/fd.h"
#include "logger/log-sink.h"
#include <stdio.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>

static LogSink *journal_alloc(void) {
        return NEW0(LogSink);
}

static void journal_close(LogSink *s) {
        (void) s; /* the socket belongs to the table */
}

static int journal_connect(LogSinkTable *t) {
        struct sockaddr_un a = {.sun_family = AF_UNIX};
        if (t->journal_fd >= 0)
                return 0;
        if (strlen(t->journal_path) >= sizeof a.sun_path)
                return -ENAMETOOLONG;
        memcpy(a.sun_path, t->journal_path, strlen(t->journal_path));
        _cleanup_fd_ int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0 || connect(fd, (struct sockaddr *) &a, sizeof a) < 0)
                return -errno;
        t->journal_fd = TAKE_FD(fd);
        return 0;
}

static int journal_send(LogSinkTable *t, const char *fields, size_t n_fields, const uint8_t *line, size_t n) {
        struct iovec iov[] = {
                {(char *) fields, n_fields},
                {(char *) "MESSAGE=", 8},
                {(uint8_t *) line, n},
                {(char *) "\n", 1},
        };
        struct msghdr m = {.msg_iov = iov, .msg_iovlen = ARRAY_SIZE(iov)};
        int r = journal_connect(t);
        if (r < 0)
                return r;
        if (sendmsg(t->journal_fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
                return 0;
        r = -errno;
        if (r != -EAGAIN && r != -EMSGSIZE)
                t->journal_fd = fd_close(t->journal_fd); /* journald went away: a new socket next time */
        return r;
}

static int journal_fields(const LogSink *s, uint32_t stream, char *buf, size_t size) {
        const char *worker = s->worker;
        int n_pool = (int) strcspn(worker, "/");
        bool is_error = stream == LOG_STREAM_STDERR;
        int n = snprintf(buf, size,
                         "PRIORITY=%d\nSYSLOG_IDENTIFIER=%.*s\nDROVER_POOL=%.*s\nDROVER_WORKER=%s\nDROVER_STREAM=%s\n",
                         is_error ? 5 : 6, n_pool, worker, n_pool, worker, worker, is_error ? "stderr" : "stdout");
        return n < 0 || (size_t) n >= size ? -ENOBUFS : n;
}

static int journal_write(LogSink *s, LogWrite *w) {
        char fields[512];
        int n_fields = journal_fields(s, w->stream, fields, sizeof fields);
        if (n_fields < 0)
                return n_fields;
        for (size_t done; (done = (size_t) scratch_place(w->note)->done) < w->n_bytes;) {
                const uint8_t *line = w->data + done, *end = memchr(line, '\n', w->n_bytes - done);
                size_t n = end ? (size_t) (end - line) : w->n_bytes - done;
                int r = journal_send(s->table, fields, (size_t) n_fields, line, n);
                if (r < 0 && r != -EMSGSIZE) /* a line no socket buffer holds can never be sent */
                        return r;
                scratch_set_place(w->note, &(ScratchPlace){.done = done + n + (end ? 1 : 0)});
        }
        return 0;
}

static void journal_settle(LogSink *s, LogWrite *w) {
        (void) s, (void) w; /* place.done is all that is known */
}

const LogSinkOps log_sink_journal_ops = {
        .name = "journal",
        .alloc = journal_alloc,
        .write = journal_write,
        .settle = journal_settle,
        .close = journal_close,
};
