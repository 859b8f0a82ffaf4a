/* test-listen.c - one listening socket: every kind, and what is asked of it; on a kernel without IPv6, too. */
#include "pool/listen-open.h"

#include "base/alloc.h"
#include "base/fd.h"
#include <check.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

static bool has_no_ipv6;

/* In place of libc's: the kernel without IPv6. */
int socket(int domain, int type, int protocol) {
        if (domain == AF_INET6 && has_no_ipv6) {
                errno = EAFNOSUPPORT;
                return -1;
        }
        return (int) syscall(SYS_socket, domain, type, protocol);
}

static void setup(void) {
        has_no_ipv6 = false;
}

/* A port that nobody has at this moment. */
static unsigned free_port(int family) {
        struct sockaddr_in6 a = {.sin6_family = (sa_family_t) family};
        socklen_t size = family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(a);
        _cleanup_fd_ int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(bind(fd, (struct sockaddr *) &a, size), 0);
        ck_assert_int_eq(getsockname(fd, (struct sockaddr *) &a, &size), 0);
        return ntohs(a.sin6_port); /* at the same place in both */
}

static int get_option(int fd, int level, int name) {
        int value = -1;
        socklen_t size = sizeof(value);

        ck_assert_int_eq(getsockopt(fd, level, name, &value, &size), 0);
        return value;
}

static int family_of(int fd) {
        struct sockaddr_storage a = {0};
        socklen_t size = sizeof(a);

        ck_assert_int_eq(getsockname(fd, (struct sockaddr *) &a, &size), 0);
        return a.ss_family;
}

static int open_inet(const char *host, ListenConfig c) {
        _cleanup_free_ char *address = alloc_printf("%s:%u", host, free_port(AF_INET));

        c.address = address;
        c.backlog = c.backlog > 0 ? c.backlog : 10;
        return listen_open(&c);
}

