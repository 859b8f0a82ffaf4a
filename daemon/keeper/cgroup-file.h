/* cgroup-file.h - read and write the small files of a cgroup directory. No allocation. */
#ifndef DROVER_KEEPER_CGROUP_FILE_H
#define DROVER_KEEPER_CGROUP_FILE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/** cgroup_read() - the file's text, terminated; its length, or -errno. */
ssize_t cgroup_read(int dir_fd, const char *name, char *buf, size_t size);
int cgroup_write(int dir_fd, const char *name, const char *value);
/** cgroup_read_u64() - a file of one number; "max" is UINT64_MAX. -EBADMSG for something else. */
int cgroup_read_u64(int dir_fd, const char *name, uint64_t *ret);
/** cgroup_event() - the number behind @key in a file of "key number" lines; 0 when it is not there. */
uint64_t cgroup_event(const char *text, const char *key);
/** cgroup_open_dir() - a directory as O_PATH. */
int cgroup_open_dir(int dir_fd, const char *name);

#endif
