/* bench-idle.c - 1000 idle workers for 30 s: CPU time, wake-ups (voluntary context switches) and memory of the three
 * programs. Memory is what 1000 workers add to the proportional set size (PSS) of the daemons, a worker. */
#include "bench-util.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct Usage {
        unsigned long ticks, switches, pss_kib;
} Usage;

static unsigned long field(const char *path, const char *key) {
        char line[512];
        unsigned long v = 0;
        FILE *f = fopen(path, "re");

        if (!f)
                bench_die(path);
        while (fgets(line, sizeof line, f))
                if (strncmp(line, key, strlen(key)) == 0)
                        v += strtoul(line + strlen(key), NULL, 10);
        (void) fclose(f);
        return v;
}

static Usage usage_of(const pid_t pids[3]) {
        Usage u = {0};
        char path[64], text[1024];

        for (int i = 0; i < 3; i++) {
                unsigned long user, system;
                (void) snprintf(path, sizeof path, "/proc/%d/status", pids[i]);
                u.switches += field(path, "voluntary_ctxt_switches:");
                (void) snprintf(path, sizeof path, "/proc/%d/smaps_rollup", pids[i]);
                u.pss_kib += field(path, "Pss:");
                (void) snprintf(path, sizeof path, "/proc/%d/stat", pids[i]);
                FILE *f = fopen(path, "re");
                if (!f || !fgets(text, sizeof text, f))
                        bench_die(path);
                (void) fclose(f);
                const char *after = strrchr(text, ')');
                if (!after || sscanf(after + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) != 2)
                        bench_die("cannot parse stat");
                u.ticks += user + system;
        }
        return u;
}

int main(void) {
        bench_init("idle");
        size_t n = bench_size(1000, 10), seconds = bench_size(30, 1);
        char pools[512];
        pid_t pids[3];

        (void) snprintf(pools, sizeof pools, "{\"w\":{\"command\":[\"%s\",\"pause\"],\"workers\":%zu,\"autostart\":false}}",
                        bench_tiny(), n);
        (void) bench_daemon_start(pools);
        bench_daemon_pids(pids);
        Usage empty = usage_of(pids);
        int fd = bench_connect(bench_socket());
        free(bench_call(fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"start\",\"params\":{\"select\":\"w\"}}"));
        (void) close(fd);
        /* What follows a start (timers of a second, the state's compaction) settles first. */
        (void) poll(NULL, 0, 3000);
        Usage before = usage_of(pids);
        (void) poll(NULL, 0, (int) seconds * 1000);
        Usage after = usage_of(pids);
        bench_print("CPU in 30 s of all three", "ms",
                    (double) (after.ticks - before.ticks) * 1e3 / (double) sysconf(_SC_CLK_TCK), 0, 0);
        /* A ping of droverd to the keeper every watchdog/3 is a wake-up of both: 6 in 30 s at the default of 30 s. */
        bench_print("wake-ups in 30 s of all three, pings included", "", (double) (after.switches - before.switches), 0, 12);
        bench_print("memory a worker, all three", "KiB", ((double) after.pss_kib - (double) empty.pss_kib) / (double) n, 0, 8);
        bench_daemon_stop();
        return 0;
}
