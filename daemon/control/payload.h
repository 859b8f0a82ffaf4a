/* payload.h - arguments of tasks, cut out of a request before it is parsed.
 *
 * They are a worker's to read: here they are checked to be JSON and passed on as text. A request in a batch, or one that
 * writes its names with escapes, is parsed whole, and its arguments are written anew. */
#ifndef DROVER_CONTROL_PAYLOAD_H
#define DROVER_CONTROL_PAYLOAD_H

#include "base/text.h"
#include "wire/slice.h"
#include <jansson.h>

typedef struct Payload {
        Slice args, kwargs, items; /* in the line of the request */
} Payload;

/**
 * payload_cut() - find them in @line, when it is a request of a method task.*; write the line without them into @out
 * Return: true; false: nothing to cut, or the line is for the parser to complain about.
 */
bool payload_cut(const char *line, size_t length, Payload *ret, Text *out);
/** payload_text() - what was cut, or @value as text in @store; .at NULL: neither, or no memory (then @store failed). */
Slice payload_text(Slice cut, const json_t *value, Text *store);

#endif
