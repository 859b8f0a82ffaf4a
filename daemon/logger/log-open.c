/* log-open.c - see log-open.h. */
#include "logger/log-open.h"
#include "base/fd.h"
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#define DIR_FLAGS (O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

/* Whole directory in one call: the common case. */
static int dir_open_at_once(const char *dir, int *ret_fd) {
        struct open_how how = {.flags = DIR_FLAGS & ~O_NOFOLLOW, .resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};
        int fd = (int) syscall(SYS_openat2, AT_FDCWD, dir, &how, sizeof how);
        if (fd < 0)
                return -errno;
        *ret_fd = fd;
        return 0;
}

/* openat() with O_DIRECTORY | O_NOFOLLOW says ENOTDIR for a symbolic link: tell the two apart. */
static int step_error(int fd, const char *name, int error) {
        struct stat st;
        if (error == ENOTDIR && fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode))
                return -ELOOP;
        return -error;
}

static int dir_step(int *fd, const char *name, bool make) {
        int next = openat(*fd, name, DIR_FLAGS);
        if (next < 0 && errno == ENOENT && make) {
                if (mkdirat(*fd, name, LOG_DIR_MODE) < 0 && errno != EEXIST)
                        return -errno;
                next = openat(*fd, name, DIR_FLAGS);
        }
        if (next < 0)
                return step_error(*fd, name, errno);
        fd_close(*fd);
        *fd = next;
        return 0;
}

/* Component by component; @dir is cut up. */
static int dir_open_stepwise(char *dir, bool make, int *ret_fd) {
        _cleanup_fd_ int fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
        char *rest = dir;
        if (fd < 0)
                return -errno;
        for (char *name; (name = strsep(&rest, "/"));) {
                if (*name == '\0' || streq(name, "."))
                        continue;
                int r = streq(name, "..") ? -EINVAL : dir_step(&fd, name, make);
                if (r < 0)
                        return r;
        }
        *ret_fd = TAKE_FD(fd);
        return 0;
}

int log_dir_open(const char *path, bool make, int *ret_fd, const char **ret_name) {
        char dir[PATH_MAX];
        const char *slash = strrchr(path, '/');
        if (path[0] != '/' || slash[1] == '\0' || strstr(path, "/../"))
                return -EINVAL;
        size_t n = (size_t) (slash - path);
        if (n >= sizeof dir)
                return -ENAMETOOLONG;
        memcpy(dir, path, n);
        dir[n] = '\0';
        int r = dir_open_at_once(n ? dir : "/", ret_fd);
        /* ENOENT: perhaps to be made. ENOSYS, EPERM, EINVAL: no openat2 here, or a filter forbids it. */
        if (r == -ENOSYS || r == -EPERM || r == -EINVAL || (r == -ENOENT && make))
                r = dir_open_stepwise(dir, make, ret_fd);
        if (r == 0)
                *ret_name = slash + 1;
        return r;
}

static int file_check(const struct stat *st) {
        if (S_ISLNK(st->st_mode))
                return -ELOOP;
        if (S_ISDIR(st->st_mode))
                return -EISDIR;
        if (!S_ISREG(st->st_mode))
                return -ENXIO;
        if (st->st_uid != geteuid())
                return -EPERM;
        return st->st_nlink == 1 ? 0 : -EMLINK;
}

static int file_open_new(int dir_fd, const char *name, int flags) {
        int fd = openat(dir_fd, name, flags | O_EXCL, LOG_FILE_MODE);
        if (fd < 0)
                return -errno;
        (void) fchmod(fd, LOG_FILE_MODE); /* whatever the umask was */
        return fd;
}

int log_file_open(int dir_fd, const char *name, int flags, int *ret_fd, struct stat *ret_st) {
        struct stat st;
        int r;
        flags |= O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY;
        /* A look before the open: opening a device or a FIFO may do something by itself. */
        if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
                r = file_check(&st);
                if (r < 0)
                        return r;
        }
        _cleanup_fd_ int fd = openat(dir_fd, name, flags & ~O_CREAT);
        if (fd < 0 && errno == ENOENT && (flags & O_CREAT))
                fd = file_open_new(dir_fd, name, flags);
        else if (fd < 0)
                return -errno;
        if (fd < 0)
                return fd;
        if (fstat(fd, &st) < 0)
                return -errno;
        r = file_check(&st);
        if (r < 0)
                return r;
        *ret_st = st;
        *ret_fd = TAKE_FD(fd);
        return 0;
}

static const struct {
        int error;
        const char *reason;
} refusals[] = {
        {ELOOP, "it is, or leads through, a symbolic link"},
        {ENOTDIR, "a part of its path is not a directory"},
        {EISDIR, "it is a directory"},
        {ENXIO, "it is not a regular file"},
        {EMLINK, "it has more than one name (hard links)"},
        {EPERM, "it belongs to another user or must not be changed"},
        {EINVAL, "the path is not absolute or contains \"..\""},
        {ENAMETOOLONG, "the path is too long"},
};

bool log_open_is_refusal(int error) {
        for (size_t i = 0; i < ARRAY_SIZE(refusals); i++)
                if (refusals[i].error == -error)
                        return true;
        return false;
}

const char *log_open_reason(int error) {
        for (size_t i = 0; i < ARRAY_SIZE(refusals); i++)
                if (refusals[i].error == -error)
                        return refusals[i].reason;
        return strerror(-error);
}
