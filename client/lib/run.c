/* run.c - processes: start one, join one, or both at once.
 *
 * drover_run_async() sends one `run` that is answered when the process has ended, under a name of its own making: who is
 * told of a lost connection learns which one it was. */
#include "base/alloc.h"
#include "lib/client.h"

#include <stdio.h>
#include <sys/random.h>

#define WAIT_GRACE_MSEC 5000 /* for the daemon's own answer that the time is over */

/* The exit code of the one process in the result of `wait`. */
static int exitcode_of(const char *name, json_t *result, int *ret_exitcode, drover_error **ret_error) {
        json_t *worker = json_array_get(json_object_get(result, "workers"), 0);
        json_t *exitcode = json_object_get(worker, "exitcode");
        const char *state = json_string_value(json_object_get(worker, "state"));

        if (!worker)
                return lib_failf(ret_error, -EPROTO, "the daemon's answer about %s names no process", name);
        if (!json_is_integer(exitcode))
                return lib_failf(ret_error, -EIO, "%s has no exit code: its state is %s", name,
                                 state ? state : "unknown");
        *ret_exitcode = (int) json_integer_value(exitcode);
        return 0;
}

int drover_run(drover_client *client, json_t *what, int timeout_msec, char **ret_name,
               drover_error **ret_error) {
        _cleanup_json_ json_t *result = NULL;
        char *name;
        int r = drover_call(client, "run", what, timeout_msec, &result, ret_error);

        if (r < 0 || !ret_name)
                return r;
        if (!json_is_string(json_object_get(result, "process")))
                return lib_failf(ret_error, -EPROTO, "the daemon's answer to \"run\" names no process");
        name = alloc_strdup(json_string_value(json_object_get(result, "process")));
        if (!name)
                return lib_failf(ret_error, -ENOMEM, "out of memory");
        *ret_name = name;
        return 0;
}

static json_t *wait_params(const char *name, int timeout_msec) {
        _cleanup_json_ json_t *params =
                json_pack("{s:s,s:s,s:b}", strchr(name, '/') ? "select" : "process", name, "for", "exit", "brief", 1);

        if (params && timeout_msec >= 0 &&
            json_object_set_new(params, "timeout", json_real(timeout_msec / 1000.0)) < 0)
                return NULL;
        return TAKE_PTR(params);
}

int drover_wait(drover_client *client, const char *name, int timeout_msec, int *ret_exitcode,
                drover_error **ret_error) {
        _cleanup_json_ json_t *params = wait_params(name, timeout_msec), *result = NULL;
        int limit = timeout_msec < 0
                            ? -1
                            : (int) MIN((int64_t) timeout_msec + WAIT_GRACE_MSEC, (int64_t) INT32_MAX);
        int exitcode, r;

        if (!params)
                return lib_failf(ret_error, -ENOMEM, "out of memory");
        r = drover_call(client, "wait", params, limit, &result, ret_error);
        if (r < 0 || !ret_exitcode)
                return r;
        r = exitcode_of(name, result, &exitcode, ret_error);
        if (r < 0)
                return r;
        *ret_exitcode = exitcode;
        return 0;
}

typedef struct RunCall {
        drover_exit_fn *on_exit;
        void *userdata;
        char *name;
} RunCall;

static RunCall *run_call_free(RunCall *run) {
        if (!run)
                return NULL;
        free(run->name);
        free(run);
        return NULL;
}
DEFINE_CLEANUP(RunCall, run_call_free);

/* Tells its owner, once, and ends. */
static void run_on_ended(drover_client *client, json_t *result, const drover_error *error, void *userdata) {
        _cleanup_(run_call_freep) RunCall *run = userdata;
        _cleanup_error_ drover_error *own = NULL;
        int exitcode = 0;

        if (!error && exitcode_of(run->name, result, &exitcode, &own) < 0)
                error = own;
        if (run->on_exit)
                run->on_exit(client, run->name, exitcode, error, run->userdata);
}

/* The process's name as the caller gave it, or a unique one: "run-1f3a5c7e9b2d4f60-1". */
static char *run_name(drover_client *client, json_t *what) {
        const char *name = json_string_value(json_object_get(what, "name"));

        if (name)
                return alloc_strdup(name);
        if (client->name_seed == 0 && getrandom(&client->name_seed, sizeof(client->name_seed), 0) < 0)
                return NULL;
        return alloc_printf("run-%016llx-%llu", (unsigned long long) client->name_seed,
                            (unsigned long long) ++client->n_names);
}

/* @what with a name, and answered when it has ended. */
static json_t *run_params(json_t *what, const char *name) {
        _cleanup_json_ json_t *params = json_copy(what);

        if (!params || json_object_set_new(params, "name", json_string(name)) < 0 ||
            json_object_set_new(params, "wait", json_true()) < 0)
                return NULL;
        return TAKE_PTR(params);
}

int drover_run_async(drover_client *client, json_t *what, drover_exit_fn *on_exit, void *userdata,
                     drover_error **ret_error) {
        _cleanup_(run_call_freep) RunCall *run = NEW0(RunCall);
        const PendingWho who = {.on_reply = run_on_ended, .userdata = run};
        _cleanup_json_ json_t *params = NULL;
        uint64_t id;
        int r;

        if (!json_is_object(what))
                return lib_failf(ret_error, -EINVAL, "what to run must be an object");
        if (run)
                run->name = run_name(client, what);
        if (run && run->name)
                params = run_params(what, run->name);
        if (!params)
                return lib_failf(ret_error, -ENOMEM, "out of memory");
        run->on_exit = on_exit;
        run->userdata = userdata;
        r = client_send(client, "run", params, &who, &id, ret_error);
        if (r < 0)
                return r;
        client_flush(client);
        run = NULL; /* belongs to its pending call now */
        return 0;
}
