/* config-file.h - files that decide what runs: opened once, checked on the descriptor, read from it.
 *
 * Whoever can write them can run anything as droverd's user, so only root, that user, and nobody in a group may. */
#ifndef DROVER_CONFIG_CONFIG_FILE_H
#define DROVER_CONFIG_CONFIG_FILE_H

#include "base/macro.h"
#include <sys/types.h>

/**
 * config_file_read() - a whole regular file of one of @owners that nobody else can write
 * *ret_data is NUL-terminated and the caller's. On failure @fault says why in words.
 * Return: 0; -ENOENT when there is none; -EPERM when it may not be trusted; -EFBIG and other errors.
 */
int config_file_read(const char *path, size_t max, const uid_t *owners, size_t n_owners, char **ret_data,
                     size_t *ret_size, char *fault, size_t fault_size);
/* In two steps, for who wants to know more of the file: a descriptor, or as above; then what is in it. */
int config_file_open(const char *path, const uid_t *owners, size_t n_owners, char *fault, size_t fault_size);
int config_file_read_fd(int fd, size_t max, char **ret_data, size_t *ret_size, char *fault, size_t fault_size);

/**
 * config_dir_list() - names ending in .json, not beginning with a dot, in strcmp order
 * The directory itself is checked as a file is. *ret is NULL-terminated and the caller's; empty when it is missing.
 * Return: 0; -EPERM, -ENOTDIR and others with @fault.
 */
int config_dir_list(const char *path, const uid_t *owners, size_t n_owners, char ***ret, char *fault, size_t fault_size);

#endif
