/* config-value.c - single values: booleans, numbers, durations, sizes, words, paths. */
#include "config/config-value.h"
#include "base/alloc.h"
#include "base/parse.h"
#include "config/config-key.h"
#include <math.h>
#include <stdio.h>

void *config_slot(const ConfigKey *key, void *object) {
        return (char *) object + key->offset;
}

const void *config_slot_const(const ConfigKey *key, const void *object) {
        return (const char *) object + key->offset;
}

#define SLOT(type, key, object) (*(type *) config_slot((key), (object)))
#define SLOT_CONST(type, key, object) (*(const type *) config_slot_const((key), (object)))

static bool has_bounds(const ConfigKey *key) {
        return key->min != 0 || key->max != 0;
}

static bool is_within(const ConfigKey *key, double v) {
        return !has_bounds(key) || (v >= key->min && v <= key->max);
}

const char *config_bounds_format(const ConfigKey *key, char *buf, size_t size) {
        buf[0] = 0;
        if (!has_bounds(key) || key->type == &config_type_path)
                return buf;
        if (key->type == &config_type_span) {
                char low[SPAN_TEXT_MAX], high[SPAN_TEXT_MAX];
                snprintf(buf, size, "%s to %s%s", key->min > 0 ? span_format(low, (usec_t) key->min) : "0",
                         span_format(high, (usec_t) key->max), key->may_be_infinite ? ", or \"infinity\"" : "");
        } else if (key->type == &config_type_size) {
                char low[16], high[16];
                snprintf(buf, size, "%s to %s", size_format(low, (uint64_t) key->min), size_format(high, (uint64_t) key->max));
        } else
                snprintf(buf, size, "%.10g to %.10g", key->min, key->max);
        return buf;
}

static void fault_bounds(ConfigCheck *c, const Spot *at, const ConfigKey *key) {
        char bounds[96];
        config_fault_value(c, at, "out of bounds: it may be %s", config_bounds_format(key, bounds, sizeof(bounds)));
}

/* bool */

static void bool_read(ConfigCheck *c, const Spot *at, json_t *v, const ConfigKey *key, void *object) {
        if (!json_is_boolean(v))
                config_fault_value(c, at, "expected true or false");
        else
                SLOT(bool, key, object) = json_is_true(v);
}

static bool bool_equal(const ConfigKey *key, const void *a, const void *b) {
        return SLOT_CONST(bool, key, a) == SLOT_CONST(bool, key, b);
}

static void bool_schema(const ConfigKey *key, Text *t) {
        json_put_string(t, "type", "boolean");
}

const ConfigType config_type_bool = { "true or false", bool_read, bool_equal, bool_schema };

/* integer: stored as int; all bounds are within it */

static bool integer_check(ConfigCheck *c, const Spot *at, json_t *v, const ConfigKey *key) {
        if (!json_is_integer(v)) {
                config_fault_value(c, at, "expected a whole number");
                return false;
        }
        if (!is_within(key, (double) json_integer_value(v))) {
                fault_bounds(c, at, key);
                return false;
        }
        return true;
}

static void integer_read(ConfigCheck *c, const Spot *at, json_t *v, const ConfigKey *key, void *object) {
        if (!integer_check(c, at, v, key))
                return;
        SLOT(int, key, object) = (int) json_integer_value(v);
        if (key->offset_has)
                *(bool *) ((char *) object + key->offset_has) = true;
}

static bool integer_equal(const ConfigKey *key, const void *a, const void *b) {
        return SLOT_CONST(int, key, a) == SLOT_CONST(int, key, b);
}

static bool optional_integer_equal(const ConfigKey *key, const void *a, const void *b) {
        bool has_a = *(const bool *) ((const char *) a + key->offset_has);
        bool has_b = *(const bool *) ((const char *) b + key->offset_has);
        return has_a == has_b && (!has_a || integer_equal(key, a, b));
}

static void integer_schema(const ConfigKey *key, Text *t) {
        json_put_string(t, "type", "integer");
        json_put_i64(t, "minimum", (int64_t) key->min);
        json_put_i64(t, "maximum", (int64_t) key->max);
}

const ConfigType config_type_integer = { "whole number", integer_read, integer_equal, integer_schema };
const ConfigType config_type_optional_integer = { "whole number", integer_read, optional_integer_equal, integer_schema };

/* number */

