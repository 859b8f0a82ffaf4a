/* leftovers.c - ends what a dead keeper left behind, by its cgroups. A program of its own in the keeper's binary:
 * it may wait and allocate. */
#include "keeper/leftovers.h"
#include "keeper/tree.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/xattr.h>
#include <unistd.h>

#define PROTECTED_ATTRIBUTE "user.drover.keep"
#define LIMIT_USEC (5 * USEC_PER_SEC)

/* Kill below @dir_fd until nothing is there. */
static int end_all(int dir_fd, const char *name) {
        usec_t limit = usec_add(clock_now(), LIMIT_USEC);
        unsigned n = 0;

        for (;;) {
                unsigned now = cgroup_kill_below(dir_fd, 0);

                n = MAX(n, now);
                if (now == 0 && cgroup_remove_below(dir_fd, 0) >= 0)
                        break;
                if (clock_now() >= limit)
                        return -EBUSY;
                (void) poll(NULL, 0, 10);
        }
        if (n > 0)
                log_notice("killed %u processes left in %s", n, name);
        return 0;
}

void leftovers_protect(int base_fd) {
        if (base_fd >= 0 && fsetxattr(base_fd, PROTECTED_ATTRIBUTE, "1", 1, 0) < 0)
                log_warning("cannot protect the workers that shall live on from a later sweep: %s", strerror(errno));
}

/* Protected, and something still lives there. */
static bool is_protected(int fd) {
        char value[2];

        return fgetxattr(fd, PROTECTED_ATTRIBUTE, value, sizeof(value)) > 0 && cgroup_remove_below(fd, 0) < 0;
}

static int sweep_directories(int own_fd, bool look_only, bool *ret_protected) {
        DIR *d = fdopendir(openat(own_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        int r = 0;

        if (!d)
                return -errno;
        for (struct dirent *e; (e = readdir(d));) {
                _cleanup_fd_ int fd = -EBADF;
                int pid, k;

                /* A keeper that lives keeps its own; the number may be another process's by now, which only delays. */
                if (sscanf(e->d_name, "drover-%d", &pid) != 1 || pid <= 0 || kill(pid, 0) == 0 || errno == EPERM)
                        continue;
                fd = openat(own_fd, e->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
                if (fd >= 0 && is_protected(fd)) {
                        *ret_protected = true;
                        continue;
                }
                if (look_only)
                        continue;
                k = fd < 0 ? -errno : end_all(fd, e->d_name);
                if (k >= 0 && unlinkat(own_fd, e->d_name, AT_REMOVEDIR) < 0)
                        k = -errno;
                r = k < 0 ? k : r;
        }
        (void) closedir(d);
        return r;
}

int leftovers_sweep(void) {
        _cleanup_fd_ int fd = -EBADF;
        char own[PATH_MAX], *end;
        int r = cgroup_own_path(own, sizeof(own));
        bool has_protected = false;

        if (r < 0)
                return r;
        /* systemd runs the control processes of a delegated unit in a cgroup of their own below it. */
        end = strrchr(own, '/');
        if (end && streq(end, "/.control"))
                *end = '\0';
        fd = open(own, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        (void) sweep_directories(fd, true, &has_protected);
        if (getenv("SERVICE_RESULT") && getenv("INVOCATION_ID") && !has_protected)
                (void) cgroup_kill_below(fd, 0);
        r = sweep_directories(fd, false, &has_protected);
        /* What hands controllers down may hold no process: the next main process of the unit could not begin. */
        if (getenv("SERVICE_RESULT") && getenv("INVOCATION_ID")) {
                controllers_off_below(fd, 0);
                (void) unlinkat(fd, CONTROLLER_SUPERVISOR, AT_REMOVEDIR);
        }
        return r;
}
