/* import-pm2.c - pm2's ecosystem file, as JSON, to pools. The keys of an app are one table: what each becomes, or why it
 * becomes nothing.
 *
 * A file that is a program (ecosystem.config.js) is not run here; the note says the command that makes JSON of it. Lines
 * of keys are found by walking the text once more, for a JSON parser forgets them. */
#include "ctl/import.h"

#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "base/parse.h"
#include "ctl/ctl.h"
#include "ctl/json-relax.h"
#include "ctl/json-lines.h"
#include <stdio.h>

#define APPS_MAX 4096u

#define PM2_MAX (4u << 20)
static const JsonLimits pm2_limits = {.max_bytes = PM2_MAX, .max_nodes = 100000, .max_depth = 64};

typedef struct App {
        Import *im;
        const char *file, *text, *cwd;
        const json_t *app;
        size_t index;
        bool is_alone; /* the file is the app itself */
        int pool;
} App;

typedef struct AppKey {
        const char *key;
        void (*take)(App *a, const char *key, const json_t *v);
        const char *none; /* "": it needs nothing */
} AppKey;

static unsigned line_of(const App *a, const char *key) {
        char index[24];
        const char *path[] = {"apps", index, key, NULL};

        snprintf(index, sizeof(index), "%zu", a->index);
        if (a->is_alone)
                return json_line_of(a->text, path + 2);
        unsigned line = json_line_of(a->text, path);
        return line ? line : json_line_of(a->text, path + 1); /* the file is an array of apps */
}

static void note(const App *a, const char *key, const char *text) {
        import_note(a->im, a->file, line_of(a, key), key, "%s", text);
}

static void set(App *a, const char *key, json_t *value) {
        import_set(a->im, a->pool, key, value);
}

/* ---- the command ---- */

static void add_words(json_t *command, const json_t *v) {
        const json_t *word;
        size_t i;

        json_array_foreach(v, i, word)
                (void) json_array_append_new(command, json_string(json_is_string(word) ? json_string_value(word) : ""));
        if (!json_is_string(v))
                return;
        json_t *words = import_split(json_string_value(v));
        (void) json_array_extend(command, words);
        json_decref(words);
}

/* By the ending of its script, as pm2 does it. */
static const char *interpreter_of(const char *script) {
        static const struct {
                const char *ending, *interpreter;
        } endings[] = {{".js", "node"},  {".cjs", "node"}, {".mjs", "node"},  {".py", "python3"}, {".sh", "bash"},
                       {".rb", "ruby"},  {".php", "php"},  {".pl", "perl"},   {".ts", "ts-node"}, {".coffee", "coffee"}};
        const char *dot = strrchr(script, '.');

        for (size_t i = 0; dot && i < ARRAY_SIZE(endings); i++)
                if (streq(dot, endings[i].ending))
                        return endings[i].interpreter;
        return NULL;
}

static void set_command(App *a) {
        const char *script = member_text(a->app, "script", ""), *named = member_text(a->app, "exec_interpreter", NULL);
        const char *interpreter = member_text(a->app, "interpreter", named);
        json_t *command = json_array();

        if (!interpreter)
                interpreter = interpreter_of(script);
        if (interpreter && streq(interpreter, "none"))
                interpreter = NULL;
        if (interpreter) {
                (void) json_array_append_new(command, json_string(interpreter));
                add_words(command, json_object_get(a->app, "node_args"));
                add_words(command, json_object_get(a->app, "interpreter_args"));
        }
        if (interpreter || !strpbrk(script, " \t"))
                (void) json_array_append_new(command, json_string(script));
        else
                add_words(command, json_object_get(a->app, "script"));
        add_words(command, json_object_get(a->app, "args"));
        set(a, "command", command);
}

/* ---- keys ---- */

static void take_instances(App *a, const char *key, const json_t *v) {
        const char *text = json_string_value(v);
        json_int_t n = text ? strtoll(text, NULL, 10) : json_integer_value(v);

        if ((text && streq(text, "max")) || (n == 0 && !text))
                set(a, "workers", json_string("cpus"));
        else if (n < 0) {
                set(a, "workers", json_string("cpus"));
                note(a, key, "all CPUs but some: drover counts all of them; write the number you want");
        } else if (n != 1)
                set(a, "workers", json_integer(n));
}

