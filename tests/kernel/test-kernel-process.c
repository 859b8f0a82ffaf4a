/* test-kernel-process.c - facts about processes that the keeper relies on; where one no longer holds, this says so first. */
#include <check.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t child_that_waits(int *ret_pidfd) {
        pid_t pid = fork();

        ck_assert_int_ge(pid, 0);
        if (pid == 0)
                for (;;)
                        (void) pause();
        *ret_pidfd = (int) syscall(SYS_pidfd_open, pid, 0);
        ck_assert_int_ge(*ret_pidfd, 0);
        return pid;
}

static void reap(pid_t pid) {
        ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
}

/* The status can be read as often as wished before the process is reaped: record first, then reap. */
START_TEST(test_status_is_there_until_reaped) {
        int pidfd;
        pid_t pid = child_that_waits(&pidfd);
        struct pollfd p = {.fd = pidfd, .events = POLLIN};

        ck_assert_int_eq(kill(pid, SIGKILL), 0);
        ck_assert_int_eq(poll(&p, 1, 10000), 1);
        for (int i = 0; i < 3; i++) {
                siginfo_t info = {0};
                ck_assert_int_eq(waitid(P_PID, (id_t) pid, &info, WEXITED | WNOHANG | WNOWAIT), 0);
                ck_assert_int_eq(info.si_pid, pid);
                ck_assert_int_eq(info.si_status, SIGKILL);
        }
        reap(pid);
        (void) close(pidfd);
}
END_TEST

/* Closing a watched descriptor does not end the watch while a duplicate lives, e.g. in a child before its exec: the loop
 * would spin on it. EPOLL_CTL_DEL does. */
START_TEST(test_closed_descriptor_stays_hot_in_epoll) {
        int pidfd, ep = epoll_create1(EPOLL_CLOEXEC);
        pid_t pid = child_that_waits(&pidfd);
        struct epoll_event e = {.events = EPOLLIN};

        ck_assert_int_eq(epoll_ctl(ep, EPOLL_CTL_ADD, pidfd, &e), 0);
        int other = dup(pidfd);
        ck_assert_int_eq(kill(pid, SIGKILL), 0);
        reap(pid);
        int again = dup(pidfd);
        (void) close(again);
        ck_assert_int_eq(epoll_wait(ep, &e, 1, 10000), 1);
        ck_assert_int_eq(epoll_ctl(ep, EPOLL_CTL_DEL, pidfd, NULL), 0);
        ck_assert_int_eq(epoll_wait(ep, &e, 1, 0), 0);
        e.events = EPOLLIN;
        ck_assert_int_eq(epoll_ctl(ep, EPOLL_CTL_ADD, pidfd, &e), 0);
        (void) close(pidfd);
        ck_assert_int_eq(epoll_wait(ep, &e, 1, 10000), 1);
        (void) close(other);
        ck_assert_int_eq(epoll_wait(ep, &e, 1, 0), 0);
        (void) close(ep);
}
END_TEST

/* An orphan of a grandchild comes to the nearest subreaper, and its status with it. */
START_TEST(test_subreaper_gets_orphans) {
        int status, p[2], hold[2];
        pid_t orphan, tester = getpid();

        ck_assert_int_eq(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0);
        ck_assert_int_eq(pipe(p), 0);
        ck_assert_int_eq(pipe(hold), 0);
        pid_t middle = fork();
        if (middle == 0) {
                pid_t pid = fork();
                if (pid == 0) {
                        /* Until its parent is gone and the test has closed its end too. */
                        (void) close(hold[1]);
                        _exit(read(hold[0], &status, 1) == 0 && getppid() == tester ? 42 : 1);
                }
                _exit(write(p[1], &pid, sizeof pid) == sizeof pid ? 0 : 1);
        }
        reap(middle);
        ck_assert_int_eq(read(p[0], &orphan, sizeof orphan), sizeof orphan);
        (void) close(hold[1]);
        ck_assert_int_eq(waitpid(orphan, &status, 0), orphan);
        ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 42);
        (void) close(hold[0]);
        (void) close(p[0]);
        (void) close(p[1]);
}
END_TEST

/* The kernel, not the sender, says who sent a datagram. */
START_TEST(test_datagrams_carry_credentials) {
        int sv[2], on = 1;
        char control[CMSG_SPACE(sizeof(struct ucred))], byte;
        struct iovec iov = {&byte, 1};
        struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};

        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, sv), 0);
        ck_assert_int_eq(setsockopt(sv[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof on), 0);
        pid_t pid = fork();
        if (pid == 0)
                _exit(send(sv[1], "x", 1, MSG_NOSIGNAL) == 1 ? 0 : 1);
        reap(pid);
        ck_assert_int_eq(recvmsg(sv[0], &m, 0), 1);
        struct cmsghdr *c = CMSG_FIRSTHDR(&m);
        ck_assert_ptr_nonnull(c);
        ck_assert_int_eq(c->cmsg_type, SCM_CREDENTIALS);
        struct ucred *who = (struct ucred *) CMSG_DATA(c);
        ck_assert_int_eq(who->pid, pid);
        (void) close(sv[0]);
        (void) close(sv[1]);
}
END_TEST

int main(void) {
        Suite *s = suite_create("kernel-process");
        TCase *t = tcase_create("kernel-process");

        tcase_add_test(t, test_status_is_there_until_reaped);
        tcase_add_test(t, test_closed_descriptor_stays_hot_in_epoll);
        tcase_add_test(t, test_subreaper_gets_orphans);
        tcase_add_test(t, test_datagrams_carry_credentials);
        suite_add_tcase(s, t);
        SRunner *r = srunner_create(s);
        srunner_run_all(r, CK_NORMAL);
        int failed = srunner_ntests_failed(r);
        srunner_free(r);
        return failed == 0 ? 0 : 1;
}
