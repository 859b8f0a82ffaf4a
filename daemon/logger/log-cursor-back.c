/* log-cursor-back.c - from the end of a log back to the start of its last so many lines.
 *
 * A plain file is read backwards, a buffer at a time; a compressed one twice from its start, to count and to skip. */
#include "logger/log-cursor.h"

#include <unistd.h>

/* Counts newlines in @n bytes before the position; stops at the start of the @n_lines-th line from the end. in_line says
 * that something stands behind the place looked at whose start is not found yet. */
static void back_count(LogCursor *c, size_t n, uint64_t n_lines) {
        const uint8_t *p = c->buffer + n, *q;
        uint64_t start = c->position - n;
        while (p > c->buffer && (q = memrchr(c->buffer, '\n', (size_t) (p - c->buffer)))) {
                c->in_line = c->in_line || q + 1 < p;
                if (c->in_line && ++c->n_back == n_lines) {
                        c->position = start + (uint64_t) (q - c->buffer) + 1;
                        c->is_back_done = true;
                        return;
                }
                c->in_line = true; /* the line that this newline ends */
                p = q;
        }
        c->in_line = c->in_line || p > c->buffer;
        c->position = start;
}

static int back_older(LogCursor *c, uint64_t n_lines) {
        if (c->in_line) {
                c->in_line = false;
                c->n_back++;
        }
        if (c->n_back >= n_lines)
                return 1;
        int r = log_cursor_go_older(c);
        return r < 0 ? r : r == 0;
}

/* A compressed file was read to its end: is the line that is wanted in it? */
static int back_pack_counted(LogCursor *c, uint64_t n_lines) {
        uint64_t n_here = c->n_pack_lines + c->in_line, n_wanted = n_lines - c->n_back;
        c->in_line = false;
        if (n_here < n_wanted) {
                c->n_back += n_here;
                c->position = 0;
                return 1;
        }
        c->n_back = n_lines;
        c->n_pack_skip = n_here - n_wanted;
        c->pack = LOG_CURSOR_SKIP;
        return log_unpacker_rewind(c->unpacker);
}

/* Goes past the newlines that are left to skip; true: the start of the wanted line is found. */
static bool back_pack_skip(LogCursor *c, const uint8_t *data, size_t n) {
        const uint8_t *p = data, *end = data + n;
        while (c->n_pack_skip > 0 && (p = memchr(p, '\n', (size_t) (end - p)))) {
                p++;
                c->n_pack_skip--;
        }
        if (c->n_pack_skip > 0)
                return false;
        c->position = log_unpacker_position(c->unpacker) - (uint64_t) (end - p);
        c->begin = (size_t) (p - c->buffer); /* what is here already is not read again */
        c->end = (size_t) (end - c->buffer);
        c->is_back_done = true;
        return true;
}

/* One buffer of a compressed file. Bytes read. */
static int back_unpack(LogCursor *c, uint64_t n_lines) {
        if (c->pack == LOG_CURSOR_SKIP && back_pack_skip(c, c->buffer, 0))
                return 1;
        ssize_t k = log_unpacker_read(c->unpacker, c->buffer, c->capacity);
        if (k < 0 && k != -EBADMSG)
                return (int) k;
        if (c->pack == LOG_CURSOR_SKIP) {
                if (k > 0)
                        back_pack_skip(c, c->buffer, (size_t) k);
                else
                        c->position = 0; /* cannot be, unless the file changes under us */
                return (int) MAX(k, (ssize_t) 1);
        }
        if (k <= 0) {
                int r = back_pack_counted(c, n_lines);
                return r < 0 ? r : 1;
        }
        for (const uint8_t *p = c->buffer; (p = memchr(p, '\n', (size_t) (c->buffer + k - p))); p++)
                c->n_pack_lines++;
        c->in_line = c->buffer[k - 1] != '\n';
        return (int) k;
}

static int back_read(LogCursor *c, uint64_t n_lines) {
        if (c->unpacker)
                return back_unpack(c, n_lines);
        size_t want = (size_t) MIN((uint64_t) c->capacity, c->position);
        ssize_t k = pread(c->fd, c->buffer, want, (off_t) (c->position - want));
        if (k < 0)
                return -errno;
        if ((size_t) k == want)
                back_count(c, want, n_lines);
        else
                c->position = 0; /* truncated meanwhile: what there is now is read from its start */
        return (int) want;
}

int log_cursor_back(LogCursor *c, uint64_t n_lines, size_t budget) {
        int r = log_cursor_allocate(c);
        if (r < 0)
                return r;
        c->is_back_done = c->is_back_done || n_lines == 0;
        while (!c->is_back_done && budget > 0) {
                if (c->fd >= 0 && c->position > 0) {
                        r = back_read(c, n_lines);
                } else {
                        r = back_older(c, n_lines);
                        c->is_back_done = r > 0;
                        r = r < 0 ? r : 4096; /* opening costs too */
                }
                if (r < 0)
                        return r;
                budget -= MIN(budget, (size_t) r);
        }
        if (c->is_back_done)
                c->in_line = false;
        return c->is_back_done;
}
