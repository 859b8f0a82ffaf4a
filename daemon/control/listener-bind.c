/* listener-bind.c - the socket file: its directory, its lock, its mode.
 *
 * The lock decides who is the daemon of a path, not a guess from the socket: flock on PATH.lock is freed by the kernel
 * with the last duplicate of its descriptor, also after SIGKILL. Only under it a socket file left behind is removed.
 * The lock file itself is never removed, so two daemons cannot hold locks on two files of the same name.
 *
 * The mode is set with fchmod(2) on the socket before bind(2): the file never exists with a laxer one. */
#include "control/control.h"
#include "base/alloc.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/parse.h"
#include "build-config.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83 /* Linux 6.16 */
#endif

#define LISTEN_BACKLOG 512
#define LOCK_ATTEMPTS 5

char *socket_default_path(void) {
        const char *given = getenv("DROVER_SOCKET"), *runtime = getenv("XDG_RUNTIME_DIR");

        if (given && *given)
                return alloc_strdup(given);
        if (geteuid() == 0)
                return alloc_strdup(DROVER_RUNDIR "/control.sock");
        if (runtime && *runtime == '/')
                return alloc_printf("%s/drover/control.sock", runtime);
        return alloc_printf("/tmp/drover-%u/control.sock", (unsigned) geteuid());
}

/* Whoever can rename files in the directory could put his own socket there: only root and the own user may, or everybody
 * in a sticky one (/tmp), where nobody can touch another's files. */
static int directory_check(int dir_fd) {
        struct stat st;

        if (fstat(dir_fd, &st) < 0)
                return -errno;
        if (st.st_uid != geteuid() && st.st_uid != 0)
                return -EPERM;
        if ((st.st_mode & (S_IWGRP | S_IWOTH)) && !(st.st_mode & S_ISVTX))
                return -EPERM;
        return 0;
}

static int directory_prepare(const char *path) {
        _cleanup_free_ char *directory = NULL;
        _cleanup_fd_ int fd = -EBADF;
        const char *slash = strrchr(path, '/');
        int r;

        directory = slash ? alloc_strndup(path, slash == path ? 1 : (size_t) (slash - path)) : alloc_strdup(".");
        if (!directory)
                return -ENOMEM;
        r = dir_make(directory, geteuid() == 0 ? 0755 : 0700);
        if (r < 0)
                return r;
        fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
        return fd < 0 ? -errno : directory_check(fd);
}

int listener_lock_note(int lock_fd) {
        char text[32];
        int n = snprintf(text, sizeof(text), "%d\n", (int) getpid());

        if (ftruncate(lock_fd, 0) < 0 || pwrite(lock_fd, text, (size_t) n, 0) < 0)
                return -errno;
        return 0;
}

static pid_t lock_holder(int lock_fd) {
        char text[32];
        uint64_t pid = 0;
        ssize_t n = pread(lock_fd, text, sizeof(text) - 1, 0);

        if (n <= 0)
                return 0;
        text[n] = 0;
        text[strcspn(text, "\n")] = 0;
        return parse_u64(text, &pid) < 0 || pid > INT32_MAX ? 0 : (pid_t) pid;
}

/* 0 when the locked file is still the one of that name. */
static int lock_is_current(int fd, const char *path) {
        struct stat locked, named;

        if (fstat(fd, &locked) < 0)
                return -errno;
        if (!S_ISREG(locked.st_mode) || locked.st_uid != geteuid())
                return -EPERM;
        if (stat(path, &named) < 0)
                return -ESTALE;
        return locked.st_ino == named.st_ino && locked.st_dev == named.st_dev ? 0 : -ESTALE;
}

static int lock_take(const char *socket_path, int *ret_fd, pid_t *ret_pid) {
        _cleanup_free_ char *path = alloc_printf("%s.lock", socket_path);
        int r = -ESTALE;

        if (!path)
                return -ENOMEM;
        for (int i = 0; i < LOCK_ATTEMPTS && r == -ESTALE; i++) {
                _cleanup_fd_ int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);

                if (fd < 0)
                        return -errno;
                if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
                        *ret_pid = errno == EWOULDBLOCK ? lock_holder(fd) : 0;
                        return errno == EWOULDBLOCK ? -EADDRINUSE : -errno;
                }
                r = lock_is_current(fd, path);
                if (r < 0)
                        continue;
                (void) listener_lock_note(fd); /* only for a message */
                *ret_fd = TAKE_FD(fd);
        }
        return r;
}

/* Somebody without our lock may listen there all the same: systemd for a socket unit, or another program. */
static int socket_is_live(const struct sockaddr_un *address, pid_t *ret_pid) {
        _cleanup_fd_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        struct ucred peer;
        socklen_t size = sizeof(peer);

        if (fd < 0)
                return -errno;
        if (connect(fd, (const struct sockaddr *) address, sizeof(*address)) < 0)
                return errno == EAGAIN ? -EADDRINUSE : 0;
        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0)
                *ret_pid = peer.pid;
        return -EADDRINUSE;
}

