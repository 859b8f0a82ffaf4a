/* log-open.h - opening of log files where a hostile user may own a directory on the way.
 *
 * No state. Directories are resolved without any symbolic link (openat2 where the kernel has it, else component by
 * component), files are opened with O_NOFOLLOW and O_NONBLOCK and looked at afterwards: a regular file, one
 * name only, owned by this very user. What a path fails by is told by errno; some of these can never heal by waiting
 * (log_open_is_refusal), and the caller must not let a worker wait for them for ever. */
#ifndef DROVER_LOGGER_LOG_OPEN_H
#define DROVER_LOGGER_LOG_OPEN_H

#include "base/macro.h"
#include <sys/stat.h>

#define LOG_DIR_MODE 0750
#define LOG_FILE_MODE 0640

/**
 * log_dir_open() - the directory of the absolute file path @path, as an O_PATH descriptor
 * @make:     missing directories are made with mode 0750
 * @ret_fd:   the caller's
 * @ret_name: last component, pointing into @path
 * Return: 0; -ELOOP for a symbolic link, -ENOTDIR, -EINVAL for no absolute path or a ".." in it, and the rest of
 *         openat(2) and mkdirat(2).
 */
int log_dir_open(const char *path, bool make, int *ret_fd, const char **ret_name);

/**
 * log_file_open() - an existing or new (mode 0640) regular file
 * @flags: O_RDONLY, O_WRONLY or O_RDWR, with O_APPEND and O_CREAT as wanted
 * Return: 0 and a descriptor that is the caller's; -ELOOP symbolic link, -EISDIR, -ENXIO not a regular file, -EMLINK more
 *         than one name, -EPERM another owner; the rest of openat(2).
 */
int log_file_open(int dir_fd, const char *name, int flags, int *ret_fd, struct stat *ret_st);

/** log_open_is_refusal() - true for errors (negative errno) that tell of a wrong path rather than of a lack. */
bool log_open_is_refusal(int error);
/** log_open_reason() - what a negative errno of the above means for a log file, for people. Static storage. */
const char *log_open_reason(int error);

#endif