static void number_read(ConfigCheck *c, const Spot *at, json_t *v, const ConfigKey *key, void *object) {
        if (!json_is_number(v))
                config_fault_value(c, at, "expected a number");
        else if (!is_within(key, json_number_value(v)))
                fault_bounds(c, at, key);
        else
                SLOT(double, key, object) = json_number_value(v);
}

static bool number_equal(const ConfigKey *key, const void *a, const void *b) {
        return fabs(SLOT_CONST(double, key, a) - SLOT_CONST(double, key, b)) < 1e-9;
}

static void number_schema(const ConfigKey *key, Text *t) {
        json_put_string(t, "type", "number");
        json_put_i64(t, "minimum", (int64_t) key->min);
        json_put_i64(t, "maximum", (int64_t) key->max);
}

const ConfigType config_type_number = { "number", number_read, number_equal, number_schema };

/* duration */

static void span_read(ConfigCheck *c, const Spot *at, json_t *v, const ConfigKey *key, void *object) {
        usec_t span;
        int r = json_span(v, &span);

        if (r == -ERANGE || (r == 0 && span != USEC_INFINITY && !is_within(key, (double) span)) ||
            (r == 0 && span == USEC_INFINITY && !key->may_be_infinite))
                fault_bounds(c, at, key);
        else if (r < 0)
                config_fault_value(c, at, "expected a duration: \"500ms\", \"10s\", \"5m\", \"2h\", or a number of seconds");
        else
                SLOT(usec_t, key, object) = span;
}

static bool u64_equal(const ConfigKey *key, const void *a, const void *b) {
        return SLOT_CONST(uint64_t, key, a) == SLOT_CONST(uint64_t, key, b);
}

static void reference_schema(const ConfigKey *key, Text *t) {
        json_put_string(t, "$ref", key->type == &config_type_span   ? "#/$defs/duration"
                                   : key->type == &config_type_size ? "#/$defs/size"
                                                                    : "#/$defs/path");
}

const ConfigType config_type_span = { "duration", span_read, u64_equal, reference_schema };

/* size */

static void size_read(ConfigCheck *c, const Spot *at, json_t *v, const ConfigKey *key, void *object) {
        uint64_t bytes;
        int r = json_size(v, &bytes);

        if (r == -ERANGE || (r == 0 && !is_within(key, (double) bytes)))
                fault_bounds(c, at, key);
        else if (r < 0)
                config_fault_value(c, at, "expected a size: \"512K\", \"64M\", \"1G\", or a number of bytes");
        else
                SLOT(uint64_t, key, object) = bytes;
}

const ConfigType config_type_size = { "size", size_read, u64_equal, reference_schema };

/* word: stored as an enum, which is an unsigned int */

static void fault_words(ConfigCheck *c, const Spot *at, const ConfigWord *words, const char *given) {
        const char *names[16] = { NULL }, *near;
        char list[160] = "";
        size_t n = 0;

        for (; words[n].text && n + 1 < ARRAY_SIZE(names); n++) {
                size_t used = strlen(list);
                snprintf(list + used, sizeof(list) - used, "%s\"%s\"", n == 0 ? "" : words[n + 1].text ? ", " : " or ",
                         words[n].text);
                names[n] = words[n].text;
        }
        near = given ? name_nearest(given, names) : NULL;
        if (near)
                config_fault_value(c, at, "expected %s; did you mean \"%s\"?", list, near);
        else
                config_fault_value(c, at, "expected %s", list);
}

static void word_read(ConfigCheck *c, const Spot *at, json_t *v, const ConfigKey *key, void *object) {
        const char *s = json_string_value(v);

        for (const ConfigWord *w = key->words; s && w->text; w++)
                if (streq(w->text, s)) {
                        SLOT(unsigned, key, object) = w->value;
                        return;
                }
        fault_words(c, at, key->words, s);
}

static void word_schema(const ConfigKey *key, Text *t) {
        json_put_array(t, "enum");
        for (const ConfigWord *w = key->words; w->text; w++)
                json_put_string(t, NULL, w->text);
        json_end_array(t);
}

const ConfigType config_type_word = { "word", word_read, integer_equal, word_schema };

/* path */

