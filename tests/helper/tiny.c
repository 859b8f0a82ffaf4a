/* tiny.c - the smallest worker: what benches start a thousand times. Static, no allocation, no stdio.
 *
 *   tiny                 exit 0
 *   tiny pause           wait for a signal
 *   tiny stamp FIFO      write {pid, CLOCK_MONOTONIC ns of its first instruction} to FIFO, then wait
 *   tiny lines N PIECE   N bytes of 100-byte lines on stdout, PIECE bytes a write */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int stamp(const char *path, const struct timespec *t) {
        int64_t record[2] = {getpid(), t->tv_sec * 1000000000LL + t->tv_nsec};
        int fd = open(path, O_WRONLY | O_CLOEXEC);

        if (fd < 0 || write(fd, record, sizeof record) != (ssize_t) sizeof record)
                return 1;
        (void) close(fd);
        for (;;)
                (void) pause();
}

static int lines(unsigned long total, unsigned long piece) {
        static char block[1 << 16];

        for (size_t i = 0; i < sizeof block; i++)
                block[i] = i % 100 == 99 ? '\n' : 'a' + (char) (i % 26);
        if (piece == 0 || piece > sizeof block)
                return 1;
        /* Whole lines only: each write starts where the last one ended in the pattern. */
        for (unsigned long done = 0, at = 0; done < total; done += piece) {
                if (write(1, block + at, piece) != (ssize_t) piece)
                        return 1;
                at = (at + piece) % 100;
                if (at + piece > sizeof block)
                        return 1;
        }
        return 0;
}

int main(int argc, char **argv) {
        struct timespec t;

        (void) clock_gettime(CLOCK_MONOTONIC, &t);
        if (argc >= 3 && strcmp(argv[1], "stamp") == 0)
                return stamp(argv[2], &t);
        if (argc >= 4 && strcmp(argv[1], "lines") == 0)
                return lines(strtoul(argv[2], NULL, 10), strtoul(argv[3], NULL, 10));
        if (argc >= 2 && strcmp(argv[1], "pause") == 0)
                for (;;)
                        (void) pause();
        return 0;
}
