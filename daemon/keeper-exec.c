/* keeper-exec.c - find the two other programs, and hand over to the first. */
#include "keeper-exec.h"
#include "base/alloc.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/parse.h"
#include "build-config.h"
#include "libexec.h"
#include <limits.h>
#include <sys/socket.h>
#include <unistd.h>

#define KEEPER_FD_VARIABLE "DROVER_KEEPER_FD"

static char *find_program(const char *name) {
        char *found = libexec_find(name);

        if (!found)
                log_error("cannot find %s: not beside droverd, not in %s; $%s names another directory", name,
                          DROVER_LIBEXECDIR, LIBEXEC_VARIABLE);
        return found;
}

int keeper_exec(int argc, char **argv) {
        _cleanup_free_ char *own = libexec_own_path(), *keeper = find_program("drover-keeper"),
                            *logger = find_program("drover-logger");
        _cleanup_free_ char **args = NEW0_ARRAY(char *, (size_t) argc + 8);
        int n = 0, r;

        if (!keeper || !logger)
                return -ENOENT;
        if (!own || !args)
                return -ENOMEM;
        args[n++] = keeper;
        args[n++] = (char *) "--droverd";
        args[n++] = own;
        args[n++] = (char *) "--logger";
        args[n++] = logger;
        args[n++] = (char *) "--";
        for (int i = 1; i < argc; i++)
                args[n++] = argv[i];
        (void) execv(keeper, args);
        r = -errno;
        log_error("cannot execute %s: %s", keeper, strerrordesc_np(-r));
        return r;
}

int keeper_inherit(void) {
        const char *text = getenv(KEEPER_FD_VARIABLE);
        uint64_t number;
        int type, fd, r;
        socklen_t size = sizeof(type);

        if (!text)
                return -ENOENT;
        if (parse_u64(text, &number) < 0 || number > INT_MAX)
                return -EBADF;
        (void) unsetenv(KEEPER_FD_VARIABLE);
        fd = (int) number;
        if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) < 0)
                return -errno;
        if (type != SOCK_SEQPACKET)
                return -EPROTOTYPE;
        r = fd_set_cloexec(fd, true);
        return r < 0 ? r : fd;
}
