/* stream.c - buffers around a socket.
 *
 * In: bytes [begin, end) of `in` are received and not yet given out. The newline behind a line is overwritten
 * by the NUL that ends it, so lines are handed out in place. Out: bytes [sent, out.length) are still to go.
 * Both buffers are moved to the front only when that is cheap, and freed when empty and large. */
#include "wire/stream.h"
#include "base/alloc.h"
#include "base/fd.h"
#include "wire/attach.h"
#include "wire/frame.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#define RECEIVE_MAX (64u * 1024) /* one step per wake-up: no peer holds the loop */
#define RECEIVE_MIN 4096u
#define KEEP_BYTES (16u * 1024) /* an empty buffer larger than this is given back */

struct Stream {
        int fd;
        StreamLimits limits;
        FrameCutter cutter;
        bool is_paused, has_ended, is_congested;
        char *in;
        size_t begin, end, capacity;
        Text out;
        size_t sent;
        AttachQueue attached; /* counted from `sent` */
        stream_reader reader; /* NULL: recv(2) */
        void *userdata;
};

int stream_new(Stream **ret, int fd_take, const StreamLimits *limits) {
        Stream *s;
        int r = fd_set_nonblock(fd_take, true);

        if (r >= 0)
                r = fd_set_cloexec(fd_take, true);
        if (r < 0)
                return r;
        s = NEW0(Stream);
        if (!s)
                return -ENOMEM;
        s->fd = fd_take;
        s->limits = *limits;
        s->cutter.line_max = limits->line_max;
        *ret = s;
        return 0;
}

Stream *stream_free(Stream *s) {
        if (!s)
                return NULL;
        (void) fd_close(s->fd);
        free(s->in);
        text_done(&s->out);
        attach_done(&s->attached);
        free(s);
        return NULL;
}

void stream_set_reader(Stream *s, stream_reader reader, void *userdata) {
        s->reader = reader;
        s->userdata = userdata;
}

int stream_take_fd(Stream *s) {
        return TAKE_FD(s->fd);
}

int stream_fd(const Stream *s) {
        return s->fd;
}

uint32_t stream_events(const Stream *s) {
        uint32_t in = s->is_paused || s->has_ended ? 0 : EPOLLIN;

        return in | (stream_unread(s) > 0 ? EPOLLOUT : 0);
}

void stream_pause(Stream *s, bool is_paused) {
        s->is_paused = is_paused;
}

/* Room for RECEIVE_MIN bytes at least behind `end`. */
static int in_reserve(Stream *s) {
        size_t held = s->end - s->begin;

        if (s->begin > 0 && held <= s->begin) { /* moving costs no more than what was already given out */
                memmove(s->in, s->in + s->begin, held);
                s->begin = 0;
                s->end = held;
        }
        if (s->capacity - s->end >= RECEIVE_MIN)
                return 0;
        return alloc_grow(&s->in, &s->capacity, s->end + RECEIVE_MIN, 1);
}

static ssize_t receive(Stream *s, void *buf, size_t size) {
        return s->reader ? s->reader(s->fd, buf, size, s->userdata) : recv(s->fd, buf, size, MSG_DONTWAIT);
}

int stream_receive(Stream *s) {
        ssize_t n;
        int r;

        if (s->has_ended)
                return -ENODATA;
        r = in_reserve(s);
        if (r < 0)
                return r;
        do
                n = receive(s, s->in + s->end, MIN(s->capacity - s->end, (size_t) RECEIVE_MAX));
        while (n < 0 && errno == EINTR);
        if (n < 0)
                return errno == EAGAIN ? 0 : -errno;
        if (n == 0) {
                s->has_ended = true;
                return -ENODATA;
        }
        s->end += (size_t) n;
        return (int) n;
}

static void in_trim(Stream *s) {
        if (s->begin < s->end)
                return;
        s->begin = s->end = 0;
        if (s->capacity > KEEP_BYTES) {
                free(TAKE_PTR(s->in));
                s->capacity = 0;
        }
}

int stream_next_line(Stream *s, char **ret_line, size_t *ret_length) {
        const char *line = NULL;
        size_t length = 0, consumed = 0;
        int r;

        if (s->begin == s->end) {
                in_trim(s);
                return 0;
        }
        r = frame_next(&s->cutter, s->in + s->begin, s->end - s->begin, &line, &length, &consumed);
        if (r > 0) {
                size_t at = (size_t) (line - s->in);

                s->in[at + length] = 0; /* over the "\n" or "\r" that ended it */
                *ret_line = s->in + at;
                *ret_length = length;
        }
        s->begin += consumed;
        if (r <= 0)
                in_trim(s);
        return r;
}

size_t stream_partial(const Stream *s) {
        return s->cutter.is_skipping ? MAX(s->end - s->begin, (size_t) 1) : s->end - s->begin;
}

Text *stream_output(Stream *s) {
        return &s->out;
}

size_t stream_unread(const Stream *s) {
        return s->out.length - s->sent;
}

int stream_check_output(const Stream *s) {
        int r = text_check(&s->out);

        if (r < 0)
                return r;
        return stream_unread(s) > s->limits.out_max ? -ENOBUFS : 0;
}

static void out_trim(Stream *s) {
        size_t left = stream_unread(s);

        if (left == 0) {
                s->sent = 0;
                if (s->out.capacity > KEEP_BYTES)
                        text_done(&s->out);
                else
                        text_clear(&s->out);
        } else if (left <= s->sent) {
                memmove(s->out.data, s->out.data + s->sent, left + 1); /* with its NUL */
                s->out.length = left;
                s->sent = 0;
        }
}

int stream_attach(Stream *s, int fd_take) {
        return attach_put(&s->attached, stream_unread(s), fd_take);
}

size_t stream_n_attached(const Stream *s) {
        return s->attached.n;
}

int stream_flush(Stream *s) {
        int r = text_check(&s->out);

        while (r >= 0 && stream_unread(s) > 0) {
                ssize_t n = attach_send(&s->attached, s->fd, s->out.data + s->sent, stream_unread(s));

                if (n >= 0)
                        s->sent += (size_t) n;
                else {
                        r = n == -EAGAIN ? 1 : (int) n;
                        break;
                }
        }
        if (r >= 0)
                out_trim(s);
        return r;
}

bool stream_is_congested(Stream *s) {
        size_t unread = stream_unread(s);

        if (unread > s->limits.out_high)
                s->is_congested = true;
        else if (unread <= s->limits.out_high / 2)
                s->is_congested = false;
        return s->is_congested;
}
