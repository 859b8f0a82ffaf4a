/* taskio.h - the worker's end of its task channel: lines in, lines out, and descriptors that came with them.
 *
 * The channel is a blocking stream socket of which droverd holds the other end. One object a process, one thread.
 * Answers are gathered while whole requests are at hand, and written when there is none, when they are many, or when
 * the last writing is TASKIO_DELAY_USEC ago: so a fast worker makes few system calls and a slow one withholds nothing but
 * what it finished within that time before something slow; that is in the page, where droverd looks for it. */
#ifndef DROVER_WORKER_TASKIO_H
#define DROVER_WORKER_TASKIO_H

#include "base/clock.h"
#include "base/text.h"
#include "wire/attach.h"
#include "wire/task-page.h"

#define TASKIO_DELAY_USEC 200u
#define TASKIO_OUT_MAX (32u * 1024)

typedef struct TaskIo {
        int fd; /* borrowed */
        char *in;
        size_t begin, end, capacity, scanned;
        Text out;
        usec_t written_at; /* CLOCK_MONOTONIC */
        TaskPage *page;    /* borrowed; NULL: there is none */
        AttachReceived received; /* and not yet taken */
} TaskIo;

void taskio_init(TaskIo *io, int fd, TaskPage *page);
void taskio_done(TaskIo *io); /* closes descriptors not taken; not the channel */
/**
 * taskio_next() - the next request: its line without the newline, NUL-terminated, valid until the next call
 * Writes what is due before it waits.
 * Return: 1; 0 at the end of the channel; -EMSGSIZE for a line of more than TASKIO_LINE_MAX; -ENOMEM; errors of recvmsg(2)
 * and send(2).
 */
int taskio_next(TaskIo *io, char **ret_line, size_t *ret_length);
#define TASKIO_LINE_MAX (1u << 20)
/**
 * taskio_pin() - let the line given out last stay where it is: the buffer it is in is the caller's to free(), and what follows
 * in it goes on in another. -ENOMEM.
 */
int taskio_pin(TaskIo *io, char **ret_buffer);
/** taskio_take_fd() - the oldest descriptor that came, the caller's; -ENOENT when there is none. */
int taskio_take_fd(TaskIo *io);
/** taskio_out() - append one answer with its newline, then call taskio_written(). */
static inline Text *taskio_out(TaskIo *io) {
        return &io->out;
}
/** taskio_written() - an answer was appended: write all when it is time. Errors of send(2), -ENOMEM. */
int taskio_written(TaskIo *io);
int taskio_flush(TaskIo *io);

#endif
