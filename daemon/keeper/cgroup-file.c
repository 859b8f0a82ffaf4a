/* cgroup-file.c - the files of cgroup v2: one value, or one "key value" a line. */
#include "keeper/cgroup-file.h"
#include "base/fd.h"
#include <ctype.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

ssize_t cgroup_read(int dir_fd, const char *name, char *buf, size_t size) {
        _cleanup_fd_ int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC);
        size_t n = 0;

        if (fd < 0)
                return -errno;
        while (n < size - 1) {
                ssize_t k = read(fd, buf + n, size - 1 - n);

                if (k < 0)
                        return -errno;
                if (k == 0)
                        break;
                n += (size_t) k;
        }
        buf[n] = '\0';
        return (ssize_t) n;
}

int cgroup_write(int dir_fd, const char *name, const char *value) {
        _cleanup_fd_ int fd = openat(dir_fd, name, O_WRONLY | O_CLOEXEC);

        if (fd < 0 || write(fd, value, strlen(value)) < 0)
                return -errno;
        return 0;
}

int cgroup_read_u64(int dir_fd, const char *name, uint64_t *ret) {
        char text[32], *end;
        ssize_t n = cgroup_read(dir_fd, name, text, sizeof(text));
        uint64_t v;

        if (n < 0)
                return (int) n;
        if (strncmp(text, "max", 3) == 0) {
                *ret = UINT64_MAX;
                return 0;
        }
        if (!isdigit((unsigned char) text[0]))
                return -EBADMSG;
        v = strtoull(text, &end, 10);
        if (*end && *end != '\n')
                return -EBADMSG;
        *ret = v;
        return 0;
}

uint64_t cgroup_event(const char *text, const char *key) {
        size_t n = strlen(key);

        for (const char *p = text; p; p = strchr(p, '\n')) {
                p += *p == '\n';
                if (strncmp(p, key, n) == 0 && p[n] == ' ')
                        return strtoull(p + n + 1, NULL, 10);
        }
        return 0;
}

int cgroup_open_dir(int dir_fd, const char *name) {
        int fd = openat(dir_fd, name, O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

        return fd < 0 ? -errno : fd;
}
