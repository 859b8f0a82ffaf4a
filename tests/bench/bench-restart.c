/* bench-restart.c - SIGKILL to the replacement's first instruction among 1000 idle workers, restart delay 0, against
 * the floor: death notice by pidfd, then vfork + exec, of the same program. */
#include "bench-util.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TRIALS 500

static char fifo[96];

static int64_t now_ns(void) {
        struct timespec t;

        (void) clock_gettime(CLOCK_MONOTONIC, &t);
        return t.tv_sec * 1000000000LL + t.tv_nsec;
}

/* The next process that has reached its first instruction: its pid, and when. */
static pid_t next_stamp(int fd, int64_t *ret_ns) {
        int64_t record[2];
        struct pollfd p = {.fd = fd, .events = POLLIN};

        if (poll(&p, 1, 10000) != 1 || read(fd, record, sizeof record) != (ssize_t) sizeof record)
                bench_die("no process came up within 10 s");
        *ret_ns = record[1];
        return (pid_t) record[0];
}

static double trial_floor(int fd, pid_t *pid) {
        const char *argv[] = {"tiny", "stamp", fifo, NULL};
        int pidfd = (int) syscall(SYS_pidfd_open, *pid, 0);
        struct pollfd p = {.fd = pidfd, .events = POLLIN};
        int64_t t0 = now_ns(), t1;

        if (pidfd < 0 || kill(*pid, SIGKILL) < 0 || poll(&p, 1, 10000) != 1)
                bench_die("no death notice");
        (void) bench_vfork_tiny(argv);
        (void) waitpid(*pid, NULL, 0);
        (void) close(pidfd);
        *pid = next_stamp(fd, &t1);
        return (double) (t1 - t0) / 1e3;
}

static double trial_drover(int fd, pid_t *pid) {
        int64_t t0 = now_ns(), t1;

        if (kill(*pid, SIGKILL) < 0)
                bench_die("kill");
        *pid = next_stamp(fd, &t1);
        return (double) (t1 - t0) / 1e3;
}

int main(void) {
        bench_init("restart");
        size_t idle = bench_size(1000, 10), trials = bench_size(TRIALS, 5);
        double *floor = calloc(trials, sizeof *floor), *drover = calloc(trials, sizeof *drover);
        char pools[640];
        int64_t when;

        (void) snprintf(fifo, sizeof fifo, "/tmp/drover-bench-fifo-%d", getpid());
        if (mkfifo(fifo, 0600) < 0)
                bench_die("mkfifo");
        int fd = open(fifo, O_RDWR | O_CLOEXEC);
        (void) snprintf(pools, sizeof pools,
                        "{\"idle\":{\"command\":[\"%s\",\"pause\"],\"workers\":%zu},"
                        "\"w\":{\"command\":[\"%s\",\"stamp\",\"%s\"],\"autostart\":false,\"restart\":{\"delay\":0}}}",
                        bench_tiny(), idle, bench_tiny(), fifo);
        (void) bench_daemon_start(pools);
        int control = bench_connect(bench_socket());
        free(bench_call(control, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"wait\",\"params\":{\"select\":\"idle\",\"for\":\"ready\",\"timeout\":60}}"));
        free(bench_call(control, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"start\",\"params\":{\"select\":\"w\"}}"));
        pid_t worker = next_stamp(fd, &when);
        const char *argv[] = {"tiny", "stamp", fifo, NULL};
        (void) bench_vfork_tiny(argv);
        pid_t child = next_stamp(fd, &when);
        for (size_t i = 0; i < trials; i++) {
                floor[i] = trial_floor(fd, &child);
                drover[i] = trial_drover(fd, &worker);
        }
        (void) kill(child, SIGKILL);
        (void) waitpid(child, NULL, 0);
        bench_daemon_stop();
        (void) unlink(fifo);
        double p50 = bench_median(drover, trials);
        bench_print("SIGKILL to first instruction, p50", "us", p50, bench_median(floor, trials), 4);
        bench_print("SIGKILL to first instruction, p99", "us", bench_percentile(drover, trials, 0.99), 0, 5000);
        bench_print("floor, p99", "us", bench_percentile(floor, trials, 0.99), 0, 0);
        free(floor);
        free(drover);
        return 0;
}
