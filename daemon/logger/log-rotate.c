/* log-rotate.c - see log-rotate.h. */
#include "logger/log-rotate.h"
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

RotateCut log_rotate_cut(uint64_t size, uint64_t line_bytes, uint64_t max_size, const uint8_t *data, size_t n) {
        if (max_size == 0 || (size <= max_size && n <= max_size - size))
                return (RotateCut){n, false};
        size_t room = size < max_size ? (size_t) (max_size - size) : 0;
        const uint8_t *last = room ? memrchr(data, '\n', room) : NULL;
        if (last)
                return (RotateCut){(size_t) (last - data) + 1, true};
        if (size > 0 && line_bytes == 0)
                return (RotateCut){0, true};
        /* In the middle of the line that passes the bound: up to its end. */
        size_t left = line_bytes < LOG_LINE_CUT ? (size_t) (LOG_LINE_CUT - line_bytes) : 0;
        const uint8_t *first = memchr(data + room, '\n', n - room);
        size_t want = first ? (size_t) (first - data) + 1 : n;
        if (want <= left)
                return (RotateCut){want, first != NULL};
        return (RotateCut){left, true};
}

const char *log_rotate_name(char buf[static LOG_NAME_TEXT_MAX], const char *name, uint32_t number) {
        if (number == 0)
                snprintf(buf, LOG_NAME_TEXT_MAX, "%s", name);
        else
                snprintf(buf, LOG_NAME_TEXT_MAX, "%s.%u", name, number);
        return buf;
}

/* The first free number, or @max_files when all are taken. */
static uint32_t first_free(int dir_fd, const char *name, uint32_t max_files) {
        char buf[LOG_NAME_TEXT_MAX];
        struct stat st;
        uint32_t i = 1;
        while (i < max_files && fstatat(dir_fd, log_rotate_name(buf, name, i), &st, AT_SYMLINK_NOFOLLOW) == 0)
                i++;
        return i;
}

int log_rotate_names(int dir_fd, const char *name, uint32_t max_files) {
        char from[LOG_NAME_TEXT_MAX], to[LOG_NAME_TEXT_MAX];
        max_files = MIN(max_files, LOG_FILES_MAX);
        if (max_files == 0)
                return unlinkat(dir_fd, name, 0) < 0 && errno != ENOENT ? -errno : 0;
        for (uint32_t i = first_free(dir_fd, name, max_files); i > 0; i--) {
                log_rotate_name(from, name, i - 1);
                log_rotate_name(to, name, i);
                if (renameat(dir_fd, from, dir_fd, to) < 0 && errno != ENOENT)
                        return -errno;
        }
        return 0;
}
