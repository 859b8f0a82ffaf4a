/* tails.h - the last lines of workers that run, for a call that shows them.
 *
 * The logger is asked for all of them at once; the call goes on when the last answer is there, or after LAST_WORDS_WAIT.
 * Owner: the Call, as its state. Workers are known by their names: they may be gone by then. */
#ifndef DROVER_CONTROL_TAILS_H
#define DROVER_CONTROL_TAILS_H

#include "control/selection.h"

#define TAILS_MAX 16u /* workers of one call; of more none is asked about: the logs of thousands are many files */

typedef struct Tails Tails;

/** tails_done - all is there. Answers the call, with which @t is gone. */
typedef void (*tails_done)(Call *c, const json_t *select, Tails *t);

/**
 * tails_ask() - of those of @s that run and whose log can be read by worker
 * @select: of which @s is the selection; a reference is kept for @done
 * Return: true: @done comes from the event loop; false: there is nothing to wait for.
 */
bool tails_ask(Call *c, json_t *select, const Selection *s, tails_done done);
/** tails_find() - a pool_detail_tail: an array of strings as text, or NULL. @t: may be NULL. */
const char *tails_find(const Worker *w, void *t);

#endif
