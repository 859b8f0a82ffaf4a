/* config-file.c - trusted files and directories; see the header. */
#include "config/config-file.h"
#include "base/alloc.h"
#include "base/fd.h"
#include "base/file.h"
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

static bool is_owner(uid_t uid, const uid_t *owners, size_t n_owners) {
        for (size_t i = 0; i < n_owners; i++)
                if (owners[i] == uid)
                        return true;
        return false;
}

static int check_trust(int fd, bool want_dir, const uid_t *owners, size_t n_owners, char *fault, size_t fault_size) {
        struct stat st;

        if (fstat(fd, &st) < 0) {
                int r = -errno;
                snprintf(fault, fault_size, "cannot examine it: %s", strerror(-r));
                return r;
        }
        if (want_dir ? !S_ISDIR(st.st_mode) : !S_ISREG(st.st_mode)) {
                snprintf(fault, fault_size, want_dir ? "not a directory" : "not a regular file");
                return want_dir ? -ENOTDIR : -EINVAL;
        }
        if (!is_owner(st.st_uid, owners, n_owners)) {
                snprintf(fault, fault_size, "owned by uid %u; it must belong to root or to the user droverd runs as",
                         (unsigned) st.st_uid);
                return -EPERM;
        }
        if (st.st_mode & 022) {
                snprintf(fault, fault_size, "writable for %s; run: chmod go-w", st.st_mode & 002 ? "everybody" : "its group");
                return -EPERM;
        }
        return 0;
}

/* O_NONBLOCK: a FIFO in the place of the file must not hold the daemon up before fstat() sees it. */
static int open_checked(const char *path, int flags, char *fault, size_t fault_size) {
        int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | flags);

        if (fd < 0) {
                fd = -errno;
                snprintf(fault, fault_size, "cannot open it: %s", strerror(-fd));
        }
        return fd;
}

int config_file_open(const char *path, const uid_t *owners, size_t n_owners, char *fault, size_t fault_size) {
        _cleanup_fd_ int fd = open_checked(path, 0, fault, fault_size);
        int r;

        if (fd < 0)
                return fd;
        r = check_trust(fd, false, owners, n_owners, fault, fault_size);
        return r < 0 ? r : TAKE_FD(fd);
}

int config_file_read_fd(int fd, size_t max, char **ret_data, size_t *ret_size, char *fault, size_t fault_size) {
        int r = file_read_fd(fd, max, ret_data, ret_size);

        if (r == -EFBIG)
                snprintf(fault, fault_size, "too large: at most %zu bytes", max);
        else if (r < 0)
                snprintf(fault, fault_size, "cannot read it: %s", strerror(-r));
        return r;
}

int config_file_read(const char *path, size_t max, const uid_t *owners, size_t n_owners, char **ret_data,
                     size_t *ret_size, char *fault, size_t fault_size) {
        _cleanup_fd_ int fd = config_file_open(path, owners, n_owners, fault, fault_size);

        return fd < 0 ? fd : config_file_read_fd(fd, max, ret_data, ret_size, fault, fault_size);
}

static bool is_wanted(const char *name) {
        size_t n = strlen(name);
        return name[0] != '.' && n > 5 && streq(name + n - 5, ".json");
}

static int compare_names(const void *a, const void *b) {
        return strcmp(*(char *const *) a, *(char *const *) b);
}

static int read_names(DIR *dir, char ***ret) {
        _cleanup_(strv_freep) char **names = NEW0_ARRAY(char *, 1);
        size_t n = 0, capacity = 1;

        if (!names)
                return -ENOMEM;
        for (struct dirent *e; (e = readdir(dir));) {
                if (!is_wanted(e->d_name))
                        continue;
                int r = alloc_grow(&names, &capacity, n + 2, sizeof(*names));
                if (r < 0)
                        return r;
                names[n] = alloc_strdup(e->d_name);
                if (!names[n])
                        return -ENOMEM;
                names[++n] = NULL;
        }
        qsort(names, n, sizeof(*names), compare_names);
        *ret = TAKE_PTR(names);
        return 0;
}

int config_dir_list(const char *path, const uid_t *owners, size_t n_owners, char ***ret, char *fault, size_t fault_size) {
        _cleanup_fd_ int fd = open_checked(path, O_DIRECTORY, fault, fault_size);
        int r;

        if (fd == -ENOENT) {
                *ret = NEW0_ARRAY(char *, 1);
                return *ret ? 0 : -ENOMEM;
        }
        if (fd < 0)
                return fd;
        r = check_trust(fd, true, owners, n_owners, fault, fault_size);
        if (r < 0)
                return r;
        DIR *dir = fdopendir(fd);
        if (!dir)
                return -ENOMEM;
        (void) TAKE_FD(fd);
        r = read_names(dir, ret);
        closedir(dir);
        return r;
}
