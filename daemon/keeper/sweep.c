/* sweep.c - trees without cgroups: found by looking.
 *
 * The keeper is a subreaper: whatever a worker leaves behind becomes the keeper's own child in the moment its
 * parent dies. So "is anything left of it?" is answered without a walk in the common case: when every child of
 * the keeper is a known one, nothing is left of anybody (look()). Only when there are unknown children is /proc
 * read as a whole and the tree closed over: the main process, its descendants, its session, its process group,
 * orphans of its session or group or with its DROVER_NAME, and their descendants.
 *
 * Killing goes on, look by look, until nothing is found: a process that forks while it is being listed is found
 * by the next look. A process that leaves its session, loses its parents *and* its environment is nobody's until
 * sweep_orphans() at shutdown. */
#include "keeper/tree.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/log.h"
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PROCESSES_MAX 65536u
#define ENVIRON_MAX 65536
#define WALK_FRESH_USEC (100 * USEC_PER_MSEC)

typedef struct Process {
        pid_t pid, parent, group, session;
        bool is_member, is_of_another, is_zombie, is_stopped, is_in_kernel; /* is_of_another: the main process of another slot */
} Process;

/* All processes of the last walk, in the order of their numbers. Mapped at first use. */
static Process *processes;
static size_t n_processes;
static uint64_t walked_usec, looked_usec; /* CLOCK_REALTIME, as the slots' start: when last */

static bool read_process(const char *pid_text, Process *ret) {
        char path[64], text[512];
        const char *p;
        char state;
        ssize_t n;
        _cleanup_fd_ int fd = -EBADF;

        (void) snprintf(path, sizeof(path), "/proc/%.16s/stat", pid_text);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
        if (n <= 0)
                return false;
        text[n] = '\0';
        p = strrchr(text, ')'); /* the name before it may hold anything */
        if (!p)
                return false;
        *ret = (Process) {.pid = (pid_t) strtol(pid_text, NULL, 10)};
        if (sscanf(p + 1, " %c %d %d %d", &state, &ret->parent, &ret->group, &ret->session) != 4)
                return false;
        ret->is_zombie = state == 'Z' || state == 'X';
        ret->is_stopped = state == 'T' || state == 't' || ret->is_zombie;
        ret->is_in_kernel = state == 'D';
        return true;
}

/* It stops before it runs any more: so one that waits, in vfork(), for a child that was stopped first. */
static bool has_stop_pending(pid_t pid) {
        char path[64], text[4096], *at;

        (void) snprintf(path, sizeof(path), "/proc/%d/status", pid);
        if (file_read_start(path, text, sizeof(text)) < 0)
                return false;
        at = strstr(text, "\nShdPnd:");
        return at && (strtoull(at + strlen("\nShdPnd:"), NULL, 16) >> (SIGSTOP - 1) & 1);
}

static bool stands_still(const Process *p) {
        return p->is_stopped || (p->is_in_kernel && has_stop_pending(p->pid));
}

bool process_is_stopped(pid_t pid) {
        char number[16];
        Process now;

        (void) snprintf(number, sizeof(number), "%d", pid);
        return !read_process(number, &now) || stands_still(&now);
}

