/* task-params.c - see task-params.h. */
#include "ctl/task-params.h"

#include "ctl/command.h"
#include "ctl/target-args.h"

int task_params_span(json_t *params, const char *key, usec_t span) {
        return json_object_set_new(params, key, json_real((double) span / (double) USEC_PER_SEC)) < 0 ? -ENOMEM : 0;
}

static int put_options(const CliArgs *a, json_t *params) {
        if (cli_given(a, OPT_TASK_TIMEOUT) && task_params_span(params, "timeout", a->number[OPT_TASK_TIMEOUT]) < 0)
                return -ENOMEM;
        if (cli_given(a, OPT_ATTEMPTS) && json_object_set_new(params, "attempts", json_integer((json_int_t) a->number[OPT_ATTEMPTS])) < 0)
                return -ENOMEM;
        if (cli_given(a, OPT_PRIORITY) && json_object_set_new(params, "priority", json_integer((json_int_t) a->number[OPT_PRIORITY])) < 0)
                return -ENOMEM;
        return 0;
}

/* "--wait" after TARGET would become an argument: more likely it was meant for us. */
static const char *find_option(const CliArgs *a) {
        bool is_plain = a->n_argv && streq(a->argv[-1], "--");

        for (size_t i = 0; !is_plain && i < a->n_argv; i++) {
                OptionId id = strncmp(a->argv[i], "--", 2) == 0 ? cli_option_find(a->argv[i]) : _OPT_MAX;
                if (id < _OPT_MAX && (a->command->options | OPT_GLOBAL) & OPT_BIT(id))
                        return a->argv[i];
        }
        return NULL;
}

json_t *task_params_make(const Ctl *c, int *ret_status) {
        const CliArgs *a = &c->args;
        const char *option = find_option(a);
        _cleanup_text_ Text error = {};
        _cleanup_json_ json_t *params = json_pack("{s:s,s:s}", "pool", a->names[0], "target", a->names[1]);
        int r = -EINVAL;

        if (option)
                text_appendf(&error, "%s stands behind the target; options come before the pool, and an argument that looks like one after --", option);
        else if (!params)
                text_append(&error, "a name is not UTF-8");
        else
                r = target_args_put(a, a->argv, a->n_argv, params, &error);
        if (r >= 0)
                r = put_options(a, params);
        if (r >= 0)
                return TAKE_PTR(params);
        *ret_status = ctl_usage(c, "%s", error.length ? error.data : strerror(-r));
        return NULL;
}