static void take_exec_mode(App *a, const char *key, const json_t *v) {
        const char *mode = json_is_string(v) ? json_string_value(v) : "";

        if (strncmp(mode, "cluster", 7) == 0)
                note(a, key, "the workers do not share a port by themselves: open it with \"listen\": {\"http\": \"PORT\"} and listen on "
                             "descriptor 3 (server.listen({fd: 3})); then droverctl reload replaces them without a lost request");
}

static void take_cwd(App *a, const char *key, const json_t *v) {
        const char *cwd = json_is_string(v) ? json_string_value(v) : "";
        _cleanup_free_ char *path = *cwd == '/' ? alloc_strdup(cwd) : alloc_printf("%s/%s", a->cwd, cwd);

        set(a, "directory", json_string(path ? path : cwd));
}

/* Variables are strings; numbers and booleans become the text node would see. */
static void take_env(App *a, const char *key, const json_t *v) {
        json_t *env = json_object(), *item;
        const char *name;

        json_object_foreach((json_t *) v, name, item) {
                _cleanup_free_ char *text = json_is_string(item) ? alloc_strdup(json_string_value(item))
                                                                : json_dumps(item, JSON_ENCODE_ANY | JSON_COMPACT);
                (void) json_object_set_new(env, name, json_string(text ? text : ""));
        }
        set(a, "env", env);
}

static void take_memory(App *a, const char *key, const json_t *v) {
        set(a, "recycle.memory", json_is_string(v) ? json_string(json_string_value(v)) : json_incref((json_t *) v));
}

static void take_autorestart(App *a, const char *key, const json_t *v) {
        if (json_is_false(v))
                set(a, "restart.policy", json_string("never"));
}

/* pm2 counts starts that did not last min_uptime; drover counts those within a window. */
static void take_max_restarts(App *a, const char *key, const json_t *v) {
        json_int_t n = json_integer_value(v);

        set(a, "restart.limit", json_integer(MIN(n + 1, 64)));
        if (n > 63)
                note(a, key, "64 starts within \"restart\".\"window\" is the most; without limit drover tries for ever, with longer waits");
}

/* Milliseconds as a number, or "10s". */
static json_t *span_of(const json_t *v) {
        char text[40];

        if (json_is_string(v) && strspn(json_string_value(v), "0123456789") < strlen(json_string_value(v)))
                return json_string(json_string_value(v));
        double ms = json_is_string(v) ? strtod(json_string_value(v), NULL) : json_number_value(v);
        snprintf(text, sizeof(text), "%.0fms", ms >= 0 && ms < 1e12 ? ms : 0);
        return json_string(text);
}

static void take_span(App *a, const char *key, const json_t *v) {
        static const struct {
                const char *from, *to;
        } names[] = {{"min_uptime", "start_for"},         {"restart_delay", "restart.delay"},
                     {"kill_timeout", "stop.timeout"},    {"listen_timeout", "ready.timeout"},
                     {"exp_backoff_restart_delay", "restart.delay"}};

        if (streq(key, "min_uptime") && member_bool(a->app, "wait_ready")) {
                note(a, key, "with wait_ready a worker that has said READY=1 is up; \"reload\": {\"soak\": SPAN} is the time it must stay so");
                return;
        }
        for (size_t i = 0; i < ARRAY_SIZE(names); i++)
                if (streq(names[i].from, key))
                        set(a, names[i].to, span_of(v));
        if (streq(key, "exp_backoff_restart_delay"))
                set(a, "restart.max_delay", json_string("15s"));
        else if (streq(key, "restart_delay"))
                set(a, "restart.factor", json_integer(1));
}

static void take_wait_ready(App *a, const char *key, const json_t *v) {
        if (!json_is_true(v))
                return;
        set(a, "ready.notify", json_true());
        note(a, key, "process.send('ready') goes to pm2; here the program writes READY=1 to the datagram socket $NOTIFY_SOCKET (npm: sd-notify)");
}

