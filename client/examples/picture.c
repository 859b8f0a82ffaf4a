/* picture.c - a worker module for bytes that are no text: they come and go as blobs, written once and never copied.
 *
 *     {"pools": {"pictures": {"module": "/usr/lib/picture.so", "workers": "cpus"}}}
 *
 * Its client is invert.c. */
#include <drover.h>

static json_t *invert(drover_task *task, json_t *args, json_t *kwargs) {
        const unsigned char *from;
        const void *data;
        void *made;
        unsigned char *to;
        size_t n;
        json_t *value;

        if (drover_task_blob(task, json_array_get(args, 0), &data, &n) < 0)
                return drover_raise(task, "TypeError", "invert() takes a blob");
        value = drover_task_blob_new(task, n, &made);
        if (!value)
                return NULL;
        from = data;
        to = made;
        for (size_t i = 0; i < n; i++)
                to[i] = (unsigned char) ~from[i];
        return value;
}

static json_t *brightness(drover_task *task, json_t *args, json_t *kwargs) {
        const void *data;
        uint64_t sum = 0;
        size_t n;

        if (drover_task_blob(task, json_array_get(args, 0), &data, &n) < 0)
                return drover_raise(task, "TypeError", "brightness() takes a blob");
        for (size_t i = 0; i < n; i++)
                sum += ((const unsigned char *) data)[i];
        return json_real((double) sum / (double) n / 255);
}

static const drover_target targets[] = {
        {"invert", invert, "a picture with each byte the opposite"},
        {"brightness", brightness, "the mean of all bytes, 0 to 1"},
        {NULL},
};
const drover_module drover_module_table = {.abi = DROVER_MODULE_ABI, .name = "picture", .targets = targets};