const char *config_read_path(ConfigCheck *c, const Spot *at, json_t *v, size_t max) {
        const char *s = json_string_value(v);

        if (!s || s[0] != '/') {
                config_fault_value(c, at, "expected an absolute path");
                return NULL;
        }
        if (strlen(s) > max) {
                config_fault_value(c, at, "this path is too long: at most %zu bytes", max);
                return NULL;
        }
        for (const char *p = s; *p; p++)
                if ((unsigned char) *p < 0x20 || *p == 0x7f) {
                        config_fault_value(c, at, "a control character in a path");
                        return NULL;
                }
        return s;
}

static void path_read(ConfigCheck *c, const Spot *at, json_t *v, const ConfigKey *key, void *object) {
        const char *s = config_read_path(c, at, v, (size_t) key->max);
        if (!s)
                return;
        char *copy = alloc_strdup(s);
        if (!copy) {
                c->error = -ENOMEM;
                return;
        }
        free(SLOT(char *, key, object));
        SLOT(char *, key, object) = copy;
}

static bool path_equal(const ConfigKey *key, const void *a, const void *b) {
        const char *x = SLOT_CONST(char *, key, a), *y = SLOT_CONST(char *, key, b);
        return streq(x ? x : "/", y ? y : "/");
}

const ConfigType config_type_path = { "absolute path", path_read, path_equal, reference_schema };

/* umask */

static void umask_read(ConfigCheck *c, const Spot *at, json_t *v, const ConfigKey *key, void *object) {
        unsigned mode;

        if (!json_is_string(v) || parse_octal_mode(json_string_value(v), &mode) < 0 || mode > 0777)
                config_fault_value(c, at, "expected octal digits in a string, \"000\" to \"777\", such as \"027\"");
        else
                SLOT(mode_t, key, object) = mode;
}

static void umask_schema(const ConfigKey *key, Text *t) {
        json_put_string(t, "type", "string");
        json_put_string(t, "pattern", "^(0o)?0?[0-7]{1,3}$");
}

const ConfigType config_type_umask = { "octal mask", umask_read, integer_equal, umask_schema };

/* mode: octal digits for a file of several users; its owner must be able to use it */

static void mode_read(ConfigCheck *c, const Spot *at, json_t *v, const ConfigKey *key, void *object) {
        unsigned mode;

        if (!json_is_string(v) || parse_octal_mode(json_string_value(v), &mode) < 0 || mode > 0777 || (mode & 0600) != 0600)
                config_fault_value(c, at, "expected octal digits in a string, \"600\" to \"777\", such as \"0660\"");
        else
                SLOT(mode_t, key, object) = mode;
}

const ConfigType config_type_mode = { "octal mode", mode_read, integer_equal, umask_schema };

/* signal */

static void signal_read(ConfigCheck *c, const Spot *at, json_t *v, const ConfigKey *key, void *object) {
        int sig = -EINVAL;

        if (json_is_string(v))
                sig = signal_from_string(json_string_value(v));
        else if (json_is_integer(v) && is_within(key, (double) json_integer_value(v)))
                sig = (int) json_integer_value(v);
        if (sig < 1)
                config_fault_value(c, at, "expected a signal: a name such as \"TERM\", \"SIGINT\", \"RTMIN+3\", or a number 1 to 64");
        else
                SLOT(int, key, object) = sig;
}

static void signal_schema(const ConfigKey *key, Text *t) {
        json_put_string(t, "$ref", "#/$defs/signal");
}

const ConfigType config_type_signal = { "signal", signal_read, integer_equal, signal_schema };

/* objects: the validation goes into them by itself, only the wrong kind comes here */

static void object_read(ConfigCheck *c, const Spot *at, json_t *v, const ConfigKey *key, void *object) {
        if (!json_is_object(v))
                config_fault_value(c, at, "expected an object: { ... }");
}

static void object_schema(const ConfigKey *key, Text *t) {
        json_put_string(t, "type", "object");
}

static void pools_schema(const ConfigKey *key, Text *t) {
        json_put_string(t, "type", "object");
        json_put_object(t, "propertyNames");
        json_put_string(t, "pattern", "^[a-z0-9][a-z0-9_.-]{0,62}$");
        json_end_object(t);
        json_put_object(t, "additionalProperties");
        json_put_string(t, "$ref", "#/$defs/pool");
        json_end_object(t);
}

const ConfigType config_type_object = { "object", object_read, NULL, object_schema };
const ConfigType config_type_pools = { "object", object_read, NULL, pools_schema };
