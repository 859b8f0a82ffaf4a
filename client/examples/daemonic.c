/* daemonic.c - daemon=True: the process dies with its owner, here a connection that is closed. */
#include <drover.h>
#include <stdio.h>

int main(int argc, char **argv) {
        drover_client *owner = NULL, *other = NULL;
        drover_error *error = NULL;
        char *name = NULL;
        int exitcode, r;
        json_t *what = json_pack("{s:s,s:s,s:[i],s:b}", "module", argc > 1 ? argv[1] : "basics.so", "target", "nap", "args", 1000, "daemon", 1);

        r = drover_connect(&owner, NULL, &error);
        if (r == 0)
                r = drover_connect(&other, NULL, &error);
        if (r == 0)
                r = drover_run(owner, what, -1, &name, &error);
        if (r == 0) {
                printf("the owner goes\n");
                drover_close(owner);
                owner = NULL;
                r = drover_wait(other, name, -1, &exitcode, &error);
        }
        if (r == 0)
                printf("and its process with it: exitcode %d\n", exitcode);
        else
                fprintf(stderr, "%s\n", drover_error_message(error));
        free(name);
        json_decref(what);
        drover_error_free(error);
        drover_close(owner);
        drover_close(other);
        return r < 0;
}
