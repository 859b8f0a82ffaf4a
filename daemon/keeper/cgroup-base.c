/* cgroup-base.c - the directory that all leaves of a keeper are made in: `<own cgroup>/drover-<keeper's pid>`, found, tried
 * out, and removed; and those that keepers before it left behind. The leaves are in cgroup.c. */
#include "keeper/tree.h"
#include "keeper/cgroup-file.h"
#include "base/fd.h"
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PIDS_TEXT_MAX 16384 /* bytes of cgroup.procs read at once: some 2000 processes */
#define DEPTH_MAX 16

/* mountinfo: "... <root> <mount point> <options> ... - cgroup2 ...": the first such mount. */
static int find_mount(char *root, size_t root_size, char *point, size_t point_size) {
        char line[PATH_MAX * 2], format[64];
        FILE *f = fopen("/proc/self/mountinfo", "re");
        int r = -ENOENT;

        if (!f)
                return -errno;
        (void) snprintf(format, sizeof(format), "%%*s %%*s %%*s %%%zus %%%zus", root_size - 1, point_size - 1);
        while (r < 0 && fgets(line, sizeof(line), f)) {
                const char *type = strstr(line, " - cgroup2 ");

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
                if (type && sscanf(line, format, root, point) == 2)
                        r = 0;
#pragma GCC diagnostic pop
        }
        (void) fclose(f);
        return r;
}

/* Started in the subgroup of a delegated unit (DelegateSubgroup=), or by a keeper that has moved there: the unit's. */
static void leave_supervisor(char *path) {
        char *end = strrchr(path, '/');

        if (end && end > path && streq(end, "/" CONTROLLER_SUPERVISOR))
                *end = '\0';
}

int cgroup_own_path(char *buf, size_t size) {
        char root[PATH_MAX], point[PATH_MAX], text[PATH_MAX * 2];
        const char *own;
        ssize_t n;
        int r = find_mount(root, sizeof(root), point, sizeof(point));

        if (r < 0)
                return r;
        n = cgroup_read(AT_FDCWD, "/proc/self/cgroup", text, sizeof(text));
        if (n < 0)
                return (int) n;
        own = strncmp(text, "0::", 3) == 0 ? text : strstr(text, "\n0::");
        if (!own)
                return -ENOENT;
        own = strchr(own, '/');
        if (!own)
                return -ENOENT;
        if (strlen(root) > 1 && strncmp(own, root, strlen(root)) == 0)
                own += strlen(root);
        n = snprintf(buf, size, "%s%.*s", point, (int) strcspn(own, "\n"), own);
        if ((size_t) n >= size)
                return -ENAMETOOLONG;
        for (; n > 1 && buf[n - 1] == '/'; n--)
                buf[n - 1] = '\0';
        leave_supervisor(buf);
        return 0;
}

unsigned cgroup_kill_below(int dir_fd, unsigned depth) {
        unsigned n = 0;
        char text[PIDS_TEXT_MAX];
        DIR *d;

        if (cgroup_read(dir_fd, "cgroup.procs", text, sizeof(text)) > 0)
                for (char *p = text; *p;) {
                        pid_t pid = (pid_t) strtol(p, &p, 10);

                        if (*p == '\n')
                                p++;
                        if (pid > 0 && pid != getpid() && kill(pid, SIGKILL) == 0)
                                n++;
                }
        d = depth < DEPTH_MAX ? fdopendir(openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) : NULL;
        for (struct dirent *e; d && (e = readdir(d));) {
                _cleanup_fd_ int fd = -EBADF;

                if (e->d_type != DT_DIR || e->d_name[0] == '.')
                        continue;
                fd = cgroup_open_dir(dir_fd, e->d_name);
                n += fd >= 0 ? cgroup_kill_below(fd, depth + 1) : 0;
        }
        if (d)
                (void) closedir(d);
        return n;
}

