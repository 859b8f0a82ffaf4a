/* traceback.h - where a thread is: its frames as text. */
#ifndef DROVER_WORKER_TRACEBACK_H
#define DROVER_WORKER_TRACEBACK_H

#include "base/text.h"

/**
 * traceback_append() - the frames of this thread, innermost first: "#0 square+0x1c in /usr/lib/math.so"
 * @from: begin at the frame to which this address returns (__builtin_return_address(0) of whom the frame called); NULL:
 *        at the caller's
 * @place: of the first frame, in place of its symbol: "square (math.c:30)"; NULL: the symbol
 * Frames from libdrover's own loop on outwards are left out, where it is another object than the caller's.
 */
void traceback_append(Text *t, const void *from, const char *place);
/** traceback_write() - all frames to @fd; async-signal-safe once it was called before. */
void traceback_write(int fd);

#endif
