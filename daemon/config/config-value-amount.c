/* config-value-amount.c - how many and how much: workers, counts, parts of a pool, values of a cgroup. */
#include "base/alloc.h"
#include "base/parse.h"
#include "config/config-key.h"
#include "config/resolve.h"
#include <math.h>
#include <stdio.h>

#define SLOT(type, key, object) (*(type *) config_slot((key), (object)))
#define SLOT_CONST(type, key, object) (*(const type *) config_slot_const((key), (object)))

static void fault_bounds(ConfigCheck *c, const Spot *at, const ConfigKey *key) {
        config_fault_value(c, at, "out of bounds: it may be %.10g to %.10g", key->min, key->max);
}

/* workers: a number or a word; the object with min and max has rows of its own */

#define FACTOR_MAX 1000.0

/* "cpus", "2*cpus", "0.5*cpus": the factor. */
static bool workers_factor(const char *s, double *ret) {
        size_t digits = strspn(s, "0123456789.");
        char *end;

        if (streq(s, "cpus")) {
                *ret = 1;
                return true;
        }
        if (digits == 0 || digits > 8 || s[0] == '.' || s[digits - 1] == '.' || !streq(s + digits, "*cpus"))
                return false;
        *ret = strtod(s, &end);
        return end == s + digits && *ret > 0 && *ret <= FACTOR_MAX;
}

/* The number that @v means; false after a fault. */
static bool workers_number(ConfigCheck *c, const Spot *at, json_t *v, const ConfigKey *key, unsigned *ret) {
        const char *s = json_string_value(v);
        double factor, n;

        if (json_is_integer(v))
                n = (double) json_integer_value(v);
        else if (s && workers_factor(s, &factor))
                n = MAX(1.0, floor(factor * resolve_cpus()));
        else {
                config_fault_value(c, at, "expected a number, \"cpus\", a multiple such as \"2*cpus\"%s",
                                   key->type == &config_type_workers ? ", or { \"min\": 1, \"max\": 8 }" : "");
                return false;
        }
        if (n < key->min || n > key->max) {
                fault_bounds(c, at, key);
                return false;
        }
        *ret = (unsigned) n;
        return true;
}

static void workers_read(ConfigCheck *c, const Spot *at, json_t *v, const ConfigKey *key, void *object) {
        PoolConfig *p = object;
        unsigned n;

        if (workers_number(c, at, v, key, &n) && config_store_string(c, &p->workers_text, json_string_value(v)) == 0)
                p->workers = n;
}

static bool workers_equal(const ConfigKey *key, const void *a, const void *b) {
        const PoolConfig *x = a, *y = b;

        if (!x->workers_max != !y->workers_max)
                return false;
        if (x->workers_max)
                return true; /* min and max tell it */
        if (!x->workers_text || !y->workers_text)
                return x->workers == y->workers && !x->workers_text == !y->workers_text;
        return x->workers == y->workers && streq(x->workers_text, y->workers_text);
}

static void workers_schema(const ConfigKey *key, Text *t) {
        json_put_array(t, "anyOf");
        json_put_object(t, NULL);
        json_put_string(t, "type", "integer");
        json_put_i64(t, "minimum", (int64_t) key->min);
        json_put_i64(t, "maximum", (int64_t) key->max);
        json_end_object(t);
        json_put_object(t, NULL);
        json_put_string(t, "type", "string");
        json_put_string(t, "pattern", "^([0-9]+([.][0-9]+)?\\*)?cpus$");
        json_end_object(t);
        json_end_array(t);
}

const ConfigType config_type_workers = { "number of workers", workers_read, workers_equal, workers_schema };

static void bound_read(ConfigCheck *c, const Spot *at, json_t *v, const ConfigKey *key, void *object) {
        unsigned n;

        if (workers_number(c, at, v, key, &n))
                SLOT(unsigned, key, object) = n;
}

/* A fixed size is told by the key workers alone. */
static bool bound_equal(const ConfigKey *key, const void *a, const void *b) {
        const PoolConfig *x = a, *y = b;
        return !x->workers_max || !y->workers_max || SLOT_CONST(unsigned, key, a) == SLOT_CONST(unsigned, key, b);
}

const ConfigType config_type_workers_bound = { "number of workers", bound_read, bound_equal, workers_schema };

/* count: a whole number, stored as uint64_t */

static void count_read(ConfigCheck *c, const Spot *at, json_t *v, const ConfigKey *key, void *object) {
        json_int_t n = json_integer_value(v);

        if (!json_is_integer(v))
                config_fault_value(c, at, "expected a whole number");
        else if ((double) n < key->min || (double) n > key->max)
                fault_bounds(c, at, key);
        else
                SLOT(uint64_t, key, object) = (uint64_t) n;
}

static bool count_equal(const ConfigKey *key, const void *a, const void *b) {
        return SLOT_CONST(uint64_t, key, a) == SLOT_CONST(uint64_t, key, b);
}

static void count_schema(const ConfigKey *key, Text *t) {
        json_put_string(t, "type", "integer");
        json_put_i64(t, "minimum", (int64_t) key->min);
        json_put_i64(t, "maximum", (int64_t) key->max);
}

/* A count, or what the schema @other describes. */
static void count_or(const ConfigKey *key, Text *t, const char *other) {
        json_put_array(t, "anyOf");
        json_put_object(t, NULL);
        count_schema(key, t);
        json_end_object(t);
        json_put_raw(t, NULL, other);
        json_end_array(t);
}

const ConfigType config_type_count = { "whole number", count_read, count_equal, count_schema };

