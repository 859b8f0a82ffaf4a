/* frame.c - lines out of a stream of bytes. */
#include "wire/frame.h"

/* The line ends at @end: take it, skip it, or report it. */
static int line_take(FrameCutter *f, const char *data, size_t begin, size_t end, const char **ret_line,
                     size_t *ret_length) {
        bool was_skipping = f->is_skipping;
        size_t length = end - begin;

        f->is_skipping = false;
        if (was_skipping)
                return 0;
        if (length > f->line_max)
                return -EMSGSIZE;
        if (length > 0 && data[end - 1] == '\r')
                length--;
        if (length == 0)
                return 0;
        *ret_line = data + begin;
        *ret_length = length;
        return 1;
}

int frame_next(FrameCutter *f, const char *data, size_t size, const char **ret_line, size_t *ret_length,
               size_t *ret_consumed) {
        size_t begin = 0;

        for (;;) {
                const char *newline = NULL;
                size_t end;
                int r;

                if (size > f->scanned)
                        newline = memchr(data + f->scanned, '\n', size - f->scanned);
                if (!newline)
                        break;
                end = (size_t) (newline - data);
                f->scanned = end + 1;
                r = line_take(f, data, begin, end, ret_line, ret_length);
                begin = end + 1;
                if (r != 0) {
                        f->scanned = 0;
                        *ret_consumed = begin;
                        return r;
                }
        }
        /* The line has not ended. Beyond its limit its bytes are of no use to anyone. */
        if (f->is_skipping || size - begin > f->line_max) {
                int r = f->is_skipping ? 0 : -EMSGSIZE;

                f->is_skipping = true;
                f->scanned = 0;
                *ret_consumed = size;
                return r;
        }
        f->scanned = size - begin;
        *ret_consumed = begin;
        return 0;
}
