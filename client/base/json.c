/* json.c - the guard, the bounded parser, and unpacking by table.
 *
 * The guard counts values (a container, a string, a scalar; a key is part of its member) in one pass over the
 * text. It does not check syntax. It need not: up to the first syntax error, where jansson stops, its count
 * is exact, and it stops itself at the first value too many. */
#include "base/json.h"
#include "base/parse.h"

#include <stdio.h>
#include <stdlib.h>

#define BUFFER_FACTOR 4 /* a buffer that doubles, its old half, the string made of it */
#define NODE_BYTES 320  /* an empty object with its table: measured 276 */

typedef enum GuardClass {
        GUARD_SCALAR, /* a byte of a number or a word */
        GUARD_SPACE,
        GUARD_QUOTE,
        GUARD_OPEN,
        GUARD_CLOSE,
        GUARD_COLON,
        GUARD_COMMA,
} GuardClass;

static const uint8_t guard_class[256] = {
        [' '] = GUARD_SPACE, ['\t'] = GUARD_SPACE, ['\n'] = GUARD_SPACE, ['\r'] = GUARD_SPACE,
        ['"'] = GUARD_QUOTE, ['{'] = GUARD_OPEN,   ['['] = GUARD_OPEN,   ['}'] = GUARD_CLOSE,
        [']'] = GUARD_CLOSE, [':'] = GUARD_COLON,  [','] = GUARD_COMMA,
};

/* Where @offset is, for a person. */
static void fault_locate(JsonFault *fault, const char *text, size_t offset) {
        size_t begin = 0;

        fault->offset = offset;
        fault->line = 1;
        for (size_t i = 0; i < offset; i++)
                if (text[i] == '\n') {
                        fault->line++;
                        begin = i + 1;
                }
        fault->column = (int) (offset - begin) + 1;
}

static int guard_fail(JsonFault *fault, const char *text, size_t offset, int error, const char *what,
                      size_t limit) {
        if (fault) {
                fault_locate(fault, text, offset);
                (void) snprintf(fault->text, sizeof(fault->text), "%s (at most %zu)", what, limit);
        }
        return error;
}

/* Past the string whose opening quote is before @i. */
static size_t skip_string(const char *text, size_t size, size_t i) {
        for (;;) {
                const char *quote = memchr(text + i, '"', size - i);
                size_t end, slashes = 0;

                if (!quote)
                        return size;
                end = (size_t) (quote - text);
                while (end - slashes > i && text[end - slashes - 1] == '\\')
                        slashes++;
                if (slashes % 2 == 0)
                        return end + 1;
                i = end + 1;
        }
}

static int guard_count(const char *text, size_t size, const JsonLimits *limits, size_t *ret_nodes, JsonFault *ret_fault) {
        size_t nodes = 0, i = 0;
        unsigned depth = 0;

        if (size > limits->max_bytes)
                return guard_fail(ret_fault, text, 0, -E2BIG, "too many bytes", limits->max_bytes);
        while (i < size) {
                size_t at = i++;
                GuardClass class = guard_class[(uint8_t) text[at]];

                switch (class) {
                case GUARD_SPACE:
                case GUARD_COMMA:
                        continue;
                case GUARD_COLON: /* what stood before was a key */
                        nodes -= nodes > 0;
                        continue;
                case GUARD_CLOSE:
                        depth -= depth > 0;
                        continue;
                case GUARD_OPEN:
                        if (++depth > limits->max_depth)
                                return guard_fail(ret_fault, text, at, -ELOOP, "nested too deeply",
                                                  limits->max_depth);
                        break;
                case GUARD_QUOTE:
                        i = skip_string(text, size, i);
                        break;
                case GUARD_SCALAR:
                        while (i < size && guard_class[(uint8_t) text[i]] == GUARD_SCALAR)
                                i++;
                        break;
                }
                if (++nodes > limits->max_nodes)
                        return guard_fail(ret_fault, text, at, -E2BIG, "too many values", limits->max_nodes);
        }
        *ret_nodes = nodes;
        return 0;
}

int json_guard(const char *text, size_t size, const JsonLimits *limits, JsonFault *ret_fault) {
        size_t nodes;

        return guard_count(text, size, limits, &nodes, ret_fault);
}

/* jansson 2.14 does not look whether the buffer of the string it is reading could grow, and then runs over its end: so
 * what it may need at the most must be there before. Freed at once: nobody else allocates before jansson does. */
static int check_memory(size_t size, size_t nodes) {
        void *probe = malloc(BUFFER_FACTOR * size + NODE_BYTES * nodes + 4096);

        if (!probe)
                return -ENOMEM;
        __asm__ volatile("" : : "r"(probe) : "memory"); /* or the compiler would drop the pair */
        free(probe);
        return 0;
}

