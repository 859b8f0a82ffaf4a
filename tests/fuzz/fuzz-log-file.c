/* fuzz-log-file.c - what a reader makes of rotated log files and their indexes, whoever wrote into them. The first byte chooses:
 * bits 0-1 plain, gzip or zstd; bits 2-3 the form of the lines; bits 4-5 the share of the rest that is the index. All that is
 * read is bounded, forward and back give the same number of lines, and times come from the index alone. */
#include "base/fd.h"
#include "base/file.h"
#include "logger/log-cursor.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define BYTES_MAX (8u << 20) /* a small file may say that it is a large one */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool is_true) {
        if (!is_true)
                abort();
}

static const char *make_dir(void) {
        static char dir[64];

        if (*dir)
                return dir;
        snprintf(dir, sizeof dir, "%s/drover-fuzz-XX" "XXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
        require(mkdtemp(dir) != NULL);
        return dir;
}

static void put(int dir_fd, const char *name, const uint8_t *data, size_t n) {
        _cleanup_fd_ int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

        require(fd >= 0 && write_all(fd, data, n) == 0);
}

/* The index as it is, but of this file: nothing beyond its header would be looked at otherwise. */
static void put_index(int dir_fd, const uint8_t *data, size_t n, uint64_t ino) {
        uint8_t copy[4096];

        n = MIN(n, sizeof copy);
        memcpy(copy, data, n);
        if (n >= 16)
                memcpy(copy + 8, &ino, sizeof ino);
        put(dir_fd, "0.stdout.idx.1", copy, n);
}

static uint64_t read_all(LogCursor *c) {
        uint64_t n_lines = 0, n_bytes = 0;
        const uint8_t *text;
        LoggerLine line;

        while (n_bytes < BYTES_MAX && log_cursor_next(c, false, &line, &text) == 1) {
                require(line.n_bytes <= LOGGER_LINE_MAX + sizeof LOG_CUT_MARK);
                for (uint32_t i = 0; i < line.n_bytes; i += 97)
                        n_bytes += text[i] == 0 ? 0 : 1;
                n_bytes += line.n_bytes + 1;
                n_lines++;
                log_cursor_take(c, &line);
        }
        return n_lines;
}

static void read_back(const char *path, const LogStyle *style, uint64_t n_lines) {
        LogCursor c;
        int r = log_cursor_init(&c, path, true, LOG_STREAM_STDOUT, style);

        if (r < 0)
                return;
        for (int i = 0; i < 1000 && (r = log_cursor_back(&c, n_lines, BYTES_MAX)) == 0; i++)
                ;
        require(c.n_back <= n_lines || n_lines == 0);
        if (r == 1)
                (void) read_all(&c);
        log_cursor_done(&c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static const char *const suffixes[] = {"", ".gz", ".zst", ""};
        const char *dir = make_dir();
        char path[100], name[40];
        struct stat st;
        uint64_t ino;

        if (size < 2)
                return 0;
        uint8_t how = data[0];
        size_t n_index = (size - 1) * (how >> 4 & 3) / 4, n_log = size - 1 - n_index;
        LogStyle style = {.worker = "w/0", .format = how & 4 ? LOG_FORMAT_JSON : LOG_FORMAT_TEXT, .has_timestamps = how & 8};
        _cleanup_fd_ int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        snprintf(name, sizeof name, "0.stdout.log.1%s", suffixes[how & 3]);
        put(dir_fd, name, data + 1, n_log);
        require(fstatat(dir_fd, name, &st, 0) == 0);
        ino = st.st_ino;
        if (suffixes[how & 3][0]) {
                _cleanup_fd_ int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC);
                uint64_t origin = log_pack_origin(fd, (LogCompress) (how & 3));
                ino = origin ? origin : ino;
        }
        put_index(dir_fd, data + 1 + n_log, n_index, ino);
        snprintf(path, sizeof path, "%s/0.stdout.log", dir);
        read_back(path, &style, 1);
        read_back(path, &style, 3);
        read_back(path, &style, UINT64_MAX);
        require(unlinkat(dir_fd, name, 0) == 0);
        require(unlinkat(dir_fd, "0.stdout.idx.1", 0) == 0);
        (void) rmdir(dir); /* comes again with the next input */
        require(mkdir(dir, 0700) == 0 || errno == EEXIST);
        return 0;
}
