/* blob-module.c - a module for the tests of blobs and of long arguments and results. */
#include "drover.h"

#include <string.h>
#include <unistd.h>

static json_t *text(drover_task *task, json_t *args, json_t *kwargs) {
        size_t n = (size_t) json_integer_value(json_array_get(args, 0));
        char *bytes = malloc(n);
        json_t *value;

        if (!bytes)
                return drover_raise(task, "MemoryError", "no memory");
        memset(bytes, 'x', n);
        value = json_stringn_nocheck(bytes, n);
        free(bytes);
        return value;
}

static json_t *lengths(drover_task *task, json_t *args, json_t *kwargs) {
        json_t *found = json_array(), *v;
        const char *key;
        size_t i;

        json_array_foreach(args, i, v)
                (void) json_array_append_new(found, json_integer((json_int_t) json_string_length(v)));
        json_object_foreach(kwargs, key, v)
                (void) json_array_append_new(found, json_integer((json_int_t) json_string_length(v)));
        return found;
}

static json_t *same(drover_task *task, json_t *args, json_t *kwargs) {
        json_t *found = json_array(), *v, *made;
        const void *data;
        void *to;
        size_t i, n;

        json_array_foreach(args, i, v) {
                if (drover_task_blob(task, v, &data, &n) < 0) {
                        (void) json_array_append(found, v);
                        continue;
                }
                made = drover_task_blob_new(task, n, &to);
                if (!made) {
                        json_decref(found);
                        return NULL;
                }
                memcpy(to, data, n);
                (void) json_array_append_new(found, made);
        }
        return found;
}

/* So many blobs of so many bytes. */
static json_t *make(drover_task *task, json_t *args, json_t *kwargs) {
        json_int_t n = json_integer_value(json_array_get(args, 0)), size = json_integer_value(json_array_get(args, 1));
        json_t *found = json_array();
        void *data;

        for (json_int_t i = 0; i < n; i++) {
                json_t *made = drover_task_blob_new(task, (size_t) size, &data);

                if (!made) {
                        json_decref(found);
                        return NULL;
                }
                memset(data, (int) i, (size_t) size);
                (void) json_array_append_new(found, made);
        }
        if (json_is_true(json_object_get(kwargs, "raise"))) {
                json_decref(found);
                return drover_raise(task, "ValueError", "after all");
        }
        if (json_is_true(json_object_get(kwargs, "die")))
                _exit(3);
        return found;
}

static const drover_target targets[] = {
        {"text", text, "a string of so many bytes"},
        {"lengths", lengths, "of the strings it gets"},
        {"same", same, "what it gets"},
        {"make", make, "so many blobs of so many bytes"},
        {NULL},
};
const drover_module drover_module_table = {.abi = DROVER_MODULE_ABI, .name = "blob-module", .targets = targets};
