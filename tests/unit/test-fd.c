/* test-fd.c - flags, and packets with descriptors: cut ones, surplus ones, the peer's end. */
#include "base/fd.h"

#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

static size_t open_fds(void) {
        DIR *d = opendir("/proc/self/fd");
        size_t n = 0;

        ck_assert_ptr_nonnull(d);
        while (readdir(d))
                n++;
        (void) closedir(d);
        return n;
}

START_TEST(flags) {
        _cleanup_fd_ int fd = open("/dev/null", O_RDONLY);

        ck_assert_int_eq(fd_set_cloexec(fd, true), 0);
        ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
        ck_assert_int_eq(fd_set_cloexec(fd, false), 0);
        ck_assert_int_eq(fcntl(fd, F_GETFD), 0);
        ck_assert_int_eq(fd_set_nonblock(fd, true), 0);
        ck_assert(fcntl(fd, F_GETFL) & O_NONBLOCK);
        ck_assert_int_eq(fd_set_nonblock(-1, true), -EBADF);
        errno = ENOENT;
        fd = fd_close(fd);
        ck_assert_int_eq(fd, -EBADF);
        ck_assert_int_eq(errno, ENOENT);
        ck_assert_int_eq(fd_close(-EBADF), -EBADF);
}
END_TEST

START_TEST(stdio_is_left_free) {
        int saved = dup(STDIN_FILENO), moved;

        (void) close(STDIN_FILENO);
        moved = fd_move_above_stdio(open("/dev/null", O_RDONLY));
        ck_assert_int_gt(moved, STDERR_FILENO);
        ck_assert_int_eq(fcntl(moved, F_GETFD), FD_CLOEXEC);
        ck_assert_int_lt(fcntl(STDIN_FILENO, F_GETFD), 0);
        ck_assert_int_eq(fd_sanitize_stdio(), 0);
        ck_assert_int_eq(fcntl(STDIN_FILENO, F_GETFD), 0);
        (void) dup2(saved, STDIN_FILENO);
        (void) close(saved);
        (void) close(moved);
}
END_TEST

START_TEST(many_packets_at_once) {
        char bufs[PACKETS_MAX][4] = {{0}};
        Packet packets[PACKETS_MAX];
        size_t before = open_fds();
        int pair[2], sent = 0;

        ck_assert_int_eq(packet_pair(pair), 0);
        for (int i = 0; i < PACKETS_MAX; i++)
                packets[i] = (Packet){.data = bufs[i], .size = sizeof(bufs[i])};
        ck_assert_int_eq(packet_recv_many(pair[1], packets, PACKETS_MAX), -EAGAIN);
        ck_assert_int_eq(packet_send(pair[0], "one", 3, &sent, 1), 0);
        ck_assert_int_eq(packet_send(pair[0], "too long", 8, &sent, 1), 0);
        ck_assert_int_eq(packet_send(pair[0], "two", 3, NULL, 0), 0);
        ck_assert_int_eq(packet_recv_many(pair[1], packets, 2), 2);
        ck_assert_int_eq(packets[0].result, 3);
        ck_assert_int_ge(packets[0].fd, 0);
        (void) fd_close(packets[0].fd);
        ck_assert_int_eq(packets[1].result, -EMSGSIZE);
        ck_assert_int_eq(packets[1].fd, -EBADF);
        ck_assert_int_eq(packet_recv_many(pair[1], packets, 99), 1);
        ck_assert_mem_eq(bufs[0], "two", 3);
        ck_assert_int_eq(packets[0].fd, -EBADF);
        pair[0] = fd_close(pair[0]);
        ck_assert_int_ge(packet_recv_many(pair[1], packets, PACKETS_MAX), 1);
        ck_assert_int_eq(packets[0].result, 0);
        (void) fd_close(pair[1]);
        ck_assert_uint_eq(open_fds(), before);
}
END_TEST

