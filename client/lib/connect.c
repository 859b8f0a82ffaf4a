/* connect.c - where the daemon is, and a connection to it.
 *
 * /tmp/drover-UID is the one default place where a stranger could put a socket of his own first, so there the
 * directory's owner and mode are looked at. Other directories belong to root or to the user anyway. */
#include "lib/connect.h"
#include "base/alloc.h"
#include "base/fd.h"
#include "build-config.h"
#include "lib/lib-error.h"

#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define CONNECT_TIMEOUT_SEC 10

const char *drover_version(void) {
        return DROVER_VERSION;
}

char *drover_default_socket(void) {
        const char *explicit = secure_getenv("DROVER_SOCKET"), *runtime = secure_getenv("XDG_RUNTIME_DIR");

        if (explicit && *explicit)
                return alloc_strdup(explicit);
        if (geteuid() == 0)
                return alloc_strdup(DROVER_RUNDIR "/control.sock");
        if (runtime && *runtime == '/')
                return alloc_printf("%s/drover/control.sock", runtime);
        return alloc_printf("/tmp/drover-%u/control.sock", (unsigned) geteuid());
}

/* Only for a path in our own directory of /tmp. */
static bool directory_is_ours(const char *path) {
        char directory[64];
        struct stat st;
        int n = snprintf(directory, sizeof(directory), "/tmp/drover-%u", (unsigned) geteuid());

        if (strncmp(path, directory, (size_t) n) != 0 || path[n] != '/')
                return true;
        if (lstat(directory, &st) < 0)
                return true; /* connect() will say what is wrong */
        return S_ISDIR(st.st_mode) && st.st_uid == geteuid() && (st.st_mode & 0077) == 0;
}

static drover_error *connect_error(const char *path, int error) {
        switch (error) {
        case ENOENT:
        case ECONNREFUSED:
        case ENOTDIR:
                return lib_error_new(
                        -ECONNREFUSED,
                        "no daemon at %s (%s): start droverd, or name its socket with $DROVER_SOCKET", path,
                        error == ECONNREFUSED ? "nobody listens there" : "there is no such socket");
        case EACCES:
        case EPERM:
                return lib_error_new(-EACCES, "no permission to connect to %s", path);
        case EAGAIN:
                return lib_error_new(-ETIMEDOUT, "the daemon at %s did not accept within %d s", path,
                                     CONNECT_TIMEOUT_SEC);
        case EPROTOTYPE:
        case ENOTSOCK:
                return lib_error_new(-EINVAL, "%s is not a stream socket", path);
        default:
                return lib_error_new(-error, "cannot connect to %s: %s", path, strerror(error));
        }
}

int connect_socket(const char *path, int *ret_fd, drover_error **ret_error) {
        /* For a Unix socket the time to send also bounds connect() while the daemon's queue is full. */
        static const struct timeval timeout = {.tv_sec = CONNECT_TIMEOUT_SEC};
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        _cleanup_fd_ int fd = -EBADF;
        int r;

        if (*path == 0 || strlen(path) >= sizeof(address.sun_path))
                return lib_failf(ret_error, -EINVAL, "the socket's path must have 1 to %zu bytes: \"%s\"",
                                 sizeof(address.sun_path) - 1, path);
        if (!directory_is_ours(path))
                return lib_failf(ret_error, -EACCES, "the directory of %s is not yours alone", path);
        memcpy(address.sun_path, path, strlen(path) + 1);
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0)
                return lib_failf(ret_error, -errno, "cannot make a socket: %s", strerror(errno));
        (void) setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
        do
                r = connect(fd, (const struct sockaddr *) &address, sizeof(address));
        while (r < 0 && errno == EINTR);
        if (r < 0)
                return lib_fail(ret_error, connect_error(path, errno));
        *ret_fd = TAKE_FD(fd);
        return 0;
}
