/* bench-task.c - calls of targets: from libdrover through droverd to the workers of a module, against Python's
 * multiprocessing.Pool and ProcessPoolExecutor in the same rounds, and against bare processes.
 *
 * Rounds of all figures are interleaved; each figure is the median of its rounds, as is its peer's. */
#include "bench-util.h"
#include "drover.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROUNDS_MAX 15
#define IN_FLIGHT 200u
#define SQUARES 10000000 /* as in the target ten_million_squares */

static drover_client *client;
static unsigned n_workers;

static const char *from_env(const char *name) {
        const char *v = getenv(name);

        if (!v)
                bench_die("run it by tests/bench/run.sh");
        return v;
}

static void fail(const char *what, const drover_error *error) {
        fprintf(stderr, "bench task: %s\n", drover_error_message(error));
        bench_die(what);
}

/* ---- Python ---- */

static double peer(const char *figure, size_t n) {
        char command[512], line[64];
        double v;
        FILE *f;

        (void) snprintf(command, sizeof command, "exec %s %s %s %zu %u", from_env("DROVER_BENCH_PYTHON"), from_env("DROVER_BENCH_TASK_PEER"),
                        figure, n, n_workers);
        f = popen(command, "r");
        if (!f || !fgets(line, sizeof line, f) || (v = strtod(line, NULL)) <= 0)
                bench_die(figure);
        (void) pclose(f);
        return v;
}

/* ---- drover ---- */

typedef struct Progress {
        size_t to_start, n_ended, n_results;
        bool is_ended;
} Progress;

static void on_end(drover_client *c, json_t *result, const drover_error *error, void *userdata) {
        Progress *p = userdata;

        if (error)
                fail("task.map", error);
        if (json_integer_value(json_object_get(result, "failed")) != 0)
                bench_die("items failed");
        p->is_ended = true;
}

static void on_results(drover_client *c, drover_results *results, void *userdata) {
        Progress *p = userdata;

        p->n_results += drover_results_count(results);
}

static double map_seconds(json_t *what, size_t n) {
        Progress p = {0};
        drover_error *error = NULL;
        double t0 = bench_now();

        if (drover_map(client, what, on_results, on_end, &p, NULL, &error) < 0)
                fail("task.map", error);
        while (!p.is_ended)
                if (drover_poll(client, 60000) < 0)
                        bench_die("drover_poll");
        if (p.n_results != n)
                bench_die("results are missing");
        json_decref(what);
        return bench_now() - t0;
}

/* Of the numbers from 0 on. @chunk 0: by measure. */
static json_t *map_of(size_t n, const char *target, int chunk, int attempts) {
        return json_pack("{s:s,s:s,s:I,s:i,s:i}", "pool", "m", "target", target, "count", (json_int_t) n, "chunk", chunk, "attempts", attempts);
}

static double map_chunk_1(size_t n) {
        return (double) n / map_seconds(map_of(n, "nothing", 1, 1), n);
}

static double map_best(size_t n) {
        return (double) n / map_seconds(map_of(n, "same", 0, 1), n);
}

static json_t *submit_what;
static void submit_one(Progress *p);

static void on_outcome(drover_client *c, json_t *result, const drover_error *error, void *userdata) {
        Progress *p = userdata;

        if (error)
                fail("task.submit", error);
        p->n_ended++;
        if (p->to_start > 0)
                submit_one(p);
}

static void submit_one(Progress *p) {
        drover_error *error = NULL;

        p->to_start--;
        if (drover_call_async(client, "task.submit", submit_what, on_outcome, p, NULL, &error) < 0)
                fail("task.submit", error);
}

static double submit_seconds(size_t n, unsigned in_flight) {
        Progress p = {.to_start = n};
        double t0 = bench_now();

        for (unsigned i = 0; i < in_flight && p.to_start > 0; i++)
                submit_one(&p);
        while (p.n_ended < n)
                if (drover_poll(client, 60000) < 0)
                        bench_die("drover_poll");
        return bench_now() - t0;
}

/* ---- computing ---- */

static double sum_of_squares(long first, long n) {
        volatile double sum = 0;

        for (long i = first; i < first + n; i++)
                sum += (double) i * (double) i;
        return sum;
}

static double bare_seconds(long n) {
        double t0 = bench_now();
        pid_t pids[4];

        for (int i = 0; i < 4; i++) {
                pids[i] = fork();
                if (pids[i] == 0) {
                        (void) setsid(); /* scheduled as drover's workers are, which have sessions of their own */
                        _exit(sum_of_squares(i * n, n) < 0);
                }
        }
        for (int i = 0; i < 4; i++)
                (void) waitpid(pids[i], NULL, 0);
        return bench_now() - t0;
}

static double tasks_seconds(long n) {
        json_t *items = json_array();

        for (int i = 0; i < 4; i++)
                (void) json_array_append_new(items, json_integer(i * n));
        return map_seconds(json_pack("{s:s,s:s,s:o,s:i}", "pool", "four", "target", "ten_million_squares", "items", items, "chunk", 1), 4);
}

/* ---- under fire ---- */

static pid_t start_killer(void) {
        pid_t pid = fork();

        if (pid != 0)
                return pid;
        int fd = bench_connect(bench_socket());
        char line[128];

        for (unsigned i = 0;; i++) {
                (void) snprintf(line, sizeof line, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"kill\",\"params\":{\"select\":\"m/%u\"}}", i % n_workers);
                free(bench_call(fd, line));
                (void) poll(NULL, 0, 10);
        }
}

