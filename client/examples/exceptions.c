/* exceptions.c - what goes wrong in another process, and how the parent learns of it.
 *
 * A process of its own (Process) has an exit code: 1 after an exception. A task (Pool.apply) brings the exception itself:
 * type, message and traceback. One that kills its worker is told as just that, and the next task has a new worker. */
#include <drover.h>
#include <stdio.h>
#include <string.h>

static drover_error *error;

static json_t *call(drover_client *client, const char *method, json_t *params_take) {
        json_t *result = NULL;

        if (drover_call(client, method, params_take, -1, &result, &error) < 0) {
                fprintf(stderr, "%s: %s\n", method, drover_error_message(error));
                exit(1);
        }
        json_decref(params_take);
        return result;
}

/* Waits for the outcome. */
static json_t *submit(drover_client *client, const char *target, json_t *args_take) {
        return call(client, "task.submit", json_pack("{s:s,s:s,s:o,s:b}", "pool", "crew", "target", target, "args", args_take, "wait", 1));
}

static void a_child_dies(drover_client *client, const char *module) {
        json_t *what = json_pack("{s:s,s:s,s:[s,s]}", "module", module, "target", "fail", "args", "ValueError", "of no value");
        char *name = NULL;
        int exitcode = 0;

        if (drover_run(client, what, -1, &name, &error) < 0 || drover_wait(client, name, -1, &exitcode, &error) < 0)
                fprintf(stderr, "%s\n", drover_error_message(error));
        printf("the child: exitcode %d\n", exitcode);
        free(name);
        json_decref(what);
}

static void one_is_captured(drover_client *client) {
        json_t *outcome = submit(client, "fail", json_pack("[s,s]", "ValueError", "of no value"));
        json_t *data = json_object_get(json_object_get(outcome, "error"), "data");
        const char *traceback = json_string_value(json_object_get(data, "traceback"));

        printf("captured: %s, a %s\n", json_string_value(json_object_get(json_object_get(outcome, "error"), "message")),
               json_string_value(json_object_get(data, "type")));
        printf("raised in: %.*s\n", (int) strcspn(traceback, "(") - 1, traceback);
        json_decref(outcome);
}

static void one_kills_its_worker(drover_client *client) {
        json_t *outcome = submit(client, "crash", json_array());
        json_t *data = json_object_get(json_object_get(outcome, "error"), "data");

        printf("%s: exitcode %d\n", json_string_value(json_object_get(data, "name")), (int) json_integer_value(json_object_get(data, "exitcode")));
        json_decref(outcome);
}

int main(int argc, char **argv) {
        const char *module = argc > 1 ? argv[1] : "basics.so";
        drover_client *client = NULL;
        json_t *outcome;

        if (drover_connect(&client, NULL, &error) < 0) {
                fprintf(stderr, "%s\n", drover_error_message(error));
                return 1;
        }
        json_decref(call(client, "pool.add", json_pack("{s:s,s:s,s:i}", "name", "crew", "module", module, "workers", 1)));
        a_child_dies(client, module);
        one_is_captured(client);
        one_kills_its_worker(client);
        outcome = submit(client, "burn", json_pack("[i]", 4));
        printf("the parent goes on, and so does the pool: %d\n", (int) json_integer_value(json_object_get(outcome, "result")));
        json_decref(outcome);
        json_decref(call(client, "pool.remove", json_pack("{s:s}", "pool", "crew")));
        drover_close(client);
        return 0;
}
