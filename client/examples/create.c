/* create.c - create one process, and join it: Process(target=greet, args=("Alice",)); start(); join(). */
#include <drover.h>
#include <stdio.h>

int main(int argc, char **argv) {
        drover_client *client = NULL;
        drover_error *error = NULL;
        char *name = NULL;
        int exitcode, r;
        json_t *what = json_pack("{s:s,s:s,s:[s]}", "module", argc > 1 ? argv[1] : "basics.so", "target", "greet", "args", "Alice");

        r = drover_connect(&client, NULL, &error);
        if (r == 0)
                r = drover_run(client, what, -1, &name, &error);
        if (r == 0)
                r = drover_wait(client, name, -1, &exitcode, &error);
        if (r == 0)
                printf("joined: exitcode %d\n", exitcode);
        else
                fprintf(stderr, "%s\n", drover_error_message(error));
        free(name);
        json_decref(what);
        drover_error_free(error);
        drover_close(client);
        return r < 0;
}
