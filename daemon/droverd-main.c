/* droverd-main.c - droverd: arguments, what was inherited, build and run.
 *
 * Started by hand or by systemd it becomes drover-keeper, which starts it again below itself. --check, --version and
 * --help need no keeper. Exit statuses as in sysexits.h: 64 usage, 75 the socket is another's, 78 configuration. */
#include "base/fd.h"
#include "base/log.h"
#include "build-config.h"
#include "keeper-exec.h"
#include "options.h"
#include "supervisor.h"
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sysexits.h>

/* The duplicate is closed by the kernel, with the process: to the keeper a line that ends before its droverd does is
 * one that went deaf, and it kills it before the exit status is known. */
static int run_below_keeper(const Options *o, int keeper_fd) {
        _cleanup_(supervisor_freep) Supervisor *s = NULL;
        int r;

        if (fcntl(keeper_fd, F_DUPFD_CLOEXEC, 3) < 0)
                log_warning("cannot duplicate the line to the keeper: %s", strerrordesc_np(errno));
        r = supervisor_new(&s, o, keeper_fd);
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
