/* test-listener-bind.c - the socket file: directory, lock, mode, what is found in its place. */
#include "control/control.h"
#include "base/alloc.h"
#include "base/fd.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static char top[64], *directory, *path;
static int fd, lock;
static pid_t pid;

static void setup(void) {
        (void) snprintf(top, sizeof(top), "/tmp/drover-bind-XXXXXX");
        ck_assert_ptr_nonnull(mkdtemp(top));
        directory = alloc_printf("%s/drover", top);
        path = alloc_printf("%s/control.sock", directory);
        fd = lock = -EBADF;
}

static void teardown(void) {
        _cleanup_free_ char *lock_path = alloc_printf("%s.lock", path);

        fd = fd_close(fd);
        lock = fd_close(lock);
        (void) unlink(path);
        (void) unlink(lock_path);
        (void) rmdir(directory);
        (void) rmdir(top);
        free(directory);
        free(path);
}

static mode_t mode_of(const char *name) {
        struct stat st;

        ck_assert_int_eq(stat(name, &st), 0);
        return st.st_mode & 07777;
}

/* Whatever the umask. */
START_TEST(test_modes) {
        static const mode_t masks[] = {0, 077, 022};
        bool is_root = geteuid() == 0;
        mode_t before = umask(masks[_i]);
        struct stat st;

        ck_assert_int_eq(listener_bind(path, &fd, &lock, &pid), 0);
        ck_assert_uint_eq(umask(before), masks[_i]);
        ck_assert_uint_eq(mode_of(path), 0600);
        ck_assert_int_eq(listener_set_access(path, is_root ? 12345 : getegid(), 0660), 0);
        ck_assert_uint_eq(mode_of(path), 0660);
        ck_assert_int_eq(stat(path, &st), 0);
        ck_assert_uint_eq(st.st_gid, is_root ? 12345 : getegid());
        ck_assert_int_eq(listener_set_access(path, getegid(), 0600), 0);
        ck_assert_uint_eq(mode_of(path), 0600);
        ck_assert_int_eq(listener_set_access("/dev/null", getegid(), 0600), -EPERM);
        if (masks[_i] != 077)
                ck_assert_uint_eq(mode_of(directory), is_root ? 0755 : 0700);
        ck_assert_int_ne(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
        ck_assert_int_ne(fcntl(lock, F_GETFD) & FD_CLOEXEC, 0);
}
END_TEST

START_TEST(test_twice) {
        int other_fd = -EBADF, other_lock = -EBADF;
        char text[256];

        ck_assert_int_eq(listener_bind(path, &fd, &lock, &pid), 0);
        ck_assert_int_eq(listener_bind(path, &other_fd, &other_lock, &pid), -EADDRINUSE);
        ck_assert_int_eq(pid, getpid());
        ck_assert_ptr_nonnull(strstr(listener_bind_describe(path, -EADDRINUSE, pid, text, sizeof(text)), "running on"));
        ck_assert_int_eq(other_fd, -EBADF);
        ck_assert_int_eq(other_lock, -EBADF);
}
END_TEST

/* What a killed daemon leaves behind is replaced. */
START_TEST(test_stale) {
        ck_assert_int_eq(listener_bind(path, &fd, &lock, &pid), 0);
        fd = fd_close(fd);
        lock = fd_close(lock);
        ck_assert_int_eq(access(path, F_OK), 0);
        ck_assert_int_eq(listener_bind(path, &fd, &lock, &pid), 0);
}
END_TEST

/* Somebody listens there without our lock. */
START_TEST(test_live_without_lock) {
        int other_fd, other_lock;

        ck_assert_int_eq(listener_bind(path, &fd, &lock, &pid), 0);
        lock = fd_close(lock);
        ck_assert_int_eq(listener_bind(path, &other_fd, &other_lock, &pid), -EADDRINUSE);
        ck_assert_int_eq(pid, getpid());
        ck_assert_int_eq(access(path, F_OK), 0);
}
END_TEST

START_TEST(test_no_socket) {
        int file;

        ck_assert_int_eq(mkdir(directory, 0700), 0);
        file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        fd_close(file);
        ck_assert_int_eq(listener_bind(path, &fd, &lock, &pid), -EEXIST);
        ck_assert_int_eq(access(path, F_OK), 0);
}
END_TEST

START_TEST(test_directory_of_everybody) {
        ck_assert_int_eq(mkdir(directory, 0700), 0);
        ck_assert_int_eq(chmod(directory, 0777), 0);
        ck_assert_int_eq(listener_bind(path, &fd, &lock, &pid), -EPERM);
        ck_assert_int_eq(chmod(directory, 01777), 0); /* like /tmp */
        ck_assert_int_eq(listener_bind(path, &fd, &lock, &pid), 0);
}
END_TEST

START_TEST(test_path_too_long) {
        char text[512], name[200];

        memset(name, 'x', sizeof(name));
        name[0] = '/';
        name[sizeof(name) - 1] = 0;
        ck_assert_int_eq(listener_bind(name, &fd, &lock, &pid), -ENAMETOOLONG);
        ck_assert_ptr_nonnull(strstr(listener_bind_describe(name, -ENAMETOOLONG, 0, text, sizeof(text)), "199 bytes"));
}
END_TEST

START_TEST(test_lock_is_a_symlink) {
        _cleanup_free_ char *lock_path = alloc_printf("%s.lock", path);

        ck_assert_int_eq(mkdir(directory, 0700), 0);
        ck_assert_int_eq(symlink("/dev/null", lock_path), 0);
        ck_assert_int_eq(listener_bind(path, &fd, &lock, &pid), -ELOOP);
}
END_TEST

START_TEST(test_default_path) {
        ck_assert_int_eq(setenv("DROVER_SOCKET", "/given", 1), 0);
        {
                _cleanup_free_ char *s = socket_default_path();

                ck_assert_str_eq(s, "/given");
        }
        ck_assert_int_eq(unsetenv("DROVER_SOCKET"), 0);
        {
                _cleanup_free_ char *s = socket_default_path();

                ck_assert_ptr_nonnull(strstr(s, "/control.sock"));
        }
}
END_TEST

int main(void) {
        Suite *s = suite_create("listener-bind");
        TCase *t = tcase_create("all");
        SRunner *sr;
        int n;

        tcase_add_checked_fixture(t, setup, teardown);
        tcase_add_loop_test(t, test_modes, 0, 3);
        tcase_add_test(t, test_twice);
        tcase_add_test(t, test_stale);
        tcase_add_test(t, test_live_without_lock);
        tcase_add_test(t, test_no_socket);
        tcase_add_test(t, test_directory_of_everybody);
        tcase_add_test(t, test_path_too_long);
        tcase_add_test(t, test_lock_is_a_symlink);
        tcase_add_test(t, test_default_path);
        suite_add_tcase(s, t);
        sr = srunner_create(s);
        srunner_run_all(sr, CK_NORMAL);
        n = srunner_ntests_failed(sr);
        srunner_free(sr);
        return n > 0;
}
