/* landlock.c - rules for what may be reached. See landlock.h. */
#include "keeper/landlock.h"
#include "keeper/isolation.h"
#include "base/fd.h"
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef LANDLOCK_ACCESS_FS_REFER
#define LANDLOCK_ACCESS_FS_REFER (UINT64_C(1) << 13) /* ABI 2 */
#endif
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (UINT64_C(1) << 14) /* ABI 3 */
#endif

#define READS (LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define WRITES                                                                                                        \
        (LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |             \
         LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |                   \
         LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK |                \
         LANDLOCK_ACCESS_FS_MAKE_SYM)
#define OF_FILES                                                                                                      \
        (LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE |                  \
         LANDLOCK_ACCESS_FS_TRUNCATE)

typedef enum Level { LEVEL_NONE, LEVEL_READ, LEVEL_WRITE, _LEVEL_MAX } Level;

typedef struct Rules {
        int fd; /* the ruleset */
        uint64_t access[_LEVEL_MAX];
        struct {
                char path[PATH_MAX]; /* without links */
                Level level;
                int detail;
        } *items;
        size_t n;
        char at[PATH_MAX]; /* where walk() is */
} Rules;

int landlock_abi(void) {
        int abi = (int) syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

        return abi < 0 ? -errno : abi;
}