/* jansson 2.14 takes a NUL after a value for the end of the text and accepts whatever stands behind it. */
static int refuse_nul(const char *text, size_t size, JsonFault *fault) {
        const char *nul = memchr(text, 0, size);

        if (!nul)
                return 0;
        if (fault) {
                fault_locate(fault, text, (size_t) (nul - text));
                (void) snprintf(fault->text, sizeof(fault->text), "a NUL byte");
        }
        return -EBADMSG;
}

int json_load_bounded(const char *text, size_t size, const JsonLimits *limits, json_t **ret,
                      JsonFault *ret_fault) {
        json_error_t error = {0}; /* jansson leaves part of it alone when its first allocation fails */
        json_t *value;
        size_t nodes = 0;
        int r = guard_count(text, size, limits, &nodes, ret_fault);

        if (r == 0)
                r = refuse_nul(text, size, ret_fault);
        if (r == 0)
                r = check_memory(size, nodes);
        if (r < 0)
                return r;
        value = json_loadb(text, size, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &error);
        if (!value) {
                bool is_memory = error.text[0] == 0 || json_error_code(&error) == json_error_out_of_memory;

                if (ret_fault) {
                        ret_fault->line = error.line;
                        ret_fault->column = error.column;
                        ret_fault->offset = error.position > 0 ? (size_t) error.position - 1 : 0;
                        (void) snprintf(ret_fault->text, sizeof(ret_fault->text), "%s",
                                        is_memory ? "out of memory"
                                        : json_error_code(&error) == json_error_null_character
                                                ? "\\u0000 is not allowed in a string"
                                                : error.text);
                }
                return is_memory ? -ENOMEM : -EBADMSG;
        }
        *ret = value;
        return 0;
}

int json_span(const json_t *v, usec_t *ret) {
        double seconds;

        if (json_is_string(v))
                return span_parse(json_string_value(v), ret);
        if (!json_is_number(v))
                return -EINVAL;
        seconds = json_number_value(v);
        if (!(seconds >= 0))
                return -EINVAL;
        if (seconds >= (double) (USEC_INFINITY / USEC_PER_SEC))
                return -ERANGE;
        if (json_is_integer(v))
                *ret = (usec_t) json_integer_value(v) * USEC_PER_SEC;
        else
                *ret = (usec_t) (seconds * (double) USEC_PER_SEC + 0.5);
        return 0;
}

int json_size(const json_t *v, uint64_t *ret) {
        if (json_is_string(v))
                return parse_size(json_string_value(v), ret);
        if (!json_is_integer(v))
                return -EINVAL;
        if (json_integer_value(v) < 0)
                return -ERANGE;
        *ret = (uint64_t) json_integer_value(v);
        return 0;
}

/* Each kind of field: what it wants, and how a value becomes its target. A NULL target only checks. */
#define STORE(type, target, value)                                                                           \
        do {                                                                                                 \
                if (target)                                                                                  \
                        *(type *) (target) = (value);                                                        \
        } while (0)

static int store_string(const JsonField *f, json_t *v, void *target) {
        if (!json_is_string(v))
                return -EINVAL;
        STORE(const char *, target, json_string_value(v));
        return 0;
}

static int store_bool(const JsonField *f, json_t *v, void *target) {
        if (!json_is_boolean(v))
                return -EINVAL;
        STORE(bool, target, json_is_true(v));
        return 0;
}

static int store_i64(const JsonField *f, json_t *v, void *target) {
        int64_t number;

        if (!json_is_integer(v))
                return -EINVAL;
        number = json_integer_value(v);
        if ((f->min != 0 || f->max != 0) && (number < f->min || number > f->max))
                return -ERANGE;
        STORE(int64_t, target, number);
        return 0;
}

static int store_span(const JsonField *f, json_t *v, void *target) {
        usec_t span;
        int r = json_span(v, &span);

        if (r < 0)
                return r;
        STORE(usec_t, target, span);
        return 0;
}

static int store_signal(const JsonField *f, json_t *v, void *target) {
        int sig = -EINVAL;

        if (json_is_string(v))
                sig = signal_from_string(json_string_value(v));
        else if (json_is_integer(v) && json_integer_value(v) >= 1 && json_integer_value(v) <= 64)
                sig = (int) json_integer_value(v);
        if (sig < 0)
                return sig;
        STORE(int, target, sig);
        return 0;
}

static int store_value(const JsonField *f, json_t *v, void *target) {
        STORE(json_t *, target, v);
        return 0;
}

static int store_object(const JsonField *f, json_t *v, void *target) {
        return json_is_object(v) ? store_value(f, v, target) : -EINVAL;
}

static int store_array(const JsonField *f, json_t *v, void *target) {
        return json_is_array(v) ? store_value(f, v, target) : -EINVAL;
}