static double killed_rate(size_t n) {
        pid_t killer = start_killer();
        double rate = (double) n / map_seconds(map_of(n, "same", 1, 100), n);

        (void) kill(killer, SIGKILL);
        (void) waitpid(killer, NULL, 0);
        return rate;
}

/* ---- the figures ---- */

/* Rates, more is better; a peer NULL: the figure before is what it is measured by. */
typedef struct Figure {
        const char *name;
        double (*measure)(size_t n);
        const char *peer, *peer_name;
        size_t n, n_peer; /* of a full run */
        double goal;      /* of the ratio; 0: none */
} Figure;

static double one_in_flight(size_t n) {
        return 1 / (submit_seconds(n, 1) / (double) n);
}

static double many_in_flight(size_t n) {
        return (double) n / submit_seconds(n, IN_FLIGHT);
}

static double undisturbed(size_t n) {
        return (double) n / map_seconds(map_of(n, "same", 1, 100), n);
}

static const Figure figures[] = {
        {"no-op tasks by task.map, chunk 1", map_chunk_1, "pool_map", "Pool.map, chunksize 1", 500000, 60000, 2},
        {"the same", NULL, "executor_map", "ProcessPoolExecutor.map", 500000, 15000, 2},
        {"no-op tasks by task.submit, 200 in flight", many_in_flight, "pool_apply_async", "Pool.apply_async", 200000, 30000, 2},
        {"one no-op task in flight", one_in_flight, "pool_apply", "Pool.apply", 20000, 5000, 0.5},
        {"small integers by task.map, best chunk", map_best, "executor_best", "ProcessPoolExecutor.map, best chunk", 10000000, 1000000, 1},
        {"the same", NULL, "pool_best", "Pool.map, best chunk", 10000000, 1000000, 1},
        {"1 000 000 by task.map, chunk 1, a worker killed every 10 ms", killed_rate, NULL, "undisturbed", 1000000, 1000000, 0.5},
};
#define N_FIGURES (sizeof figures / sizeof *figures)

static bool is_wanted(const Figure *f, const char *only) {
        return !only || (f->measure && strstr(f->name, only));
}

static void run_rates(size_t rounds, const char *only) {
        double v[N_FIGURES][ROUNDS_MAX], base[N_FIGURES][ROUNDS_MAX];
        char name[160];

        for (size_t r = 0; r < rounds; r++)
                for (size_t i = 0; i < N_FIGURES; i++) {
                        const Figure *f = &figures[i];
                        size_t n = bench_size(f->n, f->n / 1000), n_peer = bench_size(f->n_peer, f->n_peer / 500);

                        if (!is_wanted(f, only))
                                continue;
                        v[i][r] = f->measure ? f->measure(n) : v[i - 1][r];
                        base[i][r] = f->peer ? peer(f->peer, n_peer) : undisturbed(n);
                }
        for (size_t i = 0; i < N_FIGURES; i++) {
                if (!is_wanted(&figures[i], only))
                        continue;
                (void) snprintf(name, sizeof name, "%s, against %s", figures[i].name, figures[i].peer_name);
                bench_print_rate(name, "tasks/s", bench_median(v[i], rounds), bench_median(base[i], rounds), figures[i].goal);
        }
}

static void run_sums(size_t rounds) {
        double v[ROUNDS_MAX], bare[ROUNDS_MAX];

        for (size_t r = 0; r < rounds; r++) {
                bare[r] = bare_seconds(SQUARES);
                v[r] = tasks_seconds(SQUARES);
        }
        bench_print("sum of squares, 4 x 10 000 000, against 4 bare processes", "s", bench_median(v, rounds), bench_median(bare, rounds), 1.05);
}

static void start(void) {
        drover_error *error = NULL;
        const char *module = from_env("DROVER_BENCH_MODULE");
        char pools[1024];
        json_t *all = json_pack("{s:s,s:s}", "select", "all", "for", "ready");

        n_workers = (unsigned) sysconf(_SC_NPROCESSORS_ONLN);
        (void) snprintf(pools, sizeof pools,
                        "{\"m\":{\"module\":\"%s\",\"workers\":%u,\"restart\":{\"delay\":0.001,\"max_delay\":0.001,\"limit\":0}},"
                        "\"four\":{\"module\":\"%s\",\"workers\":4}}",
                        module, n_workers, module);
        (void) bench_daemon_start(pools);
        if (drover_connect(&client, bench_socket(), &error) < 0)
                fail("drover_connect", error);
        if (drover_call(client, "wait", all, 20000, NULL, &error) < 0)
                fail("wait", error);
        json_decref(all);
        submit_what = json_pack("{s:s,s:s,s:b}", "pool", "m", "target", "nothing", "wait", 1);
}

/* bench-task [FIGURE [ROUNDS]]: only those whose name has that in it, or "sum". */
int main(int argc, char **argv) {
        const char *only = argc > 1 ? argv[1] : NULL;
        size_t rounds;

        bench_init("task");
        rounds = argc > 2 ? strtoul(argv[2], NULL, 10) : bench_size(5, 1);
        if (rounds < 1 || rounds > ROUNDS_MAX)
                rounds = ROUNDS_MAX;
        start();
        if (!only || strcmp(only, "sum") == 0)
                run_sums(only ? rounds : bench_size(ROUNDS_MAX, 1));
        run_rates(rounds, only);
        json_decref(submit_what);
        drover_close(client);
        bench_daemon_stop();
        return 0;
}
