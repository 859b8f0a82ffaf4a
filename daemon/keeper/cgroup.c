/* cgroup.c - trees held by cgroup v2: `<own cgroup>/drover-<keeper's pid>/<worker>.<slot>.<generation>`.
 *
 * Every process gets a fresh leaf: after one write to cgroup.kill, the kernel kills at birth whatever is later
 * cloned into the same one. Whether a leaf is empty is read in cgroup.events. An empty one is removed later, when
 * the keeper has nothing better to do: rmdir costs 20 us, a third of the whole way of a death. Limits and what is
 * known of memory are in controller.c. */
#include "keeper/tree.h"
#include "keeper/cgroup-file.h"
#include "base/fd.h"
#include "base/log.h"
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PIDS_TEXT_MAX 65536 /* bytes of cgroup.procs read at once: some 9000 processes */
#define DEPTH_MAX 16
#define TIDY_MAX 4 /* leaves a turn */

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

static int tree_make(Tree *t, Slot *s, int *ret_fd) {
        char leaf[SLOT_LEAF_MAX];
        int fd;

        (void) slot_leaf(t->table, s, leaf);
        if (mkdirat(t->base_fd, leaf, 0755) < 0)
                return -errno;
        fd = cgroup_open_dir(t->base_fd, leaf);
        if (fd < 0) {
                (void) unlinkat(t->base_fd, leaf, AT_REMOVEDIR);
                return fd;
        }
        s->has_leaf = true;
        controller_prepare(&t->controllers, fd);
        *ret_fd = fd;
        return 0;
}

static int tree_set(Tree *t, Slot *s, const KeeperCgroup *values) {
        char leaf[SLOT_LEAF_MAX];
        _cleanup_fd_ int fd = -EBADF;

        if (!s->has_leaf)
                return -ESRCH;
        fd = cgroup_open_dir(t->base_fd, slot_leaf(t->table, s, leaf));
        return fd < 0 ? fd : controller_set(&t->controllers, t->base_fd, fd, values);
}

static void tree_account(Tree *t, Slot *s) {
        char leaf[SLOT_LEAF_MAX];
        _cleanup_fd_ int fd = -EBADF;

        if (!s->has_leaf || !(t->controllers.handed & KEEPER_CONTROLLER_MEMORY))
                return;
        fd = cgroup_open_dir(t->base_fd, slot_leaf(t->table, s, leaf));
        if (fd >= 0)
                controller_account(&t->controllers, fd, &s->exited);
}

static void tree_discard(Tree *t, Slot *s) {
        char leaf[SLOT_LEAF_MAX];

        if (s->has_leaf && unlinkat(t->base_fd, slot_leaf(t->table, s, leaf), AT_REMOVEDIR) == 0)
                s->has_leaf = false;
}

/* Moving a process takes the kernel up to 16 ms when it is rare (it waits for all processors): whoever can is born inside. */
static int tree_enter(Tree *t, int leaf_fd, pid_t pid) {
        char text[4096], number[16];

        (void) t;
        (void) snprintf(number, sizeof(number), "%d\n", pid);
        if (leaf_fd < 0)
                return -ENOENT;
        if (cgroup_read(leaf_fd, "cgroup.procs", text, sizeof(text)) > 0 && strncmp(text, number, strlen(number)) == 0)
                return 0;
        return cgroup_write(leaf_fd, "cgroup.procs", number);
}

/* Is @pid, held by a pidfd already, still in the cgroup named @leaf? Then the number was not reused. */
static bool is_member(pid_t pid, const char *leaf) {
        char path[64], text[4096];
        const char *line;

        (void) snprintf(path, sizeof(path), "/proc/%d/cgroup", pid);
        if (cgroup_read(AT_FDCWD, path, text, sizeof(text)) < 0)
                return false;
        line = strncmp(text, "0::", 3) == 0 ? text : strstr(text, "\n0::");
        return line && strstr(line, leaf) != NULL;
}

