/* isolation.c - a mount namespace for one process. See isolation.h. */
#include "keeper/isolation.h"
#include "base/fd.h"
#include <fcntl.h>
#include <limits.h>
#include <linux/mount.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define TMP_OPTIONS "mode=1777"
#define HIDDEN_OPTIONS "mode=000,size=4k,nr_inodes=2"

static const char *const tmp_directories[] = {"/tmp", "/var/tmp"};

bool isolation_is_below(const char *path, const char *above) {
        size_t n = strlen(above);

        while (n > 0 && above[n - 1] == '/')
                n--;
        return strncmp(path, above, n) == 0 && (path[n] == '/' || path[n] == '\0');
}

static void insert(IsolatedPath *list, size_t *n, const char *path, LaunchPathKind kind, int detail) {
        size_t at = (*n)++;

        for (; at > 0 && strlen(list[at - 1].path) > strlen(path); at--)
                list[at] = list[at - 1];
        list[at] = (IsolatedPath) {.path = path, .kind = kind, .detail = detail, .fd = -EBADF};
}

static bool is_listed(const IsolatedPath *list, size_t n, const char *path) {
        for (size_t i = 0; i < n; i++)
                if (isolation_is_below(list[i].path, path) && isolation_is_below(path, list[i].path))
                        return true;
        return false;
}

size_t isolation_list(const LaunchSpec *s, IsolatedPath out[static ISOLATED_PATHS_MAX]) {
        static const char *const writable[] = {"/dev", "/proc", "/sys"};
        size_t n = 0;

        for (unsigned kind = LAUNCH_PATH_READ_ONLY; kind < _LAUNCH_PATH_MAX; kind++)
                for (int i = 0; s->paths[kind] && s->paths[kind][i] && n < LAUNCH_PATHS_MAX; i++)
                        insert(out, &n, s->paths[kind][i], kind, (int) kind << 16 | i);
        if (n == 0 || !isolation_is_below("/", out[0].path) || out[0].kind != LAUNCH_PATH_READ_ONLY)
                return n;
        for (size_t i = 0; i < ARRAY_SIZE(writable); i++)
                if (!is_listed(out, n, writable[i]) && access(writable[i], F_OK) == 0)
                        insert(out, &n, writable[i], LAUNCH_PATH_READ_WRITE, out[0].detail);
        return n;
}

/* Of everything below @path that is mounted, too. Before Linux 5.12 of the topmost mount alone. */
static int set_attributes(const char *path, uint64_t set, uint64_t clear) {
        struct mount_attr attr = {.attr_set = set, .attr_clr = clear};

        if (syscall(SYS_mount_setattr, AT_FDCWD, path, AT_RECURSIVE, &attr, sizeof(attr)) == 0)
                return 0;
        if (errno != ENOSYS)
                return -errno;
        return mount(NULL, path, NULL, MS_BIND | MS_REMOUNT | (set & MOUNT_ATTR_RDONLY ? MS_RDONLY : 0) |
                     (set & MOUNT_ATTR_NODEV ? MS_NODEV : 0), NULL) < 0 ? -errno : 0;
}

static int bind_path(const char *from, const char *to) {
        return mount(from, to, NULL, MS_BIND | MS_REC, NULL) < 0 ? -errno : 0;
}

/* "/proc/self/fd/N" */
static char *fd_path(char buf[static 32], int fd) {
        static const char prefix[] = "/proc/self/fd/";
        char digits[12];
        size_t n = 0, at = sizeof(prefix) - 1;

        memcpy(buf, prefix, sizeof(prefix));
        do
                digits[n++] = (char) ('0' + fd % 10);
        while ((fd /= 10) > 0);
        while (n > 0)
                buf[at++] = digits[--n];
        buf[at] = '\0';
        return buf;
}

