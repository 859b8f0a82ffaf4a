/* stream.h - a non-blocking stream socket with an in and an out buffer, for any loop.
 *
 * Owner: one connection or client; one thread. The owner polls stream_fd() for stream_events(), then calls
 * stream_receive() when readable and takes lines with stream_next_line() until 0; it appends whole messages
 * to stream_output() and calls stream_flush() when it likes and whenever writable. Nothing here calls back.
 *
 * Bounds: a line (line_max), unread output (out_max: then stream_check_output() says -ENOBUFS and the owner
 * drops the connection). A mark (out_high): stream_is_congested() tells the owner to take no more requests.
 * Idle streams keep no buffers. */
#ifndef DROVER_WIRE_STREAM_H
#define DROVER_WIRE_STREAM_H

#include "base/text.h"
#include <stdint.h>
#include <sys/types.h>

typedef struct Stream Stream;

typedef struct StreamLimits {
        size_t line_max; /* bytes of one received line */
        size_t out_high; /* unread output beyond which the stream is congested, until it is half of this */
        size_t out_max;  /* unread output beyond which it is broken */
} StreamLimits;

/** stream_new() - over a connected socket, made non-blocking and close-on-exec; taken on success only. */
int stream_new(Stream **ret, int fd_take, const StreamLimits *limits);
Stream *stream_free(Stream *s); /* closes the socket */
DEFINE_CLEANUP(Stream, stream_free);

int stream_fd(const Stream *s);
/** stream_events() - EPOLLIN and EPOLLOUT (the same bits as POLLIN, POLLOUT) as wanted now; may be 0. */
uint32_t stream_events(const Stream *s);
/** stream_pause() - stop or go on wanting EPOLLIN. */
void stream_pause(Stream *s, bool is_paused);

/* Reads in place of recv(2), with its results and errno; without waiting. */
typedef ssize_t (*stream_reader)(int fd, void *buf, size_t size, void *userdata);
void stream_set_reader(Stream *s, stream_reader reader, void *userdata);
/** stream_take_fd() - the socket, now the caller's; only stream_free() may follow. */
int stream_take_fd(Stream *s);

/**
 * stream_receive() - one read of the socket (at most 64 KiB)
 * Return: bytes > 0; 0 when there was nothing; -ENODATA at the peer's end (lines received before stay
 * readable); -ENOMEM; -ECONNRESET and the rest of recv(2).
 */
int stream_receive(Stream *s);
/**
 * stream_next_line() - the next whole line received, NUL-terminated, valid until the next call on @s
 * Return: 1; 0 when there is none; -EMSGSIZE once for a line beyond line_max, which is dropped.
 */
int stream_next_line(Stream *s, char **ret_line, size_t *ret_length);
/** stream_partial() - bytes held of a line that has begun and not ended, 0 between lines. Whole lines: take
 * them first. */
size_t stream_partial(const Stream *s);

/** stream_output() - what will be sent: append whole messages, each with its newline. Borrowed; do not clear
 * it. */
Text *stream_output(Stream *s);
/** stream_check_output() - after appending: 0, -ENOBUFS beyond out_max, -ENOMEM; then the connection must go.
 */
int stream_check_output(const Stream *s);
/** stream_attach() - a descriptor that goes with the message appended next, the stream's on success. As attach_put(). */
int stream_attach(Stream *s, int fd_take);
size_t stream_n_attached(const Stream *s); /* not sent yet */
/** stream_flush() - send what the socket takes. Return: 0 all sent; 1 some is left; -EPIPE, -ENOMEM, ... */
int stream_flush(Stream *s);
/** stream_unread() - bytes of output not yet taken by the socket. */
size_t stream_unread(const Stream *s);
bool stream_is_congested(Stream *s);

#endif
