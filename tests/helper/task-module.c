/* task-module.c - a worker module for tests and benches: targets that cost next to nothing, one that computes, and some
 * that end their worker. */
#include <drover.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* nothing(...): null */
static json_t *nothing(drover_task *task, json_t *args, json_t *kwargs) {
        return json_null();
}

/* same(x): x */
static json_t *same(drover_task *task, json_t *args, json_t *kwargs) {
        return json_incref(json_array_get(args, 0));
}

/* Each addition is to be done. */
static double sum_of_squares(json_int_t first, json_int_t n) {
        volatile double sum = 0;

        for (json_int_t i = first; i < first + n; i++)
                sum += (double) i * (double) i;
        return sum;
}

/* copy(blob): another with the same bytes */
static json_t *copy(drover_task *task, json_t *args, json_t *kwargs) {
        const void *from;
        void *to;
        size_t n;
        json_t *value;

        if (drover_task_blob(task, json_array_get(args, 0), &from, &n) < 0)
                return drover_raise(task, "TypeError", "copy() takes a blob");
        value = drover_task_blob_new(task, n, &to);
        if (value)
                memcpy(to, from, n);
        return value;
}

/* ten_million_squares(first) */
static json_t *ten_million_squares(drover_task *task, json_t *args, json_t *kwargs) {
        return json_real(sum_of_squares(json_integer_value(json_array_get(args, 0)), 10000000));
}

/* die(PID...): kills all of them and then its own process */
static json_t *die(drover_task *task, json_t *args, json_t *kwargs) {
        size_t i;
        json_t *pid;

        json_array_foreach(args, i, pid)
                (void) kill((pid_t) json_integer_value(pid), SIGKILL);
        (void) raise(SIGKILL);
        return NULL;
}

/* mortal(x): x * x; raises for 13; the process dies of a negative number */
static json_t *mortal(drover_task *task, json_t *args, json_t *kwargs) {
        json_int_t x = json_integer_value(json_array_get(args, 0));

        if (x == 13)
                return drover_raise(task, "ValueError", "13 brings no luck");
        if (x < 0)
                (void) raise(SIGKILL);
        return json_integer(x * x);
}

/* wait_for_bytes(FIFO) */
static json_t *wait_for_bytes(drover_task *task, json_t *args, json_t *kwargs) {
        const char *path = json_string_value(json_array_get(args, 0));
        FILE *f = path ? fopen(path, "r") : NULL;
        char byte;

        if (!f)
                return drover_raise(task, "OSError", "cannot open %s", path ? path : "nothing");
        (void) !fread(&byte, 1, 1, f);
        (void) fclose(f);
        return json_null();
}

/* nap(ms) */
static json_t *nap(drover_task *task, json_t *args, json_t *kwargs) {
        (void) poll(NULL, 0, (int) json_integer_value(json_array_get(args, 0)));
        return json_incref(json_array_get(args, 0));
}

/* long_text(n): a string of n bytes */
static json_t *long_text(drover_task *task, json_t *args, json_t *kwargs) {
        size_t n = (size_t) json_integer_value(json_array_get(args, 0));
        char *s = malloc(n + 1);
        json_t *o;

        if (!s)
                return NULL;
        memset(s, 'x', n);
        s[n] = 0;
        o = json_string(s);
        free(s);
        return o;
}

static const drover_target targets[] = {
        {"nothing", nothing, "nothing(...): null"},
        {"same", same, "same(x): x"},
        {"copy", copy, "the bytes of a blob in another"},
        {"ten_million_squares", ten_million_squares, "ten_million_squares(first): the sum of so many, as a real"},
        {"die", die, "die(PID...): kills them, then its own process"},
        {"mortal", mortal, "mortal(x): x * x; raises for 13, dies of a negative number"},
        {"wait_for_bytes", wait_for_bytes, "wait_for_bytes(FIFO): null, once there are some"},
        {"nap", nap, "nap(ms): ms, once they have passed"},
        {"long_text", long_text, "long_text(n): a string of n bytes"},
        {NULL, NULL, NULL},
};

const drover_module drover_module_table = {.abi = DROVER_MODULE_ABI, .name = "task-module", .targets = targets};
