/* path.c - a walk by descriptors, one name at a time; see the header. */
#include "base/path.h"
#include "base/alloc.h"
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINKS_MAX 40 /* as the kernel's own walk */

typedef struct Walk {
        int fd;     /* the directory reached, O_PATH */
        char *rest; /* what is still to go, owned */
        const char *at; /* in rest */
        unsigned n_links;
} Walk;

static void walk_done(Walk *w) {
        fd_close(w->fd);
        free(w->rest);
}

static bool is_own(const struct stat *st) {
        return st->st_uid == 0 || st->st_uid == geteuid();
}

static bool is_trusted(int dir_fd, const struct stat *link) {
        struct stat dir;

        if (fstat(dir_fd, &dir) < 0 || !is_own(&dir) || !is_own(link))
                return false;
        return !(dir.st_mode & (S_IWGRP | S_IWOTH)) || (dir.st_mode & S_ISVTX);
}

static int walk_to_root(Walk *w) {
        int fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

        if (fd < 0)
                return -errno;
        fd_close(w->fd);
        w->fd = fd;
        return 0;
}

/* What the link says takes its place in front of the rest. */
static int walk_link(Walk *w, int link_fd, const struct stat *st) {
        char target[PATH_MAX];
        ssize_t n;
        char *rest;

        if (!is_trusted(w->fd, st))
                return -EPERM;
        if (++w->n_links > LINKS_MAX)
                return -ELOOP;
        n = readlinkat(link_fd, "", target, sizeof(target));
        if (n < 0 || (size_t) n >= sizeof(target))
                return n < 0 ? -errno : -ENAMETOOLONG;
        rest = alloc_printf("%.*s/%s", (int) n, target, w->at + strspn(w->at, "/"));
        if (!rest)
                return -ENOMEM;
        free(w->rest);
        w->at = w->rest = rest;
        return *rest == '/' ? walk_to_root(w) : 0;
}

/* One name further. Return: 1: it was; 0: there is none, or it does not exist; -errno. */
static int walk_step(Walk *w) {
        _cleanup_fd_ int fd = -EBADF;
        char name[NAME_MAX + 1];
        struct stat st;
        size_t n;
        int r;

        w->at += strspn(w->at, "/");
        n = strcspn(w->at, "/");
        if (n == 0 || n > NAME_MAX)
                return n == 0 ? 0 : -ENAMETOOLONG;
        memcpy(name, w->at, n);
        name[n] = 0;
        fd = openat(w->fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
                return errno == ENOENT ? 0 : -errno;
        if (fstat(fd, &st) < 0)
                return -errno;
        w->at += n;
        if (S_ISLNK(st.st_mode)) {
                r = walk_link(w, fd, &st);
                return r < 0 ? r : 1;
        }
        fd_close(w->fd);
        w->fd = TAKE_FD(fd);
        return 1;
}

/* As far as there is something. */
static int walk(Walk *w, const char *path, size_t n) {
        int r;

        if (*path != '/')
                return -EINVAL;
        w->at = w->rest = alloc_strndup(path, n);
        if (!w->rest)
                return -ENOMEM;
        for (size_t end = strlen(w->rest); end > 1 && w->rest[end - 1] == '/';)
                w->rest[--end] = 0;
        r = walk_to_root(w);
        if (r < 0)
                return r;
        do
                r = walk_step(w);
        while (r > 0);
        return r;
}

int path_open_parent(const char *path, int *ret_fd, const char **ret_name) {
        _cleanup_(walk_done) Walk w = {.fd = -EBADF};
        const char *slash = strrchr(path, '/');
        int r;

        if (!slash || !slash[1])
                return -EINVAL;
        r = walk(&w, path, (size_t) (slash - path) + 1);
        if (r < 0)
                return r;
        if (w.at[strspn(w.at, "/")])
                return -ENOENT;
        *ret_fd = TAKE_FD(w.fd);
        *ret_name = slash + 1;
        return 0;
}

int path_resolve(const char *path, char **ret) {
        _cleanup_(walk_done) Walk w = {.fd = -EBADF};
        char proc[64], reached[PATH_MAX];
        ssize_t n;
        int r = walk(&w, path, strlen(path));

        if (r < 0)
                return r;
        (void) snprintf(proc, sizeof(proc), "/proc/self/fd/%d", w.fd);
        n = readlink(proc, reached, sizeof(reached));
        if (n < 0 || (size_t) n >= sizeof(reached))
                return n < 0 ? -errno : -ENAMETOOLONG;
        reached[n] = 0;
        *ret = *w.at ? alloc_printf("%s/%s", n == 1 ? "" : reached, w.at) : alloc_strdup(reached);
        return *ret ? 0 : -ENOMEM;
}
