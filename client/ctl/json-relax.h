/* json-relax.h - JSON as the configuration files have it (comments, trailing commas) to plain JSON, in place.
 * Pure.
 *
 * Comments and surplus commas become spaces, so lines and columns in a parser's complaint stay right. */
#ifndef DROVER_CTL_JSON_RELAX_H
#define DROVER_CTL_JSON_RELAX_H

#include "base/macro.h"

/** json_relax() - @text of @size bytes, changed in place. What is no JSON in other ways is left to the
 * parser. */
void json_relax(char *text, size_t size);

#endif
