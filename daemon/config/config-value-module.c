/* config-value-module.c - what a worker runs when it is not simply a program: a module, its target, the arguments. */
#include "base/alloc.h"
#include "config/config-key.h"

#define TARGET_MAX 255u
#define SLOT(type, key, object) (*(type *) config_slot((key), (object)))
#define SLOT_CONST(type, key, object) (*(const type *) config_slot_const((key), (object)))

static bool string_equal(const ConfigKey *key, const void *a, const void *b) {
        const char *x = SLOT_CONST(char *, key, a), *y = SLOT_CONST(char *, key, b);

        return x && y ? streq(x, y) : !x && !y;
}

/* module: the name as it was written; config-module.c finds the file */

static void module_read(ConfigCheck *c, const Spot *at, json_t *v, const ConfigKey *key, void *object) {
        const char *s = json_string_value(v);

        if (!s || !*s || (*s != '/' && strchr(s, '/')))
                config_fault_value(c, at, "expected the absolute path of a worker module, or a file name without a slash");
        else if (*s != '/' || config_read_path(c, at, v, CONFIG_PATH_MAX))
                (void) config_store_string(c, &SLOT(char *, key, object), s);
}

static void module_schema(const ConfigKey *key, Text *t) {
        json_put_string(t, "type", "string");
        json_put_string(t, "pattern", "^(/.*|[^/]+)$");
}

const ConfigType config_type_module = { "path or file name", module_read, string_equal, module_schema };

/* target */

static void target_read(ConfigCheck *c, const Spot *at, json_t *v, const ConfigKey *key, void *object) {
        size_t n = json_string_length(v);

        if (!json_is_string(v) || n == 0 || n > TARGET_MAX || json_string_value(v)[0] == '-')
                config_fault_value(c, at, "expected the name of a target of the module; droverctl targets lists them");
        else
                (void) config_store_string(c, &SLOT(char *, key, object), json_string_value(v));
}

static void target_schema(const ConfigKey *key, Text *t) {
        json_put_string(t, "type", "string");
        json_put_i64(t, "minLength", 1);
        json_put_i64(t, "maxLength", TARGET_MAX);
}

const ConfigType config_type_target = { "name", target_read, string_equal, target_schema };

/* args, kwargs: kept as they are; on the way to the worker they are one argument of a program */

/* As one argument of a program. */
static bool is_too_long(const json_t *v) {
        _cleanup_text_ Text t = {0};

        return json_dump_append(&t, v, JSON_COMPACT) < 0 || (text_check(&t) >= 0 && t.length > CONFIG_STRING_MAX);
}

static void value_read(ConfigCheck *c, const Spot *at, json_t *v, const ConfigKey *key, void *object) {
        bool is_array = key->type == &config_type_args;

        if (is_array ? !json_is_array(v) : !json_is_object(v))
                config_fault_value(c, at, "expected %s", is_array ? "an array: [5, \"x\"]" : "an object: {\"base\": 2}");
        else if (is_too_long(v))
                config_fault_value(c, at, "too long: the kernel takes at most %u bytes in one argument; a task takes more",
                                   CONFIG_STRING_MAX);
        else {
                json_decref(SLOT(json_t *, key, object));
                SLOT(json_t *, key, object) = json_incref(v);
        }
}

static bool value_equal(const ConfigKey *key, const void *a, const void *b) {
        json_t *const x = *(json_t *const *) config_slot_const(key, a), *const y = *(json_t *const *) config_slot_const(key, b);

        return x && y ? json_equal(x, y) : !x && !y;
}

static void args_schema(const ConfigKey *key, Text *t) {
        json_put_string(t, "type", "array");
}

static void kwargs_schema(const ConfigKey *key, Text *t) {
        json_put_string(t, "type", "object");
}

const ConfigType config_type_args = { "array", value_read, value_equal, args_schema };
const ConfigType config_type_kwargs = { "object", value_read, value_equal, kwargs_schema };

/* prefetch: a number, or "auto" */

static void prefetch_read(ConfigCheck *c, const Spot *at, json_t *v, const ConfigKey *key, void *object) {
        const char *s = json_string_value(v);

        if (s && streq(s, "auto"))
                SLOT(unsigned, key, object) = TASK_PREFETCH_AUTO;
        else if (json_is_integer(v) && json_integer_value(v) >= 0 && json_integer_value(v) <= TASK_PREFETCH_MAX)
                SLOT(unsigned, key, object) = (unsigned) json_integer_value(v);
        else
                config_fault_value(c, at, "expected \"auto\" or a number, 0 to %d", TASK_PREFETCH_MAX);
}

static bool prefetch_equal(const ConfigKey *key, const void *a, const void *b) {
        return SLOT_CONST(unsigned, key, a) == SLOT_CONST(unsigned, key, b);
}

static void prefetch_schema(const ConfigKey *key, Text *t) {
        json_put_raw(t, "anyOf", "[{\"const\":\"auto\"},{\"type\":\"integer\",\"minimum\":0,\"maximum\":1024}]");
}

const ConfigType config_type_prefetch = { "number or \"auto\"", prefetch_read, prefetch_equal, prefetch_schema };