static int stale_remove(const struct sockaddr_un *address, pid_t *ret_pid) {
        struct stat st;
        int r;

        if (lstat(address->sun_path, &st) < 0)
                return errno == ENOENT ? 0 : -errno;
        if (!S_ISSOCK(st.st_mode))
                return -EEXIST;
        r = socket_is_live(address, ret_pid);
        if (r < 0)
                return r;
        return unlink(address->sun_path) < 0 ? -errno : 0;
}

static int socket_bind(const struct sockaddr_un *address, int *ret_fd) {
        _cleanup_fd_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        mode_t umask_before;
        int off = 0, r;

        if (fd < 0)
                return -errno;
        /* No descriptor shall reach us: receiving, or merely dropping, one of a lingering TCP socket blocks as long as its
         * owner likes. Accepted sockets inherit this. Before 6.16 there is no such option, and closer.h defends. */
        (void) setsockopt(fd, SOL_SOCKET, SO_PASSRIGHTS, &off, sizeof(off));
        if (fchmod(fd, 0600) < 0) /* whom else to let in is known when the configuration is: listener_set_access() */
                return -errno;
        umask_before = umask(0); /* bind(2) takes it off the mode just set */
        r = bind(fd, (const struct sockaddr *) address, sizeof(*address)) < 0 ? -errno : 0;
        umask(umask_before);
        if (r < 0)
                return r;
        if (listen(fd, LISTEN_BACKLOG) < 0)
                return -errno;
        *ret_fd = TAKE_FD(fd);
        return 0;
}

int listener_set_access(const char *path, gid_t gid, mode_t mode) {
        _cleanup_fd_ int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        char name[40];
        struct stat st;

        if (fd < 0 || fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISSOCK(st.st_mode) || st.st_uid != geteuid())
                return -EPERM;
        if (st.st_gid == gid && (st.st_mode & 07777) == mode)
                return 0;
        (void) snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
        if (st.st_gid != gid) { /* neither group has what is the other's at any moment */
                if (chmod(name, st.st_mode & mode & 0700) < 0 || fchownat(fd, "", (uid_t) -1, gid, AT_EMPTY_PATH) < 0)
                        return -errno;
        }
        return chmod(name, mode) < 0 ? -errno : 0;
}

static int address_set(struct sockaddr_un *a, const char *path) {
        if (strlen(path) >= sizeof(a->sun_path))
                return -ENAMETOOLONG;
        *a = (struct sockaddr_un){.sun_family = AF_UNIX};
        memcpy(a->sun_path, path, strlen(path) + 1);
        return directory_prepare(path);
}

int listener_bind(const char *path, int *ret_listen_fd, int *ret_lock_fd, pid_t *ret_pid) {
        _cleanup_fd_ int lock_fd = -EBADF;
        struct sockaddr_un address;
        int r;

        *ret_pid = 0;
        r = address_set(&address, path);
        if (r < 0)
                return r;
        r = lock_take(path, &lock_fd, ret_pid);
        if (r < 0)
                return r;
        r = stale_remove(&address, ret_pid);
        if (r < 0)
                return r;
        r = socket_bind(&address, ret_listen_fd);
        if (r < 0)
                return r;
        *ret_lock_fd = TAKE_FD(lock_fd);
        return 0;
}

/* The lock stays where its file still is: there is no moment in which another daemon could take it. */
static int lock_take_again(const char *socket_path, int *lock_fd) {
        _cleanup_free_ char *path = alloc_printf("%s.lock", socket_path);
        pid_t pid;
        int r, fd;

        if (!path)
                return -ENOMEM;
        r = *lock_fd < 0 ? -ESTALE : lock_is_current(*lock_fd, path);
        if (r != -ESTALE)
                return r;
        r = lock_take(socket_path, &fd, &pid);
        if (r < 0)
                return r;
        fd_close(*lock_fd);
        *lock_fd = fd;
        return 0;
}

int listener_bind_again(const char *path, int *lock_fd, int *ret_listen_fd) {
        struct sockaddr_un address;
        pid_t pid;
        int r;

        r = address_set(&address, path);
        if (r >= 0)
                r = lock_take_again(path, lock_fd);
        if (r >= 0)
                r = stale_remove(&address, &pid);
        return r < 0 ? r : socket_bind(&address, ret_listen_fd);
}

const char *listener_bind_describe(const char *path, int error, pid_t pid, char *buf, size_t size) {
        const size_t path_max = sizeof(((struct sockaddr_un *) NULL)->sun_path) - 1;

        switch (error) {
        case -EADDRINUSE:
                if (pid > 0)
                        snprintf(buf, size, "a daemon is running on %s already (pid %d)", path, (int) pid);
                else
                        snprintf(buf, size, "a daemon is running on %s already", path);
                break;
        case -ENAMETOOLONG:
                snprintf(buf, size, "the socket path %s has %zu bytes; the kernel takes %zu at most", path, strlen(path),
                         path_max);
                break;
        case -EPERM:
                snprintf(buf, size, "the directory of %s, or %s.lock, belongs to someone else or can be written by others",
                         path, path);
                break;
        case -EEXIST:
                snprintf(buf, size, "%s exists and is no socket; it is left alone", path);
                break;
        default:
                snprintf(buf, size, "cannot listen on %s: %s", path, strerror(-error));
        }
        return buf;
}
