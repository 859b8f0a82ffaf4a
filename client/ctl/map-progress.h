/* map-progress.h - how far a map has come: a line on stderr in its place, where that is a terminal.
 *
 *      41% [#########-------------]  1230000/3000000  52340/s  34s left  2 failed
 *
 * Without a known number of items: "1230000 done  52340/s  1m20s". It is wiped before anything else is written there. */
#ifndef DROVER_CTL_MAP_PROGRESS_H
#define DROVER_CTL_MAP_PROGRESS_H

#include "base/clock.h"
#include "base/text.h"

typedef struct MapProgress {
        bool is_on, is_shown, shares_terminal; /* with stdout */
        usec_t began, next;                    /* CLOCK_MONOTONIC; next: USEC_INFINITY when it is off */
        size_t n_done, n_failed, n_total;      /* n_total SIZE_MAX: not known yet */
} MapProgress;

void map_progress_start(MapProgress *p, bool is_wanted);
/** map_progress_turn() - draw it when it is time. */
void map_progress_turn(MapProgress *p);
/** map_progress_clear() - before stdout is written, or at the end (@is_end). */
void map_progress_clear(MapProgress *p, bool is_end);
/** map_progress_put() - the line, at most @columns wide. Pure. */
void map_progress_put(Text *out, const MapProgress *p, usec_t elapsed, size_t columns);

#endif