START_TEST(test_every_host) {
        _cleanup_fd_ int both = open_inet("[::]", (ListenConfig){0}), one = open_inet("[::1]", (ListenConfig){0});
        _cleanup_fd_ int udp = open_inet("[::]", (ListenConfig){.kind = LISTEN_UDP});

        ck_assert_int_ge(both, 0);
        ck_assert_int_ge(one, 0);
        ck_assert_int_ge(udp, 0);
        ck_assert_int_eq(get_option(both, SOL_IPV6, IPV6_V6ONLY), 0);
        ck_assert_int_eq(get_option(one, SOL_IPV6, IPV6_V6ONLY), 1);
        ck_assert_int_eq(get_option(udp, SOL_SOCKET, SO_TYPE), SOCK_DGRAM);
        ck_assert_int_eq(fcntl(both, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
}
END_TEST

START_TEST(test_without_ipv6) {
        has_no_ipv6 = true;
        for (int kind = LISTEN_TCP; kind <= LISTEN_UDP; kind++) {
                _cleanup_fd_ int fd = open_inet("[::]", (ListenConfig){.kind = (ListenKind) kind});

                ck_assert_int_ge(fd, 0);
                ck_assert_int_eq(family_of(fd), AF_INET);
        }
        ck_assert_int_eq(open_inet("[::1]", (ListenConfig){0}), -EAFNOSUPPORT); /* asked for by name: no other will do */
}
END_TEST

START_TEST(test_options) {
        _cleanup_fd_ int fd = open_inet("127.0.0.1", (ListenConfig){.reuse_port = true, .backlog = 7});
        struct tcp_info info = {0};
        socklen_t size = sizeof(info);
        ListenConfig more = {.backlog = 9};

        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(get_option(fd, SOL_SOCKET, SO_REUSEPORT), 1);
        ck_assert_int_eq(get_option(fd, SOL_SOCKET, SO_REUSEADDR), 1);
        ck_assert_int_eq(getsockopt(fd, SOL_TCP, TCP_INFO, &info, &size), 0);
        ck_assert_uint_eq(info.tcpi_sacked, 7); /* of a listening socket: its backlog */
        ck_assert_int_eq(listen_adjust(fd, &more), 0);
        ck_assert_int_eq(getsockopt(fd, SOL_TCP, TCP_INFO, &info, &size), 0);
        ck_assert_uint_eq(info.tcpi_sacked, 9);
}
END_TEST

static const char *const absent[] = {"192.0.2.1", "[2001:db8::1]"}; /* for documentation: nobody has them */

START_TEST(test_freebind) {
        _cleanup_fd_ int fd = open_inet(absent[_i], (ListenConfig){.freebind = true});

        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(open_inet(absent[_i], (ListenConfig){0}), -EADDRNOTAVAIL);
}
END_TEST

START_TEST(test_unix) {
        char place[] = "/tmp/test-listen-XXXXXX", path[64];
        ListenConfig c = {.kind = LISTEN_UNIX, .address = path, .backlog = 5, .mode = 0606};
        struct stat st;
        mode_t umask_before = umask(027);

        ck_assert_ptr_nonnull(mkdtemp(place));
        (void) snprintf(path, sizeof(path), "%s/socket", place);
        if (geteuid() == 0) {
                c.has_owner = true;
                c.uid = 1;
                c.gid = 2;
        }
        for (int i = 0; i < 2; i++) { /* the second time over the stale file of the first */
                _cleanup_fd_ int fd = listen_open(&c);

                ck_assert_int_ge(fd, 0);
                ck_assert_int_eq(lstat(path, &st), 0);
                ck_assert_int_eq(st.st_mode & 0777, 0606);
                ck_assert(!c.has_owner || (st.st_uid == 1 && st.st_gid == 2));
                ck_assert_int_eq(listen_open(&c), -EADDRINUSE); /* it answers */
                c.mode = 0640;
                ck_assert_int_eq(listen_adjust(fd, &c), 0);
                ck_assert_int_eq(lstat(path, &st), 0);
                ck_assert_int_eq(st.st_mode & 0777, 0640);
                c.mode = 0606;
        }
        ck_assert_int_eq(umask(umask_before), 027); /* as it was */
        (void) unlink(path);
        (void) rmdir(place);
}
END_TEST

START_TEST(test_identity) {
        static char here[] = "127.0.0.1:80", there[] = "127.0.0.2:80";
        const ListenConfig a = {.address = here}, others[] = {
                {.address = there}, {.address = here, .kind = LISTEN_UDP}, {.address = here, .reuse_port = true},
                {.address = here, .freebind = true}};
        const ListenConfig same = {.address = here, .backlog = 7, .mode = 0600};

        ck_assert_uint_eq(listen_identity(&a, "web", 0), listen_identity(&same, "web", 0));
        ck_assert_uint_ne(listen_identity(&a, "web", 0), listen_identity(&a, "web", 1));
        ck_assert_uint_ne(listen_identity(&a, "web", 0), listen_identity(&a, "api", 0));
        for (size_t i = 0; i < ARRAY_SIZE(others); i++)
                ck_assert_uint_ne(listen_identity(&a, "web", 0), listen_identity(&others[i], "web", 0));
}
END_TEST

int main(void) {
        const TTest *const tests[] = {test_every_host, test_without_ipv6, test_options, test_unix, test_identity};
        Suite *s = suite_create("listen");
        TCase *t = tcase_create("all");
        SRunner *runner = srunner_create(s);
        int n_failed;

        tcase_add_checked_fixture(t, setup, NULL);
        for (size_t i = 0; i < ARRAY_SIZE(tests); i++)
                tcase_add_test(t, tests[i]);
        tcase_add_loop_test(t, test_freebind, 0, (int) ARRAY_SIZE(absent));
        suite_add_tcase(s, t);
        srunner_run_all(runner, CK_NORMAL);
        n_failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