/* Whatever cannot be opened (gone, or not for us) is granted to nobody. */
static int grant(Rules *r, const char *path, Level level) {
        struct landlock_path_beneath_attr rule = {.allowed_access = r->access[level]};
        _cleanup_fd_ int fd = -EBADF;
        struct stat st;

        if (level == LEVEL_NONE)
                return 0;
        fd = open(path, O_PATH | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0 || fstat(fd, &st) < 0 || S_ISLNK(st.st_mode))
                return 0; /* a link: its target is what counts */
        if (!S_ISDIR(st.st_mode))
                rule.allowed_access &= OF_FILES;
        rule.parent_fd = fd;
        return syscall(SYS_landlock_add_rule, r->fd, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0 ? -errno : 0;
}

static bool is_strictly_below(const char *path, const char *above) {
        return isolation_is_below(path, above) && !isolation_is_below(above, path);
}

/* The lowest level below @path, or @level where none is lower. */
static Level lowest_below(const Rules *r, const char *path, Level level) {
        for (size_t i = 0; i < r->n; i++)
                if (is_strictly_below(r->items[i].path, path))
                        level = MIN(level, r->items[i].level);
        return level;
}

static Level level_at(const Rules *r, const char *path, Level inherited) {
        for (size_t i = 0; i < r->n; i++)
                if (isolation_is_below(path, r->items[i].path) && isolation_is_below(r->items[i].path, path))
                        return r->items[i].level;
        return inherited;
}

static int walk(Rules *r, Level inherited);

static int walk_entry(Rules *r, const char *name, Level level) {
        size_t length = strlen(r->at), n = strlen(name);
        size_t slash = length > 1 ? 1 : 0; /* "/" has its own */
        int k;

        if (length + slash + n >= sizeof(r->at))
                return -ENAMETOOLONG;
        r->at[length] = '/';
        memcpy(r->at + length + slash, name, n + 1);
        k = walk(r, level);
        r->at[length] = '\0';
        return k;
}

static int walk_entries(Rules *r, Level level) {
        _cleanup_fd_ int fd = open(r->at, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        char buf[4096] __attribute__((aligned(8)));
        unsigned count = 0;
        ssize_t n;

        if (fd < 0)
                return -errno;
        while ((n = getdents64(fd, buf, sizeof(buf))) > 0)
                for (char *at = buf; at < buf + n;) {
                        struct dirent64 *e = (struct dirent64 *) at;
                        int k = 0;

                        at += e->d_reclen;
                        if (++count > LANDLOCK_ENTRIES_MAX)
                                return -E2BIG;
                        if (!streq(e->d_name, ".") && !streq(e->d_name, ".."))
                                k = walk_entry(r, e->d_name, level);
                        if (k < 0)
                                return k;
                }
        return n < 0 ? -errno : 0;
}

/* Grant r->at and what is below it. A directory with something lower below it is granted at that level as a whole, and the
 * rest entry by entry; what is higher below it adds to its grant. */
static int walk(Rules *r, Level inherited) {
        Level level = level_at(r, r->at, inherited), lowest = lowest_below(r, r->at, level);
        int k = grant(r, r->at, lowest);

        if (k < 0)
                return k;
        if (lowest < level)
                return walk_entries(r, level);
        for (size_t i = 0; i < r->n; i++)
                if (r->items[i].level > level && is_strictly_below(r->items[i].path, r->at)) {
                        k = grant(r, r->items[i].path, lowest_below(r, r->items[i].path, r->items[i].level));
                        if (k < 0)
                                return k;
                }
        return 0;
}

/* @path with its links followed. */
static int resolve(const char *path, char buf[static PATH_MAX]) {
        _cleanup_fd_ int fd = open(path, O_PATH | O_CLOEXEC);
        char link[40] = "/proc/self/fd/", *p = link + strlen(link);
        char digits[12];
        size_t n = 0;
        ssize_t length;

        if (fd < 0)
                return -errno;
        for (int v = fd; v > 0 || n == 0; v /= 10)
                digits[n++] = (char) ('0' + v % 10);
        while (n > 0)
                *p++ = digits[--n];
        *p = '\0';
        length = readlink(link, buf, PATH_MAX - 1);
        if (length < 0)
                return -errno;
        buf[length] = '\0';
        return 0;
}

static const Level levels[_LAUNCH_PATH_MAX] = {
        [LAUNCH_PATH_READ_ONLY] = LEVEL_READ,
        [LAUNCH_PATH_READ_WRITE] = LEVEL_WRITE,
        [LAUNCH_PATH_INACCESSIBLE] = LEVEL_NONE,
};

static int read_rules(Rules *r, const LaunchSpec *s, int *ret_detail) {
        IsolatedPath paths[ISOLATED_PATHS_MAX];
        size_t n = isolation_list(s, paths);

        for (size_t i = 0; i < n; i++) {
                int k = resolve(paths[i].path, r->items[r->n].path);

                *ret_detail = paths[i].detail;
                if (k == -ENOENT && paths[i].kind == LAUNCH_PATH_INACCESSIBLE)
                        continue;
                if (k < 0)
                        return k;
                r->items[r->n].level = levels[paths[i].kind];
                r->items[r->n++].detail = paths[i].detail;
        }
        *ret_detail = -1;
        return 0;
}

static int make_ruleset(Rules *r) {
        int abi = landlock_abi();
        struct landlock_ruleset_attr attr = {.handled_access_fs = READS | WRITES};

        if (abi < 0)
                return abi;
        if (abi >= 2)
                attr.handled_access_fs |= LANDLOCK_ACCESS_FS_REFER;
        if (abi >= 3)
                attr.handled_access_fs |= LANDLOCK_ACCESS_FS_TRUNCATE;
        r->access[LEVEL_READ] = READS;
        r->access[LEVEL_WRITE] = attr.handled_access_fs;
        r->fd = (int) syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr.handled_access_fs), 0);
        return r->fd < 0 ? -errno : 0;
}

int landlock_prepare(const LaunchSpec *s, int *ret_fd, int *ret_detail) {
        static Rules r; /* of this process alone: it is about to be another program */
        static char room[ISOLATED_PATHS_MAX][sizeof(*r.items)] __attribute__((aligned(16)));
        int k;

        *ret_detail = -1;
        r.items = (void *) room;
        r.n = 0;
        k = make_ruleset(&r);
        if (k < 0)
                return k;
        /* /proc/self belongs to root while the keeper's "not dumpable" is inherited. exec sets it anew. */
        (void) prctl(PR_SET_DUMPABLE, 1);
        k = read_rules(&r, s, ret_detail);
        (void) prctl(PR_SET_DUMPABLE, 0);
        memcpy(r.at, "/", 2);
        if (k >= 0)
                k = walk(&r, LEVEL_WRITE);
        if (k < 0)
                return k;
        *ret_fd = r.fd;
        return 0;
}

int landlock_enforce(int ruleset_fd) {
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
                return -errno;
        return syscall(SYS_landlock_restrict_self, ruleset_fd, 0) < 0 ? -errno : 0;
}
