/* usage-book.h - CPU use in per cent, from one status to the next.
 *
 * A worker's "cpu" is seconds since it began, sampled by the daemon at most once a second; "usage_age" says how old
 * the sample is. From two samples comes the use between them; before there are two, the use since the process began.
 * The book keeps an entry a worker; workers that are gone fall out. Owner: Live. */
#ifndef DROVER_CTL_USAGE_BOOK_H
#define DROVER_CTL_USAGE_BOOK_H

#include "base/clock.h"
#include "base/macro.h"
#include <jansson.h>

typedef struct UsageEntry UsageEntry;
typedef struct UsageBook {
        UsageEntry *entries;
        unsigned round;
} UsageBook;

/** usage_book_add() - put "cpu_percent" into each worker of the status @result, taken at @now (monotonic). */
void usage_book_add(UsageBook *b, json_t *result, usec_t now);
void usage_book_done(UsageBook *b);

#endif
