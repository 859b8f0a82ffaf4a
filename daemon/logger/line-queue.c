/* line-queue.c - see line-queue.h. */
#include "logger/line-queue.h"
#include "base/alloc.h"

void line_queue_done(LineQueue *q) {
        free(q->data);
        *q = (LineQueue){};
}

static bool queue_make_room(LineQueue *q, size_t n) {
        if (line_queue_length(q) + n > LINE_QUEUE_MAX)
                return false;
        if (q->end + n <= q->capacity)
                return true;
        if (q->begin > 0)
                memmove(q->data, q->data + q->begin, line_queue_length(q));
        q->end -= q->begin;
        q->begin = 0;
        return alloc_grow(&q->data, &q->capacity, q->end + n, 1) == 0;
}

void line_queue_add(LineQueue *q, const LoggerLine *line, const uint8_t *text) {
        size_t n = sizeof *line + line->n_bytes;
        if (q->n_dropped > 0 || !queue_make_room(q, n)) {
                q->n_dropped += !line->is_continued;
                return;
        }
        memcpy(q->data + q->end, line, sizeof *line);
        if (line->n_bytes > 0)
                memcpy(q->data + q->end + sizeof *line, text, line->n_bytes);
        q->end += n;
}

size_t line_queue_peek(const LineQueue *q, size_t max) {
        LoggerLine line;
        size_t n = 0;
        while (q->begin + n < q->end) {
                memcpy(&line, q->data + q->begin + n, sizeof line);
                size_t more = sizeof line + line.n_bytes;
                if (n > 0 && n + more > max)
                        break;
                n += more;
        }
        return n;
}

void line_queue_take(LineQueue *q, size_t n_bytes) {
        q->begin += n_bytes;
        if (q->begin < q->end)
                return;
        q->begin = q->end = 0;
        if (q->capacity > LOGGER_LINES_MAX) { /* an idle follower shall be small */
                free(q->data);
                q->data = NULL;
                q->capacity = 0;
        }
}
