/* config-value-io.c - values of readiness and output. */
#include "base/alloc.h"
#include "config/config-key.h"

/* ready.fd, ready.notify: each also says which kind of readiness it is; that both are given is found out later */

static void ready_fd_read(ConfigCheck *c, const Spot *at, json_t *v, const ConfigKey *key, void *object) {
        PoolConfig *p = object;

        if (!json_is_integer(v) || json_integer_value(v) < key->min || json_integer_value(v) > key->max) {
                config_fault_value(c, at, "expected a descriptor, %g to %g", key->min, key->max);
                return;
        }
        p->ready_fd = (int) json_integer_value(v);
        p->ready = READY_FD;
}

static bool ready_fd_equal(const ConfigKey *key, const void *a, const void *b) {
        const PoolConfig *x = a, *y = b;
        bool has_x = x->ready == READY_FD, has_y = y->ready == READY_FD;
        return has_x == has_y && (!has_x || x->ready_fd == y->ready_fd);
}

static void ready_fd_schema(const ConfigKey *key, Text *t) {
        config_type_integer.schema(key, t);
}

const ConfigType config_type_ready_fd = { "descriptor", ready_fd_read, ready_fd_equal, ready_fd_schema };

static void ready_notify_read(ConfigCheck *c, const Spot *at, json_t *v, const ConfigKey *key, void *object) {
        PoolConfig *p = object;

        if (!json_is_boolean(v))
                config_fault_value(c, at, "expected true or false");
        else if (json_is_true(v))
                p->ready = READY_NOTIFY;
}

static bool ready_notify_equal(const ConfigKey *key, const void *a, const void *b) {
        const PoolConfig *x = a, *y = b;
        return (x->ready == READY_NOTIFY) == (y->ready == READY_NOTIFY);
}

static void ready_notify_schema(const ConfigKey *key, Text *t) {
        json_put_string(t, "type", "boolean");
}

const ConfigType config_type_ready_notify = { "true or false", ready_notify_read, ready_notify_equal, ready_notify_schema };

/* output: a word, or a path of its own */

static void output_read(ConfigCheck *c, const Spot *at, json_t *v, const ConfigKey *key, void *object) {
        PoolConfig *p = object;
        const char *s = json_string_value(v), *path;
        char *copy;

        if (!s || s[0] != '/') {
                /* a misspelt word gets its hint here; what is no string at all, the list of words */
                config_type_word.read(c, at, v, key, object);
                return;
        }
        path = config_read_path(c, at, v, CONFIG_LOG_PATH_MAX);
        if (!path)
                return;
        if (path[strlen(path) - 1] == '/') {
                config_fault_value(c, at, "this is a directory; expected the path of a file, or \"log\" for files in log_dir");
                return;
        }
        copy = alloc_strdup(path);
        if (!copy) {
                c->error = -ENOMEM;
                return;
        }
        free(p->output_path);
        p->output_path = copy;
        p->output = OUTPUT_PATH;
}

static bool output_equal(const ConfigKey *key, const void *a, const void *b) {
        const PoolConfig *x = a, *y = b;
        return x->output == y->output && (x->output != OUTPUT_PATH || streq(x->output_path, y->output_path));
}

static void output_schema(const ConfigKey *key, Text *t) {
        json_put_array(t, "anyOf");
        json_put_object(t, NULL);
        config_type_word.schema(key, t);
        json_end_object(t);
        json_put_object(t, NULL);
        json_put_string(t, "$ref", "#/$defs/path");
        json_end_object(t);
        json_end_array(t);
}

const ConfigType config_type_output = { "word or path", output_read, output_equal, output_schema };
