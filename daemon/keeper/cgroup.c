/* cgroup.c - trees held by cgroup v2: `<own cgroup>/drover-<keeper's pid>/<worker>.<slot>.<generation>`.
 *
 * Every process gets a fresh leaf: after one write to cgroup.kill, the kernel kills at birth whatever is later
 * cloned into the same one. Whether a leaf is empty is read in cgroup.events. An empty one is removed later, when
 * the keeper has nothing better to do: rmdir costs 20 us, a third of the whole way of a death. Limits and what is
 * known of memory are in controller.c, the directory around them in cgroup-base.c. */
#include "keeper/tree.h"
#include "keeper/cgroup-file.h"
#include "base/fd.h"
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PIDS_TEXT_MAX 65536 /* bytes of cgroup.procs read at once: some 9000 processes */
#define TIDY_MAX 4 /* leaves a turn */

static int tree_make(Tree *t, Slot *s, int *ret_fd) {
        char leaf[SLOT_LEAF_MAX];
        int fd;

        if (s->was_spare && cgroup_leaf_take(t, s, ret_fd))
                return 0;
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
        if (s->was_spare && t->controllers.handed == 0)
                cgroup_leaf_open(s, fd);
        *ret_fd = fd;
        return 0;
}

static int tree_set(Tree *t, Slot *s, const KeeperCgroup *values) {
        char leaf[SLOT_LEAF_MAX];
        _cleanup_fd_ int fd = -EBADF;

        if (!s->has_leaf)
                return -ESRCH;
        cgroup_leaf_let_go(s);
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
        if (sig == SIGKILL)
                cgroup_leaf_let_go(s); /* the kernel kills at birth whoever is born there from now on */
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
        cgroup_leaf_let_go(s);
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

        if (!s->has_leaf || cgroup_leaf_give(t, s))
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
