/* bench-start-method.c - one process at a time from a target of a module, `run` and `wait` from libdrover, by each start
 * method and with droverd holding 1 GiB, against start() and join() of Python's multiprocessing.Process in the same rounds.
 *
 * A figure is how many times faster than the peer: fork and forkserver against Python's fork, spawn against its spawn. */
#include "bench-util.h"
#include "drover.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS_MAX 7
#define N_METHODS 3
#define BALLAST_MIB "1024"

static const char *const methods[N_METHODS] = {"fork", "forkserver", "spawn"};
static const char *const peers[N_METHODS] = {"fork", "fork", "spawn"};
static const double goals[N_METHODS] = {5, 5, 20};

static const char *from_env(const char *name) {
        const char *v = getenv(name);

        if (!v)
                bench_die("run it by tests/bench/run.sh");
        return v;
}

static double peer_seconds(const char *method, size_t n) {
        char command[512], line[64];
        double v;
        FILE *f;

        (void) snprintf(command, sizeof command, "exec %s %s %s %zu", from_env("DROVER_BENCH_PYTHON"), from_env("DROVER_BENCH_START_PEER"),
                        method, n);
        f = popen(command, "r");
        if (!f || !fgets(line, sizeof line, f) || (v = strtod(line, NULL)) <= 0)
                bench_die(method);
        (void) pclose(f);
        return v;
}

static void on_exit_of(drover_client *client, const char *name, int exitcode, const drover_error *error, void *userdata) {
        if (error || exitcode != 0) {
                fprintf(stderr, "bench start-method: %s: %s, exit code %d\n", name, drover_error_message(error), exitcode);
                bench_die("a run failed");
        }
        *(bool *) userdata = true;
}

static double one(drover_client *client, json_t *what) {
        double t0 = bench_now();
        bool is_ended = false;

        if (drover_run_async(client, what, on_exit_of, &is_ended, NULL) < 0)
                bench_die("drover_run_async");
        while (!is_ended)
                if (drover_poll(client, 10000) < 0)
                        bench_die("drover_poll");
        return bench_now() - t0;
}

static double drover_seconds(drover_client *client, const char *method, size_t n) {
        json_t *what = json_pack("{s:s,s:s,s:[i],s:s}", "module", from_env("DROVER_BENCH_MODULE"), "target", "same", "args", 5, "start_method",
                                 method);
        double *v = calloc(n, sizeof *v), median;

        if (!what || !v)
                bench_die("no memory");
        (void) one(client, what); /* its template is warm, as Python's interpreter is */
        for (size_t i = 0; i < n; i++)
                v[i] = one(client, what);
        median = bench_median(v, n);
        free(v);
        json_decref(what);
        return median;
}

static void measure(const char *how, size_t rounds, size_t n) {
        double own[N_METHODS][ROUNDS_MAX], peer[N_METHODS][ROUNDS_MAX];
        drover_client *client = NULL;
        char figure[96];

        (void) bench_daemon_start("{}");
        if (drover_connect(&client, bench_socket(), NULL) < 0)
                bench_die("drover_connect");
        for (size_t i = 0; i < rounds; i++)
                for (size_t m = 0; m < N_METHODS; m++) {
                        bool is_known = m > 0 && strcmp(peers[m], peers[m - 1]) == 0;

                        own[m][i] = drover_seconds(client, methods[m], n);
                        peer[m][i] = is_known ? peer[m - 1][i] : peer_seconds(peers[m], n / 5 + 1);
                }
        for (size_t m = 0; m < N_METHODS; m++) {
                double mine = bench_median(own[m], rounds), theirs = bench_median(peer[m], rounds);

                (void) snprintf(figure, sizeof figure, "run + wait of a target, %s%s", methods[m], how);
                bench_print_rate(figure, "1/s", 1 / mine, 1 / theirs, goals[m]);
        }
        drover_close(client);
        bench_daemon_stop();
}

int main(void) {
        bench_init("start-method");
        size_t rounds = bench_size(5, 1), n = bench_size(300, 5);

        measure("", rounds, n);
        (void) setenv("DROVER_BENCH_BALLAST", BALLAST_MIB, 1);
        (void) setenv("LD_PRELOAD", from_env("DROVER_BENCH_BALLAST_SO"), 1);
        measure(", droverd holding 1 GiB", rounds, n);
        return 0;
}
