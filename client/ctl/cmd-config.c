/* cmd-config.c - add, rm, check. */
#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "ctl/command.h"
#include "ctl/fault-view.h"
#include "ctl/interrupt.h"
#include "ctl/json-relax.h"
#include "ctl/output.h"
#include "ctl/pool-params.h"
#include <fcntl.h>
#include <unistd.h>

#define FILE_MAX (4u << 20)

/* A file is many pools; its bounds are only against absurd ones, the daemon has its own. */
static const JsonLimits file_limits = {.max_bytes = FILE_MAX, .max_nodes = 1000000, .max_depth = 64};

/* A pool that exists is what was asked for. That its workers cannot be started is told, but is a fault of
 * theirs. */
static int wait_for_start(Ctl *c, const json_t *added) {
        const json_t *pool = json_array_get(json_object_get(added, "pools"), 0);
        _cleanup_json_ json_t *result = NULL, *params = NULL;
        _cleanup_call_error_ CallError error = {};

        if (c->no_wait || member_number(pool, "wanted", 0) <= 0)
                return CTL_DONE;
        params = json_pack("{s:[s]}", "select", member_text(pool, "name", ""));
        if (!params ||
            (c->has_timeout &&
             json_object_set_new(params, "timeout", json_real((double) c->timeout / USEC_PER_SEC)) < 0))
                return CTL_FAILED;
        if (interrupt_call(c->session, "start", params, USEC_INFINITY, &result, &error) >= 0)
                return CTL_DONE;
        if (!call_error_is(&error, "failed"))
                return ctl_fail(c, &error);
        ctl_hint(c, "added, but %s", error.message);
        return CTL_DONE;
}

static int add_one(Ctl *c, const char *name, json_t *pool) {
        _cleanup_json_ json_t *result = NULL, *params = json_copy(pool);

        if (name && json_object_set_new(params, "name", json_string(name)) < 0) {
                ctl_say("%s: not a name", name);
                return CTL_USAGE;
        }
        int status = ctl_call(c, "pool.add", TAKE_PTR(params), &result);
        if (status == CTL_DONE)
                status = wait_for_start(c, result);
        if (status != CTL_DONE || c->is_quiet)
                return status;
        _cleanup_text_ Text out = {};
        if (c->show == SHOW_JSON || c->show == SHOW_JSONL)
                json_append(&out, result, c->show == SHOW_JSON);
        else if (c->show == SHOW_NAME) {
                escape_append(&out, name ? name : member_text(pool, "name", "?"));
                text_append_char(&out, '\n');
        }
        return ctl_put_text(&out, CTL_DONE);
}

/* {"pools":{name: pool}} or one pool with its name. Stops at the first that is refused; those before it stay.
 */
static int add_all(Ctl *c, const char *path, json_t *file) {
        json_t *pools = json_object_get(file, "pools"), *pool;
        const char *name;

        if (!pools) {
                if (*member_text(file, "name", ""))
                        return add_one(c, NULL, file);
                ctl_say("%s: neither {\"pools\": {...}} nor a pool with a \"name\"", path);
                return CTL_FAILED;
        }
        if (!json_is_object(pools)) {
                ctl_say("%s: \"pools\" must be an object: {\"pools\": {\"web\": {...}}}", path);
                return CTL_FAILED;
        }
        json_object_foreach(pools, name, pool) {
                int status = add_one(c, name, pool);
                if (status != CTL_DONE)
                        return status;
        }
        return CTL_DONE;
}

static int read_input(const char *path, char **ret, size_t *ret_size) {
        _cleanup_text_ Text t = {};
        char buf[16384];
        ssize_t n;

        if (!streq(path, "-"))
                return file_read(path, FILE_MAX, ret, ret_size);
        while ((n = read(STDIN_FILENO, buf, sizeof(buf))) != 0) {
                if (n < 0 && errno != EINTR)
                        return -errno;
                text_append_n(&t, buf, n > 0 ? (size_t) n : 0);
                if (t.length > FILE_MAX)
                        return -EFBIG;
        }
        *ret_size = t.length;
        *ret = text_take(&t);
        return *ret ? 0 : -ENOMEM;
}

