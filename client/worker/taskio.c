/* taskio.c - see taskio.h. */
#include "worker/taskio.h"

#include "base/fd.h"
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_SIZE (64u * 1024)

void taskio_init(TaskIo *io, int fd, TaskPage *page) {
        *io = (TaskIo){.fd = fd, .page = page};
}

void taskio_done(TaskIo *io) {
        attach_received_done(&io->received);
        text_done(&io->out);
        free(io->in);
        *io = (TaskIo){.fd = -EBADF};
}

int taskio_take_fd(TaskIo *io) {
        return attach_take(&io->received);
}

/* See task-page.h for the order. */
static void page_sent(TaskPage *p) {
        atomic_store_explicit(&p->n_kept, 0, memory_order_release);
        atomic_fetch_add_explicit(&p->n_sends, 1, memory_order_seq_cst);
}

int taskio_flush(TaskIo *io) {
        size_t done = 0;

        if (text_check(&io->out) < 0)
                return -ENOMEM;
        while (done < io->out.length) {
                ssize_t n = send(io->fd, io->out.data + done, io->out.length - done, MSG_NOSIGNAL);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                done += (size_t) n;
        }
        if (done > 0)
                io->written_at = clock_now();
        if (io->page && done > 0)
                page_sent(io->page);
        text_clear(&io->out);
        return 0;
}

static bool has_line(TaskIo *io) {
        char *newline = io->end > io->scanned ? memchr(io->in + io->scanned, '\n', io->end - io->scanned) : NULL;

        io->scanned = newline ? (size_t) (newline - io->in) : io->end;
        return newline;
}

int taskio_written(TaskIo *io) {
        if (io->out.length >= TASKIO_OUT_MAX || !has_line(io) || usec_sub(clock_now(), io->written_at) >= TASKIO_DELAY_USEC)
                return taskio_flush(io);
        return 0;
}

/* Room for one more read behind @end. */
static int make_room(TaskIo *io) {
        char *in;

        if (io->begin > 0) {
                memmove(io->in, io->in + io->begin, io->end - io->begin);
                io->end -= io->begin;
                io->scanned -= io->begin;
                io->begin = 0;
        }
        if (io->end > TASKIO_LINE_MAX)
                return -EMSGSIZE;
        if (io->capacity - io->end >= READ_SIZE)
                return 0;
        in = realloc(io->in, io->end + 2 * READ_SIZE);
        if (!in)
                return -ENOMEM;
        io->in = in;
        io->capacity = io->end + 2 * READ_SIZE;
        return 0;
}

int taskio_pin(TaskIo *io, char **ret_buffer) {
        char *in = malloc(io->capacity);

        if (!in)
                return -ENOMEM;
        memcpy(in, io->in + io->begin, io->end - io->begin);
        *ret_buffer = io->in;
        io->in = in;
        io->end -= io->begin;
        io->scanned -= io->begin;
        io->begin = 0;
        return 0;
}

int taskio_next(TaskIo *io, char **ret_line, size_t *ret_length) {
        while (!has_line(io)) {
                ssize_t n;
                int r = taskio_flush(io);

                if (r >= 0)
                        r = make_room(io);
                if (r < 0)
                        return r;
                n = attach_receive(&io->received, io->fd, io->in + io->end, READ_SIZE, 0);
                if (n <= 0)
                        return (int) n;
                io->end += (size_t) n;
        }
        io->in[io->scanned] = 0;
        *ret_line = io->in + io->begin;
        *ret_length = io->scanned - io->begin;
        io->begin = ++io->scanned;
        return 1;
}
