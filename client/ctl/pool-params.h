/* pool-params.h - the options that describe a process (--env, --directory, ...) as pool keys. For add and
 * run. */
#ifndef DROVER_CTL_POOL_PARAMS_H
#define DROVER_CTL_POOL_PARAMS_H

#include "ctl/cli-option.h"
#include <jansson.h>

/**
 * pool_params_put() - command or module, env, directory, user, restart and workers, as far as they were given, into
 * @params A directory is made absolute; a variable given without value is taken from our own environment, if
 * it is there.
 *
 * Return: 0; -EINVAL with a sentence in @error (arguments that are no UTF-8 cannot travel in JSON); -ENOMEM.
 */
int pool_params_put(const CliArgs *a, json_t *params, Text *error);
/** pool_params_directory() - the absolute form of @directory, or of "." for NULL; the caller's. NULL: errno.
 */
char *pool_params_directory(const char *directory);
/** pool_params_workers() - "4" as a number; "cpus" and "2*cpus" as text, the daemon's to understand. */
json_t *pool_params_workers(const char *text);

#endif
