/* bench-log.c - 1 GiB of 100-byte lines from one worker, in 4 KiB and in 100-byte pieces, into rotated files, against a
 * bare 64 KiB read + write loop that rotates, reading the same program through the same kind of pipe. */
#include "bench-util.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROTATE_AT (64u << 20)

static double cpu_of(pid_t pid) {
        char path[64], text[1024];
        unsigned long user, system;
        FILE *f;

        (void) snprintf(path, sizeof path, "/proc/%d/stat", pid);
        f = fopen(path, "re");
        if (!f || !fgets(text, sizeof text, f))
                bench_die("cannot read the logger's CPU time");
        (void) fclose(f);
        const char *after = strrchr(text, ')');
        if (!after || sscanf(after + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) != 2)
                bench_die("cannot parse the logger's CPU time");
        return (double) (user + system) / (double) sysconf(_SC_CLK_TCK);
}

static void copy_and_rotate(int from, const char *path) {
        static char buffer[65536];
        char old[256];
        size_t size = 0;
        ssize_t n;
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

        (void) snprintf(old, sizeof old, "%s.1", path);
        while ((n = read(from, buffer, sizeof buffer)) > 0) {
                if (write(fd, buffer, (size_t) n) != n)
                        bench_die("floor: write");
                size += (size_t) n;
                if (size < ROTATE_AT)
                        continue;
                (void) close(fd);
                (void) rename(path, old);
                fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
                size = 0;
        }
        (void) close(fd);
}

static double floor_round(const char *bytes, const char *piece, double *ret_cpu) {
        const char *argv[] = {"tiny", "lines", bytes, piece, NULL};
        char path[160];
        int p[2];
        struct rusage before, after;

        (void) snprintf(path, sizeof path, "%s/floor.log", bench_directory());
        if (pipe(p) < 0 || getrusage(RUSAGE_SELF, &before) < 0)
                bench_die("pipe");
        double t0 = bench_now();
        pid_t pid = fork();
        if (pid == 0) {
                (void) dup2(p[1], 1);
                (void) close(p[0]);
                (void) close(p[1]);
                (void) execv(bench_tiny(), (char **) argv);
                _exit(127);
        }
        (void) close(p[1]);
        copy_and_rotate(p[0], path);
        (void) waitpid(pid, NULL, 0);
        double seconds = bench_now() - t0;
        (void) getrusage(RUSAGE_SELF, &after);
        *ret_cpu = (double) (after.ru_utime.tv_sec - before.ru_utime.tv_sec + after.ru_stime.tv_sec - before.ru_stime.tv_sec) +
                   (double) (after.ru_utime.tv_usec - before.ru_utime.tv_usec + after.ru_stime.tv_usec - before.ru_stime.tv_usec) / 1e6;
        (void) close(p[0]);
        return seconds;
}

static double drover_round(int fd, const char *bytes, const char *piece, pid_t logger, double *ret_cpu) {
        char line[512];
        double cpu = cpu_of(logger), t0 = bench_now();

        (void) snprintf(line, sizeof line,
                        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"run\",\"params\":{\"name\":\"lines\",\"command\":[\"%s\",\"lines\",\"%s\",\"%s\"],"
                        "\"output\":{\"to\":\"log\",\"max_size\":\"64M\",\"max_files\":1}}}",
                        bench_tiny(), bytes, piece);
        free(bench_call(fd, line));
        free(bench_call(fd, "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"wait\",\"params\":{\"process\":\"lines\"}}"));
        double seconds = bench_now() - t0;
        *ret_cpu = cpu_of(logger) - cpu;
        free(bench_call(fd, "{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"pool.remove\",\"params\":{\"pool\":\"lines\"}}"));
        return seconds;
}

static void measure(int fd, const char *bytes, const char *piece, pid_t logger) {
        double floor[5], floor_cpu[5], wall[5], cpu[5];
        char figure[64];
        size_t rounds = bench_size(3, 1);

        for (size_t i = 0; i < rounds; i++) {
                floor[i] = floor_round(bytes, piece, &floor_cpu[i]);
                wall[i] = drover_round(fd, bytes, piece, logger, &cpu[i]);
        }
        (void) snprintf(figure, sizeof figure, "1 GiB in pieces of %s: wall", piece);
        bench_print(figure, "s", bench_median(wall, rounds), bench_median(floor, rounds), 1.3);
        (void) snprintf(figure, sizeof figure, "1 GiB in pieces of %s: CPU of the logger", piece);
        bench_print(figure, "s", bench_median(cpu, rounds), bench_median(floor_cpu, rounds), 1.5);
}

int main(void) {
        pid_t pids[3];
        char bytes[32];

        bench_init("log");
        (void) snprintf(bytes, sizeof bytes, "%zu", bench_size(1u << 30, 1u << 22));
        (void) bench_daemon_start("{}");
        bench_daemon_pids(pids);
        int fd = bench_connect(bench_socket());
        measure(fd, bytes, "4096", pids[2]);
        measure(fd, bytes, "100", pids[2]);
        (void) close(fd);
        bench_daemon_stop();
        return 0;
}