START_TEST(packet_round_trip) {
        int pair[2], fds[PACKET_FDS_MAX], sent[3] = {0, 1, 2};
        size_t n_fds = 99, before = open_fds();
        char buf[16];

        ck_assert_int_eq(packet_pair(pair), 0);
        ck_assert_int_eq(packet_recv(pair[1], buf, sizeof(buf), fds, PACKET_FDS_MAX, &n_fds), -EAGAIN);
        ck_assert_int_eq(packet_send(pair[0], "hello", 5, sent, 3), 0);
        ck_assert_int_eq(packet_recv(pair[1], buf, sizeof(buf), fds, PACKET_FDS_MAX, &n_fds), 5);
        ck_assert_mem_eq(buf, "hello", 5);
        ck_assert_uint_eq(n_fds, 3);
        ck_assert_int_eq(fcntl(fds[0], F_GETFD), FD_CLOEXEC);
        fd_close_many(fds, n_fds);
        ck_assert_int_eq(packet_send(pair[0], "x", 1, NULL, 0), 0);
        ck_assert_int_eq(packet_recv(pair[1], buf, sizeof(buf), fds, PACKET_FDS_MAX, &n_fds), 1);
        ck_assert_uint_eq(n_fds, 0);
        ck_assert_int_eq(packet_send(pair[0], "x", 1, sent, PACKET_FDS_MAX + 1), -EINVAL);
        pair[0] = fd_close(pair[0]);
        ck_assert_int_eq(packet_recv(pair[1], buf, sizeof(buf), fds, PACKET_FDS_MAX, &n_fds), 0);
        ck_assert_int_eq(packet_send(pair[1], "x", 1, NULL, 0), -EPIPE);
        pair[1] = fd_close(pair[1]);
        ck_assert_uint_eq(open_fds(), before);
}
END_TEST

START_TEST(surplus_and_cut_packets_leak_nothing) {
        int pair[2], fds[PACKET_FDS_MAX], sent[3] = {0, 1, 2};
        size_t n_fds = 99, before;
        char buf[4];

        ck_assert_int_eq(packet_pair(pair), 0);
        before = open_fds();
        ck_assert_int_eq(packet_send(pair[0], "four", 4, sent, 3), 0);
        ck_assert_int_eq(packet_recv(pair[1], buf, sizeof(buf), fds, 1, &n_fds), 4);
        ck_assert_uint_eq(n_fds, 1);
        ck_assert_uint_eq(open_fds(), before + 1);
        fd_close_many(fds, n_fds);
        n_fds = 99;
        ck_assert_int_eq(packet_send(pair[0], "fives", 5, sent, 3), 0);
        ck_assert_int_eq(packet_recv(pair[1], buf, sizeof(buf), fds, PACKET_FDS_MAX, &n_fds), -EMSGSIZE);
        ck_assert_uint_eq(n_fds, 99);
        ck_assert_uint_eq(open_fds(), before);
        fd_close_many(pair, 2);
}
END_TEST

START_TEST(limit_is_raised) {
        uint64_t old = 0, now = 0;

        ck_assert_int_eq(fd_raise_limit(&old, &now), 0);
        ck_assert_uint_ge(now, old);
        ck_assert_uint_gt(old, 0);
}
END_TEST

int main(void) {
        Suite *s = suite_create("fd");
        TCase *t = tcase_create("fd");
        SRunner *r = srunner_create(s);
        int failed;

        tcase_add_test(t, flags);
        tcase_add_test(t, stdio_is_left_free);
        tcase_add_test(t, packet_round_trip);
        tcase_add_test(t, many_packets_at_once);
        tcase_add_test(t, surplus_and_cut_packets_leak_nothing);
        tcase_add_test(t, limit_is_raised);
        suite_add_tcase(s, t);
        srunner_run_all(r, CK_NORMAL);
        failed = srunner_ntests_failed(r);
        srunner_free(r);
        return failed > 0;
}
