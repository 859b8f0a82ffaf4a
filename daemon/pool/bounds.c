/* bounds.c - limits, capabilities and isolation of a pool's workers. See bounds.h. */
#include "pool/bounds.h"

#include "base/alloc.h"
#include "base/parse.h"

static bool means(const KeeperMessage *hello, uint32_t bit) {
        return hello->hello.means & bit;
}

static bool wants_paths(const IsolationConfig *i) {
        return (i->read_only_paths && i->read_only_paths[0]) || (i->inaccessible_paths && i->inaccessible_paths[0]);
}

static LaunchIsolation isolation_of(const PoolConfig *c, const KeeperMessage *hello) {
        const IsolationConfig *i = &c->isolation;

        if (!i->private_tmp && !wants_paths(i))
                return LAUNCH_ISOLATION_NONE;
        if (means(hello, KEEPER_CAN_MOUNT))
                return LAUNCH_ISOLATION_MOUNT;
        return wants_paths(i) && hello->hello.landlock_abi > 0 ? LAUNCH_ISOLATION_LANDLOCK : LAUNCH_ISOLATION_NONE;
}

/* ---- paths ---- */

void bounds_paths_done(BoundsPaths *p) {
        for (size_t i = 0; i < p->n_own; i++)
                free(p->own[i]);
        *p = (BoundsPaths){0};
}

static int add_path(BoundsPaths *p, char *path) {
        if (p->n_read_write >= LAUNCH_PATHS_MAX)
                return -E2BIG;
        p->read_write[p->n_read_write++] = path;
        return 0;
}

/* The directory of @path, when it is one below /tmp or /var/tmp: a private one would hide it. */
static int add_directory(BoundsPaths *p, const char *path, bool is_itself) {
        static const char *const covered[] = {"/tmp/", "/var/tmp/"};
        const char *end = path ? strrchr(path, '/') : NULL;
        size_t n = !end ? 0 : is_itself ? strlen(path) : (size_t) (end - path);

        for (size_t i = 0; i < ARRAY_SIZE(covered); i++) {
                char *copy;

                if (n <= strlen(covered[i]) || strncmp(path, covered[i], strlen(covered[i])) != 0 || p->n_own >= BOUNDS_OWN_MAX)
                        continue;
                copy = alloc_strndup(path, n);
                if (!copy)
                        return -ENOMEM;
                p->own[p->n_own++] = copy;
                return add_path(p, copy);
        }
        return 0;
}

/* What drover itself, or the caller of `run`, has given the worker to reach. */
static int add_needed(BoundsPaths *p, const LaunchSpec *spec, const char *notify_socket) {
        int r = add_directory(p, notify_socket, false);

        if (r >= 0)
                r = add_directory(p, spec->directory, true);
        for (int i = 0; r >= 0 && i < 3; i++)
                r = add_directory(p, spec->stdio_path[i], false);
        return r;
}

int bounds_fill(LaunchSpec *spec, const PoolConfig *c, const KeeperMessage *hello, const char *notify_socket, BoundsPaths *room) {
        bool is_other_user = c->has_identity && c->uid != 0;
        int r = 0;

        *room = (BoundsPaths){0};
        spec->cgroup = (KeeperCgroup){
                .memory_max = c->cgroup.memory_max,
                .memory_high = c->cgroup.memory_high,
                .cpu_max = c->cgroup.cpu_max,
                .cpu_weight = c->cgroup.cpu_weight,
                .pids_max = c->cgroup.pids_max,
        };
        spec->set_capabilities = c->isolation.has_capabilities || is_other_user;
        spec->capabilities = c->isolation.has_capabilities ? c->isolation.capabilities : 0;
        spec->isolation = isolation_of(c, hello);
        for (unsigned i = 0; i < _LAUNCH_PATH_MAX; i++)
                spec->paths[i] = NULL;
        if (spec->isolation == LAUNCH_ISOLATION_NONE)
                return 0;
        spec->private_tmp = c->isolation.private_tmp && spec->isolation == LAUNCH_ISOLATION_MOUNT;
        for (char **path = c->isolation.read_write_paths; r >= 0 && path && *path; path++)
                r = add_path(room, *path);
        if (r >= 0 && spec->private_tmp)
                r = add_needed(room, spec, notify_socket);
        spec->paths[LAUNCH_PATH_READ_ONLY] = c->isolation.read_only_paths;
        spec->paths[LAUNCH_PATH_READ_WRITE] = room->n_read_write > 0 ? room->read_write : NULL;
        spec->paths[LAUNCH_PATH_INACCESSIBLE] = c->isolation.inaccessible_paths;
        return r;
}

/* ---- in life ---- */

/* What is no longer bounded is unbounded; the kernel's weight is 100. */
static uint64_t changed(uint64_t from, uint64_t to, uint64_t without) {
        return from == to ? CGROUP_UNSET : to == CGROUP_UNSET ? without : to;
}

