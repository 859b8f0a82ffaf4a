/* file.c - whole files in and out. */
#include "base/file.h"
#include "base/alloc.h"
#include "base/fd.h"
#include "base/path.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif

#define READ_CHUNK 4096 /* files of /proc say they are empty: read on until the end */

int file_read_fd(int fd, size_t max, char **ret_data, size_t *ret_size) {
        _cleanup_free_ char *data = NULL;
        size_t size = 0, capacity = 0;
        struct stat st;

        max = MIN(max, SIZE_MAX / 2);
        if (fstat(fd, &st) < 0)
                return -errno;
        if (S_ISDIR(st.st_mode))
                return -EISDIR;
        if (st.st_size > 0 && (uint64_t) st.st_size > max)
                return -EFBIG;
        for (;;) {
                size_t step = st.st_size > (off_t) size ? (size_t) st.st_size - size + 1 : READ_CHUNK;
                int r = alloc_grow(&data, &capacity, size + step + 1, 1);
                ssize_t n;

                if (r < 0)
                        return r;
                n = read(fd, data + size, MIN(capacity - size - 1, max + 1 - size));
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                if (n == 0)
                        break;
                size += (size_t) n;
                if (size > max)
                        return -EFBIG;
        }
        data[size] = 0;
        *ret_data = TAKE_PTR(data);
        if (ret_size)
                *ret_size = size;
        return 0;
}

int file_read(const char *path, size_t max, char **ret_data, size_t *ret_size) {
        /* Non-blocking, so that a FIFO in the place of a file cannot hold us. */
        _cleanup_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        struct stat st;

        if (fd < 0 || fstat(fd, &st) < 0)
                return -errno;
        if (S_ISDIR(st.st_mode))
                return -EISDIR;
        if (!S_ISREG(st.st_mode))
                return -EINVAL;
        return file_read_fd(fd, max, ret_data, ret_size);
}

ssize_t file_read_start(const char *path, char *buf, size_t size) {
        _cleanup_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t n = fd < 0 ? -1 : read(fd, buf, size - 1);

        if (n < 0)
                return -errno;
        buf[n] = 0;
        return n;
}

int write_all(int fd, const void *data, size_t size) {
        const char *p = data;

        while (size > 0) {
                ssize_t n = write(fd, p, size);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                p += n;
                size -= (size_t) n;
        }
        return 0;
}

static int temporary_write(int fd, const void *data, size_t size, mode_t mode, bool is_lasting) {
        int r = write_all(fd, data, size);

        if (r < 0)
                return r;
        return fchmod(fd, mode) < 0 || (is_lasting && fsync(fd) < 0) ? -errno : 0;
}

static int write_and_rename(const char *path, const void *data, size_t size, mode_t mode, bool is_lasting) {
        _cleanup_free_ char *temporary = alloc_printf("%s.XXXXXX", path);
        _cleanup_fd_ int fd = -EBADF;
        int r;

        if (!temporary)
                return -ENOMEM;
        fd = mkostemp(temporary, O_CLOEXEC);
        if (fd < 0)
                return -errno;
        r = temporary_write(fd, data, size, mode, is_lasting);
        if (r >= 0 && rename(temporary, path) < 0)
                r = -errno;
        if (r < 0)
                (void) unlink(temporary);
        return r;
}

int file_write_atomic(const char *path, const void *data, size_t size, mode_t mode) {
        return write_and_rename(path, data, size, mode, true);
}

int file_replace(const char *path, const void *data, size_t size, mode_t mode) {
        _cleanup_free_ char *held = NULL;
        _cleanup_fd_ int fd = -EBADF;
        const char *name;
        int r;

        if (*path != '/')
                return write_and_rename(path, data, size, mode, false);
        r = path_open_parent(path, &fd, &name);
        if (r < 0)
                return r;
        held = alloc_printf("/proc/self/fd/%d/%s", fd, name);
        return held ? write_and_rename(held, data, size, mode, false) : -ENOMEM;
}

static int dir_make_one(const char *path, mode_t mode) {
        struct stat st;

        if (mkdir(path, mode) >= 0)
                return 0;
        if (errno != EEXIST)
                return -errno;
        if (stat(path, &st) < 0)
                return -errno;
        return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
}

int dir_make(const char *path, mode_t mode) {
        _cleanup_free_ char *copy = alloc_strdup(path);

        if (!copy)
                return -ENOMEM;
        for (char *p = copy; (p = strchr(p + 1, '/'));) {
                int r;

                *p = 0;
                r = dir_make_one(copy, mode);
                *p = '/';
                /* A parent that exists but may not be written (EACCES, EROFS) matters only if the last step
                 * fails. */
                if (r < 0 && r != -EACCES && r != -EROFS && r != -EPERM)
                        return r;
        }
        return dir_make_one(copy, mode);
}

int memfd_new(const char *name) {
        int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);

        if (fd < 0 && errno == EINVAL) /* before Linux 6.3 */
                fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
        return fd < 0 ? -errno : fd;
}