/* part: a number of workers, or a percentage of the pool; offset_has tells which */

static bool percent_parse(const char *s, double *ret) {
        size_t n = strspn(s, "0123456789.");
        char *end;

        if (n == 0 || n > 8 || s[0] == '.' || s[n - 1] == '.' || !streq(s + n, "%"))
                return false;
        *ret = strtod(s, &end);
        return end == s + n;
}

static void part_read(ConfigCheck *c, const Spot *at, json_t *v, const ConfigKey *key, void *object) {
        bool *is_percent = (bool *) ((char *) object + key->offset_has);
        const char *s = json_string_value(v);
        double n;

        if (json_is_integer(v))
                n = (double) json_integer_value(v);
        else if (!s || !percent_parse(s, &n) || n != floor(n)) {
                config_fault_value(c, at, "expected a number of workers, or a percentage of them such as \"25%%\"");
                return;
        }
        if (n < key->min || n > (s ? 100 : key->max)) {
                config_fault_value(c, at, "out of bounds: it may be %g to %.10g, or \"%g%%\" to \"100%%\"", key->min, key->max, key->min);
                return;
        }
        SLOT(unsigned, key, object) = (unsigned) n;
        *is_percent = s != NULL;
}

static bool part_equal(const ConfigKey *key, const void *a, const void *b) {
        return SLOT_CONST(unsigned, key, a) == SLOT_CONST(unsigned, key, b) &&
               *(const bool *) ((const char *) a + key->offset_has) == *(const bool *) ((const char *) b + key->offset_has);
}

static void part_schema(const ConfigKey *key, Text *t) {
        count_or(key, t, "{\"type\":\"string\",\"pattern\":\"^[0-9]{1,3}%$\"}");
}

const ConfigType config_type_part = { "number or percentage", part_read, part_equal, part_schema };

/* values of a cgroup: what the kernel's file takes, "max" among it */

static bool is_word_max(json_t *v) {
        return json_is_string(v) && streq(json_string_value(v), "max");
}

static void cgroup_bytes_read(ConfigCheck *c, const Spot *at, json_t *v, const ConfigKey *key, void *object) {
        char low[16], high[16];
        uint64_t bytes = CGROUP_MAX;
        int r = is_word_max(v) ? 0 : json_size(v, &bytes);

        if (r == -EINVAL)
                config_fault_value(c, at, "expected a size, \"64M\", \"1G\", a number of bytes, or \"max\"");
        else if (r < 0 || (bytes != CGROUP_MAX && ((double) bytes < key->min || (double) bytes > key->max)))
                config_fault_value(c, at, "out of bounds: it may be %s to %s, or \"max\"", size_format(low, (uint64_t) key->min),
                                   size_format(high, (uint64_t) key->max));
        else
                SLOT(uint64_t, key, object) = bytes;
}

static void cgroup_bytes_schema(const ConfigKey *key, Text *t) {
        json_put_raw(t, "anyOf", "[{\"$ref\":\"#/$defs/size\"},{\"const\":\"max\"}]");
}

const ConfigType config_type_cgroup_bytes = { "size or \"max\"", cgroup_bytes_read, count_equal, cgroup_bytes_schema };

static void cgroup_count_read(ConfigCheck *c, const Spot *at, json_t *v, const ConfigKey *key, void *object) {
        if (is_word_max(v))
                SLOT(uint64_t, key, object) = CGROUP_MAX;
        else if (!json_is_integer(v))
                config_fault_value(c, at, "expected a whole number, or \"max\"");
        else
                count_read(c, at, v, key, object);
}

static void cgroup_count_schema(const ConfigKey *key, Text *t) {
        count_or(key, t, "{\"const\":\"max\"}");
}

const ConfigType config_type_cgroup_count = { "whole number or \"max\"", cgroup_count_read, count_equal, cgroup_count_schema };

#define CPU_PERIOD_USEC 100000.0 /* what a quota is counted in: cgroup v2's own default period */

static void cgroup_cpu_read(ConfigCheck *c, const Spot *at, json_t *v, const ConfigKey *key, void *object) {
        const char *s = json_string_value(v);
        double cpus = 0;

        if (is_word_max(v)) {
                SLOT(uint64_t, key, object) = CGROUP_MAX;
                return;
        }
        if (json_is_number(v))
                cpus = json_number_value(v);
        else if (s && percent_parse(s, &cpus))
                cpus /= 100;
        else {
                config_fault_value(c, at, "expected \"50%%\" of one CPU, a number of CPUs such as 1.5, or \"max\"");
                return;
        }
        if (cpus * CPU_PERIOD_USEC < key->min || cpus * CPU_PERIOD_USEC > key->max)
                config_fault_value(c, at, "out of bounds: it may be %g to %g CPUs, or \"max\"", key->min / CPU_PERIOD_USEC,
                                   key->max / CPU_PERIOD_USEC);
        else
                SLOT(uint64_t, key, object) = (uint64_t) llround(cpus * CPU_PERIOD_USEC);
}

static void cgroup_cpu_schema(const ConfigKey *key, Text *t) {
        json_put_raw(t, "anyOf", "[{\"type\":\"number\",\"exclusiveMinimum\":0},"
                                 "{\"type\":\"string\",\"pattern\":\"^([0-9]+([.][0-9]+)?%|max)$\"}]");
}

const ConfigType config_type_cgroup_cpu = { "part of CPUs or \"max\"", cgroup_cpu_read, count_equal, cgroup_cpu_schema };
