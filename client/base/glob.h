/* glob.h - names against patterns with *, ? and [...], in time that a hostile pattern cannot stretch. Pure. */
#ifndef DROVER_BASE_GLOB_H
#define DROVER_BASE_GLOB_H

#include "base/macro.h"

typedef enum GlobFlags {
        GLOB_PATH = 1, /* only a '/' matches '/', as with FNM_PATHNAME */
} GlobFlags;

/**
 * glob_match() - does the whole of @text match @glob: the language of fnmatch(3), without classes like [:alpha:]
 * At most length(glob) times length(text) steps. fnmatch(3) of glibc goes back to every star, which takes minutes for
 * "*a*a*a*a*a*a*a*a*b" and a name of 63 letters.
 */
bool glob_match(const char *glob, const char *text, unsigned flags);
/** glob_has_magic() - is there anything in @s that is not matched by itself alone */
bool glob_has_magic(const char *s);

#endif
