/* drover-keeper: forks, execs, reaps and kills the workers, and keeps droverd and drover-logger alive.
 *
 *     drover-keeper --droverd PATH --logger PATH [-- ARGS...]     the keeper; ARGS go to droverd
 *     drover-keeper --sweep                                       end what a dead keeper left behind
 *
 * Environment: NOTIFY_SOCKET, WATCHDOG_USEC, LISTEN_FDS (all for the keeper alone, not passed on);
 * DROVER_TREE=sweep: do without cgroups; DROVER_WATCHDOG_USEC: how long droverd may be silent (default: WATCHDOG_USEC, else 120 s). */
#include "keeper/keeper.h"
#include "keeper/leftovers.h"
#include "base/fd.h"
#include "base/log.h"
#include "build-config.h"
#include <getopt.h>
#include <stdio.h>
#include <unistd.h>

#define EXIT_USAGE 2

static void print_help(void) {
        (void) fputs("Usage: drover-keeper --droverd PATH --logger PATH [-- ARGS...]\n"
                     "       drover-keeper --sweep\n\n"
                     "The parent of all workers. It is started by droverd, not by hand.\n\n"
                     "  --droverd PATH   the program that decides; ARGS are its arguments\n"
                     "  --logger PATH    the program that writes the workers' output\n"
                     "  --sweep          kill and remove what a dead keeper left in its cgroup, then exit\n"
                     "  --version, --help\n", stdout);
}

typedef enum Action { ACTION_RUN, ACTION_SWEEP, ACTION_HELP, ACTION_VERSION, ACTION_USAGE } Action;

static Action parse_arguments(int argc, char **argv, KeeperOptions *o) {
        static const struct option options[] = {
                {"droverd", required_argument, NULL, 'd'}, {"logger", required_argument, NULL, 'l'},
                {"sweep", no_argument, NULL, 's'},         {"help", no_argument, NULL, 'h'},
                {"version", no_argument, NULL, 'V'},       {},
        };
        Action action = ACTION_RUN;

        for (int c; (c = getopt_long(argc, argv, "+h", options, NULL)) >= 0;)
                switch (c) {
                case 'd':
                        o->droverd = optarg;
                        break;
                case 'l':
                        o->logger = optarg;
                        break;
                case 's':
                        action = ACTION_SWEEP;
                        break;
                case 'h':
                        return ACTION_HELP;
                case 'V':
                        return ACTION_VERSION;
                default:
                        return ACTION_USAGE;
                }
        if (action == ACTION_RUN && (!o->droverd || !o->logger))
                return ACTION_USAGE;
        /* The word before ARGS becomes droverd's argv[0]: "--", or what stands there without it. */
        o->droverd_argv = argv + optind - 1;
        return action;
}

static int run(KeeperOptions *o) {
        static Keeper keeper;
        int r;

        o->droverd_argv[0] = (char *) "droverd";
        r = keeper_open(&keeper, o);
        if (r < 0)
                log_error("cannot start: %s", strerror(-r));
        else
                r = keeper_run(&keeper);
        keeper_close(&keeper);
        return r < 0 ? EXIT_FAILURE : r;
}

int main(int argc, char **argv) {
        KeeperOptions options = {.env = environ};
        int r;

        if (argc < 1 || fd_sanitize_stdio() < 0)
                return EXIT_FAILURE;
        log_open("drover-keeper");
        switch (parse_arguments(argc, argv, &options)) {
        case ACTION_RUN:
                return run(&options);
        case ACTION_SWEEP:
                r = leftovers_sweep();
                if (r < 0 && r != -ENOENT)
                        log_error("something is left: %s", strerror(-r));
                return r < 0 && r != -ENOENT ? EXIT_FAILURE : EXIT_SUCCESS;
        case ACTION_HELP:
                print_help();
                return EXIT_SUCCESS;
        case ACTION_VERSION:
                (void) puts("drover-keeper " DROVER_VERSION);
                return EXIT_SUCCESS;
        default:
                (void) fputs("drover-keeper: --droverd and --logger are needed; see --help\n", stderr);
                return EXIT_USAGE;
        }
}
