/* line-queue.h - lines on their way to one reader: packed as the protocol has them, bounded.
 *
 * Embedded in a LogRead. A reader that does not take its lines in time loses some: once a line found no room, all that
 * follow are counted as dropped until the sender has told of it (when the queue is empty, by setting n_dropped to 0), so
 * that the gap has one exact place. */
#ifndef DROVER_LOGGER_LINE_QUEUE_H
#define DROVER_LOGGER_LINE_QUEUE_H

#include "base/macro.h"
#include "link/logger-protocol.h"

#define LINE_QUEUE_MAX (128u * 1024) /* bytes */

typedef struct LineQueue {
        uint8_t *data;
        size_t begin, end, capacity;
        uint64_t n_dropped;
} LineQueue;

void line_queue_done(LineQueue *q);
static inline size_t line_queue_length(const LineQueue *q) {
        return q->end - q->begin;
}
/** line_queue_add() - @line->n_bytes of @text; pieces of one line count as one when dropped */
void line_queue_add(LineQueue *q, const LoggerLine *line, const uint8_t *text);
/** line_queue_peek() - as many whole lines from the front as fit into @max bytes, but one at least; 0: empty */
size_t line_queue_peek(const LineQueue *q, size_t max);
void line_queue_take(LineQueue *q, size_t n_bytes);

#endif
