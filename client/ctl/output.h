/* output.h - how droverctl writes: what comes from the daemon made harmless, colours, JSON.
 *
 * Everything a daemon says is shown through escape_append(): a name, a note or a log line must not be able to
 * move the cursor, retitle the terminal or fake a line. Pure but for output_write(). */
#ifndef DROVER_CTL_OUTPUT_H
#define DROVER_CTL_OUTPUT_H

#include "base/text.h"
#include <jansson.h>

/** escape_append() - @s with control characters (C0, DEL, C1) as \n, \t, \xNN and bytes that are no UTF-8 as
 * \xNN. */
void escape_append(Text *t, const char *s);
/** escape_line() - a log line for a terminal: as escape_append(), but tabs and colours (ESC [ ... m) may
 * pass. */
void escape_line(Text *t, const char *s, size_t n);
/** text_columns() - how wide @s is on a terminal; escape sequences must not be in it. */
size_t text_columns(const char *s);
/** text_cut() - the byte length of the longest start of @s that is at most @columns wide. */
size_t text_cut(const char *s, size_t columns);

/* The colour of a state's name: good, moving, bad or none. */
typedef enum Tint { TINT_NONE, TINT_GOOD, TINT_MOVING, TINT_BAD, TINT_BOLD, TINT_DIM } Tint;
Tint tint_of_state(const char *state);
const char *tint_on(Tint tint); /* "" for TINT_NONE */
const char *tint_off(Tint tint);

/** json_append() - @j as text, pretty or on one line, without any byte a terminal could obey. */
void json_append(Text *t, const json_t *j, bool is_pretty);
/** json_append_exact() - on one line, without loss: reals with as many digits as they need. For what a task gave. */
void json_append_exact(Text *t, const json_t *j);
/** json_append_harmless() - JSON text, with DEL and the C1 controls escaped: the others are in any JSON. */
void json_append_harmless(Text *t, const char *json);
/** output_write() - all of it to @fd, waiting where it must. Return: 0 or -errno; -EPIPE when nobody reads.
 */
int output_write(int fd, const Text *t);

#endif
