/* traceback.h - where a thread is: its frames as text. */
#ifndef DROVER_WORKER_TRACEBACK_H
#define DROVER_WORKER_TRACEBACK_H

#include "base/text.h"

/**
 * traceback_append() - the caller's frames, innermost first, without the @n_skip innermost ones (0: from the caller of
 * this function on): "#0 square+0x1c in /usr/lib/math.so"
 * @place: of the first frame, in place of its symbol: "square (math.c:30)"; NULL: the symbol
 * Frames from libdrover's own loop on outwards are left out, where it is another object than the caller's.
 */
void traceback_append(Text *t, unsigned n_skip, const char *place);
/** traceback_write() - all frames to @fd; async-signal-safe once it was called before. */
void traceback_write(int fd);

#endif
