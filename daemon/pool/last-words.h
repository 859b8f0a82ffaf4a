/* last-words.h - the last lines that a process wrote before it ended badly.
 *
 * Asked of the logger once its output is written to the end: stderr first, stdout when there was nothing. An end and its
 * event wait for the answer LAST_WORDS_WAIT at most. When many die at once, only the first are asked about: reading the
 * logs of a thousand would hold up their return. */
#ifndef DROVER_POOL_LAST_WORDS_H
#define DROVER_POOL_LAST_WORDS_H

#include "base/clock.h"
#include "base/text.h"
#include "process/logger-link.h"

#define LAST_WORDS_LINES 5u
#define LAST_WORDS_LINE_MAX 200u                  /* bytes; longer lines are cut */
#define LAST_WORDS_WAIT (2 * USEC_PER_SEC) /* of the 5 s that a last line has to be written; it takes a millisecond */
#define LAST_WORDS_BURST 64u                      /* ends asked about at once; one more each 50 ms */
#define LAST_WORDS_REFILL (50 * USEC_PER_MSEC)

typedef struct LastWords LastWords;

/* @json: an array of strings as text, or NULL when there were none. The callee frees the LastWords, not the text. */
typedef void (*last_words_done)(LastWords *l, const char *json, void *userdata);

/**
 * last_words_ask() - @spec: where it wrote; @since: CLOCK_REALTIME of its start, lines before that are another's
 * @done comes from the event loop. Return: 0; -EOPNOTSUPP when that place cannot be read back by worker; -ENOMEM, errors
 * of sd-event.
 */
int last_words_ask(LastWords **ret, LoggerLink *logger, sd_event *event, const LogSpec *spec, usec_t since,
                   last_words_done done, void *userdata);
LastWords *last_words_free(LastWords *l);

/* How many may be asked about now. */
typedef struct LastWordsBudget {
        unsigned n;
        usec_t refilled; /* CLOCK_MONOTONIC; 0: never used */
} LastWordsBudget;
bool last_words_afford(LastWordsBudget *b, usec_t now);

#endif
