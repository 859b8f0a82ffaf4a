/* log-rotate.c - see log-rotate.h. */
#include "logger/log-rotate.h"
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

const char *const log_rotate_suffixes[LOG_ROTATE_SUFFIXES] = {
        [LOG_COMPRESS_NONE] = "",
        [LOG_COMPRESS_GZIP] = ".gz",
        [LOG_COMPRESS_ZSTD] = ".zst",
};

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

bool log_rotate_is_due(usec_t begin, usec_t now, usec_t every) {
        return every > 0 && begin > 0 && now / every > begin / every;
}

usec_t log_rotate_next(usec_t now, usec_t every) {
        return every > 0 ? usec_add(now - now % every, every) : USEC_INFINITY;
}

const char *log_rotate_name(char buf[static LOG_NAME_TEXT_MAX], const char *name, uint32_t number) {
        return log_rotate_name_packed(buf, name, number, LOG_COMPRESS_NONE);
}

const char *log_rotate_name_packed(char buf[static LOG_NAME_TEXT_MAX], const char *name, uint32_t number,
                                   LogCompress method) {
        if (number == 0)
                snprintf(buf, LOG_NAME_TEXT_MAX, "%s", name);
        else
                snprintf(buf, LOG_NAME_TEXT_MAX, "%s.%u%s", name, number, log_rotate_suffixes[method]);
        return buf;
}

int log_rotate_find(int dir_fd, const char *name, uint32_t number, struct stat *ret_st) {
        char buf[LOG_NAME_TEXT_MAX];
        struct stat st;
        for (unsigned i = 0; i < (number ? LOG_ROTATE_SUFFIXES : 1); i++) {
                log_rotate_name_packed(buf, name, number, (LogCompress) i);
                if (fstatat(dir_fd, buf, &st, AT_SYMLINK_NOFOLLOW) < 0)
                        continue;
                if (ret_st)
                        *ret_st = st;
                return (int) i;
        }
        return -ENOENT;
}

bool log_rotate_remove(int dir_fd, const char *name, uint32_t number) {
        char buf[LOG_NAME_TEXT_MAX];
        bool found = false;
        for (unsigned i = 0; i < (number ? LOG_ROTATE_SUFFIXES : 1); i++)
                found |= unlinkat(dir_fd, log_rotate_name_packed(buf, name, number, (LogCompress) i), 0) == 0;
        return found;
}

void log_rotate_trim(int dir_fd, const char *name, uint32_t max_files) {
        for (uint32_t i = max_files + 1; i <= LOG_FILES_MAX && log_rotate_remove(dir_fd, name, i); i++)
                ;
}

/* The first free number, or @max_files when all are taken. */
static uint32_t first_free(int dir_fd, const char *name, uint32_t max_files) {
        uint32_t i = 1;
        while (i < max_files && log_rotate_find(dir_fd, name, i, NULL) >= 0)
                i++;
        return i;
}

/* Whatever is there under @number becomes @number + 1. */
static int move_up(int dir_fd, const char *name, uint32_t number) {
        char from[LOG_NAME_TEXT_MAX], to[LOG_NAME_TEXT_MAX];
        for (unsigned i = 0; i < (number ? LOG_ROTATE_SUFFIXES : 1); i++) {
                log_rotate_name_packed(from, name, number, (LogCompress) i);
                log_rotate_name_packed(to, name, number + 1, (LogCompress) i);
                if (renameat(dir_fd, from, dir_fd, to) < 0 && errno != ENOENT)
                        return -errno;
        }
        return 0;
}

int log_rotate_names(int dir_fd, const char *name, uint32_t max_files) {
        max_files = MIN(max_files, LOG_FILES_MAX);
        if (max_files == 0)
                return unlinkat(dir_fd, name, 0) < 0 && errno != ENOENT ? -errno : 0;
        uint32_t n = first_free(dir_fd, name, max_files);
        if (n == max_files) { /* the oldest goes, and what a lower bound leaves behind it */
                (void) log_rotate_remove(dir_fd, name, n);
                log_rotate_trim(dir_fd, name, n);
        }
        for (uint32_t i = n; i > 0; i--) {
                int r = move_up(dir_fd, name, i - 1);
                if (r < 0)
                        return r;
        }
        return 0;
}