/* Unless the last walk is younger than @not_before. A getdents loop of our own: opendir() allocates. */
static int walk_processes(uint64_t not_before) {
        uint64_t now = clock_realtime();
        _cleanup_fd_ int fd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        char buf[16384] __attribute__((aligned(8)));
        ssize_t n;

        if (walked_usec > not_before && walked_usec <= now)
                return 0;
        if (!processes) {
                void *m = mmap(NULL, PROCESSES_MAX * sizeof(Process), PROT_READ | PROT_WRITE,
                               MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
                if (m == MAP_FAILED)
                        return -ENOMEM;
                (void) madvise(m, PROCESSES_MAX * sizeof(Process), MADV_DONTFORK);
                processes = m;
        }
        n_processes = 0;
        if (fd < 0)
                return -errno;
        while ((n = getdents64(fd, buf, sizeof(buf))) > 0)
                for (char *at = buf; at < buf + n;) {
                        struct dirent64 *e = (struct dirent64 *) at;

                        at += e->d_reclen;
                        if (e->d_name[0] >= '1' && e->d_name[0] <= '9' && n_processes < PROCESSES_MAX &&
                            read_process(e->d_name, &processes[n_processes]))
                                n_processes++;
                }
        walked_usec = now;
        return 0;
}

static bool is_known(const Tree *t, pid_t pid) {
        return pid == t->known[0] || pid == t->known[1] || slot_by_pid(t->table, pid) != NULL;
}

/* The kernel's own list of our children; false where it has none (CONFIG_PROC_CHILDREN). */
static bool look_at_children(Tree *t) {
        char path[64], text[4096], number[16];
        size_t n_number = 0;
        ssize_t n;
        _cleanup_fd_ int fd = -EBADF;

        (void) snprintf(path, sizeof(path), "/proc/self/task/%d/children", getpid());
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return false;
        while ((n = read(fd, text, sizeof(text))) > 0)
                for (ssize_t i = 0; i < n; i++) {
                        if (text[i] >= '0' && text[i] <= '9' && n_number < sizeof(number) - 1) {
                                number[n_number++] = text[i];
                                continue;
                        }
                        number[n_number] = '\0';
                        n_number = 0;
                        if (number[0] && t->n_orphans < ARRAY_SIZE(t->orphans) &&
                            !is_known(t, (pid_t) strtol(number, NULL, 10)))
                                t->orphans[t->n_orphans++] = (pid_t) strtol(number, NULL, 10);
                }
        return true;
}

static void look_at_all(Tree *t) {
        if (walk_processes(UINT64_MAX) < 0)
                return;
        for (size_t i = 0; i < n_processes; i++)
                if (processes[i].parent == getpid() && !is_known(t, processes[i].pid) &&
                    t->n_orphans < ARRAY_SIZE(t->orphans))
                        t->orphans[t->n_orphans++] = processes[i].pid;
}

static void sweep_look(Tree *t) {
        looked_usec = clock_realtime();
        t->n_orphans = 0;
        if (!look_at_children(t))
                look_at_all(t);
}

/* Does the environment it was started with say DROVER_NAME=@name? */
static bool has_name(pid_t pid, const char *name) {
        static char text[ENVIRON_MAX];
        char path[64], wanted[KEEPER_NAME_MAX + 16];
        _cleanup_fd_ int fd = -EBADF;
        ssize_t n;

        (void) snprintf(path, sizeof(path), "/proc/%d/environ", pid);
        (void) snprintf(wanted, sizeof(wanted), "DROVER_NAME=%s", name);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
        if (n <= 0)
                return false;
        text[n] = '\0';
        for (const char *p = text; p < text + n; p += strlen(p) + 1)
                if (streq(p, wanted))
                        return true;
        return false;
}

static bool is_orphan(const Tree *t, pid_t pid) {
        for (size_t i = 0; i < t->n_orphans; i++)
                if (t->orphans[i] == pid)
                        return true;
        return false;
}

/* A root of the tree: from it everything below belongs to it too. While the main process lives, its number cannot
 * be anybody's else, nor that of a session or group. Once it is dead only our own orphans can be roots. */
static bool is_root_of(Tree *t, const Slot *s, const Process *p) {
        bool is_of_number = p->session == s->leader || p->group == s->leader;

        if (s->pid > 0 && (p->pid == s->pid || is_of_number))
                return true;
        if (!is_orphan(t, p->pid))
                return false;
        return is_of_number || (has_name(p->pid, s->name) && !slot_has_name_alive(t->table, s->name, s));
}

static int compare_pids(const void *a, const void *b) {
        const Process *x = a, *y = b;

        return (x->pid > y->pid) - (x->pid < y->pid);
}

static bool has_member_parent(const Process *p) {
        Process key = {.pid = p->parent};
        const Process *parent = bsearch(&key, processes, n_processes, sizeof(key), compare_pids);

        return parent && parent->is_member;
}

static void mark_descendants(void) {
        for (bool changed = true; changed;) {
                changed = false;
                for (size_t i = 0; i < n_processes; i++)
                        if (!processes[i].is_member && !processes[i].is_of_another && has_member_parent(&processes[i]))
                                processes[i].is_member = changed = true;
        }
}

/* Numbers come from a walk a moment ago. A pidfd that still has the same parent then is the same process. */
static int signal_process(const Process *p, int sig) {
        _cleanup_fd_ int pidfd = (int) syscall(SYS_pidfd_open, p->pid, 0);
        char number[16];
        Process now;

        (void) snprintf(number, sizeof(number), "%d", p->pid);
        if (!read_process(number, &now) || now.session != p->session || now.is_zombie)
                return -ESRCH;
        if (pidfd >= 0)
                return syscall(SYS_pidfd_send_signal, pidfd, sig, NULL, 0) < 0 ? -errno : 0;
        return kill(p->pid, sig) < 0 ? -errno : 0;
}

static unsigned signal_members(int sig, int *ret_error) {
        unsigned n = 0;

        for (size_t i = 0; i < n_processes; i++) {
                int r = processes[i].is_member && !processes[i].is_zombie ? signal_process(&processes[i], sig) : -ESRCH;

                if (r == 0)
                        n++;
                else if (r != -ESRCH)
                        *ret_error = r;
        }
        return n;
}

/* @s NULL: all that is left of anybody. */
static int mark_tree(Tree *t, const Slot *s, uint64_t not_before) {
        int r = walk_processes(not_before);

        if (r < 0)
                return r;
        for (size_t i = 0; i < n_processes; i++) {
                Process *p = &processes[i];
                const Slot *owner = slot_by_pid(t->table, p->pid);

                /* One that a template has forked may be its grandchild still, in a walk that is older than its claim. */
                p->is_of_another = owner && owner != s;
                p->is_member = p->pid != getpid() && !p->is_of_another && (s ? is_root_of(t, s, p) : is_orphan(t, p->pid));
        }
        mark_descendants();
        return 0;
}

static unsigned signal_tree(Tree *t, const Slot *s, uint64_t not_before, int sig, int *ret_error) {
        return mark_tree(t, s, not_before) < 0 ? 0 : signal_members(sig, ret_error);
}

static int sweep_make(Tree *t, Slot *s, int *ret_fd) {
        (void) t;
        (void) s;
        *ret_fd = -EBADF;
        return 0;
}

static void sweep_discard(Tree *t, Slot *s) {
        (void) t;
        (void) s;
}

static int sweep_enter(Tree *t, int leaf_fd, pid_t pid) {
        (void) t;
        (void) leaf_fd;
        (void) pid;
        return 0;
}

static int sweep_set(Tree *t, Slot *s, const KeeperCgroup *values) {
        (void) t;
        (void) s;
        (void) values;
        return -EOPNOTSUPP;
}

static void sweep_account(Tree *t, Slot *s) {
        (void) t;
        (void) s;
}

static int sweep_each(Tree *t, Slot *s, int (*what)(pid_t pid, void *userdata), void *userdata) {
        int r = -ESRCH, k;

        sweep_look(t);
        if (mark_tree(t, s, UINT64_MAX) < 0)
                return -ESRCH;
        for (size_t i = 0; i < n_processes; i++) {
                k = processes[i].is_member && !processes[i].is_zombie ? what(processes[i].pid, userdata) : -ESRCH;
                if (r == -ESRCH || k == 0)
                        r = k;
        }
        return r;
}

/* When many trees are signalled at once, one walk serves for all: it must only be younger than the process. What was
 * forked since is found when the main process has died. */
static int sweep_signal(Tree *t, Slot *s, int sig) {
        uint64_t fresh = usec_sub(clock_realtime(), WALK_FRESH_USEC);
        int error = -ESRCH;

        if (looked_usec < fresh)
                sweep_look(t);
        return signal_tree(t, s, MAX(fresh, s->started_usec), sig, &error) > 0 ? 0 : error;
}

static int sweep_freeze(Tree *t, Slot *s, bool is_frozen) {
        return sweep_signal(t, s, is_frozen ? SIGSTOP : SIGCONT);
}

/* By a walk of this round, which look() began. A process that was told to run on does. */
static int sweep_is_frozen(Tree *t, Slot *s, bool is_frozen) {
        int r = is_frozen ? mark_tree(t, s, looked_usec) : 0;

        for (size_t i = 0; r == 0 && is_frozen && i < n_processes; i++)
                if (processes[i].is_member && !stands_still(&processes[i]))
                        return 0;
        return r < 0 ? r : 1;
}

static int sweep_end(Tree *t, Slot *s) {
        int error = 0;
        unsigned n;

        if (t->n_orphans == 0)
                return 0;
        n = signal_tree(t, s, looked_usec, SIGKILL, &error);
        s->exited.stragglers = MAX(s->exited.stragglers, n);
        return n > 0 || error < 0 ? 1 : 0;
}

const TreeOps tree_sweep = {
        .mode = KEEPER_TREE_SWEEP,
        .make = sweep_make,
        .discard = sweep_discard,
        .enter = sweep_enter,
        .set = sweep_set,
        .account = sweep_account,
        .send = sweep_signal,
        .each = sweep_each,
        .freeze = sweep_freeze,
        .is_frozen = sweep_is_frozen,
        .look = sweep_look,
        .end = sweep_end,
};

unsigned sweep_orphans(Tree *t) {
        int error = 0;

        sweep_look(t);
        return t->n_orphans > 0 ? signal_tree(t, NULL, UINT64_MAX, SIGKILL, &error) : 0;
}