static void take_output(App *a, const char *key, const json_t *v) {
        const char *path = json_is_string(v) ? json_string_value(v) : "";
        bool is_error = strstr(key, "err") != NULL;

        if (streq(path, "/dev/null") || streq(path, "NULL"))
                is_error ? (void) 0 : set(a, "output.to", json_string("null"));
        else if (*path == '/' && !is_error)
                set(a, "output.to", json_string(path));
        else if (is_error && *path && !streq(path, member_text(a->app, "out_file", "")))
                note(a, key, "stderr goes where stdout goes; with the default \"log\" each has a file of its own");
        else if (!is_error)
                note(a, key, "not absolute; left out: droverctl logs shows it");
}

static void take_timestamps(App *a, const char *key, const json_t *v) {
        if (!json_is_false(v))
                set(a, "output.timestamps", json_true());
}

static void take_text(App *a, const char *key, const json_t *v) {
        const char *to = streq(key, "uid") ? "user" : streq(key, "gid") ? "group" : "stop.signal";
        set(a, to, json_incref((json_t *) v));
}

static void take_cron(App *a, const char *key, const json_t *v) {
        note(a, key, "no equivalent: a systemd timer or cron can say droverctl restart NAME; \"recycle\": {\"age\": \"24h\"} renews workers by age");
}

static void take_watch(App *a, const char *key, const json_t *v) {
        if (!json_is_false(v))
                note(a, key, "no equivalent: run a watcher beside it, e.g. find src | entr -r droverctl restart NAME");
}

static void take_log_type(App *a, const char *key, const json_t *v) {
        if (json_is_string(v) && streq(json_string_value(v), "json"))
                set(a, "output.format", json_string("json"));
}

#define NO_WATCH "goes with watch, which has no equivalent"
#define NO_CLOUD "no equivalent: it is about pm2's own service"
static const AppKey app_keys[] = {
        {"name", NULL, ""},
        {"script", NULL, ""},
        {"args", NULL, ""},
        {"interpreter", NULL, ""},
        {"exec_interpreter", NULL, ""},
        {"interpreter_args", NULL, ""},
        {"node_args", NULL, ""},
        {"instances", take_instances},
        {"exec_mode", take_exec_mode},
        {"cwd", take_cwd},
        {"env", take_env},
        {"max_memory_restart", take_memory},
        {"autorestart", take_autorestart},
        {"max_restarts", take_max_restarts},
        {"min_uptime", take_span},
        {"restart_delay", take_span},
        {"exp_backoff_restart_delay", take_span},
        {"kill_timeout", take_span},
        {"listen_timeout", take_span},
        {"wait_ready", take_wait_ready},
        {"kill_signal", take_text},
        {"uid", take_text},
        {"gid", take_text},
        {"out_file", take_output},
        {"output", take_output},
        {"error_file", take_output},
        {"error", take_output},
        {"log_file", NULL, "no equivalent: one file of both streams is \"output\": \"/path\"; droverctl logs merges them"},
        {"combine_logs", NULL, ""},
        {"merge_logs", NULL, ""},
        {"log_date_format", take_timestamps},
        {"time", take_timestamps},
        {"log_type", take_log_type},
        {"cron_restart", take_cron},
        {"watch", take_watch},
        {"ignore_watch", NULL, NO_WATCH},
        {"watch_options", NULL, NO_WATCH},
        {"watch_delay", NULL, NO_WATCH},
        {"pmx", NULL, NO_CLOUD},
        {"trace", NULL, NO_CLOUD},
        {"vizion", NULL, "no equivalent: drover does not look at version control"},
        {"source_map_support", NULL, "no equivalent; add --enable-source-maps to node_args"},
        {"disable_source_map_support", NULL, ""},
        {"instance_var", NULL, "the number of a worker is in $DROVER_WORKER, its name in $DROVER_NAME"},
        {"increment_var", NULL, "no equivalent: compute it from $DROVER_WORKER"},
        {"filter_env", NULL, "nothing of the caller's environment is passed on here; env says what is"},
        {"shutdown_with_message", NULL, "no equivalent: the stop signal is sent, see stop.signal"},
        {"treekill", NULL, "the stop signal goes to the process, SIGKILL to its whole tree"},
        {"post_update", NULL, "no equivalent"},
        {"force", NULL, "no equivalent: a pool's name is unique"},
        {"namespace", NULL, "no equivalent; a prefix of the pool's name selects as a glob: 'shop.*'"},
        {NULL},
};

