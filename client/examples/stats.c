/* stats.c - a worker class: its state is made by init, its methods are targets, exit takes the state apart.
 *
 *     droverctl run --module ./stats.so --target describe A '[10,20,30,40,50]'      A: mean 30.00, stdev 15.81 */
#include <drover.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>

typedef struct Stats {
        double n, mean, m2; /* Welford's: the sum of squared differences from the mean so far */
} Stats;

static int init(void **ret_state) {
        *ret_state = calloc(1, sizeof(Stats));
        return *ret_state ? 0 : -ENOMEM;
}

static void add(Stats *s, double x) {
        double before = x - s->mean;

        s->n++;
        s->mean += before / s->n;
        s->m2 += before * (x - s->mean);
}

/* describe(name, data): mean and sample standard deviation. As an item of a map the data come alone. */
static json_t *describe(drover_task *task, json_t *args, json_t *kwargs) {
        json_t *data = json_array_get(args, json_array_size(args) - 1), *x;
        const char *name = json_string_value(json_array_get(args, 0));
        Stats *s = drover_task_state(task);
        size_t i;

        if (json_array_size(data) < 2)
                return drover_raise(task, "ValueError", "describe() takes a name and at least two numbers");
        *s = (Stats){0};
        json_array_foreach(data, i, x)
                add(s, json_number_value(x));
        printf("%s: mean %.2f, stdev %.2f\n", name ? name : "data", s->mean, sqrt(s->m2 / (s->n - 1)));
        return json_pack("{s:f,s:f}", "mean", s->mean, "stdev", sqrt(s->m2 / (s->n - 1)));
}

static const drover_target targets[] = {
        {"describe", describe, "describe(name, data): mean and sample standard deviation"},
        {NULL, NULL, NULL},
};

const drover_module drover_module_table = {.abi = DROVER_MODULE_ABI, .name = "stats", .init = init, .exit = free, .targets = targets};
