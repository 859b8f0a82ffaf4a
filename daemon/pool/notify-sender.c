/* notify-sender.c - from a pid of the kernel's to a worker: main process, cgroup leaf, line of parents, in this order.
 *
 * The leaf finds double-forked processes too, whose parent is the keeper by now, and names the generation: a straggler
 * of an earlier process does not speak for the present one. That of a spare names the process it was made for, and may be
 * another's by now, of whom the keeper tells with its start. Without cgroups the parents are all there is. */
#include "pool/notify-sender.h"
#include "pool/pool-internal.h"
#include "pool/proc-usage.h"

#include "base/alloc.h"
#include "base/file.h"
#include "base/parse.h"
#include <stdio.h>

#define PARENTS_MAX 32u      /* steps up; deeper trees are the worker's own affair */
#define CGROUP_TEXT_MAX 4200 /* a path of PATH_MAX and "0::" */

/* The path of the line "0::/path\n", cut at its end; NULL when there is no such line. */
static char *unified_path(char *text) {
        char *line = strncmp(text, "0::", 3) == 0 ? text : strstr(text, "\n0::");

        if (!line)
                return NULL;
        line += *line == '\n';
        line[strcspn(line, "\n")] = 0;
        return line + 3;
}

static void leave_supervisor(char *path) {
        char *end = strrchr(path, '/');

        if (end && streq(end, "/" KEEPER_SUPERVISOR_CGROUP))
                *end = 0;
}

char *notify_sender_cgroup_base(pid_t keeper_pid) {
        char text[CGROUP_TEXT_MAX];
        char *path;

        if (file_read_start("/proc/self/cgroup", text, sizeof text) < 0)
                return NULL;
        path = unified_path(text);
        if (!path)
                return NULL;
        leave_supervisor(path);
        return alloc_printf("%s/drover-%d/", streq(path, "/") ? "" : path, (int) keeper_pid);
}

int notify_sender_parse_leaf(const char *cgroup, const char *base, char name[static KEEPER_NAME_MAX],
                             uint32_t *ret_slot, uint64_t *ret_generation) {
        char text[CGROUP_TEXT_MAX], *dot, *colon;
        uint64_t generation, slot;
        const char *path;

        if ((size_t) snprintf(text, sizeof text, "%s", cgroup) >= sizeof text)
                return -ENOENT;
        path = unified_path(text);
        if (!path || strncmp(path, base, strlen(base)) != 0)
                return -ENOENT;
        path += strlen(base);
        text[path - text + (ptrdiff_t) strcspn(path, "/")] = 0;
        dot = strrchr(path, '.');
        if (!dot || parse_u64(dot + 1, &generation) < 0)
                return -ENOENT;
        *dot = 0;
        dot = strrchr(path, '.');
        if (!dot || (size_t) (dot - path) >= KEEPER_NAME_MAX || parse_u64(dot + 1, &slot) < 0 || slot > UINT32_MAX)
                return -ENOENT;
        *ret_slot = (uint32_t) slot;
        *ret_generation = generation;
        memcpy(name, path, (size_t) (dot - path));
        name[dot - path] = 0;
        colon = strrchr(name, ':');
        if (colon)
                *colon = '/';
        return 0;
}

static Worker *worker_of(Child *c) {
        Worker *w = c && child_is_hooked(c, &worker_child_hooks) ? child_userdata(c) : NULL;

        return w && w->child == c ? w : NULL; /* a process that is being replaced does not speak for the younger one */
}

Worker *notify_sender_by_pid(KeeperLink *l, pid_t pid) {
        return worker_of(child_by_pid(l, pid));
}

Worker *notify_sender_by_leaf(PoolSet *s, const char *base, pid_t pid) {
        char path[32], text[CGROUP_TEXT_MAX], name[KEEPER_NAME_MAX];
        uint64_t generation;
        uint32_t slot;
        Worker *w;

        (void) snprintf(path, sizeof path, "/proc/%d/cgroup", (int) pid);
        if (file_read_start(path, text, sizeof text) < 0 ||
            notify_sender_parse_leaf(text, base, name, &slot, &generation) < 0)
                return NULL;
        if (streq(name, KEEPER_SPARE_NAME)) /* it was born before it had a name, and perhaps where another one was before */
                return worker_of(child_by_leaf(s->world.keeper, slot, generation));
        w = pool_set_worker_by_name(s, name);
        return w && w->child && w->generation == generation ? w : NULL;
}

static Worker *find_by_parents(KeeperLink *l, pid_t pid, pid_t *ret_top) {
        pid_t keeper = keeper_link_hello(l)->hello.keeper_pid;
        ProcUsage usage;

        for (unsigned i = 0; i < PARENTS_MAX && pid > 1 && pid != keeper; i++) {
                Worker *w = notify_sender_by_pid(l, pid);

                if (w || proc_usage_read(pid, &usage) < 0)
                        return w;
                if (usage.ppid == keeper)
                        *ret_top = pid;
                pid = usage.ppid;
        }
        return NULL;
}

Worker *notify_sender_find(PoolSet *s, const char *cgroup_base, pid_t pid, pid_t *ret_top) {
        Worker *w = notify_sender_by_pid(s->world.keeper, pid);

        *ret_top = 0;
        if (!w && cgroup_base)
                w = notify_sender_by_leaf(s, cgroup_base, pid);
        return w ? w : find_by_parents(s->world.keeper, pid, ret_top);
}
