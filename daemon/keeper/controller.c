/* controller.c - cgroup v2 controllers for the leaves. See controller.h. */
#include "keeper/controller.h"
#include "keeper/cgroup-file.h"
#include "base/fd.h"
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define CPU_PERIOD_USEC 100000u
#define DEPTH_MAX 16

static const struct {
        const char *name;
        unsigned bit;
} controllers[] = {
        {"memory", KEEPER_CONTROLLER_MEMORY},
        {"pids", KEEPER_CONTROLLER_PIDS},
        {"cpu", KEEPER_CONTROLLER_CPU},
};

unsigned controllers_parse(const char *text) {
        unsigned bits = 0;

        for (const char *p = text; *p;) {
                size_t n = strcspn(p, " \n");

                for (size_t i = 0; i < ARRAY_SIZE(controllers); i++)
                        if (strlen(controllers[i].name) == n && strncmp(p, controllers[i].name, n) == 0)
                                bits |= controllers[i].bit;
                p += n;
                p += strspn(p, " \n");
        }
        return bits;
}

static unsigned available(int dir_fd) {
        char text[512];

        return cgroup_read(dir_fd, "cgroup.controllers", text, sizeof(text)) > 0 ? controllers_parse(text) : 0;
}

/* One at a time: a controller that is refused does not take the others with it. Those that are on afterwards. */
static unsigned hand_down(int dir_fd, unsigned wanted, int *ret_error) {
        unsigned on = 0;

        for (size_t i = 0; i < ARRAY_SIZE(controllers); i++) {
                char word[16];
                int r;

                if (!(wanted & controllers[i].bit))
                        continue;
                (void) snprintf(word, sizeof(word), "+%s", controllers[i].name);
                r = cgroup_write(dir_fd, "cgroup.subtree_control", word);
                if (r >= 0)
                        on |= controllers[i].bit;
                else
                        *ret_error = r;
        }
        return on;
}

static void take_back(int dir_fd) {
        for (size_t i = 0; i < ARRAY_SIZE(controllers); i++) {
                char word[16];

                (void) snprintf(word, sizeof(word), "-%s", controllers[i].name);
                (void) cgroup_write(dir_fd, "cgroup.subtree_control", word);
        }
}

/* cgroup.events is in every cgroup but the root. */
static bool is_root(int own_fd) {
        return faccessat(own_fd, "cgroup.events", F_OK, 0) < 0 && errno == ENOENT;
}

static bool is_delegated(int own_fd) {
        static const char *const names[] = {"trusted.delegate", "user.delegate"};
        char value;

        for (size_t i = 0; i < ARRAY_SIZE(names); i++)
                if (fgetxattr(own_fd, names[i], &value, 1) == 1 && value == '1')
                        return true;
        return false;
}

static bool is_alone(int own_fd) {
        char text[256];

        return cgroup_read(own_fd, "cgroup.procs", text, sizeof(text)) > 0 && strtol(text, NULL, 10) == getpid() &&
                strchr(text, '\n') == strrchr(text, '\n');
}

const char *controllers_why_not_move(int own_fd) {
        if (is_root(own_fd) || is_delegated(own_fd))
                return NULL;
        if (getenv("INVOCATION_ID"))
                return "the unit has no Delegate=yes";
        return is_alone(own_fd) ? NULL : "other processes share drover's own cgroup; start it in a unit with Delegate=yes";
}

static int move_self(int own_fd) {
        _cleanup_fd_ int fd = -EBADF;

        if (mkdirat(own_fd, CONTROLLER_SUPERVISOR, 0755) < 0 && errno != EEXIST)
                return -errno;
        fd = cgroup_open_dir(own_fd, CONTROLLER_SUPERVISOR);
        return fd < 0 ? fd : cgroup_write(fd, "cgroup.procs", "0");
}

static void move_back(Controllers *c, int own_fd) {
        if (!c->has_moved)
                return;
        take_back(own_fd);
        if (cgroup_write(own_fd, "cgroup.procs", "0") >= 0)
                (void) unlinkat(own_fd, CONTROLLER_SUPERVISOR, AT_REMOVEDIR);
        c->has_moved = false;
}

static void say_missing(Controllers *c, const char *why) {
        size_t n = 0;

        c->reason[0] = '\0';
        for (size_t i = 0; i < ARRAY_SIZE(controllers) && n < sizeof(c->reason); i++)
                if (!(c->on & controllers[i].bit))
                        n += (size_t) snprintf(c->reason + n, sizeof(c->reason) - n, "%s%s", n > 0 ? ", " : "no ",
                                               controllers[i].name);
        if (n > 0 && n < sizeof(c->reason))
                (void) snprintf(c->reason + n, sizeof(c->reason) - n, ": %s", why);
}

