/* test-file.c - whole files in and out, in a directory of its own. */
#include "base/file.h"
#include "base/alloc.h"
#include "base/fd.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static char directory[64];

static void set_up(void) {
        (void) snprintf(directory, sizeof(directory), "/tmp/drover-test-file-XXXXXX");
        ck_assert_ptr_nonnull(mkdtemp(directory));
        ck_assert_int_eq(chdir(directory), 0);
}

static void tear_down(void) {
        (void) unlink("f");
        (void) unlink("fifo");
        (void) rmdir("a/b/c");
        (void) rmdir("a/b");
        (void) rmdir("a");
        ck_assert_int_eq(chdir("/"), 0);
        ck_assert_int_eq(rmdir(directory), 0);
}

START_TEST(what_is_written_is_read) {
        _cleanup_free_ char *data = NULL, *zero = NULL;
        struct stat st;
        size_t size = 0;

        ck_assert_int_eq(file_write_atomic("f", "hello\0x", 7, 0640), 0);
        ck_assert_int_eq(stat("f", &st), 0);
        ck_assert_uint_eq(st.st_mode & 07777, 0640);
        ck_assert_int_eq(file_read("f", 7, &data, &size), 0);
        ck_assert_uint_eq(size, 7);
        ck_assert_mem_eq(data, "hello\0x", 8);
        ck_assert_int_eq(file_write_atomic("f", "", 0, 0600), 0);
        ck_assert_int_eq(file_read("f", 0, &zero, &size), 0);
        ck_assert_uint_eq(size, 0);
        ck_assert_str_eq(zero, "");
}
END_TEST

START_TEST(faults_leave_outputs_alone) {
        char *data = NULL;

        ck_assert_int_eq(file_write_atomic("f", "12345678", 8, 0600), 0);
        ck_assert_int_eq(file_read("f", 7, &data, NULL), -EFBIG);
        ck_assert_int_eq(file_read("none", 7, &data, NULL), -ENOENT);
        ck_assert_int_eq(file_read(".", 7, &data, NULL), -EISDIR);
        ck_assert_int_eq(mkfifo("fifo", 0600), 0);
        ck_assert_int_eq(file_read("fifo", 7, &data, NULL), -EINVAL);
        ck_assert_int_eq(file_write_atomic("none/f", "x", 1, 0600), -ENOENT);
        for (unsigned long n = 1; n <= 2; n++) {
                alloc_fail_at(1);
                ck_assert_int_eq(n == 1 ? file_read("f", 100, &data, NULL) : file_write_atomic("f", "x", 1, 0600), -ENOMEM);
        }
        ck_assert_ptr_null(data);
        ck_assert_int_eq(file_read("f", 100, &data, NULL), 0);
        ck_assert_str_eq(data, "12345678");
        free(data);
}
END_TEST

START_TEST(files_without_a_size_are_read_whole) {
        _cleanup_free_ char *data = NULL;
        _cleanup_fd_ int fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
        size_t size = 0;

        ck_assert_int_eq(file_read_fd(fd, SIZE_MAX, &data, &size), 0);
        ck_assert_uint_gt(size, 10);
        ck_assert_uint_eq(strlen(data), size);
}
END_TEST

START_TEST(start_of_a_file_is_read) {
        char text[6] = "left";

        ck_assert_int_eq(file_read_start("/proc/self/no-such-file", text, sizeof text), -ENOENT);
        ck_assert_str_eq(text, "left");
        ck_assert_int_eq(file_replace("f", "0123456789", 10, 0600), 0);
        ck_assert_int_eq(file_read_start("f", text, sizeof text), 5);
        ck_assert_str_eq(text, "01234");
        ck_assert_int_eq(file_replace("f", "", 0, 0600), 0);
        ck_assert_int_eq(file_read_start("f", text, sizeof text), 0);
        ck_assert_str_eq(text, "");
}
END_TEST

START_TEST(directories_are_made) {
        ck_assert_int_eq(dir_make("a/b/c", 0700), 0);
        ck_assert_int_eq(dir_make("a/b/c", 0700), 0);
        ck_assert_int_eq(file_write_atomic("f", "", 0, 0600), 0);
        ck_assert_int_eq(dir_make("f", 0700), -ENOTDIR);
        ck_assert_int_eq(dir_make("f/x", 0700), -ENOTDIR);
}
END_TEST

START_TEST(memfd_can_be_sealed) {
        _cleanup_fd_ int fd = memfd_new("test");

        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
        ck_assert_int_eq(write_all(fd, "abc", 3), 0);
        ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL), 0);
        ck_assert_int_eq(write_all(fd, "d", 1), -EPERM);
}
END_TEST

int main(void) {
        Suite *s = suite_create("file");
        TCase *t = tcase_create("file");
        SRunner *r = srunner_create(s);
        int failed;

        tcase_add_checked_fixture(t, set_up, tear_down);
        tcase_add_test(t, what_is_written_is_read);
        tcase_add_test(t, faults_leave_outputs_alone);
        tcase_add_test(t, files_without_a_size_are_read_whole);
        tcase_add_test(t, start_of_a_file_is_read);
        tcase_add_test(t, directories_are_made);
        tcase_add_test(t, memfd_can_be_sealed);
        suite_add_tcase(s, t);
        srunner_run_all(r, CK_NORMAL);
        failed = srunner_ntests_failed(r);
        srunner_free(r);
        return failed > 0;
}
