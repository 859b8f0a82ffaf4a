/* own-main.c - a worker that is a program of its own, not a module: the same table, and main():
 *
 *     cc -o worker own-main.c $(pkg-config --cflags --libs drover)
 *     {"pools": {"c": {"command": ["/path/worker"], "protocol": "tasks"}}} */
#include <drover.h>

static json_t *square(drover_task *task, json_t *args, json_t *kwargs) {
        __int128 x;

        if (drover_integer_value(json_array_get(args, 0), &x) < 0)
                return drover_raise(task, "TypeError", "square() takes an integer");
        return drover_integer(x * x);
}

static json_t *divide(drover_task *task, json_t *args, json_t *kwargs) {
        double b = json_number_value(json_array_get(args, 1));

        if (b == 0)
                return drover_raise(task, "ZeroDivisionError", "division by zero");
        return json_real(json_number_value(json_array_get(args, 0)) / b);
}

static json_t *join(drover_task *task, json_t *args, json_t *kwargs) {
        json_t *result = json_string(""), *word, *longer;
        size_t i;

        json_array_foreach(args, i, word) {
                if (!json_is_string(word)) {
                        json_decref(result);
                        return drover_raise(task, "TypeError", "word %zu is no string", i);
                }
                longer = json_sprintf("%s%s%s", json_string_value(result), i > 0 ? " " : "", json_string_value(word));
                json_decref(result);
                result = longer;
        }
        return result;
}

static const drover_target targets[] = {
        {"square", square, "square(x)"},
        {"divide", divide, "divide(a, b): raises ZeroDivisionError"},
        {"join", join, "join(word, ...): the words with blanks between"},
        {NULL, NULL, NULL},
};

int main(void) {
        static const drover_module table = {.abi = DROVER_MODULE_ABI, .name = "worker", .targets = targets};

        return drover_worker_run(&table);
}
