/* lifecycle.c - alive, pid and exitcode before start, while it runs, and after join. */
#include <drover.h>
#include <stdio.h>

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

static void show(drover_client *client, const char *when) {
        json_t *status = call(client, "status", json_pack("{s:[s]}", "select", "life"));
        json_t *w = json_array_get(json_object_get(json_array_get(json_object_get(status, "pools"), 0), "workers"), 0);
        json_t *code = json_object_get(w, "exitcode");

        printf("%s: %s alive=%s pid=%s exitcode=", when, json_string_value(json_object_get(w, "state")),
               json_is_true(json_object_get(w, "alive")) ? "true" : "false", json_is_integer(json_object_get(w, "pid")) ? "yes" : "none");
        if (json_is_integer(code))
                printf("%d\n", (int) json_integer_value(code));
        else
                printf("none\n");
        json_decref(status);
}

int main(int argc, char **argv) {
        drover_client *client = NULL;

        if (drover_connect(&client, NULL, &error) < 0) {
                fprintf(stderr, "%s\n", drover_error_message(error));
                return 1;
        }
        json_decref(call(client, "pool.add", json_pack("{s:s,s:s,s:s,s:[i],s:s,s:b}", "name", "life", "module", argc > 1 ? argv[1] : "basics.so",
                                                      "target", "nap", "args", 1000, "restart", "never", "autostart", 0)));
        show(client, "before");
        json_decref(call(client, "start", json_pack("{s:s}", "select", "life")));
        show(client, "during");
        json_decref(call(client, "terminate", json_pack("{s:s}", "select", "life")));
        json_decref(call(client, "wait", json_pack("{s:s}", "select", "life")));
        show(client, "after");
        json_decref(call(client, "pool.remove", json_pack("{s:s}", "pool", "life")));
        drover_close(client);
        return 0;
}
