/* logger-main.c - drover-logger: takes the workers' output and writes it down. Started by drover-keeper, with the
 * line to it at descriptor $DROVER_KEEPER_FD (link/logger-protocol.h). It decides nothing. */
#include "base/fd.h"
#include "base/log.h"
#include "base/parse.h"
#include "logger/logger.h"
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>

static int keeper_fd(void) {
        const char *text = getenv("DROVER_KEEPER_FD");
        uint64_t fd;
        if (!text || parse_u64(text, &fd) < 0 || fd > INT32_MAX || fcntl((int) fd, F_GETFD) < 0)
                return -EBADF;
        return (int) fd;
}

static void set_up_process(void) {
        /* Blocked for ever, which is as good as ignored: a file at its limit must give EFBIG, not death. */
        static const int blocked[] = {SIGPIPE, SIGXFSZ, SIGHUP, SIGINT};
        sigset_t set;
        (void) fd_sanitize_stdio();
        sigemptyset(&set);
        for (size_t i = 0; i < ARRAY_SIZE(blocked); i++)
                sigaddset(&set, blocked[i]);
        (void) sigprocmask(SIG_SETMASK, &set, NULL);
        (void) umask(0); /* modes are given exactly */
}

int main(int argc, char **argv) {
        static Logger logger;
        if (argc < 1)
                return 64;
        int fd = keeper_fd();
        if (fd < 0) {
                fprintf(stderr, "drover-logger is started by drover-keeper; it has no use of its own.\n");
                return 64;
        }
        set_up_process();
        log_open("drover-logger");
        (void) fd_set_cloexec(fd, true);
        int r = logger_init(&logger, fd);
        if (r == 0)
                r = logger_run(&logger);
        if (r < 0)
                log_error("cannot go on: %s", strerror(-r));
        logger_done(&logger);
        return r < 0 ? EXIT_FAILURE : r;
}
