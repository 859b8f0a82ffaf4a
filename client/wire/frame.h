/* frame.h - cut a byte stream into lines with a size limit. No I/O, no allocation.
 *
 * A FrameCutter remembers how far it has looked, so that a line which arrives byte by byte is scanned once.
 * Of a line that is too long nothing is kept: it is reported once, and its bytes are dropped until its end.
 * Empty lines are skipped. Owner: whoever embeds it; zeroed but for line_max. */
#ifndef DROVER_WIRE_FRAME_H
#define DROVER_WIRE_FRAME_H

#include "base/macro.h"

typedef struct FrameCutter {
        size_t line_max;  /* bytes of a line without its newline */
        size_t scanned;   /* of the bytes given last time, no newline among them */
        bool is_skipping; /* within a line already reported as too long */
} FrameCutter;

/**
 * frame_next() - the next line of the unconsumed bytes @data
 * @data:         all bytes received and not yet consumed, oldest first
 * @ret_line:     where the line begins within @data (not NUL-terminated; a "\r" before the newline is left
 * out)
 * @ret_length:   its bytes
 * @ret_consumed: always set: bytes to drop from the front of @data before the next call, the line's own
 * included
 *
 * Return: 1 with a line; 0 when more bytes are needed; -EMSGSIZE, once, for a line longer than line_max.
 */
int frame_next(FrameCutter *f, const char *data, size_t size, const char **ret_line, size_t *ret_length,
               size_t *ret_consumed);

#endif
