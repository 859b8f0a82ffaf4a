/* main.c - droverd: arguments, what was inherited, build and run.
 *
 * Started by hand or by systemd it becomes drover-keeper, which starts it again below itself. --check, --version and
 * --help need no keeper. Exit statuses as in sysexits.h: 64 usage, 75 the socket is another's, 78 configuration. */
#include "base/fd.h"
#include "base/log.h"
#include "build-config.h"
#include "keeper-exec.h"
#include "options.h"
#include "supervisor.h"
#include <stdio.h>
#include <sys/stat.h>
#include <sysexits.h>

static int run_below_keeper(const Options *o, int keeper_fd) {
        _cleanup_(supervisor_freep) Supervisor *s = NULL;
        int r = supervisor_new(&s, o, keeper_fd);

        return r != 0 ? r : supervisor_run(s);
}

int main(int argc, char **argv) {
        Options o;
        int fd;

        if (argc < 1 || fd_sanitize_stdio() < 0)
                return EX_USAGE;
        if (options_parse(argc, argv, &o) < 0)
                return EX_USAGE;
        log_open("droverd");
        log_set_level(o.log_level);
        (void) umask(077);
        if (o.is_help) {
                options_print_help();
                return EXIT_SUCCESS;
        }
        if (o.is_version) {
                (void) printf("droverd %s\n", DROVER_VERSION);
                return EXIT_SUCCESS;
        }
        if (o.is_check)
                return supervisor_check(&o);
        fd = keeper_inherit();
        if (fd == -ENOENT)
                return keeper_exec(argc, argv) < 0 ? EX_OSERR : EXIT_SUCCESS;
        if (fd < 0) {
                log_error("$DROVER_KEEPER_FD names no line to a keeper: %s", strerrordesc_np(-fd));
                return EX_PROTOCOL;
        }
        return run_below_keeper(&o, fd);
}
