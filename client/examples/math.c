/* math.c - a worker module: the square, an exception, a state of its own.
 *
 *     cc -shared -fPIC -o math.so math.c $(pkg-config --cflags --libs drover)
 *     droverctl run --module ./math.so --target square 5 base=2 */
#include <drover.h>
#include <errno.h>
#include <unistd.h>

typedef struct Counter {
        int n_calls;
} Counter;

static int init(void **ret_state) {
        *ret_state = calloc(1, sizeof(Counter));
        return *ret_state ? 0 : -ENOMEM;
}

/* square(x, base=0) = x * x + base */
static json_t *square(drover_task *task, json_t *args, json_t *kwargs) {
        __int128 x, base = 0;

        if (drover_integer_value(json_array_get(args, 0), &x) < 0)
                return drover_raise(task, "TypeError", "square() takes an integer");
        if (json_object_get(kwargs, "base") && drover_integer_value(json_object_get(kwargs, "base"), &base) < 0)
                return drover_raise(task, "TypeError", "base is an integer");
        return drover_integer(x * x + base);
}

/* divide(a, b): raises ZeroDivisionError */
static json_t *divide(drover_task *task, json_t *args, json_t *kwargs) {
        double b = json_number_value(json_array_get(args, 1));

        if (b == 0)
                return drover_raise(task, "ZeroDivisionError", "division by zero");
        return json_real(json_number_value(json_array_get(args, 0)) / b);
}

/* count(): how often it was called in this worker */
static json_t *count(drover_task *task, json_t *args, json_t *kwargs) {
        Counter *c = drover_task_state(task);

        return json_integer(++c->n_calls);
}

/* whoami(): the worker's pid and its parent's */
static json_t *whoami(drover_task *task, json_t *args, json_t *kwargs) {
        return json_pack("{s:i,s:i}", "pid", (int) getpid(), "ppid", (int) getppid());
}

static const drover_target targets[] = {
        {"square", square, "square(x, base=0): x * x + base"},
        {"divide", divide, "divide(a, b): a / b; raises ZeroDivisionError"},
        {"count", count, "count(): how often it was called in this worker"},
        {"whoami", whoami, "whoami(): pid and parent's pid of the worker"},
        {NULL, NULL, NULL},
};

const drover_module drover_module_table = {
        .abi = DROVER_MODULE_ABI,
        .name = "math",
        .init = init,
        .exit = free,
        .targets = targets,
};
