/* speedup.c - CPU-bound work in sequence and in parallel: the sum of squares below N, four times.
 *
 *     speedup MODULE [N]      each of four processes goes to N; the speed-up is what the machine's CPUs allow */
#include <drover.h>
#include <stdio.h>
#include <time.h>

#define PROCESSES 4

static drover_error *error;
static int n_running, n_failed;

static double now(void) {
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (double) t.tv_sec + (double) t.tv_nsec / 1e9;
}

static void on_exit_of_one(drover_client *client, const char *name, int exitcode, const drover_error *why, void *userdata) {
        n_running--;
        n_failed += why || exitcode != 0;
}

/* Runs @n processes at once and joins them; seconds. */
static double measure(drover_client *client, json_t *what, int n) {
        double begin = now();

        for (int i = 0; i < n; i++, n_running++)
                if (drover_run_async(client, what, on_exit_of_one, NULL, &error) < 0)
                        exit(1);
        while (n_running > 0)
                if (drover_poll(client, -1) < 0)
                        exit(1);
        return now() - begin;
}

int main(int argc, char **argv) {
        long n = argc > 2 ? strtol(argv[2], NULL, 10) : 10000000;
        json_t *what = json_pack("{s:s,s:s,s:[I]}", "module", argc > 1 ? argv[1] : "basics.so", "target", "burn", "args", (json_int_t) n);
        drover_client *client = NULL;
        double sequential = 0, parallel;

        if (drover_connect(&client, NULL, &error) < 0) {
                fprintf(stderr, "%s\n", drover_error_message(error));
                return 1;
        }
        for (int i = 0; i < PROCESSES; i++)
                sequential += measure(client, what, 1);
        parallel = measure(client, what, PROCESSES);
        printf("sequential %.3f s, parallel %.3f s, speed-up %.2f, failed %d\n", sequential, parallel, sequential / parallel, n_failed);
        json_decref(what);
        drover_close(client);
        return n_failed > 0;
}