void controllers_open(Controllers *c, int own_fd, int base_fd, const char *may_move) {
        unsigned all = available(own_fd), on;
        int r = 0;

        *c = (Controllers) {};
        if (all == 0) {
                say_missing(c, "cgroup v2 has them not here (are they in use by v1?)");
                return;
        }
        if (!is_root(own_fd)) {
                r = may_move ? -EBUSY : move_self(own_fd);
                if (r < 0) {
                        say_missing(c, may_move ? may_move : strerror(-r));
                        return;
                }
                c->has_moved = true;
        }
        on = hand_down(own_fd, all, &r);
        c->on = on & available(base_fd);
        c->handed = hand_down(base_fd, c->on & ~KEEPER_CONTROLLER_CPU, &r);
        c->on &= c->handed | KEEPER_CONTROLLER_CPU;
        if (c->on == 0)
                move_back(c, own_fd);
        say_missing(c, r < 0 ? strerror(-r) : "cgroup v2 has it not here (is it in use by v1?)");
}

void controllers_close(Controllers *c, int own_fd, int base_fd) {
        if (c->handed)
                take_back(base_fd);
        move_back(c, own_fd);
        *c = (Controllers) {};
}

void controllers_off_below(int dir_fd, unsigned depth) {
        DIR *d = depth < DEPTH_MAX ? fdopendir(openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) : NULL;

        for (struct dirent *e; d && (e = readdir(d));) {
                _cleanup_fd_ int fd = -EBADF;

                if (e->d_type != DT_DIR || e->d_name[0] == '.')
                        continue;
                fd = cgroup_open_dir(dir_fd, e->d_name);
                if (fd >= 0)
                        controllers_off_below(fd, depth + 1);
        }
        if (d)
                (void) closedir(d);
        take_back(dir_fd);
}

/* ---- one leaf ---- */

static void number(char *buf, size_t size, uint64_t v) {
        if (v == UINT64_MAX)
                (void) snprintf(buf, size, "max");
        else
                (void) snprintf(buf, size, "%llu", (unsigned long long) v);
}

int controller_set(Controllers *c, int base_fd, int leaf_fd, const KeeperCgroup *v) {
        const struct {
                const char *file;
                uint64_t value;
                unsigned controller;
        } files[] = {
                {"memory.high", v->memory_high, KEEPER_CONTROLLER_MEMORY},
                {"memory.max", v->memory_max, KEEPER_CONTROLLER_MEMORY},
                {"cpu.max", v->cpu_max, KEEPER_CONTROLLER_CPU},
                {"cpu.weight", v->cpu_weight, KEEPER_CONTROLLER_CPU},
                {"pids.max", v->pids_max, KEEPER_CONTROLLER_PIDS},
        };
        int r = 0, ignored = 0;

        if ((v->cpu_max || v->cpu_weight) && c->on & ~c->handed & KEEPER_CONTROLLER_CPU)
                c->handed |= hand_down(base_fd, KEEPER_CONTROLLER_CPU, &ignored);
        for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
                char text[64];
                size_t n;
                int k;

                if (files[i].value == 0 || !(c->handed & files[i].controller))
                        continue;
                number(text, sizeof(text), files[i].value);
                n = strlen(text);
                if (streq(files[i].file, "cpu.max"))
                        (void) snprintf(text + n, sizeof(text) - n, " %u", CPU_PERIOD_USEC);
                k = cgroup_write(leaf_fd, files[i].file, text);
                if (k < 0 && r >= 0)
                        r = k;
        }
        return r;
}

void controller_prepare(const Controllers *c, int leaf_fd) {
        if (c->handed & KEEPER_CONTROLLER_MEMORY)
                (void) cgroup_write(leaf_fd, "memory.oom.group", "1"); /* Linux 4.19 */
}

void controller_account(const Controllers *c, int leaf_fd, KeeperExit *e) {
        char text[512];
        uint64_t limit;

        if (!(c->handed & KEEPER_CONTROLLER_MEMORY))
                return;
        if (cgroup_read_u64(leaf_fd, "memory.max", &limit) >= 0 && limit != UINT64_MAX)
                e->memory_limit = limit;
        (void) cgroup_read_u64(leaf_fd, "memory.peak", &e->memory_peak); /* Linux 5.19 */
        if (cgroup_read(leaf_fd, "memory.events", text, sizeof(text)) > 0 && cgroup_event(text, "oom_kill") > 0)
                e->oom = KEEPER_OOM_CGROUP;
}