static void take_key(App *a, const char *key, const json_t *v) {
        for (const AppKey *k = app_keys; k->key; k++)
                if (streq(k->key, key)) {
                        if (k->take)
                                k->take(a, key, v);
                        else if (*k->none)
                                note(a, key, k->none);
                        return;
                }
        if (strncmp(key, "env_", 4) == 0)
                note(a, key, "no equivalent: one configuration is one environment; put these into env, or into a file named by env_file");
        else
                note(a, key, "pm2 does not document this key; it was left out");
}

static void take_app(App *a) {
        const char *script = member_text(a->app, "script", NULL), *key;
        json_t *v;

        if (!script) {
                import_note(a->im, a->file, line_of(a, "name"), member_text(a->app, "name", "app"), "it has no script");
                return;
        }
        _cleanup_free_ char *program = alloc_strndup(script, strcspn(script, " \t"));
        const char *slash = program ? strrchr(program, '/') : NULL;
        unsigned line = line_of(a, "name");
        a->pool = import_pool(a->im, member_text(a->app, "name", slash ? slash + 1 : program ? program : script), a->file,
                              line ? line : line_of(a, "script"));
        if (a->pool < 0)
                return;
        set_command(a);
        set(a, "directory", json_string(a->cwd));
        json_object_foreach((json_t *) a->app, key, v)
                take_key(a, key, v);
}

static int load(Import *im, const char *path, char **ret_text, json_t **ret) {
        JsonFault fault = {};
        size_t size = 0;
        int r = file_read(path, PM2_MAX, ret_text, &size);

        if (r < 0)
                return r;
        if (strstr(*ret_text, "module.exports") || strstr(*ret_text, "export default")) {
                import_note(im, path, 0, "format", "this is a program, not data; make JSON of it and import that: "
                                                   "node -e 'console.log(JSON.stringify(require(process.argv[1]), null, 2))' \"$PWD/%s\" > "
                                                   "ecosystem.json",
                            *path == '/' ? strrchr(path, '/') + 1 : path);
                return -EBADMSG;
        }
        json_relax(*ret_text, size);
        r = json_load_bounded(*ret_text, size, &pm2_limits, ret, &fault);
        if (r < 0 && r != -ENOMEM)
                import_note(im, path, (unsigned) MAX(fault.line, 0), "syntax", "%s", *fault.text ? fault.text : "no JSON");
        return r < 0 && r != -ENOMEM ? -EBADMSG : r;
}

int import_pm2(Import *im, const char *path) {
        _cleanup_free_ char *text = NULL, *absolute = realpath(path, NULL);
        _cleanup_json_ json_t *file = NULL;
        size_t i;

        if (!absolute)
                return -errno;
        int r = load(im, path, &text, &file);
        if (r < 0)
                return r;
        *strrchr(absolute, '/') = '\0';
        App a = {.im = im, .file = path, .text = text, .cwd = *absolute ? absolute : "/"};
        const json_t *apps = json_is_array(file) ? file : json_object_get(file, "apps"), *app;
        if (json_is_object(apps) || (!apps && json_object_get(file, "script"))) {
                a.is_alone = !apps;
                a.app = apps ? apps : file;
                take_app(&a);
                return 0;
        }
        if (json_array_size(apps) > APPS_MAX) {
                import_note(im, path, 0, "apps", "more than %u of them", APPS_MAX);
                return -EBADMSG;
        }
        json_array_foreach(apps, i, app) {
                a.app = app;
                a.index = i;
                take_app(&a);
        }
        if (json_object_get(file, "deploy")) {
                const char *const deploy[] = {"deploy", NULL};
                import_note(im, path, json_line_of(text, deploy), "deploy", "no equivalent: drover does not copy programs to machines");
        }
        if (!apps)
                import_note(im, path, 0, "apps", "there are no \"apps\" in it");
        return apps ? 0 : -EBADMSG;
}
