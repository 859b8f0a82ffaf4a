/* bench-blob.c - large arguments and results, as bytes: from libdrover by blobs to the workers of a module and back, against
 * Python's multiprocessing.Pool (chunk 1) in the same rounds. A rate counts arguments and results.
 *
 *                 here                                             there
 *   before        the bytes of all arguments, once                 the same
 *   an argument   is copied into its blob by the client            is pickled and written into a pipe by the pool
 *   its task      copies it into a blob of its own                 returns what it got, which is pickled and written
 *   a result      is there to be read, and is not; it is freed     the same, but all are kept until the last
 *
 * So each side moves every byte as often as it has to, and nobody looks at any. */
#include "bench-util.h"
#include "drover.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROUNDS_MAX 9
#define IN_FLIGHT 16u

static drover_client *client;
static unsigned n_workers;
static char *source;

static const char *from_env(const char *name) {
        const char *v = getenv(name);

        if (!v)
                bench_die("run it by tests/bench/run.sh");
        return v;
}

static void fail(const char *what, const drover_error *error) {
        fprintf(stderr, "bench blob: %s\n", drover_error_message(error));
        bench_die(what);
}

/* ---- Python ---- */

static double peer(size_t size, size_t n) {
        char command[512], line[64];
        double v;
        FILE *f;

        (void) snprintf(command, sizeof command, "exec %s %s pool_bytes %zu %u %zu", from_env("DROVER_BENCH_PYTHON"),
                        from_env("DROVER_BENCH_TASK_PEER"), n, n_workers, size);
        f = popen(command, "r");
        if (!f || !fgets(line, sizeof line, f) || (v = strtod(line, NULL)) <= 0)
                bench_die("the peer");
        (void) pclose(f);
        return v;
}

/* ---- drover ---- */

typedef struct Progress {
        size_t size, to_start, n_open, n_bytes;
        json_t *new_params;
} Progress;

static void begin_one(Progress *p);

static void on_outcome(drover_client *c, json_t *result, const drover_error *error, void *userdata) {
        Progress *p = userdata;
        drover_blob *blob = NULL;
        drover_error *why = NULL;

        if (error)
                fail("task.submit", error);
        if (drover_reply_blob(c, 0, &blob, &why) < 0) {
                (void) json_dumpf(result, stderr, 0);
                fail("no result", why);
        }
        if (!drover_blob_data(blob))
                bench_die("no memory for a result");
        p->n_bytes += p->size + drover_blob_size(blob);
        drover_blob_free(blob);
        p->n_open--;
        if (p->to_start > 0)
                begin_one(p);
}

static void on_blob(drover_client *c, json_t *result, const drover_error *error, void *userdata) {
        Progress *p = userdata;
        drover_blob *blob = NULL;
        drover_error *why = NULL;
        json_t *what;

        if (error)
                fail("blob.new", error);
        if (drover_reply_blob(c, 0, &blob, &why) < 0)
                fail("no blob", why);
        memcpy(drover_blob_data(blob), source, p->size);
        what = json_pack("{s:s,s:s,s:[{s:i}],s:[o],s:b}", "pool", "m", "target", "copy", "args", "$blob", 0, "blobs", drover_blob_name(blob),
                         "wait", 1);
        if (drover_call_async(c, "task.submit", what, on_outcome, p, NULL, &why) < 0)
                fail("task.submit", why);
        json_decref(what);
        drover_blob_free(blob);
}

static void begin_one(Progress *p) {
        drover_error *error = NULL;

        p->to_start--;
        p->n_open++;
        if (drover_call_async(client, "blob.new", p->new_params, on_blob, p, NULL, &error) < 0)
                fail("blob.new", error);
}

static double bytes_per_second(size_t size, size_t n) {
        Progress p = {.size = size, .to_start = n, .new_params = json_pack("{s:I}", "size", (json_int_t) size)};
        double t0 = bench_now();

        while (p.to_start > 0 && p.n_open < IN_FLIGHT)
                begin_one(&p);
        while (p.n_open > 0)
                if (drover_poll(client, 60000) < 0)
                        bench_die("drover_poll");
        json_decref(p.new_params);
        if (p.n_bytes != 2 * size * n)
                bench_die("results are missing");
        return (double) p.n_bytes / (bench_now() - t0);
}

static void figure(const char *name, size_t size, size_t n) {
        size_t rounds = bench_size(ROUNDS_MAX, 1);
        double ours[ROUNDS_MAX], theirs[ROUNDS_MAX];

        for (size_t i = 0; i < rounds; i++) {
                theirs[i] = peer(size, n);
                ours[i] = bytes_per_second(size, n);
        }
        bench_print_rate(name, "bytes/s", bench_median(ours, rounds), bench_median(theirs, rounds), 2);
}

int main(void) {
        long cpus = sysconf(_SC_NPROCESSORS_ONLN);
        drover_error *error = NULL;
        char pools[512];

        bench_init("blob");
        n_workers = cpus > 0 ? (unsigned) cpus : 1;
        source = malloc(16u << 20);
        if (!source)
                bench_die("no memory");
        memset(source, 'x', 16u << 20);
        (void) snprintf(pools, sizeof pools, "{\"m\":{\"module\":\"%s\",\"workers\":%u}}", from_env("DROVER_BENCH_MODULE"), n_workers);
        (void) bench_daemon_start(pools);
        if (drover_connect(&client, bench_socket(), &error) < 0)
                fail("connect", error);
        (void) bytes_per_second(64u << 10, 100);
        figure("arguments and results of 64 KiB", 64u << 10, bench_size(4000, 50));
        figure("arguments and results of 16 MiB", 16u << 20, bench_size(40, 2));
        drover_close(client);
        free(source);
        bench_daemon_stop();
        return 0;
}
