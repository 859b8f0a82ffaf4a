/* test-log-index.c - times of lines: written, looked up, begun anew for another file. */
#include "base/fd.h"
#include "logger/log-index.h"
#include <check.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <unistd.h>

static char *make_dir(void) {
        char *name = strdup("/tmp/drover-test-" "XX" "XX" "XX");
        ck_assert_ptr_nonnull(name);
        ck_assert_ptr_nonnull(mkdtemp(name));
        return name;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *f) {
        return remove(path);
}

static void remove_dir(char *dir) {
        nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
        free(dir);
}

static void append(int fd, uint64_t ino, uint64_t offset, uint64_t time, bool check) {
        LogIndexRecord r = {offset, time};
        ck_assert_int_eq(log_index_append(fd, "x.idx", ino, LOG_FORM_RAW, &r, check), 0);
}

START_TEST(rising) {
        char *dir = make_dir();
        _cleanup_fd_ int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
        LogIndex i;
        for (uint64_t k = 0; k < 1000; k++)
                append(fd, 42, k * 10, 5000 + k, k == 0);
        log_index_open(&i, fd, "x.idx", 42);
        for (uint64_t offset = 0; offset < 12000; offset += 7)
                ck_assert_uint_eq(log_index_time(&i, offset), 5000 + MIN(offset / 10, (uint64_t) 999));
        ck_assert_uint_eq(log_index_time(&i, 3), 5000); /* and back */
        append(fd, 42, 10000, 9000, false);
        log_index_refresh(&i);
        ck_assert_uint_eq(log_index_time(&i, 10000), 9000);
        log_index_close(&i);
        log_index_open(&i, fd, "x.idx", 42);
        ck_assert_uint_eq(log_index_time(&i, 7777), 5777); /* a jump */
        log_index_close(&i);
        log_index_open(&i, fd, "x.idx", 43); /* another file's */
        ck_assert_uint_eq(log_index_time(&i, 7777), 0);
        log_index_close(&i);
        remove_dir(dir);
}
END_TEST

START_TEST(begins_anew) {
        char *dir = make_dir();
        _cleanup_fd_ int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
        LogIndex i;
        append(fd, 42, 0, 1, true);
        append(fd, 42, 500, 2, false);
        append(fd, 42, 100, 3, true); /* the log was truncated */
        log_index_open(&i, fd, "x.idx", 42);
        ck_assert_uint_eq(i.n_records, 1);
        ck_assert_uint_eq(log_index_time(&i, 50), 0);
        ck_assert_uint_eq(log_index_time(&i, 600), 3);
        log_index_close(&i);
        append(fd, 77, 0, 4, true);
        log_index_open(&i, fd, "x.idx", 77);
        ck_assert_uint_eq(log_index_time(&i, 600), 4);
        log_index_close(&i);
        int half = openat(fd, "x.idx", O_WRONLY | O_APPEND | O_CLOEXEC);
        ck_assert_int_eq(write(half, "1234567", 7), 7); /* a record a full disk cut short */
        fd_close(half);
        append(fd, 77, 10, 5, false);
        log_index_open(&i, fd, "x.idx", 77);
        ck_assert_uint_eq(log_index_time(&i, 10), 5);
        log_index_close(&i);
        log_index_open(&i, fd, "none.idx", 77);
        ck_assert_uint_eq(log_index_time(&i, 10), 0);
        log_index_close(&i);
        remove_dir(dir);
}
END_TEST

int main(void) {
        Suite *s = suite_create("log-index");
        TCase *t = tcase_create("log-index");
        tcase_add_test(t, rising);
        tcase_add_test(t, begins_anew);
        suite_add_tcase(s, t);
        SRunner *r = srunner_create(s);
        srunner_run_all(r, CK_NORMAL);
        int failed = srunner_ntests_failed(r);
        srunner_free(r);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
