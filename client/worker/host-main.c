/* host-main.c - drover-host, the program that a module's workers run: `drover-host --module FILE [...]`.
 *
 *   drover-host --module FILE                                  serve the tasks of a pool ($DROVER_TASKS_FD)
 *   drover-host --module FILE --target NAME [--args JSON] [--kwargs JSON]
 *                                                              call one target and end: 0, or 1 after an exception
 *   drover-host --module FILE --list                           its targets, one a line: name, tab, help
 *
 * An exception goes to stderr as Python prints one: where, then type and message. */
#include "drover.h"

#include "base/json.h"
#include "worker/module.h"
#include "worker/task-run.h"
#include <getopt.h>
#include <stdio.h>

#define EXIT_USAGE 2

typedef struct HostOptions {
        const char *module, *target, *args, *kwargs;
        bool list;
} HostOptions;

static int usage(const char *what) {
        (void) fprintf(stderr, "drover-host: %s; it is started by droverd: --module FILE [--target NAME [--args JSON] [--kwargs JSON]]\n",
                       what);
        return EXIT_USAGE;
}

static int read_options(int argc, char **argv, HostOptions *ret) {
        static const struct option options[] = {
                {"module", required_argument, NULL, 'm'}, {"target", required_argument, NULL, 't'},
                {"args", required_argument, NULL, 'a'},   {"kwargs", required_argument, NULL, 'k'},
                {"list", no_argument, NULL, 'l'},         {NULL, 0, NULL, 0},
        };
        int c;

        while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0)
                switch (c) {
                case 'm': ret->module = optarg; break;
                case 't': ret->target = optarg; break;
                case 'a': ret->args = optarg; break;
                case 'k': ret->kwargs = optarg; break;
                case 'l': ret->list = true; break;
                default: return usage("unknown option");
                }
        if (!ret->module || optind < argc)
                return usage(ret->module ? "too many arguments" : "no module");
        return 0;
}

static int list_targets(const drover_module *m) {
        for (const drover_target *t = m->targets; t->name; t++)
                (void) printf("%s\t%s\n", t->name, t->help ? t->help : "");
        return fflush(stdout) == 0 ? 0 : 1;
}

/* An argument as JSON of the wanted type; @absent when it was not given. */
static json_t *value_of(const char *text, const char *absent, json_type type) {
        json_error_t error;
        json_t *v = json_loads(text ? text : absent, JSON_REJECT_DUPLICATES, &error);

        if (v && json_typeof(v) != type)
                json_decref(TAKE_PTR(v));
        return v;
}

static int tell_exception(const json_t *error) {
        const json_t *data = json_object_get(error, "data");
        const char *traceback = json_string_value(json_object_get(data, "traceback"));

        if (traceback && *traceback)
                (void) fprintf(stderr, "Traceback (innermost first):\n%s", traceback);
        (void) fprintf(stderr, "%s\n", json_string_value(json_object_get(error, "message")));
        return 1;
}

static int call_once(const drover_module *m, void *state, const HostOptions *o) {
        _cleanup_json_ json_t *args = value_of(o->args, "[]", JSON_ARRAY), *kwargs = value_of(o->kwargs, "{}", JSON_OBJECT);
        _cleanup_json_ json_t *request = NULL, *answer = NULL;
        _cleanup_text_ Text out = {0};
        char *line;
        int r;

        if (!args || !kwargs)
                return usage("--args takes a JSON array and --kwargs a JSON object");
        request = json_pack("{s:s,s:i,s:s,s:{s:O,s:O}}", "jsonrpc", "2.0", "id", 0, "method", o->target, "params", "args", args,
                            "kwargs", kwargs);
        line = request ? json_dumps(request, JSON_COMPACT) : NULL;
        r = line ? task_run(&(TaskRunner){.module = m, .state = state}, line, strlen(line), &out) : -ENOMEM;
        free(line);
        if (r >= 0)
                answer = json_loadb(out.data, out.length, JSON_DISABLE_EOF_CHECK, NULL);
        if (!answer) {
                (void) fprintf(stderr, "drover-host: out of memory\n");
                return 1;
        }
        return json_object_get(answer, "error") ? tell_exception(json_object_get(answer, "error")) : 0;
}

static int run_target(const drover_module *m, const HostOptions *o) {
        void *state = NULL;
        int r = m->init ? m->init(&state) : 0;

        if (r < 0) {
                (void) fprintf(stderr, "%s: init failed: %s\n", m->name, strerrordesc_np(-r) ? strerrordesc_np(-r) : "?");
                return 1;
        }
        r = call_once(m, state, o);
        if (m->exit)
                m->exit(state);
        return r;
}

int main(int argc, char **argv) {
        HostOptions o = {.module = NULL};
        const drover_module *m = NULL;
        _cleanup_text_ Text error = {0};
        int r = argc < 1 ? EXIT_USAGE : read_options(argc, argv, &o);

        if (r != 0)
                return r;
        if (module_open(o.module, &m, &error) < 0) {
                (void) fprintf(stderr, "drover-host: %s: %s\n", o.module, error.data ? error.data : "out of memory");
                return EXIT_USAGE;
        }
        if (o.list)
                return list_targets(m);
        return o.target ? run_target(m, &o) : drover_worker_run(m);
}
