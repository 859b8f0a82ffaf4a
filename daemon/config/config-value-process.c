/* config-value-process.c - values that say how a process is set up: CPUs, limits, codes. */
#include "base/alloc.h"
#include "base/file.h"
#include "base/parse.h"
#include "config/config-key.h"
#include "config/resolve.h"
#include <math.h>
#include <stdio.h>
#include <unistd.h>

/* cpu_affinity */

static bool cpu_number(const char *s, size_t n, unsigned *ret) {
        char digits[8] = "";
        uint64_t v;

        if (n == 0 || n >= sizeof(digits))
                return false;
        memcpy(digits, s, n);
        if (parse_u64(digits, &v) < 0 || v >= CPU_SETSIZE)
                return false;
        *ret = (unsigned) v;
        return true;
}

/* "3" or "0-3". */
static bool cpus_add_text(const char *s, cpu_set_t *set) {
        const char *dash = strchr(s, '-');
        unsigned first, last;

        if (!cpu_number(s, dash ? (size_t) (dash - s) : strlen(s), &first))
                return false;
        last = first;
        if (dash && !cpu_number(dash + 1, strlen(dash + 1), &last))
                return false;
        for (unsigned i = first; i <= last; i++)
                CPU_SET(i, set);
        return first <= last;
}

static bool cpus_add(json_t *v, cpu_set_t *set) {
        if (json_is_string(v))
                return cpus_add_text(json_string_value(v), set);
        json_int_t n = json_integer_value(v);
        if (!json_is_integer(v) || n < 0 || n >= CPU_SETSIZE)
                return false;
        CPU_SET((size_t) n, set);
        return true;
}

static void cpus_read(ConfigCheck *c, const Spot *at, json_t *v, const ConfigKey *key, void *object) {
        PoolConfig *p = object;
        bool good = true;
        cpu_set_t set;
        json_t *item;
        size_t i;

        CPU_ZERO(&set);
        if (json_array_size(v) == 0) {
                config_fault_value(c, at, "expected a non-empty array of CPU numbers and ranges: [0, \"2-3\"]");
                return;
        }
        json_array_foreach(v, i, item) {
                Spot here = { .up = at, .index = i };
                if (cpus_add(item, &set))
                        continue;
                config_fault_value(c, &here, "expected a CPU, 0 to %d, or a range such as \"2-3\"", CPU_SETSIZE - 1);
                good = false;
        }
        if (!good)
                return;
        p->affinity = set;
        p->has_affinity = true;
}

static bool cpus_equal(const ConfigKey *key, const void *a, const void *b) {
        const PoolConfig *x = a, *y = b;
        return x->has_affinity == y->has_affinity && (!x->has_affinity || CPU_EQUAL(&x->affinity, &y->affinity));
}

static void cpus_schema(const ConfigKey *key, Text *t) {
        json_put_string(t, "type", "array");
        json_put_i64(t, "minItems", 1);
        json_put_raw(t, "items",
                     "{\"anyOf\":[{\"type\":\"integer\",\"minimum\":0,\"maximum\":1023},"
                     "{\"type\":\"string\",\"pattern\":\"^[0-9]+(-[0-9]+)?$\"}]}");
}

const ConfigType config_type_cpus = { "array of CPUs", cpus_read, cpus_equal, cpus_schema };

/* limits */

static bool limit_value(json_t *v, bool is_size, rlim_t *ret) {
        uint64_t n;

        if (json_is_string(v) && streq(json_string_value(v), "infinity")) {
                *ret = RLIM_INFINITY;
                return true;
        }
        if (is_size ? json_size(v, &n) < 0 : !json_is_integer(v) || json_integer_value(v) < 0)
                return false;
        if (!is_size)
                n = (uint64_t) json_integer_value(v);
        *ret = n;
        return true;
}

/* The kernel's own ceiling of open files, which setrlimit(2) never exceeds, not even for root. */
static rlim_t nofile_ceiling(void) {
        _cleanup_free_ char *data = NULL;
        uint64_t n;
        size_t size;

        if (file_read("/proc/sys/fs/nr_open", 64, &data, &size) < 0)
                return RLIM_INFINITY;
        data[strcspn(data, "\n")] = 0;
        return parse_u64(data, &n) < 0 ? RLIM_INFINITY : n;
}

/* "infinity" open files means as many as there may be. */
static bool limit_fits_kernel(ConfigCheck *c, const Spot *at, const ConfigKey *key, struct rlimit *limit) {
        rlim_t ceiling = key->detail == RLIMIT_NOFILE ? nofile_ceiling() : RLIM_INFINITY;

        if (limit->rlim_max == RLIM_INFINITY)
                limit->rlim_max = ceiling;
        if (limit->rlim_cur == RLIM_INFINITY)
                limit->rlim_cur = ceiling;
        if (limit->rlim_max <= ceiling)
                return true;
        config_fault_value(c, at, "the kernel allows at most %llu here (fs.nr_open)", (unsigned long long) ceiling);
        return false;
}

