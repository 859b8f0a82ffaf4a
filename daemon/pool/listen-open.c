/* listen-open.c - see listen-open.h. */
#include "pool/listen-open.h"

#include "base/fd.h"
#include "config/address.h"
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

const char *listen_kind_to_string(ListenKind k) {
        static const char *const names[] = {[LISTEN_TCP] = "tcp", [LISTEN_UDP] = "udp", [LISTEN_UNIX] = "unix"};

        return (unsigned) k < ARRAY_SIZE(names) ? names[k] : "socket";
}

static uint64_t hash(uint64_t h, const void *data, size_t n) {
        const uint8_t *p = data;

        for (size_t i = 0; i < n; i++)
                h = (h ^ p[i]) * UINT64_C(0x100000001b3); /* FNV-1a */
        return h;
}

uint64_t listen_identity(const ListenConfig *c, const char *pool, unsigned slot) {
        uint32_t numbers[] = {(uint32_t) c->kind, c->reuse_port, c->freebind, slot};
        uint64_t h = UINT64_C(0xcbf29ce484222325);

        h = hash(h, pool, strlen(pool) + 1);
        h = hash(h, c->address, strlen(c->address) + 1);
        return hash(h, numbers, sizeof(numbers));
}

/* Whoever answers there is alive. */
static int stale_remove(const Address *a) {
        _cleanup_fd_ int fd = -EBADF;
        struct stat st;

        if (lstat(a->un.sun_path, &st) < 0)
                return errno == ENOENT ? 0 : -errno;
        if (!S_ISSOCK(st.st_mode))
                return -EEXIST;
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return -errno;
        if (connect(fd, &a->sa, a->size) >= 0 || errno != ECONNREFUSED)
                return -EADDRINUSE;
        return unlink(a->un.sun_path) < 0 && errno != ENOENT ? -errno : 0;
}

/* By descriptor: in a directory of somebody else's the name may be anything by now, a link to a file of root's too. */
static int set_access(const ListenConfig *c) {
        _cleanup_fd_ int fd = open(c->address, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        char name[40];
        struct stat st;

        if (fd < 0 || fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISSOCK(st.st_mode) || st.st_nlink != 1)
                return -EPERM;
        if (c->has_owner && fchownat(fd, "", c->uid, c->gid, AT_EMPTY_PATH) < 0)
                return -errno;
        (void) snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
        return chmod(name, c->mode) < 0 ? -errno : 0;
}

static int bind_unix(int fd, const ListenConfig *c, const Address *a) {
        mode_t umask_before;
        int r = stale_remove(a);

        if (r < 0)
                return r;
        if (fchmod(fd, c->mode) < 0)
                return -errno;
        umask_before = umask(0); /* bind(2) takes it off the mode just set */
        r = bind(fd, &a->sa, a->size) < 0 ? -errno : 0;
        (void) umask(umask_before);
        if (r < 0 || !c->has_owner)
                return r;
        r = set_access(c);
        if (r < 0)
                (void) unlink(c->address);
        return r;
}

static int set_option(int fd, int level, int name, int value) {
        return setsockopt(fd, level, name, &value, sizeof(value)) < 0 ? -errno : 0;
}

/* [::]: both families. */
static bool is_every_host(const Address *a) {
        return a->sa.sa_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&a->in6.sin6_addr);
}

static int bind_inet(int fd, const ListenConfig *c, const Address *a) {
        int r = 0;

        if (c->kind == LISTEN_TCP)
                r = set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
        if (r >= 0 && c->reuse_port)
                r = set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1);
        if (r >= 0 && c->freebind)
                r = set_option(fd, SOL_IP, IP_FREEBIND, 1);
        if (r >= 0 && a->sa.sa_family == AF_INET6)
                r = set_option(fd, SOL_IPV6, IPV6_V6ONLY, !is_every_host(a));
        if (r < 0)
                return r;
        return bind(fd, &a->sa, a->size) < 0 ? -errno : 0;
}

static int open_at(const ListenConfig *c, const Address *a) {
        int type = c->kind == LISTEN_UDP ? SOCK_DGRAM : SOCK_STREAM, r;
        _cleanup_fd_ int fd = socket(a->sa.sa_family, type | SOCK_CLOEXEC, 0);

        if (fd < 0)
                return -errno;
        r = c->kind == LISTEN_UNIX ? bind_unix(fd, c, a) : bind_inet(fd, c, a);
        if (r >= 0 && c->kind != LISTEN_UDP && listen(fd, c->backlog) < 0)
                r = -errno;
        return r < 0 ? r : TAKE_FD(fd);
}

int listen_open(const ListenConfig *c) {
        Address a, ipv4;
        int r = address_parse(c->address, &a);

        if (r < 0)
                return r;
        if ((a.sa.sa_family == AF_UNIX) != (c->kind == LISTEN_UNIX))
                return -EINVAL;
        r = open_at(c, &a);
        if (!is_every_host(&a) || (r != -EAFNOSUPPORT && r != -EADDRNOTAVAIL))
                return r;
        ipv4 = (Address){.in = {.sin_family = AF_INET, .sin_port = a.in6.sin6_port}, .size = sizeof(ipv4.in)};
        return open_at(c, &ipv4); /* a kernel without IPv6 */
}

int listen_adjust(int fd, const ListenConfig *c) {
        if (c->kind != LISTEN_UDP && listen(fd, c->backlog) < 0)
                return -errno;
        return c->kind == LISTEN_UNIX ? set_access(c) : 0;
}
