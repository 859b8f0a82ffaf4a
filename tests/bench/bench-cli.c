/* bench-cli.c - `droverctl status` of 100 and of 1000 workers, with CPU and memory, the whole process from vfork to its
 * end: one refresh of `status -w` costs no more. The floor is the empty static program. */
#include "bench-util.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static double once(const char *path, const char *const *argv) {
        double t0 = bench_now();
        int status;
        pid_t pid = vfork();

        if (pid == 0) {
                (void) execv(path, (char **) argv);
                _exit(127);
        }
        if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
                bench_die("the program failed");
        return (bench_now() - t0) * 1e3;
}

int main(void) {
        bench_init("cli");
        size_t n = bench_size(200, 3);
        double *cli = calloc(n, sizeof *cli), *floor = calloc(n, sizeof *floor);
        const char *droverctl = getenv("DROVER_BENCH_DROVERCTL");
        char pools[512];

        if (!droverctl)
                bench_die("$DROVER_BENCH_DROVERCTL is not set");
        (void) snprintf(pools, sizeof pools, "{\"w\":{\"command\":[\"%s\",\"pause\"],\"workers\":100}}", bench_tiny());
        (void) bench_daemon_start(pools);
        int fd = bench_connect(bench_socket());
        free(bench_call(fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"wait\",\"params\":{\"select\":\"w\",\"for\":\"ready\",\"timeout\":60}}"));
        const char *const argv[] = {"droverctl", "-S", bench_socket(), "-o", "wide", "status", NULL};
        const char *const tiny_argv[] = {"tiny", NULL};
        int out = dup(1), null = open("/dev/null", O_WRONLY | O_CLOEXEC);
        (void) dup2(null, 1);
        for (size_t i = 0; i < n; i++) {
                floor[i] = once(bench_tiny(), tiny_argv);
                cli[i] = once(droverctl, argv);
        }
        size_t n_many = n / 4 + 1;
        double *many = calloc(n_many, sizeof *many);
        free(bench_call(fd, "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"scale\",\"params\":{\"pool\":\"w\",\"workers\":1000}}"));
        for (size_t i = 0; i < n_many; i++)
                many[i] = once(droverctl, argv);
        (void) dup2(out, 1);
        bench_print("droverctl status of 1000 workers", "ms", bench_median(many, n_many), 0, 25);
        free(many);
        bench_print("droverctl status of 100 workers", "ms", bench_median(cli, n), 0, 2.5);
        bench_print("an empty static program", "ms", bench_median(floor, n), 0, 0);
        bench_daemon_stop();
        free(cli);
        free(floor);
        return 0;
}