/* An ordinary process may lower its hard limits, never raise them. */
static bool limit_is_permitted(ConfigCheck *c, const Spot *at, const ConfigKey *key, rlim_t hard) {
        struct rlimit own;

        if (c->ctx->is_system || getrlimit((unsigned) key->detail, &own) < 0 || hard <= own.rlim_max)
                return true;
        config_fault_value(c, at, "only root can raise a hard limit; it is %llu here",
                           (unsigned long long) own.rlim_max);
        return false;
}

static void limit_read(ConfigCheck *c, const Spot *at, json_t *v, const ConfigKey *key, void *object) {
        PoolConfig *p = object;
        struct rlimit limit = { 0, 0 };
        bool is_pair = json_is_array(v) && json_array_size(v) == 2;
        json_t *soft = is_pair ? json_array_get(v, 0) : v, *hard = is_pair ? json_array_get(v, 1) : v;

        if (!limit_value(soft, key->is_size, &limit.rlim_cur) || !limit_value(hard, key->is_size, &limit.rlim_max))
                config_fault_value(c, at, "expected a number, %s\"infinity\", or [soft, hard]",
                                   key->is_size ? "a size such as \"64M\", " : "");
        else if (limit.rlim_cur > limit.rlim_max)
                config_fault_value(c, at, "the soft limit is above the hard one");
        else if (limit_fits_kernel(c, at, key, &limit) && limit_is_permitted(c, at, key, limit.rlim_max)) {
                p->limits[key->detail] = limit;
                p->has_limit[key->detail] = true;
        }
}

static bool limit_equal(const ConfigKey *key, const void *a, const void *b) {
        const PoolConfig *x = a, *y = b;
        const struct rlimit *p = &x->limits[key->detail], *q = &y->limits[key->detail];

        if (x->has_limit[key->detail] != y->has_limit[key->detail])
                return false;
        return !x->has_limit[key->detail] || (p->rlim_cur == q->rlim_cur && p->rlim_max == q->rlim_max);
}

static void limit_schema(const ConfigKey *key, Text *t) {
        json_put_string(t, "$ref", key->is_size ? "#/$defs/limit-size" : "#/$defs/limit-count");
}

/* A limit that is taken away was what drover has, which only a new process gets; and an ordinary user's process cannot
 * have its hard limit raised. All else is done in life. */
static ConfigCost limit_cost(const ConfigKey *key, const void *a, const void *b) {
        const PoolConfig *x = a, *y = b;
        bool is_raised = !x->has_limit[key->detail] || y->limits[key->detail].rlim_max > x->limits[key->detail].rlim_max;

        if (!y->has_limit[key->detail] || (is_raised && geteuid() != 0))
                return CONFIG_NEXT_START;
        return key->cost;
}

const ConfigType config_type_limit = { "limit", limit_read, limit_equal, limit_schema, limit_cost };

/* success_codes */

static bool code_value(json_t *v, int *ret) {
        if (json_is_string(v)) {
                int sig = signal_from_string(json_string_value(v));
                *ret = -sig;
                return sig > 0;
        }
        json_int_t n = json_integer_value(v);
        *ret = (int) n;
        return json_is_integer(v) && n >= -64 && n <= 255;
}

static int compare_codes(const void *a, const void *b) {
        return *(const int *) a - *(const int *) b;
}

static void codes_read(ConfigCheck *c, const Spot *at, json_t *v, const ConfigKey *key, void *object) {
        PoolConfig *p = object;
        int codes[RESTART_SUCCESS_CODES_MAX];
        size_t i, n = json_array_size(v);
        bool good = true;
        json_t *item;

        if (!json_is_array(v) || n > RESTART_SUCCESS_CODES_MAX) {
                config_fault_value(c, at, "expected an array of at most %d codes: [0, 3, \"SIGTERM\"]",
                                   RESTART_SUCCESS_CODES_MAX);
                return;
        }
        json_array_foreach(v, i, item) {
                Spot here = { .up = at, .index = i };
                if (code_value(item, &codes[i]))
                        continue;
                config_fault_value(c, &here, "expected an exit code, 0 to 255, a signal's name, or -1 to -64");
                good = false;
        }
        if (!good)
                return;
        if (n > 0)
                qsort(codes, n, sizeof(codes[0]), compare_codes);
        memcpy(p->restart.success_codes, codes, n * sizeof(codes[0]));
        p->restart.n_success_codes = n;
}

static bool codes_equal(const ConfigKey *key, const void *a, const void *b) {
        const RestartConfig *x = &((const PoolConfig *) a)->restart, *y = &((const PoolConfig *) b)->restart;
        return x->n_success_codes == y->n_success_codes &&
               memcmp(x->success_codes, y->success_codes, x->n_success_codes * sizeof(int)) == 0;
}

static void codes_schema(const ConfigKey *key, Text *t) {
        json_put_string(t, "type", "array");
        json_put_i64(t, "maxItems", RESTART_SUCCESS_CODES_MAX);
        json_put_raw(t, "items",
                     "{\"anyOf\":[{\"type\":\"integer\",\"minimum\":-64,\"maximum\":255},{\"$ref\":\"#/$defs/signal\"}]}");
}

const ConfigType config_type_codes = { "array of exit codes", codes_read, codes_equal, codes_schema };
