/* sum-tasks.c - the exercise: the squares below 4 000 000, summed in four ranges by the workers of a pool.
 *
 *     sum-tasks sums.so
 *
 * First by task.submit, four calls in flight; then by task.map, one call with four items; then all by one worker. */
#include <drover.h>
#include <stdio.h>
#include <time.h>

#define RANGES 4
#define END 4000000

static drover_error *error;
static drover_client *client;
static __int128 total;
static int n_left;

static double now(void) {
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (double) t.tv_sec + (double) t.tv_nsec / 1e9;
}

static void fail(const char *what, const char *why) {
        fprintf(stderr, "%s: %s\n", what, why);
        exit(1);
}

static void call(const char *method, json_t *params_take) {
        if (drover_call(client, method, params_take, -1, NULL, &error) < 0)
                fail(method, drover_error_message(error));
        json_decref(params_take);
}

/* Beyond 64 bits it is a string of digits: drover_integer_value() takes both. */
static void add(const json_t *part) {
        __int128 value;

        if (drover_integer_value(part, &value) < 0)
                fail("partial", "no integer");
        total += value;
}

static void on_outcome(drover_client *c, json_t *outcome, const drover_error *why, void *userdata) {
        n_left--;
        add(json_object_get(outcome, "result"));
}

static void by_submit(int n) {
        for (int i = 0; i < n; i++, n_left++) {
                json_t *what = json_pack("{s:s,s:s,s:[i,i],s:b}", "pool", "sums", "target", "partial", "args", END / n * i, END / n * (i + 1), "wait", 1);

                if (drover_call_async(client, "task.submit", what, on_outcome, NULL, NULL, &error) < 0)
                        fail("task.submit", drover_error_message(error));
                json_decref(what);
        }
}

static void on_results(drover_client *c, const char *kind, json_t *params, void *userdata) {
        json_t *part;
        size_t i;

        json_array_foreach(json_object_get(params, "results"), i, part)
                add(part);
}

static void on_end(drover_client *c, json_t *counts, const drover_error *why, void *userdata) {
        n_left--;
}

static void by_map(int n) {
        json_t *items = json_array(), *what = json_pack("{s:s,s:s,s:o,s:i}", "pool", "sums", "target", "partial", "items", items, "chunk", 1);

        for (int i = 0; i < n; i++)
                json_array_append_new(items, json_pack("[i,i]", END / n * i, END / n * (i + 1)));
        n_left = 1;
        if (drover_subscribe(client, "task.map", what, on_results, on_end, NULL, NULL, &error) < 0)
                fail("task.map", drover_error_message(error));
        json_decref(what);
}

static void measure(const char *name, void (*begin)(int n), int n) {
        double from = now();
        json_t *text;

        total = 0;
        begin(n);
        while (n_left > 0)
                if (drover_poll(client, -1) < 0)
                        fail(name, "the daemon has gone");
        text = drover_integer(total);
        printf("%-10s total %s in %.0f ms\n", name, json_string_value(text), (now() - from) * 1000);
        json_decref(text);
}

int main(int argc, char **argv) {
        if (drover_connect(&client, NULL, &error) < 0)
                fail("connect", drover_error_message(error));
        call("pool.add", json_pack("{s:s,s:s,s:i}", "name", "sums", "module", argc > 1 ? argv[1] : "sums.so", "workers", RANGES));
        call("wait", json_pack("{s:s,s:s}", "select", "sums", "for", "ready"));
        measure("submit", by_submit, RANGES);
        measure("map", by_map, RANGES);
        measure("sequential", by_submit, 1);
        call("pool.remove", json_pack("{s:s}", "pool", "sums"));
        drover_close(client);
        return 0;
}