static int store_strings(const JsonField *f, json_t *v, void *target) {
        size_t i;
        json_t *item;

        if (!json_is_string(v) && !json_is_array(v))
                return -EINVAL;
        json_array_foreach(v, i, item)
                if (!json_is_string(item))
                        return -EINVAL;
        return store_value(f, v, target);
}

static const struct {
        const char *wants;
        int (*store)(const JsonField *f, json_t *v, void *target);
} field_types[] = {
        [JSON_FIELD_STRING] = {"a string", store_string},
        [JSON_FIELD_BOOL] = {"true or false", store_bool},
        [JSON_FIELD_I64] = {"an integer", store_i64},
        [JSON_FIELD_SPAN] = {"a duration like \"10s\" or a number of seconds", store_span},
        [JSON_FIELD_SIGNAL] = {"a signal like \"TERM\" or a number from 1 to 64", store_signal},
        [JSON_FIELD_VALUE] = {"a value", store_value},
        [JSON_FIELD_OBJECT] = {"an object", store_object},
        [JSON_FIELD_ARRAY] = {"an array", store_array},
        [JSON_FIELD_STRINGS] = {"a string or an array of strings", store_strings},
};

static const JsonField *field_find(const JsonField *fields, const char *name) {
        for (const JsonField *f = fields; f->name; f++)
                if (streq(f->name, name))
                        return f;
        return NULL;
}

#define FIELD_HINTS_MAX 63

/* With the names there are, as far as the text is long enough. */
static void describe_unknown(const char *key, const char *const *names, JsonFault *fault) {
        size_t size = sizeof(fault->text);
        int n = snprintf(fault->text, size, "unknown \"%.40s\"%s", key, names[0] ? "; there is " : "; it takes nothing");

        for (size_t i = 0; names[i] && n > 0 && (size_t) n < size; i++)
                n += snprintf(fault->text + n, size - (size_t) n, "%s%s", i > 0 ? ", " : "", names[i]);
        if (n > 0 && (size_t) n >= size)
                memcpy(fault->text + size - 4, "...", 4);
}

static int fail_unknown(const JsonField *fields, const char *key, JsonFault *fault) {
        const char *names[FIELD_HINTS_MAX + 1], *nearest;
        size_t n = 0;

        for (const JsonField *f = fields; f->name && n < FIELD_HINTS_MAX; f++)
                names[n++] = f->name;
        names[n] = NULL;
        nearest = name_nearest(key, names);
        if (nearest)
                (void) snprintf(fault->text, sizeof(fault->text),
                                "unknown \"%.63s\"; did you mean \"%.63s\"?", key, nearest);
        else
                describe_unknown(key, names, fault);
        return -EINVAL;
}

static int fail_field(const JsonField *f, int error, JsonFault *fault) {
        if (error == -ERANGE && f->type == JSON_FIELD_I64)
                (void) snprintf(fault->text, sizeof(fault->text), "\"%s\" must be from %lld to %lld", f->name,
                                (long long) f->min, (long long) f->max);
        else
                (void) snprintf(fault->text, sizeof(fault->text), "\"%s\" must be %s%s", f->name,
                                field_types[f->type].wants, error == -ERANGE ? " in range" : "");
        return -EINVAL;
}

/* A null for an optional field is as good as its absence: many clients send their None so. */
static bool is_absent(const JsonField *f, const json_t *v) {
        return !v || (json_is_null(v) && f->type != JSON_FIELD_VALUE);
}

int json_unpack_fields(json_t *o, const JsonField *fields, void *target, JsonFault *fault) {
        const char *key;
        json_t *v;

        *fault = (JsonFault){0};
        if (!json_is_object(o)) {
                (void) snprintf(fault->text, sizeof(fault->text), "an object is wanted");
                return -EINVAL;
        }
        json_object_foreach(o, key, v) {
                const JsonField *f = field_find(fields, key);
                int r;

                if (!f)
                        return fail_unknown(fields, key, fault);
                r = is_absent(f, v) ? 0 : field_types[f->type].store(f, v, NULL);
                if (r < 0)
                        return fail_field(f, r, fault);
        }
        for (const JsonField *f = fields; f->name; f++)
                if (f->required && is_absent(f, json_object_get(o, f->name))) {
                        (void) snprintf(fault->text, sizeof(fault->text), "\"%s\" is missing%s%s", f->name,
                                        f->type == JSON_FIELD_VALUE ? "" : ": ",
                                        f->type == JSON_FIELD_VALUE ? "" : field_types[f->type].wants);
                        return -EINVAL;
                }
        for (const JsonField *f = fields; f->name; f++) {
                v = json_object_get(o, f->name);
                if (!is_absent(f, v))
                        (void) field_types[f->type].store(f, v, (char *) target + f->offset);
        }
        return 0;
}
