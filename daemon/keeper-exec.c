/* keeper-exec.c - find the two other programs, and hand over to the first. */
#include "keeper-exec.h"
#include "base/alloc.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/parse.h"
#include "build-config.h"
#include <limits.h>
#include <sys/socket.h>
#include <unistd.h>

#define KEEPER_FD_VARIABLE "DROVER_KEEPER_FD"
#define LIBEXEC_VARIABLE "DROVER_LIBEXEC"

/* The path of this very program; NULL when /proc is not there. */
static char *own_path(void) {
        char path[PATH_MAX];
        ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);

        if (n <= 0)
                return NULL;
        path[n] = '\0';
        return alloc_strdup(path);
}

/* $DROVER_LIBEXEC, beside this program, ../libexec/drover of it, where it was installed. First hit wins. */
static char *find_program(const char *own, const char *name) {
        const char *variable = getenv(LIBEXEC_VARIABLE), *slash = own ? strrchr(own, '/') : NULL;
        int n = slash ? (int) (slash - own) : 0;
        char *candidates[] = {
                variable ? alloc_printf("%s/%s", variable, name) : NULL,
                slash ? alloc_printf("%.*s/%s", n, own, name) : NULL,
                slash ? alloc_printf("%.*s/../libexec/drover/%s", n, own, name) : NULL,
                alloc_printf("%s/%s", DROVER_LIBEXECDIR, name),
        };
        char *found = NULL;

        for (size_t i = 0; i < ARRAY_SIZE(candidates); i++) {
                if (!found && candidates[i] && access(candidates[i], X_OK) == 0)
                        found = TAKE_PTR(candidates[i]);
                free(candidates[i]);
        }
        if (!found)
                log_error("cannot find %s: not beside droverd, not in %s; $%s names another directory", name,
                          DROVER_LIBEXECDIR, LIBEXEC_VARIABLE);
        return found;
}

int keeper_exec(int argc, char **argv) {
        _cleanup_free_ char *own = own_path(), *keeper = find_program(own, "drover-keeper"),
                            *logger = find_program(own, "drover-logger");
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