static int add_file(Ctl *c, const char *path) {
        const char *shown = streq(path, "-") ? "(stdin)" : path;
        _cleanup_free_ char *text = NULL;
        _cleanup_json_ json_t *file = NULL;
        JsonFault fault = {};
        size_t size = 0;

        int r = read_input(path, &text, &size);
        if (r < 0) {
                if (r == -ENOENT && !strchr(path, '/') && !strchr(path, '.'))
                        return ctl_usage(c,
                                         "no file %s here; to add a pool of that name say: droverctl add %s "
                                         "-- COMMAND",
                                         path, path);
                ctl_say("cannot read %s: %s", shown, strerror(-r));
                return CTL_FAILED;
        }
        json_relax(text, size);
        r = json_load_bounded(text, size, &file_limits, &file, &fault);
        if (r < 0) {
                ctl_say("%s:%d:%d: %s", shown, fault.line, fault.column,
                        *fault.text ? fault.text : strerror(-r));
                return CTL_FAILED;
        }
        return add_all(c, shown, file);
}

int cmd_add(Ctl *c) {
        const CliArgs *a = &c->args;

        if (!a->n_argv && !cli_given(a, OPT_MODULE)) {
                const uint64_t keys = OPT_BIT(OPT_ENV) | OPT_BIT(OPT_DIRECTORY) | OPT_BIT(OPT_USER) |
                                      OPT_BIT(OPT_RESTART) | OPT_BIT(OPT_WORKERS) | OPT_BIT(OPT_TARGET) |
                                      OPT_BIT(OPT_ARGS) | OPT_BIT(OPT_KWARGS) | OPT_BIT(OPT_START_METHOD);
                if (a->given & keys)
                        return ctl_usage(c, "these options describe a command, and a file has its own; give "
                                            "a command after --");
                return add_file(c, a->names[0]);
        }
        _cleanup_json_ json_t *params = json_object();
        _cleanup_text_ Text error = {};
        if (pool_params_put(a, params, &error) < 0)
                return ctl_usage(c, "%s", error.length ? error.data : "out of memory");
        return add_one(c, a->names[0], params);
}

int cmd_rm(Ctl *c) {
        int worst = CTL_DONE;

        for (size_t i = 0; i < c->args.n_names; i++) {
                _cleanup_json_ json_t *result = NULL, *params = json_object();
                if (json_object_set_new(params, "pool", json_string(c->args.names[i])) < 0)
                        return ctl_usage(c, "%s: not a name", c->args.names[i]);
                int status = ctl_call_waiting(c, "pool.remove", TAKE_PTR(params), false, &result);
                worst = status == CTL_DONE ? worst : status;
                if (status == CTL_NO_DAEMON || status == CTL_INTERRUPTED)
                        break;
        }
        return worst;
}

int cmd_check(Ctl *c) {
        _cleanup_json_ json_t *result = NULL;
        _cleanup_text_ Text out = {};

        int status = ctl_call(c, "config.check", json_object(), &result);
        if (status == CTL_NO_DAEMON)
                ctl_hint(c, "without a daemon, `droverd --check` checks the files");
        if (status != CTL_DONE)
                return status;
        const json_t *faults = json_object_get(result, "faults");
        status = json_array_size(faults) ? CTL_FAILED : CTL_DONE;
        if (c->show == SHOW_JSON || c->show == SHOW_JSONL)
                json_append(&out, result, c->show == SHOW_JSON);
        else
                fault_view_put(&out, faults);
        if (!json_array_size(faults) && c->show == SHOW_TABLE)
                ctl_hint(c, "the configuration is good");
        return c->is_quiet ? status : ctl_put_text(&out, status);
}
