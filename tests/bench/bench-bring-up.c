/* bench-bring-up.c - 0 to 1000 workers running (leaf and log pipes each), and their stop, against a bare vfork+exec
 * loop and kill+waitid of the same program; then all 1000 killed at once (storm) and replaced. */
#include "bench-util.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROUNDS 7

typedef struct Figures {
        double up[ROUNDS], down[ROUNDS], storm[ROUNDS], floor_up[ROUNDS], floor_down[ROUNDS];
} Figures;

static const char *const tiny_argv[] = {"tiny", "pause", NULL};

static void floor_round(Figures *f, size_t i, size_t n, pid_t *pids) {
        double t0 = bench_now(), t1, t2;

        for (size_t k = 0; k < n; k++)
                pids[k] = bench_vfork_tiny(tiny_argv);
        t1 = bench_now();
        for (size_t k = 0; k < n; k++)
                (void) kill(pids[k], SIGKILL);
        for (size_t k = 0; k < n; k++) {
                siginfo_t info;
                if (waitid(P_PID, (id_t) pids[k], &info, WEXITED) < 0)
                        bench_die("waitid");
        }
        t2 = bench_now();
        f->floor_up[i] = t1 - t0;
        f->floor_down[i] = t2 - t1;
}

/* Read lines until @n of them are worker.running events. */
static void await_running(int fd, size_t n) {
        static char buffer[1 << 18];
        size_t have = 0, seen = 0;

        while (seen < n) {
                ssize_t r = read(fd, buffer + have, sizeof buffer - have - 1);
                if (r <= 0)
                        bench_die("the event stream ended");
                have += (size_t) r;
                buffer[have] = 0;
                char *at = buffer, *end;
                for (; (end = strchr(at, '\n')); at = end + 1) {
                        *end = 0;
                        seen += strstr(at, "\"method\":\"event\"") != NULL;
                        if (strstr(at, "\"method\":\"gap\""))
                                bench_die("events were lost");
                }
                have = (size_t) (buffer + have - at);
                memmove(buffer, at, have);
        }
}

static int follow_running(uint64_t since) {
        char line[256];
        int fd = bench_connect(bench_socket());
        int n = snprintf(line, sizeof line,
                         "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"events\",\"params\":{\"types\":[\"worker.running\"],"
                         "\"since\":%llu,\"follow\":true}}\n",
                         (unsigned long long) since);

        if (write(fd, line, (size_t) n) != n)
                bench_die("write");
        return fd;
}

static uint64_t last_event(int fd) {
        char *text = bench_call(fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"events\",\"params\":{\"types\":[\"daemon.stopping\"]}}");
        const char *last = strstr(text, "\"last\":");
        uint64_t seq = last ? strtoull(last + strlen("\"last\":"), NULL, 10) : 0;

        free(text);
        return seq;
}

static void drover_round(Figures *f, size_t i, size_t n, int fd) {
        double t0 = bench_now(), t1, t2, t3;

        free(bench_call(fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"start\",\"params\":{\"select\":\"w\"}}"));
        f->up[i] = bench_now() - t0;
        int events = follow_running(last_event(fd));
        t1 = bench_now();
        free(bench_call(fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"kill\",\"params\":{\"select\":\"w\"}}"));
        await_running(events, n);
        t2 = bench_now();
        (void) close(events);
        free(bench_call(fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"stop\",\"params\":{\"select\":\"w\"}}"));
        t3 = bench_now();
        f->storm[i] = t2 - t1;
        f->down[i] = t3 - t2;
}

int main(void) {
        bench_init("bring-up");
        size_t n = bench_size(1000, 20), rounds = bench_size(ROUNDS, 1);
        Figures f;
        pid_t *pids = calloc(n, sizeof *pids);
        char pools[512];

        (void) snprintf(pools, sizeof pools,
                        "{\"w\":{\"command\":[\"%s\",\"pause\"],\"workers\":%zu,\"autostart\":false,"
                        "\"restart\":{\"delay\":0}}}",
                        bench_tiny(), n);
        (void) bench_daemon_start(pools);
        int fd = bench_connect(bench_socket());
        for (size_t i = 0; i < rounds; i++) {
                floor_round(&f, i, n, pids);
                drover_round(&f, i, n, fd);
        }
        bench_daemon_stop();
        double up = bench_median(f.up, rounds);
        bench_print("start of all", "s", up, bench_median(f.floor_up, rounds), 3);
        bench_print("stop of all", "s", bench_median(f.down, rounds), bench_median(f.floor_down, rounds), 3);
        bench_print("storm: killed at once, all replaced", "s", bench_median(f.storm, rounds), up, 1.3);
        free(pids);
        return 0;
}
