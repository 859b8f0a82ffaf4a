/* module.h - a worker module: opened, checked, asked for a target. */
#ifndef DROVER_WORKER_MODULE_H
#define DROVER_WORKER_MODULE_H

#include "drover.h"
#include "base/text.h"

/** module_check() - is the table one of ours? 0, or -EINVAL with a sentence in @error. */
int module_check(const drover_module *m, Text *error);
/**
 * module_open() - dlopen(3) @path and find its table
 * It stays open until the process ends: what it registered may be called at exit.
 * Return: 0; -ENOENT, -EINVAL with a sentence in @error.
 */
int module_open(const char *path, const drover_module **ret, Text *error);
/** module_find() - a target by name, or NULL. */
const drover_target *module_find(const drover_module *m, const char *name);
/** module_nearest() - the target that may have been meant, or NULL. */
const char *module_nearest(const drover_module *m, const char *name);

#endif