static int signal_member(pid_t pid, const char *leaf, int sig) {
        _cleanup_fd_ int pidfd = (int) syscall(SYS_pidfd_open, pid, 0);

        if (pidfd < 0)
                return errno == ENOSYS && is_member(pid, leaf) && kill(pid, sig) == 0 ? 0 : -errno;
        if (!is_member(pid, leaf))
                return -ESRCH;
        return syscall(SYS_pidfd_send_signal, pidfd, sig, NULL, 0) < 0 ? -errno : 0;
}

static int each_member(int leaf_fd, int (*what)(pid_t pid, void *userdata), void *userdata) {
        static char text[PIDS_TEXT_MAX];
        ssize_t n = cgroup_read(leaf_fd, "cgroup.procs", text, sizeof(text));
        int r = -ESRCH;

        if (n < 0)
                return (int) n;
        for (char *p = text; *p;) {
                pid_t pid = (pid_t) strtol(p, &p, 10);
                int k;

                if (*p == '\n')
                        p++;
                k = pid > 0 ? what(pid, userdata) : -ESRCH;
                if (r == -ESRCH || k == 0)
                        r = k;
        }
        return r;
}

typedef struct SignalJob {
        const char *leaf;
        int sig;
} SignalJob;

static int signal_one(pid_t pid, void *userdata) {
        const SignalJob *job = userdata;

        return signal_member(pid, job->leaf, job->sig);
}

static int signal_each(int leaf_fd, const char *leaf, int sig) {
        SignalJob job = {leaf, sig};

        return each_member(leaf_fd, signal_one, &job);
}

static int open_leaf(const Tree *t, const Slot *s, char buf[static SLOT_LEAF_MAX]) {
        return s->has_leaf ? cgroup_open_dir(t->base_fd, slot_leaf(t->table, s, buf)) : -ESRCH;
}

static int tree_each(Tree *t, Slot *s, int (*what)(pid_t pid, void *userdata), void *userdata) {
        char leaf[SLOT_LEAF_MAX];
        _cleanup_fd_ int fd = open_leaf(t, s, leaf);

        return fd < 0 ? fd : each_member(fd, what, userdata);
}

static int tree_signal(Tree *t, Slot *s, int sig) {
        char leaf[SLOT_LEAF_MAX];
        _cleanup_fd_ int fd = open_leaf(t, s, leaf);

        if (fd < 0)
                return fd;
        if (sig == SIGKILL && cgroup_write(fd, "cgroup.kill", "1") == 0)
                return 0;
        return signal_each(fd, leaf, sig);
}

/* Where the leaf has no cgroup.freeze (before Linux 5.2) each process is stopped by itself. */
static int tree_freeze(Tree *t, Slot *s, bool is_frozen) {
        char leaf[SLOT_LEAF_MAX];
        _cleanup_fd_ int fd = open_leaf(t, s, leaf);

        if (fd < 0)
                return fd;
        if (cgroup_write(fd, "cgroup.freeze", is_frozen ? "1" : "0") == 0)
                return 0;
        return signal_each(fd, leaf, is_frozen ? SIGSTOP : SIGCONT);
}

static int count_running(pid_t pid, void *userdata) {
        unsigned *n = userdata;

        *n += !process_is_stopped(pid);
        return 0;
}

static int tree_is_frozen(Tree *t, Slot *s, bool is_frozen) {
        char leaf[SLOT_LEAF_MAX], text[256];
        _cleanup_fd_ int fd = open_leaf(t, s, leaf);
        ssize_t n = fd < 0 ? fd : cgroup_read(fd, "cgroup.events", text, sizeof(text));
        unsigned n_running = 0;

        if (n < 0)
                return (int) n;
        if (strstr(text, "frozen "))
                return (cgroup_event(text, "frozen") != 0) == is_frozen;
        (void) each_member(fd, count_running, &n_running);
        return !is_frozen || n_running == 0;
}

