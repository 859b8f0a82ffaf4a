/* config-module.c - what a pool runs: a command, or a worker module by drover's own host program.
 *
 * Of a module the file is found here and the command of the host made, so that whoever starts workers knows commands
 * alone. The file is the worker's to load: whether it is a module at all is seen then. */
#include "base/alloc.h"
#include "config/config-validate.h"
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOOK_AGAIN_USEC (100 * USEC_PER_MSEC)
#define TASK_DESCRIPTORS 2 /* the channel and the page, after the sockets of listen */

_printf_(5, 6) static void fault_if_given(ConfigCheck *c, const Spot *at, json_t *o, const char *name, const char *fmt, ...) {
        Spot here = { .up = at, .key = name };
        char text[256];
        va_list list;

        if (!json_object_get(o, name))
                return;
        va_start(list, fmt);
        (void) vsnprintf(text, sizeof(text), fmt, list);
        va_end(list);
        config_fault_key(c, &here, "%s", text);
}

/* ---- what goes together ---- */

static void check_module(ConfigCheck *c, const Spot *at, json_t *o) {
        if (json_object_get(o, "command"))
                fault_if_given(c, at, o, "module", "a pool runs a command or a module, not both");
        if (json_object_get(o, "target")) {
                fault_if_given(c, at, o, "protocol", "a target is called once and takes no tasks; leave out one of them");
                return;
        }
        fault_if_given(c, at, o, "args", "arguments need a target that takes them; those of a task come with the task");
        fault_if_given(c, at, o, "kwargs", "arguments need a target that takes them; those of a task come with the task");
        if (c->is_run)
                fault_if_given(c, at, o, "module", "run calls one target of a module: name it by target. Workers that take tasks are a pool");
        else
                fault_if_given(c, at, o, "protocol", "the workers of a module without target take tasks: leave it out");
}

static void check_command(ConfigCheck *c, const Spot *at, json_t *o, const PoolConfig *p) {
        static const char *const names[] = { "target", "args", "kwargs" };

        for (size_t i = 0; i < ARRAY_SIZE(names); i++)
                fault_if_given(c, at, o, names[i], "only with a module: \"module\": \"/usr/lib/x.so\"");
        if (!json_object_get(o, "command"))
                config_fault_key(c, at, "a pool needs a command: \"command\": [\"/usr/bin/program\", \"argument\"]; or a worker module: "
                                        "\"module\": \"/usr/lib/x.so\"");
        if (c->is_run && p->protocol == PROTOCOL_TASKS)
                fault_if_given(c, at, o, "protocol", "run starts one process; workers that take tasks are a pool");
}

static void check_tasks(ConfigCheck *c, const Spot *at, json_t *o, const PoolConfig *p) {
        Spot ready = { .up = at, .key = "ready" }, fd = { .up = &ready, .key = "fd" };

        if (!p->is_task_pool)
                fault_if_given(c, at, o, "tasks", "only of a pool that takes them: a module without target, or \"protocol\": \"tasks\"");
        else if (p->ready == READY_FD && p->ready_fd >= 3 && (size_t) p->ready_fd < 3 + p->n_listen + TASK_DESCRIPTORS)
                config_fault_key(c, &fd, "the channel of a task worker takes descriptors %zu and %zu", 3 + p->n_listen, 4 + p->n_listen);
}

/* ---- the file ---- */

/* Return: 0; -ENOENT, -EACCES, -EISDIR (no regular file) and others of stat(2). */
static int look(const char *path) {
        struct stat st;

        if (stat(path, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode))
                return -EISDIR;
        return faccessat(AT_FDCWD, path, R_OK, AT_EACCESS) < 0 ? -errno : 0;
}

/* The same of a module that was fine a moment ago without a look: hundreds of runs a second name the same file, and what
 * has become of it since shows when it is loaded. */
static int look_at_run(const char *path) {
        static char good[PATH_MAX];
        static usec_t until;
        usec_t now = clock_now();
        int r;

        if (now < until && streq(path, good))
                return 0;
        r = look(path);
        until = r == 0 && strlen(path) < sizeof(good) ? now + LOOK_AGAIN_USEC : 0;
        if (until > 0)
                memcpy(good, path, strlen(path) + 1);
        return r;
}

