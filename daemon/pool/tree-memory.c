/* tree-memory.c - see tree-memory.h. A few small reads in /proc and in the cgroup's leaf; nothing stays open. */
#include "pool/tree-memory.h"
#include "pool/proc-usage.h"

#include "base/file.h"
#include "base/text.h"
#include <stdio.h>
#include <stdlib.h>

#define PATH_TEXT_MAX 4200     /* a cgroup's path with its mount and a file's name */
#define FILE_TEXT_MAX 8192     /* memory.stat is half of it; TREE_MEMORY_PROCESSES_MAX pids are a quarter */

static const char *const mounts[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"};

uint64_t tree_memory_inactive(const char *stat) {
        static const char key[] = "inactive_file ";

        for (const char *line = stat; line; line = strchr(line, '\n')) {
                line += *line == '\n';
                if (strncmp(line, key, sizeof key - 1) == 0)
                        return strtoull(line + sizeof key - 1, NULL, 10);
        }
        return 0;
}

/* Its leaf, with everything but the mount. False: it is in none. */
static bool leaf_of(pid_t pid, const char *base, char *buf, size_t size) {
        char path[32], text[PATH_TEXT_MAX];
        const char *line;
        size_t n;

        (void) snprintf(path, sizeof path, "/proc/%d/cgroup", (int) pid);
        if (!base || file_read_start(path, text, sizeof text) < 0)
                return false;
        line = strncmp(text, "0::", 3) == 0 ? text : strstr(text, "\n0::");
        if (!line)
                return false;
        line += *line == '\n' ? 4 : 3;
        n = strlen(base);
        if (strncmp(line, base, n) != 0)
                return false;
        n += strcspn(line + n, "/\n"); /* the process may be in a cgroup below */
        return (size_t) snprintf(buf, size, "%.*s", (int) n, line) < size;
}

static int read_of_leaf(const char *leaf, const char *name, char *buf, size_t size) {
        char path[PATH_TEXT_MAX];

        for (size_t i = 0; i < ARRAY_SIZE(mounts); i++)
                if ((size_t) snprintf(path, sizeof path, "%s%s/%s", mounts[i], leaf, name) < sizeof path &&
                    file_read_start(path, buf, size) >= 0)
                        return 0;
        return -ENOENT;
}

static bool counted_by_kernel(const char *leaf, uint64_t *ret) {
        char text[FILE_TEXT_MAX];
        uint64_t current, inactive;

        if (read_of_leaf(leaf, "memory.current", text, sizeof text) < 0)
                return false;
        current = strtoull(text, NULL, 10);
        inactive = read_of_leaf(leaf, "memory.stat", text, sizeof text) < 0 ? 0 : tree_memory_inactive(text);
        *ret = current > inactive ? current - inactive : 0;
        return true;
}

/* ---- process by process ---- */

typedef struct Pids {
        pid_t pids[TREE_MEMORY_PROCESSES_MAX];
        unsigned n;
} Pids;

/* A text of numbers with any white space between them. */
static void add_pids(Pids *p, const char *text) {
        for (;;) {
                char *end;
                unsigned long pid = strtoul(text, &end, 10);

                if (end == text || p->n == TREE_MEMORY_PROCESSES_MAX)
                        return;
                text = end;
                if (pid > 0)
                        p->pids[p->n++] = (pid_t) pid;
        }
}

static void add_children(Pids *p, pid_t pid) {
        char path[64], text[FILE_TEXT_MAX];

        (void) snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int) pid, (int) pid);
        if (file_read_start(path, text, sizeof text) >= 0)
                add_pids(p, text);
}

static uint64_t add_up(Pids *p, bool with_children) {
        uint64_t sum = 0;

        for (unsigned i = 0; i < p->n; i++) {
                ProcUsage usage;

                if (proc_usage_read(p->pids[i], &usage) >= 0)
                        sum += usage.memory_bytes;
                if (with_children)
                        add_children(p, p->pids[i]);
        }
        return sum;
}

int tree_memory_read(pid_t pid, const char *leaf_base, uint64_t *ret) {
        char leaf[PATH_TEXT_MAX], text[FILE_TEXT_MAX];
        Pids pids = {.pids = {pid}, .n = 1};
        ProcUsage usage;
        int r = proc_usage_read(pid, &usage);

        if (r < 0)
                return r;
        if (!leaf_of(pid, leaf_base, leaf, sizeof leaf)) {
                *ret = add_up(&pids, true);
                return 0;
        }
        if (counted_by_kernel(leaf, ret))
                return 0;
        if (read_of_leaf(leaf, "cgroup.procs", text, sizeof text) >= 0) {
                pids.n = 0;
                add_pids(&pids, text);
        }
        *ret = add_up(&pids, false);
        return 0;
}
