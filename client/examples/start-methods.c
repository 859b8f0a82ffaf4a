/* start-methods.c - the three ways in which a process comes to be, compared: how long run and join take of each.
 *
 *     start-methods basics.so [N]
 *
 * spawn: a new program image each time, which loads the module. forkserver: a process that has loaded it, and called its
 * init, once, forks for each. fork: one that has loaded nothing forks, and the child loads. The process is the same in all
 * three: nothing of the daemon or of other workers is in it. */
#include <drover.h>
#include <stdio.h>
#include <time.h>

static drover_error *error;

static double now(void) {
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (double) t.tv_sec + (double) t.tv_nsec / 1e9;
}

static int run_and_join(drover_client *client, json_t *what) {
        char *name = NULL;
        int exitcode = -1;

        if (drover_run(client, what, -1, &name, &error) < 0 || drover_wait(client, name, -1, &exitcode, &error) < 0) {
                fprintf(stderr, "%s\n", drover_error_message(error));
                exit(1);
        }
        free(name);
        return exitcode;
}

static void measure(drover_client *client, const char *module, const char *method, int n) {
        json_t *what = json_pack("{s:s,s:s,s:[i],s:s}", "module", module, "target", "burn", "args", 10, "start_method", method);
        int exitcode = run_and_join(client, what); /* the first one makes the template */
        double begin = now();

        for (int i = 0; i < n; i++)
                exitcode |= run_and_join(client, what);
        printf("%-10s exitcode %d, %.2f ms each\n", method, exitcode, (now() - begin) * 1000 / n);
        json_decref(what);
}

int main(int argc, char **argv) {
        static const char *const methods[] = {"spawn", "forkserver", "fork"};
        int n = argc > 2 ? (int) strtol(argv[2], NULL, 10) : 100;
        drover_client *client = NULL;

        if (drover_connect(&client, NULL, &error) < 0) {
                fprintf(stderr, "%s\n", drover_error_message(error));
                return 1;
        }
        for (int i = 0; i < 3; i++)
                measure(client, argc > 1 ? argv[1] : "basics.so", methods[i], n);
        drover_close(client);
        return 0;
}
