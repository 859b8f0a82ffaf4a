/* json-lines.h - on which line of a JSON text a member stands. Pure. */
#ifndef DROVER_CTL_JSON_LINES_H
#define DROVER_CTL_JSON_LINES_H

#include "base/macro.h"

/** json_line_of() - the line of the key or item named by @path ("apps", "0", "script", NULL), from 1; 0: there is none.
 * @text must be JSON: what no parser has accepted gives no good answer, but an end. */
unsigned json_line_of(const char *text, const char *const *path);

#endif
