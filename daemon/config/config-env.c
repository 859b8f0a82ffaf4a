/* config-env.c - a worker's environment, built from nothing.
 *
 * Layers, later ones win: the built-in variables (unless clear_env), env_file, env. Nothing of droverd's own
 * environment gets in but LANG. What drover itself sets for each worker is refused here. The result is sorted, so that
 * the order in a file means nothing. */
#include "base/alloc.h"
#include "config/config-validate.h"
#include "config/env-file.h"
#include "config/resolve.h"
#include <stdio.h>

#define ENV_MAX 4096u

typedef struct EnvBuild {
        ConfigCheck *check;
        const Spot *file_spot;  /* of env_file */
        const char *file;
        json_t *vars;           /* name -> value */
        json_t *lines;          /* name -> line in the file, to name doubled ones */
} EnvBuild;

static bool is_reserved(const char *key) {
        static const char *const names[] = { "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID",
                                             "LISTEN_FDS",    "LISTEN_PID",    "LISTEN_FDNAMES" };

        for (size_t i = 0; i < ARRAY_SIZE(names); i++)
                if (streq(names[i], key))
                        return true;
        return strncmp(key, "DROVER_", 7) == 0;
}

/* What is wrong with a variable, or NULL. */
static const char *variable_fault(const char *key, size_t value_length) {
        if (!*key)
                return "the name of a variable is empty";
        for (const char *p = key; *p; p++)
                if (*p == '=' || (unsigned char) *p <= ' ' || *p == 0x7f)
                        return "the name of a variable may hold no =, blank or control character";
        if (is_reserved(key))
                return "drover sets this variable itself; choose another name";
        if (strlen(key) + 1 + value_length > CONFIG_STRING_MAX)
                return "too long: the kernel takes at most 131071 bytes in one variable";
        return NULL;
}

/* env */

static void env_read(ConfigCheck *c, const Spot *at, json_t *v, const ConfigKey *key, void *object) {
        const char *name;
        json_t *value;

        if (!json_is_object(v)) {
                config_fault_value(c, at, "expected an object of variables: { \"NAME\": \"value\" }");
                return;
        }
        if (json_object_size(v) > ENV_MAX)
                config_fault_value(c, at, "too many variables: at most %u", ENV_MAX);
        json_object_foreach(v, name, value) {
                Spot here = { .up = at, .key = name };
                const char *fault = variable_fault(name, json_string_length(value));
                if (fault)
                        config_fault_key(c, &here, "%s", fault);
                if (!json_is_string(value) && !json_is_integer(value))
                        config_fault_value(c, &here, "expected a string");
        }
}

/* Compared as a whole: env, env_file, clear_env, and the account's home all end up here. */
static bool env_equal(const ConfigKey *key, const void *a, const void *b) {
        char **x = ((const PoolConfig *) a)->env, **y = ((const PoolConfig *) b)->env;

        for (; *x && *y; x++, y++)
                if (!streq(*x, *y))
                        return false;
        return !*x && !*y;
}

static void env_schema(const ConfigKey *key, Text *t) {
        json_put_string(t, "type", "object");
        json_put_raw(t, "propertyNames", "{\"pattern\":\"^[^=\\\\u0000-\\\\u0020]+$\"}");
        json_put_raw(t, "additionalProperties", "{\"type\":[\"string\",\"integer\"]}");
}

static void env_file_key_read(ConfigCheck *c, const Spot *at, json_t *v, const ConfigKey *key, void *object) {
        (void) config_read_path(c, at, v, CONFIG_PATH_MAX);
}

static void env_file_schema(const ConfigKey *key, Text *t) {
        json_put_string(t, "$ref", "#/$defs/path");
}

static void clear_env_read(ConfigCheck *c, const Spot *at, json_t *v, const ConfigKey *key, void *object) {
        if (!json_is_boolean(v))
                config_fault_value(c, at, "expected true or false");
}

static void clear_env_schema(const ConfigKey *key, Text *t) {
        json_put_string(t, "type", "boolean");
}

const ConfigType config_type_env = { "object of strings", env_read, env_equal, env_schema };
const ConfigType config_type_env_file = { "absolute path", env_file_key_read, NULL, env_file_schema };
const ConfigType config_type_clear_env = { "true or false", clear_env_read, NULL, clear_env_schema };

/* Building */

static void build_set(EnvBuild *b, const char *key, const char *value) {
        /* _nocheck: bytes of an account or a file need not be UTF-8 */
        if (json_object_set_new_nocheck(b->vars, key, json_string_nocheck(value)) < 0)
                b->check->error = -ENOMEM;
}

static bool is_locale(const char *s) {
        static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.@-";
        return s && *s && strspn(s, allowed) == strlen(s) && strlen(s) < 64;
}

