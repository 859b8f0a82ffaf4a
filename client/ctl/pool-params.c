/* pool-params.c - options to pool keys. */
#include "ctl/pool-params.h"

#include "base/alloc.h"
#include "base/json.h"
#include "ctl/target-args.h"
#include <unistd.h>

static int put_text(json_t *params, const char *key, const char *value, Text *error) {
        json_t *s = json_string(value);

        if (!s) {
                text_appendf(error, "%s: not UTF-8, and JSON carries nothing else", key);
                return -EINVAL;
        }
        return json_object_set_new(params, key, s) < 0 ? -ENOMEM : 0;
}

static int put_command(const CliArgs *a, json_t *params, Text *error) {
        _cleanup_json_ json_t *command = json_array();

        for (size_t i = 0; i < a->n_argv; i++) {
                json_t *s = json_string(a->argv[i]);
                if (!s) {
                        text_appendf(
                                error,
                                "argument %zu of the command is not UTF-8, and JSON carries nothing else", i);
                        return -EINVAL;
                }
                if (json_array_append_new(command, s) < 0)
                        return -ENOMEM;
        }
        return json_object_set(params, "command", command) < 0 ? -ENOMEM : 0;
}

static int put_module(const CliArgs *a, json_t *params, Text *error) {
        _cleanup_free_ char *module = target_module_path(a->text[OPT_MODULE]);
        int r = module ? put_text(params, "module", module, error) : -errno;

        if (r >= 0 && cli_given(a, OPT_TARGET))
                r = put_text(params, "target", a->text[OPT_TARGET], error);
        return r >= 0 ? target_args_put(a, a->argv, a->n_argv, params, error) : r;
}

static int put_env(const CliArgs *a, json_t *params, Text *error) {
        _cleanup_json_ json_t *env = json_object();

        for (size_t i = 0; i < a->n_env; i++) {
                const char *equals = strchr(a->env[i], '='), *value = equals ? equals + 1 : getenv(a->env[i]);
                _cleanup_free_ char *key = equals ? alloc_strndup(a->env[i], (size_t) (equals - a->env[i]))
                                                  : alloc_strdup(a->env[i]);
                if (!key)
                        return -ENOMEM;
                if (!value)
                        continue; /* not set here either */
                int r = put_text(env, key, value, error);
                if (r < 0)
                        return r;
        }
        return json_object_set(params, "env", env) < 0 ? -ENOMEM : 0;
}

char *pool_params_directory(const char *directory) {
        _cleanup_free_ char *cwd = NULL;

        if (directory && directory[0] == '/')
                return alloc_strdup(directory);
        cwd = getcwd(NULL, 0);
        if (!cwd || !directory)
                return TAKE_PTR(cwd);
        return alloc_printf("%s/%s", streq(cwd, "/") ? "" : cwd, directory);
}

json_t *pool_params_workers(const char *text) {
        char *end = NULL;

        errno = 0;
        long long n = strtoll(text, &end, 10);
        return *text && !*end && !errno ? json_integer(n) : json_string(text);
}

int pool_params_put(const CliArgs *a, json_t *params, Text *error) {
        int r = cli_given(a, OPT_MODULE) ? put_module(a, params, error) : put_command(a, params, error);

        if (r >= 0 && a->n_env)
                r = put_env(a, params, error);
        if (r >= 0 && cli_given(a, OPT_DIRECTORY)) {
                _cleanup_free_ char *directory = pool_params_directory(a->text[OPT_DIRECTORY]);
                r = directory ? put_text(params, "directory", directory, error) : -errno;
        }
        if (r >= 0 && cli_given(a, OPT_START_METHOD))
                r = put_text(params, "start_method", a->text[OPT_START_METHOD], error);
        if (r >= 0 && cli_given(a, OPT_USER))
                r = put_text(params, "user", a->text[OPT_USER], error);
        if (r >= 0 && cli_given(a, OPT_WORKERS) &&
            json_object_set_new(params, "workers", pool_params_workers(a->text[OPT_WORKERS])) < 0)
                r = -EINVAL;
        if (r >= 0 && cli_given(a, OPT_RESTART)) {
                json_t *restart = json_object();
                r = json_object_set_new(params, "restart", restart) < 0
                            ? -ENOMEM
                            : put_text(restart, "policy", a->text[OPT_RESTART], error);
        }
        return r;
}
