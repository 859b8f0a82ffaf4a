/* path.h - what a path really is, as far as it can be trusted. */
#ifndef DROVER_BASE_PATH_H
#define DROVER_BASE_PATH_H

#include "base/macro.h"

/**
 * path_resolve() - follow the symbolic links in an absolute path, as far as it exists
 * @path: the rest, from its first name that does not exist, is taken as it stands
 * @ret:  without links, the caller's; untouched on failure
 *
 * Only links of root or the own user are followed, in directories that nobody else can change: whoever could put one
 * there could choose what a daemon of root's opens. Each step is taken from a descriptor, so a name that is changed
 * meanwhile changes nothing.
 *
 * Return: 0; -EPERM: a link is not trusted; -ELOOP; -EINVAL: not absolute; -ENOMEM; the rest of openat(2).
 */
int path_resolve(const char *path, char **ret);

/** path_open_parent() - the directory of @path in the same way, O_PATH; *ret_name is what comes after it, in @path. */
int path_open_parent(const char *path, int *ret_fd, const char **ret_name);

#endif
