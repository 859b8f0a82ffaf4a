/* target-args.h - the words after a target's name as its arguments: 5 base=2 is args [5], kwargs {"base": 2}.
 *
 * A word NAME=VALUE, NAME as in a program, is an argument by name. A value that is JSON is that; anything else is a
 * string, and so is a number too big for 64 bits, which is how such integers travel (drover_integer()). */
#ifndef DROVER_CTL_TARGET_ARGS_H
#define DROVER_CTL_TARGET_ARGS_H

#include "ctl/cli-option.h"
#include <jansson.h>

/** target_value() - one value; a new reference, NULL with a sentence in @error when it is not UTF-8. */
json_t *target_value(const char *text, Text *error);
/**
 * target_args_put() - args and kwargs into @params, as far as there are any: those of --args and --kwargs, then the @words
 * Return: 0; -EINVAL with a sentence in @error; -ENOMEM.
 */
int target_args_put(const CliArgs *a, char *const *words, size_t n, json_t *params, Text *error);
/** target_module_path() - absolute, the caller's: a plain file name that is not here is the daemon's to find. NULL: errno. */
char *target_module_path(const char *text);

#endif