/* The place for something carried over into a fresh /tmp: its directories, and a directory or file of its name. */
static int make_place(const char *path, bool is_directory) {
        char buf[PATH_MAX];
        size_t n = strlen(path);
        int fd;

        if (n >= sizeof(buf))
                return -ENAMETOOLONG;
        memcpy(buf, path, n + 1);
        for (char *p = strchr(buf + 1, '/'); p; p = strchr(p + 1, '/')) {
                *p = '\0';
                if (mkdir(buf, 0755) < 0 && errno != EEXIST)
                        return -errno;
                *p = '/';
        }
        if (is_directory)
                return mkdir(buf, 0755) < 0 && errno != EEXIST ? -errno : 0;
        fd = open(buf, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        if (fd < 0)
                return -errno;
        (void) fd_close(fd);
        return 0;
}

static int restore_path(IsolatedPath *p) {
        char from[32];
        struct stat st;
        int r;

        if (fstat(p->fd, &st) < 0)
                return -errno;
        r = make_place(p->path, S_ISDIR(st.st_mode));
        if (r >= 0)
                r = bind_path(fd_path(from, p->fd), p->path);
        p->fd = fd_close(p->fd);
        return r;
}

static int hide_path(const char *path) {
        struct stat st;
        int r;

        if (stat(path, &st) < 0)
                return errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
        if (S_ISDIR(st.st_mode))
                return mount("tmpfs", path, "tmpfs", MS_NODEV | MS_NOSUID | MS_NOEXEC | MS_RDONLY, HIDDEN_OPTIONS) < 0 ? -errno : 0;
        r = bind_path("/dev/null", path); /* which, without devices, cannot even be opened */
        return r < 0 ? r : set_attributes(path, MOUNT_ATTR_NODEV | MOUNT_ATTR_RDONLY, 0);
}

static int apply_path(IsolatedPath *p) {
        bool is_read_only = p->kind == LAUNCH_PATH_READ_ONLY;
        int r;

        if (p->kind == LAUNCH_PATH_INACCESSIBLE)
                return hide_path(p->path);
        r = p->fd >= 0 ? restore_path(p) : bind_path(p->path, p->path);
        if (r < 0)
                return r;
        return set_attributes(p->path, is_read_only ? MOUNT_ATTR_RDONLY : 0, is_read_only ? 0 : MOUNT_ATTR_RDONLY);
}

static int cover_tmp(int *ret_detail) {
        for (unsigned i = 0; i < ARRAY_SIZE(tmp_directories); i++) {
                *ret_detail = LAUNCH_PATH_TMP << 16 | (int) i;
                if (mount("tmpfs", tmp_directories[i], "tmpfs", MS_NODEV | MS_NOSUID, TMP_OPTIONS) < 0 && errno != ENOENT)
                        return -errno;
        }
        return 0;
}

/* What lies below the coming private directories and is to be seen there still. */
static int hold_covered(IsolatedPath *p) {
        bool is_covered = false;

        for (unsigned i = 0; i < ARRAY_SIZE(tmp_directories); i++)
                is_covered |= isolation_is_below(p->path, tmp_directories[i]) && !isolation_is_below(tmp_directories[i], p->path);
        if (!is_covered || p->kind == LAUNCH_PATH_INACCESSIBLE)
                return 0;
        p->fd = open(p->path, O_PATH | O_CLOEXEC);
        return p->fd < 0 ? -errno : 0;
}

static int own_namespace(void) {
        if (unshare(CLONE_NEWNS) < 0)
                return -errno;
        return mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0 ? -errno : 0;
}

int isolation_mount(const LaunchSpec *s, LaunchStage *ret_stage, int *ret_detail) {
        IsolatedPath paths[ISOLATED_PATHS_MAX];
        size_t n = isolation_list(s, paths);
        int r = own_namespace();

        *ret_stage = LAUNCH_NAMESPACE;
        *ret_detail = 0;
        if (r < 0)
                return r;
        *ret_stage = LAUNCH_MOUNT;
        for (size_t i = 0; s->private_tmp && i < n; i++) {
                *ret_detail = paths[i].detail;
                r = hold_covered(&paths[i]);
                if (r < 0)
                        return r;
        }
        r = s->private_tmp ? cover_tmp(ret_detail) : 0;
        for (size_t i = 0; r >= 0 && i < n; i++) {
                *ret_detail = paths[i].detail;
                r = apply_path(&paths[i]);
        }
        return r;
}

int isolation_try(void) {
        LaunchSpec s = {.private_tmp = true};
        LaunchStage stage;
        int detail;

        return isolation_mount(&s, &stage, &detail);
}
