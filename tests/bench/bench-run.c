/* bench-run.c - `run` + `wait` of the tiny program from libdrover, two in flight, against two threads of posix_spawn +
 * waitpid of the same program. */
#include "bench-util.h"
#include "drover.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define IN_FLIGHT 2

extern char **environ;

static void *spawn_loop(void *data) {
        size_t n = *(size_t *) data;
        char *argv[] = {(char *) "tiny", NULL};

        for (size_t i = 0; i < n; i++) {
                pid_t pid;
                if ((errno = posix_spawn(&pid, bench_tiny(), NULL, NULL, argv, environ)) != 0 || waitpid(pid, NULL, 0) != pid)
                        bench_die("posix_spawn");
        }
        return NULL;
}

static double floor_rate(size_t n) {
        pthread_t threads[IN_FLIGHT];
        size_t each = n / IN_FLIGHT;
        double t0 = bench_now();

        for (int i = 0; i < IN_FLIGHT; i++)
                if (pthread_create(&threads[i], NULL, spawn_loop, &each) != 0)
                        bench_die("pthread_create");
        for (int i = 0; i < IN_FLIGHT; i++)
                (void) pthread_join(threads[i], NULL);
        return (double) (each * IN_FLIGHT) / (bench_now() - t0);
}

typedef struct Progress {
        size_t to_start, n_ended;
        json_t *what;
} Progress;

static void start_one(drover_client *client, Progress *p);

static void on_exit_of(drover_client *client, const char *name, int exitcode, const drover_error *error, void *userdata) {
        Progress *p = userdata;

        (void) name;
        if (error || exitcode != 0) {
                fprintf(stderr, "bench run: %s, exit code %d\n", drover_error_message(error), exitcode);
                bench_die("a run failed");
        }
        p->n_ended++;
        if (p->to_start > 0)
                start_one(client, p);
}

static void start_one(drover_client *client, Progress *p) {
        p->to_start--;
        if (drover_run_async(client, p->what, on_exit_of, p, NULL) < 0)
                bench_die("drover_run_async");
}

static double drover_rate(drover_client *client, size_t n, json_t *what) {
        Progress p = {.to_start = n, .what = what};
        double t0 = bench_now();

        for (int i = 0; i < IN_FLIGHT; i++)
                start_one(client, &p);
        while (p.n_ended < n)
                if (drover_poll(client, 10000) < 0)
                        bench_die("drover_poll");
        return (double) n / (bench_now() - t0);
}

int main(void) {
        bench_init("run");
        size_t n = bench_size(4000, 20), rounds = bench_size(5, 1);
        double floor[5], with_log[5], with_null[5];
        drover_client *client = NULL;

        (void) bench_daemon_start("{}");
        if (drover_connect(&client, bench_socket(), NULL) < 0)
                bench_die("drover_connect");
        json_t *what = json_pack("{s:[s]}", "command", bench_tiny());
        json_t *quiet = json_pack("{s:[s],s:s}", "command", bench_tiny(), "output", "null");
        for (size_t i = 0; i < rounds; i++) {
                floor[i] = floor_rate(n * 2);
                with_log[i] = drover_rate(client, n, what);
                with_null[i] = drover_rate(client, n, quiet);
        }
        double base = bench_median(floor, rounds);
        bench_print_rate("run + wait, output to the log", "runs/s", bench_median(with_log, rounds), base, 0.4);
        bench_print_rate("run + wait, output null", "runs/s", bench_median(with_null, rounds), base, 0.4);
        json_decref(what);
        json_decref(quiet);
        drover_close(client);
        bench_daemon_stop();
        return 0;
}