int cgroup_remove_below(int dir_fd, unsigned depth) {
        int r = 0;
        DIR *d = depth < DEPTH_MAX ? fdopendir(openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) : NULL;

        if (!d)
                return -EBUSY;
        for (struct dirent *e; (e = readdir(d));) {
                _cleanup_fd_ int fd = -EBADF;

                if (e->d_type != DT_DIR || e->d_name[0] == '.')
                        continue;
                fd = openat(dir_fd, e->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
                if (fd >= 0)
                        (void) cgroup_remove_below(fd, depth + 1);
                if (unlinkat(dir_fd, e->d_name, AT_REMOVEDIR) < 0 && errno != ENOENT)
                        r = -errno;
        }
        (void) closedir(d);
        return r;
}

void cgroup_remove_stale(const char *own) {
        _cleanup_fd_ int own_fd = open(own, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        DIR *d = own_fd >= 0 ? fdopendir(dup(own_fd)) : NULL;

        for (struct dirent *e; d && (e = readdir(d));) {
                _cleanup_fd_ int fd = -EBADF;
                int pid;

                if (sscanf(e->d_name, "drover-%d", &pid) != 1 || pid <= 0 || (pid != getpid() && kill(pid, 0) == 0))
                        continue;
                fd = openat(own_fd, e->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
                if (fd >= 0 && cgroup_remove_below(fd, 0) == 0)
                        (void) unlinkat(own_fd, e->d_name, AT_REMOVEDIR);
        }
        if (d)
                (void) closedir(d);
}

/* One process through the base directory: does it arrive alive? */
static int try_once(Tree *t, SpawnMethod *method) {
        _cleanup_fd_ int leaf = -EBADF, pidfd = -EBADF;
        bool inside = false;
        int status = 0;
        pid_t pid;

        if (mkdirat(t->base_fd, "trial", 0755) < 0)
                return -errno;
        leaf = cgroup_open_dir(t->base_fd, "trial");
        pid = leaf < 0 ? leaf : spawn(method, leaf, &pidfd, &inside);
        if (pid == 0)
                _exit(inside || cgroup_enter(leaf) == 0 ? 0 : 1);
        while (pid > 0 && waitpid(pid, &status, __WALL) < 0 && errno == EINTR)
                ;
        (void) unlinkat(t->base_fd, "trial", AT_REMOVEDIR);
        if (pid < 0)
                return pid;
        return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : WIFSIGNALED(status) ? -EOWNERDEAD : -EACCES;
}

static int make_base(Tree *t, const char *own) {
        for (unsigned n = 0; n < 16; n++) {
                char *at = stpncpy(t->base, own, sizeof(t->base) - 32);

                /* A leftover of this very pid that is not empty belongs to a keeper that died: not ours to enter. */
                (void) snprintf(at, 32, n == 0 ? "/drover-%d" : "/drover-%d.%u", getpid(), n);
                if (mkdir(t->base, 0755) == 0)
                        return 0;
                if (errno != EEXIST)
                        return -errno;
        }
        return -EEXIST;
}

/* Before any process is made: it would have to be moved too. */
static void open_controllers(Tree *t, const char *own) {
        t->own_fd = open(own, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (t->own_fd >= 0)
                controllers_open(&t->controllers, t->own_fd, t->base_fd, controllers_why_not_move(t->own_fd));
}

int cgroup_open(Tree *t) {
        char own[PATH_MAX - 64];
        const char *step = "find the cgroup v2 of this process";
        int r = cgroup_own_path(own, sizeof(own));

        if (r >= 0) {
                cgroup_remove_stale(own);
                step = "make a cgroup in";
                r = make_base(t, own);
        }
        if (r >= 0) {
                t->base_fd = open(t->base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                step = "start a process in a cgroup of";
                r = t->base_fd < 0 ? -errno : -EAGAIN;
                if (t->base_fd >= 0)
                        open_controllers(t, own);
                for (SpawnMethod m = SPAWN_INTO_CGROUP; r < 0 && m <= SPAWN_FORK; m++) {
                        t->method = m;
                        r = try_once(t, &t->method);
                }
        }
        if (r < 0) {
                (void) snprintf(t->reason, sizeof(t->reason), "cannot %s%s%.60s: %s", step,
                                t->base[0] ? " " : "", t->base[0] ? own : "", strerror(-r));
                cgroup_close(t);
        }
        return r;
}

void cgroup_close(Tree *t) {
        if (t->base_fd >= 0) {
                (void) cgroup_remove_below(t->base_fd, 0);
                if (t->own_fd >= 0 && rmdir(t->base) == 0)
                        controllers_close(&t->controllers, t->own_fd, -EBADF);
                else
                        (void) rmdir(t->base);
        }
        t->own_fd = fd_close(t->own_fd);
        t->base_fd = fd_close(t->base_fd);
        t->base[0] = '\0';
}