/* The first directory of the list that has a file @name: the caller's; NULL when there is none. */
static char *find_in(ConfigCheck *c, const char *list, const char *name) {
        while (list && *list) {
                size_t n = strcspn(list, ":");
                _cleanup_free_ char *path = *list == '/' ? alloc_printf("%.*s/%s", (int) n, list, name) : NULL;

                if (*list == '/' && !path)
                        c->error = -ENOMEM;
                if (path && look(path) == 0)
                        return TAKE_PTR(path);
                list += n + (list[n] == ':');
        }
        return NULL;
}

static void find_module(ConfigCheck *c, const Spot *at, PoolConfig *p) {
        Spot here = { .up = at, .key = "module" };
        int r;

        if (p->module[0] != '/') {
                char *path = find_in(c, c->ctx->module_path, p->module);
                if (!path) {
                        config_fault_value(c, &here, "there is no %.100s in %.200s; write its absolute path, or set $DROVER_MODULE_PATH of droverd",
                                           p->module, c->ctx->module_path ? c->ctx->module_path : "any directory");
                        return;
                }
                free(p->module);
                p->module = path;
        }
        r = c->ctx->is_blind ? 0 : c->is_run ? look_at_run(p->module) : look(p->module);
        if (r == -EISDIR)
                config_fault_value(c, &here, "%.200s is no regular file", p->module);
        else if (r < 0)
                config_fault_value(c, &here, "%.200s cannot be read: %s", p->module, strerrordesc_np(-r));
}

/* ---- the command ---- */

typedef struct Argv {
        char **items;
        size_t n;
        bool failed;
} Argv;

static void put(Argv *a, const char *s) {
        if (a->failed)
                return;
        a->items[a->n] = alloc_strdup(s);
        a->failed = !a->items[a->n];
        a->n += !a->failed;
}

static void put_json(Argv *a, const char *option, const json_t *value) {
        _cleanup_free_ char *text = value ? json_dumps(value, JSON_COMPACT) : NULL;

        if (!value)
                return;
        put(a, option);
        if (text)
                put(a, text);
        a->failed = a->failed || !text;
}

static void make_command(ConfigCheck *c, const Spot *at, PoolConfig *p) {
        const char *host = c->ctx->host_program ? c->ctx->host_program : c->ctx->is_blind ? "drover-host" : NULL;
        Spot here = { .up = at, .key = "module" };
        Argv a = { .items = NEW0_ARRAY(char *, 10) };

        if (!host)
                config_fault_value(c, &here, "drover-host, which runs modules, was found nowhere: not in $DROVER_LIBEXEC and not beside droverd");
        if (host && a.items) {
                put(&a, host);
                if (p->start_method != START_SPAWN)
                        put(&a, "--template"); /* each launch tells the target */
                put(&a, "--module");
                put(&a, p->module);
                if (p->target && p->start_method == START_SPAWN) {
                        put(&a, "--target");
                        put(&a, p->target);
                }
                put_json(&a, "--args", p->start_method == START_SPAWN ? p->args : NULL);
                put_json(&a, "--kwargs", p->start_method == START_SPAWN ? p->kwargs : NULL);
        }
        if (!a.items || a.failed)
                c->error = -ENOMEM;
        strv_free(p->command);
        p->command = a.items;
}

void config_module_finish(ConfigCheck *c, const Spot *at, json_t *o, PoolConfig *p) {
        bool has_module = json_object_get(o, "module");

        if (!json_object_get(o, "start_method"))
                p->start_method = has_module && !c->is_run ? START_FORKSERVER : START_SPAWN;
        p->is_task_pool = has_module ? !p->target : p->protocol == PROTOCOL_TASKS;
        if (has_module)
                check_module(c, at, o);
        else
                check_command(c, at, o, p);
        check_tasks(c, at, o, p);
        if (!p->module || json_object_get(o, "command"))
                return;
        find_module(c, at, p);
        make_command(c, at, p);
}
