/* sums.c - sums of squares beyond 64 bits: as JSON such an integer is a string of digits, see drover_integer().
 *
 *     droverctl run --module ./sums.so --target partial 3000000 4000000      12333329833333500000 */
#include <drover.h>
#include <stdio.h>

/* Prints it as well: a process of its own has its output and its exit code alone. */
static json_t *tell(__int128 value) {
        json_t *v = drover_integer(value);

        if (json_is_string(v))
                printf("%s\n", json_string_value(v));
        else
                printf("%lld\n", (long long) json_integer_value(v));
        return v;
}

/* partial(begin, end): the sum of the squares from begin up to, not with, end. As an item of a map both are one argument,
 * an array. */
static json_t *partial(drover_task *task, json_t *args, json_t *kwargs) {
        __int128 i, end, sum = 0;

        if (json_is_array(json_array_get(args, 0)))
                args = json_array_get(args, 0);
        if (drover_integer_value(json_array_get(args, 0), &i) < 0 || drover_integer_value(json_array_get(args, 1), &end) < 0)
                return drover_raise(task, "TypeError", "partial() takes two integers");
        for (; i < end; i++)
                sum += i * i;
        return tell(sum);
}

/* total(*parts) */
static json_t *total(drover_task *task, json_t *args, json_t *kwargs) {
        __int128 part, sum = 0;
        json_t *value;
        size_t i;

        json_array_foreach(args, i, value) {
                if (drover_integer_value(value, &part) < 0)
                        return drover_raise(task, "TypeError", "total() takes integers");
                sum += part;
        }
        return tell(sum);
}

static const drover_target targets[] = {
        {"partial", partial, "partial(begin, end): the sum of the squares from begin up to, not with, end"},
        {"total", total, "total(*parts): their sum"},
        {NULL, NULL, NULL},
};

const drover_module drover_module_table = {.abi = DROVER_MODULE_ABI, .name = "sums", .targets = targets};