/* By name, since two accounts may share a number and have different homes. */
static int find_account(EnvBuild *b, const PoolConfig *p, Account *other, const Account **ret) {
        if (p->has_identity && resolve_user(p->user_name, other) == 0) {
                *ret = other;
                return 0;
        }
        return resolve_own(b->check->ctx->uid, ret);
}

static void build_builtin(EnvBuild *b, const PoolConfig *p) {
        _cleanup_account_ Account other = { 0 };
        const Account *account;
        const char *lang = getenv("LANG");
        int r = find_account(b, p, &other, &account);

        if (r < 0) {
                b->check->error = r;
                return;
        }
        build_set(b, "PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
        build_set(b, "HOME", account->home);
        build_set(b, "USER", p->user_name ? p->user_name : account->name);
        build_set(b, "LOGNAME", p->user_name ? p->user_name : account->name);
        build_set(b, "SHELL", account->shell);
        build_set(b, "LANG", is_locale(lang) ? lang : "C.UTF-8");
}

static void build_report(const EnvFileFault *fault, void *userdata) {
        EnvBuild *b = userdata;
        config_fault_unplaced(b->check, b->file, fault->line, fault->column, NULL, "%s", fault->text);
}

static int build_add_from_file(const char *key, const char *value, int line, void *userdata) {
        EnvBuild *b = userdata;
        EnvFileFault fault = { .line = line, .column = 1 };
        const char *text = variable_fault(key, strlen(value));
        json_t *first = json_object_get(b->lines, key);
        _cleanup_json_ json_t *is_utf8 = json_string(value);

        if (text)
                snprintf(fault.text, sizeof(fault.text), "%s", text);
        else if (!is_utf8)
                snprintf(fault.text, sizeof(fault.text), "this value is not UTF-8");
        else if (first)
                snprintf(fault.text, sizeof(fault.text), "this variable stands twice; the first is in line %lld",
                         (long long) json_integer_value(first));
        else {
                if (json_object_set_new_nocheck(b->lines, key, json_integer(line)) < 0)
                        return -ENOMEM;
                build_set(b, key, value);
                return 0;
        }
        build_report(&fault, b);
        return 0;
}

static void build_file(EnvBuild *b, const PoolConfig *p) {
        _cleanup_free_ char *text = NULL;
        EnvFileFault fault = { 0 };
        int r = env_file_read(b->file, b->check->ctx->uid, p->has_identity ? p->uid : b->check->ctx->uid, &text, &fault);

        if (r == -EBADMSG)
                config_fault_value(b->check, b->file_spot, "%s: %s", b->file, fault.text);
        if (r == 0)
                r = env_file_parse(text, build_add_from_file, build_report, b);
        if (r == -ENOMEM)
                b->check->error = r;
}

static void build_given(EnvBuild *b, json_t *env) {
        const char *name;
        json_t *value;

        json_object_foreach(env, name, value) {
                char digits[24];
                snprintf(digits, sizeof(digits), "%lld", (long long) json_integer_value(value));
                build_set(b, name, json_is_string(value) ? json_string_value(value) : digits);
        }
}

static int compare_variables(const void *a, const void *b) {
        return strcmp(*(char *const *) a, *(char *const *) b);
}

/* The array of "KEY=value", sorted; NULL when memory is short. */
static char **build_finish(EnvBuild *b) {
        _cleanup_(strv_freep) char **env = NEW0_ARRAY(char *, json_object_size(b->vars) + 1);
        const char *name;
        json_t *value;
        size_t n = 0;

        if (!env)
                return NULL;
        json_object_foreach(b->vars, name, value) {
                env[n] = alloc_variable(name, json_string_value(value));
                if (!env[n++])
                        return NULL;
        }
        qsort(env, n, sizeof(*env), compare_variables);
        return TAKE_PTR(env);
}

void config_env_finish(ConfigCheck *c, const Spot *at, json_t *o, PoolConfig *p) {
        _cleanup_json_ json_t *vars = json_object(), *lines = json_object();
        Spot spot = { .up = at, .key = "env_file" };
        const char *path = json_string_value(json_object_get(o, "env_file"));
        EnvBuild b = { .check = c, .file_spot = &spot, .file = path, .vars = vars, .lines = lines };

        if (!vars || !lines) {
                c->error = -ENOMEM;
                return;
        }
        if (!json_is_true(json_object_get(o, "clear_env")))
                build_builtin(&b, p);
        if (path && path[0] == '/')
                build_file(&b, p);
        build_given(&b, json_object_get(o, "env"));
        p->env = build_finish(&b);
        if (!p->env)
                c->error = -ENOMEM;
}
