/* resolve-cpus.c - how many CPUs there really are: affinity mask and cgroup quotas.
 *
 * A container on a 64-core machine with a quota of two has two. The quota of any cgroup above the own one counts too,
 * so the path from /proc/self/cgroup is walked up to the mount point. Inside a container the path may name a place
 * outside of what is mounted; then only the files at the mount point are there, and those are the right ones. */
#include "base/alloc.h"
#include "base/file.h"
#include "base/parse.h"
#include "config/resolve.h"
#include <sched.h>
#include <unistd.h>

#define SMALL_FILE_MAX 65536

static unsigned quota_to_cpus(uint64_t quota, uint64_t period) {
        uint64_t n = (quota + period - 1) / period;
        return n < 1 ? 1 : n > 65536 ? 65536 : (unsigned) n;
}

/* The whole small file ROOT DIR/NAME without its line end, or NULL. */
static char *read_line(const char *dir, const char *name) {
        _cleanup_free_ char *path = alloc_printf("%s/%s", dir, name), *data = NULL;
        size_t size;

        if (!path || file_read(path, SMALL_FILE_MAX, &data, &size) < 0)
                return NULL;
        data[strcspn(data, "\n")] = 0;
        return TAKE_PTR(data);
}

/* "max 100000" or "150000 100000"; 0 when there is no bound. */
static unsigned quota_v2(const char *dir) {
        _cleanup_free_ char *line = read_line(dir, "cpu.max");
        char *space = line ? strchr(line, ' ') : NULL;
        uint64_t quota, period;

        if (!space)
                return 0;
        *space = 0;
        if (parse_u64(line, &quota) < 0 || parse_u64(space + 1, &period) < 0 || period == 0 || quota == 0)
                return 0;
        return quota_to_cpus(quota, period);
}

static unsigned quota_v1(const char *dir) {
        _cleanup_free_ char *quota_text = read_line(dir, "cpu.cfs_quota_us");
        _cleanup_free_ char *period_text = read_line(dir, "cpu.cfs_period_us");
        uint64_t quota, period;

        /* -1, no bound, is no unsigned number */
        if (!quota_text || !period_text || parse_u64(quota_text, &quota) < 0 || parse_u64(period_text, &period) < 0 ||
            period == 0 || quota == 0)
                return 0;
        return quota_to_cpus(quota, period);
}

static unsigned smaller(unsigned a, unsigned b) {
        return a == 0 ? b : b == 0 ? a : MIN(a, b);
}

/* The smallest quota from MOUNT/PATH up to MOUNT; 0: none. */
static unsigned quota_upwards(const char *mount, const char *path, unsigned (*quota)(const char *dir)) {
        _cleanup_free_ char *dir = alloc_printf("%s%s", mount, path);
        size_t n_mount = strlen(mount);
        unsigned least = 0;

        if (!dir || strstr(path, "/.."))
                return quota(mount);
        while (strlen(dir) > n_mount) {
                least = smaller(least, quota(dir));
                *strrchr(dir, '/') = 0;
        }
        return smaller(least, quota(mount));
}

/* Whether a v1 line "4:cpu,cpuacct" lists the controller cpu. */
static bool lists_cpu(const char *controllers) {
        for (const char *p = controllers; p; p = strchr(p, ',') ? strchr(p, ',') + 1 : NULL)
                if (strncmp(p, "cpu", 3) == 0 && (p[3] == ',' || p[3] == 0))
                        return true;
        return false;
}

/* One line of /proc/self/cgroup, "ID:CONTROLLERS:PATH". */
static unsigned quota_of_line(const char *root, char *line) {
        static const char *const mounts_v2[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified" };
        static const char *const mounts_v1[] = { "/sys/fs/cgroup/cpu", "/sys/fs/cgroup/cpu,cpuacct" };
        char *controllers = strchr(line, ':'), *path = controllers ? strchr(controllers + 1, ':') : NULL;
        unsigned least = 0;

        if (!path)
                return 0;
        *controllers++ = 0;
        *path++ = 0;
        bool is_v2 = streq(line, "0") && !*controllers;
        if ((!is_v2 && !lists_cpu(controllers)) || *path != '/')
                return 0;
        for (size_t i = 0; i < 2; i++) {
                _cleanup_free_ char *mount = alloc_printf("%s%s", root, is_v2 ? mounts_v2[i] : mounts_v1[i]);
                if (mount)
                        least = smaller(least, quota_upwards(mount, streq(path, "/") ? "" : path,
                                                             is_v2 ? quota_v2 : quota_v1));
        }
        return least;
}

unsigned resolve_cpus_at(const char *root, unsigned affinity) {
        _cleanup_free_ char *path = alloc_printf("%s/proc/self/cgroup", root), *data = NULL;
        unsigned least = affinity;
        size_t size;

        if (!path || file_read(path, SMALL_FILE_MAX, &data, &size) < 0)
                return MAX(least, 1u);
        for (char *line = data, *end; line && *line; line = end) {
                end = strchr(line, '\n');
                if (end)
                        *end++ = 0;
                least = smaller(least, quota_of_line(root, line));
        }
        return MAX(least, 1u);
}

unsigned resolve_cpus(void) {
        long online = sysconf(_SC_NPROCESSORS_ONLN);
        unsigned affinity = online > 0 ? (unsigned) online : 1;
        cpu_set_t set;

        /* fails with EINVAL on machines beyond CPU_SETSIZE; then the online ones are the best answer */
        if (sched_getaffinity(0, sizeof(set), &set) == 0)
                affinity = (unsigned) CPU_COUNT(&set);
        return resolve_cpus_at("", affinity);
}