static unsigned count_members(int leaf_fd) {
        static char text[PIDS_TEXT_MAX];
        unsigned n = 0;

        if (cgroup_read(leaf_fd, "cgroup.procs", text, sizeof(text)) < 0)
                return 0;
        for (const char *p = text; *p; p++)
                n += *p == '\n';
        return n;
}

/* A worker may have made cgroups of its own below its leaf: they go with it. */
static int remove_leaf(Tree *t, const char *leaf) {
        _cleanup_fd_ int fd = -EBADF;

        if (unlinkat(t->base_fd, leaf, AT_REMOVEDIR) == 0 || errno == ENOENT)
                return 0;
        fd = openat(t->base_fd, leaf, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0 || cgroup_remove_below(fd, 0) < 0)
                return -EBUSY;
        return unlinkat(t->base_fd, leaf, AT_REMOVEDIR) == 0 ? 0 : -errno;
}

static bool is_empty(const Tree *t, const char *leaf) {
        char path[SLOT_LEAF_MAX + 16], text[256];

        (void) snprintf(path, sizeof(path), "%s/cgroup.events", leaf);
        return cgroup_read(t->base_fd, path, text, sizeof(text)) > 0 && strstr(text, "populated 0") != NULL;
}

static bool throw_away(TreeRubbish *rubbish, const char *leaf) {
        size_t n = strlen(leaf) + 1;

        if (rubbish->begin == rubbish->end)
                rubbish->begin = rubbish->end = 0;
        if (sizeof(rubbish->names) - rubbish->end < n)
                return false;
        memcpy(rubbish->names + rubbish->end, leaf, n);
        rubbish->end += (uint32_t) n;
        return true;
}

void cgroup_tidy(Tree *t) {
        TreeRubbish *rubbish = &t->rubbish;

        for (unsigned i = 0; i < TIDY_MAX && cgroup_has_rubbish(t); i++) {
                const char *leaf = rubbish->names + rubbish->begin;

                (void) remove_leaf(t, leaf);
                rubbish->begin += (uint32_t) strlen(leaf) + 1;
        }
}

static int tree_end(Tree *t, Slot *s) {
        char leaf[SLOT_LEAF_MAX];
        unsigned n;
        _cleanup_fd_ int fd = -EBADF;

        if (!s->has_leaf)
                return 0;
        (void) slot_leaf(t->table, s, leaf);
        if ((is_empty(t, leaf) && throw_away(&t->rubbish, leaf)) ||
            unlinkat(t->base_fd, leaf, AT_REMOVEDIR) == 0 || errno == ENOENT) {
                s->has_leaf = false;
                return 0;
        }
        fd = cgroup_open_dir(t->base_fd, leaf);
        if (fd < 0)
                return 0;
        n = count_members(fd);
        if (n == 0 && remove_leaf(t, leaf) == 0) {
                s->has_leaf = false;
                return 0;
        }
        s->exited.stragglers = MAX(s->exited.stragglers, n);
        if (cgroup_write(fd, "cgroup.kill", "1") < 0)
                (void) signal_each(fd, leaf, SIGKILL); /* before Linux 5.14: again at each look, until it is empty */
        return 1;
}

static void look_at_nothing(Tree *t) {
        (void) t;
}

const TreeOps tree_cgroup = {
        .mode = KEEPER_TREE_CGROUP,
        .make = tree_make,
        .discard = tree_discard,
        .enter = tree_enter,
        .set = tree_set,
        .account = tree_account,
        .send = tree_signal,
        .each = tree_each,
        .freeze = tree_freeze,
        .is_frozen = tree_is_frozen,
        .look = look_at_nothing,
        .end = tree_end,
};

unsigned cgroup_kill_below(int dir_fd, unsigned depth) {
        unsigned n = 0;
        char text[PIDS_TEXT_MAX / 4];
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
