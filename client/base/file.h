/* file.h - whole files. */
#ifndef DROVER_BASE_FILE_H
#define DROVER_BASE_FILE_H

#include "base/macro.h"
#include <sys/types.h>

/** file_read() - whole regular file up to @max bytes, NUL-terminated; *ret_data is the caller's. -EFBIG, -EISDIR, ... */
int file_read(const char *path, size_t max, char **ret_data, size_t *ret_size);
int file_read_fd(int fd, size_t max, char **ret_data, size_t *ret_size);
/**
 * file_read_start() - the first @size - 1 bytes of a small file of the kernel's, as one read gives them
 * Nothing is allocated. Return: the bytes in @buf, which a 0 ends; -errno.
 */
ssize_t file_read_start(const char *path, char *buf, size_t size);
/** file_write_atomic() - temp file beside it, fsync, rename. */
int file_write_atomic(const char *path, const void *data, size_t size, mode_t mode);
/**
 * file_replace() - the same without fsync: for what may be lost with the power, and must not wait for the disk
 * Links in an absolute @path are followed as path_resolve() does: -EPERM where others could have put them.
 */
int file_replace(const char *path, const void *data, size_t size, mode_t mode);
/** write_all() - write until done, EINTR repeated; blocking descriptors only. */
int write_all(int fd, const void *data, size_t size);
/** dir_make() - mkdir -p; existing ones are left alone. */
int dir_make(const char *path, mode_t mode);
/** memfd_new() - a sealable, close-on-exec, not executable memfd (MFD_NOEXEC_SEAL where the kernel, 6.3, has it). */
int memfd_new(const char *name);

#endif
