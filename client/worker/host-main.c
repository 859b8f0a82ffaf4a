/* host-main.c - drover-host, the program that a module's workers run: `drover-host --module FILE [...]`.
 *
 *   drover-host --module FILE                                  serve the tasks of a pool ($DROVER_TASKS_FD)
 *   drover-host --module FILE --target NAME [--args JSON] [--kwargs JSON]
 *                                                              call one target and end: 0, or 1 after an exception
 *   drover-host --template --module FILE                       fork processes that do the one or the other, when asked to
 *                                                              ($DROVER_TEMPLATE_FD, see drover-protocol(7))
 *   drover-host --module FILE --list                           its targets, one a line: name, tab, help
 *
 * An exception goes to stderr as Python prints one: where, then type and message. */
#include "drover.h"

#include "base/json.h"
#include "worker/module.h"
#include "worker/short-exit.h"
#include "worker/task-call.h"
#include "worker/task-run.h"
#include "worker/template.h"
#include "worker/worker-serve.h"
#include <getopt.h>
#include <stdio.h>
#include <sys/stat.h>

#define EXIT_USAGE 2
#define WARM_TARGETS_MAX 16u

typedef struct HostOptions {
        const char *module, *target, *args, *kwargs;
        bool list, is_template;
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
                {"list", no_argument, NULL, 'l'},         {"template", no_argument, NULL, 'T'},
                {NULL, 0, NULL, 0},
        };
        int c;

        while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0)
                switch (c) {
                case 'm': ret->module = optarg; break;
                case 't': ret->target = optarg; break;
                case 'a': ret->args = optarg; break;
                case 'k': ret->kwargs = optarg; break;
                case 'l': ret->list = true; break;
                case 'T': ret->is_template = true; break;
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

static int tell(const char *traceback, const char *message) {
        if (traceback && *traceback)
                (void) fprintf(stderr, "Traceback (innermost first):\n%s", traceback);
        (void) fprintf(stderr, "%s\n", message);
        return 1;
}

/* There is none of that name: the answer to a task says so best. */
static int call_unknown(const drover_module *m, const char *target) {
        _cleanup_json_ json_t *request = NULL, *answer = NULL;
        _cleanup_text_ Text out = {0};
        const char *message;
        char *line;
        int r;

        request = json_pack("{s:s,s:i,s:s,s:{}}", "jsonrpc", "2.0", "id", 0, "method", target, "params");
        line = request ? json_dumps(request, JSON_COMPACT) : NULL;
        r = line ? task_run(&(TaskRunner){.module = m}, line, strlen(line), &out) : -ENOMEM;
        free(line);
        if (r >= 0)
                answer = json_loadb(out.data, out.length, JSON_DISABLE_EOF_CHECK, NULL);
        message = json_string_value(json_object_get(json_object_get(answer, "error"), "message"));
        return tell(NULL, message ? message : "drover-host: out of memory");
}

static int tell_raised(const drover_task *task) {
        _cleanup_text_ Text buf = {0};

        return tell(task->traceback.data, task_exception_text(task, &buf));
}

/* As a task is, but for the text on the way there and back. Its result is to be one that could be sent. */
static int call_once(const drover_module *m, void *state, const char *target, json_t *args, json_t *kwargs) {
        drover_task task = {.target = module_find(m, target), .state = state};
        _cleanup_json_ json_t *result = NULL;
        _cleanup_text_ Text out = {0};
        int r = 0;

        if (!task.target)
                return call_unknown(m, target);
        result = task_call(&task, args, kwargs);
        if (!result || !task_put_result(&out, &task, result))
                r = tell_raised(&task);
        task_forget(&task);
        return r;
}

static int call_and_exit(const drover_module *m, void *state, const char *target, json_t *args, json_t *kwargs) {
        int r = call_once(m, state, target, args, kwargs);

        if (m->exit)
                m->exit(state);
        return r;
}

static int run_target(const drover_module *m, const HostOptions *o) {
        _cleanup_json_ json_t *args = value_of(o->args, "[]", JSON_ARRAY), *kwargs = value_of(o->kwargs, "{}", JSON_OBJECT);
        void *state = NULL;

        if (!args || !kwargs)
                return usage("--args takes a JSON array and --kwargs a JSON object");
        return worker_init(m, &state) < 0 ? 1 : call_and_exit(m, state, o->target, args, kwargs);
}

static int open_module(const char *path, const drover_module **ret) {
        _cleanup_text_ Text error = {0};
        int r = module_open(path, ret, &error);

        if (r < 0)
                (void) fprintf(stderr, "drover-host: %s: %s\n", path, error.data ? error.data : "out of memory");
        return r;
}

/* ---- a template ---- */

typedef struct Loaded {
        const char *path;
        const drover_module *module; /* NULL: each new process loads it */
        void *state;
        bool is_inited;
        struct stat st; /* of the file that was loaded */
} Loaded;

/* Another file is there now: the next processes are to have that one. */
static bool is_stale(void *userdata) {
        const Loaded *l = userdata;
        struct stat st;

        return l->module && stat(l->path, &st) == 0 && (st.st_dev != l->st.st_dev || st.st_ino != l->st.st_ino || st.st_size != l->st.st_size ||
                                           st.st_mtim.tv_sec != l->st.st_mtim.tv_sec || st.st_mtim.tv_nsec != l->st.st_mtim.tv_nsec);
}

static int load(Loaded *l) {
        if (stat(l->path, &l->st) < 0 || open_module(l->path, &l->module) < 0)
                return EXIT_USAGE;
        return 0;
}

static json_t *count_arguments(drover_task *task, json_t *args, json_t *kwargs) {
        return json_integer((json_int_t) json_array_size(args));
}

/* One call of next to nothing: what is done for the first time costs most. */
static void rehearse(void) {
        static const drover_target targets[] = {{"nothing", count_arguments, NULL}, {NULL, NULL, NULL}};
        static const drover_module nothing = {DROVER_MODULE_ABI, "nothing", NULL, NULL, targets};
        _cleanup_json_ json_t *args = json_pack("[i,s]", 5, "x"), *kwargs = json_object();

        if (args && kwargs)
                (void) call_once(&nothing, NULL, "nothing", args, kwargs);
}

/* What a launch reads and writes of pages that are not yet its own: of the module, and of the streams that are flushed at the
 * end. init() is left to the launch: it may ask for the environment that comes with it. */
static void warm(void *userdata) {
        const Loaded *l = userdata;
        const drover_target *t = l->module ? l->module->targets : NULL;

        rehearse();
        (void) fflush(NULL);
        for (unsigned i = 0; t && t[i].name && i < WARM_TARGETS_MAX; i++) {
                (void) *(const volatile char *) t[i].name;
                (void) *(const volatile char *) (uintptr_t) t[i].run;
        }
}

/* One of its processes, from "go" on. */
static int run_forked(Loaded *l, json_t *request) {
        const char *target = json_string_value(json_object_get(request, "target"));
        _cleanup_json_ json_t *args = json_incref(json_object_get(request, "args")), *kwargs = json_incref(json_object_get(request, "kwargs"));
        bool has_state = l->is_inited;

        args = args ? args : json_array();
        kwargs = kwargs ? kwargs : json_object();
        if (!l->module && load(l) != 0)
                return EXIT_USAGE;
        if (!target)
                return worker_serve(l->module, l->state, has_state);
        if (!has_state && worker_init(l->module, &l->state) < 0)
                return 1;
        return call_and_exit(l->module, l->state, target, args, kwargs);
}

/* Start method fork: each process calls init() for itself, and one that cannot be loaded each of them finds out for itself. */
static void load_quietly(Loaded *l) {
        _cleanup_text_ Text error = {0};

        if (stat(l->path, &l->st) < 0 || module_open(l->path, &l->module, &error) < 0)
                l->module = NULL;
}

static int run_template(const char *path) {
        bool loads_first = template_loads_first();
        _cleanup_json_ json_t *request = NULL;
        Loaded l = {.path = path};
        int r;

        if (template_descriptor() < 0)
                return usage("--template is for droverd: there is no $DROVER_TEMPLATE_FD");
        template_reserve();
        r = loads_first ? load(&l) : 0;
        if (r != 0)
                return r;
        if (!loads_first)
                load_quietly(&l);
        if (loads_first && worker_init(l.module, &l.state) < 0)
                return 1;
        l.is_inited = loads_first;
        rehearse(); /* what it binds of libraries is bound for all */
        short_exit_allow();
        r = template_serve(template_descriptor(), &(TemplateHooks){is_stale, warm, &l}, &request);
        if (r > 0)
                return run_forked(&l, request);
        if (r < 0)
                (void) fprintf(stderr, "drover-host: the line to drover-keeper is broken: %s\n", strerrordesc_np(-r));
        return r < 0;
}

int main(int argc, char **argv) {
        HostOptions o = {.module = NULL};
        const drover_module *m = NULL;
        int r = argc < 1 ? EXIT_USAGE : read_options(argc, argv, &o);

        short_exit_prepare();
        if (r != 0)
                return r;
        if (o.is_template)
                return run_template(o.module);
        if (open_module(o.module, &m) < 0)
                return EXIT_USAGE;
        if (o.list)
                return list_targets(m);
        return o.target ? run_target(m, &o) : drover_worker_run(m);
}
