/* replay-filter.h - which lines of a log, asked for again after the daemon was away, have been shown already.
 *
 * The protocol has no positions in logs, only times, and a line read back from disk has a time a few
 * milliseconds coarser than when it was live. So the filter remembers what was shown (hash and time, the last
 * REPLAY_RING lines) and lets a line of a replay pass when it is new by its time and not among those. One for
 * all workers of a stream. Pure: times come in. */
#ifndef DROVER_CTL_REPLAY_FILTER_H
#define DROVER_CTL_REPLAY_FILTER_H

#include "base/clock.h"
#include "base/macro.h"

#define REPLAY_RING 4096
/* Lines of equal text this near in time may be the same line. Disk times lag by at most 10 ms. */
#define REPLAY_SLACK (50 * USEC_PER_MSEC)

typedef struct ReplayFilter {
        struct {
                uint64_t hash;
                usec_t time;
                bool is_used; /* in this replay */
        } ring[REPLAY_RING];
        size_t n, next;
        usec_t since; /* everything from here on was shown if it existed: the start, or when the ring wrapped
                       */
        usec_t replay_to; /* lines up to this time may be repeats; 0: no replay */
} ReplayFilter;

/** replay_filter_start() - following begins at @now (CLOCK_REALTIME µs). */
void replay_filter_start(ReplayFilter *f, usec_t now);
/** replay_filter_again() - connected anew at @now: what comes may be repeats. */
void replay_filter_again(ReplayFilter *f, usec_t now);
/** replay_filter_pass() - show this line? It is remembered when so. @time 0: unknown. */
bool replay_filter_pass(ReplayFilter *f, const char *worker, const char *stream, const char *line,
                        usec_t time);

#endif
