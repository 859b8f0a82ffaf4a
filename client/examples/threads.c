/* threads.c - processes against threads, for work that needs the CPU and for work that waits.
 *
 *     threads MODULE [N]      four times: the sum of the squares below N; then four times: a wait of 100 ms
 *
 * In C both use every CPU: there is no lock around the language. What is left of the difference is what a task costs on
 * its way (some 50 us), and what it buys: a task that crashes or leaks takes a worker with it, a thread takes everything. */
#include <drover.h>
#include <pthread.h>
#include <stdio.h>
#include <time.h>

#define JOBS 4
#define WAIT_SECONDS 0.1

static drover_error *error;
static drover_client *client;
static long n_squares = 10000000;
static int n_left, n_failed;

static double now(void) {
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (double) t.tv_sec + (double) t.tv_nsec / 1e9;
}

/* The same as the targets burn and nap of basics.c. */
static void *burn(void *result) {
        unsigned __int128 sum = 0;

        for (long i = 0; i < n_squares; i++)
                sum += (unsigned __int128) i * (unsigned __int128) i;
        *(unsigned __int128 *) result = sum;
        return NULL;
}

static void *nap(void *result) {
        struct timespec t = {.tv_nsec = (long) (WAIT_SECONDS * 1e9)};

        nanosleep(&t, NULL);
        return result;
}

static double sequential(void *(*job)(void *)) {
        unsigned __int128 results[JOBS];
        double begin = now();

        for (int i = 0; i < JOBS; i++)
                job(&results[i]);
        return now() - begin;
}

static double threads(void *(*job)(void *)) {
        unsigned __int128 results[JOBS];
        pthread_t ids[JOBS];
        double begin = now();

        for (int i = 0; i < JOBS; i++)
                if (pthread_create(&ids[i], NULL, job, &results[i]) != 0)
                        exit(1);
        for (int i = 0; i < JOBS; i++)
                pthread_join(ids[i], NULL);
        return now() - begin;
}

static void on_outcome(drover_client *c, json_t *outcome, const drover_error *why, void *userdata) {
        n_left--;
        n_failed += why || !json_object_get(outcome, "result");
}

static double tasks(const char *target, json_t *arg) {
        json_t *what = json_pack("{s:s,s:s,s:[o],s:b}", "pool", "crew", "target", target, "args", arg, "wait", 1);
        double begin = now();

        for (n_left = 0; n_left < JOBS; n_left++)
                if (drover_call_async(client, "task.submit", what, on_outcome, NULL, NULL, &error) < 0)
                        exit(1);
        while (n_left > 0)
                if (drover_poll(client, -1) < 0)
                        exit(1);
        json_decref(what);
        return now() - begin;
}

static void compare(const char *name, void *(*job)(void *), const char *target, json_t *arg) {
        double one = sequential(job), threaded = threads(job), shared = tasks(target, arg);

        printf("%-10s sequential %.3f s, threads %.3f s, tasks %.3f s\n", name, one, threaded, shared);
}

static void call(const char *method, json_t *params_take) {
        if (drover_call(client, method, params_take, -1, NULL, &error) < 0) {
                fprintf(stderr, "%s: %s\n", method, drover_error_message(error));
                exit(1);
        }
        json_decref(params_take);
}

int main(int argc, char **argv) {
        if (argc > 2)
                n_squares = strtol(argv[2], NULL, 10);
        if (drover_connect(&client, NULL, &error) < 0) {
                fprintf(stderr, "%s\n", drover_error_message(error));
                return 1;
        }
        call("pool.add", json_pack("{s:s,s:s,s:i}", "name", "crew", "module", argc > 1 ? argv[1] : "basics.so", "workers", JOBS));
        call("wait", json_pack("{s:s,s:s}", "select", "crew", "for", "ready"));
        compare("CPU-bound:", burn, "burn", json_integer(n_squares));
        compare("waiting:", nap, "nap", json_real(WAIT_SECONDS));
        call("pool.remove", json_pack("{s:s}", "pool", "crew"));
        drover_close(client);
        return n_failed > 0;
}