static void update_cgroup(Child *child, const CgroupConfig *from, const CgroupConfig *to) {
        KeeperCgroup v = {
                .memory_max = changed(from->memory_max, to->memory_max, CGROUP_MAX),
                .memory_high = changed(from->memory_high, to->memory_high, CGROUP_MAX),
                .cpu_max = changed(from->cpu_max, to->cpu_max, CGROUP_MAX),
                .cpu_weight = changed(from->cpu_weight, to->cpu_weight, 100),
                .pids_max = changed(from->pids_max, to->pids_max, CGROUP_MAX),
        };

        if (v.memory_max || v.memory_high || v.cpu_max || v.cpu_weight || v.pids_max)
                (void) child_set_cgroup(child, &v);
}

/* A limit that is no longer given stays until the next start: what it was before, nobody knows. */
static void update_limits(Child *child, const PoolConfig *from, const PoolConfig *to) {
        LaunchLimit limits[RLIM_NLIMITS];
        size_t n = 0;

        for (int i = 0; i < RLIM_NLIMITS; i++) {
                bool is_same = from->has_limit[i] && from->limits[i].rlim_cur == to->limits[i].rlim_cur &&
                        from->limits[i].rlim_max == to->limits[i].rlim_max;

                if (to->has_limit[i] && !is_same)
                        limits[n++] = (LaunchLimit){.resource = i, .value = to->limits[i]};
        }
        if (n > 0)
                (void) child_set_limits(child, limits, n);
}

void bounds_update(Child *child, const PoolConfig *from, const PoolConfig *to) {
        update_cgroup(child, &from->cgroup, &to->cgroup);
        update_limits(child, from, to);
}

/* ---- what is missing ---- */

static const char *controllers_reason(const KeeperMessage *hello) {
        return hello->hello.tree_mode == KEEPER_TREE_CGROUP ? hello->hello.controllers_reason : hello->hello.tree_reason;
}

static size_t add_shortfall(Shortfall *out, size_t n, const char *key, const char *mechanism, bool is_off, const char *why) {
        out[n] = (Shortfall){.key = key, .mechanism = mechanism, .is_off = is_off, .why = why};
        return n + 1;
}

static size_t cgroup_shortfalls(const CgroupConfig *c, const KeeperMessage *hello, Shortfall *out) {
        const struct {
                const char *key;
                uint64_t value;
                uint32_t controller;
        } wishes[] = {
                {"cgroup.memory_max", c->memory_max, KEEPER_CONTROLLER_MEMORY},
                {"cgroup.memory_high", c->memory_high, KEEPER_CONTROLLER_MEMORY},
                {"cgroup.cpu_max", c->cpu_max, KEEPER_CONTROLLER_CPU},
                {"cgroup.cpu_weight", c->cpu_weight, KEEPER_CONTROLLER_CPU},
                {"cgroup.pids_max", c->pids_max, KEEPER_CONTROLLER_PIDS},
        };
        size_t n = 0;

        for (size_t i = 0; i < ARRAY_SIZE(wishes); i++)
                if (wishes[i].value != CGROUP_UNSET && !(hello->hello.controllers & wishes[i].controller))
                        n = add_shortfall(out, n, wishes[i].key, "none", true, controllers_reason(hello));
        return n;
}

size_t bounds_shortfalls(const PoolConfig *c, const KeeperMessage *hello, Shortfall out[static SHORTFALLS_MAX]) {
        static const char by_landlock[] =
                "no mount namespace: names and attributes stay visible, and nothing new can be made beside the listed paths";
        const IsolationConfig *i = &c->isolation;
        LaunchIsolation kind = isolation_of(c, hello);
        size_t n = cgroup_shortfalls(&c->cgroup, hello, out);

        if (i->private_tmp && kind != LAUNCH_ISOLATION_MOUNT)
                n = add_shortfall(out, n, "isolation.private_tmp", "none", true, "no mount namespace (needs CAP_SYS_ADMIN and mount(2))");
        if (i->read_only_paths && i->read_only_paths[0] && kind != LAUNCH_ISOLATION_MOUNT)
                n = add_shortfall(out, n, "isolation.read_only", kind ? "Landlock" : "none", !kind,
                                  kind ? by_landlock : "neither mount namespaces nor Landlock");
        if (i->inaccessible_paths && i->inaccessible_paths[0] && kind != LAUNCH_ISOLATION_MOUNT)
                n = add_shortfall(out, n, "isolation.inaccessible", kind ? "Landlock" : "none", !kind,
                                  kind ? by_landlock : "neither mount namespaces nor Landlock");
        if (i->has_capabilities && (!c->has_identity || c->uid == 0) && !means(hello, KEEPER_CAN_SETPCAP))
                n = add_shortfall(out, n, "capabilities", "none", true, "drover itself has no CAP_SETPCAP: a root worker keeps drover's own");
        return n;
}
